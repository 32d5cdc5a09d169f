//! Image references and names, by the grammar of the `distribution/reference` library, which docker also uses.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Checked, Invalid, Refusal, escape_value, is_lower_alphanumeric, no, only};

checked_text! {
    /// An image to build on or to run: `[host[:port]/]path[:tag][@algo:hex]`, or an image id.
    ///
    /// The grammar is that of the `distribution/reference` library, which docker itself uses; an id is 64 hex
    /// digits, alone or after `sha256:`. `scratch` is refused, because docker uses it for an empty base and not an image.
    ImageRef, "image reference", check_image_ref
}

checked_text! {
    /// A name for a built image: `[host[:port]/]path[:tag]`.
    ///
    /// A digest, 64 hex digits and a repository named `sha256` are refused, as `docker build --tag` refuses them.
    ImageName, "image name", check_image_name
}

impl ImageRef {
    /// The reference as docker shows it: without Docker Hub's prefixes, and with `:latest` if it has neither tag nor
    /// digest. An id is not changed.
    #[must_use]
    pub fn name_and_tag(&self) -> String {
        if self.is_id() { self.0.clone() } else { familiar(&self.0) }
    }

    /// The reference as longshore shows it: as it was given, without the tag `latest`.
    #[must_use]
    pub fn shown(&self) -> &str {
        without_latest(&self.0)
    }

    /// Whether this is a full image id, which `docker run` accepts and a Dockerfile's `FROM` does not.
    #[must_use]
    pub fn is_id(&self) -> bool {
        is_image_id(&self.0)
    }
}

impl ImageName {
    /// The name as docker lists it: `name:tag` without Docker Hub's prefixes, with the tag `latest` if none is given.
    #[must_use]
    pub fn normalized(&self) -> String {
        familiar(&self.0)
    }

    /// The name as longshore shows it: `name:tag` without Docker Hub's prefixes and without the tag `latest`.
    #[must_use]
    pub fn shown(&self) -> String {
        without_latest(&self.normalized()).to_owned()
    }
}

/// The name of an image without the tag `latest`, which docker adds where there is none. A name without a tag means the same
/// to every command.
#[must_use]
pub fn without_latest(name: &str) -> &str {
    name.strip_suffix(":latest").unwrap_or(name)
}

fn check_image_ref(text: &str) -> Checked {
    if is_image_id(text) {
        return Ok(text.to_owned());
    }
    Reference::split(text)?;
    Ok(text.to_owned())
}

fn check_image_name(text: &str) -> Checked {
    if is_image_id(text) {
        return Err(no("an image id is not a name"));
    }
    let reference = Reference::split(text)?;
    if reference.digest.is_some() {
        return Err(no("a name cannot carry a digest").hint("leave out the \"@\" and the text after it"));
    }
    if is_image_id(reference.name) {
        return Err(no("docker would read 64 hex digits as an image id"));
    }
    if familiar_name(reference.name) == "sha256" {
        return Err(no("docker would read it as a digest"));
    }
    Ok(text.to_owned())
}

fn is_image_id(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    hex.len() == 64 && is_lower_hex(hex)
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The parts of an image reference.
struct Reference<'a> {
    name: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// Splits `text` into its parts and checks each.
    fn split(text: &'a str) -> Result<Self, Refusal> {
        check_reference_characters(text)?;
        let reference = Self::cut(text);
        reference.digest.map_or(Ok(()), check_digest)?;
        reference.tag.map_or(Ok(()), check_tag)?;
        check_repository(reference.name)?;
        Ok(reference)
    }

    /// Splits `text` where the grammar does: a `:` begins a tag only after the last `/`.
    fn cut(text: &'a str) -> Self {
        let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
        let path = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[path..].find(':') {
            Some(colon) => (&rest[..path + colon], Some(&rest[path + colon + 1..])),
            None => (rest, None),
        };
        Self { name, tag, digest }
    }
}

fn check_reference_characters(text: &str) -> Result<(), Refusal> {
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '@' | '+' | '[' | ']');
    only(text, allowed, "letters, digits, \".\", \"_\", \"-\", \"/\", \":\" and \"@\"")?;
    if text.starts_with('-') {
        return Err(no("docker would read it as an option"));
    }
    if let Some((scheme @ ("http" | "https" | "docker" | "oci"), rest)) = text.split_once("://") {
        return Err(no("it is a URL").hint(format!("leave out \"{scheme}://\": {}", escape_value(rest))));
    }
    Ok(())
}

/// Accepts only the algorithms that docker has, with digests of their length.
fn check_digest(digest: &str) -> Result<(), Refusal> {
    let length = match digest.split_once(':') {
        Some(("sha256", hex)) if is_lower_hex(hex) => hex.len() == 64,
        Some(("sha384", hex)) if is_lower_hex(hex) => hex.len() == 96,
        Some(("sha512", hex)) if is_lower_hex(hex) => hex.len() == 128,
        _ => false,
    };
    if length { Ok(()) } else { Err(no("a digest must be \"sha256:\" followed by 64 hex digits in lower case")) }
}

