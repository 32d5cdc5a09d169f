//! `exec run --each`: starts a run for each job of a sweep, all in one group. Everything that can be checked is checked before
//! the first one is started, and the engine is asked for the image once.

mod answer;

use std::path::Path;

use anyhow::{Context as _, Result};

use super::run::{Asked, Ready, env_files, given, note_stdin, ready};
use super::ship::Shipment;
use crate::cli::{ExecRun, Stay};
use crate::commands::jobs::name::holder;
use crate::commands::jobs::progress::Progress;
use crate::commands::jobs::start::{IdFile, attempt, attempt_if, last_took};
use crate::commands::jobs::wait::{Awaited, wait_while};
use crate::commands::{read_input, read_spec};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::fs::allow_many_files;
use crate::interrupt::Interrupt;
use crate::job::Job;
use crate::job::record::Kind;
use crate::job::store::Store;
use crate::job::view::View;
use crate::names::{GroupName, JobId, Parameters};
use crate::output::{Form, Voice};
use crate::spec::RunSpec;
use crate::sweep::{self, Axis, Each, Placed, Sweep, Use, check_apart, fill};

pub use answer::{SweepDryRun, Swept};

/// A run of the sweep that is checked.
struct Planned {
    parameters: Parameters,
    ready: Ready,
}

/// Starts the runs and returns, unless `--wait` is given.
pub fn sweep(env: &Env, voice: &Voice, args: &ExecRun) -> Result<u8> {
    check_options(&args.stay)?;
    let group = args.group.clone().map_or_else(|| GroupName::parse(Store::new_id().as_str()), Ok)?;
    let mut plan = plan(env, voice, args, &group)?;
    // Mostly all of them have the same source.
    plan.first().map_or(Ok(None), |first| Shipment::of(&first.ready.record))?;
    if args.stay.dry_run {
        voice.reply(&SweepDryRun::of(args.group.as_ref(), plan))?;
        return Ok(0);
    }
    note_stdin(env, voice, reads_stdin(args));
    let store = Store::make(env, Kind::Run)?;
    check_names(env, &store, &plan)?;
    let interrupt = Interrupt::ctrl_c()?;
    let id_file = IdFile::claim(args.stay.id_file.as_deref())?;
    let mut begun = Begun { group: &group, jobs: Vec::new(), told: Ok(()) };
    let started = begun.start_all(env, voice, &store, &mut plan, &interrupt, args.stay.wait);
    if !begun.jobs.is_empty() {
        let ids: Vec<&str> = begun.jobs.iter().map(JobId::as_str).collect();
        id_file.write(&ids.join("\n"))?;
    }
    started?;
    let (jobs, told) = (begun.jobs, begun.told);
    let parameters = plan.into_iter().map(|planned| planned.parameters).collect();
    if args.stay.wait {
        return wait_for_all(env, voice, &group, &opened(&store, &jobs)?, parameters, &interrupt);
    }
    // Whoever reads the ids may have gone, and the runs were started all the same.
    told?;
    Swept::started(&group, &jobs, parameters).tell(voice)
}

/// Refuses the options that mean one run.
fn check_options(stay: &Stay) -> Result<(), Failure> {
    let one = "it is for one run";
    let refused = [
        (stay.follow, "--follow", one, "start the runs with --group NAME, then: longshore exec logs -f --group NAME"),
        (stay.foreground, "--foreground", one, "use --wait, and end the runs with: longshore exec stop --group NAME"),
        (stay.stamp.is_some(), "--stamp", one, "make the file if this succeeds: longshore exec wait --group NAME"),
        (stay.if_running.is_some(), "--if-running", one, "a name that is in use is refused before anything is started"),
    ];
    let Some((_, flag, why, hint)) = refused.into_iter().find(|(is_given, ..)| *is_given) else { return Ok(()) };
    Err(Failure::usage(format!("cannot use {flag} with --each: {why}")).hint(hint))
}

fn reads_stdin(args: &ExecRun) -> bool {
    let is_stdin = |path: &Path| path == Path::new("-");
    args.file.as_deref().is_some_and(is_stdin)
        || args.each.iter().any(|each| matches!(each, Each::File(path) if is_stdin(path)))
}

fn axis(each: &Each) -> Result<Axis> {
    match each {
        Each::List(axis) => Ok(axis.clone()),
        Each::File(path) => {
            let name = if path == Path::new("-") { "stdin".into() } else { path.display().to_string() };
            Ok(sweep::file(&name, &read_input(path, "the file of parameters")?)?)
        }
    }
}

/// All runs, checked one by one and against each other. Files are read once.
fn plan(env: &Env, voice: &Voice, args: &ExecRun, group: &GroupName) -> Result<Vec<Planned>> {
    let sweep = Sweep::new(args.each.iter().map(axis).collect::<Result<_>>()?)?;
    let file: RunSpec = read_spec(args.file.as_deref())?;
    let variables = env_files(&args.env_files)?;
    let mut used = Use::default();
    let mut one = |parameters: &Parameters| -> Result<Ready> {
        let (flags, file) =
            (fill(args.spec.clone(), parameters, &mut used)?, fill(file.clone(), parameters, &mut used)?);
        let spec = given(&flags, file, variables.clone());
        let (group, parameters) = (Some(group.clone()), parameters.clone());
        ready(env, Asked { spec, rerun_of: None, group, parameters, reads_stdin: false, stay: &args.stay })
    };
    let mut plan = Vec::new();
    for (at, parameters) in sweep.jobs().enumerate() {
        // What is wrong with the first is mostly wrong with all of them.
        let ready = match at {
            0 => one(&parameters)?,
            _ => one(&parameters).with_context(|| sweep::shown(at, sweep.len(), &parameters))?,
        };
        plan.push(Planned { parameters, ready });
    }
    check_apart(&plan.iter().map(Planned::placed).collect::<Vec<_>>())?;
    for name in used.unused(sweep.names()) {
        voice.note(&format!("note: the parameter {name:?} is used nowhere; write {{{name}}} where its value belongs"));
    }
    Ok(plan)
}

