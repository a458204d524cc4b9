//! Regular expressions as kustomize reads them, which is Go's `regexp` (RE2).

use regex::{Regex, RegexBuilder};

use crate::kustomize::error::RenderError;
use crate::kustomize::limits::LARGEST_EXPRESSION;
use crate::span::Span;

/// Go's limit of a counted repetition.
const MOST_REPEATED: usize = 1_000;

/// Compiles an expression, written at `span`, between `before` and `behind`.
///
/// # Errors
/// When it is none, is too large, or means something else to Go than to us.
pub(crate) fn compile(text: &str, around: [&str; 2], span: Span) -> Result<Regex, RenderError> {
    read(text, around).map_err(|reason| {
        RenderError::at(span, format!("cannot use `{text}` as a regular expression: {reason}"))
            .help("write `\\` before special characters that are meant literally")
    })
}

fn read(text: &str, [before, behind]: [&str; 2]) -> Result<Regex, String> {
    let text = ascii_classes(text)
        .map_err(|construct| format!("kustomize reads `{construct}` differently from other programs"))?;
    RegexBuilder::new(&format!("{before}{text}{behind}")).size_limit(LARGEST_EXPRESSION).build().map_err(|error| {
        let reason = error.to_string();
        reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })
}

/// The expression with the classes that hold ASCII characters only in Go spelt out.
///
/// # Errors
/// With the first construct that Go and we read differently.
fn ascii_classes(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    let mut in_class = false;
    let mut repeats = 0;
    while let Some(character) = rest.chars().next() {
        let (_, behind) = rest.split_at(character.len_utf8());
        let second = behind.chars().next();
        let mut taken = character.len_utf8();
        let mut is_repeated = false;
        match character {
            '\\' => {
                let Some(escaped) = second else { return Err(rest.to_owned()) };
                taken += escaped.len_utf8();
                let is_foreign = match escaped {
                    '<' | '>' | 'u' | 'U' | '0'..='9' => true,
                    'D' | 'W' | 'S' => in_class,
                    _ => false,
                };
                if is_foreign {
                    return Err(rest[..taken].to_owned());
                }
                match escaped {
                    'b' | 'B' if behind[1..].starts_with('{') => return Err(rest[..=taken].to_owned()),
                    'd' => out.push_str(if in_class { "0-9" } else { "[0-9]" }),
                    'w' => out.push_str(if in_class { "0-9A-Za-z_" } else { "[0-9A-Za-z_]" }),
                    's' => out.push_str(if in_class { r"\t\n\f\r " } else { r"[\t\n\f\r ]" }),
                    'D' => out.push_str("[^0-9]"),
                    'W' => out.push_str("[^0-9A-Za-z_]"),
                    'S' => out.push_str(r"[^\t\n\f\r ]"),
                    'b' => out.push_str(r"(?-u:\b)"),
                    _ => out.push_str(&rest[..taken]),
                }
            }
            '[' if in_class => {
                let Some(end) = rest.find(":]").filter(|_| second == Some(':')) else { return Err("[".to_owned()) };
                taken = end + 2;
                out.push_str(&rest[..taken]);
            }
            '[' => {
                in_class = true;
                out.push('[');
                // A bracket in the first place stands for itself.
                for literal in ['^', ']'] {
                    if rest[taken..].starts_with(literal) {
                        taken += 1;
                        out.push(literal);
                    }
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '&' | '-' | '~' if in_class && second == Some(character) => return Err(rest[..=taken].to_owned()),
            '(' if !in_class && second == Some('?') => {
                let flags: String =
                    behind[1..].chars().take_while(|flag| !matches!(flag, ':' | ')' | 'P' | '<')).collect();
                if !flags.chars().all(|flag| "imsU-".contains(flag)) {
                    return Err(format!("(?{flags}"));
                }
                taken += 1;
                out.push_str("(?");
            }
            '*' | '+' | '?' | '{' if !in_class => {
                // Only the mark of a lazy repetition may follow a repetition.
                if repeats > 1 || repeats == 1 && character != '?' {
                    return Err(format!("{}{character}", out.chars().last().unwrap_or_default()));
                }
                is_repeated = true;
                if character == '{' {
                    let end = rest.find('}').ok_or("{")?;
                    taken = end + 1;
                    let counts = rest[1..end].split(',').map(str::parse::<usize>);
                    let is_open = rest[1..end].ends_with(',');
                    let numbers: Vec<usize> = counts.take(if is_open { 1 } else { 2 }).map_while(Result::ok).collect();
                    let expected = if rest[1..end].contains(',') && !is_open { 2 } else { 1 };
                    if numbers.len() != expected || numbers.iter().any(|number| *number > MOST_REPEATED) {
                        return Err(rest[..taken].to_owned());
                    }
                }
                out.push_str(&rest[..taken]);
            }
            _ => out.push(character),
        }
        repeats = if is_repeated { repeats + 1 } else { 0 };
        rest = &rest[taken..];
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> Option<bool> {
        read(pattern, ["^(?:", ")$"]).ok().map(|regex| regex.is_match(text))
    }

    #[test]
    fn what_go_reads_the_same_way_is_read() {
        for (pattern, text, expected) in [
            ("a.*", "abc", true),
            (r"web-\d+", "web-12", true),
            (r"web-\d+", "web-\u{663}", false),
            (r"[\w-]+", "a_b-c", true),
            (r"\w+", "\u{e9}", false),
            ("[]a]+", "]a", true),
            ("[^]a]", "b", true),
            ("[[:alpha:]]+", "ab", true),
            ("(?i)ABC", "abc", true),
            ("(?:a|b)c", "bc", true),
            ("(?P<n>a)", "a", true),
            ("a{2,3}?", "aa", true),
            ("a??b+?", "b", true),
            (r"a\.b", "a.b", true),
            ("a{2,}", "aaa", true),
        ] {
            assert_eq!(matches(pattern, text), Some(expected), "{pattern}");
        }
    }

    #[test]
    fn what_go_reads_differently_is_refused() {
        let patterns = [
            "[x&&y]",
            "[x--w]",
            "[a~~z]",
            "[[x]",
            r"\Qx\E",
            r"\<x",
            r"x\>",
            r"\b{start}x",
            "(?x)a",
            "(?-u)a",
            "x{1001}",
            "x**",
            "x*{1}",
            "x???",
            "x{,3}",
            "x{",
            "x{a}",
            "(x",
            "[x",
            r"\u0041",
            r"\1",
            r"(?R)a",
            "*",
            r"(?-u:\xff)",
            "(\\pL{500}){900}",
            "x\\",
        ];
        for pattern in patterns {
            assert_eq!(matches(pattern, "x"), None, "{pattern}");
        }
    }
}
