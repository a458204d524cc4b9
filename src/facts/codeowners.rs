//! CODEOWNERS by GitHub's rules: the last matching line counts, patterns are case-sensitive and work much like
//! `.gitignore` without `!` and `\#`, brackets stand for themselves; a line with a syntax error is skipped.
//!
//! Or by GitLab's (<https://docs.gitlab.com/user/project/codeowners/reference/>): sections, of each of which the last matching
//! line counts, with default owners, a number of approvals, `^` for optional ones and `!` for exclusions; patterns that do not
//! begin with `/` match anywhere, and only those that end with `/` or `**` mean what is in a folder.
//!
//! Or by Gitea's and Forgejo's (<https://docs.gitea.com/usage/code-owners>): patterns are regular expressions for the whole path,
//! `!` turns one around, and every line that matches counts.

use regex::{Regex, RegexBuilder};

use super::prow;
use crate::config::OwnersDialect;
use crate::kustomize::ParsedFiles;
use crate::sources::{RepoPath, Tree, TreeError};
use crate::span::{Span, offset};

/// Every place where a forge looks for the file.
pub const CODEOWNERS_PLACES: [&str; 5] =
    [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS", ".gitea/CODEOWNERS"];

/// How large one compiled pattern may become.
const LARGEST_PATTERN: usize = 1 << 20;

impl OwnersDialect {
    /// Where the forge looks for the file; the first one found counts.
    #[must_use]
    pub fn places(self) -> [&'static str; 3] {
        match self {
            Self::GitHub | Self::Prow => [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"],
            Self::GitLab => ["CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"],
            Self::Gitea => ["CODEOWNERS", "docs/CODEOWNERS", ".gitea/CODEOWNERS"],
        }
    }

    /// The dialect of a repository of which nobody says where it is hosted.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn of(tree: &dyn Tree) -> Result<Self, TreeError> {
        let stands = |name: &str| Ok::<_, TreeError>(tree.entry(&RepoPath::root().child(name))?.is_some());
        if !stands(".github")? && stands(".gitea")? {
            return Ok(Self::Gitea);
        }
        let is_gitlab = !stands(".github")? && (stands(".gitlab")? || stands(".gitlab-ci.yml")?);
        Ok(if is_gitlab { Self::GitLab } else { Self::GitHub })
    }
}

/// Whether owners are read from a file, by the rules of this dialect or of another forge.
#[must_use]
pub fn is_owners_file(path: &RepoPath, dialect: OwnersDialect) -> bool {
    let is_prow = dialect == OwnersDialect::Prow && [prow::OWNERS, prow::ALIASES].contains(&path.file_name());
    is_prow || CODEOWNERS_PLACES.contains(&path.as_str())
}

/// GitHub does not load a larger file.
const LARGEST: usize = 3 << 20;

/// The rules of a CODEOWNERS file, in file order.
#[derive(Clone, Debug)]
pub struct Codeowners {
    /// By whose rules it was read.
    pub dialect: OwnersDialect,
    rules: Vec<OwnerRule>,
    /// Lines that the forge passes over, and parts of lines.
    pub invalid: Vec<InvalidLine>,
    /// The file's first line; `None` where there is no file.
    pub file: Option<Span>,
}

/// A line that does not say what was meant: the forge passes over it.
#[derive(Clone, Debug)]
pub struct InvalidLine {
    /// The line.
    pub span: Span,
    /// What is wrong with it.
    pub why: String,
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
    /// How many owners must approve; none for an optional section.
    pub needed: usize,
    /// GitLab's section; empty for lines before the first one, and on GitHub.
    section: String,
    /// Whether the line takes files out of its section.
    excludes: bool,
    paths: Paths,
}

/// Which files a line speaks of.
#[derive(Clone, Debug)]
enum Paths {
    /// Those below or at what the segments of a pattern match.
    Segments {
        /// The segments.
        segments: Vec<String>,
        /// Whether what lies below a match is meant, too.
        covers_below: bool,
    },
    /// Those that an expression matches, or the others.
    Expression {
        /// The expression.
        expression: Regex,
        /// Whether the others are meant.
        is_negated: bool,
    },
}

impl Codeowners {
    /// Nobody owns anything.
    pub(super) fn none(dialect: OwnersDialect) -> Self {
        Self { dialect, rules: Vec::new(), invalid: Vec::new(), file: None }
    }

    /// All owners that any line names.
    pub fn everybody(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().flat_map(|rule| &rule.owners).map(String::as_str)
    }

    /// Reads the file of a tree.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn read(tree: &dyn Tree, parsed: &ParsedFiles, dialect: OwnersDialect) -> Result<Self, TreeError> {
        if dialect == OwnersDialect::Prow {
            return prow::read(tree, parsed);
        }
        for place in dialect.places() {
            let Some(path) = RepoPath::new(place) else { continue };
            let Some((id, content)) = tree.read(&path)? else { continue };
            let text = String::from_utf8_lossy(&content).into_owned();
            let file = parsed.files.add(&path, id, &text);
            let mut owners = Self { file: Some(Span::start_of(file)), ..Self::none(dialect) };
            if text.len() >= LARGEST {
                let why = "the forge does not load a CODEOWNERS file of 3 MB and more, so that nothing has an owner";
                owners.invalid.push(InvalidLine { span: Span::start_of(file), why: why.to_owned() });
            } else {
                let source = parsed.files.get(file);
                let mut section = Section::default();
                for (line, text) in text.lines().enumerate() {
                    let (start, end) = source.line_range(line);
                    let span = Span { file, start: offset(start as usize), end };
                    let read = match dialect {
                        OwnersDialect::GitHub | OwnersDialect::Prow => OwnerRule::parse(text, span),
                        OwnersDialect::Gitea => OwnerRule::parse_expression(text, span, line),
                        OwnersDialect::GitLab => Ok(section.line(text, span, &mut owners.invalid)),
                    };
                    match read {
                        Ok(rule) => rule.into_iter().for_each(|rule| owners.add(rule, dialect)),
                        Err(why) => owners.invalid.push(InvalidLine { span, why }),
                    }
                }
            }
            return Ok(owners);
        }
        Ok(Self::none(dialect))
    }

    /// Adds a rule behind all others.
    pub(super) fn push(&mut self, rule: OwnerRule) {
        self.rules.push(rule);
    }

    /// Adds a line. On GitLab a pattern that a section has already gets new owners, and stays in its place.
    fn add(&mut self, rule: OwnerRule, dialect: OwnersDialect) {
        let is_same = |known: &&mut OwnerRule| {
            known.section == rule.section && known.pattern == rule.pattern && known.excludes == rule.excludes
        };
        match self.rules.iter_mut().find(is_same).filter(|_| dialect == OwnersDialect::GitLab) {
            Some(known) => *known = rule,
            None => self.rules.push(rule),
        }
    }

    /// The line that decides who owns a file; of several sections the one that asks for most.
    #[must_use]
    pub fn of(&self, path: &RepoPath) -> Option<&OwnerRule> {
        let mut best: Option<&OwnerRule> = None;
        for rule in self.all_of(path) {
            best = best.filter(|best| best.needed >= rule.needed).or(Some(rule));
        }
        best
    }

    /// The line of each section that decides who owns a file; GitHub has one section.
    #[must_use]
    pub fn all_of(&self, path: &RepoPath) -> Vec<&OwnerRule> {
        let mut seen: Vec<&str> = Vec::new();
        let mut found = Vec::new();
        let matching: Vec<&OwnerRule> = self.rules.iter().rev().filter(|rule| rule.matches(path)).collect();
        for rule in &matching {
            if seen.contains(&rule.section.as_str()) {
                continue;
            }
            seen.push(&rule.section);
            // What a section excludes it does not take back.
            let is_excluded = matching.iter().any(|other| other.excludes && other.section == rule.section);
            found.extend(Some(*rule).filter(|_| !is_excluded));
        }
        found
    }
}

