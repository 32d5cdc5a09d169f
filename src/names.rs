//! What every name a user may give has to look like, and how a refusal reads. A value of one of these types has been
//! checked, so whoever holds it may use it as it stands. Everything here is pure: nothing is looked up, opened or
//! started.

use std::fmt;
use std::path::Path;

use pep508_rs::{Requirement, VerbatimUrl, VersionOrUrl};
use serde::{Deserialize, Serialize};

/// How much of a refused value an error message shows, in characters.
const SHOWN: usize = 80;

/// Why a value was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The kind of value, such as `image reference`.
    pub what: &'static str,
    /// The value, safe to print: escaped, cut, and without the password of a URL.
    pub value: String,
    /// The reason, in lower case and without a full stop.
    pub why: String,
    /// What to write instead, if that is known.
    pub hint: Option<String>,
}

impl Invalid {
    /// A refusal of `value`, which is escaped, cut and masked here.
    pub fn new(what: &'static str, value: &str, why: impl Into<String>) -> Self {
        Self { what, value: escape_value(&without_credentials(value)), why: why.into(), hint: None }
    }

    /// The same refusal with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid {} \"{}\": {}", self.what, self.value, self.why)
    }
}

impl std::error::Error for Invalid {}

/// A refusal before it knows which value it is about.
struct Refusal {
    why: String,
    hint: Option<String>,
}

impl Refusal {
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn about(self, what: &'static str, value: &str) -> Invalid {
        Invalid { hint: self.hint, ..Invalid::new(what, value, self.why) }
    }
}

fn no(why: impl Into<String>) -> Refusal {
    Refusal { why: why.into(), hint: None }
}

/// What a check makes of a text: the text to keep, or why not.
type Checked = Result<String, Refusal>;

/// Defines a type that holds a text which `$check` has accepted.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes `text` if it keeps the rules of this type.
            ///
            /// # Errors
            /// [`Invalid`] says which rule was broken.
            pub fn parse(text: &str) -> Result<Self, Invalid> {
                $check(text).map(Self).map_err(|refusal: Refusal| refusal.about($what, text))
            }

            /// The checked text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}

/// A value as an error may show it: what a terminal would act on or hide (control, bidi and zero-width characters,
/// line and paragraph separators) is written as `\n` or `\u{…}`, and the rest is cut after 80 characters.
#[must_use]
pub fn escape_value(text: &str) -> String {
    let mut shown = String::new();
    let mut left = SHOWN;
    for c in text.chars() {
        let piece = if is_unprintable(c) { c.escape_default().to_string() } else { c.to_string() };
        let Some(rest) = left.checked_sub(piece.chars().count()) else {
            shown.push('…');
            break;
        };
        left = rest;
        shown.push_str(&piece);
    }
    shown
}

/// C0, DEL and C1; soft hyphen, Arabic letter mark, Mongolian vowel separator; zero-width, bidi and separator
/// characters of the General Punctuation block; BOM, interlinear annotations and tag characters.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `https://user:password@host` as `https://***@host`, everywhere in the text.
fn without_credentials(text: &str) -> String {
    let mut parts = text.split("://");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str("://");
        let authority = part.split(['/', ' ', '?', '#']).next().unwrap_or_default();
        match authority.rfind('@') {
            Some(at) => masked.extend(["***", &part[at..]]),
            None => masked.push_str(part),
        }
    }
    masked
}

/// Refuses an empty text and one with a character that is not allowed. `allowed` says which are, for the hint.
fn only(text: &str, is_allowed: impl Fn(char) -> bool, allowed: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(no("it is empty"));
    }
    match text.chars().find(|&c| !is_allowed(c)) {
        Some(c) => Err(no(format!("{} is not allowed in it", shown(c))).hint(format!("use only {allowed}"))),
        None => Ok(()),
    }
}

fn no_control(text: &str) -> Result<(), Refusal> {
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(no(format!("it contains the control character {}", shown(c)))),
        None => Ok(()),
    }
}

fn at_most(text: &str, bytes: usize) -> Result<(), Refusal> {
    if text.len() > bytes {
        return Err(no(format!("it is {} bytes long, and {bytes} are the most", text.len())));
    }
    Ok(())
}

fn shown(c: char) -> String {
    if c == ' ' { "a blank".to_owned() } else { format!("\"{}\"", escape_value(&c.to_string())) }
}

fn is_lower_alphanumeric(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

checked_text! {
    /// An image to build on or to run: `[host[:port]/]path[:tag][@algo:hex]`, or an image id.
    ///
    /// The grammar is that of the `distribution/reference` library, which docker itself uses; an id is 64 hex
    /// digits, alone or after `sha256:`. `scratch` is refused: it is no image but docker's word for an empty one.
    ImageRef, "image reference", check_image_ref
}

checked_text! {
    /// A name to give to a built image: `[host[:port]/]path[:tag]`.
    ///
    /// What `docker build --tag` refuses is refused: a digest, 64 hex digits, a repository called `sha256`.
    ImageName, "image name", check_image_name
}

impl ImageRef {
    /// The reference as docker shows it: Docker Hub's prefixes left out, and `:latest` added where there is neither
    /// tag nor digest. An id stays as it is.
    #[must_use]
    pub fn name_and_tag(&self) -> String {
        if self.is_id() { self.0.clone() } else { familiar(&self.0) }
    }

    /// Whether this is a whole image id, which `docker run` takes but a Dockerfile's `FROM` does not.
    #[must_use]
    pub fn is_id(&self) -> bool {
        is_image_id(&self.0)
    }
}

impl ImageName {
    /// The name as docker lists it: `name:tag`, Docker Hub's prefixes left out, the tag `latest` unless given.
    #[must_use]
    pub fn normalized(&self) -> String {
        familiar(&self.0)
    }
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
        return Err(no("a name cannot carry a digest").hint("leave out the \"@\" and what follows"));
    }
    if is_image_id(reference.name) {
        return Err(no("docker takes 64 hex digits for an image id"));
    }
    if familiar_name(reference.name) == "sha256" {
        return Err(no("docker would take it for a digest"));
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
    /// Takes `text` apart and checks each part.
    fn split(text: &'a str) -> Result<Self, Refusal> {
        check_reference_characters(text)?;
        let reference = Self::cut(text);
        reference.digest.map_or(Ok(()), check_digest)?;
        reference.tag.map_or(Ok(()), check_tag)?;
        check_repository(reference.name)?;
        Ok(reference)
    }

    /// Takes `text` apart where the grammar would: a `:` opens a tag only after the last `/`.
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
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/:@+[]".contains(c);
    only(text, allowed, "letters, digits, \".\", \"_\", \"-\", \"/\", \":\" and \"@\"")?;
    if text.starts_with('-') {
        return Err(no("it would be read as an option of docker"));
    }
    if let Some((scheme @ ("http" | "https" | "docker" | "oci"), rest)) = text.split_once("://") {
        return Err(no("it is a URL").hint(format!("leave out \"{scheme}://\": {}", escape_value(rest))));
    }
    Ok(())
}

/// Only the algorithms that docker has, with their lengths.
fn check_digest(digest: &str) -> Result<(), Refusal> {
    let length = match digest.split_once(':') {
        Some(("sha256", hex)) if is_lower_hex(hex) => hex.len() == 64,
        Some(("sha384", hex)) if is_lower_hex(hex) => hex.len() == 96,
        Some(("sha512", hex)) if is_lower_hex(hex) => hex.len() == 128,
        _ => false,
    };
    if length { Ok(()) } else { Err(no("a digest is \"sha256:\" with 64 hex digits in lower case")) }
}

fn check_tag(tag: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if tag.is_empty() {
        return Err(no("the tag after \":\" is empty"));
    }
    if tag.len() > 128 {
        return Err(no("a tag has 128 characters at most"));
    }
    if tag.starts_with(['.', '-']) || !tag.chars().all(allowed) {
        return Err(no("a tag is letters, digits, \"_\", \".\" and \"-\", and begins with none of the last two"));
    }
    Ok(())
}

fn check_repository(name: &str) -> Result<(), Refusal> {
    let (host, path) = split_host(name);
    if let Some(host) = host
        && !is_host(host)
    {
        return Err(no("what stands before the first \"/\" is no host name"));
    }
    if path.bytes().any(|b| b.is_ascii_uppercase()) {
        let lower = format!("{}{}", &name[..name.len() - path.len()], path.to_ascii_lowercase());
        return Err(no("a repository name is in lower case").hint(format!("write {}", escape_value(&lower))));
    }
    if !path.split('/').all(is_path_component) {
        return Err(no(
            "each part of a repository name is letters and digits, joined by \".\", \"_\", \"__\" or \"-\"",
        ));
    }
    // Older engines count Docker Hub's host and "library/" too.
    let implied = if host.is_some() { 0 } else { "docker.io/library/".len() };
    if name.len() + implied > 255 {
        return Err(no("a repository name has 255 characters at most"));
    }
    if familiar_name(name) == "scratch" {
        return Err(no("docker reserves it for the empty image"));
    }
    Ok(())
}

/// Takes the host off a name, by docker's rule: the first part is a host if it has a `.`, a `:` or an upper case
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

/// A name without Docker Hub's host and, for its official images, without `library/`. The host stays where the rest
/// would be taken for another host.
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

checked_text! {
    /// A job's name: `[a-z0-9][a-z0-9._-]{0,62}`, which is docker's grammar of container names in lower case and
    /// fits a DNS label. `latest` is refused because it stands for the newest job.
    JobName, "job name", check_job_name
}

checked_text! {
    /// A job's id: twelve digits of Crockford's base 32 in lower case, which has no `i`, `l`, `o` and `u`.
    JobId, "job id", check_job_id
}

checked_text! {
    /// The key of a label: `[a-z0-9.-]+` from a letter or digit to a letter or digit, as docker's guidelines for
    /// label keys ask for. Keys under `longshore.` are ours.
    LabelKey, "label key", check_label_key
}

impl JobId {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    const LENGTH: usize = 12;

    /// An id out of random bytes: the low five bits of each choose a digit.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes.iter().map(|byte| char::from(Self::ALPHABET[usize::from(byte & 31)])).collect())
    }

    /// Whether `text` could be the beginning of an id, or a whole one.
    #[must_use]
    pub fn is_prefix(text: &str) -> bool {
        (1..=Self::LENGTH).contains(&text.len()) && text.bytes().all(|byte| Self::ALPHABET.contains(&byte))
    }
}

