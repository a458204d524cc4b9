//! CODEOWNERS by GitHub's rules: the last matching line counts, patterns are case-sensitive and work much like
//! `.gitignore` without `!` and `\#`, brackets stand for themselves; a line with a syntax error is skipped.

use crate::kustomize::ParsedFiles;
use crate::sources::{RepoPath, Tree, TreeError};
use crate::span::{Span, offset};

/// Where GitHub looks for the file; the first one found counts.
pub const CODEOWNERS_PLACES: [&str; 3] = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"];

/// GitHub does not load a larger file.
const LARGEST: usize = 3 << 20;

/// The rules of a CODEOWNERS file, in file order.
#[derive(Clone, Debug, Default)]
pub struct Codeowners {
    rules: Vec<OwnerRule>,
    /// The file's first line; `None` where there is no file.
    pub file: Option<Span>,
}

/// One line.
#[derive(Clone, Debug)]
pub struct OwnerRule {
    /// The pattern as written.
    pub pattern: String,
    /// `@user`, `@org/team` or a mail address.
    pub owners: Vec<String>,
    /// The line.
    pub span: Span,
    segments: Vec<String>,
    covers_below: bool,
}

impl Codeowners {
    /// Reads the file of a tree.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn read(tree: &dyn Tree, parsed: &ParsedFiles) -> Result<Self, TreeError> {
        for place in CODEOWNERS_PLACES {
            let Some(path) = RepoPath::new(place) else { continue };
            let Some((id, content)) = tree.read(&path)? else { continue };
            let text = String::from_utf8_lossy(&content).into_owned();
            let file = parsed.files.add(&path, id, &text);
            let mut owners = Self { rules: Vec::new(), file: Some(Span::start_of(file)) };
            if text.len() < LARGEST {
                let source = parsed.files.get(file);
                let rules = text.lines().enumerate().filter_map(|(line, text)| {
                    let (start, end) = source.line_range(line);
                    OwnerRule::parse(text, Span { file, start: offset(start as usize), end })
                });
                owners.rules = rules.collect();
            }
            return Ok(owners);
        }
        Ok(Self::default())
    }

    /// The line that decides who owns a file.
    #[must_use]
    pub fn of(&self, path: &RepoPath) -> Option<&OwnerRule> {
        self.rules.iter().rev().find(|rule| rule.matches(path))
    }
}

impl OwnerRule {
    fn parse(line: &str, span: Span) -> Option<Self> {
        let mut words = words(line).into_iter();
        let pattern = words.next()?;
        if pattern.starts_with('!') || pattern.starts_with("\\#") || pattern.contains("***") {
            return None;
        }
        let owners: Vec<String> = words.collect();
        let is_owner = |owner: &String| owner.contains('@') && !owner.ends_with('@');
        if !owners.iter().all(is_owner) {
            return None;
        }
        let trimmed = pattern.strip_suffix('/').unwrap_or(&pattern);
        let is_anchored = trimmed.contains('/');
        let mut segments: Vec<String> = trimmed.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        if segments.is_empty() {
            return None;
        }
        if !is_anchored {
            segments.insert(0, "**".to_owned());
        }
        // A last segment `*` speaks of the files of one folder; anything else of all that lies below a match, too.
        let covers_below = pattern == "*" || segments.last().is_some_and(|last| last != "*") || pattern.ends_with('/');
        if pattern.ends_with('/') {
            segments.extend(["**".to_owned(), "*".to_owned()]);
        }
        Some(Self { pattern, owners, span, segments, covers_below })
    }

    fn matches(&self, path: &RepoPath) -> bool {
        let path: Vec<&str> = path.segments().collect();
        segments_match(&self.segments, &path, self.covers_below)
    }

    /// Whether the line speaks of everything.
    #[must_use]
    pub fn is_catch_all(&self) -> bool {
        matches!(self.pattern.as_str(), "*" | "**" | "/" | "/*" | "/**" | "**/*" | "/**/*")
    }
}

/// Splits at blanks that are not escaped, up to a comment.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.peek() == Some(&' ') => {
                word.push_str("\\ ");
                characters.next();
            }
            '#' if word.is_empty() => break,
            ' ' | '\t' => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            other => word.push(other),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// Matches path segments; `**` stands for any number of them. Works through the pattern once for every segment, so that