fn check_tag(tag: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if tag.is_empty() {
        return Err(no("the tag after \":\" is empty"));
    }
    if tag.len() > 128 {
        return Err(no("a tag must have at most 128 characters"));
    }
    if tag.starts_with(['.', '-']) || !tag.chars().all(allowed) {
        return Err(no(
            "a tag must consist of letters, digits, \"_\", \".\" and \"-\", and must not begin with \".\" or \"-\"",
        ));
    }
    Ok(())
}

fn check_repository(name: &str) -> Result<(), Refusal> {
    let (host, path) = split_host(name);
    if let Some(host) = host
        && !is_host(host)
    {
        return Err(no("the part before the first \"/\" is not a host name"));
    }
    if path.bytes().any(|b| b.is_ascii_uppercase()) {
        let lower = format!("{}{}", &name[..name.len() - path.len()], path.to_ascii_lowercase());
        return Err(no("a repository name must be in lower case").hint(format!("write {}", escape_value(&lower))));
    }
    if !path.split('/').all(is_path_component) {
        return Err(no(
            "each part of a repository name must be letters and digits, joined by \".\", \"_\", \"__\" or \"-\"",
        ));
    }
    if full_length(host, path) > 255 {
        return Err(no("a repository name must have at most 255 characters"));
    }
    if familiar_name(name) == "scratch" {
        return Err(no("docker reserves it for the empty image"));
    }
    Ok(())
}

/// The length of the name as older engines count it: with Docker Hub's host and, for an official image, with `library/`.
fn full_length(host: Option<&str>, path: &str) -> usize {
    let hub = "docker.io";
    let host = host.filter(|host| *host != "index.docker.io").unwrap_or(hub);
    let implied = if host == hub && !path.contains('/') { "library/" } else { "" };
    host.len() + "/".len() + implied.len() + path.len()
}

/// Splits the host from a name, by docker's rule: the first part is a host if it has a `.`, a `:` or an upper case
/// letter, or is `localhost`.
fn split_host(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((first, rest)) if is_host_like(first) => (Some(first), rest),
        _ => (None, name),
    }
}

fn is_host_like(first: &str) -> bool {
    first == "localhost" || first.contains(|c: char| c == '.' || c == ':' || c.is_ascii_uppercase())
}

/// A domain name, an IPv4 address or an IPv6 address in brackets, with or without a port.
fn is_host(text: &str) -> bool {
    let address_end = text.find(']').map_or(0, |end| end + 1);
    let (host, port) = match text[address_end..].find(':') {
        Some(colon) => (&text[..address_end + colon], &text[address_end + colon + 1..]),
        None => (text, "0"),
    };
    let is_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let is_label = |label: &str| {
        let alphanumeric = |c: char| c.is_ascii_alphanumeric();
        label.starts_with(alphanumeric)
            && label.ends_with(alphanumeric)
            && label.chars().all(|c| alphanumeric(c) || c == '-')
    };
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => is_port && !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'),
        None => is_port && host.split('.').all(is_label),
    }
}

