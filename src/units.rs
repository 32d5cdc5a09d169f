//! Durations, sizes and points in time, read and shown as docker does. Everything here is pure: the current time is an
//! argument.

use std::time::Duration;

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use crate::invalid::Invalid;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// The units of a duration, longest first, with their length in nanoseconds.
const TIME_UNITS: [(&str, u128); 6] = [
    ("w", 604_800 * NANOS_PER_SECOND),
    ("d", 86_400 * NANOS_PER_SECOND),
    ("h", 3600 * NANOS_PER_SECOND),
    ("m", 60 * NANOS_PER_SECOND),
    ("s", NANOS_PER_SECOND),
    ("ms", 1_000_000),
];

/// Reads a duration such as `90s`, `5m`, `1h30m`, `7d` or `500ms`; a number alone is seconds.
///
/// Units are `w`, `d`, `h`, `m`, `s` and `ms`, longer ones first, each at most once. A number may have a
/// fraction of up to nine digits.
///
/// # Errors
/// [`Invalid`] for anything else, and for more than about 584 years.
pub fn duration(text: &str) -> Result<Duration, Invalid> {
    let invalid = || Invalid::new("duration", text, "it must be a duration such as 90s, 5m, 1h30m, 7d or 500ms");
    let nanos = match billionths(text) {
        Some(seconds) => seconds,
        None => nanoseconds(text).ok_or_else(invalid)?,
    };
    let nanos = u64::try_from(nanos).map_err(|_| Invalid::new("duration", text, "it is too long"))?;
    Ok(Duration::from_nanos(nanos))
}

/// Reads a time limit: a duration greater than zero.
///
/// # Errors
/// [`Invalid`] for anything else.
pub fn limit(text: &str) -> Result<Duration, Invalid> {
    match duration(text)? {
        Duration::ZERO => Err(Invalid::new("timeout", text, "it must be greater than zero")),
        limit => Ok(limit),
    }
}

/// The sum of a sequence of numbers with units, in nanoseconds.
fn nanoseconds(text: &str) -> Option<u128> {
    let mut rest = text;
    let mut units = TIME_UNITS.iter();
    let mut sum = 0_u128;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic())?);
        let (unit, after) = after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
        let (_, length) = units.find(|(name, _)| *name == unit)?;
        sum = sum.checked_add(billionths(number)?.checked_mul(*length)? / NANOS_PER_SECOND)?;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

/// A decimal number such as `12` or `1.5`, in billionths; up to nine digits after the point.
pub(crate) fn billionths(text: &str) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || whole.len() > 20 || fraction.len() > 9 {
        return None;
    }
    format!("{whole}{fraction:0<9}").parse().ok()
}

/// A duration as [`duration`] reads it, such as `1h30m`, without fractions of a millisecond.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let mut rest = duration.as_nanos();
    let mut shown = String::new();
    for (unit, length) in TIME_UNITS.iter().filter(|(unit, _)| *unit != "w") {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            shown.extend([&count.to_string(), *unit]);
        }
    }
    if shown.is_empty() { "0s".to_owned() } else { shown }
}