impl Planned {
    fn placed(&self) -> Placed<'_> {
        let (record, parameters) = (&self.ready.record, &self.parameters);
        let output = record.run().and_then(|run| run.output.as_ref()).map(|path| Path::new(path.as_str()));
        Placed { parameters, output, name: record.name.as_deref() }
    }

    /// Publishes the run and starts its supervisor.
    fn start(&mut self, env: &Env, voice: &Voice, store: &Store, is_first: bool) -> Result<Job> {
        self.ready.record.created = env.now();
        self.ready.record.last_took = last_took(store, &self.ready.record);
        let (record, values) = (&self.ready.record, &self.ready.values);
        if is_first {
            return attempt(env, voice, store, record, values, |store, record| self.ready.make(store, record));
        }
        // The image is the same for all of them, and the first was asked for it.
        let checked = || Ok(());
        attempt_if(env, voice, store, record, values, &checked, |store, record| self.ready.make(store, record))
    }
}

/// Refuses a name that a running run has.
fn check_names(env: &Env, store: &Store, plan: &[Planned]) -> Result<()> {
    for Planned { ready: Ready { record, .. }, .. } in plan {
        if let Some(holder) = record.name.as_ref().and_then(|_| holder(env, store, record).transpose()) {
            return Err(store.in_use(&holder?, record).into());
        }
    }
    Ok(())
}

/// The runs that were started so far.
struct Begun<'a> {
    group: &'a GroupName,
    /// Their ids. A job has a directory open, and descriptors are few.
    jobs: Vec<JobId>,
    /// Whether their ids could be printed.
    told: Result<()>,
}

impl Begun<'_> {
    /// Starts one after the other. Ids are printed as text at once, unless there will be a line with the exit code.
    fn start_all(
        &mut self,
        env: &Env,
        voice: &Voice,
        store: &Store,
        plan: &mut [Planned],
        interrupt: &Interrupt,
        is_quiet: bool,
    ) -> Result<(), Failure> {
        let count = plan.len();
        for (at, planned) in plan.iter_mut().enumerate() {
            interrupt.check(|| "interrupted".to_owned()).map_err(|failure| self.partly(failure, count, None))?;
            let job = planned.start(env, voice, store, at == 0).map_err(|error| {
                let which = sweep::shown(at, count, &planned.parameters);
                self.partly(Failure::of(&error), count, Some(&which))
            })?;
            if self.told.is_ok() && !is_quiet {
                self.told = voice.text(|page| page.line(job.id.as_str()));
            }
            self.jobs.push(job.id);
        }
        Ok(())
    }

    /// The failure of a start after others; of the first one, its own failure.
    fn partly(&self, failure: Failure, count: usize, which: Option<&str>) -> Failure {
        let (started, group) = (self.jobs.len(), self.group);
        if started == 0 {
            return failure;
        }
        let could_not = which.map(|which| format!("; could not start {which}")).unwrap_or_default();
        let so_far = format!("started {started} of {count} jobs of the group \"{group}\"{could_not}");
        let own = failure.hint.iter().map(|hint| format!("{hint}; ")).collect::<String>();
        let hint = format!("{own}the runs that were started go on; end them with: longshore exec stop --group {group}");
        failure.because(&so_far).hint(hint)
    }
}

/// The jobs, with their directories open.
fn opened(store: &Store, ids: &[JobId]) -> Result<Vec<Job>, Failure> {
    allow_many_files();
    let gone = |id: &JobId| Failure::new(ErrorKind::NotFound, format!("run {id} was forgotten before it ended"));
    ids.iter().map(|id| store.job(id).ok_or_else(|| gone(id))).collect()
}

/// Waits for all of them, as `exec wait` with several ids.
fn wait_for_all(
    env: &Env,
    voice: &Voice,
    group: &GroupName,
    jobs: &[Job],
    parameters: Vec<Parameters>,
    interrupt: &Interrupt,
) -> Result<u8> {
    let mut progress = Progress::of(env, voice, jobs);
    let mut ends: Vec<Option<View>> = Vec::new();
    for job in jobs {
        match wait_while(env, &Awaited::one_of_many(job), None, interrupt, &mut progress) {
            Ok(view) => {
                if let Some(progress) = &mut progress {
                    progress.close(&view);
                }
                voice.text(|page| page.line(&format!("{} {}", view.id, view.wait_code())))?;
                ends.push(Some(view));
            }
            Err(error) => match Failure::of(&error) {
                // It was forgotten meanwhile.
                failure if failure.kind == ErrorKind::NotFound => {
                    voice.tell(&failure);
                    ends.push(None);
                }
                failure if failure.kind == ErrorKind::Interrupted => return Err(left(failure, group).into()),
                _ => return Err(error),
            },
        }
    }
    drop(progress);
    let is_success = ends.iter().all(|end| end.as_ref().is_some_and(|view| view.wait_code() == 0));
    if voice.form() != Form::Text {
        let jobs: Vec<JobId> = jobs.iter().map(|job| job.id.clone()).collect();
        voice.reply(&Swept::ended(group, &jobs, parameters, ends, is_success))?;
    }
    Ok(u8::from(!is_success))
}

fn left(failure: Failure, group: &GroupName) -> Failure {
    let hint = format!(
        "wait for them again with: longshore exec wait --group {group}   or end them with: longshore exec stop --group {group}"
    );
    Failure { message: format!("interrupted; the runs of the group \"{group}\" go on"), ..failure }.hint(hint)
}
