//! `prune`, and `forget` by status or age: shows what will be removed and what that frees, then removes it. Each job is
//! looked at again before it goes, because it may have changed since the plan was made.

mod copies;
mod images;
mod report;

use std::collections::HashSet;

use anyhow::Result;

use super::forget::{Mode, drop_job};
use super::settle;
use crate::cli;
use crate::engine::{Answer, Engine};
use crate::env::Env;
use crate::error::Failure;
use crate::job::gone::How;
use crate::job::group::members;
use crate::job::prune::{Stay, Wanted, fates};
use crate::job::record::Kind;
use crate::job::store::{Extent, Forgotten, IfRunning, Store};
use crate::job::view::View;
use crate::names::{GroupName, JobId};
use crate::output::Voice;
use crate::supervisor::sweep;
use crate::survey::{view, views};
use report::Fate;
pub use report::Report;

/// What is to be removed.
struct Task<'a> {
    /// Jobs of these kinds.
    kinds: &'a [Kind],
    /// Which of them.
    wanted: Wanted,
    /// Only runs of these groups; if there are none, all jobs.
    groups: &'a [GroupName],
    /// Untagged images of builds, too.
    images: bool,
    /// Volumes with copies of files, too.
    copies: bool,
    /// What is told of the jobs afterwards.
    how: How,
    /// Only the plan.
    dry_run: bool,
}

/// `longshore prune`
pub fn prune(env: &Env, voice: &Voice, args: &cli::Prune) -> Result<u8> {
    let has_limits =
        args.older_than.is_some() || args.keep_last.is_some() || !args.statuses.is_empty() || !args.groups.is_empty();
    if !has_limits && !args.images && !args.copies {
        let hint = "for example: longshore prune --older-than 30d --dry-run; see: longshore prune --help";
        let needs =
            "prune has to be told what to remove: --older-than, --keep-last, --status, --group, --images or --copies";
        return Err(Failure::usage(needs).hint(hint).into());
    }
    let wanted =
        Wanted { statuses: args.statuses.clone(), keep_last: args.keep_last.unwrap_or(0), older_than: args.older_than };
    // An age with --images or --copies is meant for jobs, too; without an age, they are not meant for jobs.
    let kinds: &[Kind] = match (has_limits, args.groups.is_empty()) {
        (true, true) => &[Kind::Build, Kind::Run],
        (true, false) => &[Kind::Run],
        (false, _) => &[],
    };
    args.groups.iter().try_for_each(|group| members(env, group).map(drop))?;
    let (images, copies) = (args.images, args.copies);
    Task { kinds, wanted, groups: &args.groups, images, copies, how: How::Pruned, dry_run: args.dry_run }
        .perform(env, voice)
}

/// `forget` without ids.
pub fn forget_matching(env: &Env, voice: &Voice, kind: Kind, args: &cli::Forget) -> Result<u8> {
    let wanted = Wanted { statuses: args.statuses.clone(), keep_last: 0, older_than: args.older_than };
    let (images, copies) = (false, false);
    Task { kinds: &[kind], wanted, groups: &[], images, copies, how: How::Forgotten, dry_run: args.dry_run }
        .perform(env, voice)
}