/// GitLab's section, while its lines are read.
#[derive(Default)]
struct Section {
    name: String,
    owners: Vec<String>,
    needed: Option<usize>,
}

impl Section {
    fn line(&mut self, line: &str, span: Span, invalid: &mut Vec<InvalidLine>) -> Option<OwnerRule> {
        let line = line.trim();
        let header = line.strip_prefix('^').unwrap_or(line).strip_prefix('[').and_then(|rest| rest.split_once(']'));
        if let Some((name, rest)) = header {
            let (count, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                Some((count, rest)) => {
                    let number = count.trim().parse::<usize>().ok().filter(|count| *count > 0);
                    if number.is_none() {
                        let why = format!("`{count}` is not a number of approvals, so that one is enough");
                        invalid.push(InvalidLine { span, why });
                    }
                    (number.unwrap_or(1), rest)
                }
                None => (1, rest),
            };
            let needed = if line.starts_with('^') { 0 } else { std::cmp::max(count, 1) };
            *self = Self { name: name.trim().to_lowercase(), owners: words(rest), needed: Some(needed) };
            return None;
        }
        let excludes = line.starts_with('!');
        let mut words = words(line.strip_prefix('!').unwrap_or(line)).into_iter();
        let pattern = words.next()?;
        let (own, others): (Vec<String>, Vec<String>) = words.partition(|owner| owner.contains('@'));
        invalid.extend(others.first().map(|other| InvalidLine { span, why: not_an_owner(other) }));
        let owners = if own.is_empty() { self.owners.clone() } else { own };
        let is_anchored = pattern.starts_with('/');
        let mut segments: Vec<String> = pattern.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        if segments.is_empty() {
            return None;
        }
        if !is_anchored {
            segments.insert(0, "**".to_owned());
        }
        if pattern.ends_with('/') {
            segments.extend(["**".to_owned(), "*".to_owned()]);
        }
        let needed = self.needed.unwrap_or(1);
        let covers_below = segments.last().is_some_and(|last| last == "**");
        Some(OwnerRule {
            pattern,
            owners,
            span,
            needed,
            section: self.name.clone(),
            excludes,
            paths: Paths::Segments { segments, covers_below },
        })
    }
}

