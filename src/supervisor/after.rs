//! What follows the end of a job: the stamp file, and the command of `--on-exit`.
//!
//! The stamp is made before the end is recorded, so that it is there when a `wait` returns. The command is started after
//! that, at most once: a file of the job is renamed in the moment of the start, which only one process can do. If that
//! process is killed in between, the command is not run. Only the supervisor waits for the command.

use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::fs::Mode;
use rustix::process::{Pid, Signal, kill_process_group, umask};

use super::Task;
use super::launch::{Way, launch};
use crate::error::plain;
use crate::fault;
use crate::job::after::{Hook, HookResult};
use crate::job::record::{Exit, Outcome};
use crate::job::{HOOK_OUTPUT, HOOK_RESULT, Job, LOG, LOG_RECOVERED};
use crate::runner::Values;
use crate::units::show_duration;

/// The shell for the command.
const SHELL: &str = "/bin/sh";
/// How long a command that is ended may take between TERM and KILL.
const GRACE: Duration = Duration::from_secs(5);
/// Pause between two looks at a command that runs.
const LOOK: Duration = Duration::from_millis(50);

/// Makes the stamp of a job that succeeded. That it cannot be made is a part of the exit record.
pub fn make_stamp(task: &Task, exit: &mut Exit) {
    let Some(stamp) = &task.record.after.stamp else { return };
    if exit.outcome != Outcome::Succeeded {
        return stamp.sweep(&task.job.id);
    }
    exit.unstamped = stamp.make(&task.job.id, task.record.after.umask).err().map(|error| plain(&error));
}

/// A command that was started, or what became of it.
#[derive(Debug)]
pub struct Running<'a> {
    task: &'a Task,
    child: Option<Child>,
    result: HookResult,
}

/// Starts the command of a job whose end was recorded, unless another process did that or there is none.
pub fn start<'a>(task: &'a Task, exit: &Exit) -> Option<Running<'a>> {
    let hook = task.record.after.on_exit.as_ref()?;
    if !task.job.take_hook() {
        return None;
    }
    fault::point("hook-taken");
    let mut running = Running { task, child: None, result: HookResult::default() };
    running.result.started = Some(task.env.now());
    match spawn(task, hook, exit) {
        Ok(child) => running.child = Some(child),
        Err(error) => running.result.reason = Some(format!("it could not be started: {}", plain(&error))),
    }
    running.note();
    fault::point("hook-started");
    Some(running)
}

impl Running<'_> {
    /// Waits until it has ended, and ends it after its time limit. The job has ended before: nothing depends on this.
    pub fn finish(mut self) {
        let Some(mut child) = self.child.take() else { return };
        let limit = self.task.env.hook_limit;
        let mut status = within(&mut child, limit);
        if status.is_none() {
            self.result.reason = Some(format!("it was ended after its time limit of {}", show_duration(limit)));
            signal(&child, Signal::TERM);
            status = within(&mut child, GRACE);
        }
        let status = status.or_else(|| {
            signal(&child, Signal::KILL);
            child.wait().ok()
        });
        self.result.finished = Some(self.task.env.now());
        self.result.exit_code = status.and_then(|status| status.code());
        self.result.signal = status.and_then(|status| status.signal());
        self.note();
    }

    /// Records what is known of it. A full disk, or the removal of a forgotten job, may prevent that.
    fn note(&self) {
        let _ = self.task.job.write_json(HOOK_RESULT, &self.result);
    }
}

/// It is the first process of a group of its own, with the null device as its stdin, and inherits no descriptor of ours.
fn spawn(task: &Task, hook: &Hook, exit: &Exit) -> io::Result<Child> {
    // A job that was forgotten may have no directory any more.
    let output = task.job.dir.append(HOOK_OUTPUT).or_else(|_| File::options().write(true).open("/dev/null"))?;
    #[expect(clippy::disallowed_methods, reason = "this module starts the command that follows a job")]
    let mut command = Command::new(SHELL);
    command.args(["-c", &hook.command]).current_dir(&hook.cwd).process_group(0);
    command.env_clear().envs(&hook.environment).envs(variables(task, exit));
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    // Files of ours have their modes whatever the umask is.
    let ours = umask(Mode::from_raw_mode(task.record.after.umask));
    let child = command.spawn();
    umask(ours);
    child
}

/// What the command is told of the job. What is not known is empty.
fn variables(task: &Task, exit: &Exit) -> [(&'static str, String); 6] {
    let dir = &task.job.dir;
    let log = if dir.has(LOG_RECOVERED) { LOG_RECOVERED } else { LOG };
    [
        ("LONGSHORE_ID", task.job.id.to_string()),
        ("LONGSHORE_NAME", task.record.shown_name().unwrap_or_default()),
        ("LONGSHORE_KIND", task.job.kind.word().to_owned()),
        ("LONGSHORE_OUTCOME", exit.outcome.word().to_owned()),
        ("LONGSHORE_EXIT_CODE", exit.exit_code.map(|code| code.to_string()).unwrap_or_default()),
        ("LONGSHORE_LOG", dir.path().join(log).to_string_lossy().into_owned()),
    ]
}

/// How a child ended, if it did within this time.
fn within(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => sleep(LOOK),
            _ => return None,
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, signal);
    }
}

/// Lets a process of its own run the command of a job whose supervisor was killed: the command that finds this out must
/// neither wait for it nor end it with Ctrl-C.
///
/// # Errors
/// When that process cannot be started.
pub fn hand_over(job: &Job) -> Result<()> {
    // A supervisor that lives starts it in the next moment.
    if !job.has_hook_due() || job.is_supervised() {
        return Ok(());
    }
    let Some(lock) = job.take_over()? else { return Ok(()) };
    let mut child = launch(job, lock, Way::Conclude, &Values::default())?;
    // A supervisor that sweeps lives long, and its children have to be waited for.
    let _ = std::thread::Builder::new().spawn(move || child.wait());
    Ok(())
}

/// Runs the command of a job whose end is recorded already.
pub fn run(task: &Task) {
    let Some(Ok(exit)) = task.job.exit() else { return };
    if let Some(running) = start(task, &exit) {
        running.finish();
    }
}
