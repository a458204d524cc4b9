//! Which entries name something on another machine.

use crate::kustomize::error::RenderError;
use crate::span::Span;

/// Whether kustomize would read a file from the network (`api/internal/loader/fileloader.go`).
pub(crate) fn is_remote_file(path: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| without_prefix(path, scheme).is_some())
}

/// Whether kustomize would clone a repository for this entry, whatever folder has the same name here: the decision of
/// `NewRepoSpecFromURL` (`api/internal/git/repospec.go`).
pub(crate) fn is_repository(entry: &str) -> bool {
    Address::parse(entry).is_some()
}

/// The address of a folder in a repository.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Host and repository, without scheme, user and `.git`.
    pub(crate) repository: String,
    /// The folder in it; empty for its root.
    pub(crate) folder: String,
    /// The branch, tag or commit that is asked for.
    pub(crate) reference: Option<String>,
}

impl Address {
    /// Reads an entry; `None` where kustomize would not clone anything for it.
    pub(crate) fn parse(entry: &str) -> Option<Self> {
        if entry.starts_with('/') {
            return None;
        }
        let (address, query) = entry.split_once('?').unwrap_or((entry, ""));
        let (host, path) = without_host(address)?;
        let (length, folder) = if let Some((before, after)) = path.split_once("_git/") {
            let (repository, folder) = after.split_once('/').unwrap_or((after, ""));
            (before.len() + "_git/".len() + repository.len(), folder)
        } else if let Some((repository, folder)) = path.split_once("//") {
            (repository.len(), folder)
        } else if let Some((repository, folder)) = path.split_once(".git") {
            (repository.len() + ".git".len(), folder)
        } else if host.is_none() {
            (path.len(), "")
        } else {
            let mut slashes = path.match_indices('/').map(|(at, _)| at);
            slashes.next()?;
            slashes.next().map_or((path.len(), ""), |at| (at, &path[at + 1..]))
        };
        if length == 0 || leaves(folder) {
            return None;
        }
        let repository = path[..length].strip_suffix(".git").unwrap_or(&path[..length]);
        let host = host.map(|host| lowered(host.trim_end_matches(['/', ':']))).unwrap_or_default();
        let parameter = |name: &str| {
            query
                .split('&')
                .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
                .filter(|value| !value.is_empty())
        };
        let reference = parameter("ref").or_else(|| parameter("version")).map(str::to_owned);
        let repository = format!("{host}/{}", repository.trim_matches('/'));
        Some(Self { repository, folder: folder.trim_matches('/').to_owned(), reference })
    }
}

/// What a file from the web is, and its version: releases and raw contents of GitHub have it in their path.
pub(crate) fn file_identity(url: &str) -> (String, Option<String>) {
    let path = url.split_once("://").map_or(url, |(_, path)| path);
    let path = path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["github.com", owner, repository, "releases", "download", version, ref file @ ..]
        | ["raw.githubusercontent.com", owner, repository, "refs", _, version, ref file @ ..]
        | ["raw.githubusercontent.com", owner, repository, version, ref file @ ..] => {
            (format!("github.com/{owner}/{repository}/{}", file.join("/")), Some(version.to_owned()))
        }
        _ => (path.to_owned(), None),
    }
}

/// Whether the folder in a repository is above its root.
fn leaves(folder: &str) -> bool {
    let mut depth = 0usize;
    for segment in folder.split('/') {
        match segment {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

/// The host of an address, which is missing for this machine, and what is behind it; `None` where it has no host.
fn without_host(address: &str) -> Option<(Option<&str>, &str)> {
    let address = without_prefix(address, "git::").unwrap_or(address);
    let schemes = ["ssh://", "https://", "http://", "file://"];
    let (scheme, rest) = schemes
        .iter()
        .find_map(|scheme| without_prefix(address, scheme).map(|rest| (*scheme, rest)))
        .unwrap_or(("", address));
    if scheme == "file://" {
        return Some((None, rest));
    }
    let is_user = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '-')
    };
    let (user, rest) = rest.split_once('@').filter(|(user, _)| is_user(user)).unwrap_or(("", rest));
    let is_github = ["github.com/", "github.com:"].iter().any(|host| lowered(rest).starts_with(host));
    let is_scp = scheme.is_empty() && (!user.is_empty() || is_github);
    if scheme.is_empty() && !is_scp {
        return None;
    }
    let slash = rest.find('/');
    let colon = rest.find(':').filter(|colon| is_scp && slash.is_none_or(|slash| *colon > 0 && *colon < slash));
    let end = colon.or(slash);
    let (host, path) = end.map_or((rest, ""), |end| (&rest[..=end], &rest[end + 1..]));
    (!host.is_empty()).then_some((Some(host), path))
}

/// As Go's `strings.ToLower` has it, as far as the letters of a host go: two letters outside of ASCII become ASCII ones.
fn lowered(text: &str) -> String {
    let lower = |character: char| match character {
        '\u{130}' => 'i',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    text.chars().map(lower).collect()
}

fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// Says why something on another machine is refused.
pub(crate) fn refuse(path: &str, span: Span) -> RenderError {
    RenderError::at(span, format!("`{path}` is not in this repository"))
        .help("the network is never used: copy the base into this repository (vendor it), and list the copy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_repository_and_a_version() {
        let parsed = |entry: &str| Address::parse(entry).map(|it| (it.repository, it.reference.unwrap_or_default()));
        let row = |repository: &str, reference: &str| Some((repository.to_owned(), reference.to_owned()));
        for entry in [
            "https://github.com/org/repo//config/staging?ref=v1",
            "git@github.com:org/repo.git//config?ref=v1",
            "github.com/org/repo/config/production?ref=v1",
            "ssh://git@github.com/org/repo.git?version=v1",
        ] {
            assert_eq!(parsed(entry), row("github.com/org/repo", "v1"), "{entry}");
        }
        assert_eq!(parsed("https://git.example.com/a/b/c.git/x"), row("git.example.com/a/b/c", ""));
        let file = |url: &str| file_identity(url);
        assert_eq!(
            file("https://github.com/o/r/releases/download/v2/install.yaml"),
            ("github.com/o/r/install.yaml".to_owned(), Some("v2".to_owned()))
        );
        assert_eq!(
            file("https://raw.githubusercontent.com/o/r/v3/a/b.yaml"),
            ("github.com/o/r/a/b.yaml".to_owned(), Some("v3".to_owned()))
        );
    }

    #[test]
    fn entries_are_told_apart_as_kustomize_tells_them_apart() {
        for entry in [
            "github.com/org/repo",
            "GitHub.com/org/repo/deploy?ref=v1",
            "g\u{130}thub.com/org/repo",
            "github.com:org/repo",
            "git@example.com:org/repo",
            "https://example.com/org/repo//deploy",
            "ssh://git@example.com/org/repo.git",
            "git::https://example.com/org/repo",
            "file:///srv/repo",
            "HTTPS://example.com/a/b",
            "user@example.com/_git/repo/deploy",
        ] {
            assert!(is_repository(entry), "{entry}");
        }
        for entry in [
            "../../base",
            "base",
            "github.com",
            "github.com/org",
            "example.com/org/repo",
            "base?ref=v1",
            "a//b",
            "x.git/y",
            "/github.com/org/repo",
            "github.com/org/repo/../../..",
            "1a@example.com/org/repo",
        ] {
            assert!(!is_repository(entry), "{entry}");
        }
    }
}