impl OwnerRule {
    /// All that is in a folder.
    pub(super) fn of_folder(folder: &RepoPath, owners: Vec<String>, span: Span) -> Self {
        let mut segments: Vec<String> = folder.segments().map(str::to_owned).collect();
        segments.extend(["**".to_owned(), "*".to_owned()]);
        let pattern = if folder.is_root() { "*".to_owned() } else { format!("/{folder}/") };
        let paths = Paths::Segments { segments, covers_below: true };
        Self { pattern, owners, span, needed: 1, section: String::new(), excludes: false, paths }
    }

    /// Reads a line by GitHub's rules; `None` where it says nothing. One with an error is passed over as a whole.
    fn parse(line: &str, span: Span) -> Result<Option<Self>, String> {
        let mut words = words(line).into_iter();
        let Some(pattern) = words.next() else { return Ok(None) };
        if pattern.starts_with('!') {
            return Err("GitHub has no exclusions with `!`; write a later line without owners".to_owned());
        }
        if pattern.starts_with("\\#") {
            return Err("a pattern cannot begin with `#`, not even behind `\\`".to_owned());
        }
        if pattern.contains("***") {
            return Err("`***` is not a pattern; `**` stands for any number of folders".to_owned());
        }
        let owners: Vec<String> = words.collect();
        let is_owner = |owner: &&String| owner.contains('@') && !owner.ends_with('@');
        if let Some(other) = owners.iter().find(|owner| !is_owner(owner)) {
            return Err(not_an_owner(other));
        }
        let trimmed = pattern.strip_suffix('/').unwrap_or(&pattern);
        let is_anchored = trimmed.contains('/');
        let mut segments: Vec<String> = trimmed.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        if segments.is_empty() {
            return Err("`/` matches nothing; write `*` for every file".to_owned());
        }
        if !is_anchored {
            segments.insert(0, "**".to_owned());
        }
        // A last segment `*` speaks of the files of one folder; anything else of all that lies below a match, too.
        let covers_below = pattern == "*" || segments.last().is_some_and(|last| last != "*") || pattern.ends_with('/');
        if pattern.ends_with('/') {
            segments.extend(["**".to_owned(), "*".to_owned()]);
        }
        let section = String::new();
        Ok(Some(Self {
            pattern,
            owners,
            span,
            needed: 1,
            section,
            excludes: false,
            paths: Paths::Segments { segments, covers_below },
        }))
    }

