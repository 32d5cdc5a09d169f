//! What people type from habit: docker's flags and verbs, names with a slip, and commands with half of what they need.

use crate::support::fake::Fake;
use crate::support::snapshots::{snapshot, together};

#[test]
fn a_flag_of_docker_is_answered_with_what_to_do_instead() {
    let fake = Fake::new();
    let cases: [&[&str]; 9] = [
        &["exec", "run", "-P", "--image", "base"],
        &["exec", "run", "--tmpfs", "/scratch", "--image", "base"],
        &["exec", "run", "-it", "base"],
        &["exec", "run", "--epochs", "3"],
        &["image", "create", "-t", "web", "."],
        &["-v", "image", "list"],
        &["image", "-v", "list"],
        &["image", "list", "-v"],
        &["container", "rm", "--forec", "x"],
    ];
    snapshot!(fake, together(cases.map(|args| fake.run(args).code(2))));
    assert_eq!(fake.calls(), Vec::<String>::new());
    let volume = ["container", "create", "--dry-run", "--image", "base", "-v", "/data:/data"];
    let shown = fake.run(&volume).code(0);
    assert!(shown.stdout.contains("--volume") && shown.stderr.is_empty(), "{shown:?}");
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    let fake = Fake::new();
    let cases: [&[&str]; 6] = [
        &["exec", "run"],
        &["exec", "run", "--src", "src"],
        &["exec", "run", "--src", "src", "--main", "main.py"],
        &["image", "create"],
        &["image", "create", "web"],
        &["container", "create", "web"],
    ];
    snapshot!(fake, together(cases.map(|args| fake.run(args).code(2))));
}

#[test]
fn a_status_that_no_container_has_is_refused_before_docker_is_asked() {
    let fake = Fake::new();
    let ran = fake.run(&["container", "list", "--status", "foo"]).code(2);
    assert!(
        ran.stderr.starts_with("error: invalid value 'foo' for '--status <STATUS>' [possible values: created,"),
        "{ran}"
    );
    assert_eq!(fake.calls(), Vec::<String>::new());
}

#[test]
fn the_names_of_verbs_that_others_use_are_known() {
    let fake = Fake::new();
    let id = fake.ended_run("exit 0");
    fake.build("web");
    fake.end_of_build("web");
    let same = |ours: &[&str], theirs: &[&str]| {
        let (ours, theirs) = (fake.run(ours).code(0), fake.run(theirs).code(0));
        assert!(!ours.stdout.is_empty());
        assert_eq!((ours.stdout, ours.stderr), (theirs.stdout, theirs.stderr));
    };
    same(&["exec", "list", "-q"], &["exec", "ls", "-q"]);
    same(&["exec", "list", "-q"], &["exec", "ps", "-q"]);
    same(&["image", "list", "-q"], &["image", "ls", "-q"]);
    assert_eq!(fake.run(&["exec", "rm", &id]).code(0).id(), id);
    let help = |noun| fake.run(&[noun, "--help"]).code(0).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help("exec").contains("[alias: rm]"), "{}", help("exec"));
    // docker's `image rm` removes the image, which `image forget` keeps.
    assert!(!help("image").contains("rm]"), "{}", help("image"));
}

#[test]
fn a_name_or_an_id_with_a_slip_is_answered_with_the_one_that_was_meant() {
    let fake = Fake::new();
    let id = fake.ended_run_with("exit 0", &["--name", "report"]);
    fake.build("web");
    fake.end_of_build("web");
    let hint = |args: &[&str]| fake.run(args).json()["error"]["hint"].as_str().unwrap().to_owned();
    let list = "list them with: longshore exec list";
    assert_eq!(hint(&["exec", "logs", "reprt", "--json"]), format!("did you mean \"report\"? {list}"));
    let slip = format!("{}{}", &id[..11], if id.ends_with('a') { 'b' } else { 'a' });
    assert_eq!(hint(&["exec", "stop", &slip, "--json"]), format!("did you mean \"{id}\"? {list}"));
    assert_eq!(hint(&["exec", "wait", "nothing-near", "--json"]), list);
    let build = hint(&["image", "status", "wbe", "--json"]);
    assert_eq!(build, "did you mean \"web\"? list them with: longshore image builds");
    // One that was forgotten is not offered.
    fake.run(&["exec", "forget", &id]).code(0);
    assert_eq!(hint(&["exec", "logs", "reprt", "--json"]), list);
}
