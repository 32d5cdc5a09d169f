//! From the record of a run back to what asks for the same run again. Pure.

use std::time::Duration;

use super::record::{Program, Record, Run};
use crate::names::{Argument, Invalid, JobName, Label, LabelKey, Open, Retries, Variable, When};
use crate::spec::RunSpec;
use crate::units;

/// The spec that asks for this run again. Paths are absolute, and options that were left out have the value that they had
/// then. Variables have no values, because these are not stored: each takes the caller's.
///
/// # Errors
/// When the record has a value that this version refuses, such as a name that was allowed once.
pub fn spec(record: &Record, run: &Run) -> Result<RunSpec, Invalid> {
    let label = |(key, value): (&String, &String)| Label::new(LabelKey::parse(key)?, value);
    let argument = |text: &String| text.parse::<Argument>();
    let (main_src, entry) = match &run.program {
        Program::Main(file) => (Some(file.clone()), None),
        Program::Module(module) => (None, Some(Open::Set(module.clone()))),
        Program::Command(_) => (None, None),
    };
    let program = match &run.program {
        Program::Command(program) => Some(program),
        Program::Main(_) | Program::Module(_) => None,
    };
    // A number of seconds keeps to the rules of a time limit that is given.
    let limit = |seconds: f64| units::limit(&format!("{seconds:.9}"));
    Ok(RunSpec {
        src_path: Some(run.source.as_str().into()),
        main_src,
        entry,
        command: program.is_some(),
        image_tag: Some(record.image.clone()),
        input_path: run.input.as_ref().map(|path| path.as_str().into()),
        output_path: run.output.as_ref().map(|path| path.as_str().into()),
        volumes: Vec::new(),
        mounts: run.mounts.clone(),
        publish: run.publish.clone(),
        cache: run.cache.clone(),
        args: program.into_iter().chain(&run.args).map(argument).collect::<Result<_, _>>()?,
        env: run.env.iter().map(|key| Variable { key: key.clone(), value: None }).collect(),
        labels: record.labels.iter().map(label).collect::<Result<_, _>>()?,
        name: record.name.as_deref().map(JobName::parse).transpose()?.map(Open::Set),
        cpus: run.cpus,
        memory: run.memory,
        gpus: run.gpus.clone(),
        shm_size: run.shm_size,
        network: run.network.clone(),
        timeout: run.timeout.map(limit).transpose()?,
        retry: run.retry.as_ref().map(|retry| Retries::parse(&retry.times.to_string())).transpose()?,
        retry_delay: run.retry.as_ref().and_then(|retry| Duration::try_from_secs_f64(retry.delay).ok()),
        retry_on: run.retry.as_ref().and_then(|retry| retry.on.clone()),
        user: Some(run.user),
        keep: run.keep,
        log_driver: Some(run.log_driver),
        log_max_size: run.log_max_size,
        ship: run.ship.as_ref().map(|_| When::Always),
        ship_cache: run.ship.as_ref().map(|ship| ship.cache),
        ship_git: run.ship.as_ref().is_some_and(|ship| ship.git),
        ship_limit: run.ship.as_ref().map(|ship| ship.limit),
        swarm: run.swarm.is_some(),
        shared: run.swarm.as_ref().is_some_and(|swarm| swarm.shared),
        reserve_cpus: run.swarm.as_ref().and_then(|swarm| swarm.reserve_cpus),
        reserve_memory: run.swarm.as_ref().and_then(|swarm| swarm.reserve_memory),
        constraints: run.swarm.iter().flat_map(|swarm| swarm.constraints.clone()).collect(),
        generic_resources: run.swarm.iter().flat_map(|swarm| swarm.generic_resources.clone()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::job::record::{Kind, Swarm};
    use crate::names::JobId;

    #[test]
    fn a_time_limit_is_exact_and_one_that_no_flag_could_give_is_refused() {
        let mut record = Record::example(&JobId::from_bytes([7; 12]), Kind::Run, None);
        let mut again = |seconds: f64| {
            let crate::job::record::Work::Run(run) = &mut record.work else { panic!("it is a run") };
            run.timeout = Some(seconds);
            spec(&record, record.run().unwrap()).map(|spec| spec.timeout)
        };
        for limit in [Duration::from_millis(500), Duration::from_nanos(1), Duration::from_secs(5400)] {
            assert_eq!(again(limit.as_secs_f64()), Ok(Some(limit)));
        }
        for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert!(again(seconds).is_err(), "{seconds}");
        }
    }

    #[test]
    fn a_run_on_a_swarm_asks_the_same_of_it_again() {
        let mut record = Record::example(&JobId::from_bytes([7; 12]), Kind::Run, None);
        let crate::job::record::Work::Run(run) = &mut record.work else { panic!("it is a run") };
        run.swarm = Some(Swarm {
            shared: true,
            reserve_cpus: Some("1.5".parse().unwrap()),
            reserve_memory: Some(1 << 30),
            constraints: vec!["node.role==worker".parse().unwrap()],
            generic_resources: vec!["gpu=1".parse().unwrap()],
        });
        let stored: Record = serde_json::from_slice(&serde_json::to_vec(&record).unwrap()).unwrap();
        let spec = spec(&stored, stored.run().unwrap()).unwrap();
        assert!(spec.swarm && spec.shared && spec.ship.is_none());
        assert_eq!((spec.reserve_cpus.unwrap().to_string().as_str(), spec.reserve_memory), ("1.5", Some(1 << 30)));
        assert_eq!((spec.constraints[0].as_str(), spec.generic_resources[0].as_str()), ("node.role==worker", "gpu=1"));
    }

    #[test]
    fn a_name_that_is_refused_now_is_named() {
        let record = Record::example(&JobId::from_bytes([7; 12]), Kind::Run, Some("Not Ours"));
        let refusal = spec(&record, record.run().unwrap()).unwrap_err().to_string();
        assert!(refusal.starts_with("invalid job name \"Not Ours\""), "{refusal}");
    }
}
