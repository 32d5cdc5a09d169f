//! Hostile text in every place that takes text: it is refused before anything is written or started, or carried exactly.

use regex::Regex;
use serde_json::{Value, json};

use super::terminal::at_terminal;
use crate::support::fake::{Fake, assert_failure_document};
use crate::support::hostile::{around, assert_dead};

/// The keys of `exec run --spec`, each with a valid value. Two are objects, with a key and a value of their own.
const RUN: [(&str, &str); 23] = [
    ("srcPath", "src"),
    ("mainSrc", "main.py"),
    ("entry", "pkg.module"),
    ("imageTag", "base"),
    ("inputPath", "input"),
    ("outputPath", "output"),
    ("volumes", "./input:/volume"),
    ("volumes", "named:/volume"),
    ("mounts", "type=bind,source=input,target=/mount"),
    ("publish", "127.0.0.1:8080:80"),
    ("cache", "pip"),
    ("args", "word"),
    ("env", "KEY"),
    ("env", "value"),
    ("labels", "key"),
    ("labels", "value"),
    ("name", "train"),
    ("cpus", "1.5"),
    ("memory", "2g"),
    ("gpus", "all"),
    ("network", "bridge"),
    ("timeout", "1h"),
    ("user", "1000:1000"),
];

/// The keys of `image create --spec`.
const RECIPE: [(&str, &str); 10] = [
    ("name", "web"),
    ("baseImage", "base"),
    ("aptInstall", "git"),
    ("pipInstall", "numpy"),
    ("additionalCommand", "true"),
    ("caCert", "ca.pem"),
    ("pipIndexUrl", "https://example.org/simple"),
    ("aptMirror", "https://example.org/debian"),
    ("labels", "key"),
    ("labels", "value"),
];

/// A spec with this text in the place of the valid one.
fn spec(required: &Value, key: &str, valid: &str, text: &str) -> Value {
    let mut spec = required.clone();
    if key == "entry" {
        spec.as_object_mut().unwrap().remove("mainSrc");
    }
    spec[key] = match (key, valid) {
        ("volumes" | "mounts" | "publish" | "args", _) => json!([text]),
        ("env" | "labels", "value") => json!({ "key": text }),
        ("env" | "labels", _) => json!({ text: "value" }),
        _ => json!(text),
    };
    spec
}

/// Every text of a document.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(map) => map.values().flat_map(texts).collect(),
        _ => vec![],
    }
}

/// Gives each text to a command as a spec while no engine answers: a refused one has touched nothing, not even the
/// engine. Then asks what the accepted ones would do, and gives them with that.
fn accepted(command: &[&str], required: &Value, keys: &[(&str, &str)]) -> Vec<(String, String, Value)> {
    let fake = Fake::new();
    let mut accepted = vec![];
    for path in ["src/main.py", "input/in", "ca.pem"] {
        fake.write(path, "");
    }
    fake.take_engine_down();
    for (key, valid) in keys {
        for text in around(valid) {
            if (key.ends_with("Path") || *key == "mainSrc") && !text.contains(['\0', '/']) && text.len() < 200 {
                let name = if *key == "mainSrc" { format!("src/{text}") } else { format!("{text}/main.py") };
                fake.write(&name, "");
            }
            let spec = spec(required, key, valid, &text).to_string();
            let flags = [command, &["--json", "--spec", "-"]].concat();
            let ran = fake.run_with(&flags, spec.as_bytes());
            let (document, shown) = (ran.json(), text.chars().take(40).collect::<String>());
            assert_eq!(document["success"], json!(false), "{key} {shown:?}: {document}");
            if document["error"]["kind"] == "usage" {
                assert_eq!(ran.code, 2, "{key} {shown:?}");
                let mut lines = ran.stderr.lines();
                assert!(lines.next().is_some_and(|line| line.starts_with("error: ")), "{key} {shown:?}: {ran:?}");
                assert!(lines.all(|line| line.starts_with("hint: ")), "{key} {shown:?}: {ran:?}");
                assert_dead(&ran.stderr);
                assert!(!fake.engine("calls.log").exists(), "{key} {shown:?}: docker was asked");
                assert!(!fake.path("state").exists(), "{key} {shown:?}: something was written");
                continue;
            }
            assert_eq!(document["error"]["kind"], "engine-unreachable", "{key} {shown:?}: {document}");
            std::fs::remove_dir_all(fake.path("state")).unwrap();
            fake.bring_engine_up();
            let plan = fake.run_with(&[&flags[..], &["--dry-run"]].concat(), spec.as_bytes()).code(0).json();
            fake.take_engine_down();
            std::fs::remove_file(fake.engine("calls.log")).unwrap();
            accepted.push(((*key).to_owned() + " " + valid, text, plan));
        }
    }
    fake.bring_engine_up();
    accepted
}

/// Of all keys but these, only text is accepted on which nothing acts.
#[track_caller]
fn assert_only_these_are_free(free: &[&str], accepted: &[(String, String, Value)]) {
    let is_plain = |text: &str| text.trim().chars().all(|c| c.is_ascii_alphanumeric() || "._-:/".contains(c));
    for (key, text, _) in accepted {
        assert!(free.contains(&key.as_str()) || is_plain(text) && !text.starts_with('-'), "{key} takes {text:?}");
    }
    let missing = free.iter().find(|key| !accepted.iter().any(|(known, text, _)| known == *key && !is_plain(text)));
    assert_eq!(missing, None, "no hostile text of this key was tried");
}

