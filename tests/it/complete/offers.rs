//! What is offered, and what it costs.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::support::fake::Fake;
use crate::support::wait_until;

/// Without the age, which differs.
fn about(described: &[(String, String)], word: &str) -> String {
    let (_, about) = described.iter().find(|(offered, _)| offered == word).expect(word);
    about.rsplit_once(", ").unwrap_or_default().0.to_owned()
}

#[test]
fn runs_are_offered_by_name_and_id_with_status_and_without_the_engine() {
    let fake = Fake::new();
    let ended = fake.ended_run_with("exit 3", &["--name", "nightly"]);
    let plain = fake.ended_run("true");
    let running = fake.start_gated_with("true", &["--name", "train"]);
    fake.forget_calls();
    let described = fake.offered("longshore exec logs ");
    let words: Vec<&str> = described.iter().map(|(word, _)| word.as_str()).collect();
    assert_eq!(words, ["train", &running, &plain, "nightly", &ended, "latest"]);
    assert_eq!(about(&described, "train"), format!("{running}, running"));
    assert_eq!(about(&described, &running), "train, running");
    assert_eq!(about(&described, &plain), "succeeded");
    assert_eq!(about(&described, "nightly"), format!("{ended}, failed"));
    assert!(described.iter().all(|(word, about)| about.ends_with(" ago") || word == "latest"), "{described:?}");
    // A name means the newest run that has it.
    let newer = fake.ended_run_with("true", &["--name", "nightly"]);
    assert_eq!(about(&fake.offered("longshore exec logs ni"), "nightly"), format!("{newer}, succeeded"));
    assert_eq!(fake.words(&format!("longshore exec logs {}", &ended[..8])), [ended]);
    let asked: Vec<String> = fake.calls().into_iter().filter(|call| call.contains("json .Names")).collect();
    assert_eq!(asked, Vec::<String>::new());
    fake.open_gate();
    fake.end_of(&running);
}

#[test]
fn each_verb_offers_what_fits_it() {
    let fake = Fake::new();
    let running = fake.start_gated("true");
    let ended = fake.ended_run("true");
    let all = |words: [&str; 2]| [&words[..], &["latest"]].concat().iter().map(|word| (*word).to_owned()).collect();
    let cases: [(&str, Vec<String>); 6] = [
        ("stop", vec![running.clone()]),
        ("kill", vec![running.clone()]),
        ("wait", all([&running, &ended])),
        ("logs", all([&ended, &running])),
        ("forget", all([&ended, &running])),
        ("inspect", all([&ended, &running])),
    ];
    for (verb, expected) in cases {
        assert_eq!(fake.words(&format!("longshore exec {verb} ")), expected, "{verb}");
    }
    // What is on the line already is not offered again.
    assert_eq!(fake.words(&format!("longshore exec wait {running} ")), [ended.as_str(), "latest"]);
    assert_eq!(fake.words(&format!("longshore exec stop {running} ")), Vec::<String>::new());
    assert_eq!(fake.words("longshore exec run --image=x --timeout "), Vec::<String>::new());
    fake.open_gate();
    fake.end_of(&running);
}

#[test]
fn of_many_jobs_the_newest_are_offered_and_the_others_once_a_part_is_typed() {
    let fake = Fake::new();
    fake.leaves_unsound("the jobs are copies");
    let first = fake.ended_run("true");
    let read = |file: &str| std::fs::read_to_string(fake.job("run", &first).join(file)).unwrap();
    let (record, exit) = (read("job.json"), read("exit.json"));
    for number in 0..150 {
        let id = format!("{number:012}");
        let mut record: serde_json::Value = serde_json::from_str(&record).unwrap();
        record["id"] = json!(id);
        record["name"] = json!(format!("job-{number}"));
        record["created"] = json!(format!("2020-01-01T00:{:02}:{:02}Z", number / 60, number % 60));
        let dir = fake.job("run", &id);
        std::fs::create_dir(&dir).unwrap();
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::write(dir.join("job.json"), record.to_string()).unwrap();
        std::fs::write(dir.join("exit.json"), &exit).unwrap();
    }
    let words = fake.words("longshore exec logs ");
    // The newest has no name, and each of the others has two words.
    assert_eq!(words.len(), 1 + 99 * 2 + 1);
    assert_eq!((words[0].as_str(), words[1].as_str(), words[199].as_str()), (first.as_str(), "job-149", "latest"));
    assert!(!words.contains(&"job-3".to_owned()));
    let described = fake.offered("longshore exec logs job-3");
    assert_eq!(described.len(), 11);
    assert_eq!(about(&described, "job-3"), "000000000003, succeeded");
    // Beyond a hundred, the exit record is not read.
    let described = fake.offered("longshore exec logs job-");
    assert_eq!(described.len(), 150);
    assert_eq!(
        (about(&described, "job-149"), about(&described, "job-3")),
        ("000000000149, succeeded".into(), "000000000003, exited".into())
    );
}