/// hostile patterns cost no more than their size times the path's.
fn segments_match(pattern: &[String], path: &[&str], covers_below: bool) -> bool {
    // reachable[i]: the pattern's first i segments can match what was read of the path so far.
    let mut reachable = vec![false; pattern.len() + 1];
    reachable[0] = true;
    let skip_stars = |reachable: &mut Vec<bool>| {
        for at in 0..pattern.len() {
            if reachable[at] && pattern[at] == "**" && at + 1 < pattern.len() {
                reachable[at + 1] = true;
            }
        }
    };
    skip_stars(&mut reachable);
    for (depth, segment) in path.iter().enumerate() {
        let mut next = vec![false; pattern.len() + 1];
        for at in 0..pattern.len() {
            if !reachable[at] {
                continue;
            }
            if pattern[at] == "**" {
                next[at] = true;
                next[at + 1] |= at + 1 == pattern.len();
            } else if segment_matches(&pattern[at], segment) {
                next[at + 1] = true;
            }
        }
        skip_stars(&mut next);
        let is_last = depth + 1 == path.len();
        if next[pattern.len()] && (is_last || covers_below) {
            return true;
        }
        reachable = next;
    }
    false
}

/// One segment; `*` stands for any text, `?` for one character, `\*` and `\?` for themselves.
fn segment_matches(pattern: &str, name: &str) -> bool {
    crate::config::glob_matches(pattern, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::MemoryTree;

    fn owner(codeowners: &str, path: &str) -> Option<String> {
        let tree = MemoryTree::new([(".github/CODEOWNERS", codeowners)]);
        let owners = Codeowners::read(&tree, &ParsedFiles::default()).unwrap();
        owners.of(&RepoPath::new(path).unwrap()).map(|rule| rule.owners.join(" "))
    }

    #[test]
    fn patterns_match_as_on_github() {
        for (pattern, path, expected) in [
            ("*", "a/b/c", true),
            ("*.js", "a/b.js", true),
            ("/build/logs/", "build/logs/a/b", true),
            ("/build/logs/", "x/build/logs/a", false),
            ("docs/*", "docs/a.md", true),
            ("docs/*", "docs/sub/a.md", false),
            ("apps/", "x/apps/a", true),
            ("/docs/", "docs/a", true),
            ("/apps/github", "apps/github/x", true),
            ("**/logs", "build/logs/x", true),
            ("**/logs", "deep/down/logs", true),
            ("a/**/b", "a/b", true),
            ("/app/[id]/f", "app/[id]/f", true),
            ("/app/[id]/f", "app/i/f", false),
            ("f\\*o", "f*o", true),
            ("f\\*o", "foo", false),
            ("a/**/b", "a/x/y/b", true),
            ("a/**", "a/x/y", true),
            ("a/**", "a", false),
            ("/apps/*/overlays/production/", "apps/api/overlays/production/kustomization.yaml", true),
            ("/apps/*/overlays/production/", "apps/api/v2/overlays/production/k.yaml", false),
            ("foo", "FOO", false),
            ("foo\\ bar", "foo bar", true),
            ("f?o", "foo", true),
        ] {
            assert_eq!(owner(&format!("{pattern} @x\n"), path).is_some(), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn the_last_match_counts_and_broken_lines_do_not() {
        let text = "# all\n* @all # everyone\n/a/ @a\n!/a/b @b\n/a/[x] @c\n/a/none\n/a/bad owner\n";
        assert_eq!(owner(text, "a/b").as_deref(), Some("@a"));
        assert_eq!(owner(text, "a/none").as_deref(), Some(""));
        assert_eq!(owner(text, "a/bad").as_deref(), Some("@a"));
        assert_eq!(owner(text, "z").as_deref(), Some("@all"));
    }

    #[test]
    fn the_first_place_counts() {
        let tree = MemoryTree::new([("docs/CODEOWNERS", "* @docs\n"), ("CODEOWNERS", "* @root\n")]);
        let owners = Codeowners::read(&tree, &ParsedFiles::default()).unwrap();
        assert_eq!(owners.of(&RepoPath::new("x").unwrap()).unwrap().owners, ["@root"]);
    }

    #[test]
    fn hostile_patterns_cost_little() {
        let pattern = format!("{}x @a\n", "**/a*a*a*b/".repeat(200));
        assert_eq!(owner(&pattern, &"aaaaaaaaaaaaaaaa/".repeat(200)), None);
    }
}
