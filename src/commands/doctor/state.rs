//! The checks of the state directory and its jobs. Pure: the facts are arguments.

use std::collections::BTreeSet;

use super::facts::{Condition, Directory, EngineFacts, JobFact, State};
use super::{Check, directories};
use crate::engine::condition::Named;
use crate::fs::Room;
use crate::job::record::Kind;
use crate::job::tombstone::Tombstone;
use crate::names::JobId;
use crate::runner::container_name;
use crate::units::{counted, show_bytes};

/// Less room than this is a problem: a job could not be recorded, or not much of its log.
const NO_ROOM: u64 = 16 << 20;
/// Less than this is a warning.
const LITTLE_ROOM: u64 = 256 << 20;
/// A job takes about a dozen files.
const FEW_FILES: u64 = 1000;

/// How many jobs a message names.
const NAMED: usize = 5;

const FIX: &str = "longshore doctor --fix";

/// All of them, in the order in which they are shown. `known` are the ids of all jobs here, also of those that were removed
/// meanwhile. `is_fixed` says that `--fix` has done what can be done now.
pub fn checks(state: &State, engine: &EngineFacts, known: &BTreeSet<JobId>, is_fixed: bool) -> Vec<Check> {
    let containers = engine.more.as_ref().and_then(|more| more.containers.as_ref().ok());
    let mut checks = vec![directory(state)];
    if let Ok(Directory::There { room, locks, .. }) = &state.directory {
        checks.extend(room.map(disk));
        checks.extend([self::locks(locks), jobs(state)]);
        checks.extend([damaged(state), abandoned(state, is_fixed), unknown(state, engine)].into_iter().flatten());
        checks.extend([copied(state), lost(state), leftovers(state, is_fixed)].into_iter().flatten());
        checks.extend(forgotten(state, engine, containers, is_fixed));
    }
    // Without the ids of the jobs here, every container would look like a stray.
    if state.directory.is_ok() {
        checks.extend(containers.and_then(|containers| strays(containers, known)));
    }
    checks
}

fn directory(state: &State) -> Check {
    const NAME: &str = "state-directory";
    match &state.directory {
        Err(failure) => {
            let hint = failure.hint.clone().unwrap_or_else(|| "set XDG_STATE_HOME to a directory of your own".into());
            Check::problem(NAME, &failure.message, hint)
        }
        Ok(Directory::Missing { path, why_not: None }) => {
            Check::ok(NAME, format!("{}; the first job makes it", path.display()))
                .with("path", path.display().to_string())
        }
        Ok(Directory::Missing { path, why_not: Some(why) }) => {
            let path = path.display().to_string();
            let hint = "set XDG_STATE_HOME to a directory that you may write";
            Check::problem(NAME, format!("{path} cannot be made: {why}"), hint).with("path", path)
        }
        Ok(Directory::There { path, mode, file_system, is_untrusted, .. }) => {
            let path = path.display().to_string();
            let check = if *is_untrusted {
                let message = format!("{path} is on {file_system}, where locks are not reliable");
                Check::warning(NAME, message, "set XDG_STATE_HOME to a directory on a local file system")
            } else if mode & 0o077 != 0 {
                let message = format!("{path} can be read by others (mode {mode:04o})");
                Check::warning(NAME, message, format!("chmod 700 {}", crate::shell::quoted(&path)))
            } else {
                Check::ok(NAME, format!("{path}, {file_system}"))
            };
            check.with("path", path).with("fileSystem", file_system.as_str()).with("mode", format!("{mode:04o}"))
        }
    }
}

fn disk(room: Room) -> Check {
    const NAME: &str = "state-disk";
    let few = room.files.filter(|files| *files < FEW_FILES);
    let files = few.map(|files| format!(", room for {files} files")).unwrap_or_default();
    let message = format!("{} free{files}", show_bytes(room.bytes));
    let hint = "free some space: longshore keeps logs and records there; remove those of old jobs with: longshore prune --older-than 30d";
    let check = match room.bytes {
        ..NO_ROOM => Check::problem(NAME, message, hint),
        _ if few == Some(0) => Check::problem(NAME, message, hint),
        NO_ROOM..LITTLE_ROOM => Check::warning(NAME, message, hint),
        _ if few.is_some() => Check::warning(NAME, message, hint),
        _ => Check::ok(NAME, message),
    };
    check.with("freeBytes", room.bytes).with("freeInodes", room.files)
}