#[test]
fn builds_are_offered_by_name_and_by_id_once_it_is_begun() {
    let fake = Fake::new();
    let done = fake.build("web");
    fake.end_of_build("web");
    let running = fake.build_gated("api:2");
    assert_eq!(fake.words("longshore image wait "), ["api:2", "web", "latest"]);
    assert_eq!(fake.words("longshore image cancel "), ["api:2", "latest"]);
    assert_eq!(fake.words("longshore image create "), ["api:2", "web"]);
    assert_eq!(fake.words("longshore image logs web:"), ["web:latest"]);
    assert_eq!(fake.words(&format!("longshore image status {}", &done[..8])), [done]);
    assert_eq!(about(&fake.offered("longshore image logs api"), "api:2"), format!("{running}, running"));
    fake.open_gate();
    fake.end_of_build("api:2");
}

#[test]
fn the_names_of_groups_are_offered() {
    let fake = Fake::new();
    let args = fake.run_args("exit 0", &["--each", "n=1,2", "--group", "rates", "--wait", "--", "{n}"]);
    fake.run(&args).code(0);
    fake.ended_run_with("exit 0", &["--group", "nightly"]);
    for line in ["exec list --group ", "exec run --group ", "wait --group ", "prune --group ", "exec forget --group "] {
        assert_eq!(fake.words(&format!("longshore {line}")), ["nightly", "rates"], "{line}");
    }
    assert_eq!(fake.words("longshore exec list --filter group=r"), ["group=rates"]);
    assert_eq!(about(&fake.offered("longshore wait --group r"), "rates"), "2 runs");
}

#[test]
fn a_forgotten_job_is_not_offered() {
    let fake = Fake::new();
    let running = fake.start_gated_with("true", &["--name", "train"]);
    fake.run(&["exec", "forget", &running]).code(0);
    assert_eq!(fake.words("longshore exec wait "), Vec::<String>::new());
    fake.open_gate();
}

#[test]
fn filters_labels_and_fixed_values_are_offered() {
    let fake = Fake::new();
    let id = fake.ended_run_with("true", &["--name", "nightly", "--label", "team=blue sky", "--label", "gpu="]);
    for (line, expected) in [
        ("exec list --filter ", &["group=", "id=", "image=", "label=", "name=", "outcome=", "queue=", "status="][..]),
        ("exec list --filter=st", &["--filter=status="]),
        ("exec list --filter status=f", &["status=failed"]),
        ("exec list --filter label=", &["label=gpu", "label=gpu=", "label=team", "label=team=blue sky"]),
        ("exec list --filter \"label=team=", &["label=team=blue sky"]),
        ("exec list --filter image=", &["image=base"]),
        ("exec list --filter name=n", &["name=nightly"]),
        ("exec list --status fa", &["failed"]),
        ("exec run --label t", &["team=blue sky"]),
        ("exec kill -s TE", &["TERM"]),
        ("exec kill --signal=SIGH", &["--signal=SIGHUP"]),
        ("container kill --signal RTMAX-14", &["RTMAX-14"]),
        ("container list --filter status=r", &["status=restarting", "status=running", "status=removing"]),
        ("container list --status ex", &["exited"]),
        ("container create --pull a", &["always"]),
        ("image list --filter dangling=", &["dangling=true", "dangling=false"]),
        ("--color=n", &["--color=never"]),
        ("completions z", &["zsh"]),
        ("exec s", &["status", "stop", "stats"]),
        ("exec list --sta", &["--status"]),
        (
            "exec wait -",
            &["--group", "--any", "--timeout", "--help", "--json", "--verbose", "--context", "--host", "--color"],
        ),
        // What is hidden stays so, and what is wrong has nothing to offer.
        ("__", &[]),
        ("nonsense ", &[]),
        ("exec list --filter nonsense=", &[]),
    ] {
        assert_eq!(fake.words(&format!("longshore {line}")), expected, "{line}");
    }
    assert_eq!(fake.words("longshore exec list --filter id="), [format!("id={id}")]);
}

