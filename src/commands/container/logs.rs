//! `container logs`: shows the engine's copy of a container's output.

use std::io::{Read as _, Write as _};
use std::process::ExitStatus;

use anyhow::Result;

use super::{Found, find};
use crate::cli::ContainerLogs;
use crate::engine::silence::Silence;
use crate::engine::stream::Readers;
use crate::engine::{Engine, tail};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::interrupt::Interrupt;
use crate::names::Tail;
use crate::output::{Bytes, Form, Logs, Voice, stdout_is_closed};
use crate::shell::ended;
use crate::units::moment;

/// How many bytes of a log are read before anything is printed. An error of docker comes through the same pipe, alone.
const HEAD: u64 = 1 << 16;

/// A log that is about to be asked for.
struct Call<'a> {
    engine: &'a Engine,
    argv: Vec<String>,
    interrupt: Option<Interrupt>,
    could_not: String,
}

/// Shows it; stdout and stderr stay apart unless they are wanted as JSON.
pub fn logs(env: &Env, voice: &Voice, engine: &Engine, args: &ContainerLogs) -> Result<u8> {
    let found = find(env, engine, &args.container)?;
    let call = Call {
        engine,
        argv: argv(env, args, &found)?,
        // Ctrl-C ends the following. A message then says that the container is still running.
        interrupt: args.follow.then(Interrupt::ctrl_c).transpose()?,
        could_not: format!("could not read the log of container {}", found.name),
    };
    if found.object["HostConfig"]["LogConfig"]["Type"] == "none" {
        let why = format!("{}: its log driver is \"none\", so the engine has no copy of the output", call.could_not);
        return Err(Failure::new(ErrorKind::EngineFailed, why).into());
    }
    let status = match voice.form() {
        Form::Text => call.apart(voice),
        Form::Rows => call.rows(voice),
        Form::Document => call.whole(voice),
    };
    if let Some(interrupt) = &call.interrupt {
        let running = format!("container {} is still running", found.name);
        if interrupt.is_heard() && voice.form() == Form::Text {
            // Ctrl-C is the usual way to leave a log, so it is no error.
            voice.note(&format!("note: {running}"));
            return Ok(130);
        }
        interrupt.check(|| format!("interrupted; {running}"))?;
    }
    let status = status?;
    if status.success() || stdout_is_closed() { Ok(0) } else { Err(call.failed(status).into()) }
}

fn argv(env: &Env, args: &ContainerLogs, found: &Found) -> Result<Vec<String>> {
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
    Ok(argv)
}

impl Call<'_> {
    fn run(&self, readers: Readers) -> Result<ExitStatus> {
        let command = self.engine.streamed(&self.argv);
        // A container may have nothing to say.
        self.engine.stream(command, readers, Silence::Usual, self.interrupt.as_ref(), &self.could_not)
    }

    fn failed(&self, status: ExitStatus) -> Failure {
        Failure::new(ErrorKind::EngineFailed, format!("{}: docker logs {}", self.could_not, ended(status)))
    }

    /// Prints each stream to the same stream. docker writes directly to those that are not terminals.
    fn apart(&self, voice: &Voice) -> Result<ExitStatus> {
        if !voice.is_stdout_terminal() && !voice.is_stderr_terminal() {
            return self.run(Readers::Inherited);
        }
        let (mut stdout, mut stderr) = (voice.log(Bytes::Safe, &Logs::default())?, voice.log_of_stderr()?);
        self.run(Readers::Apart(
            Box::new(move |from| stdout.copy(from).and_then(|()| stdout.finish())),
            Box::new(move |from| stderr.copy(from).and_then(|()| stderr.finish())),
        ))
    }

    /// Both streams, in the order in which the engine gives them.
    fn rows(&self, voice: &Voice) -> Result<ExitStatus> {
        let mut sink = voice.log(Bytes::Safe, &Logs::default())?;
        self.run(Readers::Merged(Box::new(move |from| sink.copy(from).and_then(|()| sink.finish()))))
    }

    /// Prints both streams as one document. It begins when it is certain that docker does not print an error instead.
    fn whole(&self, voice: &Voice) -> Result<ExitStatus> {
        let mut sink = voice.log(Bytes::Safe, &Logs::default())?;
        let mut head = Vec::new();
        let status = self.run(Readers::Merged(Box::new(|mut from| {
            (&mut from).take(HEAD).read_to_end(&mut head)?;
            if (head.len() as u64) < HEAD { Ok(()) } else { sink.copy(head.as_slice().chain(from)) }
        })))?;
        if (head.len() as u64) < HEAD {
            if !status.success() {
                return Err(self.failed(status).detail(tail(&head)).into());
            }
            sink.write_all(&head)?;
        }
        sink.finish()?;
        Ok(status)
    }
}
