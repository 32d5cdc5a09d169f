//! The table of admission, and its laws for any queue.

use proptest::prelude::*;

use super::*;

fn cpus(text: &str) -> Option<Cpus> {
    Cpus::parse(text).ok()
}

fn gpus(text: &str) -> Option<Gpus> {
    Gpus::parse(text).ok()
}

fn names(devices: &[&str]) -> Vec<String> {
    devices.iter().map(|device| (*device).to_owned()).collect()
}

/// The verdicts on a line, up to and with the first job that waits.
fn admit(limits: &Limits, held: &[Held], line: &[Ask]) -> Vec<Verdict> {
    let mut room = Room::beside(limits, held);
    let mut verdicts = Vec::new();
    for ask in line {
        verdicts.push(room.admit(ask));
        if verdicts.last() == Some(&Verdict::Wait) {
            break;
        }
    }
    verdicts
}

fn start() -> Verdict {
    Verdict::Start(Vec::new())
}

fn with(devices: &[&str]) -> Verdict {
    Verdict::Start(names(devices))
}

#[test]
fn a_queue_without_limits_runs_one_job_at_a_time() {
    let (limits, ask) = (Limits::default(), Ask::default());
    assert_eq!(admit(&limits, &[], &[ask.clone(), ask.clone()]), [start(), Verdict::Wait]);
    assert_eq!(admit(&limits, &[Held::default()], &[ask]), [Verdict::Wait]);
}

#[test]
fn a_line_is_admitted_in_order_up_to_the_first_that_does_not_fit() {
    let of_cpus = |text| Ask { cpus: cpus(text), ..Ask::default() };
    let of_memory = |memory| Ask { memory: Some(memory), ..Ask::default() };
    let held = |ask: Ask| Held { ask, devices: Vec::new() };
    let slots = |slots| Limits { slots: Some(slots), ..Limits::default() };
    let four_cpus = Limits { cpus: cpus("4"), ..Limits::default() };
    let hundred = Limits { memory: Some(100), ..Limits::default() };
    let both = Limits { slots: Some(2), memory: Some(100), ..Limits::default() };
    let (any, wait, never) = (Ask::default(), Verdict::Wait, Verdict::Never);
    for (limits, running, line, expected) in [
        (slots(3), vec![held(any.clone())], vec![any.clone(); 4], vec![start(), start(), wait.clone()]),
        // With another limit, the number of jobs is free.
        (
            four_cpus.clone(),
            vec![],
            vec![of_cpus("1.5"), of_cpus("2.5"), of_cpus("0.1")],
            vec![start(), start(), wait.clone()],
        ),
        // A large job is not overtaken by a small one that would fit.
        (four_cpus.clone(), vec![held(of_cpus("2"))], vec![of_cpus("3"), of_cpus("1")], vec![wait.clone()]),
        (hundred.clone(), vec![held(of_memory(60))], vec![of_memory(40), of_memory(1)], vec![start(), wait.clone()]),
        // One that can never start is passed over.
        (
            hundred.clone(),
            vec![],
            vec![of_memory(101), any.clone(), of_memory(100)],
            vec![never.clone(), never, start()],
        ),
        // The limits were made smaller than what runs.
        (hundred, vec![held(of_memory(300))], vec![of_memory(1)], vec![wait.clone()]),
        (slots(1), vec![held(any.clone()), held(any.clone())], vec![any], vec![wait.clone()]),
        (both, vec![], vec![of_memory(10), of_memory(10), of_memory(10)], vec![start(), start(), wait]),
    ] {
        assert_eq!(admit(&limits, &running, &line), expected, "{limits:?} {running:?} {line:?}");
    }
}

#[test]
fn each_gpu_is_handed_to_one_job() {
    let limits = Limits { gpus: names(&["0", "1", "2", "3"]), ..Limits::default() };
    let ask = |text| Ask { gpus: gpus(text), ..Ask::default() };
    let held = |devices| Held { ask: Ask::default(), devices: names(devices) };
    let (wait, never) = (Verdict::Wait, Verdict::Never);
    for (running, line, expected) in [
        (vec![], vec![ask("1"), ask("2"), ask("2")], vec![with(&["0"]), with(&["1", "2"]), wait.clone()]),
        (vec![held(&["1"])], vec![ask("2"), ask("1")], vec![with(&["0", "2"]), with(&["3"])]),
        (vec![held(&["1"])], vec![ask("all"), ask("1")], vec![wait.clone()]),
        (vec![], vec![ask("all"), ask("1")], vec![with(&["0", "1", "2", "3"]), wait.clone()]),
        (vec![held(&["1"])], vec![ask("device=2,3"), ask("device=1")], vec![with(&["2", "3"]), wait]),
        (
            vec![],
            vec![ask("5"), ask("device=7"), Ask::default(), ask("1")],
            vec![never.clone(), never.clone(), never, with(&["0"])],
        ),
    ] {
        assert_eq!(admit(&limits, &running, &line), expected, "{running:?} {line:?}");
    }
    // A queue that has no GPUs hands none out.
    assert_eq!(admit(&Limits::default(), &[], &[ask("2")]), [start()]);
}