/// Runs of letters and digits, separated by one `.`, one or two `_`, or any number of `-`.
fn is_path_component(text: &str) -> bool {
    text.starts_with(is_lower_alphanumeric)
        && text.ends_with(is_lower_alphanumeric)
        && text
            .split(is_lower_alphanumeric)
            .all(|separator| matches!(separator, "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}

/// A checked reference as docker shows it.
fn familiar(text: &str) -> String {
    let Reference { name, tag, digest } = Reference::cut(text);
    let name = familiar_name(name);
    match (tag, digest) {
        (None, None) => format!("{name}:latest"),
        (Some(tag), None) => format!("{name}:{tag}"),
        (None, Some(digest)) => format!("{name}@{digest}"),
        (Some(tag), Some(digest)) => format!("{name}:{tag}@{digest}"),
    }
}

/// A name without Docker Hub's host and, for its official images, without `library/`. The host is kept if the rest would
/// be read as another host.
fn familiar_name(name: &str) -> &str {
    let (None | Some("docker.io" | "index.docker.io"), path) = split_host(name) else {
        return name;
    };
    match path.strip_prefix("library/") {
        Some(official) if !official.contains('/') => official,
        _ if split_host(path).0.is_some() => name,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_reference_is_shown_as_docker_shows_it() {
        for (text, shown) in [
            ("python", "python:latest"),
            ("python:3.12-slim", "python:3.12-slim"),
            ("docker.io/library/python", "python:latest"),
            ("index.docker.io/library/python:3", "python:3"),
            ("library/python", "python:latest"),
            ("docker.io/me/tool", "me/tool:latest"),
            ("docker.io/me.org/tool", "docker.io/me.org/tool:latest"),
            ("localhost/x", "localhost/x:latest"),
            ("localhost:5000/a/b:tag", "localhost:5000/a/b:tag"),
            ("[2001:db8::1]:5000/a", "[2001:db8::1]:5000/a:latest"),
            ("Registry.Example/a__b/c---d", "Registry.Example/a__b/c---d:latest"),
            ("host:5000", "host:5000"),
            ("x:_A.b-C", "x:_A.b-C"),
            ("0123456789ab", "0123456789ab:latest"),
        ] {
            assert_eq!(ImageRef::parse(text).expect(text).name_and_tag(), shown);
            assert_eq!(ImageName::parse(text).expect(text).normalized(), shown);
        }
    }

    #[test]
    fn a_name_is_shown_without_the_tag_latest_and_means_the_same() {
        for (text, shown) in [
            ("web", "web"),
            ("web:latest", "web"),
            ("docker.io/library/web:latest", "web"),
            ("web:latest-2", "web:latest-2"),
            ("latest", "latest"),
            ("localhost:5000/a", "localhost:5000/a"),
            ("host:5000", "host:5000"),
        ] {
            let name = ImageName::parse(text).expect(text);
            assert_eq!(name.shown(), shown);
            assert_eq!(ImageName::parse(&name.shown()).expect(shown).normalized(), name.normalized());
        }
        let digest = format!("a:latest@sha256:{HEX}");
        assert_eq!(ImageRef::parse(&digest).expect("a reference").shown(), digest);
        assert_eq!(ImageRef::parse("docker.io/a:latest").expect("a reference").shown(), "docker.io/a");
    }

    #[test]
    fn a_digest_and_an_id_are_references_but_no_names() {
        for (text, shown, is_id) in [
            (format!("docker.io/library/a@sha256:{HEX}"), format!("a@sha256:{HEX}"), false),
            (format!("a:1@sha512:{HEX}{HEX}"), format!("a:1@sha512:{HEX}{HEX}"), false),
            (format!("sha256:{HEX}"), format!("sha256:{HEX}"), true),
            (HEX.to_owned(), HEX.to_owned(), true),
        ] {
            let reference = ImageRef::parse(&text).expect(&text);
            assert_eq!((reference.name_and_tag(), reference.is_id()), (shown, is_id));
            assert!(ImageName::parse(&text).is_err(), "{text}");
        }
        for text in [format!("{HEX}:1"), "sha256:1".to_owned(), "docker.io/library/sha256".to_owned()] {
            assert!(ImageName::parse(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_docker_would_not_take_is_refused() {
        for text in [
            "",
            ":",
            "/",
            "@",
            ":tag",
            "a:",
            "a@",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a.",
            "a..b",
            "a___b",
            "a._b",
            "-a",
            "a-",
            "_a",
            "a b",
            " a",
            "a:.b",
            "a:-b",
            "a:b:c",
            "a:b/",
            "host:/x",
            "ho_st.x/a",
            "-h.x/a",
            "h.x-/a",
            "h.x:y/a",
            "[::1/a",
            "[]/a",
            "[::1]x/a",
            "a/[::1]",
            "a@sha256:12",
            "a@md5:0123456789abcdef0123456789abcdef",
            "A",
            "a/B",
            "scratch",
            "scratch:1",
            "docker.io/library/scratch",
            "a\n",
            "a\nRUN id",
            "a${X}",
            "é",
            "python:3\u{a0}",
        ] {
            assert!(ImageRef::parse(text).is_err(), "{text:?}");
            assert!(ImageName::parse(text).is_err(), "{text:?}");
        }
        assert!(ImageRef::parse(&format!("a@sha256:{}", HEX.to_uppercase())).is_err());
    }

    #[test]
    fn lengths_are_those_of_docker() {
        let name = |length: usize| ImageRef::parse(&"a".repeat(length)).is_ok();
        assert_eq!((name(237), name(238)), (true, false));
        let name = |host: &str, length: usize| ImageRef::parse(&format!("{host}{}", "a".repeat(length))).is_ok();
        for (host, most) in
            [("me/", 242), ("docker.io/", 237), ("index.docker.io/", 237), ("docker.io/me/", 242), ("ghcr.io/", 247)]
        {
            assert_eq!((name(host, most), name(host, most + 1)), (true, false), "{host}");
        }
        let tag = |length: usize| ImageRef::parse(&format!("a:{}", "t".repeat(length))).is_ok();
        assert_eq!((tag(128), tag(129)), (true, false));
    }

    #[test]
    fn a_refusal_says_what_to_write() {
        for (text, error, hint) in [
            (
                "Python:3.12",
                "invalid image reference \"Python:3.12\": a repository name must be in lower case",
                Some("write python"),
            ),
            (
                "https://ghcr.io/a/b",
                "invalid image reference \"https://ghcr.io/a/b\": it is a URL",
                Some("leave out \"https://\": ghcr.io/a/b"),
            ),
            ("-v", "invalid image reference \"-v\": docker would read it as an option", None),
            (
                "a\nb",
                r#"invalid image reference "a\nb": "\n" is not allowed"#,
                Some("use only letters, digits, \".\", \"_\", \"-\", \"/\", \":\" and \"@\""),
            ),
        ] {
            let refusal = ImageRef::parse(text).expect_err(text);
            assert_eq!((refusal.to_string().as_str(), refusal.hint.as_deref()), (error, hint));
        }
    }
}