#[test]
fn hostile_text_of_a_run_is_refused_before_anything_is_done_or_carried_exactly() {
    let required = json!({"srcPath": "src", "mainSrc": "main.py", "imageTag": "base"});
    let accepted = accepted(&["exec", "run"], &required, &RUN);
    let free = [
        "srcPath src",
        "mainSrc main.py",
        "inputPath input",
        "outputPath output",
        "volumes ./input:/volume",
        "volumes named:/volume",
        "mounts type=bind,source=input,target=/mount",
        "args word",
        "env value",
        "labels value",
    ];
    assert_only_these_are_free(&free, &accepted);
    for (key, text, plan) in &accepted {
        // One field of CSV has its quotes doubled. The value of a variable is on no command line. Of a mount, the target is
        // looked for, whose text is at the end.
        let words: Vec<String> = texts(plan).iter().map(|word| word.replace("\"\"", "\"")).collect();
        let told = if key.starts_with("volumes") || key.starts_with("mounts") {
            text.rsplit_once([':', '=']).map_or(text.as_str(), |(_, target)| target)
        } else {
            text.as_str()
        };
        let is_there = words.iter().any(|word| word.contains(told));
        assert_eq!(is_there, key != "env value", "{key} {text:?}: {words:?}");
        let flags = |word: &&String| ["--privileged", "--volume", "-v", "--network=host"].contains(&word.as_str());
        assert_eq!(words.iter().find(flags), None, "{key} {text:?}");
    }
}

#[test]
fn hostile_text_of_a_build_is_refused_before_anything_is_done_or_stays_out_of_the_dockerfile() {
    let required = json!({"name": "web", "baseImage": "base", "aptInstall": "tree", "pipInstall": "six"});
    let accepted = accepted(&["image", "create"], &required, &RECIPE);
    assert_only_these_are_free(&["additionalCommand true", "labels value"], &accepted);
    for (key, text, plan) in &accepted {
        let files = plan["files"].as_object().unwrap();
        let dockerfile = files["Dockerfile"].as_str().unwrap();
        assert!(!dockerfile.contains("pwned") && !dockerfile.contains("evil"), "{key} {text:?}: {dockerfile}");
        // A list begins and ends with its items. Labels are not in files.
        let is_there = files.values().any(|file| file.as_str().unwrap().contains(text.trim()));
        assert!(is_there || key == "labels value", "{key} {text:?}");
    }
}

#[test]
fn a_message_about_text_of_several_lines_is_one_line() {
    let fake = Fake::new();
    for args in [
        vec!["exec", "run", "--image", "base", "--main", "m.py", "--src", "no\nerror: such"],
        vec!["exec", "run", "--spec", "no\nerror: such"],
        vec!["exec", "run", "--env-file", "no\nerror: such"],
        vec!["image", "create", "web", "--base", "base", "--ca-cert", "no\nerror: such"],
    ] {
        let ran = fake.run(&[&args[..], &["--json"]].concat()).code(2);
        assert_failure_document(&ran, "usage");
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains("no\\nerror: such"), "{}", ran.stderr);
        assert!(ran.stderr.lines().skip(1).all(|line| line.starts_with("hint: ")), "{}", ran.stderr);
    }
    let ran = fake.run(&["exec", "logs", "a\nb"]).code(1);
    assert!(ran.stderr.starts_with("error: there is no run \"a\\nb\"\n"), "{}", ran.stderr);
}

#[test]
fn nothing_that_a_job_has_in_it_acts_on_a_terminal() {
    const ESCAPES: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}5n\u{202e}\u{8}\u{feff}";
    let fake = Fake::new();
    let show = |args: &[&str], code: i32| {
        let args: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
        let ran = at_terminal(&fake, &args).code(code);
        // Progress is longshore's own. It is drawn and erased so.
        let progress = Regex::new(r"\r(?:web: [^\x1b\r\n]*\x1b\[K)?\x1b\[J").unwrap();
        let said = progress.replace_all(&ran.stdout, "").into_owned();
        assert_dead(&said);
        said
    };
    let script = format!("printf '%s\\n' '{ESCAPES}' '{ESCAPES}ERROR: it failed'; exit 3");
    fake.scenario(json!({"build": { "script": script }}));
    let label = "note=a\u{202e}b\u{feff}";
    let create = ["image", "create", "web", "--base", "base", "--run", ESCAPES, "--label", label];
    let said = show(&[&create[..], &["--follow"]].concat(), 1);
    assert!(said.contains("ERROR: it failed"), "{said}");
    show(&[&create[..], &["--wait"]].concat(), 1);
    show(&[&create[..], &["--dry-run"]].concat(), 0);
    for verb in ["status", "logs"] {
        show(&["image", verb, "web"], 0);
        show(&["image", verb, "web", "--json"], 0);
    }
    let table = show(&["image", "builds"], 0);
    assert!(table.contains("note=a"), "{table}");
    let argument = format!("{ESCAPES}argument");
    let run = fake.run_args(&format!("printf '%s\\n' '{ESCAPES}'; exit 3"), &["--wait", "--", &argument]);
    show(&run.iter().map(String::as_str).collect::<Vec<_>>(), 3);
    show(&["exec", "list"], 0);
    for flag in ["--no-trunc", "--json"] {
        assert!(show(&["exec", "list", flag], 0).contains("argument"));
    }
    for verb in ["inspect", "logs"] {
        show(&["exec", verb, "latest"], 0);
    }
    show(&["exec", "logs", ESCAPES], 1);
    show(&["exec", ESCAPES], 2);
    show(&["exec", "run", "--src", ESCAPES, "--image", "base", "--main", "m.py"], 2);
    show(&["--verbose", "--context", ESCAPES, "image", "list"], 1);
}
