//! A world whose docker is the script beside this file: an engine made of files, that fails as a test wants it to.
//!
//! What is true of a job stands in the engine's `truth` directory. When a test ends, every job is compared with it:
//! whatever was killed, no status is wrong, no output is lost without a note, and nothing is left. See [`Fake`].

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use serde_json::{Value, json};

use super::invariants::{Bystanders, leftovers};
pub use super::processes::Process;
use super::processes::{Processes, is_any_ending};
use super::{Ran, World, wait_until};

/// The world and its engine. A test that drops it without a panic has its jobs and leftovers checked; one that leaves
/// them otherwise says so with [`Fake::leaves_unsound`]. What still runs after that is killed.
pub struct Fake {
    // Dropped before the directories, and also when the check in `Drop` panics.
    processes: Processes,
    world: World,
    programs: AtomicUsize,
    unsound: OnceLock<&'static str>,
    bystanders: Mutex<Bystanders>,
}

impl Deref for Fake {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Fake {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

impl Fake {
    /// With a healthy engine that has one image, `base`.
    pub fn new() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/docker");
        let mut world = World::new(&script);
        let engine = world.path("engine");
        std::fs::create_dir(&engine).unwrap();
        world.set("FAKE_DOCKER_DIR", &engine);
        // The clients of the fake start a container themselves: without them none appears later.
        world.set("LONGSHORE_TEST_SETTLING", "0s");
        let processes = Processes::with(format!("FAKE_DOCKER_DIR={}", engine.display()));
        let fake = Self {
            processes,
            world,
            programs: AtomicUsize::new(0),
            unsound: OnceLock::new(),
            bystanders: Mutex::default(),
        };
        let works = std::process::Command::new(&script).arg("version").env("FAKE_DOCKER_DIR", &engine).output();
        assert!(works.is_ok_and(|output| output.status.success()), "the fake docker needs python3 3.10 or newer");
        std::fs::remove_file(fake.engine("calls.log")).unwrap();
        fake
    }