impl Task<'_> {
    fn perform(&self, env: &Env, voice: &Voice) -> Result<u8> {
        let mut report = Report::new(self.dry_run, self.wanted.older_than);
        self.plan_jobs(env, &mut report)?;
        let images = if self.images { self.plan_images(env, voice, &mut report)? } else { None };
        let copies = if self.copies { self.plan_copies(env, voice, &mut report) } else { None };
        // What was asked for is done even if nobody reads the plan.
        let shown = voice.text(|page| report.show_plan(page, env.now()));
        if !self.dry_run {
            self.remove_jobs(env, voice, &mut report)?;
            if let Some(engine) = images {
                remove_images(voice, &engine, &mut report);
            }
            if let Some(engine) = copies {
                copies::remove_all(env, voice, &engine, &mut report);
            }
            sweep(env);
        }
        report.conclude();
        shown?;
        voice.reply(&report)?;
        self.advise(voice, &report);
        Ok(u8::from(!report.success))
    }

    fn plan_jobs(&self, env: &Env, report: &mut Report) -> Result<()> {
        for kind in self.kinds {
            let Some(store) = Store::open(env, *kind)? else { continue };
            let mut views = views(env, &store, Extent::Remembered)?;
            views.retain(|view| self.is_in_groups(view));
            views.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
            let fates = fates(&views, &self.wanted, env.now());
            for (view, fate) in views.into_iter().zip(fates) {
                if let Some(stay) = fate {
                    report.keep(stay);
                    continue;
                }
                let size = store.job(&view.id).map_or(0, |job| job.dir.size_on_disk());
                report.add_job(view, size);
            }
        }
        Ok(())
    }

    fn is_in_groups(&self, view: &View) -> bool {
        let is_its = |group: &GroupName| view.group.as_deref() == Some(group.as_str());
        self.groups.is_empty() || self.groups.iter().any(is_its)
    }

    /// The engine, if it could be asked. Without it, the jobs go all the same.
    fn plan_images(&self, env: &Env, voice: &Voice, report: &mut Report) -> Result<Option<Engine>> {
        let unfinished = unfinished_builds(env)?;
        let look = |engine: &Engine| images::left(engine, &unfinished, &self.wanted, env.now());
        let found = look_for(env, voice, report, "untagged images of builds", look);
        let Some((left, engine)) = found else { return Ok(None) };
        for image in left {
            report.add_image(image);
        }
        Ok(Some(engine))
    }

    /// The same for the volumes with copies of files.
    fn plan_copies(&self, env: &Env, voice: &Voice, report: &mut Report) -> Option<Engine> {
        let look = |engine: &Engine| copies::left(engine, env, &self.wanted);
        let (left, engine) = look_for(env, voice, report, "copies of files", look)?;
        for copy in left {
            report.add_copy(copy);
        }
        Some(engine)
    }

    /// An engine that hangs is waited for once, so its impatience goes from job to job.
    fn remove_jobs(&self, env: &Env, voice: &Voice, report: &mut Report) -> Result<()> {
        let mut env = env.clone();
        for kind in self.kinds {
            let Some(store) = Store::open(&env, *kind)? else { continue };
            let mut rows = report.jobs.iter_mut().filter(|row| row.job.kind == *kind).peekable();
            if rows.peek().is_none() {
                continue;
            }
            if let Err(error) = store.check_writable() {
                // One error, and not one for each of thousands.
                report.fail(voice, &Failure::of(&error));
                continue;
            }
            for row in rows {
                let done = self.remove_job(&mut env, voice, &store, &row.job.id);
                row.fate = done.unwrap_or_else(|error| Fate::failed(voice, &Failure::of(&error)));
            }
        }
        Ok(())
    }

    fn remove_job(&self, env: &mut Env, voice: &Voice, store: &Store, id: &JobId) -> Result<Fate> {
        const ABSENT: &str = "another process removed it";
        let Some(job) = store.job(id) else { return Ok(Fate::left(ABSENT)) };
        *env = settle(env, voice, &job);
        let stay = self.wanted.second_thought(&view(env, &job), env.now());
        if job.is_removed() {
            return Ok(Fate::left(ABSENT));
        }
        if let Some(stay) = stay {
            return Ok(Fate::left(changed(stay)));
        }
        if job.has_hook_due() {
            return Ok(Fate::left("its --on-exit command has still to be run"));
        }
        let mode = Mode { how: self.how, running: IfRunning::Leave };
        Ok(match drop_job(env, voice, store, &job, mode)? {
            Forgotten::Removed => Fate::removed(),
            Forgotten::Absent => Fate::left(ABSENT),
            Forgotten::Running | Forgotten::Hidden => Fate::left(changed(Stay::Running)),
        })
    }

    /// What to type about jobs that one would not expect to stay.
    fn advise(&self, voice: &Voice, report: &Report) {
        let command = match (self.how, self.kinds) {
            (How::Forgotten, [kind]) => format!("longshore {} forget", kind.noun()),
            _ => "longshore prune".into(),
        };
        if report.kept.unfetched > 0 {
            voice.note(
                "hint: copy such an output with: longshore exec fetch ID   remove it with: longshore exec forget ID",
            );
        }
        if report.kept.corrupt > 0 {
            voice.note(&format!(
                "hint: see what cannot be read: longshore doctor   remove it: {command} --status corrupt"
            ));
        }
    }
}

/// What the chosen engine answers, and the engine. If it cannot be asked, that is in the report.
fn look_for<T>(
    env: &Env,
    voice: &Voice,
    report: &mut Report,
    what: &str,
    look: impl FnOnce(&Engine) -> Answer<T>,
) -> Option<(T, Engine)> {
    let could_not = format!("could not look for {what}");
    let asked = Engine::chosen(env).map_err(|failure| failure.because(&could_not)).and_then(|engine| {
        let found = look(&engine).map_err(|error| error.failure(&could_not))?;
        Ok((found, engine))
    });
    asked.map_err(|failure| report.fail(voice, &failure)).ok()
}

/// Why a job of the plan was left alone.
fn changed(stay: Stay) -> &'static str {
    match stay {
        Stay::Running => "it is running",
        Stay::Unknown => "its status is unknown now",
        Stay::Unfetched => "its output was not fetched",
        Stay::Corrupt => "its record cannot be read any more",
        Stay::Status | Stay::Newest => "it has another status now",
        Stay::Young => "it ended later than was known",
    }
}

/// The builds that run or may run.
fn unfinished_builds(env: &Env) -> Result<HashSet<String>> {
    let Some(store) = Store::open(env, Kind::Build)? else { return Ok(HashSet::new()) };
    let is_unfinished =
        |view: &View| matches!(Wanted::default().refusal(view), Some(Stay::Running | Stay::Unknown | Stay::Corrupt));
    let builds = views(env, &store, Extent::Everything)?;
    Ok(builds.into_iter().filter(is_unfinished).map(|view| view.id.to_string()).collect())
}

fn remove_images(voice: &Voice, engine: &Engine, report: &mut Report) {
    for row in &mut report.images {
        row.fate = images::remove(engine, &row.id).unwrap_or_else(|failure| Fate::failed(voice, &failure));
    }
}
