//! What a change touches, and who made it.

use crate::kustomize::ParsedFiles;
use crate::sources::{Commit, RepoPath, Tree, TreeError};
use crate::span::Span;

/// What a change touches, and the bots among its authors.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The files that differ, in path order.
    pub files: Vec<RepoPath>,
    /// Names of bots among the authors.
    pub bots: Vec<String>,
}

impl Change {
    /// Puts together what the commits say.
    #[must_use]
    pub fn new(files: Vec<RepoPath>, added: &[Commit]) -> Self {
        let mut change = Self { files, bots: Vec::new() };
        for commit in added.iter().filter(|commit| is_bot(&commit.author_name, &commit.author_email)) {
            change.add_bot(&commit.author_name);
        }
        change
    }

    /// Adds a bot that the forge names.
    pub fn add_bot(&mut self, name: &str) {
        if self.bots.iter().all(|bot| bot != name) {
            self.bots.push(name.to_owned());
        }
    }
}

/// Whether an author is a bot: GitHub marks apps with `[bot]`, GitLab names its bots `project_…_bot` and `group_…_bot`.
fn is_bot(name: &str, email: &str) -> bool {
    let local = email.split('@').next().unwrap_or_default();
    let gitlab = |text: &str| {
        let rest = text.strip_prefix("project_").or_else(|| text.strip_prefix("group_"));
        rest.is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()) && rest.contains("_bot"))
    };
    name.ends_with("[bot]") || local.ends_with("[bot]") || gitlab(name) || gitlab(local)
}

/// The first line of `path` that differs: a line of the head, or of the base where the head has no such file.
///
/// # Errors
/// When a side cannot be read.
pub fn first_changed_line(
    parsed: &ParsedFiles,
    base: &dyn Tree,
    head: &dyn Tree,
    path: &RepoPath,
) -> Result<Option<Span>, TreeError> {
    let text = |tree: &dyn Tree| -> Result<_, TreeError> {
        let read = match tree.read(path) {
            // What is too large to be read has no line to show.
            Err(error) if error.is_too_large() => None,
            read => read?,
        };
        Ok(read.and_then(|(id, content)| Some((id, String::from_utf8(content.to_vec()).ok()?))))
    };
    let (old, new) = (text(base)?, text(head)?);
    let line = match (&old, &new) {
        (Some((_, old)), Some((_, new))) => first_difference(old, new),
        _ => 0,
    };
    let Some((id, text)) = new.or(old) else { return Ok(None) };
    let file = parsed.files.add(path, id, &text);
    let (start, end) = parsed.files.get(file).line_range(line);
    Ok(Some(Span { file, start, end }))
}

/// The zero-based line of `new` at which the first difference shows. What was removed shows at the line that is now there.
fn first_difference(old: &str, new: &str) -> usize {
    let lines = new.split_inclusive('\n');
    let same = lines.clone().zip(old.split_inclusive('\n')).take_while(|(new, old)| new == old).count();
    same.min(lines.count().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_a_line_of_the_new_text() {
        assert_eq!(first_difference("a\nb\nc\n", "a\nB\nc\n"), 1);
        assert_eq!(first_difference("a\nb\n", "a\nb\nc\n"), 2);
        assert_eq!(first_difference("a\nb\nc\n", "a\nb\n"), 1);
        assert_eq!(first_difference("a\nb\nc\n", "b\nc\n"), 0);
    }

    #[test]
    fn forges_mark_their_bots() {
        assert!(is_bot("renovate[bot]", "1+renovate[bot]@users.noreply.github.com"));
        assert!(is_bot("Updater", "project_12_bot_ab12@noreply.example.com"));
        assert!(!is_bot("Abbot", "abbot@example.com"));
    }
}
