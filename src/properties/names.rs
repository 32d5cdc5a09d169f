//! The checked types for names and values, and the readers of durations, sizes and times.

use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use super::{go_csv, grammar, is_plain_message};
use crate::invalid;
use crate::names::{
    AptPackage, Argument, Commands, Constraint, Cpus, EnvKey, EnvValue, GenericResource, Gpus, HttpUrl, ImageName,
    ImageRef, Invalid, JobId, JobName, Label, LabelKey, LogDriver, MainFile, Mount, MountPath, NetworkName, Origin,
    Packages, PipRequirement, Publish, Signal, Tail, UserSpec, Variable, Volume, csv_field, csv_fields, nearest,
};
use crate::units;

/// Every property of this file.
pub fn all(text: &str) {
    images(text);
    jobs(text);
    apt(text);
    pip(text);
    variables(text);
    addresses(text);
    nodes(text);
    paths(text);
    mounts(text);
    words(text);
    durations(text);
    sizes(text);
    times(text);
    messages(text);
}

/// What was accepted, as it is shown. Reading that gives the same value. A refusal can be printed.
fn accepted<T: FromStr<Err = Invalid> + Display + PartialEq + Debug>(text: &str) -> Option<String> {
    match text.parse::<T>() {
        Ok(value) => {
            let shown = value.to_string();
            assert_eq!(shown.parse::<T>(), Ok(value));
            Some(shown)
        }
        Err(refusal) => {
            is_plain_message(&format!("{refusal:#}"));
            None
        }
    }
}

/// Accepted are exactly the texts of a grammar, and they are not changed.
fn exactly<T: FromStr<Err = Invalid> + Display + PartialEq + Debug>(text: &str, fits: bool) {
    assert_eq!(accepted::<T>(text).as_deref(), fits.then_some(text), "{text:?}");
}

/// The repository, the tag and the digest, as `distribution/reference` reads them. `None` if docker refuses the text.
fn docker_reads(text: &str) -> Option<(String, Option<String>, Option<String>)> {
    let id = grammar!("^[a-f0-9]{64}$");
    let reference = grammar!(concat!(
        r"^((?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])",
        r"(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?)",
        r"/([a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)",
        r"(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?",
        r"(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$",
    ));
    let lengths = grammar!("^(sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})$");
    if id.is_match(text) {
        return None;
    }
    let is_host = |first: &str| first.contains(['.', ':']) || first == "localhost" || first.to_lowercase() != first;
    let (host, path) = text.split_once('/').filter(|(first, _)| is_host(first)).unwrap_or(("docker.io", text));
    let host = if host == "index.docker.io" { "docker.io" } else { host };
    let official = host == "docker.io" && !path.contains('/');
    let whole = format!("{host}/{}{path}", if official { "library/" } else { "" });
    let found = reference.captures(&whole)?;
    let part = |at| found.get(at).map(|part: regex::Match| part.as_str().to_owned());
    let (repository, tag, digest) = (format!("{host}/{}", &found[2]), part(3), part(4));
    let fits = repository.len() <= 255 && digest.as_ref().is_none_or(|digest| lengths.is_match(digest));
    fits.then_some((repository, tag, digest))
}

/// References and names are those of docker, except the empty image, and names that docker would read otherwise.
pub fn images(text: &str) {
    let id = grammar!("^(sha256:)?[0-9a-f]{64}$");
    let is_id = id.is_match(text);
    let read = docker_reads(text);
    let is_empty_image = read.as_ref().is_some_and(|(name, ..)| name == "docker.io/library/scratch");
    exactly::<ImageRef>(text, is_id || (read.is_some() && !is_empty_image));
    let is_name = read.as_ref().is_some_and(|(name, _, digest)| {
        let bare = text.rsplit_once(':').map_or(text, |(bare, _)| bare);
        digest.is_none() && name != "docker.io/library/sha256" && !id.is_match(bare)
    });
    exactly::<ImageName>(text, is_name && !is_id && !is_empty_image);
    if let Ok(reference) = ImageRef::parse(text) {
        let shown = reference.name_and_tag();
        assert_eq!(reference.is_id(), is_id);
        let with_tag = |(name, tag, digest): (String, Option<String>, Option<String>)| {
            (name, tag.or_else(|| digest.is_none().then(|| "latest".to_owned())), digest)
        };
        if is_id {
            assert_eq!(shown, text);
        } else {
            assert_eq!(docker_reads(&shown), read.map(with_tag), "{text} is shown as {shown}");
        }
    }
}

