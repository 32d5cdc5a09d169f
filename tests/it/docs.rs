//! The pages in `docs` name tests that exist, and leave no case of a fault out. Man pages are clean for the programs that
//! show them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Adds the tests of the Rust files below `dir`, such as `faults::disk::on_a_full_disk_nothing_is_started`.
fn collect(dir: &Path, module: &str, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let inner = if ["mod", "main"].contains(&name) { module.to_owned() } else { format!("{module}{name}::") };
        if path.is_dir() {
            collect(&path, &inner, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(tests_of(&inner, &std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The tests in the text of a module. One that is indented is in the module `tests` of its file. A file `x_tests.rs`
/// is the module `tests` of `x`.
fn tests_of(module: &str, text: &str) -> Vec<String> {
    let module = module.strip_suffix("_tests::").map_or(module.to_owned(), |module| format!("{module}::tests::"));
    let after_mark = text.split("#[test]\n").skip(1);
    let functions = after_mark.filter_map(|rest| rest.lines().find(|line| line.trim_start().starts_with("fn ")));
    let full = functions.map(|line| {
        let name = line.trim_start().trim_start_matches("fn ").split('(').next().unwrap();
        let inner = if line.starts_with(' ') && !module.ends_with("tests::") { "tests::" } else { "" };
        format!("{module}{inner}{name}")
    });
    full.collect()
}

/// The page of the promises.
fn promises() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/promises.md")).unwrap()
}

#[test]
fn every_test_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = BTreeSet::new();
    collect(&root.join("tests/it"), "", &mut known);
    collect(&root.join("src"), "", &mut known);
    for sample in
        ["docs::every_test_that_is_named_exists", "job::standing::tests::a_terminal_record_wins_over_everything"]
    {
        assert!(known.contains(sample), "{sample} is not found");
    }
    let page = promises();
    let named: Vec<&str> = page.split('`').filter(|word| word.contains("::")).collect();
    assert!(named.len() > 100, "the page names tests");
    let missing: Vec<&&str> = named.iter().filter(|name| !known.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Runs a program on every man page; gives the page's name, stdout and stderr of each. Without the program there is none.
fn for_each_page(program: &str, args: &[&str]) -> Vec<[String; 3]> {
    if Command::new(program).arg("--version").output().is_err() {
        crate::support::skipped(&format!("{program} is not installed"));
        return Vec::new();
    }
    let pages = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("man")).unwrap();
    let pages: Vec<PathBuf> = pages.map(|entry| entry.unwrap().path()).collect();
    assert!(pages.len() > 30, "only {} pages", pages.len());
    let run = |page: &PathBuf| {
        let mut command = Command::new(program);
        command.args(args).arg(page).env("LC_ALL", "C.UTF-8").env("MANROFFSEQ", "").env("MANWIDTH", "80");
        let output = command.stdin(Stdio::null()).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(output.status.success(), "{program}: {}: {out}{err}", page.display());
        [page.display().to_string(), out, err]
    };
    pages.iter().map(run).collect()
}

#[test]
fn man_pages_are_clean_for_mandoc() {
    for [page, out, err] in for_each_page("mandoc", &["-T", "lint", "-W", "all"]) {
        assert_eq!((out.as_str(), err.as_str()), ("", ""), "{page}");
    }
}

#[test]
fn man_pages_are_clean_for_man_and_nothing_in_them_is_hyphenated() {
    for [page, out, err] in for_each_page("man", &["--warnings", "-E", "UTF-8", "-l"]) {
        assert_eq!(err, "", "{page}");
        assert!(!out.contains('\u{2010}'), "{page}: a word is hyphenated:\n{out}");
        for section in ["SYNOPSIS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"] {
            assert!(out.contains(&format!("\n{section}\n")), "{page} has no {section}");
        }
        assert!(out.lines().all(|line| line.chars().count() <= 80), "{page} is too wide:\n{out}");
    }
}

/// Whether the third cell of a case names nothing but tests, or says that there is none and why.
fn is_answered(cell: &str) -> bool {
    let names_tests = cell.split(", ").all(|name| {
        name.strip_prefix('`').and_then(|name| name.strip_suffix('`')).is_some_and(|name| name.contains("::"))
    });
    let says_why = cell.strip_prefix("— not tested: ").is_some_and(|reason| reason.split(' ').count() > 2);
    names_tests || says_why
}

#[test]
fn every_case_is_there_once_and_has_a_test_or_a_reason_for_none() {
    let page = promises();
    let cases = page.split_once("\n## Cases\n").unwrap().1;
    let rows = cases.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| # "));
    let mut numbers = vec![];
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [number, case, tests, ..] = cells[..] else { panic!("not a row of a case: {row}") };
        numbers.push(number.parse::<u32>().unwrap_or_else(|_| panic!("a row without a number: {row}")));
        assert!(!case.is_empty() && is_answered(tests), "neither tests nor a reason: {row}");
    }
    assert_eq!(numbers, (1..=115).collect::<Vec<_>>());
    let groups: Vec<&str> = cases.lines().filter_map(|line| line.strip_prefix("### ")?.split('.').next()).collect();
    assert_eq!(groups, ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K"]);
}
