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

/// Tells a duration as people do, in its two largest units: `3 h 12 min`. Days begin at two: `24h` is what people write.
#[must_use]
pub fn describe_seconds(seconds: i64) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_told() {
        assert_eq!(parse_duration("24h"), Some(86_400));
        assert_eq!(parse_duration("1d12h"), Some(129_600));
        for wrong in ["", "h", "5", "1y", "-1h", "99999999999999999999h", "1.5h"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
        for (seconds, text) in [
            (86_400, "24 h"),
            (172_800, "2 d"),
            (11_520, "3 h 12 min"),
            (59, "59 s"),
            (0, "0 s"),
            (90_060, "25 h 1 min"),
        ] {
            assert_eq!(describe_seconds(seconds), text);
        }
    }
}
