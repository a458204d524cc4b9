use std::borrow::Cow;

/// Registries, or parts of them, that hold copies of others.
#[derive(Clone, Debug, Default)]
pub struct Mirrors {
    /// A mirror and what it copies, both written out; longest first, so that the closest one counts.
    prefixes: Vec<(String, String)>,
}

impl Mirrors {
    pub(super) fn new(mut prefixes: Vec<(String, String)>) -> Self {
        prefixes.sort_by_key(|(mirror, _)| std::cmp::Reverse(mirror.len()));
        Self { prefixes }
    }

    /// The repository that a repository is a copy of; itself where it is none. Whole segments of the name are compared.
    #[must_use]
    pub fn original<'a>(&self, repository: &'a str) -> Cow<'a, str> {
        for (mirror, original) in &self.prefixes {
            match repository.strip_prefix(mirror.as_str()) {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => return format!("{original}{rest}").into(),
                _ => {}
            }
        }
        repository.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_mirror_counts() {
        let mirrors = [("r.internal", "docker.io"), ("r.internal/ghcr", "ghcr.io")];
        let mirrors = Mirrors::new(mirrors.map(|(mirror, original)| (mirror.to_owned(), original.to_owned())).into());
        for (repository, original) in [
            ("r.internal/library/nginx", "docker.io/library/nginx"),
            ("r.internal/ghcr/a/b", "ghcr.io/a/b"),
            ("r.internal/ghcr", "ghcr.io"),
            ("r.internal2/a", "r.internal2/a"),
            ("ghcr.io/a/b", "ghcr.io/a/b"),
        ] {
            assert_eq!(mirrors.original(repository), original);
        }
    }
}
