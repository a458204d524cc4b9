//! What a change touches, and who made it.

use super::review::{Account, ReviewFile};
use crate::config::glob_matches;
use crate::kustomize::ParsedFiles;
use crate::sources::{Commit, RepoPath, Repository, RepositoryError, Tree, TreeError};
use crate::span::Span;

/// What a change touches, and who had a hand in it.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The files that differ, in path order.
    pub files: Vec<RepoPath>,
    /// Bots that had a hand in it, and what each of them touched; all of it where that is `None`.
    pub bots: Vec<(String, Option<Vec<RepoPath>>)>,
    /// Names and mail addresses of everybody who wrote, committed or co-authored any of it.
    pub contributors: Vec<(String, String)>,
}

impl Change {
    /// Puts together what the commits and the forge say. `accounts` are names and mail addresses of further bots, as globs.
    ///
    /// # Errors
    /// When a commit cannot be read.
    pub fn new(
        files: Vec<RepoPath>,
        added: &[Commit],
        repository: &Repository,
        accounts: &[String],
        review: Option<&ReviewFile>,
    ) -> Result<Self, RepositoryError> {
        let mut change = Self { files, ..Self::default() };
        for commit in added {
            let known = review.map(|review| review.people_of(&commit.id.to_string())).unwrap_or_default();
            let author = (commit.author_name.clone(), commit.author_email.clone());
            let names = known.iter().flat_map(|account| account.names());
            let people: Vec<(String, String)> =
                std::iter::once(author).chain(commit.others.iter().cloned()).chain(names).collect();
            let mut bots: Vec<&String> = people
                .iter()
                .filter(|(name, email)| is_bot(name, email) || is_account(accounts, name, email))
                .map(|(name, _)| name)
                .collect();
            bots.extend(known.iter().filter(|account| account.is_bot()).map(|account| &account.login));
            let touched = match added {
                // Its files are those of the change.
                [_] if commit.parents < 2 => None,
                _ if bots.is_empty() && commit.parents < 2 => None,
                _ => Some(repository.own_changes(commit)?),
            };
            if touched.as_ref().is_some_and(Vec::is_empty) {
                continue;
            }
            for bot in bots {
                change.bots.push((bot.clone(), touched.clone()));
            }
            change.contributors.extend(people);
        }
        Ok(change)
    }

    /// Adds a bot that the forge names as the author of a pull request, of which `touched` is told as in [`Change::bots`].
    pub fn add_bot(&mut self, author: &Account, touched: Option<Vec<RepoPath>>) {
        self.bots.push((author.login.clone(), touched));
    }

    /// The bots that touched something that `reaches` accepts.
    #[must_use]
    pub fn bots_that(&self, reaches: impl Fn(&[RepoPath]) -> bool) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (name, touched) in &self.bots {
            if touched.as_ref().is_none_or(|touched| reaches(touched)) && !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }
}

/// Names, and the parts of mail addresses before the `@`, that automation uses by default.
const AUTOMATION: [&str; 21] = [
    "renovate",
    "renovate bot",
    "renovate-bot",
    "mend-renovate",
    "mend for github.com",
    "whitesource-renovate",
    "dependabot",
    "dependabot-preview",
    "dependabot-bot",
    "flux",
    "fluxbot",
    "fluxcdbot",
    "flux-image-automation",
    "weave flux",
    "argocd-image-updater",
    "argocd",
    "argo-cd",
    "kargo",
    "github-actions",
    "github actions",
    "gitlab-ci-token",
];

/// Mail domains that only automation uses.
const AUTOMATION_MAIL: [&str; 4] = ["whitesourcesoftware.com", "kargo.io", "kargo.akuity.io", "argoproj.io"];

/// Whether somebody is a bot: GitHub marks apps with `[bot]`, GitLab names its bots `project_…_bot` and `group_…_bot`, and
/// the usual automation has names of its own.
fn is_bot(name: &str, email: &str) -> bool {
    let (local, domain) = email.split_once('@').unwrap_or((email, ""));
    // GitHub's own addresses begin with a number: `123+login@users.noreply.github.com`.
    let local =
        local.split_once('+').filter(|(number, _)| number.parse::<u64>().is_ok()).map_or(local, |(_, login)| login);
    let gitlab = |text: &str| {
        let rest = text.strip_prefix("project_").or_else(|| text.strip_prefix("group_"));
        rest.is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()) && rest.contains("_bot"))
    };
    let is_named = |text: &str| {
        let text = text.to_lowercase();
        text.ends_with("[bot]") || gitlab(&text) || AUTOMATION.contains(&text.as_str())
    };
    is_named(name) || is_named(local) || AUTOMATION_MAIL.contains(&domain)
}

fn is_account(accounts: &[String], name: &str, email: &str) -> bool {
    accounts.iter().any(|pattern| glob_matches(pattern, name) || glob_matches(pattern, email))
}

/// Whether a login of the forge is one of the people: by GitHub's own mail address, the name, or what is before the `@`.
#[must_use]
pub fn is_one_of(login: &str, people: &[(String, String)]) -> bool {
    people.iter().any(|(name, email)| {
        let local = email.split('@').next().unwrap_or_default();
        let own = local.split_once('+').map_or(local, |(_, login)| login);
        [name.as_str(), own].iter().any(|text| text.eq_ignore_ascii_case(login))
    })
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
        assert!(is_bot("Renovate Bot", "renovate@whitesourcesoftware.com"));
        assert!(is_bot("x", "12+dependabot[bot]@users.noreply.github.com"));
        assert!(is_bot("Kargo", "no-reply@kargo.io"));
        assert!(!is_bot("Abbot", "abbot@example.com"));
        assert!(!is_bot("Renova Tedesco", "renova@example.com"));
    }

    #[test]
    fn logins_are_people_of_the_change() {
        let people = [("Ben K".to_owned(), "1+ben@users.noreply.github.com".to_owned())];
        assert!(is_one_of("Ben", &people) && !is_one_of("ana", &people));
    }
}
