//! An output that cannot be copied when the run ends: the run has failed, its container stays, and a later copy mends that.

use serde_json::json;

use super::{SHIP, job};
use crate::support::real::Real;
use crate::support::{schema, wait_until};

/// A run whose output directory is gone when it ends.
fn unfetched(real: &Real, more: &[&str]) -> String {
    let more = [&SHIP[..], &["-e", "PAUSE=0.2", "-e", "LINES=8"], more].concat();
    let id = real.run(&job(real, "out", &more)).code(0).id();
    wait_until("the program has begun", || real.says(&id, "line 0\n"));
    std::fs::remove_dir(real.path("out")).unwrap();
    std::fs::write(real.path("out"), "no directory").unwrap();
    id
}

#[test]
fn a_run_whose_output_is_missing_has_failed_until_it_is_fetched() {
    let real = Real::new();
    let stamp = real.path("stamp");
    let id = unfetched(&real, &["--stamp", stamp.to_str().unwrap()]);
    real.run(&["exec", "fetch", &id]).code(1);
    let (view, code) = real.wait(&id);
    assert_eq!((&view["outcome"], &view["exitCode"], code), (&json!("failed"), &json!(0), 1), "{view:#}");
    assert!(view["reason"].as_str().unwrap().starts_with(&format!("could not fetch the output of run {id}: ")));
    assert!(view["hint"].as_str().unwrap().ends_with(&format!("longshore exec fetch {id}")), "{view:#}");
    assert_eq!(real.containers().len(), 1);
    assert!(!stamp.exists());
    // Nothing was written, and a sweep changes nothing.
    assert_eq!(std::fs::read(real.path("out")).unwrap(), b"no directory");
    real.run(&["doctor", "--fix"]);
    assert_eq!(real.containers().len(), 1);
    let again = real.run(&["exec", "fetch", &id]).code(1);
    assert!(again.stderr.starts_with("error: could not fetch the output of run "), "{}", again.stderr);
    std::fs::remove_file(real.path("out")).unwrap();
    std::fs::create_dir(real.path("out")).unwrap();
    let fetched = real.run(&["exec", "fetch", &id, "--json"]).code(0).json();
    let fetched = schema::validated("exec-fetch", fetched);
    assert_eq!((&fetched["id"], &fetched["bytes"]), (&json!(id), &json!(256_011)), "{fetched:#}");
    assert_eq!(std::fs::metadata(real.path("out/result.bin")).unwrap().len(), 256_000);
    let (view, code) = real.wait(&id);
    assert_eq!((&view["outcome"], &view["reason"], code), (&json!("succeeded"), &json!(null), 0), "{view:#}");
    assert!(stamp.exists());
    assert_eq!(real.containers(), Vec::<String>::new());
    let again = real.run(&["exec", "fetch", &id]).code(1);
    assert!(again.stderr.contains("it was fetched before"), "{}", again.stderr);
}

#[test]
fn an_output_is_fetched_into_another_directory_and_a_failed_program_stays_failed() {
    let real = Real::new();
    let id = unfetched(&real, &["-e", "CODE=4"]);
    let (view, code) = real.wait(&id);
    assert_eq!((&view["outcome"], code), (&json!("failed"), 4), "{view:#}");
    let elsewhere = real.path("else/where");
    real.run(&["exec", "fetch", &id, "--output", elsewhere.to_str().unwrap()]).code(0);
    assert_eq!(std::fs::metadata(elsewhere.join("result.bin")).unwrap().len(), 256_000);
    let (view, code) = real.wait(&id);
    assert_eq!((&view["outcome"], &view["reason"], code), (&json!("failed"), &json!(null), 4), "{view:#}");
    assert_eq!(real.containers(), Vec::<String>::new());
}

#[test]
fn a_run_that_is_forgotten_takes_its_output_with_it() {
    let real = Real::new();
    let id = unfetched(&real, &[]);
    let (view, _) = real.wait(&id);
    assert_eq!(view["unfetched"], json!(true), "{view:#}");
    // Only who names it means it.
    for args in [&["prune", "--older-than", "0s"][..], &["exec", "forget", "--status", "failed"]] {
        let kept = real.run(&[args, &["--json"]].concat()).code(0);
        assert_eq!(kept.json()["kept"]["unfetched"], 1, "{}", kept.stdout);
    }
    assert_eq!(real.containers().len(), 1);
    real.run(&["exec", "forget", &id]).code(0);
    wait_until("the container is gone", || real.containers().is_empty());
}

#[test]
fn there_is_nothing_to_fetch_of_a_run_here_or_without_an_output() {
    let real = Real::new();
    let here = real.finish("print(1)", &[]).code(0).json()["id"].as_str().unwrap().to_owned();
    let refused = real.run(&["exec", "fetch", &here]).code(2);
    assert!(refused.stderr.contains("so there is nothing to copy"), "{}", refused.stderr);
    let there = real.finish("print(1)", &SHIP).code(0).json()["id"].as_str().unwrap().to_owned();
    let refused = real.run(&["exec", "fetch", &there]).code(2);
    assert!(refused.stderr.contains("it has no output directory"), "{}", refused.stderr);
}
