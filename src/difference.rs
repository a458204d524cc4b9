//! What differs between two sequences. Of `similar` only Myers' algorithm is taken: its ways in that choose an algorithm at run time bring
//! in all of them, once for each kind of item.

use std::hash::Hash;

use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::udiff::UnifiedHunkHeader;
use similar::{DiffOp, DiffTag, diff_ratio, group_diff_ops};

/// How many unchanged lines stand around what differs.
const AROUND: usize = 3;

fn operations<T: Hash + Eq>(old: &[T], new: &[T]) -> Vec<DiffOp> {
    let mut hook = Compact::new(Replace::new(Capture::new()), old, new);
    let Ok(()) = myers::diff(&mut hook, old, 0..old.len(), new, 0..new.len());
    hook.into_inner().into_inner().into_ops()
}

/// How alike two words are: from 0 to 1.
pub(crate) fn ratio(one: &str, other: &str) -> f32 {
    let [one, other]: [Vec<char>; 2] = [one, other].map(|word| word.chars().collect());
    diff_ratio(&operations(&one, &other), one.len(), other.len())
}

/// Lines that belong together: what is taken out and what comes in its place, or what stays.
pub(crate) struct Lines<'t> {
    /// Whether they stay.
    pub(crate) is_equal: bool,
    /// As they were.
    pub(crate) old: Vec<&'t str>,
    /// As they are.
    pub(crate) new: Vec<&'t str>,
}

/// What differs between two texts: groups of lines with some of what is around them, and the header of each as `diff -u` writes it.
pub(crate) fn groups<'t>(old: &'t str, new: &'t str) -> Vec<(String, Vec<Lines<'t>>)> {
    let [old, new]: [Vec<&str>; 2] = [old, new].map(|text| text.split_inclusive('\n').collect());
    let lines = |operation: &DiffOp| Lines {
        is_equal: operation.tag() == DiffTag::Equal,
        old: old.get(operation.old_range()).unwrap_or_default().to_vec(),
        new: new.get(operation.new_range()).unwrap_or_default().to_vec(),
    };
    let groups = group_diff_ops(operations(&old, &new), AROUND).into_iter().filter(|group| !group.is_empty());
    groups.map(|group| (UnifiedHunkHeader::new(&group).to_string(), group.iter().map(lines).collect())).collect()
}

/// Two texts as `diff -u` shows them; empty where they are the same.
pub(crate) fn unified(old: &str, new: &str, names: [&str; 2]) -> String {
    let mut text = String::new();
    for (header, group) in groups(old, new) {
        if text.is_empty() {
            text.push_str(&format!("--- {}\n+++ {}\n", names[0], names[1]));
        }
        text.push_str(&format!("{header}\n"));
        for Lines { is_equal, old, new } in &group {
            let parts = if *is_equal { vec![(' ', old)] } else { vec![('-', old), ('+', new)] };
            for (sign, line) in parts.into_iter().flat_map(|(sign, lines)| lines.iter().map(move |line| (sign, line))) {
                let end = if line.ends_with('\n') { "" } else { "\n\\ No newline at end of file\n" };
                text.push_str(&format!("{sign}{line}{end}"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `similar` writes it itself.
    #[test]
    fn differences_are_those_of_diff() {
        let lines: Vec<String> = (0..30).map(|n| format!("line {n}")).collect();
        let long = lines.join("\n") + "\n";
        let changed = long.replace("line 3\n", "line three\nand more\n").replace("line 20\n", "");
        for (old, new) in [
            ("a\nb\nc\n", "a\nx\nc\n"),
            ("a\n", "a"),
            ("", "a\nb\n"),
            ("a\nb\n", ""),
            ("same\n", "same\n"),
            ("a\nb\na\nb\n", "b\na\nb\na\n"),
            (long.as_str(), changed.as_str()),
        ] {
            let theirs = similar::TextDiff::from_lines(old, new).unified_diff().header("o", "n").to_string();
            assert_eq!(unified(old, new, ["o", "n"]), theirs, "{old:?} {new:?}");
        }
        assert!((ratio("replicas", "replica") - 14.0 / 15.0).abs() < 0.001);
    }
}
