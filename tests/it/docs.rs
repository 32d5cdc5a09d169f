//! The pages in `docs` name tests that exist.

use std::collections::BTreeSet;
use std::path::Path;

/// The path of each test below `dir`, such as `faults::disk::on_a_full_disk_nothing_is_started`.
fn tests(dir: &Path, module: &str, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let inner = if name == "mod" { module.to_owned() } else { format!("{module}{name}::") };
        if path.is_dir() {
            tests(&path, &inner, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let functions = text.lines().filter_map(|line| line.strip_prefix("fn ")?.split_once('('));
            found.extend(functions.map(|(function, _)| format!("{inner}{function}")));
        }
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = BTreeSet::new();
    tests(&root.join("tests/it"), "", &mut known);
    let page = std::fs::read_to_string(root.join("docs/promises.md")).unwrap();
    let named: Vec<&str> = page.split('`').filter(|word| word.contains("::")).collect();
    assert!(named.len() > 50, "the page names tests");
    let missing: Vec<&&str> = named.iter().filter(|name| !known.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
