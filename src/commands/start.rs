//! What the commands that start a job have in common: the record's head, publishing with the supervisor, labels, and
//! the file for the id.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::plain;
use crate::engine::Engine;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::Job;
use crate::job::record::{FORMAT, Kind, Record, Work};
use crate::job::store::Store;
use crate::names::{Label, LabelKey};
use crate::spec::Spec;
use crate::supervisor::{self, Secrets};

/// A record with everything that does not depend on the flags; name and labels are still to come.
pub fn record(env: &Env, engine: &Engine, image: &str, work: Work) -> Record {
    Record {
        format: FORMAT,
        id: Store::new_id(),
        kind: match work {
            Work::Build(_) => Kind::Build,
            Work::Run(_) => Kind::Run,
        },
        name: None,
        created: env.now(),
        image: image.to_owned(),
        labels: BTreeMap::new(),
        docker: engine.program.clone(),
        endpoint: engine.endpoint.clone(),
        boot_id: env.boot_id(),
        uid: env.uid,
        host: env.host(),
        work,
    }
}

/// Publishes a job and hands it to its supervisor. A build takes the place of the one that had its name before; runs
/// of one name stand beside each other. Nothing is left of a job that could not be started.
pub fn begin(store: &Store, record: &Record, secrets: &Secrets) -> Result<Job> {
    let (job, lock) = store.publish(record, record.kind == Kind::Build)?;
    if let Err(error) = supervisor::launch(&job, lock, secrets) {
        // A supervisor that was killed at the wrong moment may have started the docker client before.
        if job.has_ended() {
            store.remove(&job);
            return Err(error);
        }
        crate::output::note(&format!("warning: job {} goes on without its supervisor: {error:#}", job.id));
    }
    Ok(job)
}

/// `labels` of a spec, checked as flags are.
pub fn spec_labels(spec: &mut Spec) -> Result<BTreeMap<String, String>> {
    let labels = spec.map("labels")?.into_iter().map(|(key, value)| {
        let label = Label::new(LabelKey::parse(&key)?, value.as_deref().unwrap_or_default())?;
        Ok((label.key.to_string(), label.value))
    });
    labels.collect()
}

/// Labels as flags gave them; the last of a key wins.
pub fn flag_labels(labels: &[Label]) -> BTreeMap<String, String> {
    labels.iter().map(|label| (label.key.to_string(), label.value.clone())).collect()
}

/// `--id-file` never overwrites. A directory that is missing is found before anything is started.
pub fn check_id_file(path: Option<&Path>) -> Result<()> {
    let parent = |path: &Path| path.parent().filter(|parent| !parent.as_os_str().is_empty()).map(Path::to_path_buf);
    match path {
        Some(path) if parent(path).is_some_and(|parent| !parent.is_dir()) => {
            Err(Failure::usage(format!("could not write {}: there is no such directory", path.display())).into())
        }
        Some(path) if path.symlink_metadata().is_ok() => {
            Err(Failure::usage(format!("could not write {}: the file exists", path.display()))
                .hint("remove it, or give --id-file another name")
                .into())
        }
        _ => Ok(()),
    }
}

/// Writes the id for whoever reads the file.
pub fn write_id_file(path: Option<&Path>, id: &str) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let file = std::fs::File::options().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, format!("{id}\n").as_bytes()));
    Ok(written.map_err(|error| cannot_write(path, &error))?)
}

/// For messages about files the user named.
pub fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(ErrorKind::Internal, format!("could not write {}: {}", path.display(), plain(error)))
}
