//! Patterns of `CustomResourceDefinition`s. They come from the change, so that their number and size is limited; those past a limit, and
//! those that Go reads otherwise, are not asked.

use std::collections::HashMap;
use std::sync::LazyLock;

use parking_lot::Mutex;
use regex::{Regex, RegexBuilder};

/// How many patterns are compiled in a run, and how large each may become, in bytes.
const MOST: usize = 500;
const LARGEST: usize = 1 << 17;
/// Longer texts are not held against patterns, in bytes.
const LONGEST: usize = 4_096;

/// Whether a text is something else than a pattern asks for.
pub(super) fn differs(pattern: &str, text: &str) -> bool {
    static COMPILED: LazyLock<Mutex<HashMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);
    if text.len() > LONGEST || is_read_otherwise(pattern) {
        return false;
    }
    let mut compiled = COMPILED.lock();
    let is_full = compiled.len() >= MOST;
    let regex = match compiled.get(pattern) {
        Some(known) => known.clone(),
        None if is_full => None,
        None => {
            let new = RegexBuilder::new(pattern).size_limit(LARGEST).build().ok();
            compiled.insert(pattern.to_owned(), new.clone());
            new
        }
    };
    drop(compiled);
    regex.is_some_and(|regex| !regex.is_match(text))
}

/// Whether Go reads a pattern otherwise: between brackets `&&`, `--`, `~~` and `[` stand for themselves there.
fn is_read_otherwise(pattern: &str) -> bool {
    let mut is_inside = false;
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                characters.next();
            }
            '[' if is_inside && characters.peek() != Some(&':') => return true,
            '[' => is_inside = true,
            ']' => is_inside = false,
            '&' | '-' | '~' if is_inside && characters.peek() == Some(&character) => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_asked_where_they_mean_the_same() {
        assert!(differs("^[a-z]+$", "A") && !differs("^[a-z]+$", "a"));
        assert!(!differs("^[a-z&&_]+$", "a&b"), "Go has no such thing");
        assert!(!differs("^[[:alpha:]]+$", "abc") && differs("^[[:alpha:]]+$", "1"));
        assert!(!differs("(", "x") && !differs("^[ab]{100000}$", "x"), "what cannot be compiled is not asked");
    }
}
