//! `logs --since`, `--until` and `--timestamps`: the times of lines, with and without the index of the log.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::support::fake::{Fake, is_running};
use crate::support::snapshots::{snapshot, together};
use crate::support::{Ran, schema, wait_until};

fn now() -> DateTime<Utc> {
    Utc::now()
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn index(fake: &Fake, id: &str) -> PathBuf {
    fake.job("run", id).join("log.index")
}

fn samples(fake: &Fake, id: &str) -> u64 {
    std::fs::metadata(index(fake, id)).map_or(0, |data| data.len() / 16)
}

/// Waits until the index of a job covers all of its log.
fn wait_for_index(job: &Path) {
    let covered = || {
        let bytes = std::fs::read(job.join("log.index")).unwrap_or_default();
        let last = bytes.chunks_exact(16).last().map_or([0; 8], |sample| {
            let mut length = [0; 8];
            length[..6].copy_from_slice(&sample[6..12]);
            length
        });
        u64::from_le_bytes(last) & !(1 << 47)
    };
    wait_until("the index covers the log", || covered() == std::fs::metadata(job.join("log")).unwrap().len());
}

/// The present time, after everything that was written until now and before everything that is written later. The times of
/// files may be behind by a tick of the kernel.
fn instant() -> DateTime<Utc> {
    let pause = Duration::from_millis(40);
    sleep(pause);
    let time = now();
    sleep(pause);
    time
}

/// A run that has printed `on`, of which the index knows, and waits at the gate; and a time after that.
fn start(fake: &Fake, after: &str, more: &[&str]) -> (String, DateTime<Utc>) {
    let id = fake.start_gated_with(after, more);
    wait_for_index(&fake.job("run", &id));
    (id, instant())
}

/// The lines with their times, where these are known.
fn stamped(fake: &Fake, more: &[&str], id: &str) -> Vec<(Option<DateTime<Utc>>, String)> {
    let ran = fake.run(&[&["exec", "logs", "-t"], more, &[id]].concat()).code(0);
    let line = |line: &str| {
        let (time, line) = line.split_once(' ').unwrap();
        let time = (time != "-").then(|| DateTime::parse_from_rfc3339(time).unwrap().with_timezone(&Utc));
        (time, line.to_owned())
    };
    ran.stdout.lines().map(line).collect()
}

fn logs(fake: &Fake, args: &[&str]) -> Ran {
    fake.run(&[&["exec", "logs"], args].concat()).code(0)
}

/// How often a process has gone to sleep.
fn switches(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.unwrap().trim().parse().unwrap()
}

fn follow(fake: &Fake, args: &[&str]) -> Child {
    let mut command = fake.command(&[&["exec", "logs", "-f"], args].concat());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn lines_are_found_by_their_times_while_the_run_goes_on_and_after_its_end() {
    let fake = Fake::new();
    let before = instant();
    let (id, middle) = start(&fake, "printf 'off\\nand '; echo out", &["--name", "a"]);
    let exact = rfc3339(middle);
    assert_eq!(logs(&fake, &["--since", &exact, &id]).stdout, "");
    assert_eq!(logs(&fake, &["--until", &exact, &id]).stdout, "on\n");
    fake.open_gate();
    fake.end_of(&id);
    let seconds = format!("{}.{:03}", middle.timestamp(), middle.timestamp_subsec_millis());
    for time in [&exact, &seconds] {
        let since = logs(&fake, &["--since", time, &id]);
        assert_eq!((since.stdout.as_str(), since.stderr.as_str()), ("off\nand out\n", ""));
        let until = logs(&fake, &["--until", time, &id]);
        assert_eq!((until.stdout.as_str(), until.stderr.as_str()), ("on\n", ""));
    }
    assert_eq!(logs(&fake, &["--since", "1h", "--until", "0s", &id]).stdout, "on\noff\nand out\n");
    assert_eq!(logs(&fake, &["--until", &rfc3339(before), &id]).stdout, "");
    assert_eq!(logs(&fake, &["--since", &rfc3339(instant()), &id]).stdout, "");
    // The last lines of the time that was asked for.
    assert_eq!(logs(&fake, &["-n", "1", "--until", &exact, &id]).stdout, "on\n");
    assert_eq!(logs(&fake, &["-n", "1", "--since", &exact, &id]).stdout, "and out\n");
    assert_eq!(logs(&fake, &["-n", "9", "--since", &exact, &id]).stdout, "off\nand out\n");
    let all = stamped(&fake, &[], &id);
    assert_eq!(all.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(), ["on", "off", "and out"]);
    let times: Vec<DateTime<Utc>> = all.iter().map(|(time, _)| time.expect("it is known")).collect();
    assert!(before < times[0] && times[0] < middle && middle < times[1] && times[1] <= times[2], "{times:?}");
    assert_eq!(stamped(&fake, &["--since", &exact], &id), all[1..]);
    assert_eq!(stamped(&fake, &["-n", "1"], &id), all[2..]);
}

#[test]
fn as_json_a_line_has_its_time_in_a_key() {
    let fake = Fake::new();
    let (a, middle) = start(&fake, "printf 'a \"b\"'", &["--name", "a"]);
    fake.open_gate();
    fake.end_of(&a);
    let b = fake.ended_run("true");
    let one = schema::validated("logs", logs(&fake, &["-t", "--json", "a"]).json());
    let lines = one["lines"].as_array().unwrap();
    assert_eq!((&lines[0]["line"], &lines[1]["line"]), (&json!("on"), &json!("a \"b\"")));
    let known = stamped(&fake, &[], "a");
    for (line, (time, _)) in lines.iter().zip(&known) {
        assert_eq!(line["time"], rfc3339(time.unwrap()));
    }
    let both = ["-t", "--json", "--since", &rfc3339(middle), "a", &b];
    let several = schema::validated("logs", logs(&fake, &both).json());
    assert_eq!(several, json!([{"id": a, "name": "a", "lines": lines[1..]}, {"id": b, "lines": []}]));
    let rows = |args: &[&str]| -> Vec<Value> {
        let ran = logs(&fake, args);
        ran.stdout.lines().map(|row| schema::validated("log-line", serde_json::from_str(row).unwrap())).collect()
    };
    assert_eq!(json!(rows(&["-f", "-t", "--json", "a"])), one["lines"]);
    let mut with_id = lines[0].clone();
    with_id["id"] = json!(a);
    assert_eq!(rows(&["-f", "-t", "--json", "--until", &rfc3339(middle), "a", &b]), [with_id]);
    let text = logs(&fake, &["-t", "-n", "1", "a", &b]).stdout;
    assert_eq!(text, format!("{:<12} | {} a \"b\"\n", "a", rfc3339(known[1].0.unwrap())));
}

#[test]
fn a_log_is_followed_with_times_and_from_a_time_on() {
    let fake = Fake::new();
    let (id, middle) = start(&fake, "echo off; exit 3", &[]);
    let whole = follow(&fake, &["-t", &id]);
    let rest = follow(&fake, &["--since", &rfc3339(middle), &id]);
    fake.open_gate();
    let whole = Ran::from(whole.wait_with_output().unwrap()).code(0);
    let times: Vec<_> = whole.stdout.lines().map(|line| line.split_once(' ').unwrap()).collect();
    assert_eq!([times[0].1, times[1].1], ["on", "off"], "{whole:?}");
    let time = |text: &str| DateTime::parse_from_rfc3339(text).unwrap();
    assert!(time(times[0].0) < middle && middle < time(times[1].0), "{whole:?}");
    assert_eq!((times.len(), whole.stderr.as_str()), (2, ""));
    assert_eq!(Ran::from(rest.wait_with_output().unwrap()).code(0).stdout, "off\n");
}

#[test]
fn following_until_a_time_ends_then_and_the_run_goes_on() {
    let fake = Fake::new();
    let end = fake.engine("gate");
    let id = fake.start(&format!("while ! [ -e {} ]; do echo tick; sleep 0.02; done", end.display()));
    fake.wait_for_output(&id, "tick");
    let until = now() + Duration::from_millis(800);
    let followed =
        Ran::from(follow(&fake, &["-t", "--until", &rfc3339(until), &id]).wait_with_output().unwrap()).code(0);
    assert!(now() > until, "it ended too early");
    let lines: Vec<&str> = followed.stdout.lines().collect();
    assert!(lines.len() > 1 && lines.iter().all(|line| line.ends_with(" tick")), "{followed:?}");
    let last = DateTime::parse_from_rfc3339(lines.last().unwrap().split(' ').next().unwrap()).unwrap();
    assert!(last <= until, "{last} {until}");
    // What has passed is shown at once.
    let passed = logs(&fake, &["-f", "--until", &rfc3339(until), &id]).stdout;
    assert!(passed.lines().count() > 1, "{passed}");
    assert!(is_running(fake.supervisor(&id)));
    fake.open_gate();
    fake.end_of(&id);
}

#[test]
fn each_attempt_of_a_run_has_its_own_times() {
    let fake = Fake::new();
    let script = format!("echo x >>{0}; n=$(wc -l <{0}); echo try $n; [ $n = 3 ]", fake.path("tries").display());
    let id = fake.ended_run_with(&script, &["--retry", "5", "--retry-delay", "200ms"]);
    let attempts = ["1", "2", "3"].map(|number| stamped(&fake, &["--attempt", number], &id));
    let time = |attempt: usize| attempts[attempt][0].0.expect("it is known");
    assert!(time(0) < time(1) && time(1) < time(2), "{attempts:?}");
    let between = rfc3339(time(1));
    let since = |number: &str| logs(&fake, &["--attempt", number, "--since", &between, &id]).stdout;
    assert_eq!([since("1"), since("2"), since("3")], ["", "try 2\n", "try 3\n"]);
}

#[test]
fn builds_have_times_too() {
    let fake = Fake::new();
    let build = fake.build_gated("web");
    wait_for_index(&fake.job("build", &build));
    let middle = rfc3339(instant());
    fake.open_gate();
    fake.end_of_build("web");
    let whole = fake.run(&["image", "logs", "web"]).code(0).stdout;
    let until = fake.run(&["logs", "--until", &middle, "web"]).code(0).stdout;
    let since = fake.run(&["image", "logs", "--since", &middle, "web"]).code(0).stdout;
    assert!(until.contains("building") && !since.is_empty(), "{until} {since}");
    assert_eq!(until + &since, whole);
    let stamped = fake.run(&["image", "logs", "-t", "web"]).code(0).stdout;
    let is_stamped =
        |line: &str| line.split_once(' ').is_some_and(|(time, _)| DateTime::parse_from_rfc3339(time).is_ok());
    assert!(stamped.lines().count() == whole.lines().count() && stamped.lines().all(is_stamped), "{stamped}");
}

#[test]
fn without_an_index_everything_is_shown_that_may_be_meant_and_it_is_said() {
    let fake = Fake::new();
    let (id, middle) = start(&fake, "echo off", &[]);
    fake.open_gate();
    fake.end_of(&id);
    let after = rfc3339(instant());
    std::fs::remove_file(index(&fake, &id)).unwrap();
    let middle = rfc3339(middle);
    fake.known.show_as(&middle, "<time>");
    let ran = [vec!["exec", "logs", "-t", &id], vec!["exec", "logs", "--since", &middle, &id]];
    snapshot!(fake, together(ran.map(|args| fake.run(&args).code(0))));
    for args in [["-t", "--since"], ["-f", "--until"]] {
        assert!(logs(&fake, &[args[0], args[1], &middle, &id]).stderr.contains("it has no index"));
    }
    let document = schema::validated("logs", logs(&fake, &["-t", "--since", &middle, "--json", &id]).json());
    let line = |line: &str| json!({"time": null, "line": line});
    assert_eq!(document, json!({"vague": true, "lines": [line("on"), line("off")]}));
    // What can be known from the times of the job and of the file.
    for args in [["--since", after.as_str()], ["--until", "2020-01-01"]] {
        let ran = logs(&fake, &[args[0], args[1], &id]);
        assert_eq!((ran.stdout, ran.stderr), (String::new(), String::new()), "{args:?}");
    }
    let whole = logs(&fake, &["--since", "2020-01-01", "--until", &after, &id]);
    assert_eq!((whole.stdout.as_str(), whole.stderr.as_str()), ("on\noff\n", ""));
}

#[test]
fn a_torn_index_is_as_good_as_a_whole_one_and_a_damaged_one_is_none() {
    let fake = Fake::new();
    let (id, _) = start(&fake, "echo off", &[]);
    fake.open_gate();
    fake.end_of(&id);
    let good = stamped(&fake, &[], &id);
    let bytes = std::fs::read(index(&fake, &id)).unwrap();
    let with = |bytes: &[u8]| {
        std::fs::write(index(&fake, &id), bytes).unwrap();
        let shown = stamped(&fake, &[], &id);
        assert_eq!(fake.log(&id), b"on\noff\n");
        shown
    };
    assert_eq!(with(&[&bytes[..], b"torn"].concat()), good);
    assert_eq!(with(&[&bytes[..], &[0; 512]].concat()), good);
    let none = [(None, "on".to_owned()), (None, "off".to_owned())];
    assert_eq!(with(&[b'x'; 4096]), none);
    assert_eq!(with(b""), none);
    // Without the last sample, nothing is known of the last line.
    let shown = with(&bytes[..bytes.len() - 1]);
    assert_eq!(shown, [good[0].clone(), none[1].clone()]);
    // An index that knows of more than the log has is used as far as the log goes.
    std::fs::write(index(&fake, &id), &bytes).unwrap();
    std::fs::OpenOptions::new().write(true).open(fake.job("run", &id).join("log")).unwrap().set_len(3).unwrap();
    assert_eq!(stamped(&fake, &[], &id)[0].1, "on");
    fake.leaves_unsound("the log was cut off");
}

#[test]
fn a_sample_that_cannot_be_written_leaves_a_gap_and_harms_nothing_else() {
    let mut fake = Fake::new();
    let fired = fake.path("fired");
    fake.set("LONGSHORE_TEST_FIRED", &fired);
    fake.set("LONGSHORE_TEST_FAULT", "supervisor:sample:2:28");
    let id = fake.start_gated("echo off; exit 3");
    wait_until("the sample was not written", || fired.exists());
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
    fake.set("LONGSHORE_TEST_FAULT", "");
    let shown = stamped(&fake, &[], &id);
    assert_eq!(shown[0], (None, "on".to_owned()));
    assert_eq!((shown.len(), shown[1].1.as_str()), (2, "off"));
    assert!(logs(&fake, &["-t", &id]).stderr.contains("some times of the log of"));
}

#[test]
fn where_the_kernel_wakes_nobody_logs_are_looked_at() {
    let mut fake = Fake::new();
    let fired = fake.path("fired");
    fake.set("LONGSHORE_TEST_FIRED", &fired);
    let faults = || std::fs::read_to_string(&fired).unwrap_or_default().lines().count();
    fake.set("LONGSHORE_TEST_FAULT", "supervisor:watch:1:24");
    let (id, middle) = start(&fake, "echo off; exit 3", &[]);
    assert_eq!(faults(), 1);
    fake.set("LONGSHORE_TEST_FAULT", "cli:watch:1:24");
    let follower = follow(&fake, &["--since", &rfc3339(middle), &id]);
    wait_until("it follows without the kernel", || faults() == 2);
    fake.open_gate();
    assert_eq!(Ran::from(follower.wait_with_output().unwrap()).code(0).stdout, "off\n");
    assert_eq!(logs(&fake, &["--until", &rfc3339(middle), &id]).stdout, "on\n");
    assert!(stamped(&fake, &[], &id).iter().all(|(time, _)| time.is_some()));
}

#[test]
fn a_follow_sleeps_until_the_log_grows_and_shows_it_at_once() {
    let fake = Fake::new();
    let (id, _) = start(&fake, "echo off", &[]);
    let mut follower = follow(&fake, &[&id]);
    let mut reader = BufReader::new(follower.stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(line(), "on\n");
    // Looks every 25 ms would be sixteen.
    wait_until("it sleeps", || {
        let before = switches(follower.id());
        sleep(Duration::from_millis(400));
        switches(follower.id()) - before <= 5
    });
    fake.open_gate();
    assert_eq!(line(), "off\n");
    assert!(follower.wait().unwrap().success());
}

#[test]
fn what_was_written_without_a_supervisor_has_no_time_and_what_comes_later_has() {
    let fake = Fake::new();
    let second = fake.engine("second");
    let wait = format!("while ! [ -e {} ]; do sleep 0.02; done", second.display());
    let (id, middle) = start(&fake, &format!("echo alone; {wait}; echo again"), &[]);
    fake.kill(fake.supervisor(&id));
    fake.open_gate();
    fake.wait_for_output(&id, "alone");
    let before = samples(&fake, &id);
    // Another supervisor takes it over.
    logs(&fake, &[&id]);
    wait_until("the new supervisor watches the log", || samples(&fake, &id) > before);
    let later = rfc3339(instant());
    std::fs::write(second, "").unwrap();
    fake.end_of(&id);
    let shown = stamped(&fake, &[], &id);
    assert_eq!(shown.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(), ["on", "alone", "again"]);
    assert_eq!(shown.iter().map(|(time, _)| time.is_some()).collect::<Vec<_>>(), [true, false, true]);
    let ran = logs(&fake, &["--since", &later, &id]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("again\n", ""));
    let ran = logs(&fake, &["--since", &rfc3339(middle), &id]);
    assert_eq!(ran.stdout, "alone\nagain\n");
    let note = "some times of the log of";
    assert!(ran.stderr.is_empty() || ran.stderr.contains(note), "{ran:?}");
    assert!(logs(&fake, &["-t", &id]).stderr.contains(note));
}

#[test]
fn lines_that_only_the_engines_copy_has_have_no_time() {
    let fake = Fake::new();
    let (id, middle) = start(&fake, "echo off; exit 3", &[]);
    let follower = follow(&fake, &["-t", &id]);
    fake.kill_supervisor_and_client(&id);
    fake.open_gate();
    let view = fake.end_of(&id);
    assert_eq!(view["exitCode"], 3);
    assert!(fake.job("run", &id).join("log.recovered").exists(), "{view:#}");
    let shown = stamped(&fake, &[], &id);
    assert!(shown[0].0.is_some_and(|time| time < middle), "{shown:?}");
    assert_eq!(shown[1], (None, "off".to_owned()));
    let followed = Ran::from(follower.wait_with_output().unwrap()).code(0);
    let lines: Vec<&str> = followed.stdout.lines().collect();
    assert!(lines[0].ends_with("Z on") && lines[1] == "- off", "{followed:?}");
    assert_eq!(logs(&fake, &["--since", &rfc3339(middle), &id]).stdout, "off\n");
}

#[test]
fn a_supervisor_wakes_only_for_output_and_takes_few_samples_of_much() {
    let fake = Fake::new();
    let (silent, _) = start(&fake, "true", &[]);
    let supervisor = fake.supervisor(&silent);
    let switches = || switches(supervisor);
    wait_until("its other threads are gone, and it sleeps", || {
        let before = switches();
        sleep(Duration::from_millis(300));
        before == switches()
    });
    let (begun, before) = (samples(&fake, &silent), switches());
    let start = now();
    let much = fake.ended_run("i=0; while [ $i -lt 20000 ]; do echo line; i=$((i+1)); done");
    let took = (now() - start).num_milliseconds().unsigned_abs();
    assert_eq!((samples(&fake, &silent), switches()), (begun, before), "it was woken");
    assert!((2..took / 100 + 4).contains(&samples(&fake, &much)), "{} in {took} ms", samples(&fake, &much));
    fake.open_gate();
}

#[test]
fn a_time_that_makes_no_sense_is_an_error() {
    let fake = Fake::new();
    let id = fake.ended_run("true");
    let far = "2999-01-01T00:00:00Z";
    let args: [&[&str]; 3] = [
        &["exec", "logs", "--since", "yesterday", &id],
        &["exec", "logs", "--since", "1h", "--until", "2h", &id],
        &["exec", "logs", "-f", "--since", far, &id, &id],
    ];
    snapshot!(fake, together(args.map(|args| fake.run(args).code(2))));
}