    /// Reads a line by Gitea's rules; each is a section of its own.
    fn parse_expression(line: &str, span: Span, number: usize) -> Result<Option<Self>, String> {
        let mut words = words(line).into_iter();
        let Some(pattern) = words.next() else { return Ok(None) };
        let (text, is_negated) = pattern.strip_prefix('!').map_or((&*pattern, false), |text| (text, true));
        let expression = RegexBuilder::new(&format!("^{text}$")).size_limit(LARGEST_PATTERN).build();
        let expression = expression.map_err(|_| format!("`{text}` is not a regular expression, as Gitea wants one"))?;
        let owners: Vec<String> = words.collect();
        if let Some(other) = owners.iter().find(|owner| !owner.contains('@')) {
            return Err(not_an_owner(other));
        }
        if owners.is_empty() {
            return Err("Gitea passes over a line that names nobody".to_owned());
        }
        let (section, paths) = (number.to_string(), Paths::Expression { expression, is_negated });
        Ok(Some(Self { pattern, owners, span, needed: 1, section, excludes: false, paths }))
    }

    fn matches(&self, path: &RepoPath) -> bool {
        match &self.paths {
            Paths::Segments { segments, covers_below } => {
                segments_match(segments, &path.segments().collect::<Vec<_>>(), *covers_below)
            }
            Paths::Expression { expression, is_negated } => expression.is_match(path.as_str()) != *is_negated,
        }
    }

    /// Whether the line speaks of everything.
    #[must_use]
    pub fn is_catch_all(&self) -> bool {
        matches!(self.pattern.as_str(), "*" | "**" | "/" | "/*" | "/**" | "**/*" | "/**/*" | ".*")
    }
}

