//! A hundred runs at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::json;

use crate::support::real::Real;
use crate::support::{schema, wait_until};

const RUNS: usize = 100;
const CALLS_AT_ONCE: usize = 10;

/// Calls for every number, some at a time, and gives the answers in the order of the numbers.
fn for_all<T: Send>(call: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let work = || -> Vec<(usize, T)> {
        std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < RUNS))
            .map(|number| (number, call(number)))
            .collect()
    };
    let done: BTreeMap<usize, T> = thread::scope(|scope| {
        let workers: Vec<_> = (0..CALLS_AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    done.into_values().collect()
}

#[test]
fn a_hundred_runs_at_once_have_a_hundred_right_logs_codes_and_outputs() {
    let real = Real::new();
    // Each waits for a file that is written when all of them run.
    let source = real.source(concat!(
        "import os, sys, time\n",
        "number = int(sys.argv[1])\n",
        "print('run', number, 'begins')\n",
        "while not os.path.exists('data/go'): time.sleep(0.5)\n",
        "for line in range(20): (sys.stderr if line % 2 else sys.stdout).write(f'{number} {line}\\n')\n",
        "open('output/number', 'w').write(str(number))\n",
        "raise SystemExit(number % 50)\n",
    ));
    std::fs::create_dir(real.path("input")).unwrap();
    let began = Instant::now();
    let ids = for_all(|number| {
        let output = real.path(&format!("output/{number}"));
        let (input, output) = (real.path("input"), output.to_str().unwrap().to_owned());
        let number = number.to_string();
        let flags = ["--input", input.to_str().unwrap(), "--output", &output, "--", &number];
        real.run(&real.run_args(&source, &flags)).code(0).id()
    });
    let started = began.elapsed();
    let running = || real.run(&["exec", "list", "-q", "--status", "running"]).code(0).stdout.lines().count();
    assert_eq!(running(), RUNS);
    let all_begun = || {
        let logs = ids.iter().map(|id| std::fs::metadata(real.job("run", id).join("log")).unwrap().len());
        logs.filter(|length| *length > 0).count() == RUNS
    };
    let mut patience = 0;
    while !all_begun() {
        patience += 1;
        assert!(patience < 600, "all of them never ran at once");
        thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(running(), RUNS);
    real.write("input/go", "");

    let mut wait = vec!["exec", "wait"];
    wait.extend(ids.iter().map(String::as_str));
    let codes = real.run(&wait).code(1).stdout;
    let truth: String = ids.iter().enumerate().map(|(number, id)| format!("{id} {}\n", number % 50)).collect();
    assert_eq!(codes, truth);
    let logs = for_all(|number| String::from_utf8(real.log(&ids[number])).unwrap());
    for (number, log) in logs.iter().enumerate() {
        // The order between the two streams is as the client received it.
        let mut lines: Vec<&str> = log.lines().collect();
        assert_eq!(lines.remove(0), format!("run {number} begins"));
        for stream in 0..2 {
            let of_stream = |line: &&&str| line.split(' ').nth(1).unwrap().parse::<usize>().unwrap() % 2 == stream;
            let truth: Vec<String> = (0..10).map(|line| format!("{number} {}", line * 2 + stream)).collect();
            assert_eq!(lines.iter().filter(of_stream).collect::<Vec<_>>(), truth.iter().collect::<Vec<_>>());
        }
        let written = std::fs::read_to_string(real.path(&format!("output/{number}/number"))).unwrap();
        assert_eq!(written, number.to_string());
    }
    let jobs = schema::validated("jobs", real.run(&["exec", "list", "--json"]).code(0).json());
    assert_eq!(jobs.as_array().unwrap().len(), RUNS);
    for job in jobs.as_array().unwrap() {
        let number = ids.iter().position(|id| job["id"] == json!(id)).unwrap();
        let outcome = if number % 50 == 0 { "succeeded" } else { "failed" };
        assert_eq!((&job["outcome"], &job["exitCode"]), (&json!(outcome), &json!(number % 50)));
        assert_eq!((&job["log"], &job["recovered"]), (&json!("complete"), &json!(false)));
    }
    wait_until("every container is gone", || real.containers().is_empty());
    use std::io::Write as _;
    let (all, started) = (began.elapsed().as_secs_f64(), started.as_secs_f64());
    let _ =
        writeln!(std::io::stderr().lock(), "{RUNS} runs at once: started in {started:.1} s, all done in {all:.1} s");
}
