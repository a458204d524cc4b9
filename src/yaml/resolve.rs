//! What a plain scalar means. Two dialects: kustomize reads resources with go-yaml v3, kustomization files and its own
//! output with go-yaml v2 (`resolve.go` of `go.yaml.in/yaml`, both versions).

use chrono::{DateTime, FixedOffset, NaiveDate, SecondsFormat};

/// What a scalar means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer that only fits without a sign.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// A date or a time, which JSON output turns into an RFC 3339 string.
    Timestamp,
    /// A string.
    String,
}

/// What a plain scalar means in resources and patches (go-yaml v3).
#[must_use]
pub fn resolve(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ => number_or_string(text),
    }
}

/// What a plain scalar means to YAML 1.1 as go-yaml v2 reads it: kustomization files, and the question whether a
/// string needs quotes in the output.
#[must_use]
pub fn resolve_yaml11(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Kind::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Kind::Bool(false),
        _ => number_or_string(text),
    }
}

fn number_or_string(text: &str) -> Kind {
    match text.as_bytes()[0] {
        b'.' => special_float(text).or_else(|| decimal(text)).map_or(Kind::String, Kind::Float),
        b'0'..=b'9' | b'+' | b'-' => {
            if let Some(float) = special_float(text) {
                return Kind::Float(float);
            }
            if timestamp(text).is_some() {
                return Kind::Timestamp;
            }
            number(&text.replace('_', "")).unwrap_or(Kind::String)
        }
        _ => Kind::String,
    }
}

fn special_float(text: &str) -> Option<f64> {
    match text {
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

fn number(text: &str) -> Option<Kind> {
    if let Some(kind) = integer(text) {
        return Some(kind);
    }
    decimal(text).map(Kind::Float)
}

/// Go's `strconv.ParseInt(text, 0, 64)`, then `ParseUint`: `0x`, `0o`, `0b` and a bare leading `0` choose the base.
fn integer(text: &str) -> Option<Kind> {
    let (negative, signed, digits) = match text.as_bytes().first()? {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.bytes().all(|digit| char::from(digit).is_digit(base)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    if negative {
        return (magnitude <= 1 << 63).then(|| Kind::Int(0i64.wrapping_sub_unsigned(magnitude)));
    }
    match i64::try_from(magnitude) {
        Ok(value) => Some(Kind::Int(value)),
        Err(_) if signed => None,
        Err(_) => Some(Kind::Uint(magnitude)),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, where the value is finite.
fn decimal(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)));
    if !mantissa_fits || !exponent_fits {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// The RFC 3339 text of a timestamp as YAML writes them; `None` where `text` is none.
///
/// Go's layouts `2006-1-2T15:4:5.999999999Z07:00`, the same with `t`, `2006-1-2 15:4:5.999999999`, and `2006-1-2`.
#[must_use]
pub(super) fn timestamp(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return None;
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some((bytes[at], &text[at + 1..]))),
        None => (text, None),
    };
    let short = |text: &str| {
        if (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) {
            text.parse::<u32>().ok()
        } else {
            None
        }
    };
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(year.parse().ok()?, short(month)?, short(day)?)?;
    let Some((separator, time)) = time else {
        return Some(rfc3339(date.and_hms_opt(0, 0, 0)?.and_utc().fixed_offset()));
    };
    let (clock, offset) = if separator == b' ' {
        (time, 0)
    } else if let Some(clock) = time.strip_suffix('Z') {
        (clock, 0)
    } else {
        let at = time.rfind(['+', '-'])?;
        let (hours, minutes) = time[at + 1..].split_once(':')?;
        if hours.len() != 2 || minutes.len() != 2 {
            return None;
        }
        let seconds =
            i32::try_from(short(hours)?.min(100) * 3600 + short(minutes).filter(|minutes| *minutes < 60)? * 60).ok()?;
        (&time[..at], if time.as_bytes()[at] == b'-' { -seconds } else { seconds })
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    let mut parts = clock.split(':');
    let (hour, minute, second) = (short(parts.next()?)?, short(parts.next()?)?, short(parts.next()?)?);
    if parts.next().is_some() || second > 59 {
        return None;
    }
    let local = date.and_hms_nano_opt(hour, minute, second, nanos)?;
    let zone = FixedOffset::east_opt(offset)?;
    Some(rfc3339(local.and_local_timezone(zone).single()?))
}

fn rfc3339(time: DateTime<FixedOffset>) -> String {
    let text = time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    // Go drops trailing zeros of the fraction; chrono rounds it to three, six or nine digits.
    let Some(dot) = text.find('.') else { return text };
    let end = text[dot + 1..].find(|digit: char| !digit.is_ascii_digit()).map_or(text.len(), |at| dot + 1 + at);
    let fraction = text[dot..end].trim_end_matches('0').trim_end_matches('.');
    format!("{}{fraction}{}", &text[..dot], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_resolve_as_go_yaml_v3() {
        for (text, kind) in [
            ("~", Kind::Null),
            ("True", Kind::Bool(true)),
            ("yes", Kind::String),
            ("on", Kind::String),
            ("0777", Kind::Int(511)),
            ("0o17", Kind::Int(15)),
            ("0b11", Kind::Int(3)),
            ("-0x1F", Kind::Int(-31)),
            ("08", Kind::Float(8.0)),
            ("1_000", Kind::Int(1000)),
            ("1e3", Kind::Float(1000.0)),
            ("1.", Kind::Float(1.0)),
            (".5", Kind::Float(0.5)),
            ("..", Kind::String),
            ("1e999", Kind::String),
            ("18446744073709551615", Kind::Uint(u64::MAX)),
            ("-9223372036854775808", Kind::Int(i64::MIN)),
            ("1:30", Kind::String),
            ("2024-01-01", Kind::Timestamp),
            ("2024-13-01", Kind::String),
            ("-", Kind::String),
            ("1.2.3", Kind::String),
        ] {
            assert_eq!(resolve(text), kind, "{text}");
        }
        assert_eq!(resolve("18446744073709551616"), Kind::Float(18_446_744_073_709_551_616.0));
    }

    #[test]
    fn yaml11_has_more_bools() {
        for text in ["y", "No", "on", "OFF"] {
            assert!(matches!(resolve_yaml11(text), Kind::Bool(_)), "{text}");
        }
        assert_eq!(resolve_yaml11("nO"), Kind::String);
    }

    #[test]
    fn timestamps_become_rfc3339() {
        assert_eq!(timestamp("2024-1-2").unwrap(), "2024-01-02T00:00:00Z");
        assert_eq!(timestamp("2024-01-02 03:04:05.250").unwrap(), "2024-01-02T03:04:05.25Z");
        assert_eq!(timestamp("2024-01-02T03:04:05+02:00").unwrap(), "2024-01-02T03:04:05+02:00");
        assert_eq!(timestamp("2024-01-02T03:04:05Z").unwrap(), "2024-01-02T03:04:05Z");
        assert_eq!(timestamp("2024-02-30"), None);
        assert_eq!(timestamp("2024-01-02T03:04"), None);
    }
}
