//! `container logs`: the engine's copy of a container's output.

use std::io::{Read as _, Write};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Pid;

use super::find;
use crate::cli::ContainerLogs;
use crate::commands::jobs::JsonRows;
use crate::engine::{Engine, ended, tail};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::log;
use crate::names::Tail;
use crate::output::{self, Escaper};
use crate::units::moment;

/// Shows them; stdout and stderr stay apart unless they are wanted as JSON.
pub fn logs(env: &Env, json: bool, engine: &Engine, args: &ContainerLogs) -> Result<u8> {
    let found = find(engine, &args.container)?;
    let mut argv = vec!["logs".to_owned()];
    argv.extend(args.follow.then(|| "--follow".to_owned()));
    argv.extend(args.timestamps.then(|| "--timestamps".to_owned()));
    if let Tail::Lines(lines) = args.tail {
        argv.push(format!("--tail={lines}"));
    }
    for (flag, time) in [("--since", &args.since), ("--until", &args.until)] {
        if let Some(text) = time {
            let time = moment(text, env.now())?;
            argv.push(format!("{flag}={}", time.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true)));
        }
    }
    argv.push(found.id.clone());
    let could_not = format!("could not read the log of container {}", found.name);
    if found.object["HostConfig"]["LogConfig"]["Type"] == "none" {
        let why = format!("{could_not}: its log driver is \"none\", so the engine kept nothing");
        return Err(Failure::new(ErrorKind::EngineFailed, why).into());
    }
    let watch = args.follow.then(Watch::begin).transpose()?;
    let status = if json {
        merged(engine, &argv, watch.as_ref(), &could_not)
    } else if env.stdout_terminal || env.stderr_terminal {
        escaped(engine, &argv, env, watch.as_ref())
    } else {
        let child = engine.command(&argv).spawn().context("could not run docker")?;
        ending(child, watch.as_ref(), Ok(()))
    };
    if watch.is_some_and(|watch| watch.heard()) {
        let message = format!("interrupted; container {} goes on", found.name);
        return Err(Failure::new(ErrorKind::Interrupted, message).into());
    }
    let status = status?;
    if status.success() || output::stdout_is_closed() {
        return Ok(0);
    }
    Err(Failure::new(ErrorKind::EngineFailed, format!("{could_not}: docker logs {}", ended(status))).into())
}

/// Ctrl-C while following ends the following; whoever typed it gets told that the container goes on.
struct Watch {
    heard: Arc<AtomicBool>,
}

impl Watch {
    fn begin() -> Result<Self> {
        let heard = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal_hook::consts::SIGINT, heard.clone())?;
        Ok(Self { heard })
    }

    fn heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }
}

/// Ends docker, which was not waited for yet.
fn kill(pid: Pid) {
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

/// How often a follower looks whether it is to go on.
const LOOK: Duration = Duration::from_millis(50);

/// Waits for docker, which has no more to do when its words could not be handed on or were interrupted: a signal to
/// longshore alone does not reach it.
fn ending(mut child: Child, watch: Option<&Watch>, copied: std::io::Result<()>) -> Result<ExitStatus> {
    if copied.is_err() {
        let _ = child.kill();
    }
    if let Some(watch) = watch {
        while child.try_wait()?.is_none() {
            if watch.heard() {
                let _ = child.kill();
                break;
            }
            std::thread::sleep(LOOK);
        }
    }
    let status = child.wait()?;
    copied?;
    Ok(status)
}

/// Copies on a thread of its own while this one waits for docker's end, so that both can be interrupted.
fn copying(
    child: Child,
    watch: Option<&Watch>,
    copy: impl FnOnce() -> std::io::Result<()> + Send,
) -> Result<ExitStatus> {
    let pid = Pid::from_child(&child);
    std::thread::scope(|scope| {
        let (done, copied) = std::sync::mpsc::channel::<()>();
        let copier = scope.spawn(move || {
            let copied = copy();
            drop(done);
            copied
        });
        while copied.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            if watch.is_some_and(Watch::heard) {
                // Its end closes the pipes, and so ends the copying.
                kill(pid);
            }
        }
        ending(child, watch, copier.join().unwrap_or(Ok(())))
    })
}

/// As much of a log is read before anything is printed: an error of docker's comes through the same pipe, alone.
const HEAD: u64 = 1 << 16;

/// Both streams through one pipe, in the order in which the engine gives them.
fn merged(engine: &Engine, argv: &[String], watch: Option<&Watch>, could_not: &str) -> Result<ExitStatus> {
    let follow = watch.is_some();
    let (reader, writer) = std::io::pipe()?;
    let mut command = engine.command(argv);
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().map_err(|error| engine.not_started(&error).failure("could not read the log"))?;
    drop(command);
    let mut head = Vec::new();
    if !follow {
        (&reader).take(HEAD).read_to_end(&mut head)?;
    }
    if !follow && (head.len() as u64) < HEAD {
        let status = child.wait()?;
        if !status.success() {
            let message = format!("{could_not}: docker logs {}", ended(status));
            return Err(Failure::new(ErrorKind::EngineFailed, message).detail(tail(&head)).into());
        }
    }
    copying(child, watch, move || {
        if follow {
            let mut rows = JsonRows::default();
            std::io::copy(&mut &reader, &mut rows)?;
            return rows.finish();
        }
        let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
        out.write_all(b"{\"lines\": [")?;
        log::json_items(head.chain(&reader), &mut out)?;
        out.write_all(b"]}\n")?;
        out.flush()
    })
}

/// Each stream to its own, made safe where it goes to a terminal.
fn escaped(engine: &Engine, argv: &[String], env: &Env, watch: Option<&Watch>) -> Result<ExitStatus> {
    let mut command = engine.command(argv);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| engine.not_started(&error).failure("could not read the log"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (to_stdout, to_stderr) = (env.stdout_terminal, env.stderr_terminal);
    let pid = Pid::from_child(&child);
    // When one stream finds no reader, the other would be waited for as long as the container runs.
    let or_kill = move |copied: std::io::Result<()>| copied.inspect_err(|_| kill(pid));
    copying(child, watch, move || {
        std::thread::scope(|scope| {
            let errors =
                scope.spawn(|| or_kill(stderr.map_or(Ok(()), |from| pass(from, std::io::stderr(), to_stderr))));
            let copied = or_kill(stdout.map_or(Ok(()), |from| pass(from, std::io::stdout(), to_stdout)));
            copied.and(errors.join().unwrap_or(Ok(())))
        })
    })
}

fn pass(mut from: impl std::io::Read, mut to: impl Write, terminal: bool) -> std::io::Result<()> {
    if !terminal {
        return std::io::copy(&mut from, &mut to).map(drop);
    }
    let mut escaper = Escaper::new(to);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer)? {
            0 => return escaper.finish(),
            count => {
                escaper.write_all(&buffer[..count])?;
                escaper.flush()?;
            }
        }
    }
}
