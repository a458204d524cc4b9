//! Amounts as Kubernetes writes them
//! (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>).

use std::cmp::Ordering;
use std::fmt;

/// An amount. Two are equal however they are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    /// Kubernetes knows no smaller part.
    billionths: i128,
    /// Whether it is written with a suffix such as `Mi`.
    is_binary: bool,
}

impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.billionths == other.billionths
    }
}

impl Eq for Amount {}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    fn cmp(&self, other: &Self) -> Ordering {
        self.billionths.cmp(&other.billionths)
    }
}

const BILLIONTHS: i128 = 1_000_000_000;

impl Amount {
    /// Reads `500m`, `1.5Gi`, `1e3`; `None` where it is something else, or too large.
    pub(super) fn read(text: &str) -> Option<Self> {
        let end = text.find(|character: char| !matches!(character, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (numerator, shift) = factor(suffix)?;
        let (is_negative, digits) = match number.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(part) || (whole.is_empty() && part.is_empty()) {
            return None;
        }
        let part = part.trim_end_matches('0');
        let unscaled: i128 = format!("0{whole}{part}").parse().ok()?;
        let exponent = shift + 9 - i32::try_from(part.len()).ok()?;
        let multiplied = unscaled.checked_mul(numerator)?;
        let scaled = match u32::try_from(exponent) {
            Ok(exponent) => multiplied.checked_mul(10i128.checked_pow(exponent)?)?,
            // What is smaller than a billionth counts as one.
            Err(_) => multiplied.div_ceil_by(10i128.checked_pow(exponent.unsigned_abs())?),
        };
        let billionths = if is_negative { -scaled } else { scaled };
        Some(Self { billionths, is_binary: suffix.ends_with('i') })
    }

    pub(super) fn whole(number: i64) -> Option<Self> {
        i128::from(number).checked_mul(BILLIONTHS).map(|billionths| Self { billionths, is_binary: false })
    }

    pub(super) fn as_integer(self) -> Option<i64> {
        (self.billionths % BILLIONTHS == 0).then(|| i64::try_from(self.billionths / BILLIONTHS).ok()).flatten()
    }

    #[expect(clippy::cast_precision_loss, reason = "it is asked for approximately")]
    pub(super) fn as_float(self) -> f64 {
        self.billionths as f64 / BILLIONTHS as f64
    }

    pub(super) fn sign(self) -> i64 {
        i64::from(self.billionths > 0) - i64::from(self.billionths < 0)
    }

    pub(super) fn add(self, other: Self) -> Option<Self> {
        self.billionths.checked_add(other.billionths).map(|billionths| Self { billionths, ..self })
    }

    pub(super) fn subtract(self, other: Self) -> Option<Self> {
        self.billionths.checked_sub(other.billionths).map(|billionths| Self { billionths, ..self })
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "it is computed approximately")]
    pub(super) fn scale(self, by: f64) -> Option<Self> {
        let scaled = (self.billionths as f64 * by).round();
        (scaled.abs() < 1e36).then_some(Self { billionths: scaled as i128, ..self })
    }
}

/// As Kubernetes writes it: with the largest suffix that leaves a whole number.
impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
        const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
        let is_whole = self.billionths % BILLIONTHS == 0;
        let (mut number, base, suffixes) = if self.is_binary && is_whole {
            (self.billionths / BILLIONTHS, 1024, BINARY.as_slice())
        } else {
            (self.billionths, 1000, DECIMAL.as_slice())
        };
        if number == 0 {
            return write!(formatter, "0");
        }
        let mut at = 0;
        while number % base == 0 && at + 1 < suffixes.len() {
            (number, at) = (number / base, at + 1);
        }
        write!(formatter, "{number}{}", suffixes[at])
    }
}

/// Reads a duration as Go does (<https://pkg.go.dev/time#ParseDuration>): `1h30m`, in billionths of a second.
pub(super) fn duration(text: &str) -> Option<i64> {
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0i128;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|it: char| !it.is_ascii_digit() && it != '.')?;
        let (number, after) = rest.split_at(end);
        let unit_end = after.find(|it: char| it.is_ascii_digit() || it == '.').unwrap_or(after.len());
        let (unit, remaining) = after.split_at(unit_end);
        let nanoseconds: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => BILLIONTHS,
            "m" => 60 * BILLIONTHS,
            "h" => 3_600 * BILLIONTHS,
            _ => return None,
        };
        let amount = Amount::read(number)?;
        total = total.checked_add(amount.billionths.checked_mul(nanoseconds)? / BILLIONTHS)?;
        rest = remaining;
    }
    i64::try_from(if is_negative { -total } else { total }).ok()
}

