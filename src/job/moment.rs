//! The times in records and in what is shown of a job: RFC 3339 in UTC, as chrono writes it.
//!
//! chrono reads and writes many forms, which takes a tenth of a list of ten thousand jobs. Here the form that records have is read
//! and written directly. Everything else is left to chrono.

use std::fmt;

use chrono::{DateTime, Datelike as _, FixedOffset, NaiveDate, Timelike as _, Utc};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize as _, Serializer};

/// Reads a time.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    deserializer.deserialize_str(Reader)
}

/// Reads a time that may be null.
pub fn deserialize_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    #[derive(Deserialize)]
    struct Moment(#[serde(deserialize_with = "deserialize")] DateTime<Utc>);
    Ok(Option::<Moment>::deserialize(deserializer)?.map(|Moment(time)| time))
}

/// Writes a time that may be null.
#[expect(clippy::ref_option, reason = "serde calls it so")]
pub fn serialize_option<S: Serializer>(time: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match time.map(|time| (time, shown(time))) {
        None => serializer.serialize_none(),
        Some((_, Some(text))) => serializer.serialize_str(&text),
        Some((time, None)) => time.serialize(serializer),
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = DateTime<Utc>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an RFC 3339 formatted date and time string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let other = || text.parse::<DateTime<FixedOffset>>().map(|time| time.to_utc()).map_err(E::custom);
        read(text.as_bytes()).map_or_else(other, Ok)
    }
}

/// `2026-01-02T03:04:05Z`, with up to nine digits of a fraction; `None` for every other form, and for a leap second.
fn read(text: &[u8]) -> Option<DateTime<Utc>> {
    let (whole, rest) = text.split_first_chunk::<19>()?;
    let [_, _, _, _, b'-', _, _, b'-', _, _, b'T', _, _, b':', _, _, b':', _, _] = whole else { return None };
    let nanoseconds = match rest.strip_suffix(b"Z")? {
        [] => 0,
        [b'.', fraction @ ..] if (1..=9).contains(&fraction.len()) => {
            number(fraction)? * 10_u32.pow(u32::try_from(9 - fraction.len()).ok()?)
        }
        _ => return None,
    };
    let part = |from: usize| number(&whole[from..from + 2]);
    let year = i32::try_from(number(&whole[..4])?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, part(5)?, part(8)?)?;
    Some(date.and_hms_nano_opt(part(11)?, part(14)?, part(17)?, nanoseconds)?.and_utc())
}

fn number(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0, |number, digit| Some(number * 10 + u32::from(digit.is_ascii_digit().then(|| digit - b'0')?)))
}

/// The text of a time, with as many digits of a fraction as it needs: none, three, six or nine. `None` for a year that has not
/// four digits, and for a leap second.
fn shown(time: DateTime<Utc>) -> Option<String> {
    let nanoseconds = time.nanosecond();
    let year = u32::try_from(time.year()).ok().filter(|year| *year <= 9999)?;
    let (fraction, digits) = match nanoseconds {
        0 => (0, 0),
        1_000_000_000.. => return None,
        n if n % 1_000_000 == 0 => (n / 1_000_000, 3),
        n if n % 1000 == 0 => (n / 1000, 6),
        n => (n, 9),
    };
    let mut text = String::with_capacity(30);
    let mut push = |before: Option<char>, number: u32, digits: u32| {
        text.extend(before);
        text.extend((0..digits).rev().filter_map(|place| char::from_digit(number / 10_u32.pow(place) % 10, 10)));
    };
    push(None, year, 4);
    push(Some('-'), time.month(), 2);
    push(Some('-'), time.day(), 2);
    push(Some('T'), time.hour(), 2);
    push(Some(':'), time.minute(), 2);
    push(Some(':'), time.second(), 2);
    push(Some('.').filter(|_| digits > 0), fraction, digits);
    text.push('Z');
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn times_are_written_and_read_as_chrono_does_it(
            seconds in -70_000_000_000_i64..300_000_000_000,
            nanoseconds in prop_oneof![Just(0), (0_u32..1000).prop_map(|n| n * 1_000_000), 0_u32..2_000_000_000],
        ) {
            let Some(time) = DateTime::from_timestamp(seconds, nanoseconds) else { return Ok(()) };
            let chronos = serde_json::to_string(&time).unwrap();
            let mut ours = Vec::new();
            serialize_option(&Some(time), &mut serde_json::Serializer::new(&mut ours)).unwrap();
            prop_assert_eq!(String::from_utf8(ours).unwrap(), chronos.clone());
            prop_assert_eq!(deserialize(&mut serde_json::Deserializer::from_str(&chronos)).unwrap(), time);
        }

        #[test]
        fn what_is_read_here_is_what_chrono_reads(
            text in "[0-9]{3,4}-[0-9]{2}-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9]([.,][0-9]{0,10})?(Z|z|\\+01:00)?",
        ) {
            let chronos = text.parse::<DateTime<FixedOffset>>().ok().map(|time| time.to_utc());
            prop_assert!(read(text.as_bytes()).is_none_or(|time| Some(time) == chronos), "{} {:?}", text, chronos);
        }
    }

    #[test]
    fn the_form_of_records_is_not_left_to_chrono() {
        for text in ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123Z", "0000-12-31T23:59:59.123456789Z"] {
            assert_eq!(read(text.as_bytes()).and_then(shown).as_deref(), Some(text));
        }
        for other in
            ["", "2026-01-02T03:04:05", "2026-01-02T03:04:60Z", "2026-02-30T03:04:05Z", "2026-01-02T03:04:05.Z"]
        {
            assert_eq!(read(other.as_bytes()), None, "{other}");
        }
        assert_eq!(deserialize_option(&mut serde_json::Deserializer::from_str("null")).unwrap(), None);
        let error = deserialize(&mut serde_json::Deserializer::from_str("\"now\"")).unwrap_err();
        assert!(error.to_string().starts_with("input contains invalid characters"), "{error}");
    }
}
