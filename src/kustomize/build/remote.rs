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
    if entry.starts_with('/') {
        return false;
    }
    let address = entry.split('?').next().unwrap_or_default();
    let Some((host_is_file, path)) = without_host(address) else { return false };
    let parts = if let Some((before, after)) = path.split_once("_git/") {
        let (repository, folder) = after.split_once('/').unwrap_or((after, ""));
        Some((before.len() + "_git/".len() + repository.len(), folder))
    } else if let Some((repository, folder)) = path.split_once("//") {
        Some((repository.len(), folder))
    } else if let Some((repository, folder)) = path.split_once(".git") {
        Some((repository.len() + ".git".len(), folder))
    } else if host_is_file {
        Some((path.len(), ""))
    } else {
        let mut slashes = path.match_indices('/').map(|(at, _)| at);
        let first = slashes.next();
        let second = slashes.next();
        first.map(|_| second.map_or((path.len(), ""), |at| (at, &path[at + 1..])))
    };
    parts.is_some_and(|(length, folder)| length > 0 && !leaves(folder))
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

/// The part of an address after its host, and whether the host is this machine; `None` where there is no host.
fn without_host(address: &str) -> Option<(bool, &str)> {
    let address = without_prefix(address, "git::").unwrap_or(address);
    let schemes = ["ssh://", "https://", "http://", "file://"];
    let (scheme, rest) = schemes
        .iter()
        .find_map(|scheme| without_prefix(address, scheme).map(|rest| (*scheme, rest)))
        .unwrap_or(("", address));
    if scheme == "file://" {
        return Some((true, rest));
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
    (!host.is_empty()).then_some((false, path))
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
