//! How numbers, times, versions and lists are written in sentences.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;

/// A number of things: `1 error`, `2 errors`.
#[must_use]
pub fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// A moment as people read it; `seconds` count from 1970.
#[must_use]
pub fn moment(seconds: i64) -> String {
    format!("{} UTC", minute(seconds))
}

/// A moment with the clock of another time zone beside it: `2026-01-12 07:00 UTC, 08:00 Europe/Berlin`.
#[must_use]
pub fn moment_in(seconds: i64, zone: Tz) -> String {
    let (utc, local) = (utc(seconds), utc(seconds).with_timezone(&zone));
    if zone == Tz::UTC {
        return moment(seconds);
    }
    let form = if local.date_naive() == utc.date_naive() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    format!("{}, {} {}", moment(seconds), local.format(form), zone.name())
}

/// A moment without its zone, for tables.
#[must_use]
pub fn minute(seconds: i64) -> String {
    utc(seconds).format("%Y-%m-%d %H:%M").to_string()
}

/// A moment as programs read it, RFC 3339.
#[must_use]
pub fn rfc3339(seconds: i64) -> String {
    utc(seconds).to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn utc(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

/// A duration as people say it, in its two largest units: `3 h 12 min`. Days begin at two: `24h` is what people write.
#[must_use]
pub fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let fits = |(at, (size, _)): (usize, &(i64, &str))| seconds >= if at == 0 { 2 * size } else { *size };
    let Some(first) = units.iter().enumerate().position(fits) else { return "0 s".to_owned() };
    let (size, name) = units[first];
    let mut text = format!("{} {name}", seconds / size);
    if let Some((next, name)) = units.get(first + 1).filter(|(next, _)| seconds % size >= *next) {
        text.push_str(&format!(" {} {name}", seconds % size / next));
    }
    text
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The first seven digits of a commit's id, as people quote commits.
#[must_use]
pub fn short_commit(id: &str) -> String {
    id.chars().take(7).collect()
}

/// Names in backticks, separated by commas: `` `a`, `b` ``.
#[must_use]
pub fn quoted<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect();
    names.join(", ")
}

/// Whether a character has no form of its own: controls (`Cc`), formats (`Cf`), line and paragraph separators (`Zl`, `Zp`).
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}'
            | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether a character makes a text look like another one: controls, line separators, and marks that turn the direction.
#[must_use]
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_two_units() {
        for (seconds, text) in [
            (86_400, "24 h"),
            (172_800, "2 d"),
            (11_520, "3 h 12 min"),
            (59, "59 s"),
            (0, "0 s"),
            (90_060, "25 h 1 min"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn one_thing_is_not_several() {
        assert_eq!((count(1, "error"), count(0, "error")), ("1 error".to_owned(), "0 errors".to_owned()));
        assert_eq!(quoted(["a", "b"]), "`a`, `b`");
        assert_eq!(moment(0), "1970-01-01 00:00 UTC");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
    }
}