/// A label, written `KEY=VALUE` as for `docker run --label`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label {
    /// What the value is called.
    pub key: LabelKey,
    /// Text without control characters, at most 4096 bytes of it.
    pub value: String,
}

impl Label {
    /// Takes `KEY=VALUE`; the value may be empty and may contain `=`.
    ///
    /// # Errors
    /// [`Invalid`] says which rule was broken.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let Some((key, value)) = text.split_once('=') else {
            return Err(Invalid::new("label", text, "there is no \"=\" in it").with_hint("write KEY=VALUE"));
        };
        Self::new(LabelKey::parse(key)?, value)
    }

    /// A label of a key and a value that come separately, as in a JSON object.
    ///
    /// # Errors
    /// [`Invalid`] for a value that is too long or has control characters.
    pub fn new(key: LabelKey, value: &str) -> Result<Self, Invalid> {
        match no_control(value).and_then(|()| at_most(value, 4096)) {
            Ok(()) => Ok(Self { key, value: value.to_owned() }),
            Err(refusal) => Err(refusal.about("label value", value)),
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

impl std::str::FromStr for Label {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Label {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.to_string()
    }
}

fn check_job_name(text: &str) -> Checked {
    only(text, |c| is_lower_alphanumeric(c) || "._-".contains(c), "a-z, 0-9, \".\", \"_\" and \"-\"")?;
    if !text.starts_with(is_lower_alphanumeric) {
        return Err(no("it must begin with a letter or a digit"));
    }
    if text.len() > 63 {
        return Err(no("it has 63 characters at most"));
    }
    if text == "latest" {
        return Err(no("\"latest\" stands for the newest job"));
    }
    Ok(text.to_owned())
}

fn check_job_id(text: &str) -> Checked {
    if text.len() != JobId::LENGTH || !JobId::is_prefix(text) {
        return Err(no("an id is 12 of the characters 0-9 and a-z without i, l, o and u"));
    }
    Ok(text.to_owned())
}

fn check_label_key(text: &str) -> Checked {
    only(text, |c| is_lower_alphanumeric(c) || ".-".contains(c), "a-z, 0-9, \".\" and \"-\"")?;
    if !text.starts_with(is_lower_alphanumeric) || !text.ends_with(is_lower_alphanumeric) {
        return Err(no("it must begin and end with a letter or a digit"));
    }
    if text.starts_with("longshore.") {
        return Err(no("keys under \"longshore.\" are reserved"));
    }
    at_most(text, 255)?;
    Ok(text.to_owned())
}

checked_text! {
    /// A package for `apt-get install`: `name[:arch][=version]`, with the characters that Debian policy allows
    /// (5.6.1 for names, 5.6.12 for versions).
    ///
    /// apt reads more into its arguments: `name-` removes, `name/release` and `task^` select, `*`, `?` and `~` are
    /// patterns, and a path is a file. All of these are refused. A final `+` is kept, because of `g++`.
    AptPackage, "apt package", check_apt_package
}

impl AptPackage {
    /// The packages of a list separated by blanks, tabs or line ends, in the order given.
    ///
    /// # Errors
    /// [`Invalid`] for the first entry that is no package.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Invalid> {
        text.split_ascii_whitespace().map(Self::parse).collect()
    }
}

/// The same packages in alphabetical order, each once, so that equal sets make equal build contexts.
#[must_use]
pub fn sorted(mut packages: Vec<AptPackage>) -> Vec<AptPackage> {
    packages.sort();
    packages.dedup();
    packages
}

fn check_apt_package(text: &str) -> Checked {
    check_apt_meaning(text)?;
    let (text_before, version) = text.split_once('=').map_or((text, None), |(name, version)| (name, Some(version)));
    let (name, arch) = text_before.split_once(':').map_or((text_before, None), |(name, arch)| (name, Some(arch)));
    let in_name = |c: char| is_lower_alphanumeric(c) || "+.-".contains(c);
    only(name, in_name, "a-z, 0-9, \"+\", \".\" and \"-\", and a blank between two packages")?;
    if name.len() < 2 || !name.starts_with(is_lower_alphanumeric) {
        return Err(no("a package name has two characters or more and begins with a letter or a digit"));
    }
    if arch.is_some_and(|arch| {
        !arch.starts_with(is_lower_alphanumeric) || !arch.chars().all(|c| is_lower_alphanumeric(c) || c == '-')
    }) {
        return Err(no("what follows \":\" is no architecture, such as i386"));
    }
    let in_version = |c: char| c.is_ascii_alphanumeric() || ".+:~-".contains(c);
    if version.is_some_and(|version| {
        !version.starts_with(|c: char| c.is_ascii_alphanumeric()) || !version.chars().all(in_version)
    }) {
        return Err(no("what follows \"=\" is no version, such as 1:2.36-9"));
    }
    Ok(text.to_owned())
}

/// Refuses what apt would read as something other than a package to install.
fn check_apt_meaning(text: &str) -> Result<(), Refusal> {
    if text.starts_with('-') {
        return Err(no("it would be read as an option of apt-get"));
    }
    if text.starts_with(['.', '/']) || text.rsplit_once('.').is_some_and(|(_, ending)| ending == "deb") {
        return Err(no("it would be read as the path of a file"));
    }
    if text.contains('/') {
        return Err(no("a release after \"/\" is not accepted").hint("ask for a version with NAME=VERSION"));
    }
    // Unlike the others a "~" has its place in versions; at the front it begins a pattern.
    if let Some(c) = text.chars().find(|&c| "^*?$|()!".contains(c) || (c == '~' && text.starts_with(c))) {
        return Err(no(format!("\"{c}\" would make it a pattern or a task")));
    }
    if text.ends_with('-') {
        return Err(no("a trailing \"-\" would remove the package"));
    }
    Ok(())
}

checked_text! {
    /// One requirement of PEP 508, fit to be a line of its own in a requirements file.
    ///
    /// What pip would read as something else on such a line is refused: an option, also after a blank, a
    /// continuation, a comment, `${VARIABLE}`, and a name that looks like an archive file.
    PipRequirement, "pip requirement", |text| check_requirement(text, Urls::Refused)
}

impl PipRequirement {
    /// Like [`PipRequirement::parse`], but `name @ https://…` and `name @ git+https://…` are accepted too. The URL
    /// may hold no credentials, because recipes and image histories keep it.
    ///
    /// # Errors
    /// [`Invalid`] says which rule was broken.
    pub fn parse_allowing_urls(text: &str) -> Result<Self, Invalid> {
        check_requirement(text, Urls::Allowed).map(Self).map_err(|refusal| refusal.about("pip requirement", text))
    }

    /// The requirements of a list separated by blanks or line ends, in the order given.
    ///
    /// A line end always separates. On one line a blank separates unless it stands inside quotes, brackets or
    /// parentheses, or one requirement plainly goes on across it: before a word that begins with one of
    /// `<>=!~;@,([)]`, after a word that ends with one of `<>=!~;@,` or an opening bracket, and around `and`, `or`,
    /// `in` and `not` once a `;` has opened the marker. So `numpy<2 pandas >= 2` is two requirements.
    ///
    /// # Errors
    /// [`Invalid`] for the first entry that is no requirement.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Invalid> {
        split_requirements(text).iter().map(|entry| Self::parse(entry)).collect()
    }

    /// Like [`PipRequirement::parse_list`], with the entries of [`PipRequirement::parse_allowing_urls`].
    ///
    /// # Errors
    /// [`Invalid`] for the first entry that is no requirement.
    pub fn parse_list_allowing_urls(text: &str) -> Result<Vec<Self>, Invalid> {
        split_requirements(text).iter().map(|entry| Self::parse_allowing_urls(entry)).collect()
    }
}