    /// Changes something on the engine without longshore.
    #[track_caller]
    pub fn docker(&self, args: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/docker");
        let mut command = std::process::Command::new(script);
        let output = command.args(args).env("FAKE_DOCKER_DIR", self.path("engine")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// A path in the engine.
    pub fn engine(&self, name: &str) -> PathBuf {
        self.path("engine").join(name)
    }

    /// Makes the engine different from a healthy one; the script says how.
    pub fn scenario(&self, scenario: Value) {
        let new = self.write("engine/scenario.new", scenario.to_string());
        std::fs::rename(new, self.engine("scenario.json")).unwrap();
    }

    /// From now on no engine answers.
    pub fn take_engine_down(&self) {
        self.write("engine/down", "");
    }

    /// The engine answers again. It remembers nothing of before.
    pub fn bring_engine_up(&self) {
        let _ = std::fs::remove_file(self.engine("events"));
        std::fs::remove_file(self.engine("down")).unwrap();
    }

    /// The arguments of a run of this shell script.
    pub fn run_args(&self, script: &str, more: &[&str]) -> Vec<String> {
        let name = format!("p{}.py", self.programs.fetch_add(1, Ordering::Relaxed));
        self.write(&format!("src/{name}"), script);
        let words = ["exec", "run", "--image", "base", "--src", "src", "--main", &name];
        words.iter().chain(more).map(|word| (*word).to_owned()).collect()
    }

    /// Starts a run of this shell script and gives its id.
    #[track_caller]
    pub fn start(&self, script: &str) -> String {
        self.start_with(script, &[])
    }

    /// Starts a run of this shell script with more flags.
    #[track_caller]
    pub fn start_with(&self, script: &str, more: &[&str]) -> String {
        let ran = self.run(&self.run_args(script, more)).code(0);
        assert_eq!(ran.stderr, "", "a healthy start says nothing");
        ran.id()
    }

    /// Starts a build and gives its id.
    #[track_caller]
    pub fn build(&self, name: &str) -> String {
        self.run(&["image", "create", name, "--base", "base", "--run", "true", "--json"]).code(0).json()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// A script that runs `before`, waits at the gate until [`Fake::open_gate`], and runs `after`.
    pub fn gated(&self, before: &str, after: &str) -> String {
        let gate = self.engine("gate");
        format!("{before}\nwhile ! [ -e {} ]; do sleep 0.02; done\n{after}\n", gate.display())
    }

    /// Lets every [`Fake::gated`] script pass.
    pub fn open_gate(&self) {
        self.write("engine/gate", "");
    }

    /// Starts a run that prints `on`, waits at the gate and runs `after`; gives its id once it waits.
    #[track_caller]
    pub fn start_gated(&self, after: &str) -> String {
        self.start_gated_with(after, &[])
    }

    /// The same with more flags.
    #[track_caller]
    pub fn start_gated_with(&self, after: &str, more: &[&str]) -> String {
        let id = self.start_with(&self.gated("echo on", after), more);
        self.wait_for_output(&id, "on");
        wait_until("the run has begun", || self.job("run", &id).join("begun.json").exists());
        id
    }

    /// The same, and then its supervisor and its client are killed: the container is all that is left of it.
    #[track_caller]
    pub fn start_unattended(&self, after: &str) -> String {
        let id = self.start_gated(after);
        self.kill_supervisor_and_client(&id);
        id
    }

    /// Kills the supervisor and the client of a run.
    #[track_caller]
    pub fn kill_supervisor_and_client(&self, id: &str) {
        let (supervisor, client) = (self.supervisor(id), self.client(id));
        self.kill(supervisor);
        self.kill(client);
    }

    /// A run of this shell script that has ended, and of which no process is left; gives its id.
    #[track_caller]
    pub fn ended_run(&self, script: &str) -> String {
        self.ended_run_with(script, &[])
    }

    /// The same with more flags.
    #[track_caller]
    pub fn ended_run_with(&self, script: &str, more: &[&str]) -> String {
        let id = self.start_with(script, more);
        self.end_of(&id);
        wait_until("the supervisor has gone", || {
            !self
                .processes()
                .iter()
                .any(|process| process.command.contains("__supervise") && process.command.contains(&id))
        });
        id
    }

    /// A run that has ended, and that no fault of this test concerns: whatever happens, no file of it may change.
    #[track_caller]
    pub fn bystander(&self) -> String {
        let id = self.ended_run("echo bystander; exit 5");
        self.bystanders.lock().unwrap().add(&self.job("run", &id));
        id
    }

    /// Whether a run is one of those.
    pub fn is_bystander(&self, id: &str) -> bool {
        self.bystanders.lock().unwrap().has(&self.job("run", id))
    }

    /// Starts a build whose step prints `building` and waits at the gate; gives its id once it waits.
    #[track_caller]
    pub fn build_gated(&self, name: &str) -> String {
        self.scenario(json!({"build": {"script": self.gated("echo building", "true")}}));
        let id = self.build(name);
        let log = self.job("build", &id).join("log");
        wait_until("the step of the build runs", || std::fs::read_to_string(&log).unwrap().contains("building"));
        wait_until("the build has begun", || self.job("build", &id).join("begun.json").exists());
        id
    }

    /// What `wait --json` says of a run once it has ended.
    #[track_caller]
    pub fn end_of(&self, id: &str) -> Value {
        self.run(&["exec", "wait", "--timeout", "30s", "--json", id]).json()
    }

    /// The same of a build.
    #[track_caller]
    pub fn end_of_build(&self, id: &str) -> Value {
        self.run(&["image", "wait", "--timeout", "30s", "--json", id]).json()
    }

    /// How a run stands, as a list has it. A single look finishes what is left to do, and after that both say the same.
    #[track_caller]
    pub fn status_of(&self, id: &str) -> Value {
        let listed = || self.run(&["exec", "list", "--json", "--filter", &format!("id={id}")]).code(0).json()[0].take();
        let before = listed();
        if before["status"] == "exited" {
            let mut alone = self.run(&["exec", "inspect", id]).code(0).json()["Longshore"].take();
            let after = listed();
            if after["outcome"] == "unknown" {
                // They ask in different words.
                alone["reason"] = after["reason"].clone();
            }
            assert_eq!(after, alone, "a list and a single look say different things");
            for fact in ["outcome", "exitCode"] {
                assert_eq!(before[fact], after[fact], "a list says {fact} differently later: {before} {after}");
            }
        }
        before
    }

    /// A run's log, exact.
    pub fn log(&self, id: &str) -> Vec<u8> {
        let output = self.command(&["exec", "logs", id]).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// The logs of all attempts of a run, one after the other; of most runs there is one.
    fn logs_of_attempts(&self, view: &Value) -> Vec<u8> {
        let id = view["id"].as_str().unwrap();
        let Some(attempts) = view["attempts"].as_array() else { return self.log(id) };
        let log =
            |number: usize| self.run(&["exec", "logs", "--raw", "--attempt", &number.to_string(), id]).code(0).stdout;
        (1..=attempts.len()).map(log).collect::<String>().into_bytes()
    }

    /// What the containers of a run have really printed, one for each attempt.
    pub fn true_log(&self, id: &str) -> Vec<u8> {
        std::fs::read(self.engine(&format!("truth/longshore-{id}.log"))).unwrap_or_default()
    }

    /// What the container of a run has really ended with.
    pub fn true_code(&self, id: &str) -> Option<i64> {
        std::fs::read_to_string(self.engine(&format!("truth/longshore-{id}.code"))).ok()?.parse().ok()
    }

    /// Waits until the engine knows that the container of a run has ended.
    #[track_caller]
    pub fn wait_for_container_end(&self, id: &str) {
        let state = || -> Option<Value> {
            let ident = std::fs::read_link(self.engine(&format!("names/longshore-{id}"))).ok()?;
            serde_json::from_slice(&std::fs::read(self.engine("containers").join(ident).join("state.json")).ok()?).ok()
        };
        wait_until("the container has ended", || state().is_some_and(|state| state["Running"] == false));
    }

    /// The arguments of all docker calls until now.
    pub fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.engine("calls.log")).unwrap_or_default();
        let words = |line: &str| serde_json::from_str::<Vec<String>>(line).unwrap().join(" ");
        calls.lines().map(words).collect()
    }

    /// Forgets the calls until now.
    pub fn forget_calls(&self) {
        std::fs::write(self.engine("calls.log"), "").unwrap();
    }

    /// The containers that the engine has.
    pub fn containers(&self) -> Vec<String> {
        names(&self.engine("names"))
    }

    /// Every process of this world: commands, supervisors, clients, containers.
    pub fn processes(&self) -> Vec<Process> {
        self.processes.list()
    }

    /// The supervisor of a job.
    #[track_caller]
    pub fn supervisor(&self, id: &str) -> u32 {
        let found = self.processes().into_iter().find(|p| p.command.contains("__supervise") && p.command.contains(id));
        found.unwrap_or_else(|| panic!("job {id} has no supervisor")).pid
    }

    /// The docker client of a run, once there is one.
    #[track_caller]
    pub fn client(&self, id: &str) -> u32 {
        let file = self.engine(&format!("clients/longshore-{id}"));
        wait_until("the client has started", || file.exists());
        std::fs::read_to_string(file).unwrap().parse().unwrap()
    }

    /// Sends a signal to one process.
    pub fn signal(&self, signal: &str, pid: u32) {
        let sent = std::process::Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).output().unwrap();
        assert!(sent.status.success(), "kill -{signal} {pid}: {}", String::from_utf8_lossy(&sent.stderr));
    }

    /// Kills one process, and waits until it is no more.
    pub fn kill(&self, pid: u32) {
        self.signal("KILL", pid);
        wait_until("the killed process has gone", || !is_running(pid));
    }

    /// Waits until a run has printed this.
    #[track_caller]
    pub fn wait_for_output(&self, id: &str, text: &str) {
        let log = self.job("run", id).join("log");
        wait_until(&format!("the log holds {text:?}"), || {
            std::fs::read(&log).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text))
        });
    }

