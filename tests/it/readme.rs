//! Runs the blocks of code of the README and of the cookbook one after the other on a real engine. The output in a transcript
//! is compared with what is printed.
//!
//! Everything that depends on the words of these pages is in the tables below: names that become names of this test, files
//! that an example needs, what has to be there before a command, and commands that are not run. A block that no table
//! covers fails the test, which shows the block and what became of it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;

use crate::support::real::{Real, host_ca};
use crate::support::snapshots::filtered;

/// Names of images and containers in the README. Each becomes a name of this test, so that nothing that is on the
/// engine is touched, and everything can be removed.
const NAMES: [&str; 4] = ["web", "sci", "postgres", "db"];

/// Other words of the README, and what stands in their place: `{base}` is the base image with this test's label,
/// `{project}` the directory in which the commands run, `{ca}` a file of certificates, `{run 1}` the beginning of the
/// id of the first of two runs.
const WORDS: [(&str, &str); 11] = [
    ("python:3-slim", "{base}"),
    ("/home/me/project", "{project}"),
    ("/etc/ssl/company.pem", "{ca}"),
    ("git curl", "tree"),
    ("numpy<2", "six<2"),
    ("numpy", "six"),
    ("pandas", "six"),
    // A port that nothing else has.
    ("5432:5432", "127.0.0.1::5432"),
    ("8080:8000", "127.0.0.1::8000"),
    ("7hfn", "{run 1}"),
    ("2s68", "{run 2}"),
];

/// The program of most examples: so many passes over the numbers, a second each, and a result.
const PROGRAM: &str = "\
import os, sys, time
passes = int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdigit() else 1
for number in range(passes):
    time.sleep(1)
    print(f'pass {number + 1}: mean {sum(range(101)) / 100}')
os.makedirs('output', exist_ok=True)
for name in 'result', 'summary':
    with open(f'output/{name}.json', 'w') as file:
        file.write('{\"mean\": 50.5}\\n')
";