/// Whether a requirement may name a URL instead of a version.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Urls {
    Refused,
    Allowed,
}

fn check_requirement(text: &str, urls: Urls) -> Checked {
    let text = text.trim_matches([' ', '\t']);
    check_requirement_line(text)?;
    check_requirement_start(text)?;
    check_panics(text)?;
    check_not_an_archive(text)?;
    let requirement: Requirement<VerbatimUrl> =
        text.parse().map_err(|error: pep508_rs::Pep508Error| no(one_line(&error.message.to_string())))?;
    if let Some(VersionOrUrl::Url(_)) = requirement.version_or_url {
        check_requirement_url(text, urls)?;
    }
    Ok(text.to_owned())
}

/// Refuses what would not stay one requirement in a requirements file: pip takes any word that begins with `-` for
/// an option, even one inside a quoted marker, and expands variables before it parses.
fn check_requirement_line(text: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(no("it is empty"));
    }
    // The parser calls itself for every parenthesis, so the length is bounded before.
    at_most(text, 1000)?;
    if let Some(c) = text.chars().find(|c| !matches!(c, ' '..='~')) {
        return Err(no(format!("{} is not allowed in it", shown(c))));
    }
    if text.split(' ').any(|word| word.starts_with('-')) {
        return Err(no("a word that begins with \"-\" would be read as an option of pip"));
    }
    if text.split(' ').any(|word| word.starts_with('#')) {
        return Err(no("what follows \"#\" would be read as a comment"));
    }
    if text.contains('\\') {
        return Err(no("\"\\\" would join it to the next line"));
    }
    if text.contains('$') {
        return Err(no("\"$\" is not allowed: pip would put a variable's value there"));
    }
    Ok(())
}

/// Explains what the parser would only call a syntax error.
fn check_requirement_start(text: &str) -> Result<(), Refusal> {
    if text.split([' ', ';', '@']).next().is_some_and(|word| word.contains("://")) {
        return Err(no("it is a URL without a name").hint("write NAME @ URL"));
    }
    if text.starts_with(['.', '/']) {
        return Err(no("it would be read as the path of a file"));
    }
    if text.contains(',') && !text.contains(['(', '[', ';', '<', '>', '=', '!', '~', '@']) {
        return Err(no("there is a comma in it").hint("put blanks between two requirements"));
    }
    Ok(())
}

/// Refuses two errors on which the parser panics: a name that ends with a separator before some other character, and
/// `'1' ~= variable` in a marker, with the variable on the right.
fn check_panics(text: &str) -> Result<(), Refusal> {
    let in_name = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let names = text.split([';', '@', '<', '>', '=', '!', '~', '(']).next().unwrap_or_default();
    if names.split(|c| !in_name(c)).any(|name| name.ends_with(['.', '-', '_'])) {
        return Err(no("a name ends with a letter or a digit"));
    }
    if text.match_indices("~=").any(|(at, _)| text[..at].trim_end_matches(' ').ends_with(['"', '\''])) {
        return Err(no("in a marker \"~=\" stands between a variable and a version"));
    }
    Ok(())
}

fn check_requirement_url(text: &str, urls: Urls) -> Result<(), Refusal> {
    if urls == Urls::Refused {
        return Err(no("a URL is not accepted here").hint("ask for a version with NAME==VERSION"));
    }
    let url = text.split_once('@').map_or("", |(_, url)| url).trim_start();
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let user = rest.split(['/', '?', '#', ' ']).next().and_then(|authority| authority.rsplit_once('@'));
    match (scheme, user) {
        ("git+ssh", Some((user, _))) if !user.contains(':') => Ok(()),
        (_, Some(_)) => Err(no("the URL holds credentials, which the image would keep")),
        ("http" | "https" | "git+https" | "git+http" | "git+ssh" | "hg+https" | "svn+https" | "bzr+https", None) => {
            Ok(())
        }
        _ => Err(no("the URL must begin with https:// or git+https://")),
    }
}

/// pip takes a requirement with the ending of an archive for a file in the current directory.
fn check_not_an_archive(text: &str) -> Result<(), Refusal> {
    const ENDINGS: [&str; 12] = [
        ".whl",
        ".zip",
        ".tar",
        ".tgz",
        ".tar.gz",
        ".tbz",
        ".tar.bz2",
        ".txz",
        ".tlz",
        ".tar.xz",
        ".tar.lz",
        ".tar.lzma",
    ];
    let before_marker = text.split(';').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    if before_marker.contains('@') {
        return Ok(());
    }
    let before_extras = before_marker.split('[').next().unwrap_or_default().trim_end();
    if ENDINGS.iter().any(|ending| before_marker.ends_with(ending) || before_extras.ends_with(ending)) {
        return Err(no("it would be read as the path of a file"));
    }
    Ok(())
}

