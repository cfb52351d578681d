//! Times that clients write. The original's framework reads many forms; these are the ones its own
//! pages and programs send. What names no zone is UTC: the original mixed up its own and that.

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::names::Name;
use super::parameters::Parameters;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;

/// Forms beside RFC 3339 and ISO 8601, as an American browser's calendar writes them.
const FORMS: [&str; 4] =
    ["%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M"];

/// A parameter that is a time.
///
/// # Errors
/// [`Fault::Invalid`] when it is none.
pub(super) fn time(parameters: &Parameters, name: Name) -> Result<Option<Timestamp>, Fault> {
    let Some(text) = parameters.text(name) else { return Ok(None) };
    let time = read(text.trim());
    let none = || Fault::invalid(name.text(), "is no time such as 2026-01-31T12:00:00Z");
    time.map(Some).ok_or_else(none)
}

fn read(text: &str) -> Option<Timestamp> {
    if let Some(millis) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
        return millis.parse::<i64>().ok()?.checked_mul(1000).map(Timestamp::from_micros);
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp::from_micros(time.as_microsecond()));
    }
    let in_form =
        |form: &&str| strtime::parse(form, text).and_then(|parsed| parsed.to_datetime()).ok();
    let day = || strtime::parse("%m/%d/%Y", text).and_then(|parsed| parsed.to_date()).ok();
    let written: Option<DateTime> = text
        .parse()
        .ok()
        .or_else(|| text.parse().ok().map(midnight))
        .or_else(|| FORMS.iter().find_map(in_form))
        .or_else(|| day().map(midnight));
    let time = written?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp::from_micros(time.as_microsecond()))
}

fn midnight(day: Date) -> DateTime {
    day.at(0, 0, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_clients_write_them() {
        for (text, expected) in [
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
            ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00Z"),
            ("2026-01-31T12:00:00.5", "2026-01-31T12:00:00.5Z"),
            ("2026-01-31 12:00", "2026-01-31T12:00:00Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("1/31/2026", "2026-01-31T00:00:00Z"),
            ("01/31/2026 1:05 PM", "2026-01-31T13:05:00Z"),
            ("1/31/2026 11:05:07 AM", "2026-01-31T11:05:07Z"),
            ("1/31/2026 23:05", "2026-01-31T23:05:00Z"),
            ("/Date(1769860800000)/", "2026-01-31T12:00:00Z"),
        ] {
            assert_eq!(
                read(text).map(|time| time.to_string()).as_deref(),
                Some(expected),
                "{text}"
            );
        }
        for text in ["", "tomorrow", "31/1/2026", "2026-02-30", "/Date(x)/", "12:00"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