#[test]
fn a_main_file_is_sought_in_the_source_directory() {
    let fake = Fake::new();
    fake.write("my src/main.py", "");
    fake.write("my src/jobs/report.py", "");
    fake.write("my src/.hidden.py", "");
    fake.write("other.py", "");
    let line = |main: &str| format!("longshore exec run --src 'my src' --main {main}");
    assert_eq!(fake.words(&line("")), ["jobs/", "main.py"]);
    assert_eq!(fake.words(&line("jobs/r")), ["jobs/report.py"]);
    assert_eq!(fake.words(&line(".h")), [".hidden.py"]);
    assert_eq!(fake.words(&line("../")), Vec::<String>::new());
    assert_eq!(fake.words(&line("/")), Vec::<String>::new());
}

#[test]
fn groups_and_extras_are_those_of_the_project_on_the_line() {
    let fake = Fake::new();
    fake.write(
        "my project.toml",
        "[project.optional-dependencies]\nfast = []\n[dependency-groups]\ntest = []\ndocs = []\n",
    );
    fake.write("broken.toml", "[dependency-groups\n");
    for (line, expected) in [
        ("--pyproject 'my project.toml' --group ", &["docs", "test"][..]),
        ("--group=test --pyproject='my project.toml' --group=t", &["--group=test"]),
        ("--pyproject 'my project.toml' --extra ", &["fast"]),
        ("--pyproject broken.toml --group ", &[]),
        ("--pyproject missing.toml --group ", &[]),
        ("--pyproject /dev/zero --group ", &[]),
        ("--group ", &[]),
    ] {
        assert_eq!(fake.words(&format!("longshore image create web {line}")), expected, "{line}");
    }
}

#[test]
fn containers_images_and_contexts_come_from_docker() {
    let mut fake = Fake::new();
    // Unlike the fake's, this one says which engine it was called for.
    let docker = fake.write("docker", "#!/bin/sh\necho \"$@\" >>calls\nshift 2\nexec cat \"answer-$1\"\n");
    std::fs::set_permissions(&docker, std::fs::Permissions::from_mode(0o755)).unwrap();
    fake.set("LONGSHORE_DOCKER", &docker);
    let container = |names: &str, id: &str, state: &str| {
        let labels = "com.example.tier=web,empty=";
        json!({"names": names, "id": id, "image": "nginx", "state": state, "status": "Up", "labels": labels})
    };
    let containers = [container("web,other/web", "aaa111", "running"), container("db", "bbb222", "exited")];
    let images = [("web", "latest"), ("repo/web", "1"), ("<none>", "<none>"), ("web", "<none>")]
        .map(|(name, tag)| json!({"name": name, "tag": tag, "since": "2 days ago", "size": "120MB"}));
    let lines = |values: &[serde_json::Value]| values.iter().map(|value| format!("{value}\n")).collect::<String>();
    fake.write("answer-ps", lines(&containers));
    fake.write("answer-image", lines(&images));
    fake.write("answer-volume", lines(&[json!("cache"), json!("db data")]));
    fake.write("answer-context", lines(&[json!({"name": "default", "endpoint": "unix:///var/run/docker.sock"})]));
    // On a busy machine docker may take longer than a completion waits. Then nothing is offered, and it is asked again.
    let answered = |line: &str| {
        let mut offered = Vec::new();
        wait_until(line, || {
            offered = fake.offered(&format!("longshore {line}"));
            !offered.is_empty()
        });
        offered
    };
    for (line, expected) in [
        ("container stop ", &["web"][..]),
        ("container kill ", &["web"]),
        ("container start ", &["db"]),
        ("container rm ", &["web", "db"]),
        ("container rm web ", &["db"]),
        ("container inspect a", &["aaa111"]),
        ("container list --filter name=", &["name=web", "name=db"]),
        ("container list --filter label=e", &["label=empty", "label=empty="]),
        ("container list --filter label=com.example.tier=", &["label=com.example.tier=web"]),
        ("exec run --image ", &["web", "repo/web:1"]),
        ("image create x --base=web:", &["--base=web:latest"]),
        ("container create --image re", &["repo/web:1"]),
        ("container list --filter ancestor=r", &["ancestor=repo/web:1"]),
        ("--context d", &["default"]),
        ("image copy re", &["repo/web:1"]),
        ("image copy web --to d", &["default"]),
        ("exec run -v c", &["cache:"]),
        ("exec run --volume=", &["--volume=./", "--volume=/", "--volume=cache:", "--volume=db data:"]),
    ] {
        let words: Vec<String> = answered(line).into_iter().map(|(word, _)| word).collect();
        assert_eq!(words, expected, "{line}");
    }
    assert_eq!(answered("container stop ")[0].1, "nginx, Up");
    std::fs::remove_file(fake.path("calls")).unwrap();
    answered("--context far container stop ");
    answered("container stop --host=tcp://x ");
    let calls = std::fs::read_to_string(fake.path("calls")).unwrap();
    let mut engines: Vec<&str> = calls.lines().map(|call| call.split(" ps ").next().unwrap()).collect();
    engines.dedup();
    assert_eq!(engines, ["--context far", "--host tcp://x"]);
}

