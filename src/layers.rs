//! A test of the layers of the source: which module may use which.

use std::path::{Path, PathBuf};

/// The layers, lowest first. A module uses only modules of lower layers, so modules of one layer do not use each other: for
/// example `engine` and `job`.
const LAYERS: [&[&str]; 16] = [
    &["fault"],
    &["fs", "parallel", "shell", "terminal"],
    &["invalid"],
    &["units"],
    &["names"],
    &["error"],
    &["env", "envfile", "interrupt", "spec", "stamp"],
    &["recipe", "sweep", "transfer"],
    &["engine", "job"],
    &["log"],
    &["runner"],
    &["supervisor", "survey"],
    &["output"],
    &["help"],
    &["cli"],
    &["commands", "usage"],
];

/// The layers inside `commands`: `jobs` and `stats` are used by the others, which do not use each other.
const COMMANDS: [&[&str]; 2] = [&["jobs", "stats"], &["complete", "container", "doctor", "exec", "image", "queue"]];

/// Every file of the program below `dir` with the text before its tests.
fn sources(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path.file_stem().is_some_and(|name| name.to_string_lossy().ends_with("tests"));
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            let text = std::fs::read_to_string(&path).unwrap();
            let program = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
            found.push((path, program));
        }
    }
}

/// The modules that a text names after this path, such as `crate::`.
fn used<'a>(text: &'a str, path: &'a str) -> impl Iterator<Item = &'a str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let named = code.flat_map(move |line| line.split(path).skip(1));
    named.map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
}

/// Each use in `dir` that the layers do not allow, as `file: module`. `path` is the prefix of the modules' paths.
fn forbidden(dir: &str, path: &str, layers: &[&[&str]]) -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let layer = |module: &str| layers.iter().position(|modules| modules.contains(&module));
    let (mut files, mut found) = (Vec::new(), Vec::new());
    sources(&dir, &mut files);
    for (file, text) in &files {
        let place = file.strip_prefix(&dir).unwrap();
        let module = place.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let Some(ours) = layer(module) else { continue };
        let wrong = used(text, path).filter(|used| *used != module && layer(used).is_some_and(|used| used >= ours));
        found.extend(wrong.map(|used| format!("{}: {used}", place.display())));
    }
    found
}

#[test]
fn a_module_uses_only_modules_of_lower_layers() {
    assert_eq!(forbidden("src", "crate::", &LAYERS), Vec::<String>::new());
    assert_eq!(forbidden("src/commands", "commands::", &COMMANDS), Vec::<String>::new());
}

#[test]
fn a_module_is_named_where_it_is_used() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let group = ["crate::", "{"].concat();
    let grouped = files.iter().filter(|(_, text)| text.contains(&group));
    assert_eq!(grouped.map(|(file, _)| file).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
}

#[test]
fn every_module_has_a_layer() {
    let main = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs")).unwrap();
    let modules = main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let without = modules.filter(|module| {
        !LAYERS.concat().contains(module) && !["layers", "papers", "properties", "schemas"].contains(module)
    });
    assert_eq!(without.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn a_use_is_found_anywhere_in_a_line() {
    let text = "use crate::engine::Engine;\n// crate::fs\nfn f() { crate::job::x(); crate::log::y() }";
    assert_eq!(used(text, "crate::").collect::<Vec<_>>(), ["engine", "job", "log"]);
}
