/// Reads a duration such as `24h`, `90m`, `7d` or `1d12h`, in seconds.
#[must_use]
pub fn parse_duration(text: &str) -> Option<i64> {
    let mut seconds: i64 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let unit = match rest.as_bytes().get(digits)? {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        let count: i64 = rest[..digits].parse().ok()?;
        seconds = seconds.checked_add(count.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    Some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        assert_eq!(parse_duration("24h"), Some(86_400));
        assert_eq!(parse_duration("1d12h"), Some(129_600));
        for wrong in ["", "h", "5", "1y", "-1h", "99999999999999999999h", "1.5h"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }
}