/// Files of the project, or of the home directory, that examples read.
const FILES: [(&str, &str); 14] = [
    ("project/src/main.py", PROGRAM),
    ("project/src/part.py", "print('part')\n"),
    ("project/src/jobs/report.py", "print('report')\n"),
    ("project/src/forever.py", "import time\ntime.sleep(600)\n"),
    ("project/train.py", "print('trained')\n"),
    ("project/main.py", "print('main')\n"),
    ("project/numbers/numbers.txt", "1 2 3\n"),
    ("project/data/penguins.csv", "species\n"),
    ("project/settings.env", "LEVEL=debug\n"),
    ("project/recipe.json", r#"{"name": "sci", "baseImage": "python:3-slim", "pipInstall": "six"}"#),
    ("project/requirements.txt", "six # for Python 2\n"),
    ("project/pyproject.toml", "[project]\ndependencies = ['six']\n[dependency-groups]\ntest = ['idna']\n"),
    ("project/apt.txt", "# tools\ntree\n"),
    ("home/report/main.py", "print('nightly')\n"),
];

/// What is run before a command that contains these words. `web`, `sci` and so on are names of this test here, too.
const BEFORE: [(&str, &str); 13] = [
    ("exec logs", "quick_run report"),
    ("exec status report", "quick_run report"),
    ("exec wait --timeout", "quick_run report"),
    ("exec wait report", "quick_run report"),
    ("exec inspect report", "quick_run report"),
    ("exec rerun report", "quick_run report"),
    ("exec stop report", "endless_run report"),
    ("exec kill", "endless_run report"),
    ("image cancel", "longshore image create web --base python:3-slim --run 'sleep 60'"),
    ("image forget", "longshore image create web --base python:3-slim --wait"),
    ("image rm web:old", "docker tag web web:old"),
    ("container create web --spec", "printf '{\"Image\": \"web\"}' >body.json"),
    ("container create --name db", "docker tag python:3-slim postgres"),
];

/// Commands that are not run, and why.
const NOT_RUN: [(&str, &str); 11] = [
    ("image copy web --to far", "there is no second engine; engine::copy has one of its own"),
    ("cargo install", "it would install the program for the user who runs the tests"),
    ("--cache models", "its volume would stay on the engine; engine::cache has a cache of its own"),
    ("make install", "it would install the program on this machine"),
    ("prune --copies", "it would remove copies of files of other tests on this engine"),
    ("prune --images", "it would remove images that builds of others left on this engine"),
    ("--watch", "it goes on until a key is pressed"),
    ("make static", "tools/static tries the program out itself"),
    ("make deb", "tools/deb tries the package out itself"),
    ("apt install", "it would install the package on this machine"),
    ("systemctl", "it would change the timers of the user who runs the tests"),
];

/// What runs a JSON document that has this key.
const SPECS: [(&str, &str); 2] =
    [("baseImage", "longshore image create --spec - --wait"), ("srcPath", "longshore exec run --spec - --wait")];

/// Shell functions for the tables.
const FUNCTIONS: &str = "\
quick_run() { longshore exec run --name \"$1\" --image web --src src --main part.py --wait; }
endless_run() { longshore exec run --name \"$1\" --image web --src src --main forever.py; }
settle() {
    longshore image builds -q --status running --status queued | xargs -r -n 1 longshore image wait
    longshore exec list -q --status running --status queued | xargs -r longshore exec wait
}
";

/// A block of code: the language, the line of the README, the text.
struct Block {
    language: String,
    line: usize,
    text: String,
}

/// A command, what the README shows below it, and what was printed.
struct Example {
    command: String,
    shown: Option<String>,
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in markdown.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => {
                open = Some(Block { language: language.to_owned(), line: number + 1, text: String::new() });
            }
            (None, Some(block)) => block.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block of code does not end");
    blocks
}

/// Whether a shell would read on: a compound command, a pipe or a quotation is open.
fn is_incomplete(text: &str) -> bool {
    let output = Command::new("bash").args(["-n", "-c", text]).output().expect("bash runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    text.trim_end().ends_with('\\') || said.contains("unexpected end of file") || said.contains("while looking for")
}

/// The commands of shell text, each whole, without comments between them.
fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut command = String::new();
    for line in text.lines() {
        if command.is_empty() && (line.trim().is_empty() || line.trim_start().starts_with('#')) {
            continue;
        }
        command += line;
        command.push('\n');
        if !is_incomplete(&command) {
            commands.push(std::mem::take(&mut command));
        }
    }
    assert!(command.is_empty(), "a command does not end:\n{command}");
    commands
}

/// The commands of a transcript, each with what is shown below it.
fn transcript(text: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            examples.push(Example { command: format!("{command}\n"), shown: Some(String::new()) });
        } else if let Some(example) = examples.last_mut() {
            let continues = example.command.ends_with("\\\n");
            let to = if continues { &mut example.command } else { example.shown.get_or_insert_default() };
            to.push_str(&format!("{line}\n"));
        }
    }
    examples
}

/// The examples of a block, or nothing if the block is of a kind that cannot be run.
fn examples(block: &Block) -> Option<Vec<Example>> {
    let only = |command: String| vec![Example { command, shown: None }];
    match block.language.as_str() {
        "sh" if block.text.starts_with("#!") => {
            Some(only(format!("cat >script <<'END'\n{}END\nchmod +x script\n./script\n", block.text)))
        }
        "sh" => Some(commands(&block.text).into_iter().map(|command| Example { command, shown: None }).collect()),
        "console" => Some(transcript(&block.text)),
        "make" => Some(only(format!("cat >Makefile <<'END'\n{}END\nmake\n", block.text))),
        "cron" => {
            let lines = block.text.lines().map(scheduled);
            Some(lines.map(|command| Example { command: format!("(cd; {command})\n"), shown: None }).collect())
        }
        "ini" => Some(unit_commands(&block.text).flat_map(only).collect()),
        "json" => {
            let (_, command) = SPECS.iter().find(|(key, _)| block.text.contains(&format!("\"{key}\"")))?;
            Some(only(format!("{command} <<'END'\n{}END\n", block.text)))
        }
        _ => None,
    }
}

/// The command of a line of a crontab.
fn scheduled(line: &str) -> &str {
    line.strip_prefix("@reboot ").or_else(|| line.splitn(6, ' ').nth(5)).unwrap_or_default()
}

/// What a unit of systemd starts, as shell text. A timer starts nothing of its own.
fn unit_commands(unit: &str) -> impl Iterator<Item = String> {
    let starts = unit.lines().filter_map(|line| line.strip_prefix("ExecStart="));
    starts.map(|command| format!("{}\n", command.replace("%h", "\"$HOME\"")))
}

