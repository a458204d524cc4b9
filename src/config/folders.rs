use crate::sources::RepoPath;

/// Patterns of folders, such as `**/examples/**`: `*` and `?` stay within a segment, `**` is any number of segments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    patterns: Vec<Vec<String>>,
}

impl Folders {
    /// Adds a pattern. A folder that one matches counts with all below it.
    pub fn add(&mut self, pattern: &str) {
        let segments = pattern.split('/').filter(|segment| !segment.is_empty() && *segment != ".");
        self.patterns.push(segments.map(str::to_owned).collect());
    }

    /// Whether a folder, or one above it, is meant.
    #[must_use]
    pub fn hold(&self, folder: &RepoPath) -> bool {
        let segments: Vec<&str> = folder.segments().collect();
        self.patterns.iter().any(|pattern| begins(pattern, &segments))
    }

    /// Whether exactly this path is meant.
    #[must_use]
    pub fn name(&self, path: &RepoPath) -> bool {
        let segments: Vec<&str> = path.segments().collect();
        self.patterns.iter().any(|pattern| ends(pattern, &segments).contains(&segments.len()))
    }
}

/// Whether a pattern matches the whole path or the beginning of it.
fn begins(pattern: &[String], path: &[&str]) -> bool {
    ends(pattern, path).iter().any(|end| *end > 0 || path.is_empty())
}

/// After how many segments of a path a pattern can end. In steps of the pattern's length times the path's.
fn ends(pattern: &[String], path: &[&str]) -> Vec<usize> {
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for step in pattern {
        let mut next = vec![false; path.len() + 1];
        if step == "**" {
            let first = reached.iter().position(|is_reached| *is_reached).unwrap_or(next.len());
            next[first..].fill(true);
        } else {
            for (at, segment) in path.iter().enumerate() {
                next[at + 1] = reached[at] && super::glob_matches(step, segment);
            }
        }
        reached = next;
    }
    reached.iter().enumerate().filter(|(_, is_reached)| **is_reached).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_hold_folders_and_what_is_below() {
        for (pattern, path, expected) in [
            ("**/examples/**", "a/examples/b", true),
            ("**/examples/**", "a/examples", true),
            ("**/examples/**", "a/example", false),
            ("apps/*/test", "apps/api/test/x", true),
            ("apps/*/test", "apps/api/b/test", false),
            ("docs", "docs/a/b", true),
            ("docs", "a/docs", false),
            ("**/d*s", "a/docs", true),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z/y", true),
        ] {
            let mut folders = Folders::default();
            folders.add(pattern);
            assert_eq!(folders.hold(&RepoPath::new(path).unwrap()), expected, "{pattern} {path}");
        }
        let mut folders = Folders::default();
        folders.add("apps/*");
        assert!(folders.name(&RepoPath::new("apps/api").unwrap()));
        assert!(!folders.name(&RepoPath::new("apps/api/base").unwrap()));
    }
}
