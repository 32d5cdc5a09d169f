//! Tables and properties of the plan.

use proptest::prelude::*;

use super::*;
use crate::job::record::{Exit, Record};
use crate::job::standing::{Facts, Running, Standing};
use crate::names::JobId;

const DAY: i64 = 24 * 3600;

fn now() -> DateTime<Utc> {
    "2026-03-31T00:00:00Z".parse().unwrap()
}

fn id(number: usize) -> JobId {
    JobId::parse(&format!("{number:012}")).unwrap()
}

/// A job that was created and ended so many days ago; without an outcome it runs.
fn job(number: usize, kind: Kind, outcome: Option<Outcome>, created: i64, finished: Option<i64>) -> View {
    let ago = |days: i64| now() - TimeDelta::seconds(days * DAY);
    let record = Record { created: ago(created), ..Record::example(&id(number), kind, None) };
    let facts = Facts { record: Ok(record), ..Facts::unreadable(id(number), kind, "") };
    let standing = match outcome {
        None => Standing::Running(Running::Supervised),
        Some(outcome) => Standing::Ended(Exit { finished: finished.map(ago), ..Exit::new(outcome) }),
    };
    View::new(&facts, &standing)
}

fn run(number: usize, outcome: Outcome, days: i64) -> View {
    job(number, Kind::Run, Some(outcome), days, Some(days))
}

fn wanted(statuses: &[&str], keep_last: usize, days: Option<u64>) -> Wanted {
    let statuses = statuses.iter().map(|status| (*status).to_owned()).collect();
    Wanted { statuses, keep_last, older_than: days.map(|days| Duration::from_secs(days * DAY.unsigned_abs())) }
}

/// Every status there is, as numbers 0 to 7: running, then the outcomes.
const OUTCOMES: [Option<Outcome>; 8] = [
    None,
    Some(Outcome::Succeeded),
    Some(Outcome::Failed),
    Some(Outcome::Cancelled),
    Some(Outcome::Timeout),
    Some(Outcome::Lost),
    Some(Outcome::Unknown),
    Some(Outcome::Corrupt),
];

#[test]
fn only_what_has_ended_for_certain_goes_and_what_is_damaged_only_when_it_is_asked_for() {
    use Stay::{Corrupt, Running, Status, Unknown};
    let views: Vec<View> = OUTCOMES.iter().enumerate().map(|(n, o)| job(n, Kind::Run, *o, 9, Some(9))).collect();
    let (stays, goes) = (Some(Status), None);
    for (statuses, expected) in [
        (&[][..], [goes, goes, goes, goes, goes, Some(Corrupt)]),
        (&["exited"], [goes, goes, goes, goes, goes, Some(Corrupt)]),
        (&["succeeded"], [goes, stays, stays, stays, stays, stays]),
        (&["failed", "timeout"], [stays, goes, stays, goes, stays, stays]),
        (&["cancelled"], [stays, stays, goes, stays, stays, stays]),
        (&["lost"], [stays, stays, stays, stays, goes, stays]),
        (&["corrupt"], [stays, stays, stays, stays, stays, goes]),
        (&["exited", "corrupt"], [goes; 6]),
    ] {
        // In the order of the outcomes, in which one that runs comes first, and one that is unknown before the last.
        let mut all = expected.to_vec();
        all.insert(0, Some(Running));
        all.insert(6, Some(Unknown));
        assert_eq!(fates(&views, &wanted(statuses, 0, None), now()), all, "{statuses:?}");
    }
}

#[test]
fn the_newest_stay_of_each_kind_counted_among_those_with_the_status() {
    use Stay::{Newest, Running, Status};
    let views = [
        run(0, Outcome::Succeeded, 5),
        run(1, Outcome::Failed, 1),
        run(2, Outcome::Failed, 3),
        run(3, Outcome::Failed, 2),
        job(4, Kind::Build, Some(Outcome::Failed), 9, Some(9)),
        job(5, Kind::Build, Some(Outcome::Failed), 8, Some(8)),
        // One that runs is not one of the newest that are kept.
        job(6, Kind::Run, None, 0, None),
    ];
    let newest = Some(Newest);
    for (statuses, keep, expected) in [
        (&[][..], 0, [None; 6]),
        (&[], 1, [None, newest, None, None, None, newest]),
        (&[], 3, [None, newest, newest, newest, newest, newest]),
        (&[], 4, [newest; 6]),
        (&["failed"], 2, [Some(Status), newest, None, newest, newest, newest]),
        (&["succeeded"], 1, [newest, Some(Status), Some(Status), Some(Status), Some(Status), Some(Status)]),
    ] {
        let expected: Vec<_> = expected.into_iter().chain([Some(Running)]).collect();
        assert_eq!(fates(&views, &wanted(statuses, keep, None), now()), expected, "{statuses:?} {keep}");
    }
}

#[test]
fn the_age_of_a_job_begins_with_its_end() {
    use Stay::{Newest, Young};
    let views = [
        // Ran for ten days until yesterday.
        job(0, Kind::Run, Some(Outcome::Succeeded), 11, Some(1)),
        job(1, Kind::Run, Some(Outcome::Succeeded), 7, Some(7)),
        // Without an end, the time of the request is known.
        job(2, Kind::Run, Some(Outcome::Lost), 8, None),
        // From the future: the clock was set back.
        job(3, Kind::Run, Some(Outcome::Succeeded), -2, Some(-2)),
    ];
    let fates = |keep, days| fates(&views, &wanted(&[], keep, Some(days)), now());
    assert_eq!(fates(0, 7), [Some(Young), None, None, Some(Young)]);
    assert_eq!(fates(0, 0), [None, None, None, Some(Young)]);
    assert_eq!(fates(0, 8), [Some(Young), Some(Young), None, Some(Young)]);
    // The newest are counted before the age: those that are too young anyway are among them.
    assert_eq!(fates(2, 7), [Some(Young), Some(Newest), None, Some(Newest)]);
    let for_ever = Wanted { older_than: Some(Duration::MAX), ..Wanted::default() };
    assert_eq!(super::fates(&views, &for_ever, now()), [Some(Young); 4]);
}