    /// Waits until nothing of this world runs any more.
    #[track_caller]
    pub fn wait_until_quiet(&self) {
        // One look is not enough: it misses a process whose parent ended during the look, and one that is just being
        // executed, whose environment is empty for that moment.
        let is_quiet = || self.processes().is_empty() && !is_any_ending();
        wait_until("no process is left", || (0..3).all(|_| is_quiet()));
    }

    /// The jobs and leftovers are not checked when this test ends, for the reason given here.
    pub fn leaves_unsound(&self, reason: &'static str) {
        self.unsound.set(reason).expect("one reason is enough");
    }

    /// The invariants of every fault, once everything has ended. No job is said to run; none is said to have succeeded or
    /// to have ended with a code that is not true; each log is the true one or is said not to be. After one command that
    /// changes something, nothing is half made, and bystanders are as they were. Then all but the bystanders are
    /// forgotten, and no container and no process is left.
    #[track_caller]
    pub fn assert_sound(&self) {
        self.wait_until_quiet();
        self.assert_jobs_are_true();
        self.sweep();
        let state = self.path("state/longshore");
        assert_eq!(leftovers(&state), Vec::<String>::new(), "left in the state directory");
        assert_eq!(self.bystanders.lock().unwrap().changed(), Vec::<PathBuf>::new(), "files of other jobs changed");
        self.forget_all();
        assert_eq!(leftovers(&state), Vec::<String>::new(), "left in the state directory after forgetting");
        assert_eq!(names(&state.join(".forgotten")), Vec::<String>::new(), "tombstones are left");
        assert_eq!(names(&state.join(".points")), Vec::<String>::new(), "mount points are left");
        assert_eq!(self.containers(), Vec::<String>::new(), "containers are left");
        assert!(self.processes().is_empty(), "{:?}", self.processes());
    }

