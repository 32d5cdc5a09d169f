//! What is told of removed jobs, for how long, and what it costs others.

use super::*;

fn at(day: u32, hour: u32) -> DateTime<Utc> {
    format!("2026-03-{day:02}T{hour:02}:00:00Z").parse().unwrap()
}

fn gone(id: &str, name: Option<&str>, removed: DateTime<Utc>) -> Gone {
    Gone {
        id: JobId::parse(id).unwrap(),
        kind: Kind::Run,
        name: name.map(str::to_owned),
        outcome: Outcome::Succeeded,
        exit_code: Some(0),
        finished: Some(removed),
        removed,
        how: How::Forgotten,
    }
}

const A: &str = "aaaaaaaaaaaa";
const AB: &str = "aaaaaaaaaaab";
const B: &str = "bbbbbbbbbbbb";

#[test]
fn a_removed_job_is_told_in_one_sentence() {
    let now = at(4, 12);
    let plain = gone(A, None, at(1, 12));
    let named = Gone { name: Some("report".into()), ..plain.clone() };
    let build = Gone { kind: Kind::Build, name: Some("web".into()), ..plain.clone() };
    for (gone, sentence) in [
        (plain.clone(), "run aaaaaaaaaaaa was forgotten 3 days ago (it had succeeded, exit code 0)"),
        (
            Gone {
                outcome: Outcome::Failed,
                exit_code: Some(3),
                how: How::Pruned,
                removed: at(4, 11),
                ..named.clone()
            },
            "run \"report\" (aaaaaaaaaaaa) was pruned about an hour ago (it had failed, exit code 3)",
        ),
        (
            Gone { outcome: Outcome::Cancelled, exit_code: Some(143), removed: now, ..plain.clone() },
            "run aaaaaaaaaaaa was forgotten less than a second ago (it had been cancelled, exit code 143)",
        ),
        (
            Gone { outcome: Outcome::Timeout, exit_code: None, ..plain.clone() },
            "run aaaaaaaaaaaa was forgotten 3 days ago (its time limit had passed)",
        ),
        (
            Gone { outcome: Outcome::Lost, exit_code: None, ..plain.clone() },
            "run aaaaaaaaaaaa was forgotten 3 days ago (its exit code was lost)",
        ),
        (
            Gone { outcome: Outcome::Corrupt, exit_code: None, ..plain.clone() },
            "run aaaaaaaaaaaa was forgotten 3 days ago (its record could not be read)",
        ),
        (
            Gone { outcome: Outcome::Failed, exit_code: Some(1), how: How::Replaced, ..build },
            "build \"web\" (aaaaaaaaaaaa) was replaced by a newer build of that name 3 days ago (it had failed)",
        ),
    ] {
        assert_eq!(gone.sentence(now), sentence);
    }
}

#[test]
fn it_is_found_by_its_id_by_its_name_and_by_a_beginning_that_no_other_has() {
    let (_temporary, root) = Dir::temporary();
    let now = at(9, 0);
    assert_eq!(find(&root, Kind::Run, A, None, now), None);
    let old = gone(A, Some("report"), at(2, 0));
    let new = gone(AB, Some("report"), at(3, 0));
    let other = gone(B, Some("bbb"), at(3, 1));
    // The order of the lines does not decide.
    for gone in [&new, &other, &old] {
        remember(&root, gone).unwrap();
    }
    let found = |typed: &str| find(&root, Kind::Run, typed, Some(typed), now).map(|gone| gone.id.to_string());
    for (typed, id) in [
        (A, Some(A)),
        (AB, Some(AB)),
        ("b", Some(B)),
        ("bbb", Some(B)),
        // Of one name, the one that was removed last.
        ("report", Some(AB)),
        ("aaa", None),
        ("aaaaaaaaaaa", None),
        ("c", None),
        ("repor", None),
        ("", None),
        ("\"", None),
        ("run", None),
    ] {
        assert_eq!(found(typed).as_deref(), id, "{typed:?}");
    }
    assert_eq!(find(&root, Kind::Build, A, Some("report"), now), None);
}

#[test]
fn a_name_is_not_taken_for_the_beginning_of_an_id_and_the_other_way_round() {
    let (_temporary, root) = Dir::temporary();
    let named = gone(A, Some("bbbb"), at(2, 0));
    let begins = gone(B, None, at(3, 0));
    remember(&root, &named).unwrap();
    remember(&root, &begins).unwrap();
    let found = |typed: &str| find(&root, Kind::Run, typed, Some(typed), at(4, 0)).unwrap().id.to_string();
    assert_eq!((found("bbbb"), found("bbb")), (A.to_owned(), B.to_owned()));
}

#[test]
fn it_is_told_for_thirty_days_and_its_line_is_gone_a_day_later() {
    let (_temporary, root) = Dir::temporary();
    let removed = at(1, 12);
    remember(&root, &gone(A, None, removed)).unwrap();
    remember(&root, &gone(B, None, removed + TimeDelta::days(5))).unwrap();
    let days = || root.subdir(PLACE).unwrap().names().unwrap().len();
    let found = |id, after| find(&root, Kind::Run, id, None, removed + after).is_some();
    sweep(&root, removed + TimeDelta::days(30));
    assert!(found(A, TimeDelta::days(30)) && days() == 2);
    assert!(!found(A, TimeDelta::days(30) + TimeDelta::seconds(1)), "it is told for longer");
    sweep(&root, removed + TimeDelta::days(31));
    assert_eq!(days(), 1);
    assert!(!found(A, TimeDelta::zero()) && found(B, TimeDelta::days(31)));
    // A clock that was wrong by years leaves nothing for years.
    sweep(&root, removed - TimeDelta::days(3650));
    assert_eq!(days(), 0);
}

#[test]
fn what_is_no_line_or_no_day_is_passed_over() {
    let (_temporary, root) = Dir::temporary();
    remember(&root, &gone(A, None, at(1, 0))).unwrap();
    let place = root.subdir(PLACE).unwrap();
    let newer = gone(B, None, at(1, 0)).line().replace("\"format\":2", "\"format\":3");
    for line in ["", "{}", "{\"id\":\"bbbbbbbbbbbb\"", &newer, "\u{0}"] {
        place.append_line("2026-03-01", line).unwrap();
    }
    place.append_line("notes", "mine").unwrap();
    remember(&root, &gone(AB, None, at(1, 1))).unwrap();
    let found = |id| find(&root, Kind::Run, id, None, at(2, 0)).is_some();
    assert!(found(A) && found(AB) && !found(B));
    sweep(&root, at(1, 0) + TimeDelta::days(400));
    assert_eq!(place.names().unwrap(), ["notes"]);
}