/// Names, ids and labels of jobs.
pub fn jobs(text: &str) {
    exactly::<JobName>(text, text != "latest" && grammar!("^[a-z0-9][a-z0-9._-]{0,62}$").is_match(text));
    exactly::<JobId>(text, grammar!("^[0-9a-hjkmnp-tv-z]{12}$").is_match(text));
    assert_eq!(JobId::is_prefix(text), grammar!("^[0-9a-hjkmnp-tv-z]{1,12}$").is_match(text));
    let is_key = |key: &str| {
        grammar!("^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$").is_match(key) && !key.starts_with("longshore.") && key.len() <= 255
    };
    exactly::<LabelKey>(text, is_key(text));
    let is_label = text
        .split_once('=')
        .is_some_and(|(key, value)| is_key(key) && value.len() <= 4096 && !value.contains(char::is_control));
    assert_eq!(Label::parse(text).ok().map(|label| label.to_string()).as_deref(), is_label.then_some(text));
    assert_eq!(accepted::<Label>(text).is_some(), is_label);
}

/// A package is one word that apt installs; a list is its words.
pub fn apt(text: &str) {
    let package = grammar!("^[a-z0-9][a-z0-9+.-]+(:[a-z0-9][a-z0-9-]*)?(=[A-Za-z0-9][A-Za-z0-9.+:~-]*)?$");
    let is_package = |word: &str| package.is_match(word) && !grammar!(r"-$|\.deb$").is_match(word);
    exactly::<AptPackage>(text, is_package(text));
    let words: Vec<&str> = text.split([' ', '\t', '\n', '\r', '\u{c}']).filter(|word| !word.is_empty()).collect();
    match AptPackage::parse_list(text) {
        Ok(list) => assert_eq!(list.iter().map(AptPackage::as_str).collect::<Vec<_>>(), words),
        Err(_) => assert!(!words.into_iter().all(is_package), "{text:?}"),
    }
    accepted::<Packages<AptPackage>>(text);
}

/// A requirement is one line that pip reads as a name, extras, versions and a marker.
pub fn pip(text: &str) {
    let requirement = grammar!(concat!(
        r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])? *",
        r"(\[ *([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?( *, *[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)*)? *\])? *",
        r"((===?|~=|!=|<=|>=|<|>) *[A-Za-z0-9.!+*_-]+( *, *(===?|~=|!=|<=|>=|<|>) *[A-Za-z0-9.!+*_-]+)*",
        r"|\( *(===?|~=|!=|<=|>=|<|>) *[A-Za-z0-9.!+*_-]+( *, *(===?|~=|!=|<=|>=|<|>) *[A-Za-z0-9.!+*_-]+)* *\))?",
        r" *(;[ -~]+)?$",
    ));
    if let Some(kept) = accepted::<PipRequirement>(text) {
        assert_eq!(kept, text.trim_matches([' ', '\t']));
        assert!(requirement.is_match(&kept), "{kept:?}");
        assert!(kept.split(' ').all(|word| !word.starts_with(['-', '#'])), "{kept:?}");
        assert!(kept.len() <= 1000 && !kept.contains(['\\', '$']), "{kept:?}");
        let list = PipRequirement::parse_list(text).unwrap_or_default();
        // Blanks between two words of a list become one.
        let squeezed = |text: &str| text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        assert_eq!(list.iter().map(|one| squeezed(one.as_str())).collect::<Vec<_>>(), [squeezed(&kept)]);
    }
    if accepted::<Packages<PipRequirement>>(text).is_some() {
        let list = PipRequirement::parse_list(text).unwrap_or_default();
        let letters = |text: &str| text.chars().filter(|c| !c.is_ascii_whitespace()).collect::<String>();
        let kept: String = list.iter().map(|one| letters(one.as_str())).collect();
        assert_eq!(kept, letters(text), "a list loses nothing");
    }
}