/// A number and a word, in the plural if need be.
#[must_use]
pub fn counted(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

/// An age in docker's words: `3 minutes ago`, `About an hour ago`. The steps and the rounding are those of
/// `HumanDuration` in docker's `go-units`. A time in the future, after the clock was set back, is `Less than a second
/// ago`.
#[must_use]
pub fn ago(seconds: i64) -> String {
    let minutes = seconds / 60;
    let hours = seconds.saturating_add(1800) / 3600;
    let span = match (seconds, minutes, hours) {
        (..=0, _, _) => "Less than a second".to_owned(),
        (1, _, _) => "1 second".to_owned(),
        (..60, _, _) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".to_owned(),
        (_, ..60, _) => format!("{minutes} minutes"),
        (_, _, 1) => "About an hour".to_owned(),
        (_, _, ..48) => format!("{hours} hours"),
        (_, _, ..336) => format!("{} days", hours / 24),
        (_, _, ..1440) => format!("{} weeks", hours / 24 / 7),
        (_, _, ..17520) => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", seconds / 3600 / 24 / 365),
    };
    format!("{span} ago")
}

/// The same in few characters, for narrow tables: `3m ago`, `2w ago`. Parts of a unit are left out.
#[must_use]
pub fn ago_short(seconds: i64) -> String {
    const UNITS: [(i64, &str); 7] =
        [(365 * 86_400, "y"), (30 * 86_400, "mo"), (7 * 86_400, "w"), (86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let (length, unit) = UNITS.into_iter().find(|(length, _)| seconds >= *length).unwrap_or((1, "s"));
    format!("{}{unit} ago", seconds.max(0) / length)
}

/// Reads a size as docker's `--memory` does: `10b`, `64k`, `512m`, `2g`, `1.5g`, `2GiB`. Units are powers of 1024 in
/// every spelling; a number alone is bytes.
///
/// # Errors
/// [`Invalid`] for anything else, for a fraction of a byte, and for sizes beyond the engine's 63 bits.
pub fn bytes(text: &str) -> Result<u64, Invalid> {
    let invalid = || Invalid::new("size", text, "it must be a size such as 512m, 2g or 1.5GiB");
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        "p" | "pb" | "pib" => 50,
        _ => return Err(invalid()),
    };
    let number = if unit.is_empty() { number } else { number.strip_suffix(' ').unwrap_or(number) };
    if shift == 0 && number.contains('.') {
        return Err(Invalid::new("size", text, "it must be a whole number of bytes"));
    }
    let size = billionths(number).ok_or_else(invalid)?.checked_mul(1 << shift).map(|size| size / NANOS_PER_SECOND);
    match size.map(i64::try_from) {
        Some(Ok(size)) => Ok(size.unsigned_abs()),
        _ => Err(Invalid::new("size", text, "it is too large")),
    }
}

/// The least that can be kept of a log, in bytes. What is searched at its end, for the reason of a failure, is less.
const SMALLEST_LOG: u64 = 1 << 20;

/// Reads how much of a log is kept: a size as [`bytes`] reads it, of at least 1 MiB.
///
/// # Errors
/// [`Invalid`] for anything else.
pub fn log_size(text: &str) -> Result<u64, Invalid> {
    match bytes(text)? {
        0..SMALLEST_LOG => Err(Invalid::new("log size", text, "it must be at least 1m")),
        size => Ok(size),
    }
}

/// A size as `docker image ls` shows it: powers of 1000 and three digits, such as `1.23GB`.
#[must_use]
pub fn show_bytes(size: u64) -> String {
    let (number, unit) = scaled(size, 1000.0, 3, &["B", "kB", "MB", "GB", "TB", "PB", "EB"]);
    format!("{number}{unit}")
}

/// A size in powers of 1024 and four digits, such as `2 GiB`, for memory limits.
#[must_use]
pub fn show_bytes_binary(size: u64) -> String {
    let (number, unit) = scaled(size, 1024.0, 4, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]);
    format!("{number} {unit}")
}

/// A size in the largest unit in which it is at least 1, rounded to `digits` digits. A size that rounds up to the next
/// unit is shown in that unit, where docker prints `1e+03MB`.
#[expect(clippy::cast_precision_loss, reason = "four digits are shown, and a float has fifteen")]
fn scaled<'a>(size: u64, base: f64, digits: usize, units: &[&'a str]) -> (f64, &'a str) {
    let mut number = size as f64;
    let mut unit = 0;
    while rounded(number, digits) >= base && unit + 1 < units.len() {
        // 1023.9 of a unit rounds up to one of the next, and not to 0.9999 of it.
        number = (number / base).max(1.0);
        unit += 1;
    }
    (rounded(number, digits), units[unit])
}

/// `number`, rounded to `digits` digits.
fn rounded(number: f64, digits: usize) -> f64 {
    format!("{number:.*e}", digits - 1).parse().unwrap_or(number)
}