#[test]
fn a_damaged_job_without_a_time_is_the_oldest_and_has_no_age() {
    let damaged = View::unreadable(id(0), Kind::Run, "gone");
    let views = [damaged.clone(), job(1, Kind::Run, Some(Outcome::Corrupt), 9, None)];
    let fates = |keep, days| fates(&views, &wanted(&["corrupt"], keep, days), now());
    assert_eq!(fates(0, None), [None, None]);
    assert_eq!(fates(1, None), [None, Some(Stay::Newest)]);
    assert_eq!(fates(0, Some(0)), [Some(Stay::Young), None]);
}

#[test]
fn a_second_look_keeps_what_runs_again_and_what_turned_out_to_be_something_else() {
    let wanted = wanted(&["lost"], 0, Some(7));
    for (view, expected) in [
        (run(0, Outcome::Lost, 7), None),
        (run(0, Outcome::Failed, 7), Some(Stay::Status)),
        (run(0, Outcome::Unknown, 7), Some(Stay::Unknown)),
        (run(0, Outcome::Lost, 6), Some(Stay::Young)),
        (job(0, Kind::Run, None, 9, None), Some(Stay::Running)),
    ] {
        assert_eq!(wanted.second_thought(&view, now()), expected, "{view:?}");
    }
}

prop_compose! {
    fn any_job()(
        is_build: bool,
        status in 0..OUTCOMES.len(),
        created in -3_i64..20,
        took in 0_i64..5,
        is_recorded: bool,
    ) -> (Kind, Option<Outcome>, i64, Option<i64>) {
        let kind = if is_build { Kind::Build } else { Kind::Run };
        (kind, OUTCOMES[status], created, is_recorded.then_some(created - took))
    }
}

fn any_jobs() -> impl Strategy<Value = Vec<View>> {
    let views = |jobs: Vec<(Kind, Option<Outcome>, i64, Option<i64>)>| {
        jobs.into_iter()
            .enumerate()
            .map(|(n, (kind, outcome, created, end))| job(n, kind, outcome, created, end))
            .collect()
    };
    proptest::collection::vec(any_job(), 0..30).prop_map(views)
}

fn any_wanted() -> impl Strategy<Value = Wanted> {
    let statuses = proptest::sample::subsequence(STATUSES.to_vec(), 0..4);
    (statuses, 0_usize..6, proptest::option::of(0_u64..15)).prop_map(|(s, keep, days)| wanted(&s, keep, days))
}

proptest! {
    #[test]
    fn no_plan_touches_what_runs_may_run_or_is_kept(views in any_jobs(), wanted in any_wanted()) {
        let fates = fates(&views, &wanted, now());
        prop_assert_eq!(fates.len(), views.len());
        let goes: Vec<&View> = views.iter().zip(&fates).filter(|(_, fate)| fate.is_none()).map(|(view, _)| view).collect();
        for view in &goes {
            let outcome = view.outcome.expect("it has ended");
            prop_assert!(outcome != Outcome::Unknown);
            let named = wanted.statuses.iter().any(|status| status == outcome.word());
            prop_assert!(named || wanted.statuses.is_empty() || wanted.statuses.iter().any(|status| status == "exited"));
            prop_assert!(named || outcome != Outcome::Corrupt);
            prop_assert_eq!(wanted.second_thought(view, now()), None, "an unchanged job has the same fate at a second look");
        }
        for kind in [Kind::Build, Kind::Run] {
            let fit = views.iter().filter(|view| view.kind == kind && wanted.refusal(view).is_none());
            let of_kind = goes.iter().filter(|view| view.kind == kind);
            let left = fit.clone().count() - of_kind.clone().count();
            prop_assert!(left >= wanted.keep_last.min(fit.clone().count()));
            // Each that goes has enough newer ones that stay, whatever their age.
            for gone in of_kind {
                let newer = fit.clone().filter(|view| (Reverse(view.created), &view.id) < (Reverse(gone.created), &gone.id));
                prop_assert!(newer.count() >= wanted.keep_last);
            }
        }
    }

    #[test]
    fn the_order_of_the_jobs_decides_nothing_and_a_stricter_limit_adds_nothing(views in any_jobs(), wanted in any_wanted()) {
        let ids = |views: &[View], wanted: &Wanted| -> Vec<JobId> {
            let fates = fates(views, wanted, now());
            let mut ids: Vec<JobId> =
                views.iter().zip(fates).filter(|(_, fate)| fate.is_none()).map(|(view, _)| view.id.clone()).collect();
            ids.sort();
            ids
        };
        let goes = ids(&views, &wanted);
        let backwards: Vec<View> = views.iter().rev().cloned().collect();
        prop_assert_eq!(&ids(&backwards, &wanted), &goes);
        let more = Wanted { keep_last: wanted.keep_last + 1, ..wanted.clone() };
        let older = Wanted { older_than: Some(wanted.older_than.unwrap_or_default() + Duration::from_secs(3600)), ..wanted };
        for stricter in [more, older] {
            prop_assert!(ids(&views, &stricter).iter().all(|id| goes.contains(id)));
        }
    }
}