/// Variables and everything else that is carried as it is.
pub fn variables(text: &str) {
    let key = grammar!("^[A-Za-z_][A-Za-z0-9_]*$");
    exactly::<EnvKey>(text, key.is_match(text));
    exactly::<Argument>(text, !text.contains('\0'));
    exactly::<Commands>(text, !text.contains('\0'));
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let fits = key.is_match(name) && value.is_none_or(|value| !value.contains('\0'));
    match Variable::parse(text) {
        Ok(variable) => {
            assert!(fits);
            assert_eq!((variable.key.as_str(), variable.value.as_ref().map(EnvValue::as_str)), (name, value));
        }
        Err(refusal) => {
            assert!(!fits);
            is_plain_message(&format!("{refusal:#}"));
        }
    }
}

/// Addresses, networks and devices.
pub fn addresses(text: &str) {
    let url = grammar!("^https?://[A-Za-z0-9][A-Za-z0-9.-]*(?::([0-9]+))?(?:/[A-Za-z0-9/._~%+,=:@-]*)?$");
    let port = |port: regex::Match| {
        port.as_str().trim_start_matches('0').len() < 6 && port.as_str().parse::<u64>().is_ok_and(|port| port < 65536)
    };
    exactly::<HttpUrl>(text, url.captures(text).is_some_and(|found| found.get(1).is_none_or(port)));
    let network = grammar!("^[a-zA-Z0-9][a-zA-Z0-9_.-]*$").is_match(text);
    exactly::<NetworkName>(text, network && text != "host" && text.len() <= 255);
    if let Some(kept) = accepted::<Gpus>(text) {
        let devices =
            grammar!("^(all|[1-9][0-9]{0,4}|device=[A-Za-z0-9][A-Za-z0-9:/-]*(,[A-Za-z0-9][A-Za-z0-9:/-]*)*)$");
        assert!(devices.is_match(&kept), "{kept:?}");
        let argument = Gpus::parse(text).map(|gpus| gpus.argument()).unwrap_or_default();
        assert_eq!(go_csv(&argument), Some(vec![kept]), "one field, or docker asks for something else");
    }
}

/// What a run asks of the nodes of a swarm.
pub fn nodes(text: &str) {
    if let Some(kept) = accepted::<Constraint>(text) {
        let constraint = grammar!(
            "^((?i:node\\.(id|hostname|ip|role|platform\\.os|platform\\.arch))|(node|engine)\\.labels\\.[A-Za-z0-9_.-]+)(==|!=)[A-Za-z0-9 :_.*()?+|/\\[\\]\\\\^$-]+$"
        );
        assert!(constraint.is_match(&kept), "{kept:?}");
    }
    if let Some(kept) = accepted::<GenericResource>(text) {
        assert!(grammar!("^[A-Za-z0-9_.-]{1,255}=[1-9][0-9]*$").is_match(&kept), "{kept:?}");
    }
}

/// Paths of mounts and of the main file, and the CSV in which docker gets the former.
pub fn paths(text: &str) {
    let parts = || text.split('/').filter(|part| !part.is_empty());
    let fits = text.starts_with('/')
        && text.len() <= 4095
        && !text.contains(['\0', '\r'])
        && parts().next().is_some()
        && parts().all(|part| part != "." && part != "..");
    exactly::<MountPath>(text, fits);
    if fits {
        let field = format!("source={text}");
        let line = format!("type=bind,{},target=/app", csv_field(&field));
        assert_eq!(go_csv(&line), Some(vec!["type=bind".into(), field, "target=/app".into()]));
    }
    if let Some(kept) = accepted::<MainFile>(text) {
        assert!(kept.split('/').all(|part| !matches!(part, "" | "." | "..")), "{kept:?}");
        assert!(!kept.contains(char::is_control), "{kept:?}");
        let argument = MainFile::parse(text).map(|file| file.argument()).unwrap_or_default();
        assert!(!argument.starts_with(['-', '/']) && argument.ends_with(&kept), "{argument:?}");
    }
}