fn locks(locks: &Result<bool, String>) -> Check {
    const NAME: &str = "locks";
    match locks {
        Ok(true) => Check::ok(NAME, "a lock that is held is refused to others"),
        Ok(false) => Check::problem(
            NAME,
            "a lock that is held is given to others too, so longshore cannot tell which jobs run",
            "set XDG_STATE_HOME to a directory on a local file system",
        ),
        Err(why) => {
            let message = format!("nothing can be written to the state directory: {why}");
            Check::problem(NAME, message, "make it writable, or set XDG_STATE_HOME to another directory")
        }
    }
}

fn damaged(state: &State) -> Option<Check> {
    let found = those(state, |condition| matches!(condition, Condition::Damaged(_)));
    let why = found.iter().find_map(|job| match &job.condition {
        Condition::Damaged(why) => Some(why.as_str()),
        _ => None,
    })?;
    let message = format!("{} cannot be read: {}; {why}", counted(found.len(), "job"), named(&found));
    Some(Check::problem("damaged-records", message, forget(&found, "corrupt")).with("jobs", ids(&found)))
}

/// Jobs that `--fix` can finish. A build whose client still runs ends by itself.
fn abandoned(state: &State, is_fixed: bool) -> Option<Check> {
    const NAME: &str = "abandoned-jobs";
    let is_building = |job: &JobFact| job.kind == Kind::Build && job.condition == Condition::Alone;
    let found = those(state, |condition| matches!(condition, Condition::Alone | Condition::Unrecorded));
    let (building, left): (Vec<_>, Vec<_>) = found.into_iter().partition(|job| is_building(job));
    if let [first, ..] = left[..] {
        let message = format!("the supervisor of {} was killed: {}", counted(left.len(), "job"), named(&left));
        let hint = if is_fixed {
            format!(
                "see why with: longshore {} wait --timeout 5s {}   then try again: {FIX}",
                first.kind.noun(),
                first.id
            )
        } else {
            format!("finish what it left: {FIX}")
        };
        return Some(Check::problem(NAME, message, hint).with("jobs", ids(&left)));
    }
    let first = building.first()?;
    let goes_on = if building.len() == 1 { "goes" } else { "go" };
    let message = format!(
        "{} {goes_on} on without a supervisor, which was killed: {}",
        counted(building.len(), "build"),
        named(&building)
    );
    Some(
        Check::warning(NAME, message, format!("wait for it: longshore image wait {}", first.id))
            .with("jobs", ids(&building)),
    )
}

/// The reason is not repeated for each job if the engine was asked here and did not answer.
fn unknown(state: &State, engine: &EngineFacts) -> Option<Check> {
    let found = those(state, |condition| matches!(condition, Condition::Unknown(_)));
    let why = found.iter().find_map(|job| match &job.condition {
        Condition::Unknown(why) => Some(why.as_str()),
        _ => None,
    })?;
    let is_silent = engine.more.as_ref().is_none_or(|more| more.containers.is_err());
    let why = if is_silent { "the engine does not answer" } else { why };
    let message = format!("the status of {} is unknown: {}; {why}", counted(found.len(), "job"), named(&found));
    let hint = format!("when its engine answers again, or in a minute: {FIX}");
    Some(Check::warning("unknown-jobs", message, hint).with("jobs", ids(&found)))
}

fn copied(state: &State) -> Option<Check> {
    let found = those(state, |condition| *condition == Condition::Copied);
    let first = found.first()?;
    let message =
        format!("this directory is a copy: {} belong to the original: {}", counted(found.len(), "job"), named(&found));
    let hint = format!("remove the copy of a job with: longshore {} forget {}", first.kind.noun(), first.id);
    Some(Check::warning("copied-jobs", message, hint).with("jobs", ids(&found)))
}

fn lost(state: &State) -> Option<Check> {
    let found = those(state, |condition| *condition == Condition::Lost);
    let first = found.first()?;
    let message = format!("the end of {} is not known: {}", counted(found.len(), "job"), named(&found));
    let show = match first.kind {
        Kind::Run => format!("longshore exec inspect {}", first.id),
        Kind::Build => format!("longshore image status {}", first.id),
    };
    let hint = format!("see why: {show}   when you have seen it: {}", forget(&found, "lost"));
    Some(Check::warning("lost-jobs", message, hint).with("jobs", ids(&found)))
}

