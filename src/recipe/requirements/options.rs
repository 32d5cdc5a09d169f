//! The options of a line of a requirements file: which of them a recipe takes, and what to do instead of the others. Pure.

use crate::invalid::Invalid;
use crate::names::HttpUrl;

/// What an option does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// `-r`: the lines of another file.
    File(String),
    /// `-c`: the lines of another file are constraints.
    Constraints(String),
    /// `--hash`, as `sha256:…` in lower case.
    Hash(String),
    /// It is part of the recipe, as it is written here.
    Kept(String),
    /// It is what the build does anyway.
    Dropped,
}

#[derive(Clone, Copy)]
enum Meaning {
    File,
    Constraints,
    Hash,
    Switch,
    Packages,
    Index,
    /// Why, and what to do instead.
    Refused(&'static str, &'static str),
}

const OUTSIDE: &str = "it refers to something outside of the recipe";
const ONE_INDEX: &str = "a build uses one index, which is not read from a file";
const NO_BACKEND: &str = "options for the build of a package are not part of a recipe";

/// The options of pip 18.1 to 25.3. Those that are not here are not known in a requirements file.
const OPTIONS: &[(&[&str], Meaning)] = &[
    (&["-r", "--requirement"], Meaning::File),
    (&["-c", "--constraint"], Meaning::Constraints),
    (&["--hash"], Meaning::Hash),
    (&["--pre", "--prefer-binary", "--require-hashes"], Meaning::Switch),
    (&["--no-binary", "--only-binary"], Meaning::Packages),
    (&["-i", "--index-url", "--pypi-url"], Meaning::Index),
    (
        &["-e", "--editable"],
        Meaning::Refused(
            OUTSIDE,
            "the source of a run is mounted at /app, so it need not be installed; install anything else with --run",
        ),
    ),
    (
        &["--extra-index-url"],
        Meaning::Refused(
            ONE_INDEX,
            "give one that has all packages with --pip-index-url URL, or install these packages with --run",
        ),
    ),
    (
        &["-f", "--find-links", "--no-index"],
        Meaning::Refused(ONE_INDEX, "give an index with --pip-index-url URL, or install these packages with --run"),
    ),
    (
        &["--trusted-host"],
        Meaning::Refused(
            "which server is trusted is not read from a file",
            "give its certificate with --ca-cert FILE; an index with http:// is trusted if --pip-index-url names it",
        ),
    ),
    (
        &["--global-option", "--install-option", "-C", "--config-setting", "--config-settings"],
        Meaning::Refused(NO_BACKEND, "install the package with --run"),
    ),
    (
        &["--use-feature", "--always-unzip", "-Z", "--process-dependency-links"],
        Meaning::Refused("it depends on the release of pip", "install the package with --run"),
    ),
];

/// Reads the words of a line's options. `index` is the index that the build uses.
///
/// # Errors
/// For the first word that is no option which a recipe can take.
pub fn read(words: &[String], index: Option<&HttpUrl>) -> Result<Vec<Given>, Invalid> {
    let mut words = words.iter();
    let mut given = Vec::new();
    while let Some(word) = words.next() {
        let (name, attached) = parts(word);
        let meaning = meaning(name, word)?;
        let mut value = || {
            let value = attached.or_else(|| words.next().map(String::as_str));
            value.filter(|value| !value.is_empty()).ok_or_else(|| refused(name, "a value is missing after it"))
        };
        given.push(match meaning {
            Meaning::File => Given::File(value()?.to_owned()),
            Meaning::Constraints => Given::Constraints(value()?.to_owned()),
            Meaning::Hash => Given::Hash(hash(value()?)?),
            Meaning::Packages => Given::Kept(format!("{name} {}", packages(name, value()?)?)),
            Meaning::Switch if attached.is_some() => return Err(refused(word, "it takes no value")),
            Meaning::Switch => Given::Kept(name.to_owned()),
            Meaning::Index => {
                same_index(value()?, index)?;
                Given::Dropped
            }
            Meaning::Refused(why, hint) => return Err(refused(name, why).with_hint(hint)),
        });
    }
    Ok(given)
}

/// The option, and the value that the word has, too: `--hash=x`, `-rfile`.
fn parts(word: &str) -> (&str, Option<&str>) {
    if word.starts_with("--") {
        return word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    }
    match word.char_indices().nth(2) {
        Some((at, _)) => (&word[..at], Some(&word[at..])),
        None => (word, None),
    }
}

fn meaning(name: &str, word: &str) -> Result<Meaning, Invalid> {
    if !word.starts_with('-') {
        return Err(Invalid::new("word", word, "only options can follow an option"));
    }
    let known = OPTIONS.iter().find(|(names, _)| names.contains(&name)).map(|(_, meaning)| *meaning);
    known.ok_or_else(|| refused(name, "there is no such option in a requirements file"))
}

fn refused(option: &str, why: &str) -> Invalid {
    Invalid::new("pip option", option, why)
}