fn not_an_owner(text: &str) -> String {
    format!("`{text}` is not an owner; write `@user`, `@org/team` or a mail address")
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
        let owners = Codeowners::read(&tree, &ParsedFiles::default(), OwnersDialect::GitHub).unwrap();
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
        let owners = Codeowners::read(&tree, &ParsedFiles::default(), OwnersDialect::GitHub).unwrap();
        assert_eq!(owners.of(&RepoPath::new("x").unwrap()).unwrap().owners, ["@root"]);
    }

    #[test]
    fn hostile_patterns_cost_little() {
        let pattern = format!("{}x @a\n", "**/a*a*a*b/".repeat(200));
        assert_eq!(owner(&pattern, &"aaaaaaaaaaaaaaaa/".repeat(200)), None);
    }

    #[test]
    fn sections_count_as_on_gitlab() {
        let text = "* @all\n[Docs][2] @docs\n/docs/\n*.md @md\n^[Optional]\n/docs/ @opt\n[Code] @dev\n/src/**\n!/src/gen/\n[docs]\nREADME @readme\n";
        let tree = MemoryTree::new([(".gitlab/CODEOWNERS", text)]);
        let owners = Codeowners::read(&tree, &ParsedFiles::default(), OwnersDialect::GitLab).unwrap();
        let rows = |path: &str| {
            let rules = owners.all_of(&RepoPath::new(path).unwrap());
            rules.iter().rev().map(|rule| (rule.owners.join(" "), rule.needed)).collect::<Vec<_>>()
        };
        let row = |owner: &str, needed| (owner.to_owned(), needed);
        assert_eq!(rows("docs/a"), [row("@all", 1), row("@docs", 2), row("@opt", 0)]);
        assert_eq!(rows("a/b.md"), [row("@all", 1), row("@md", 2)]);
        assert_eq!(rows("src/x/y"), [row("@all", 1), row("@dev", 1)]);
        assert_eq!(rows("src/gen/y"), [row("@all", 1)]);
        assert_eq!(rows("a/README"), [row("@all", 1), row("@readme", 1)]);
        assert_eq!(owners.of(&RepoPath::new("docs/a").unwrap()).unwrap().owners, ["@docs"]);
    }

    /// The examples of GitLab's documentation (`doc/user/project/codeowners`), as facts.
    #[test]
    fn documented_examples_of_gitlab_agree() {
        let text = "* @everybody\n*.rb @ruby\n\\#pound.rb @pound\nCODEOWNERS @multiple @code\t@tabbed\nLICENSE @legal what_is_this \
                    jane@example.com\nREADME @group @group/with-nested/subgroup\n/docs/ @all-docs\n/docs/* \
                    @root-docs\n/docs/**/*.md @markdown\nlib/ @lib\n/config/ @config\npath\\ with\\ spaces/ @space\n\
                    [Documentation]\nee/docs @docs\ndocs @docs\nREADME.md @docs\n[Database]\nREADME.md @database\nmodel/db \
                    @database\n[DOCUMENTATION]\nREADME.md @combined\n^[Optional] @optional\n*.go\n[Two][2] @two\n*.go\n*.tf @three\n\
                    [Excluding] @own\n*.js\n!/config/**/*.js\n/config/routes.js @again\n[Roles]\n/roles/ @@maintainers\n";
        let tree = MemoryTree::new([("CODEOWNERS", text)]);
        let owners = Codeowners::read(&tree, &ParsedFiles::default(), OwnersDialect::GitLab).unwrap();
        for (path, expected) in [
            ("any", "@everybody"),
            ("a/b.rb", "@ruby"),
            ("#pound.rb", "@pound"),
            ("x/CODEOWNERS", "@multiple @code @tabbed"),
            ("LICENSE", "@legal jane@example.com"),
            ("README", "@group @group/with-nested/subgroup"),
            ("docs/index.txt", "@root-docs"),
            ("docs/projects/index.txt", "@all-docs"),
            ("docs/projects/index.md", "@markdown"),
            ("x/lib/y/z", "@lib"),
            ("config/x", "@config"),
            ("x/config/y", "@everybody"),
            ("path with spaces/x", "@space"),
            // A path without a slash at its end is not what is below it; sections of one name are one, whatever their case.
            ("docs", "@everybody|@docs"),
            ("ee/docs", "@everybody|@docs"),
            ("README.md", "@everybody|@combined|@database"),
            ("model/db", "@everybody|@database"),
            ("a.go", "@everybody|@optional:0|@two:2"),
            ("a.tf", "@everybody|@three:2"),
            ("a.js", "@everybody|@own"),
            ("config/a/b.js", "@config"),
            // What is excluded stays so in its section.
            ("config/routes.js", "@config"),
            ("roles/x", "@everybody|@@maintainers"),
        ] {
            let rules = owners.all_of(&RepoPath::new(path).unwrap());
            let row = |rule: &&OwnerRule| {
                let needed = if rule.needed == 1 { String::new() } else { format!(":{}", rule.needed) };
                rule.owners.join(" ") + &needed
            };
            assert_eq!(rules.iter().rev().map(row).collect::<Vec<_>>().join("|"), expected, "{path}");
        }
    }

    #[test]
    fn expressions_count_as_on_gitea() {
        let text = ".*\\.md @docs\n!apps/.* @rest\napps/api/.* @api @example/team\n( @x\napps/.*\n";
        let tree = MemoryTree::new([(".gitea/CODEOWNERS", text)]);
        assert_eq!(OwnersDialect::of(&tree).unwrap(), OwnersDialect::Gitea);
        let owners = Codeowners::read(&tree, &ParsedFiles::default(), OwnersDialect::Gitea).unwrap();
        let rows = |path: &str| {
            let rules = owners.all_of(&RepoPath::new(path).unwrap());
            rules.iter().rev().map(|rule| rule.owners.join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(rows("README.md"), ["@docs", "@rest"]);
        assert_eq!(rows("apps/api/x"), ["@api @example/team"]);
        assert_eq!(rows("apps/api/x.md"), ["@docs", "@api @example/team"]);
        assert_eq!(owners.invalid.len(), 2);
    }

    #[test]
    fn exclusions_and_repeated_patterns_count_as_on_gitlab() {
        let text = "/a/ @x\n/a/b @y\n/a/ @z\n[S] @s\n!/gen/*\n/gen/\n";
        let tree = MemoryTree::new([("CODEOWNERS", text)]);
        let owners = Codeowners::read(&tree, &ParsedFiles::default(), OwnersDialect::GitLab).unwrap();
        let of = |path: &str| owners.of(&RepoPath::new(path).unwrap()).map(|rule| rule.owners.join(" "));
        assert_eq!(of("a/b").as_deref(), Some("@y"));
        assert_eq!(of("a/c").as_deref(), Some("@z"));
        assert_eq!(of("gen/x"), None);
        assert_eq!(of("gen/x/y").as_deref(), Some("@s"));
    }
}