/// The parser's message as our errors are written: the first line, lower case unless it begins with an acronym, no full
/// stop.
fn one_line(message: &str) -> String {
    let message = without_credentials(message);
    let line = message.lines().next().unwrap_or_default().trim_end_matches('.');
    match line.split_at_checked(1) {
        Some((first, rest)) if !rest.starts_with(|c: char| c.is_ascii_uppercase()) => first.to_ascii_lowercase() + rest,
        _ => line.to_owned(),
    }
}

/// Cuts a list into the texts of its requirements; the rule is that of [`PipRequirement::parse_list`].
fn split_requirements(text: &str) -> Vec<String> {
    let mut entries = Vec::new();
    for line in text.lines() {
        let mut entry = String::new();
        for word in words(line) {
            if !entry.is_empty() && !goes_on(&entry, &word) {
                entries.push(std::mem::take(&mut entry));
            }
            if !entry.is_empty() {
                entry.push(' ');
            }
            entry.push_str(&word);
        }
        entries.extend(Some(entry).filter(|entry| !entry.is_empty()));
    }
    entries
}

/// The words of a line, cut at blanks that are not inside quotes, brackets or parentheses.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut depth = 0_usize;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth = depth.saturating_sub(1),
            (None, _) if c.is_ascii_whitespace() && depth == 0 => {
                words.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether `word` belongs to the requirement that `entry` has begun.
fn goes_on(entry: &str, word: &str) -> bool {
    let last = entry.rsplit(' ').next().unwrap_or_default();
    let in_marker = entry.contains(';');
    let joins = |word: &str| matches!(word, "and" | "or" | "in" | "not");
    word.starts_with(['<', '>', '=', '!', '~', ';', '@', ',', '(', '[', ')', ']'])
        || (last.ends_with(['<', '>', '=', '!', '~', ';', '@', ',', '(', '[']) && !last.contains("://"))
        || (in_marker && (joins(word) || joins(last)))
}

checked_text! {
    /// The name of an environment variable: `[A-Za-z_][A-Za-z0-9_]*`, the POSIX grammar in either case.
    EnvKey, "environment variable", check_env_key
}

checked_text! {
    /// A docker network by name: `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, the engine's own grammar. The host's network and
    /// another container's are off by design.
    NetworkName, "network", check_network
}

checked_text! {
    /// The file to start, relative to the source directory, as `a/b.py`: `./` and doubled slashes are gone.
    MainFile, "main file", check_main_file
}

checked_text! {
    /// The GPUs of a job: `all`, a count, or `device=0,1` with indices or UUIDs, as `docker run --gpus` takes them.
    Gpus, "gpus value", check_gpus
}

checked_text! {
    /// The source or target of a bind mount: absolute, resolved, not `/`. There is no carriage return in it,
    /// because docker's CSV reader turns a CR LF into a LF; any other character is carried exactly.
    MountPath, "mount path", check_mount_path
}

/// The value of an environment variable: any text without NUL. It may be a secret, so `Debug` hides it, and it can
/// be neither displayed nor serialized.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvValue(String);

impl EnvValue {
    /// Takes any text but one with a NUL, which no environment can carry.
    ///
    /// # Errors
    /// [`Invalid`], which does not show the value.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.contains('\0') {
            return Err(Invalid::new("environment value", "<secret>", "it contains a NUL"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The value itself, for the environment of the docker client and for nothing that is printed or kept.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl MainFile {
    /// The file as python's argument: a name that begins with `-` gets `./` in front, or it would be an option.
    #[must_use]
    pub fn argument(&self) -> String {
        if self.0.starts_with('-') { format!("./{}", self.0) } else { self.0.clone() }
    }
}

impl Gpus {
    /// The argument of `docker run --gpus`. docker reads it as CSV, so a list of devices is one quoted field; without
    /// the quotes `device=0,1` would ask for device 0 and a count of one.
    #[must_use]
    pub fn argument(&self) -> String {
        csv_field(&self.0)
    }
}

impl MountPath {
    /// Takes a path of the file system, which must be UTF-8 as well.
    ///
    /// # Errors
    /// [`Invalid`] says which rule was broken.
    pub fn from_path(path: &Path) -> Result<Self, Invalid> {
        let Some(text) = path.to_str() else {
            return Err(Invalid::new("mount path", &path.to_string_lossy(), "it is not UTF-8"));
        };
        Self::parse(text)
    }
}

/// The same as [`MountPath::parse`].
///
/// # Errors
/// [`Invalid`] says which rule was broken.
pub fn mount_path(text: &str) -> Result<MountPath, Invalid> {
    MountPath::parse(text)
}

/// One whole field, such as `source=/a,b`, of the CSV line that `docker run --mount` takes, quoted where it has to
/// be. docker reads the line with Go's `encoding/csv`, which carries everything in a quoted field but CR LF.
#[must_use]
pub fn csv_field(text: &str) -> String {
    let blank_edge = text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace);
    if blank_edge || text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn check_env_key(text: &str) -> Checked {
    only(text, |c| c.is_ascii_alphanumeric() || c == '_', "letters, digits and \"_\"")?;
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(no("it must not begin with a digit"));
    }
    Ok(text.to_owned())
}

fn check_network(text: &str) -> Checked {
    if text == "host" || text.starts_with("container:") || text.starts_with("ns:") {
        return Err(no("sharing the network of the host or of another container is off by design")
            .hint("use \"bridge\", \"none\" or a network of your own"));
    }
    only(text, |c| c.is_ascii_alphanumeric() || "_.-".contains(c), "letters, digits, \"_\", \".\" and \"-\"")?;
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(no("it must begin with a letter or a digit"));
    }
    at_most(text, 255)?;
    Ok(text.to_owned())
}

fn check_main_file(text: &str) -> Checked {
    no_control(text)?;
    at_most(text, 4095)?;
    if text.starts_with('/') {
        return Err(no("it must be relative to the source directory"));
    }
    if text.ends_with('/') || text.ends_with("/.") {
        return Err(no("it names a directory"));
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err(no("it leads out of the source directory with \"..\""));
    }
    if parts.is_empty() {
        return Err(no("it names no file"));
    }
    Ok(parts.join("/"))
}

fn check_gpus(text: &str) -> Checked {
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let is_device = |device: &str| {
        device.starts_with(|c: char| c.is_ascii_alphanumeric())
            && device.chars().all(|c| c.is_ascii_alphanumeric() || "-:/".contains(c))
    };
    let accepted = match text.strip_prefix("device=") {
        Some(devices) => devices.len() <= 1000 && devices.split(',').all(is_device),
        None => text == "all" || (text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|n| n > 0)),
    };
    if !accepted {
        return Err(no("it must be \"all\", a number from 1, or \"device=\" with indices or UUIDs and commas"));
    }
    Ok(text.strip_prefix("device=").map_or_else(|| text.trim_start_matches('0').to_owned(), |_| text.to_owned()))
}

fn check_mount_path(text: &str) -> Checked {
    if text.contains('\0') {
        return Err(no("it contains a NUL"));
    }
    if text.contains('\r') {
        return Err(no("docker cannot carry a carriage return in a path"));
    }
    at_most(text, 4095)?;
    if !text.starts_with('/') {
        return Err(no("it must be absolute"));
    }
    let mut parts = text.split('/').filter(|part| !part.is_empty()).peekable();
    if parts.peek().is_none() {
        return Err(no("the root directory cannot be mounted"));
    }
    if parts.any(|part| matches!(part, "." | "..")) {
        return Err(no("it must be resolved, without \".\" and \"..\""));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Grammar = (&'static str, fn(&str) -> Result<String, Invalid>);

    /// A valid value of each type that ends up where some program could read more into it.
    const STRICT: [Grammar; 11] = [
        ("python:3", |text| ImageRef::parse(text).map(String::from)),
        ("web:1", |text| ImageName::parse(text).map(String::from)),
        ("train", |text| JobName::parse(text).map(String::from)),
        ("0123456789ab", |text| JobId::parse(text).map(String::from)),
        ("gcc", |text| AptPackage::parse(text).map(String::from)),
        ("numpy", |text| PipRequirement::parse(text).map(String::from)),
        ("numpy", |text| PipRequirement::parse_allowing_urls(text).map(String::from)),
        ("HOME", |text| EnvKey::parse(text).map(String::from)),
        ("team", |text| LabelKey::parse(text).map(String::from)),
        ("bridge", |text| NetworkName::parse(text).map(String::from)),
        ("all", |text| Gpus::parse(text).map(String::from)),
    ];

    /// A valid value of each type that is carried as data.
    const CARRIED: [Grammar; 3] = [
        ("main.py", |text| MainFile::parse(text).map(String::from)),
        ("/data", |text| MountPath::parse(text).map(String::from)),
        ("secret", |text| EnvValue::parse(text).map(|value| value.as_str().to_owned())),
    ];

    const HOSTILE: [&str; 20] = [
        "\n",
        "\r",
        "\0",
        "\u{2028}",
        "\u{85}",
        "\u{b}",
        "\u{c}",
        "\\",
        "`",
        "$(x)",
        "${X}",
        "'",
        "\"",
        "<<EOF",
        "# syntax=",
        " -x",
        "\u{feff}",
        "\u{202e}",
        "\n--privileged",
        "\nRUN touch /pwned",
    ];

    #[test]
    fn hostile_text_is_refused_where_it_could_act() {
        for (valid, parse) in STRICT {
            assert_eq!(parse(valid).as_deref(), Ok(valid));
            for hostile in HOSTILE {
                for text in
                    [hostile.to_owned(), format!("{hostile}{valid}"), format!("{valid}{hostile}"), format!("-{valid}")]
                {
                    let refusal = parse(&text).expect_err(&text);
                    assert!(!refusal.to_string().contains(is_unprintable), "{refusal}");
                }
            }
        }
    }

    #[test]
    fn hostile_text_is_refused_or_carried_exactly_elsewhere() {
        for (valid, parse) in CARRIED {
            for hostile in HOSTILE {
                let text = format!("{valid}{hostile}");
                if let Ok(kept) = parse(&text) {
                    assert_eq!(kept, text);
                }
            }
        }
    }

    #[test]
    fn a_very_long_text_is_refused_or_carried_exactly_and_shown_in_part() {
        for (valid, parse) in STRICT.into_iter().chain(CARRIED) {
            let text = valid.chars().cycle().take(65536).collect::<String>();
            match parse(&text) {
                Ok(kept) => assert_eq!(kept, text),
                Err(refusal) => assert!(refusal.to_string().len() < 300, "{refusal}"),
            }
        }
    }

    #[test]
    fn a_refusal_reads_as_one_line() {
        let refusal = Invalid::new("apt package", "gzip-", "a trailing \"-\" would remove the package");
        assert_eq!(refusal.to_string(), "invalid apt package \"gzip-\": a trailing \"-\" would remove the package");
        assert_eq!(refusal.with_hint("leave it out").hint.as_deref(), Some("leave it out"));
    }

    #[test]
    fn a_shown_value_is_printable_and_short() {
        for (text, shown) in [
            ("plain é", "plain é"),
            ("a\n\t\r\0", r"a\n\t\r\u{0}"),
            ("\u{1b}[31m\u{7f}\u{9b}", r"\u{1b}[31m\u{7f}\u{9b}"),
            ("\u{202e}\u{2028}\u{feff}", r"\u{202e}\u{2028}\u{feff}"),
            ("'\"\\", "'\"\\"),
        ] {
            assert_eq!(escape_value(text), shown);
        }
        assert_eq!(escape_value(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(escape_value(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
    }

    #[test]
    fn the_credentials_of_a_url_are_masked() {
        for (text, masked) in [
            ("https://me:pw@h/x@y", "https://***@h/x@y"),
            ("a https://t@h b ssh://u:p@ss@h", "a https://***@h b ssh://***@h"),
            ("a@b", "a@b"),
            ("https://h/@x?y://z", "https://h/@x?y://z"),
        ] {
            assert_eq!(without_credentials(text), masked);
        }
    }

    #[test]
    fn values_are_checked_when_they_are_read_from_json() {
        let name: JobName = serde_json::from_str("\"web\"").expect("parses");
        assert_eq!(serde_json::to_string(&name).expect("serializes"), "\"web\"");
        let error = serde_json::from_str::<JobName>("\"../x\"").expect_err("no job name").to_string();
        assert!(error.starts_with("invalid job name \"../x\": \"/\" is not allowed in it"), "{error}");
    }

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
        let tag = |length: usize| ImageRef::parse(&format!("a:{}", "t".repeat(length))).is_ok();
        assert_eq!((tag(128), tag(129)), (true, false));
    }

    #[test]
    fn a_refusal_says_what_to_write() {
        for (text, error, hint) in [
            (
                "Python:3.12",
                "invalid image reference \"Python:3.12\": a repository name is in lower case",
                Some("write python"),
            ),
            (
                "https://ghcr.io/a/b",
                "invalid image reference \"https://ghcr.io/a/b\": it is a URL",
                Some("leave out \"https://\": ghcr.io/a/b"),
            ),
            ("-v", "invalid image reference \"-v\": it would be read as an option of docker", None),
            (
                "a\nb",
                r#"invalid image reference "a\nb": "\n" is not allowed in it"#,
                Some("use only letters, digits, \".\", \"_\", \"-\", \"/\", \":\" and \"@\""),
            ),
        ] {
            let refusal = ImageRef::parse(text).expect_err(text);
            assert_eq!((refusal.to_string().as_str(), refusal.hint.as_deref()), (error, hint));
        }
    }

    #[test]
    fn a_job_name_is_short_and_plain() {
        for text in ["a", "0", "train.v2_final-3", "latest-model", "0123456789ab", &"a".repeat(63)] {
            assert_eq!(JobName::parse(text).expect(text).as_str(), text);
        }
        for text in ["", "latest", "-a", ".", "..", "_a", "A", "a b", "a/b", "../x", "a\n", "é", &"a".repeat(64)] {
            assert!(JobName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_id_has_twelve_digits_of_its_alphabet() {
        assert_eq!(JobId::from_bytes([0, 31, 32, 255, 18, 17, 20, 21, 26, 27, 1, 9]).as_str(), "0z0zjhmntv19");
        for text in ["", "0z0zjhmntv1", "0z0zjhmntv199", "0z0zjhmntv1i", "0Z0ZJHMNTV19", "../../../etc", "éééééé"]
        {
            assert!(JobId::parse(text).is_err(), "{text:?}");
        }
        for (text, is_prefix) in [
            ("0", true),
            ("0z0zjhmntv19", true),
            ("", false),
            ("0z0zjhmntv190", false),
            ("u", false),
            ("/", false),
            ("é", false),
        ] {
            assert_eq!(JobId::is_prefix(text), is_prefix, "{text:?}");
        }
    }

    #[test]
    fn a_label_is_a_key_and_a_value() {
        for (text, key, value) in [
            ("team=ml", "team", "ml"),
            ("a.b-c=", "a.b-c", ""),
            ("x=a=b c", "x", "a=b c"),
            ("x= é\u{202e}", "x", " é\u{202e}"),
        ] {
            let label = Label::parse(text).expect(text);
            assert_eq!((label.key.as_str(), label.value.as_str()), (key, value));
            assert_eq!(label.to_string(), text);
        }
        for text in [
            "",
            "team",
            "=x",
            "Team=x",
            "-a=x",
            "a.=x",
            "a_b=x",
            "a b=x",
            "longshore.job=x",
            "a=x\n",
            "a=\u{1b}[m",
            "a=\u{85}",
            "--privileged=x",
            "é=x",
        ] {
            assert!(Label::parse(text).is_err(), "{text:?}");
        }
        assert!(Label::parse(&format!("a={}", "x".repeat(4096))).is_ok());
        assert!(Label::parse(&format!("a={}", "x".repeat(4097))).is_err());
        assert!(LabelKey::parse("longshore").is_ok());
    }

    #[test]
    fn a_label_travels_through_json_as_text() {
        let label: Label = serde_json::from_str("\"team=ml\"").expect("parses");
        assert_eq!(serde_json::to_string(&label).expect("serializes"), "\"team=ml\"");
        assert!(serde_json::from_str::<Label>("\"longshore.job=x\"").is_err());
    }

    #[test]
    fn names_architectures_and_versions_are_accepted() {
        for text in [
            "gcc",
            "g++",
            "libc6:i386=2.36-9",
            "python3.12",
            "7zip",
            "git=1:2.39.5-0+deb12u2",
            "a+",
            "xz=1.0~rc1",
            "libc6:any",
        ] {
            assert_eq!(AptPackage::parse(text).expect(text).as_str(), text);
        }
    }

    #[test]
    fn what_apt_would_read_otherwise_is_refused_with_the_reason() {
        for (text, why) in [
            ("gzip-", "a trailing \"-\" would remove the package"),
            ("gzip:amd64-", "a trailing \"-\" would remove the package"),
            ("gzip=1.12-", "a trailing \"-\" would remove the package"),
            ("^b", "\"^\" would make it a pattern or a task"),
            ("lamp-server^", "\"^\" would make it a pattern or a task"),
            ("?x", "\"?\" would make it a pattern or a task"),
            ("~i", "\"~\" would make it a pattern or a task"),
            ("lib*", "\"*\" would make it a pattern or a task"),
            ("a/b", "a release after \"/\" is not accepted"),
            ("./x.deb", "it would be read as the path of a file"),
            ("/x", "it would be read as the path of a file"),
            ("x.deb", "it would be read as the path of a file"),
            ("-oAPT::Update::Pre-Invoke::=id", "it would be read as an option of apt-get"),
            ("--", "it would be read as an option of apt-get"),
            ("", "it is empty"),
            ("g", "a package name has two characters or more and begins with a letter or a digit"),
            ("+g", "a package name has two characters or more and begins with a letter or a digit"),
            ("Git", "\"G\" is not allowed in it"),
            ("git curl", "a blank is not allowed in it"),
            ("git,curl", "\",\" is not allowed in it"),
            ("git;id", "\";\" is not allowed in it"),
            ("git\n", "\"\\n\" is not allowed in it"),
            ("gcc:", "what follows \":\" is no architecture, such as i386"),
            ("gcc:I386", "what follows \":\" is no architecture, such as i386"),
            ("gcc=", "what follows \"=\" is no version, such as 1:2.36-9"),
            ("gcc=1 0", "what follows \"=\" is no version, such as 1:2.36-9"),
            ("gcc=$(id)", "\"$\" would make it a pattern or a task"),
        ] {
            assert_eq!(AptPackage::parse(text).expect_err(text).why, why, "{text:?}");
        }
    }

    #[test]
    fn a_list_is_cut_at_blanks_and_sorted_on_request() {
        let list = AptPackage::parse_list(" git\tg++\n\ncurl  git\r\n").expect("a valid list");
        assert_eq!(list.iter().map(AptPackage::as_str).collect::<Vec<_>>(), ["git", "g++", "curl", "git"]);
        assert_eq!(sorted(list).iter().map(AptPackage::as_str).collect::<Vec<_>>(), ["curl", "g++", "git"]);
        assert_eq!(AptPackage::parse_list(" \n"), Ok(vec![]));
        assert_eq!(AptPackage::parse_list("git -y curl").expect_err("an option").value, "-y");
    }

    fn list(text: &str) -> Vec<String> {
        let requirements = PipRequirement::parse_list(text).expect(text);
        requirements.into_iter().map(String::from).collect()
    }

    #[test]
    fn requirements_of_pep_508_are_accepted() {
        for text in [
            "numpy",
            "numpy<2",
            "numpy >= 1.26, != 2.0.*",
            "requests[security,socks] (>=2.31)",
            "torch==2.1.0+cu118",
            "zope.interface~=6.0",
            "a; python_version < \"3.12\" and (os_name == 'posix' or extra == 'x')",
        ] {
            assert_eq!(PipRequirement::parse(&format!(" {text}\t")).expect(text).as_str(), text);
        }
    }

    #[test]
    fn what_pip_would_read_otherwise_is_refused_with_the_reason() {
        const OPTION: &str = "a word that begins with \"-\" would be read as an option of pip";
        const FILE: &str = "it would be read as the path of a file";
        for (text, why) in [
            ("-r other.txt", OPTION),
            ("--index-url=https://x", OPTION),
            ("-e .", OPTION),
            ("numpy --hash=sha256:0", OPTION),
            ("a; os_name == \" --index-url http://x \"", OPTION),
            ("numpy==${TOK}", "\"$\" is not allowed: pip would put a variable's value there"),
            ("numpy \\", "\"\\\" would join it to the next line"),
            ("# numpy", "what follows \"#\" would be read as a comment"),
            ("numpy # x", "what follows \"#\" would be read as a comment"),
            ("numpy\npandas", "\"\\n\" is not allowed in it"),
            ("numpy\u{2028}", "\"\\u{2028}\" is not allowed in it"),
            ("numpÿ", "\"ÿ\" is not allowed in it"),
            ("", "it is empty"),
            ("./wheel", FILE),
            ("/wheel", FILE),
            ("x-1.0-py3-none-any.whl", FILE),
            ("src.ZIP", FILE),
            ("src.tar.gz[x] ; os_name == 'nt'", FILE),
            ("numpy,pandas", "there is a comma in it"),
            ("https://example.org/x.whl", "it is a URL without a name"),
            ("git+https://example.org/x", "it is a URL without a name"),
            ("x @ https://example.org/x.whl", "a URL is not accepted here"),
            ("x@git+https://example.org/x", "a URL is not accepted here"),
        ] {
            assert_eq!(PipRequirement::parse(text).expect_err(text).why, why, "{text:?}");
        }
        for text in [
            "numpy pandas",
            "numpy<",
            "numpy=1",
            "numpy==1.x",
            "-",
            "a;",
            "a; x == 1",
            "a-<1",
            "a [x-]",
            "a; '1'~= platform_release",
            "a[",
            "`id`",
            "$(id)",
            "a&&b",
            "<<EOF",
        ] {
            assert!(PipRequirement::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_url_is_accepted_where_it_was_asked_for() {
        for text in [
            "x @ https://example.org/x-1.0.zip",
            "x@git+https://example.org/x@v1#subdirectory=y",
            "x @ git+ssh://git@example.org/x",
            "x[y] @ https://example.org/x.whl ; os_name == 'posix'",
            "numpy<2",
        ] {
            assert_eq!(PipRequirement::parse_allowing_urls(text).expect(text).as_str(), text);
        }
        for text in [
            "x @ file:///etc/passwd",
            "x @ ./x",
            "x @ ftp://example.org/x",
            "https://example.org/x",
            "x @ https://example.org/${T}",
        ] {
            assert!(PipRequirement::parse_allowing_urls(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_shown() {
        for text in [
            "x @ https://me:hunter2@example.org/x",
            "x @ https://hunter2@example.org/x",
            "x @ git+ssh://me:hunter2@example.org/x",
            "x @ git+https://hunter2@example.org/x@v1",
            "git+https://hunter2@example.org/x",
            "x @ https://me:hunter2@example.org:x/",
        ] {
            for refusal in [PipRequirement::parse(text), PipRequirement::parse_allowing_urls(text)] {
                let shown = format!("{:?}", refusal.expect_err(text));
                assert!(!shown.contains("hunter2"), "{shown}");
            }
        }
    }

    #[test]
    fn a_list_is_cut_where_a_requirement_ends() {
        for (text, entries) in [
            ("", &[][..]),
            ("numpy pandas", &["numpy", "pandas"]),
            (
                "numpy<2 pandas >= 2 requests[security]; python_version<\"3.12\"",
                &["numpy<2", "pandas >= 2", "requests[security]; python_version<\"3.12\""],
            ),
            ("numpy >= 1 , < 2 pandas", &["numpy >= 1 , < 2", "pandas"]),
            ("a [x, y] (>= 1, < 2) b", &["a [x, y] (>= 1, < 2)", "b"]),
            (
                "a ; python_version < \"3\" and 'linux' in sys_platform b; os_name not in 'a b' c",
                &["a ; python_version < \"3\" and 'linux' in sys_platform", "b; os_name not in 'a b'", "c"],
            ),
            (
                "a; (os_name == 'x' or os_name == 'y') or os_name=='z' b",
                &["a; (os_name == 'x' or os_name == 'y') or os_name=='z'", "b"],
            ),
            ("in and or", &["in", "and", "or"]),
            ("a\t==  1\r\nb\n\n c", &["a == 1", "b", "c"]),
        ] {
            assert_eq!(list(text), entries, "{text:?}");
        }
        for text in ["numpy, pandas", "a >=\nb", "a -r b", "a[x b", "a; os_name == 'x b", "a @ https://example.org/ b"]
        {
            assert!(PipRequirement::parse_list(text).is_err(), "{text:?}");
        }
        let urls = PipRequirement::parse_list_allowing_urls("x @ https://example.org/?a= y<2").expect("a valid list");
        assert_eq!(urls.iter().map(PipRequirement::as_str).collect::<Vec<_>>(), ["x @ https://example.org/?a=", "y<2"]);
    }

    #[test]
    fn nested_parentheses_do_not_exhaust_the_stack() {
        for depth in [480, 20_000] {
            let text = format!("a; {}os_name == 'x'{}", "(".repeat(depth), ")".repeat(depth));
            assert_eq!(PipRequirement::parse(&text).is_ok(), depth == 480);
            drop(PipRequirement::parse(&format!("a; {}", "(".repeat(depth))));
        }
    }

    /// A requirement without blanks.
    fn requirement() -> impl Strategy<Value = String> {
        let version = prop_oneof![Just(String::new()), "(<|<=|>|>=|==|!=|~=)[1-9]\\.[0-9]", ">=[0-9],<[1-9]0"];
        let marker = prop_oneof![Just(""), Just(";os_name=='posix'"), Just(";python_version<\"3.12\"")];
        ("[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,4})?", prop_oneof![Just(""), Just("[x]"), Just("[x,y]")], version, marker)
            .prop_map(|(name, extras, version, marker)| format!("{name}{extras}{version}{marker}"))
            .prop_filter("a word of markers", |text| !matches!(text.as_str(), "and" | "or" | "in" | "not"))
    }

    #[test]
    fn a_variable_is_named_as_in_a_shell() {
        for text in ["A", "_", "http_proxy", "A1"] {
            assert_eq!(EnvKey::parse(text).expect(text).as_str(), text);
        }
        for text in ["", "1A", "A-B", "A=B", "A B", "A\n", "-e", "É", "$A"] {
            assert!(EnvKey::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_value_is_never_shown() {
        let value = EnvValue::parse("hunter2\n\u{1b}").expect("a valid value");
        assert_eq!(value.as_str(), "hunter2\n\u{1b}");
        assert_eq!(format!("{value:?}"), "<secret>");
        let refusal = EnvValue::parse("hunter2\0").expect_err("a NUL");
        assert_eq!(refusal.to_string(), "invalid environment value \"<secret>\": it contains a NUL");
    }

    #[test]
    fn a_network_is_one_of_docker_but_not_the_host_s() {
        for text in ["bridge", "none", "my_net.1-a", "Net"] {
            assert_eq!(NetworkName::parse(text).expect(text).as_str(), text);
        }
        for text in ["host", "container:web", "ns:/proc/1/ns/net"] {
            assert!(NetworkName::parse(text).expect_err(text).why.ends_with("is off by design"));
        }
        for text in ["", "-x", ".x", "a b", "a/b", "name=host", "a,b", "a\n", "é"] {
            assert!(NetworkName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_main_file_lies_in_the_source_directory() {
        for (text, kept, argument) in [
            ("main.py", "main.py", "main.py"),
            ("./a//b.py", "a/b.py", "a/b.py"),
            ("a/./b c.py", "a/b c.py", "a/b c.py"),
            ("-c", "-c", "./-c"),
            ("./-m", "-m", "./-m"),
            ("..a/b..", "..a/b..", "..a/b.."),
            ("$(x)`'\"\\.py", "$(x)`'\"\\.py", "$(x)`'\"\\.py"),
            ("é\u{2028}.py", "é\u{2028}.py", "é\u{2028}.py"),
        ] {
            let file = MainFile::parse(text).expect(text);
            assert_eq!((file.as_str(), file.argument().as_str()), (kept, argument));
        }
        for text in
            ["", ".", "./", "..", "/a.py", "../a.py", "a/../b.py", "a/..", "a/", "a/.", "a\n.py", "a\0", "a\u{85}"]
        {
            assert!(MainFile::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn gpus_are_all_a_count_or_devices() {
        for (text, kept, argument) in [
            ("all", "all", "all"),
            ("2", "2", "2"),
            ("02", "2", "2"),
            ("device=0", "device=0", "device=0"),
            ("device=0,1", "device=0,1", "\"device=0,1\""),
            ("\"device=0,1\"", "device=0,1", "\"device=0,1\""),
            ("device=GPU-3a23c669-1f69", "device=GPU-3a23c669-1f69", "device=GPU-3a23c669-1f69"),
            ("device=0:1", "device=0:1", "device=0:1"),
        ] {
            let gpus = Gpus::parse(text).expect(text);
            assert_eq!((gpus.as_str(), gpus.argument().as_str()), (kept, argument));
        }
        for text in [
            "",
            "0",
            "-1",
            "+1",
            "65536",
            "ALL",
            "all,capabilities=utility",
            "device=",
            "device=,",
            "device=0,",
            "device=-1",
            "device=0 1",
            "device=\"0\"",
            "\"all",
            "count=1",
            "driver=x",
            "all\n",
        ] {
            assert!(Gpus::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_mount_path_is_absolute_and_resolved() {
        for text in ["/a", "/a b/c:d,e\"f", "/a\nb ", "/a/", "/..a", "/é\u{202e}"] {
            assert_eq!(mount_path(text).expect(text).as_str(), text);
        }
        for text in [
            "",
            "a",
            "./a",
            "/",
            "//",
            "/.",
            "/a/..",
            "/a/./b",
            "/a\r",
            "/a\r\nb",
            "/a\0",
            &format!("/{}", "a".repeat(4095)),
        ] {
            assert!(mount_path(text).is_err(), "{text:?}");
        }
        assert!(MountPath::from_path(Path::new("/data")).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf_8_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        let refusal = MountPath::from_path(Path::new(std::ffi::OsStr::from_bytes(b"/a\xff"))).expect_err("not UTF-8");
        assert_eq!(refusal.to_string(), "invalid mount path \"/a\u{fffd}\": it is not UTF-8");
    }

    /// One record of Go's `encoding/csv`, as docker reads it: fields part at commas, a field that begins with a quote goes
    /// to the next single quote, a doubled one is a quote, and a CR before a LF is dropped.
    fn csv_record(line: &str) -> Vec<String> {
        let line = line.replace("\r\n", "\n");
        let mut fields = vec![];
        let mut rest = line.as_str();
        loop {
            let mut field = String::new();
            if let Some(mut quoted) = rest.strip_prefix('"') {
                loop {
                    let (text, after) = quoted.split_once('"').expect("a closing quote");
                    field.push_str(text);
                    let Some(more) = after.strip_prefix('"') else {
                        rest = after;
                        break;
                    };
                    field.push('"');
                    quoted = more;
                }
            } else {
                let end = rest.find(',').unwrap_or(rest.len());
                field.push_str(&rest[..end]);
                assert!(!field.contains(['"', '\n']), "a bare quote or line end in {line:?}");
                rest = &rest[end..];
            }
            fields.push(field);
            match rest.strip_prefix(',') {
                Some(after) => rest = after,
                None => return fields,
            }
        }
    }

    #[test]
    fn a_field_is_quoted_only_where_it_has_to_be() {
        for (text, field) in [
            ("source=/a b", "source=/a b"),
            ("source=/a,b", "\"source=/a,b\""),
            ("source=/\"", "\"source=/\"\"\""),
            ("target=/a ", "\"target=/a \""),
            ("", ""),
        ] {
            assert_eq!(csv_field(text), field);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic_and_what_is_accepted_is_plain(text in "(?s).{0,24}|[a-zA-Z0-9@:/._+=~-]{0,24}") {
            for (_, parse) in STRICT {
                match parse(&text) {
                    Ok(kept) => {
                        prop_assert!(!kept.starts_with('-') && kept.chars().all(|c| matches!(c, ' '..='~')), "{kept:?}");
                        prop_assert_eq!(parse(&kept), Ok(kept));
                    }
                    Err(refusal) => prop_assert!(!refusal.to_string().contains(is_unprintable)),
                }
            }
            for (_, parse) in CARRIED {
                if let Ok(kept) = parse(&text) {
                    prop_assert!(!kept.contains('\0'));
                    prop_assert_eq!(parse(&kept), Ok(kept));
                }
            }
        }

        #[test]
        fn a_value_can_be_shown_whatever_it_is(text in "(?s).{0,120}") {
            let shown = escape_value(&text);
            prop_assert!(!shown.contains(is_unprintable));
            prop_assert!(shown.chars().count() <= 81);
        }

        #[test]
        fn every_twelve_bytes_make_an_id(bytes: [u8; 12], length in 1_usize..=12) {
            let id = JobId::from_bytes(bytes);
            prop_assert!(JobId::is_prefix(&id.as_str()[..length]));
            prop_assert_eq!(JobId::parse(id.as_str()), Ok(id));
        }

        #[test]
        fn a_label_is_refused_or_carried_exactly(text in "(?s).{0,20}|[a-z.-]{1,9}=.{0,20}") {
            if let Ok(label) = Label::parse(&text) {
                prop_assert_eq!(label.to_string(), text);
                prop_assert!(!label.value.contains(char::is_control));
            }
        }

        #[test]
        fn what_is_accepted_stays_one_harmless_word(text in "(?s).{0,12}|[a-z0-9+.:=~/^-]{0,12}") {
            if let Ok(package) = AptPackage::parse(&text) {
                prop_assert_eq!(package.as_str(), &text);
                prop_assert!(text.starts_with(|c: char| c.is_ascii_alphanumeric()) && !text.ends_with('-'));
                prop_assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "+.:=~-".contains(c)));
            }
        }

        #[test]
        fn a_list_comes_back_as_its_entries(entries in prop::collection::vec((requirement(), "[ \t\n]{1,3}"), 0..6)) {
            let text: Vec<_> = entries.iter().flat_map(|(entry, blank)| [entry.as_str(), blank]).collect();
            let entries: Vec<_> = entries.iter().map(|(entry, _)| entry.clone()).collect();
            prop_assert_eq!(list(&text.concat()), entries);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(?s).{0,30}|[ -~]{0,40}|a[ -~]{0,40}|a ?; ?[a-z_]{0,8}[ <>=!'\"()a-z0-9.]{0,30}") {
            drop((PipRequirement::parse(&text), PipRequirement::parse_allowing_urls(&text)));
            drop((PipRequirement::parse_list(&text), PipRequirement::parse_list_allowing_urls(&text)));
        }

        #[test]
        fn what_is_accepted_is_one_line_without_options(text in "(?s).{0,12}|[a-z0-9<>=!~;@\\[\\](),.# \n\t\\\\$-]{0,16}") {
            if let Ok(requirement) = PipRequirement::parse(&text) {
                let kept = requirement.as_str();
                prop_assert!(kept.starts_with(|c: char| c.is_ascii_alphanumeric()));
                prop_assert!(!kept.contains(['\n', '\r', '\t', '\0', '\\', '$']) && !kept.contains(" -"));
                prop_assert_eq!(list(kept), [kept]);
            }
        }

        #[test]
        fn a_mount_path_comes_back_from_docker_s_reader(texts in prop::collection::vec("/[a:;,\" \n'\\\\é]{1,12}|(?s)/.{1,12}", 2..4)) {
            let paths: Vec<_> = texts.iter().filter_map(|text| mount_path(text).ok()).collect();
            let fields: Vec<_> = paths.iter().map(|path| format!("source={path}")).collect();
            let line: Vec<_> = fields.iter().map(|field| csv_field(field)).collect();
            prop_assume!(!fields.is_empty());
            prop_assert_eq!(csv_record(&line.join(",")), fields);
        }

        #[test]
        fn a_main_file_never_leaves_its_directory(text in "(?s).{0,16}|[a./-]{0,12}") {
            if let Ok(file) = MainFile::parse(&text) {
                prop_assert!(!file.argument().starts_with(['-', '/']));
                prop_assert!(file.as_str().split('/').all(|part| !matches!(part, "" | "." | "..")));
                prop_assert_eq!(MainFile::parse(file.as_str()), Ok(file));
            }
        }
    }
}