/// Writes a duration as Go does: `1h30m0s`.
pub(super) fn duration_text(nanoseconds: i64) -> String {
    const SECOND: u64 = 1_000_000_000;
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let all = nanoseconds.unsigned_abs();
    let with_part = |whole: u64, part: u64, places: usize, unit: &str| {
        let part = format!("{part:0places$}");
        let part = part.trim_end_matches('0');
        let point = if part.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{part}{unit}")
    };
    match all {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{all}ns"),
        1_000..1_000_000 => with_part(all / 1_000, all % 1_000, 3, "µs"),
        1_000_000..SECOND => with_part(all / 1_000_000, all % 1_000_000, 6, "ms"),
        _ => {
            let (hours, minutes) = (all / SECOND / 3_600, all / SECOND / 60 % 60);
            let seconds = with_part(all / SECOND % 60, all % SECOND, 9, "s");
            let seconds = seconds.trim_start_matches('-');
            match (hours, minutes) {
                (0, 0) => format!("{sign}{seconds}"),
                (0, _) => format!("{sign}{minutes}m{seconds}"),
                _ => format!("{sign}{hours}h{minutes}m{seconds}"),
            }
        }
    }
}

trait CeilingDivision {
    fn div_ceil_by(self, divisor: Self) -> Self;
}

impl CeilingDivision for i128 {
    fn div_ceil_by(self, divisor: Self) -> Self {
        self / divisor + i128::from(self % divisor != 0)
    }
}

/// What a suffix multiplies by: a whole number, and a power of ten.
fn factor(suffix: &str) -> Option<(i128, i32)> {
    if let Some(exponent) = suffix.strip_prefix(['e', 'E']).filter(|exponent| !exponent.is_empty()) {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        return is_number
            .then(|| Some((1, exponent.parse().ok().filter(|it: &i32| (-99..=99).contains(it))?)))
            .flatten();
    }
    let binary = |power: u32| Some((1i128 << (10 * power), 0));
    match suffix {
        "n" => Some((1, -9)),
        "u" => Some((1, -6)),
        "m" => Some((1, -3)),
        "" => Some((1, 0)),
        "k" => Some((1, 3)),
        "M" => Some((1, 6)),
        "G" => Some((1, 9)),
        "T" => Some((1, 12)),
        "P" => Some((1, 15)),
        "E" => Some((1, 18)),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_those_of_kubernetes() {
        let read = |text| Amount::read(text).unwrap_or_else(|| panic!("{text}"));
        for (one, other) in [
            ("1", "1000m"),
            ("1.5Gi", "1536Mi"),
            ("1e3", "1k"),
            ("0.1", "100m"),
            (".5", "500m"),
            ("5.", "5"),
            ("1E", "1e18"),
            ("1n", "0.000000001"),
            ("0.1n", "1n"),
            ("-1", "-1000m"),
            ("+2", "2"),
        ] {
            assert_eq!(read(one), read(other), "{one} {other}");
        }
        assert!(read("1Gi") > read("1G") && read("-1") < read("0") && read("999m") < read("1"));
        for text in [
            "",
            "1 ",
            "x",
            "1x",
            "1.2.3",
            "--1",
            "1e",
            "1ee3",
            "1e999",
            "1e-2147483648",
            "1e2147483647",
            "m",
            "9999999999999999999999999999999999999Ei",
        ] {
            assert!(Amount::read(text).is_none(), "{text}");
        }
        for (one, other, sum) in
            [("1Gi", "1Gi", "2Gi"), ("500m", "1500m", "2"), ("1", "1m", "1001m"), ("1Ki", "-1Ki", "0")]
        {
            assert_eq!(read(one).add(read(other)).unwrap().to_string(), sum);
        }
        assert_eq!((read("2k").as_integer(), read("1500m").as_integer()), (Some(2000), None));
    }

    #[test]
    fn durations_are_those_of_go() {
        for (text, written) in [
            ("1h30m", "1h30m0s"),
            ("90s", "1m30s"),
            ("1.5h", "1h30m0s"),
            ("300ms", "300ms"),
            ("-1.5s", "-1.5s"),
            ("1us", "1µs"),
            ("0", "0s"),
            ("7ns", "7ns"),
            ("24h", "24h0m0s"),
        ] {
            assert_eq!(duration(text).map(duration_text).as_deref(), Some(written), "{text}");
        }
        for text in ["", "1", "h", "1x", "1h-1m", "-", "1 h", "9999999999h"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
