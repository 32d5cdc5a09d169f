//! Snapshots: everything that a user sees of commands, in a file of tests/it/snapshots with the name of the test.
//! `make snapshots` accepts changes, and git shows the difference. Text that differs from run to run (ids, times, sizes,
//! directories) is replaced by a name in angle brackets, only in this file.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::Regex;

use super::{Ran, World};

/// Compares what is shown with this test's snapshot: `snapshot!(world, shown, …)`, each shown being a [`Ran`] or text.
macro_rules! snapshot {
    ($world:expr, $($shown:expr),+ $(,)?) => {{
        let shown = $crate::support::snapshots::filtered(&$world, &[$($shown.to_string()),+].join("\n"));
        let _settings = $crate::support::snapshots::settings().bind_to_scope();
        insta::assert_snapshot!(shown);
    }};
}
pub(crate) use snapshot;

/// What several commands showed, as one.
pub fn together<T: Display>(shown: impl IntoIterator<Item = T>) -> String {
    shown.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join("\n")
}

/// Where the snapshots are.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots")
}

/// How insta keeps a snapshot: in the one directory, without what changes when a line of the test moves.
pub fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(directory());
    settings.set_omit_expression(true);
    settings
}

impl Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}", self.typed)?;
        writeln!(f, "code: {}", self.code)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                writeln!(f, "{name}:")?;
                for line in text.split_inclusive('\n') {
                    f.write_str("  ")?;
                    f.write_str(&line.replace('\t', "\\t").replace('\r', "\\r").replace('\x1b', "\\e"))?;
                }
                if !text.ends_with('\n') {
                    writeln!(f, "\n  (no newline at the end)")?;
                }
            }
        }
        Ok(())
    }
}

/// A command line as one would type it, with quotes where a shell needs them.
pub fn typed<'a>(args: impl IntoIterator<Item = std::borrow::Cow<'a, str>>) -> String {
    let mut line = "longshore".to_owned();
    for word in args {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,<>@+".contains(c);
        let is_bare = !word.is_empty() && word.chars().all(is_plain);
        let quoted = || format!("'{}'", word.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'\\''"));
        line.push_str(&if is_bare { format!(" {word}") } else { format!(" {}", quoted()) });
    }
    line
}

/// What is told apart by a number in the order in which it came: jobs, and whatever a fixture has names for.
#[derive(Default)]
pub struct Known(Mutex<KnownNames>);

#[derive(Default)]
struct KnownNames {
    jobs: Vec<(String, String)>,
    literals: Vec<(String, String)>,
}

impl Known {
    /// Text that is shown as this from now on.
    pub fn show_as(&self, text: impl Into<String>, name: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.literals.push((text.into(), name.to_owned()));
    }

    /// The jobs in these directories of a state directory get their names, as wide as an id.
    pub fn note_jobs(&self, state: &Path) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for kind in ["run", "build"] {
            let mut found: BTreeMap<_, String> = BTreeMap::new();
            for entry in std::fs::read_dir(state.join(kind)).into_iter().flatten().flatten() {
                let id = entry.file_name().to_string_lossy().into_owned();
                let is_id = id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
                if is_id && known.jobs.iter().all(|(known, _)| *known != id) {
                    let made = entry.metadata().and_then(|data| data.created()).ok();
                    found.insert((made, id.clone()), id);
                }
            }
            for id in found.into_values() {
                let number = 1 + known.jobs.iter().filter(|(_, name)| name.starts_with(&format!("<{kind}"))).count();
                let digits = 9 - kind.len();
                known.jobs.push((id, format!("<{kind}-{number:0digits$}>")));
            }
        }
    }
}

/// Text without what differs from run to run. Longer texts come first, for one may be the beginning of another.
pub fn filtered(world: &World, text: &str) -> String {
    world.note_jobs();
    let known = world.known.0.lock().unwrap_or_else(PoisonError::into_inner);
    let mut literals: Vec<_> = known.jobs.iter().chain(&known.literals).collect();
    literals.sort_by_key(|(literal, _)| std::cmp::Reverse(literal.len()));
    let mut text = text.to_owned();
    for (literal, name) in literals {
        text = text.replace(literal, name);
    }
    for (pattern, name) in FILTERS.iter() {
        text = pattern.replace_all(&text, *name).into_owned();
    }
    narrowed(&text)
}

/// In a list of containers an age is in two columns, and in the midst of one: those tables are shown without padding.
fn narrowed(text: &str) -> String {
    static PADDING: LazyLock<Regex> = LazyLock::new(|| Regex::new(" {3,}").unwrap());
    let is_row = |line: &str| line.starts_with("  CONTAINER  ") || line.starts_with("  <short hash>  ");
    let lines = text.split_inclusive('\n');
    lines.map(|line| if is_row(line) { PADDING.replace_all(line, "  ") } else { line.into() }).collect()
}

static FILTERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let filters = [
        (r"0001-01-01T00:00:00Z", "<never>"),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "<time>"),
        (r#"("[Cc]reated": ?)\d{10}\b"#, "$1<seconds>"),
        (r"\bsha256:[0-9a-f]{64}\b", "<digest>"),
        (r"\b[0-9a-f]{64}\b", "<container id>"),
        (r"\b[0-9a-f]{12}\b", "<short hash>"),
        (r"\blongshore-[0-9a-hjkmnp-tv-z]{12}\b", "longshore-<id>"),
        (r"(longshore\.(?:job|run)[=:\x22 ]+)[0-9a-hjkmnp-tv-z]{12}\b", "$1<id>"),
        (r"\blongshore-test-[A-Za-z0-9]{6}\b", "<directory>"),
        (r"\blongshore \d+\.\d+\.\d+", "longshore <version>"),
        // The columns of a table are as wide as what is in them.
        (r"\b(?:[Ll]ess than a second|[Aa]bout an? \w+|\d+ ?\w+) ago +", "<age>  "),
        (r"\b\d+(?:\.\d+)?[kMGTP]?B free\b", "<size> free"),
        (r#"("free(?:Bytes|Inodes)": )\d+"#, "$1<number>"),
        (r"(?m)(/longshore, )(?:\w+|type 0x\w+)$", "$1<file system>"),
        (r#"("fileSystem": "|"<world>/state/longshore, )[^"]+"#, "$1<file system>"),
        (r"<age>  (?:\d+(?:ms|[smhd]))+ +", "<age>  <took>  "),
        (r"(<age>  [a-z]+) +(?:\d+(?:ms|[smhd]))+ *", "$1  <took>  "),
        (r"(?m)<age>  (?:\d+(?:ms|[smhd]))+(\\r)?$", "<age>  <took>$1"),
        (r"(?m) {3,}(?:\d+(?:ms|[smhd]))+$", "  <took>"),
        (r" {3,}(?:\d+(?:ms|[smhd]))+ {3,}", "  <took>  "),
        (r"\bUp (?:Less than a second|About an? \w+|\d+ \w+)", "Up <age>"),
        (r"\bTook +(?:\d+(?:ms|[smhd]))+", "Took  <took>"),
        (r"\b(CREATED|ENDED|TOOK|SIZE) {2,}", "$1  "),
        (r#"("(?:sizeBytes|freedBytes)": )\d+"#, "$1<number>"),
        (r"\b\d+(?:\.\d+)?(?:kB|MB|GB|KiB|MiB|GiB) +", "<size>  "),
        (r"\b\d+(?:\.\d+)?(?:kB|MB|GB|KiB|MiB|GiB)\b", "<size>"),
        (r#"(--user(?: |",\s+"))\d+:\d+"#, "$1<uid>:<gid>"),
        // Another version of the engine says it in other words.
        (
            r"(?m)^    (?:Error response from daemon: |Cannot connect to the Docker daemon |Error: No such ).*$",
            "    <the engine's words>",
        ),
        (r"\b(in|after) \d+(?:\.\d+)?(?:ms|s)\b", "$1 <duration>"),
    ];
    filters.map(|(pattern, name)| (Regex::new(pattern).unwrap(), name)).into()
});

/// A snapshot file belongs to a test function that takes a snapshot; `…-2` to one that takes two.
#[test]
fn every_snapshot_file_belongs_to_a_test() {
    let tests = directory().parent().unwrap().to_owned();
    let mut left = Vec::new();
    for entry in std::fs::read_dir(directory()).unwrap().flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        if file.ends_with(".snap.new") {
            continue; // A mismatch, which fails its own test.
        }
        let Some(name) = file.strip_prefix("it__").and_then(|name| name.strip_suffix(".snap")) else {
            left.push(file);
            continue;
        };
        let (module, function) = name.rsplit_once("__").unwrap();
        let (function, number) = match function.rsplit_once('-') {
            Some((function, number)) => (function, number.parse().unwrap()),
            None => (function, 1),
        };
        let source = tests.join(module.replace("__", "/")).with_extension("rs");
        let text = std::fs::read_to_string(source).unwrap_or_default();
        let body = text.split(&format!("fn {function}(")).nth(1).and_then(|rest| rest.split("\n}\n").next());
        if body.is_none_or(|body| body.matches("snapshot!(").count() < number) {
            left.push(file);
        }
    }
    assert!(left.is_empty(), "in tests/it/snapshots, without a test that takes it: {left:#?}");
}