#[test]
fn an_engine_that_fails_or_hangs_has_nothing_to_offer_and_says_nothing() {
    let mut fake = Fake::new();
    let lines = ["container stop ", "exec run --image ", "container list --filter label=", "--context "];
    let nothing = |fake: &Fake| {
        for line in lines {
            assert_eq!(fake.words(&format!("longshore {line}")), Vec::<String>::new(), "{line}");
        }
    };
    fake.take_engine_down();
    nothing(&fake);
    fake.bring_engine_up();
    fake.scenario(json!({"rules": [{"call": "", "stdout": "{\"names\": 1}\nnonsense\n\u{1b}[2J"}]}));
    nothing(&fake);
    fake.scenario(json!({"rules": [{"call": "", "hang": true}]}));
    nothing(&fake);
    fake.set("LONGSHORE_DOCKER", "/nonexistent/docker");
    nothing(&fake);
}

#[test]
fn a_state_directory_that_cannot_be_used_has_nothing_to_offer_and_says_nothing() {
    let fake = Fake::new();
    let lines = ["exec wait ", "image logs ", "exec list --filter label=", "exec run --label "];
    let nothing = |why: &str| {
        for line in lines {
            assert_eq!(fake.words(&format!("longshore {line}")), Vec::<String>::new(), "{why}: {line}");
        }
    };
    nothing("there is none");
    assert!(!fake.path("state").exists(), "it was made");
    fake.write("state/longshore", "");
    nothing("it is a file");
    std::fs::remove_file(fake.path("state/longshore")).unwrap();
    std::fs::create_dir(fake.path("state/longshore")).unwrap();
    std::fs::set_permissions(fake.path("state/longshore"), std::fs::Permissions::from_mode(0o777)).unwrap();
    nothing("others can write to it");
    std::fs::remove_dir(fake.path("state/longshore")).unwrap();
}

#[test]
fn a_damaged_job_costs_only_its_description() {
    let fake = Fake::new();
    let [damaged, whole] = [fake.ended_run("true"), fake.ended_run("true")];
    fake.leaves_unsound("a record is damaged");
    std::fs::write(fake.job("run", &damaged).join("job.json"), "{").unwrap();
    std::fs::write(fake.job("run", &damaged).join("exit.json"), "{").unwrap();
    std::fs::create_dir(fake.jobs("run").join("not-a-job")).unwrap();
    let described = fake.offered("longshore exec logs ");
    let words: Vec<&str> = described.iter().map(|(word, _)| word.as_str()).collect();
    assert_eq!(words, [&whole, &damaged, "latest"]);
    assert_eq!(described[1].1, "corrupt");
}

#[test]
fn queues_are_offered_by_name_with_the_number_of_their_jobs() {
    let fake = Fake::new();
    assert_eq!(fake.words("longshore queue pause "), Vec::<String>::new());
    fake.run(&["queue", "set", "nightly"]).code(0);
    let id = fake.start_gated_with("true", &["--queue", "gpu"]);
    let names = ["gpu", "nightly"];
    for line in
        ["queue pause ", "queue resume ", "queue rm ", "queue set ", "exec run --queue ", "image create --queue "]
    {
        assert_eq!(fake.words(&format!("longshore {line}")), names, "{line}");
    }
    assert_eq!(fake.words("longshore exec run --queue=g"), ["--queue=gpu"]);
    assert_eq!(fake.words("longshore ps --filter queue="), names.map(|name| format!("queue={name}")));
    assert_eq!(fake.words("longshore queue rm gpu "), ["nightly"]);
    for line in ["exec run --after ", "exec run --after-any ", "image create --after "] {
        let words = fake.words(&format!("longshore {line}"));
        assert!(words.contains(&id), "{line}: {words:?}");
    }
    assert_eq!(fake.words("longshore exec run --priority "), Vec::<String>::new());
    fake.open_gate();
    fake.end_of(&id);
}
