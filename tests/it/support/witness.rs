//! Programs that write down themselves what is true of them, where neither longshore nor the engine looks, and the
//! comparison of a job with it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::World;

/// Prints numbered lines, all on one stream, and writes each into `truth` as soon as it is printed; then the code, as the
/// last thing that it does. It ends with 9 if it is asked to end. Arguments: code, lines, seconds between two.
const PROGRAM: &str = r"
import os, signal, sys, time

truth = os.open('/app/output/truth', os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)

def end(code):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.write(truth, b'exit %d\n' % code)
    os._exit(code)

signal.signal(signal.SIGTERM, lambda *_: end(9))
for number in range(int(sys.argv[2])):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    line = b'line %d of %d\n' % (number, os.getpid())
    os.write(1, line)
    os.write(truth, line)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    time.sleep(float(sys.argv[3]))
end(int(sys.argv[1]))
";

/// What a program does.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    pub code: i32,
    pub lines: u32,
    pub pause: f64,
}

/// A run of such a program.
#[derive(Debug, Clone)]
pub struct Witness {
    /// Empty if the command did not live to say it.
    pub id: String,
    /// The value of its label `witness`.
    pub label: String,
    pub output: PathBuf,
}

/// What a program wrote.
#[derive(Debug, Default)]
pub struct Truth {
    pub begun: bool,
    pub lines: Vec<u8>,
    /// None if it was killed, or still runs.
    pub code: Option<i64>,
}

impl Program {
    /// The arguments of `exec run` for it, in this image, and where it will write. `more` are flags.
    pub fn args(self, world: &World, image: &str, more: &[&str]) -> (Vec<String>, Witness) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let main = world.write(&format!("witness-{number}/main.py"), PROGRAM);
        let output = world.path(&format!("output-{number}"));
        std::fs::create_dir(&output).unwrap();
        let (src, out) = (main.parent().unwrap().to_str().unwrap(), output.to_str().unwrap());
        let head = ["exec", "run", "--image", image, "--main", "main.py", "--src", src, "--output", out];
        let numbers = [self.code.to_string(), self.lines.to_string(), self.pause.to_string()];
        let label = ["--label", &format!("witness={number}")];
        let words = head.iter().chain(&label).chain(more).map(|word| (*word).to_owned());
        let args = words.chain(["--".to_owned()]).chain(numbers).collect();
        (args, Witness { id: String::new(), label: number.to_string(), output })
    }

    /// Starts it and gives the run.
    #[track_caller]
    pub fn start(self, world: &World, image: &str) -> Witness {
        let (args, witness) = self.args(world, image, &[]);
        Witness { id: world.run(&args).code(0).id(), ..witness }
    }
}

impl Witness {
    /// The run among these jobs, by its label.
    pub fn among<'a>(&self, jobs: &'a [Value]) -> Option<&'a Value> {
        jobs.iter().find(|job| job["labels"]["witness"] == self.label.as_str())
    }

    /// What the program has written by now.
    pub fn truth(&self) -> Truth {
        let text = std::fs::read_to_string(self.output.join("truth")).unwrap_or_default();
        let (lines, code) = match text.rsplit_once("exit ") {
            Some((lines, code)) => (lines, code.trim_end().parse().ok()),
            None => (text.as_str(), None),
        };
        Truth { begun: !text.is_empty(), lines: lines.into(), code }
    }

    /// Whether the program has printed this many lines.
    pub fn printed(&self, lines: usize) -> bool {
        self.truth().lines.split(|byte| *byte == b'\n').count() > lines
    }

    /// What is wrong in what longshore says of it: the job as `list` or `wait` shows it, and its log. Nothing is wrong
    /// with a job that is said to be lost or unknown, if that is not said of a program that never began, or not begun
    /// of one that did.
    pub fn contradiction(&self, job: &Value, log: &[u8]) -> Option<String> {
        let truth = self.truth();
        let why = status_contradicts(job, &truth).or_else(|| log_contradicts(job, log, &truth))?;
        let end = format!("the program wrote {} bytes and ended with {:?}", truth.lines.len(), truth.code);
        Some(format!("{why}; {end}; {} bytes of log\n{job:#}", log.len()))
    }
}

fn status_contradicts(job: &Value, truth: &Truth) -> Option<String> {
    if job["status"] != "exited" {
        return Some("it is dead and is said to run".to_owned());
    }
    if job["outcome"] == "succeeded" && truth.code != Some(0) {
        return Some("it is said to have succeeded".to_owned());
    }
    if let Some(code) = job["exitCode"].as_i64() {
        let right = match truth.code {
            Some(true_code) => code == true_code,
            // Killed; or, if it never began, refused by the engine.
            None => [137, 143].contains(&code) || (!truth.begun && code == 125),
        };
        if !right {
            return Some(format!("it is said to have ended with {code}"));
        }
    }
    let reason = job["reason"].as_str().unwrap_or_default();
    let nothing_ran = ["never started", "not started", "nothing ran", "did not start", "could not be started"];
    if truth.begun && nothing_ran.iter().any(|words| reason.contains(words)) {
        return Some("it ran and is said not to have been started".to_owned());
    }
    None
}

fn log_contradicts(job: &Value, log: &[u8], truth: &Truth) -> Option<String> {
    if job["log"] == "incomplete" || job["log"] == "unverified" {
        return None;
    }
    if !truth.begun && job["outcome"] != "succeeded" {
        // The program printed nothing: what stands there is the docker client's message.
        return None;
    }
    // A program that was killed may have printed a line that it could not note any more.
    let noted = log.strip_prefix(truth.lines.as_slice());
    let one_more = |rest: &[u8]| rest.is_empty() || (truth.code.is_none() && rest.ends_with(b"\n") && rest.len() < 40);
    (!noted.is_some_and(one_more)).then(|| format!("its log, said to be {}, is not what it printed", job["log"]))
}
