/// Whether a text is an amount as Kubernetes reads it
/// (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>): a decimal number, and a suffix or an
/// exponent.
pub(super) fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end =
        unsigned.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let has_digits = number.bytes().any(|byte| byte.is_ascii_digit());
    has_digits && number.matches('.').count() <= 1 && is_suffix(suffix)
}

fn is_suffix(suffix: &str) -> bool {
    match suffix {
        "" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" | "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "Ei" => true,
        _ => suffix.strip_prefix(['e', 'E']).is_some_and(|exponent| {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_from_other_texts() {
        for text in ["1", "0.5", ".5", "5.", "100m", "1Gi", "-2", "+3k", "1e3", "1E-3", "12E", "0"] {
            assert!(is_quantity(text), "{text}");
        }
        for text in ["", "m", ".", "1GB", "1 Gi", "lots", "1.2.3", "1gi", "1e", "0x10", "1K", "1Mi "] {
            assert!(!is_quantity(text), "{text}");
        }
    }
}
