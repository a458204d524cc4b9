use crate::config::Mirrors;
use crate::kustomize::split_image;

/// An image reference in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// As rendered.
    pub reference: String,
    /// Registry and repository; Docker Hub's short names are written out.
    pub repository: String,
    /// The tag, where there is one.
    pub tag: Option<String>,
    /// The digest, where a valid one is pinned.
    pub digest: Option<String>,
}

impl Image {
    /// Reads a reference.
    #[must_use]
    pub fn parse(reference: &str) -> Self {
        let parts = split_image(reference);
        let tag = Some(parts.tag).filter(|tag| !tag.is_empty()).map(str::to_owned);
        let digest = Some(parts.digest).filter(|digest| is_digest(digest)).map(str::to_owned);
        Self { reference: reference.to_owned(), repository: full_name(parts.name), tag, digest }
    }

    /// The repository that its own is a copy of, written out; its own where it is none.
    #[must_use]
    pub fn original(&self, mirrors: &Mirrors) -> String {
        full_name(&mirrors.original(&self.repository))
    }

    /// What decides which content runs: the digest, else repository and tag (`latest` where none is written). A mirror's
    /// repository counts as the one that it copies.
    #[must_use]
    pub fn content(&self, mirrors: &Mirrors) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.clone(),
            (None, tag) => format!("{}:{}", self.original(mirrors), tag.as_deref().unwrap_or("latest")),
        }
    }
}

/// Whether a text is a complete digest of a registered algorithm.
fn is_digest(text: &str) -> bool {
    let hex = |digits: &str, length| {
        digits.len() == length && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    match text.split_once(':') {
        Some(("sha256", digits)) => hex(digits, 64),
        Some(("sha512", digits)) => hex(digits, 128),
        _ => false,
    }
}

/// Writes out the names that Docker shortens: `nginx` and `docker.io/nginx` are `docker.io/library/nginx`.
fn full_name(name: &str) -> String {
    let is_host = |first: &str| first.contains(['.', ':']) || first == "localhost";
    match name.split_once('/') {
        Some(("docker.io" | "index.docker.io", rest)) if !rest.contains('/') => format!("docker.io/library/{rest}"),
        Some(("index.docker.io", rest)) => format!("docker.io/{rest}"),
        Some((first, _)) if is_host(first) => name.to_owned(),
        Some(_) => format!("docker.io/{name}"),
        None => format!("docker.io/library/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_digests_pin() {
        let hex = "ab".repeat(32);
        assert!(Image::parse(&format!("a/b:1@sha256:{hex}")).digest.is_some());
        assert!(Image::parse(&format!("a/b@sha512:{hex}{hex}")).digest.is_some());
        for wrong in [
            "sha256:ab".to_owned(),
            format!("sha256:{}", "AB".repeat(32)),
            format!("md5:{hex}"),
            format!("sha256:{hex}0"),
        ] {
            assert_eq!(Image::parse(&format!("a/b@{wrong}")).digest, None, "{wrong}");
        }
    }

    #[test]
    fn short_names_are_written_out() {
        assert_eq!(Image::parse("nginx").content(&Mirrors::default()), "docker.io/library/nginx:latest");
        assert_eq!(Image::parse("bitnami/redis:7").repository, "docker.io/bitnami/redis");
        assert_eq!(Image::parse("localhost:5000/a:1").repository, "localhost:5000/a");
        assert_eq!(Image::parse("docker.io/nginx:1").repository, "docker.io/library/nginx");
        assert_eq!(Image::parse("index.docker.io/a/b:1").repository, "docker.io/a/b");
    }
}
