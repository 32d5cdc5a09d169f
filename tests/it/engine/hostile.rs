//! Hostile text that is carried reaches the program and the image exactly, and nothing acts on it on the way.

use serde_json::{Value, json};

use crate::support::hostile::HOSTILE;
use crate::support::real::{Client, Real};

/// What text without a NUL can be: every piece, and 64 KiB.
fn carried() -> Vec<String> {
    let pieces = HOSTILE.iter().filter(|piece| !piece.contains('\0')).map(|piece| (*piece).to_owned());
    pieces.chain(["x".repeat(1 << 16)]).collect()
}

/// The text as a word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Builds an image with all of it in commands and labels, and runs a program in it that tells what has become of it.
fn is_carried_by(client: Client) {
    let real = Real::with(client);
    let (name, texts) = (real.name("hostile"), carried());
    let commands: String = texts
        .iter()
        .enumerate()
        .map(|(number, text)| {
            format!("# {}\nprintf %s {} >/carried-{number}\n", text.replace(['\n', '\r'], " "), quoted(text))
        })
        .collect();
    let mut labels = real.labels();
    let short = texts.iter().filter(|text| text.len() < 4096 && !text.contains(char::is_control));
    // In one, because the legacy builder makes a layer of each label.
    labels["text"] = json!(short.map(String::as_str).collect::<String>());
    let recipe = json!({"name": name, "baseImage": Real::base(), "labels": &labels, "additionalCommand": commands});
    real.run_with(&["image", "create", "--spec", "-", "--wait"], recipe.to_string().as_bytes()).code(0);
    let label = real.docker_says(&["image", "inspect", "--format", "{{json .Config.Labels.text}}", &name]);
    assert_eq!(serde_json::from_str::<Value>(&label).unwrap(), labels["text"], "{client:?}");
    let read = "[open(f'/carried-{number}', newline='').read() for number in range(int(sys.argv[1]))]";
    let source = real.source(&format!("import json, os, sys; print(json.dumps([os.path.exists('/pwned'), {read}]))"));
    let count = texts.len().to_string();
    let ran = real.run(&real.run_args_in(&name, &source, &["--follow", "--", &count])).code(0);
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), json!([false, texts]), "{client:?}");
}

#[test]
fn hostile_text_of_a_build_is_carried_exactly_by_the_legacy_builder() {
    is_carried_by(Client::Legacy);
}

#[test]
fn hostile_text_of_a_build_is_carried_exactly_by_the_buildkit_of_an_old_client() {
    is_carried_by(Client::BuildkitOld);
}

#[test]
fn hostile_text_of_a_build_is_carried_exactly_by_buildx() {
    is_carried_by(Client::Buildx);
}

#[test]
fn hostile_text_of_a_run_is_carried_exactly() {
    let real = Real::new();
    let texts = carried();
    // Names of files: the longest is 255 bytes. Mount paths have no carriage return, main files no control character.
    let names = texts.iter().filter(|text| text.len() < 200 && !text.contains(['/', '\r']));
    let odd = names.clone().map(String::as_str).collect::<String>().chars().take(80).collect::<String>();
    let main: String = odd.chars().filter(|c| !c.is_control()).collect::<String>() + ".py";
    let code = "import json, os, sys\nvalues = [os.environ[f'TEXT{n}'] for n in range(int(sys.argv[1]))]\n\
                print(json.dumps([os.path.exists('/pwned'), sys.argv[2:], values, sys.argv[0], open('/app/data/in').read()]))\n";
    real.write(&format!("src {odd}/{main}"), code);
    let input = real.write(&format!("in {odd}/in"), "given").parent().unwrap().to_owned();
    let environment: serde_json::Map<String, Value> =
        texts.iter().enumerate().map(|(number, text)| (format!("TEXT{number}"), json!(text))).collect();
    let arguments = [&[texts.len().to_string()], &texts[..]].concat();
    let spec = json!({
        "srcPath": real.path(&format!("src {odd}")), "mainSrc": main, "imageTag": Real::base(), "inputPath": input,
        "args": arguments, "env": environment, "labels": real.labels(),
    });
    let ran = real.run_with(&["exec", "run", "--spec", "-", "--follow"], spec.to_string().as_bytes()).code(0);
    let seen: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(seen, json!([false, texts, texts, main, "given"]));
}