fn leftovers(state: &State, is_fixed: bool) -> Option<Check> {
    let found = those(state, |condition| matches!(condition, Condition::Remains | Condition::Spent));
    let remains =
        (!state.remains.is_empty()).then(|| format!("{} of killed processes", directories(state.remains.len())));
    let jobs = (!found.is_empty())
        .then(|| format!("something of {} that ended: {}", counted(found.len(), "job"), named(&found)));
    let parts: Vec<String> = remains.into_iter().chain(jobs).collect();
    if parts.is_empty() {
        return None;
    }
    let hint = match found.first() {
        Some(job) if is_fixed => format!(
            "the container may have the only whole copy of the log; remove both with: longshore {} forget {}",
            job.kind.noun(),
            job.id
        ),
        _ => format!("remove it: {FIX}"),
    };
    let check = Check::warning("leftovers", format!("left: {}", parts.join("; ")), hint);
    Some(check.with("directories", state.remains.clone()).with("jobs", ids(&found)))
}

/// Containers of forgotten runs. Of those on the engine that was asked, only the ones that it has are left; of another
/// engine it is not known.
fn forgotten(state: &State, engine: &EngineFacts, containers: Option<&Vec<Named>>, is_fixed: bool) -> Option<Check> {
    const NAME: &str = "forgotten-runs";
    let container =
        |grave: &Tombstone| containers.and_then(|all| all.iter().find(|named| named.name == container_name(&grave.id)));
    let may_be_there =
        |grave: &&Tombstone| containers.is_none() || grave.endpoint != engine.endpoint || container(grave).is_some();
    let found: Vec<&Tombstone> = state.tombstones.iter().filter(may_be_there).collect();
    let first = found.first()?;
    let names: Vec<String> = found.iter().take(NAMED).map(|grave| container_name(&grave.id)).collect();
    let message =
        format!("{} of forgotten runs may still be there: {}", counted(found.len(), "container"), names.join(", "));
    let running = found.iter().find(|grave| container(grave).is_some_and(|named| named.state == "running"));
    let hint = match running {
        Some(grave) => format!("it still runs; end it with: longshore container stop {}", container_name(&grave.id)),
        None if is_fixed => format!("when the engine {} answers: {FIX}", first.endpoint),
        None => format!("remove what has ended: {FIX}"),
    };
    let jobs: Vec<String> = found.iter().map(|grave| grave.id.to_string()).collect();
    Some(Check::warning(NAME, message, hint).with("jobs", jobs))
}

/// Containers that are named as runs are, of runs that are not here.
fn strays(containers: &[Named], known: &BTreeSet<JobId>) -> Option<Check> {
    let is_stray = |named: &&Named| {
        JobId::parse(&named.run).is_ok_and(|id| named.name == container_name(&id) && !known.contains(&id))
    };
    let found: Vec<&str> = containers.iter().filter(is_stray).map(|named| named.name.as_str()).collect();
    if found.is_empty() {
        return None;
    }
    let shown = found.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    let message = format!(
        "{} of runs that another state directory may have: {shown}{}",
        counted(found.len(), "container"),
        more(found.len())
    );
    let hint = "list them: longshore container list --all --filter label=longshore.run";
    Some(Check::warning("strays", message, hint).with("containers", found))
}

fn jobs(state: &State) -> Check {
    let running = those(state, |condition| matches!(condition, Condition::Running | Condition::Alone)).len();
    let all = those(state, |condition| *condition != Condition::Spent).len();
    let message = match all {
        0 => "none".into(),
        _ => format!("{}, {running} of them running", counted(all, "job")),
    };
    Check::ok("jobs", message).with("count", all).with("running", running)
}

fn those(state: &State, is_wanted: impl Fn(&Condition) -> bool) -> Vec<&JobFact> {
    state.jobs.iter().filter(|job| is_wanted(&job.condition)).collect()
}

fn ids(jobs: &[&JobFact]) -> Vec<String> {
    jobs.iter().map(|job| job.id.to_string()).collect()
}

/// `run 7hfn…, build 2s68…`, and how many more.
fn named(jobs: &[&JobFact]) -> String {
    let shown: Vec<String> = jobs.iter().take(NAMED).map(|job| format!("{} {}", job.kind.word(), job.id)).collect();
    format!("{}{}", shown.join(", "), more(jobs.len()))
}

fn more(count: usize) -> String {
    if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() }
}

/// The command that forgets these jobs, all of which have that status.
fn forget(jobs: &[&JobFact], status: &str) -> String {
    let of_kind = |kind: Kind| {
        let ids: Vec<&str> = jobs.iter().filter(|job| job.kind == kind).map(|job| job.id.as_str()).collect();
        let noun = kind.noun();
        match ids.len() {
            0 => None,
            1..=NAMED => Some(format!("longshore {noun} forget {}", ids.join(" "))),
            _ => Some(format!("longshore {noun} forget --status {status}")),
        }
    };
    [Kind::Run, Kind::Build].into_iter().filter_map(of_kind).collect::<Vec<_>>().join(" && ")
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
