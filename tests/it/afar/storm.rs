//! SIGKILL and panics at every step of a run that is copied: its status is never wrong, its log is whole, its output is there
//! whole or not at all, and nothing is left on the engine.

use serde_json::json;

use super::{SHIP, job, tree};
use crate::support::real::Real;
use crate::support::wait_until;

/// Where a process of the run can be killed, in their order.
const POINTS: [&str; 12] = [
    "admitted",
    "begun",
    "container-created",
    "shipped",
    "client-started",
    "relayed",
    "unpacked",
    "output-placed",
    "fetched",
    "concluding",
    "saved",
    "recorded",
];

#[test]
fn a_supervisor_killed_at_any_step_leaves_the_truth() {
    for point in POINTS {
        let mut real = Real::new();
        real.set("LONGSHORE_TEST_SETTLING", "1s");
        real.set("LONGSHORE_TEST_ABORT", point);
        let fired = real.path("fired");
        real.set("LONGSHORE_TEST_FIRED", &fired);
        let more = [&SHIP[..], &["-e", "CODE=3"]].concat();
        let started = real.run(&job(&real, "out", &more));
        real.unset("LONGSHORE_TEST_ABORT");
        if started.code != 0 {
            // The command saw that its supervisor was gone.
            assert_eq!(point, "admitted", "{started:?}");
            continue;
        }
        wait_until("the supervisor is killed", || fired.exists());
        let id = started.id();
        // Whoever waits first gives it another supervisor.
        let ended = || real.run(&["exec", "wait", "--timeout", "30s", &id, "--json"]).json();
        let mut view = ended();
        wait_until("it has an end", || {
            view = ended();
            view["status"] == "exited" && view["outcome"] != "unknown"
        });
        let was_started =
            POINTS.iter().position(|known| *known == point) >= POINTS.iter().position(|p| *p == "client-started");
        if was_started {
            assert_eq!((&view["outcome"], &view["exitCode"]), (&json!("failed"), &json!(3)), "{point}: {view:#}");
            let log = String::from_utf8(real.log(&id)).unwrap();
            assert_eq!(log.lines().count(), 5, "{point}: {log}");
            assert_eq!(tree(&real.path("out")).len(), 6, "{point}");
        } else {
            assert_eq!(view["outcome"], "lost", "{point}: {view:#}");
            assert_eq!(tree(&real.path("out")), Vec::<String>::new(), "{point}");
        }
        real.run(&["doctor", "--fix"]);
        wait_until("nothing is left on the engine", || real.containers().is_empty());
    }
}