#[test]
fn why_a_job_can_never_start_is_said() {
    let all = Limits { slots: None, cpus: cpus("2"), memory: Some(1 << 30), gpus: names(&["0"]) };
    let ask = |cpu: &str, memory, gpu: &str| Ask { cpus: cpus(cpu), memory: Some(memory), gpus: gpus(gpu) };
    for (ask, expected) in [
        (ask("2", 1 << 30, "1"), None),
        (ask("3", 1, "1"), Some("has 2 cpus, and the job asks for 3")),
        (ask("1", 2 << 30, "1"), Some("has 1 GiB of memory, and the job asks for 2 GiB")),
        (ask("1", 1, "2"), Some("has fewer GPUs (1) than the job asks for (2)")),
        (ask("1", 1, "device=1"), Some("does not have the GPU 1")),
        (Ask::default(), Some("limits the processors of its jobs, and the job has no --cpus of its own")),
    ] {
        assert_eq!(all.misfit(&ask).as_deref(), expected, "{ask:?}");
    }
}

prop_compose! {
    fn any_limits()(slots in proptest::option::of(1..5u32), cpu in proptest::option::of(1..8u32), memory in proptest::option::of(1..100u64), gpu in 0..5usize) -> Limits {
        Limits { slots, cpus: cpu.and_then(|n| cpus(&n.to_string())), memory, gpus: (0..gpu).map(|n| n.to_string()).collect() }
    }
}

prop_compose! {
    fn any_ask()(cpu in proptest::option::of(1..80u32), memory in proptest::option::of(1..100u64), gpu in proptest::option::of("[1-4]|all|device=[0-4]|device=0,[1-4]")) -> Ask {
        Ask { cpus: cpu.and_then(|n| cpus(&format!("{}.{}", n / 10, n % 10)).filter(|_| n > 0)), memory, gpus: gpu.and_then(|text| gpus(&text)) }
    }
}

/// What jobs use together, by the words of the limits.
fn is_within(limits: &Limits, running: &[Held]) -> bool {
    let sum = |of: &dyn Fn(&Ask) -> u64| running.iter().map(|held| of(&held.ask)).sum::<u64>();
    let devices: Vec<&String> = running.iter().flat_map(|held| &held.devices).collect();
    limits.most_jobs().is_none_or(|most| running.len() <= most as usize)
        && limits.cpus.is_none_or(|most| sum(&|ask| ask.cpus.map_or(0, Cpus::nanos)) <= most.nanos())
        && limits.memory.is_none_or(|most| sum(&|ask| ask.memory.unwrap_or(0)) <= most)
        && devices.iter().all(|device| limits.gpus.contains(device))
        && devices.iter().collect::<std::collections::BTreeSet<_>>().len() == devices.len()
}

proptest! {
    /// Jobs come and end in any order. The limits hold at every moment, the queue is never idle while its first job fits, and
    /// every job that can start does so, in its order.
    #[test]
    fn a_queue_keeps_its_limits_and_its_order(
        limits in any_limits(),
        asks in proptest::collection::vec(any_ask(), 1..30),
        ends in proptest::collection::vec(any::<prop::sample::Index>(), 200),
    ) {
        let mut line: Vec<(usize, Ask)> = asks.iter().cloned().enumerate().collect();
        let (mut running, mut started): (Vec<(usize, Held)>, Vec<usize>) = (Vec::new(), Vec::new());
        for end in ends {
            let held: Vec<Held> = running.iter().map(|(_, held)| held.clone()).collect();
            let asked: Vec<Ask> = line.iter().map(|(_, ask)| ask.clone()).collect();
            let verdicts = admit(&limits, &held, &asked);
            let mut left = Vec::new();
            for (at, (number, ask)) in line.into_iter().enumerate() {
                match verdicts.get(at) {
                    Some(Verdict::Start(devices)) => {
                        started.push(number);
                        running.push((number, Held { ask, devices: devices.clone() }));
                    }
                    _ => left.push((number, ask)),
                }
            }
            line = left;
            let held: Vec<Held> = running.iter().map(|(_, held)| held.clone()).collect();
            prop_assert!(is_within(&limits, &held), "{:?}", held);
            if let Some((_, head)) = line.iter().find(|(_, ask)| limits.misfit(ask).is_none()) {
                let mut room = Room::beside(&limits, &held);
                prop_assert_eq!(room.admit(head), Verdict::Wait, "the first job fits, and does not run");
                prop_assert!(!running.is_empty(), "nothing runs that could make room");
            }
            if running.is_empty() {
                break;
            }
            running.swap_remove(end.index(running.len()));
        }
        let possible: Vec<usize> = asks.iter().enumerate().filter(|(_, ask)| limits.misfit(ask).is_none()).map(|(at, _)| at).collect();
        prop_assert_eq!(started, possible);
    }
}
