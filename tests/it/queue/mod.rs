//! Jobs that wait: for their turn in a queue, and for the ends of other jobs. Their programs note themselves what runs at the
//! same time, so no limit is judged by what longshore says of it.

mod after;
mod ends;
mod faults;
mod kills;
mod order;
pub mod storm;
mod terminal;

use std::collections::BTreeMap;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::support::fake::{Fake, Process};
use crate::support::{Ran, wait_until};

/// Notes its word and how many programs of its queue run with it, waits until its gate or all gates are open, and ends
/// with the code after some seconds. Arguments: word, code, queue, seconds.
const JOB: &str = r#"
place="$FAKE_DOCKER_DIR/on-$3"
mkdir -p "$place"
: >"$place/$$"
trap 'rm -f "$place/$$"; exit 9' TERM
running=0
for other in "$place"/*; do
    kill -0 "${other##*/}" 2>/dev/null && running=$((running + 1))
done
echo "$3 $1 $running" >>"$FAKE_DOCKER_DIR/began"
echo on
while ! [ -e "$FAKE_DOCKER_DIR/gate" ] && ! [ -e "$FAKE_DOCKER_DIR/go-$1" ]; do sleep 0.02; done
sleep "${4:-0}"
rm -f "$place/$$"
exit "${2:-0}"
"#;

/// A job that began: its queue, its word, and how many ran then.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Began {
    queue: String,
    word: String,
    running: usize,
}

impl Fake {
    /// The arguments of a run in a queue that notes this word.
    fn job_args(&self, queue: &str, word: &str, more: &[&str]) -> Vec<String> {
        // A program that starts meanwhile must not find it half written.
        if !self.path("src/job.py").exists() {
            self.write("src/job.py", JOB);
        }
        let head = ["exec", "run", "--image", "base", "--src", "src", "--main", "job.py", "--queue", queue];
        let own: &[&str] = if more.contains(&"--") { &[] } else { &["--", word, "0", queue] };
        head.iter().chain(more).chain(own).map(|word| (*word).to_owned()).collect()
    }

    /// Starts it and gives its id.
    #[track_caller]
    fn enter(&self, queue: &str, word: &str, more: &[&str]) -> String {
        let ran = self.run(&self.job_args(queue, word, more)).code(0);
        assert_eq!(ran.stderr, "", "a healthy start says nothing");
        ran.id()
    }

    /// Starts one job after the other.
    #[track_caller]
    fn enter_all<const N: usize>(&self, queue: &str, words: [&str; N]) -> [String; N] {
        words.map(|word| self.enter(queue, word, &[]))
    }

    /// The jobs that began, in their order.
    fn began(&self) -> Vec<Began> {
        let text = std::fs::read_to_string(self.engine("began")).unwrap_or_default();
        let began = |line: &str| {
            let [queue, word, running] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            Began { queue: queue.to_owned(), word: word.to_owned(), running: running.parse().unwrap() }
        };
        text.lines().map(began).collect()
    }

    /// Their words.
    fn order(&self) -> Vec<String> {
        self.began().into_iter().map(|began| began.word).collect()
    }

    /// How many jobs of a queue ran at the same time, at most.
    fn most(&self, queue: &str) -> usize {
        self.began().iter().filter(|began| began.queue == queue).map(|began| began.running).max().unwrap_or(0)
    }

    #[track_caller]
    fn wait_until_began(&self, word: &str) {
        wait_until(&format!("{word} runs"), || self.order().iter().any(|began| began == word));
    }

    /// Lets the job with this word end.
    fn go(&self, word: &str) {
        self.write(&format!("engine/go-{word}"), "");
    }

    /// How a job of either kind stands, as `ps` has it.
    #[track_caller]
    fn job_view(&self, id: &str) -> Value {
        self.run(&["ps", "-a", "--json", "--filter", &format!("id={id}")]).code(0).json()[0].take()
    }

    /// The queue as `queue list` has it.
    #[track_caller]
    fn queue_view(&self, name: &str) -> Value {
        let queues = self.run(&["queue", "list", "--json"]).code(0).json();
        let found = queues.as_array().unwrap().iter().find(|queue| queue["name"] == name).cloned();
        found.unwrap_or_else(|| panic!("there is no queue {name}: {queues}"))
    }

    /// Waits, without a command, until the end of a run is recorded.
    #[track_caller]
    fn wait_for_record(&self, id: &str) {
        wait_until(&format!("the end of {id} is recorded"), || self.job("run", id).join("exit.json").exists());
    }

    /// The supervisors of this world.
    fn supervisors(&self) -> Vec<Process> {
        self.processes().into_iter().filter(|process| process.command.contains("__supervise")).collect()
    }

    /// Whether a job has a supervisor.
    fn is_supervised(&self, id: &str) -> bool {
        self.supervisors().iter().any(|process| process.command.contains(id))
    }

    /// Waits until a supervisor sleeps in the line: it does nothing before that which a test could interrupt by chance.
    #[track_caller]
    fn wait_until_queued(&self, id: &str) {
        wait_until("the job waits", || self.job_view(id)["position"].is_number());
    }

    /// Fails unless docker was asked to run each of these jobs so many times.
    #[track_caller]
    fn assert_started(&self, ids: &[&String], times: usize) {
        let calls = self.calls();
        for id in ids {
            let name = format!("--name longshore-{id} ");
            let found = calls.iter().filter(|call| call.starts_with("run ") && call.contains(&name)).count();
            assert_eq!(found, times, "docker was asked to run {id}");
        }
    }

    /// Starts a job with a variable in the environment of its command and supervisor only.
    fn with_variable(&mut self, key: &str, value: &str, args: &[String]) -> Ran {
        self.set(key, value);
        let ran = self.run(args);
        self.unset(key);
        ran
    }
}

/// How many there are of each.
fn counted(words: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    words.into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
    counts
}

/// A command that runs beside the test.
fn beside(fake: &Fake, args: &[impl AsRef<std::ffi::OsStr>]) -> Child {
    fake.command(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What it printed, once it has ended.
fn end(child: Child) -> Ran {
    Ran::from(child.wait_with_output().unwrap())
}
