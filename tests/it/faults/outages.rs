//! What an engine that was restarted says of a run is believed only where something supports it: its own memory of the
//! run, or the client's exit code.

use serde_json::json;

use crate::support::fake::Fake;

/// How often the engine was asked what it remembers.
fn questions(fake: &Fake) -> usize {
    fake.calls().iter().filter(|call| call.starts_with("events ")).count()
}

#[test]
fn a_log_that_nobody_watched_is_whole_only_if_the_engine_remembers_the_start() {
    for (forgets, state) in [(false, "recovered"), (true, "unverified")] {
        let fake = Fake::new();
        let id = fake.start_unattended("echo more; exit 5");
        fake.open_gate();
        fake.wait_for_container_end(&id);
        fake.scenario(json!({"forgets": forgets}));
        let view = fake.end_of(&id);
        assert_eq!((&view["exitCode"], &view["log"]), (&5.into(), &state.into()), "{view}");
        assert_eq!(fake.log(&id), b"on\nmore\n");
        assert_eq!(fake.containers(), Vec::<String>::new(), "nothing of it is only there");
        assert_eq!(questions(&fake), 1);
        let said = fake.run(&["exec", "logs", &id]).code(0).stderr;
        let note = "note: log: unverified: the engine may have been restarted while it ran, and may have lost lines\n";
        assert_eq!(said, if forgets { note } else { "" });
    }
}

#[test]
fn an_adopted_run_is_watched_from_the_moment_in_which_the_engine_remembers_its_start() {
    for (before, after, state) in [(false, true, "complete"), (true, true, "unverified"), (true, false, "complete")] {
        let fake = Fake::new();
        let id = fake.start_unattended("exit 5");
        fake.scenario(json!({"forgets": before}));
        fake.run(&["exec", "inspect", &id]).code(0);
        crate::support::wait_until("the new supervisor has asked and waits", || {
            questions(&fake) > 0 && fake.calls().iter().any(|call| call.starts_with("wait "))
        });
        fake.scenario(json!({"forgets": after}));
        fake.open_gate();
        let view = fake.end_of(&id);
        assert_eq!((&view["exitCode"], &view["log"]), (&5.into(), &state.into()), "{before} {after}: {view}");
    }
}

#[test]
fn a_restart_that_nobody_noticed_leaves_no_log_called_whole() {
    let fake = Fake::new();
    let id = fake.start_gated("exit 5");
    fake.kill(fake.client(&id));
    crate::support::wait_until("the supervisor waits", || fake.calls().iter().any(|call| call.starts_with("wait ")));
    // Its `docker wait` ends as it does with the engine, which answers again before the next question.
    let waiting = fake.processes().into_iter().find(|process| process.command.contains(" wait ")).unwrap();
    fake.scenario(json!({"forgets": true}));
    fake.kill(waiting.pid);
    fake.open_gate();
    let view = fake.end_of(&id);
    assert_eq!((&view["exitCode"], &view["log"]), (&5.into(), &"unverified".into()), "{view}");
}

#[test]
fn a_zero_that_the_client_did_not_report_must_have_been_seen_by_the_engine() {
    // The engine's version, the client's code, whether the engine remembers the end, the outcome, and the questions.
    for (version, client, forgets, outcome, asked) in [
        ("20.10.24", 3, true, "lost", 2),
        ("20.10.24", 125, true, "lost", 2),
        ("20.10.24", 125, false, "succeeded", 1),
        ("20.10.24", 0, true, "succeeded", 0),
        ("28.2.2", 125, true, "succeeded", 0),
    ] {
        let fake = Fake::new();
        fake.scenario(json!({"serverVersion": version, "client": {"exit": client}, "forgets": forgets}));
        let id = fake.start("echo on; exit 0");
        let view = fake.end_of(&id);
        assert_eq!(view["outcome"], outcome, "{version} {client} {forgets}: {view}");
        assert_eq!(questions(&fake), asked, "{version} {client} {forgets}");
        if outcome == "lost" {
            let why = "the engine was restarted about when it ended, so the engine's exit code 0 is not reliable";
            assert!(view["reason"].as_str().unwrap().starts_with(why), "{view}");
            fake.run(&["exec", "wait", &id]).code(125);
        }
    }
}