/// A mount is read by docker as it is read here: the same fields, of which no path or name is another field. A port has
/// only characters that cannot be anything else.
pub fn mounts(text: &str) {
    let volume = accepted::<Volume>(text).and_then(|_| Volume::parse(text).ok()).map(|volume| volume.0);
    let mount = accepted::<Mount>(text).and_then(|_| Mount::parse(text).ok());
    for mount in volume.into_iter().chain(mount) {
        let line = mount.to_string();
        let fields = go_csv(&line).expect("docker can read it");
        assert_eq!(csv_fields(&line).as_ref(), Some(&fields));
        let source = match &mount.origin {
            Origin::Path(path) => Some(path.clone()),
            Origin::Volume { name, .. } => name.as_ref().map(ToString::to_string),
            Origin::Tmpfs { .. } => None,
        };
        let found = |key: &str| fields.iter().filter_map(|field| field.strip_prefix(key)).collect::<Vec<_>>();
        assert_eq!(found("source="), source.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(found("target="), [mount.target.as_str()]);
        assert!(["bind", "volume", "tmpfs"].contains(&found("type=")[0]));
        let known =
            grammar!("(?s)^(type|source|target)=.+$|^(readonly|volume-nocopy|tmpfs-size=[0-9]+|tmpfs-mode=[0-7]+)$");
        assert!(fields.iter().all(|field| known.is_match(field)), "{fields:?}");
    }
    if let Some(kept) = accepted::<Publish>(text) {
        assert!(
            grammar!(r"^(([0-9.]+|\[[0-9a-f:.]+\]):)?([0-9-]*:)?[0-9-]+(/udp|/sctp)?$").is_match(&kept),
            "{kept:?}"
        );
    }
}

/// Signals, users, tails, processors and log drivers: each is one of few words or a number.
pub fn words(text: &str) {
    if let Some(name) = accepted::<Signal>(text) {
        let number = Signal::parse(text).map_or(0, Signal::number);
        assert!((1..=31).contains(&number) || (34..=64).contains(&number));
        assert!(grammar!("^[A-Z]+[0-9]?([+-][0-9]+)?$").is_match(&name), "{name}");
        assert_eq!(Signal::parse(&format!("sig{}", name.to_lowercase())).map(Signal::number), Ok(number));
        if let Ok(known) = nix::sys::signal::Signal::try_from(number) {
            assert_eq!(known.as_str(), format!("SIG{name}"));
        } else {
            let after = |edge: &str| name.strip_prefix(edge).map(|rest| rest.parse::<i32>().unwrap_or(0));
            let counted = after("RTMIN").map(|more| 34 + more).or(after("RTMAX").map(|less| 64 + less));
            assert_eq!(counted, Some(number), "{name}");
        }
        assert_eq!(Signal::parse(&number.to_string()).map(Signal::number), Ok(number));
    }
    let is_id =
        |digits: &str| grammar!("^[0-9]+$").is_match(digits) && digits.parse::<u64>().is_ok_and(|id| id <= 0x7fff_ffff);
    let is_ids = text.split_once(':').map_or(is_id(text), |(uid, gid)| is_id(uid) && is_id(gid));
    assert_eq!(accepted::<UserSpec>(text).is_some(), is_ids || ["caller", "image"].contains(&text), "{text:?}");
    let is_lines = grammar!("^[0-9]+$").is_match(text) && text.parse::<u64>().is_ok();
    assert_eq!(accepted::<Tail>(text).is_some(), is_lines || text == "all", "{text:?}");
    if let Some(kept) = accepted::<Cpus>(text) {
        assert!(grammar!(r"^[0-9]{1,10}(\.[0-9]{0,8}[1-9])?$").is_match(&kept), "{kept}");
        assert!(grammar!(r"^[0-9]{1,20}(\.[0-9]{1,9})?$").is_match(text), "{text:?}");
    }
    exactly::<LogDriver>(text, ["local", "json-file", "journald", "none"].contains(&text));
}

/// A duration is decimal numbers with units; as it is shown, it is the same to a millisecond.
pub fn durations(text: &str) {
    let form = grammar!(concat!(
        r"^([0-9]+(\.[0-9]{1,9})?|([0-9]+(\.[0-9]+)?w)?([0-9]+(\.[0-9]+)?d)?([0-9]+(\.[0-9]+)?h)?",
        r"([0-9]+(\.[0-9]+)?m)?([0-9]+(\.[0-9]+)?s)?([0-9]+(\.[0-9]+)?ms)?)$",
    ));
    match units::duration(text) {
        Ok(duration) => {
            assert!(form.is_match(text) && !text.is_empty(), "{text:?}");
            let shown = units::show_duration(duration);
            let millis = Duration::from_millis(u64::try_from(duration.as_millis()).expect("at most 584 years"));
            assert_eq!(units::duration(&shown), Ok(millis), "{text} is shown as {shown}");
            assert_eq!(units::limit(text).ok(), (!duration.is_zero()).then_some(duration));
        }
        Err(refusal) => {
            is_plain_message(&format!("{refusal:#}"));
            assert!(units::limit(text).is_err());
        }
    }
}

/// A size is a decimal number with a unit, in powers of 1024. docker reads the number that it is given as the same one.
pub fn sizes(text: &str) {
    let form = grammar!(r"^([0-9]+)(?:\.[0-9]{1,9})?( ?[kmgtpKMGTP](?:i?[bB]|I[bB])?| ?[bB])?$");
    match units::bytes(text) {
        Ok(size) => {
            let found = form.captures(text).unwrap_or_else(|| panic!("{text:?}"));
            let unit = found.get(2).map_or("", |unit| unit.as_str()).trim_start().to_lowercase();
            let shift = 10 * " kmgtp".find(unit.get(..1).filter(|unit| *unit != "b").unwrap_or(" ")).unwrap_or(0);
            let whole: u128 = found[1].parse().expect("a number");
            let more = if text.contains('.') { 1 << shift } else { 1 };
            assert!(shift > 0 || !text.contains('.'), "{text:?} is {size}");
            assert!((whole << shift..(whole << shift) + more).contains(&u128::from(size)), "{text:?} is {size}");
            assert!(units::show_bytes(size).len() <= 6 && units::show_bytes_binary(size).len() <= 9);
        }
        Err(refusal) => is_plain_message(&format!("{refusal:#}")),
    }
}

/// A time that is accepted can be written in RFC 3339, and read again as the same one.
pub fn times(text: &str) {
    let now = DateTime::from_timestamp(1_700_000_000, 123_456_789).expect("a time");
    match units::moment(text, now) {
        Ok(moment) => {
            let form = grammar!(concat!(
                r"^([0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{1,2}:[0-9]{1,2}",
                r"(:[0-9]{1,2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?)?",
                r"|[0-9.]+|[0-9.wdhms]+)$",
            ));
            assert!(form.is_match(text), "{text:?}");
            let written = moment.to_rfc3339_opts(SecondsFormat::Nanos, true);
            let read = DateTime::parse_from_rfc3339(&written).map(|time| time.with_timezone(&Utc));
            assert_eq!(read, Ok(moment), "{text:?}");
        }
        Err(refusal) => is_plain_message(&format!("{refusal:#}")),
    }
}

/// What errors say about any value.
pub fn messages(text: &str) {
    let shown = Invalid::new("value", text, "it is refused").to_string();
    is_plain_message(&shown);
    if !text.contains("hunter2") {
        let address = format!("https://me:hunter2@{text}");
        assert!(!invalid::without_credentials(&address).contains("hunter2"), "{address:?}");
    }
    let near = nearest(text, &["srcPath", "args", "env"]);
    assert!(near.is_none_or(|near| ["srcPath", "args", "env"].contains(&near)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Texts that a grammar accepts, with one character put in, taken out or changed.
    fn nearly(grammar: &'static str) -> impl Strategy<Value = String> {
        let odd = prop_oneof![
            any::<char>(),
            prop::sample::select(" -=:/.,@_\n\0\r\\'\"$`#[](){}<>+!~^?*é\u{202e}".chars().collect::<Vec<_>>())
        ];
        (grammar, any::<prop::sample::Index>(), odd, 0..6_u8).prop_map(|(text, at, odd, how)| {
            let mut letters: Vec<char> = text.chars().collect();
            let at = at.index(letters.len() + 1);
            match how {
                0 => letters.insert(at, odd),
                1 if at < letters.len() => drop(letters.remove(at)),
                2 if at < letters.len() => letters[at] = odd,
                _ => {}
            }
            letters.into_iter().collect()
        })
    }

    const IMAGE: &str = concat!(
        "((docker\\.io|index\\.docker\\.io|localhost|[a-zA-Z0-9.-]{1,6}|\\[[0-9a-f:]{1,4}\\])(:[0-9]{1,3})?/)?",
        "(library/)?([a-z0-9]{1,3}(\\.|_|__|-{1,3})){0,2}([a-z0-9]{1,3}|scratch|sha256)(/[a-z0-9]{1,3})?",
        "(:[A-Za-z0-9_.-]{1,4})?(@sha(256:[0-9a-f]{64}|384:[0-9a-f]{96}))?",
    );
    /// The edges of the rules for images.
    const ODD_IMAGE: &str = concat!(
        "(sha256:)?[0-9a-f]{62}[0-9a-g]{1,3}|a@sha384:[0-9a-f]{94,97}|a@sha512:[0-9a-f]{127,129}|a:[.-]?[a-z]{0,2}",
        "|(index\\.)?docker\\.io/[a-zA-Z]{1,2}[.:]?[a-z0-9]{0,2}/[a-z]{1,2}|[a-z]{1,2}[._-]{1,3}([a-z]|/a)?|/?[A-Za-z]{1,3}/[A-Za-z]",
    );
    const REQUIREMENT: &str = concat!(
        "[A-Za-z][A-Za-z0-9._-]{0,3}( ?\\[[a-z](, ?[a-z])?\\])?( ?\\(?(==|>=|<|~=|!=|===) ?[0-9]\\.[0-9a-z*+.-]{1,3}(, ?<[0-9])?\\)?)?",
        "( ?; ?(os_name|python_version|extra) ?(==|<| in | not in ) ?['\"]( ?[#-]?[a-z0-9.]{0,2}){0,2}['\"]( (and|or) '3' <= python_version)?)?",
    );

    proptest! {
        #[test]
        fn any_text_is_read_by_the_grammars(text in "(?s).{0,24}|[ -~]{0,32}") {
            all(&text);
        }

        #[test]
        fn images_are_those_of_docker(text in nearly(IMAGE), odd in nearly(ODD_IMAGE)) {
            images(&text);
            images(&odd);
        }

        #[test]
        fn the_length_of_an_image_is_that_of_docker(host in "((index\\.)?docker\\.io/|a\\.b/)?([a-z]{1,3}/)?", length in 220..260_usize, tag in 0..130_usize) {
            let tag = if tag == 0 { String::new() } else { format!(":{}", "t".repeat(tag)) };
            images(&format!("{host}{}{tag}", "a".repeat(length)));
        }

        #[test]
        fn jobs_are_named_by_their_grammars(
            text in nearly("[a-z0-9][a-z0-9._-]{0,9}|[a-z]{62,64}|latest|[0-9a-hjkmnp-tv-z]{11,13}|[a-z0-9]{12}|[a-z]{254,256}|(longshore\\.)?[a-z0-9.-]{1,5}=([ -~é\n\u{85}]{0,5}|x{4095,4097})")
        ) {
            jobs(&text);
        }

        #[test]
        fn packages_are_those_of_apt(
            text in nearly("[a-z0-9][a-z0-9+.-]{1,5}(:[a-z0-9-]{1,4})?(=[0-9][A-Za-z0-9.+:~-]{0,4})?( [a-z]{2,3}(\\.deb|-)?)?")
        ) {
            apt(&text);
        }

        #[test]
        fn requirements_are_lines_that_pip_reads_as_one(text in nearly(REQUIREMENT)) {
            pip(&text);
        }

        #[test]
        fn a_list_of_requirements_loses_nothing(texts in prop::collection::vec(nearly(REQUIREMENT), 0..4), blank in "[ \n\t]{1,2}") {
            pip(&texts.join(&blank));
        }

        #[test]
        fn variables_are_carried_as_they_are(text in nearly("[A-Za-z_][A-Za-z0-9_]{0,5}(=.{0,5})?")) {
            variables(&text);
        }

        #[test]
        fn addresses_and_networks_fit_their_grammars(
            text in nearly("https?://[a-z][a-z0-9.-]{0,4}(:[0-9]{1,6})?(/[a-z/._~%+,=:@$?-]{0,6})?|host|[a-zA-Z][a-z_.-]{0,4}|device=[0-9](,GPU-[0-9:]{1,3})?|\"device=0,1\"|[0-9]{1,6}|all")
        ) {
            addresses(&text);
        }

        #[test]
        fn what_a_run_asks_of_nodes_fits_dockers_grammar(
            text in nearly("(node\\.(id|role|labels\\.[a-z.]{0,3}|labels)|engine\\.labels\\.x|role) ?(==|!=|=) ?[a-z0-9:*\\[ ]{0,4}|[a-zA-Z-]{0,4}=[0-9]{0,3}")
        ) {
            nodes(&text);
        }

        #[test]
        fn a_path_reaches_docker_as_it_is(text in nearly("(/[ab., \"\n=:é-]{0,5}){1,4}|(\\.{1,2}/|[a-z-]{0,3}/){0,3}[a-z.-]{1,5}")) {
            paths(&text);
        }

        #[test]
        fn mounts_and_ports_reach_docker_as_they_are(
            text in nearly("(type=(bind|volume|tmpfs),)?(\"?source=[/a., \"\"\n=]{1,5}\"?,)?target=/[a-b/, ]{1,3}(,(readonly|ro=true|volume-nocopy|tmpfs-mode=[0-7]{1,4}|tmpfs-size=[0-9]{1,3}m?))?"),
            volume in nearly("([./]{0,2}/)?[a-z,. \"=]{1,4}:/[a-z/]{1,4}(:(ro|rw|nocopy))?"),
            port in nearly("((127\\.0\\.0\\.1|\\[::1\\]|::1):)?([0-9]{1,5}(-[0-9]{1,5})?)?:?[0-9]{1,5}(-[0-9]{1,5})?(/(tcp|udp))?"),
        ) {
            mounts(&text);
            mounts(&volume);
            mounts(&port);
        }

        #[test]
        fn words_are_those_of_their_lists(
            text in nearly("(SIG|sig)?(TERM|HUP|IOT|CLD|POLL|RTM(IN\\+|AX-)[0-9]{1,2}|[0-9]{1,3})|caller|image|[0-9]{1,11}(:[0-9]{1,4})?|all|[0-9]{1,21}(\\.[0-9]{1,10})?|local|json-file|none")
        ) {
            words(&text);
        }

        #[test]
        fn numbers_have_no_sign_and_a_limit(number in "[+-]?[0-9]{1,2}|21474836[0-9]{2}|1844674407370955161[0-9]|[0-9]{1,2}\\.0{0,9}[0-9]{1,2}", signal in 0..70_i32) {
            words(&number);
            words(&format!("{number}:{number}"));
            words(&format!("1:{number}"));
            words(&signal.to_string());
        }

        #[test]
        fn measures_are_numbers_with_units(
            text in nearly("([0-9]{1,4}(\\.[0-9]{1,3})?(w|d|h|m|s|ms)){1,4}|[0-9]{1,21}(\\.[0-9]{1,10})?( ?[kKmMgGtTpP]?(i?[bB])?)?")
        ) {
            durations(&text);
            sizes(&text);
            times(&text);
        }

        #[test]
        fn a_time_is_read_as_it_is_written(
            text in nearly("[0-9]{4}-(0[1-9]|1[0-2])-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9](:[0-6][0-9](\\.[0-9]{1,10})?)?(Z|[+-][0-2][0-9]:[0-5][0-9])?)?|[0-9]{1,14}(\\.[0-9]{1,9})?")
        ) {
            times(&text);
        }

        #[test]
        fn a_message_shows_no_password_and_acts_on_no_terminal(text in nearly("[a-z]{0,3}@?[a-z]{0,4}(/[a-z ]{0,3}(https://a:b@c)?)?|(?s).{0,100}")) {
            messages(&text);
        }
    }
}