/// The world of one page on the engine.
struct Readme {
    real: Real,
    /// A word of the README, and what stands in its place.
    words: Vec<(Regex, String, String)>,
}

impl Readme {
    fn new() -> Self {
        let mut real = Real::new();
        let base = real.own_base();
        let program = |name: &str| real.path("bin").join(name);
        std::fs::create_dir(real.path("bin")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_longshore"), program("longshore")).unwrap();
        std::os::unix::fs::symlink(real.docker_program(), program("docker")).unwrap();
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", real.path("bin").display());
        let ca = host_ca().unwrap_or_else(|| PathBuf::from("/etc/ssl/certs/ca-certificates.crt"));
        if host_ca().is_some() {
            real.set("LONGSHORE_CA_CERT", &ca);
        }
        real.set("PATH", path);
        real.set("NO_COLOR", "1");
        real.set("API_TOKEN", "a-token");
        let runs = ["print(1)", "print(2)"].map(|code| real.start(code, &[])[..7].to_owned());
        let fill = |text: &str| {
            let filled = text.replace("{base}", &base).replace("{project}", &real.path("project").to_string_lossy());
            let filled = filled.replace("{ca}", &ca.to_string_lossy());
            filled.replace("{run 1}", &runs[0]).replace("{run 2}", &runs[1])
        };
        let whole = |word: &str| {
            let edge = |c: Option<char>| if c.is_some_and(char::is_alphanumeric) { r"\b" } else { "" };
            let (before, after) = (edge(word.chars().next()), edge(word.chars().last()));
            Regex::new(&format!("{before}{}{after}", regex::escape(word))).unwrap()
        };
        // Names only, no parts of a path or option: not in `--web`, `web.tar` or `src/web`.
        let name = |word: &str| Regex::new(&format!(r#"(^|[\s"'=(])({word})($|[\s"':),])"#)).unwrap();
        let words = WORDS.iter().map(|(word, by)| (whole(word), (*word).to_owned(), fill(by)));
        // Short enough for a cell of a table.
        let own = |word: &str| real.name(word).trim_start_matches("longshore-").to_owned();
        let names = NAMES.iter().map(|word| (name(word), (*word).to_owned(), own(word)));
        let words = words.chain(names).collect();
        let readme = Self { real, words };
        for (path, text) in FILES {
            readme.real.write(path, readme.substituted(text));
        }
        readme
    }

    fn substituted(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (pattern, _, by) in &self.words {
            // Twice, for two names beside each other share the blank between them.
            for _ in 0..if pattern.captures_len() > 1 { 2 } else { 1 } {
                let replacement = if pattern.captures_len() > 1 { format!("${{1}}{by}${{3}}") } else { by.clone() };
                text = pattern.replace_all(&text, replacement.as_str()).into_owned();
            }
        }
        text
    }

    /// Names of images and containers that are not in [`NAMES`] are not made: they might be on the engine.
    fn assert_is_ours(&self, command: &str) {
        let made = Regex::new(r#"(?:image create|container create(?: --name)?|"name":) "?([^-"\s][^"\s]*)"#).unwrap();
        for name in made.captures_iter(command).map(|found| found[1].to_owned()) {
            assert!(name.starts_with("test-"), "{name:?} is not in NAMES:\n{command}");
        }
    }

    /// What the README shows and what was printed, without what differs from run to run, and with the README's names.
    fn comparable(&self, text: &str) -> String {
        let mut text = filtered(&self.real, &text.replace('\r', ""));
        for (_, word, by) in &self.words {
            text = text.replace(&filtered(&self.real, by), word);
        }
        let rules = [
            // What was redrawn, and erased at the end.
            (r"[^\n]*\x1b\[J", ""),
            (r"succeeded in (?:<duration>|[0-9smh]+)", "succeeded"),
            (r"\x1b\[[0-9;]*m", ""),
            (r"<(?:run|build)-\d+>", "<id>"),
            (r"\b[0-9a-hjkmnp-tv-z]{12}\b", "<id>"),
            // Whether there is anything in this column depends on a second more or less.
            (r"(?: TOOK\b|<took>)", ""),
            (r" {2,}", "  "),
            (r"(?m) +$", ""),
        ];
        for (pattern, by) in rules {
            text = Regex::new(pattern).unwrap().replace_all(&text, by).into_owned();
        }
        text
    }

    /// The script that runs the examples of one block, with a mark before and after the output of each.
    fn script(&self, block: &Block, examples: &[Example]) -> String {
        let project = self.real.path("project");
        let mut script = format!("stty cols 250 rows 50 -echo\ncd '{}'\n{FUNCTIONS}", project.display());
        let is_transcript = block.language == "console";
        if is_transcript {
            // It shows lists, in which nothing of the blocks before may be.
            let state = self.real.path(&format!("state-{}", block.line));
            let _ = writeln!(script, "export XDG_STATE_HOME='{}'", state.display());
        }
        for example in examples {
            // A transcript has all that it needs.
            for (_, before) in BEFORE.iter().filter(|(words, _)| !is_transcript && example.command.contains(words)) {
                let _ =
                    writeln!(script, "{{ {before}\n}} >before.log 2>&1 || {{ printf 'before: '; cat before.log; }}");
            }
            let _ = write!(script, "printf '\\036'\n{}printf '\\036%s\\036' $?\n", example.command);
            if !is_transcript {
                script.push_str("settle >/dev/null 2>&1\n");
            }
        }
        script.push_str("settle >/dev/null 2>&1\n");
        self.substituted(&script)
    }

    /// Runs the examples of one block in one shell at a terminal; gives of each its code and what it printed.
    fn run(&self, block: &Block, examples: &[Example]) -> Vec<(i32, String)> {
        let script = self.script(block, examples);
        self.assert_is_ours(&script);
        let script = self.real.write(&format!("block-{}.sh", block.line), script);
        let terminal = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/terminal");
        let environment = self.real.command::<&str>(&[]);
        let mut shell = Command::new(terminal);
        shell.args(["none", "-", "bash", script.to_str().unwrap()]).env_clear().stdin(Stdio::null());
        shell.envs(environment.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let text = String::from_utf8_lossy(&shell.output().expect("the terminal runs").stdout).into_owned();
        let parts: Vec<&str> = text.split('\u{1e}').collect();
        assert_eq!(parts.len(), examples.len() * 3 + 1, "line {}: the shell ended early:\n{text}", block.line);
        let answer = |part: &[&str]| (part[2].parse().unwrap(), format!("{}{}", before_words(part[0]), part[1]));
        parts.chunks_exact(3).map(answer).collect()
    }
}

/// What a preparation that failed has printed.
fn before_words(text: &str) -> String {
    text.split_once("before: ").map_or_else(String::new, |(_, said)| format!("before it: {said}\n"))
}

/// What is wrong with a block, for a person.
fn run_block(readme: &Readme, block: &Block) -> Vec<String> {
    let Some(mut examples) = examples(block) else {
        return vec![format!(
            "line {}: nothing can run this block of {:?}:\n{}",
            block.line, block.language, block.text
        )];
    };
    examples.retain(|example| {
        let reason = NOT_RUN.iter().find(|(words, _)| example.command.contains(words));
        if let Some((_, reason)) = reason {
            crate::support::skipped(&format!("line {}: {}: {reason}", block.line, example.command.trim_end()));
        }
        reason.is_none()
    });
    let mut wrong = Vec::new();
    for (example, (code, printed)) in examples.iter().zip(readme.run(block, &examples)) {
        if code != 0 {
            wrong.push(format!("line {}: ended with {code}:\n{}{printed}", block.line, example.command));
        } else if let Some(shown) = &example.shown {
            let (shown, printed) = (readme.comparable(shown), readme.comparable(&printed));
            if shown != printed {
                wrong.push(format!("line {}: {}shown:\n{shown}printed:\n{printed}", block.line, example.command));
            }
        }
    }
    wrong
}

/// Runs every block of a page.
#[track_caller]
fn assert_runs(page: &str) {
    for program in ["jq", "make"] {
        let found = Command::new(program).arg("--version").output();
        assert!(found.is_ok_and(|output| output.status.success()), "the examples of {page} need {program}");
    }
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let readme = Readme::new();
    let wrong: Vec<String> = blocks(&text).iter().flat_map(|block| run_block(&readme, block)).collect();
    assert!(wrong.is_empty(), "in {page}:\n\n{}", wrong.join("\n"));
}

#[test]
fn every_block_of_code_in_the_readme_runs_and_prints_what_is_shown() {
    assert_runs("README.md");
}

#[test]
fn every_block_of_code_in_the_cookbook_runs() {
    assert_runs("docs/cookbook.md");
}
