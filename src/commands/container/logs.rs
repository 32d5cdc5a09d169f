//! `container logs`: the engine's copy of a container's output.

use std::io::{Read as _, Write};
use std::process::Stdio;

use anyhow::{Context as _, Result};

use super::find;
use crate::cli::ContainerLogs;
use crate::commands::jobs::JsonRows;
use crate::engine::{Engine, ended, tail};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::log;
use crate::output::{self, Escaper};
use crate::units::{Tail, moment};

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
    let status = if json {
        merged(engine, &argv, args.follow, &could_not)
    } else if env.stdout_terminal || env.stderr_terminal {
        escaped(engine, &argv, env)
    } else {
        engine.command(&argv).status().context("could not run docker")
    }?;
    if status.success() || output::stdout_is_closed() {
        return Ok(0);
    }
    Err(Failure::new(ErrorKind::EngineFailed, format!("{could_not}: docker logs {}", ended(status))).into())
}

/// As much of a log is read before anything is printed: an error of docker's comes through the same pipe, alone.
const HEAD: u64 = 1 << 16;

/// Both streams through one pipe, in the order in which the engine gives them.
fn merged(engine: &Engine, argv: &[String], follow: bool, could_not: &str) -> Result<std::process::ExitStatus> {
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
    let copied = (|| -> std::io::Result<()> {
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
    })();
    drop(reader);
    let status = child.wait()?;
    copied?;
    Ok(status)
}

/// Each stream to its own, made safe where it goes to a terminal.
fn escaped(engine: &Engine, argv: &[String], env: &Env) -> Result<std::process::ExitStatus> {
    let mut command = engine.command(argv);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| engine.not_started(&error).failure("could not read the log"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let copied = std::thread::scope(|scope| {
        let errors = scope.spawn(|| stderr.map_or(Ok(()), |from| pass(from, std::io::stderr(), env.stderr_terminal)));
        let copied = stdout.map_or(Ok(()), |from| pass(from, std::io::stdout(), env.stdout_terminal));
        copied.and(errors.join().unwrap_or(Ok(())))
    });
    let status = child.wait()?;
    copied?;
    Ok(status)
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
