//! Amounts as Kubernetes writes them
//! (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>).

/// An amount, in billionths: Kubernetes knows no smaller part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Amount(i128);

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
        Some(Self(if is_negative { -scaled } else { scaled }))
    }

    pub(super) fn whole(number: i64) -> Option<Self> {
        i128::from(number).checked_mul(BILLIONTHS).map(Self)
    }

    pub(super) fn as_integer(self) -> Option<i64> {
        (self.0 % BILLIONTHS == 0).then(|| i64::try_from(self.0 / BILLIONTHS).ok()).flatten()
    }

    #[expect(clippy::cast_precision_loss, reason = "it is asked for approximately")]
    pub(super) fn as_float(self) -> f64 {
        self.0 as f64 / BILLIONTHS as f64
    }

    pub(super) fn sign(self) -> i64 {
        i64::from(self.0 > 0) - i64::from(self.0 < 0)
    }

    pub(super) fn add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    pub(super) fn subtract(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
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
        return is_number.then(|| Some((1, exponent.parse().ok().filter(|it: &i32| it.abs() < 100)?))).flatten();
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
        for text in
            ["", "1 ", "x", "1x", "1.2.3", "--1", "1e", "1ee3", "1e999", "m", "9999999999999999999999999999999999999Ei"]
        {
            assert!(Amount::read(text).is_none(), "{text}");
        }
        assert_eq!((read("2k").as_integer(), read("1500m").as_integer()), (Some(2000), None));
    }
}