/// Reads a point in time: RFC 3339, a date with or without a time (in UTC, where docker uses the client's time zone), Unix seconds with or without a fraction, or an age such as `90s`, `1h30m` or `7d` before `now`.
///
/// # Errors
/// [`Invalid`] for anything else, and for years that RFC 3339 cannot express, which has four digits for them.
pub fn moment(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Invalid> {
    let moment = if let Some(nanos) = billionths(text) {
        unix_moment(nanos)
    } else if text.contains('-') {
        calendar_moment(text)
    } else {
        duration(text).ok().and_then(|age| now.checked_sub_signed(TimeDelta::from_std(age).ok()?))
    };
    moment.filter(|moment| (0..=9999).contains(&moment.year())).ok_or_else(|| {
        Invalid::new("time", text, "it must be a date and time, Unix seconds, or an age")
            .with_hint("write 2024-05-17T08:00:00Z, 1715932800 or 1h30m")
    })
}

fn unix_moment(nanos: u128) -> Option<DateTime<Utc>> {
    let seconds = i64::try_from(nanos / NANOS_PER_SECOND).ok()?;
    DateTime::from_timestamp(seconds, u32::try_from(nanos % NANOS_PER_SECOND).ok()?)
}

fn calendar_moment(text: &str) -> Option<DateTime<Utc>> {
    // chrono also reads spaces and signs before the numbers, and numbers with fewer digits.
    let fits = |(at, c): (usize, char)| match at {
        4 | 7 => c == '-',
        ..10 => c.is_ascii_digit(),
        10 => "Tt ".contains(c),
        _ => c.is_ascii_digit() || "Zz:.+-".contains(c),
    };
    if text.len() < "2024-05-17".len() || !text.char_indices().all(fits) {
        return None;
    }
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.with_timezone(&Utc));
    }
    let local = |format| NaiveDateTime::parse_from_str(text, format).ok();
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    Some(local("%Y-%m-%dT%H:%M:%S%.f").or_else(|| local("%Y-%m-%dT%H:%M")).or_else(date)?.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).expect("a valid time").with_timezone(&Utc)
    }

    #[test]
    fn a_duration_is_read_in_its_units() {
        for (text, millis) in [
            ("90s", 90_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            ("2w", 1_209_600_000),
            ("500ms", 500),
            ("1m500ms", 60_500),
            ("1.5h", 5_400_000),
            ("30", 30_000),
            ("0.5", 500),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_duration_is_refused() {
        for text in [
            "",
            "s",
            "-5s",
            "+5",
            "5 s",
            "5S",
            "1h30",
            "1m1h",
            "1s1s",
            "1y",
            ".5s",
            "5.",
            "1e3",
            "٣s",
            "5s\n",
            "99999999999w",
            "0.0000000001",
        ] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_limit_is_longer_than_nothing() {
        assert_eq!(limit("1ms"), Ok(Duration::from_millis(1)));
        for text in ["0", "0s", "0.0", "soon"] {
            assert!(limit(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_duration_is_shown_in_whole_units() {
        for (millis, shown) in [
            (0, "0s"),
            (500, "500ms"),
            (90_000, "1m30s"),
            (5_400_000, "1h30m"),
            (604_800_000, "7d"),
            (86_401_000, "1d1s"),
        ] {
            assert_eq!(show_duration(Duration::from_millis(millis)), shown);
        }
        assert_eq!(show_duration(Duration::from_nanos(999)), "0s");
    }

    #[test]
    fn a_short_age_has_one_unit() {
        let day = 86_400;
        for (seconds, shown) in [
            (-5, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3599, "59m"),
            (3600, "1h"),
            (day, "1d"),
            (7 * day, "1w"),
            (29 * day, "4w"),
            (30 * day, "1mo"),
            (364 * day, "12mo"),
            (365 * day, "1y"),
            (i64::MAX, "292471208677y"),
        ] {
            assert_eq!(ago_short(seconds), format!("{shown} ago"), "{seconds}");
        }
    }

    #[test]
    fn an_age_is_told_in_the_words_of_docker() {
        const HOUR: i64 = 3600;
        const DAY: i64 = 24 * HOUR;
        for (seconds, words) in [
            (-5, "Less than a second ago"),
            (0, "Less than a second ago"),
            (1, "1 second ago"),
            (59, "59 seconds ago"),
            (60, "About a minute ago"),
            (180, "3 minutes ago"),
            (59 * 60 + 59, "59 minutes ago"),
            (HOUR, "About an hour ago"),
            (HOUR + 1799, "About an hour ago"),
            (HOUR + 1800, "2 hours ago"),
            (2 * DAY, "2 days ago"),
            (14 * DAY - 1801, "13 days ago"),
            (14 * DAY, "2 weeks ago"),
            (60 * DAY, "2 months ago"),
            (730 * DAY, "2 years ago"),
            (i64::MAX, "292471208677 years ago"),
        ] {
            assert_eq!(ago(seconds), words, "{seconds}");
        }
    }

    #[test]
    fn a_size_is_read_in_powers_of_1024() {
        for (text, size) in [
            ("0", 0),
            ("10b", 10),
            ("64k", 65536),
            ("512m", 536_870_912),
            ("512M", 536_870_912),
            ("2g", 2_147_483_648),
            ("1.5g", 1_610_612_736),
            ("1 GiB", 1_073_741_824),
            ("2kb", 2048),
            ("7p", 7 << 50),
            ("9223372036854775807", i64::MAX.unsigned_abs()),
        ] {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in [
            "",
            "g",
            "-1",
            "+1",
            "1.5",
            "1.5b",
            "5i",
            "1 ",
            " 1",
            "1  g",
            "1x",
            "1e3",
            "1.",
            ".5g",
            "9223372036854775808",
            "9000p",
        ] {
            assert!(bytes(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_size_is_shown_in_the_largest_unit() {
        for (size, decimal, binary) in [
            (0, "0B", "0 B"),
            (999, "999B", "999 B"),
            (1023, "1.02kB", "1023 B"),
            (1024, "1.02kB", "1 KiB"),
            (999_999, "1MB", "976.6 KiB"),
            (1_230_000_000, "1.23GB", "1.146 GiB"),
            (2 << 30, "2.15GB", "2 GiB"),
            (1_048_575, "1.05MB", "1 MiB"),
            (1_152_358_554_653_425_600, "1.15EB", "1 EiB"),
            (u64::MAX, "18.4EB", "16 EiB"),
        ] {
            assert_eq!((show_bytes(size).as_str(), show_bytes_binary(size).as_str()), (decimal, binary));
        }
    }

    #[test]
    fn a_moment_is_a_time_or_an_age() {
        let now = at("2024-05-17T08:00:00Z");
        for (text, expected) in [
            ("2024-05-16T08:00:00Z", "2024-05-16T08:00:00Z"),
            ("2024-05-16T08:00:00.25+02:00", "2024-05-16T06:00:00.25Z"),
            ("2024-05-16T08:00:00", "2024-05-16T08:00:00Z"),
            ("2024-05-16T08:00:00.5", "2024-05-16T08:00:00.5Z"),
            ("2024-05-16T08:00", "2024-05-16T08:00:00Z"),
            ("2024-05-16", "2024-05-16T00:00:00Z"),
            ("1715932800", "2024-05-17T08:00:00Z"),
            ("1715932800.5", "2024-05-17T08:00:00.5Z"),
            ("0", "1970-01-01T00:00:00Z"),
            ("90s", "2024-05-17T07:58:30Z"),
            ("1h30m", "2024-05-17T06:30:00Z"),
            ("7d", "2024-05-10T08:00:00Z"),
        ] {
            assert_eq!(moment(text, now), Ok(at(expected)), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "-5m",
            "253402300800",
            "\t2024-05-16",
            "+2024-05-16",
            "2024-05-1",
            "2024-05-16T08:00\n",
            "2024-13-01",
            "2024-05-16T25:00:00Z",
            "2024-05",
            "99999999999999999999",
            "5 m",
        ] {
            assert!(moment(text, now).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_reader_panic(text in "(?s).{0,30}|[0-9smhdwkgbi.:+-]{0,30}") {
            let now = at("2024-05-17T08:00:00Z");
            drop((duration(&text), bytes(&text), moment(&text, now)));
        }

        #[test]
        fn a_duration_comes_back_as_it_was_shown(millis in 0_u64..1 << 43) {
            let shown = show_duration(Duration::from_millis(millis));
            prop_assert_eq!(duration(&shown), Ok(Duration::from_millis(millis)));
        }

        #[test]
        fn every_size_and_age_can_be_shown(size: u64, seconds: i64) {
            prop_assert!(show_bytes(size).len() <= 6 && show_bytes_binary(size).len() <= 9);
            prop_assert!(ago(seconds).ends_with(" ago"));
        }
    }
}