    /// Lets a command finish what killed processes left, as every command does that changes something.
    #[track_caller]
    pub fn sweep(&self) {
        // With one id only, the error would be all.
        self.run(&["exec", "forget", "no-such-run", "nor-such-a-run"]).code(1);
        self.wait_until_quiet();
    }

    /// What every list says, compared with the truth.
    #[track_caller]
    pub fn assert_jobs_are_true(&self) {
        for view in self.run(&["exec", "list", "--json"]).code(0).json().as_array().unwrap() {
            self.assert_run_is_true(view);
        }
        for view in self.run(&["image", "builds", "--json"]).code(0).json().as_array().unwrap() {
            self.assert_build_is_true(view);
        }
    }

    fn forget_all(&self) {
        for (kind, verb) in [("exec", "run"), ("image", "build")] {
            let stays = |id: &String| self.bystanders.lock().unwrap().has(&self.job(verb, id));
            for id in job_ids(&self.jobs(verb)).iter().filter(|id| !stays(id)) {
                self.run(&[kind, "forget", id]);
            }
            let mut left: BTreeSet<String> = names(&self.jobs(verb)).into_iter().filter(|id| !stays(id)).collect();
            left.retain(|name| name != ".names" && !name.starts_with(".index"));
            assert!(left.is_empty(), "left in the state directory: {left:?}");
        }
    }

    fn assert_build_is_true(&self, view: &Value) {
        let id = view["id"].as_str().unwrap();
        assert_eq!(view["status"], "exited", "a dead build is said to run: {view}");
        let proven = names(&self.engine("images")).iter().any(|image| {
            let image: Value =
                serde_json::from_slice(&std::fs::read(self.engine("images").join(image)).unwrap()).unwrap();
            image["Config"]["Labels"]["longshore.job"] == id
        });
        assert!(proven || view["outcome"] != "succeeded", "a build without an image succeeded: {view}");
    }

    fn assert_run_is_true(&self, view: &Value) {
        let id = view["id"].as_str().unwrap();
        assert_eq!(view["status"], "exited", "a dead run is said to run: {view}");
        let (outcome, code) = (view["outcome"].as_str().unwrap(), view["exitCode"].as_i64());
        let truth = self.true_code(id);
        if outcome == "succeeded" {
            assert_eq!((truth, code), (Some(0), Some(0)), "a run succeeded that did not: {view}");
        }
        if let (Some(code), Some(truth)) = (code, truth) {
            assert_eq!(code, truth, "the exit code is not the true one: {view}");
        }
        if outcome != "corrupt" && view["log"] != "incomplete" && truth.is_some() {
            let (log, truth) = (self.logs_of_attempts(view), self.true_log(id));
            let attempts = view["attempts"].as_array().into_iter().flatten();
            let is_limited = attempts.chain([view]).any(|end| end["logGone"].is_u64());
            // Of a limited log the end is there; of attempts before, that is not looked at here.
            let is_end = || truth.ends_with(&self.log(id));
            assert!(
                if is_limited { is_end() } else { log == truth },
                "{} bytes of log, {} in truth: {view}",
                log.len(),
                truth.len()
            );
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if !std::thread::panicking() && self.unsound.get().is_none() {
            self.assert_sound();
        }
    }
}

/// The names in a directory, sorted; none when there is no such directory.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The ids of the jobs in a directory of them.
pub fn job_ids(dir: &Path) -> Vec<String> {
    names(dir).into_iter().filter(|name| !name.starts_with('.')).collect()
}

/// Whether a process is there and is no zombie.
pub fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

/// What a JSON document of a failure must be.
#[track_caller]
pub fn assert_failure_document(ran: &Ran, kind: &str) {
    let document = ran.json();
    assert_eq!(document["success"], json!(false), "{document}");
    assert_eq!(document["error"]["kind"], kind, "{document}");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(ran.stderr.starts_with(&format!("error: {message}\n")), "stderr tells something else:\n{}", ran.stderr);
    assert!(document["error"].as_object().unwrap().contains_key("hint"));
}