/// An algorithm that pip accepts, and a digest of its length.
fn hash(text: &str) -> Result<String, Invalid> {
    let digits = text.split_once(':').and_then(|(algorithm, digest)| {
        let length = [("sha256", 64), ("sha384", 96), ("sha512", 128)].into_iter().find(|(name, _)| *name == algorithm);
        Some((length?.1, digest))
    });
    let Some((length, digest)) = digits else {
        return Err(Invalid::new("hash", text, "pip accepts sha256:…, sha384:… and sha512:…"));
    };
    if digest.len() != length || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Invalid::new("hash", text, format!("it must have {length} hexadecimal digits after the colon")));
    }
    Ok(text.to_ascii_lowercase())
}

/// `:all:`, `:none:`, or names with commas between them.
fn packages<'a>(option: &str, text: &'a str) -> Result<&'a str, Invalid> {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    if text.split(',').all(|name| matches!(name, ":all:" | ":none:") || is_name(name)) {
        return Ok(text);
    }
    let why = format!("after {option} a name is expected, several with commas between them, :all: or :none:");
    Err(Invalid::new("list of packages", text, why))
}

/// Tools write the index into the files that they make. It is accepted if it is the one of the build.
fn same_index(text: &str, index: Option<&HttpUrl>) -> Result<(), Invalid> {
    let bare = |url: &str| url.trim_end_matches('/').to_owned();
    let advice = match (index, text.parse::<HttpUrl>()) {
        (Some(index), _) if bare(index.as_str()) == bare(text) => return Ok(()),
        (Some(index), _) => format!("remove the line: --pip-index-url is {index}"),
        (None, Ok(url)) => format!("give it with --pip-index-url {url}"),
        (None, Err(_)) => "give it with --pip-index-url URL".to_owned(),
    };
    Err(Invalid::new("index", text, ONE_INDEX).with_hint(advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(line: &str) -> Result<Vec<Given>, Invalid> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        read(&words, Some(&"https://pip.example.org/simple".parse().unwrap()))
    }

    fn refusal(line: &str) -> String {
        format!("{:#}", given(line).expect_err(line))
    }

    #[test]
    fn options_that_a_recipe_can_take_are_read_in_each_of_their_spellings() {
        let digest = "AB".repeat(32);
        let text = |text: &str| text.to_owned();
        for (line, expected) in [
            ("-r a.txt", vec![Given::File(text("a.txt"))]),
            ("-ra.txt", vec![Given::File(text("a.txt"))]),
            ("--requirement=a=b", vec![Given::File(text("a=b"))]),
            ("-c é", vec![Given::Constraints(text("é"))]),
            (&format!("--hash=sha256:{digest}"), vec![Given::Hash(format!("sha256:{}", digest.to_lowercase()))]),
            ("--pre --prefer-binary", vec![Given::Kept(text("--pre")), Given::Kept(text("--prefer-binary"))]),
            (
                "--no-binary :all: --only-binary=a,B.c-d_e",
                vec![Given::Kept(text("--no-binary :all:")), Given::Kept(text("--only-binary a,B.c-d_e"))],
            ),
            ("--index-url https://pip.example.org/simple/", vec![Given::Dropped]),
            ("-ihttps://pip.example.org/simple", vec![Given::Dropped]),
        ] {
            assert_eq!(given(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn any_other_is_refused_with_what_to_do_instead() {
        for (line, part) in [
            ("-e .", "outside of the recipe\nthe source of a run is mounted at /app"),
            ("--editable=git+https://example.org/x", "invalid pip option \"--editable\""),
            (
                "--extra-index-url=https://me:hunter2@example.org",
                "invalid pip option \"--extra-index-url\": a build uses",
            ),
            ("-f wheels", "give an index with --pip-index-url URL"),
            ("--trusted-host example.org", "give its certificate with --ca-cert FILE"),
            ("--config-settings=a=b", "install the package with --run"),
            ("--use-feature x", "it depends on the release of pip"),
            ("-i https://example.org", "remove the line: --pip-index-url is https://pip.example.org/simple"),
            ("--hash=md5:00", "pip accepts sha256:…, sha384:… and sha512:…"),
            ("--hash=sha256:00", "it must have 64 hexadecimal digits after the colon"),
            ("--no-binary a,-b", "invalid list of packages \"a,-b\""),
            ("--no-binary", "invalid pip option \"--no-binary\": a value is missing after it"),
            ("--requirement=", "a value is missing after it"),
            ("--pre=x", "it takes no value"),
            ("--nosuch", "there is no such option in a requirements file"),
            ("--req a", "there is no such option"),
            ("--", "there is no such option"),
            ("-", "there is no such option"),
            ("--pre six", "invalid word \"six\": only options can follow an option"),
        ] {
            assert!(refusal(line).contains(part), "{line}: {}", refusal(line));
        }
        assert!(!refusal("-i https://me:hunter2@example.org/x").contains("hunter2"));
    }

    #[test]
    fn an_index_is_answered_with_the_flag_that_gives_it() {
        let index = |url: &str| read(&["-i".into(), url.into()], None).expect_err(url).hint.unwrap();
        assert_eq!(index("http://pip.example.org/s"), "give it with --pip-index-url http://pip.example.org/s");
        assert_eq!(index("https://me:hunter2@example.org"), "give it with --pip-index-url URL");
    }
}
