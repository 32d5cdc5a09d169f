//! The times of lines, compared with those that the program itself knows.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::support::real::Real;

#[test]
fn the_times_of_lines_are_those_at_which_the_program_wrote_them() {
    let real = Real::new();
    // A line now and then, many at once, and one in two pieces, which has the time of the first.
    let code = "import time\ndef line(text, end='\\n'):\n    print(time.time(), text, end=end, flush=True)\n\
                for at in range(5):\n    line('alone')\n    time.sleep(0.25)\n\
                for at in range(20):\n    line('often')\n    time.sleep(0.02)\n\
                time.sleep(0.3)\nline('begun', ' ')\ntime.sleep(0.5)\nprint('ended')\n";
    let id = real.start(code, &[]);
    assert_eq!(real.wait(&id).1, 0);
    let document = real.run(&["exec", "logs", "-t", "--json", &id]).code(0).json();
    let late = |line: &Value| {
        let time: DateTime<Utc> = line["time"].as_str().expect("it is known").parse().unwrap();
        let own: f64 = line["line"].as_str().unwrap().split(' ').next().unwrap().parse().unwrap();
        #[expect(clippy::cast_precision_loss, reason = "a double has the microseconds of this century")]
        let seconds = time.timestamp_millis() as f64 / 1000.0 - own;
        (seconds * 1000.0).round()
    };
    let late: Vec<f64> = document["lines"].as_array().unwrap().iter().map(late).collect();
    assert_eq!(late.len(), 26);
    // The clock of the file system ticks every 10 ms at most. The supervisor of a busy machine can be late.
    assert!(late.iter().all(|late| (-20.0..2000.0).contains(late)), "{late:?}");
    let mut sorted = late.clone();
    sorted.sort_by(f64::total_cmp);
    assert!(sorted[13] <= 110.0, "most of them are later than 100 ms: {late:?}");
    println!("late by {late:?} ms");
}
