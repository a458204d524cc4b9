//! What most commits of a config repository do: other tags and digests in `images`, and nothing else. What becomes of
//! an overlay's images is then known without rendering it.

use std::collections::HashMap;

use crate::kustomize::build::parsed::ParsedFiles;
use crate::kustomize::file::fields::Text;
use crate::kustomize::file::kustomization::{Image, Kustomization};
use crate::span::{FileId, Span};

/// New tags and digests, by where the old ones are written.
pub struct Bump {
    decisive: HashMap<Span, Pinned>,
}

/// What one entry of `images` pins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// Where what decides is written.
    pub span: Span,
    /// The tag; empty where there is none.
    pub tag: String,
    /// The digest; empty where there is none.
    pub digest: String,
}

impl Bump {
    /// The step between two versions of a kustomization file; `None` where anything but the values of `newTag` and `digest`
    /// differs, or where something may still happen to images behind `images`.
    #[must_use]
    pub fn between(parsed: &ParsedFiles, old: FileId, new: FileId) -> Option<Self> {
        let (before, after) = (parsed.kustomization(old), parsed.kustomization(new));
        let (before, after) = ((*before).as_ref().ok()?, (*after).as_ref().ok()?);
        let is_plain = |read: &Kustomization| {
            read.transformers.is_empty()
                && read.validators.is_empty()
                && read.replacements.is_empty()
                && read.vars.is_empty()
                && read.images.iter().all(|image| image.tag_suffix.is_none())
        };
        let is_same_but_for_values = before.images.len() == after.images.len()
            && before.images.iter().zip(&after.images).all(|(old, new)| {
                old.new_tag.is_some() == new.new_tag.is_some() && old.digest.is_some() == new.digest.is_some()
            })
            && without_values(parsed, old, before) == without_values(parsed, new, after);
        if !is_plain(before) || !is_same_but_for_values {
            return None;
        }
        let text = |value: &Option<Text>| value.as_ref().map_or("", |text| text.value.as_str()).to_owned();
        let pairs = before.images.iter().zip(&after.images).filter_map(|(old, new)| {
            let pinned = Pinned { span: decisive(new)?, tag: text(&new.new_tag), digest: text(&new.digest) };
            Some((decisive(old)?, pinned))
        });
        Some(Self { decisive: pairs.collect() })
    }

    /// What is pinned now by an entry that was written at a place.
    #[must_use]
    pub fn at(&self, span: Span) -> Option<&Pinned> {
        self.decisive.get(&span)
    }
}

fn values(image: &Image) -> impl Iterator<Item = &Text> {
    [&image.digest, &image.new_tag].into_iter().flatten()
}

/// Where what decides about the content is written: the digest, else the tag.
fn decisive(image: &Image) -> Option<Span> {
    values(image).next().map(|text| text.span)
}

/// The parts of a file's text between the values of `newTag` and `digest`.
fn without_values(parsed: &ParsedFiles, file: FileId, kustomization: &Kustomization) -> Vec<String> {
    let mut spans: Vec<Span> = kustomization.images.iter().flat_map(values).map(|text| text.span).collect();
    spans.sort();
    spans.dedup();
    let text = &parsed.files.get(file).text;
    let mut parts = Vec::new();
    let mut from = 0;
    for span in spans {
        parts.push(text.get(from..span.start as usize).unwrap_or_default().to_owned());
        from = span.end as usize;
    }
    parts.push(text.get(from..).unwrap_or_default().to_owned());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{ContentId, RepoPath};

    fn between(old: &str, new: &str) -> Option<Vec<(String, String)>> {
        let parsed = ParsedFiles::default();
        let path = RepoPath::new("kustomization.yaml").unwrap();
        let [old, new] = [old, new].map(|text| parsed.files.add(&path, ContentId::of(text.as_bytes()), text));
        let bump = Bump::between(&parsed, old, new)?;
        let mut pinned: Vec<_> = bump.decisive.values().map(|it| (it.tag.clone(), it.digest.clone())).collect();
        pinned.sort();
        Some(pinned)
    }

    #[test]
    fn only_other_tags_and_digests_are_a_bump() {
        let old = "resources: [a.yaml] # all\nimages:\n- {name: a, newTag: v1}\n- name: b\n  newTag: v1\n  digest: sha256:aa # why\n";
        let new = old.replace("v1}", "\"v2\"}").replace("sha256:aa", "sha256:bb");
        let pinned = |tag: &str, digest: &str| (tag.to_owned(), digest.to_owned());
        assert_eq!(between(old, &new).unwrap(), [pinned("v1", "sha256:bb"), pinned("v2", "")]);
        for other in [
            new.replace("a.yaml", "b.yaml"),
            new.replace("# why", "# whatever"),
            new.replace("name: b", "name: c"),
            new.replace("  newTag: v1\n", ""),
            new.replace("digest: sha256:bb", "digest:"),
            format!("{new}- {{name: c, newTag: v1}}\n"),
            format!("{new}a: ["),
        ] {
            assert!(between(old, &other).is_none(), "{other}");
        }
        let with = |more: &str| (format!("{old}{more}"), format!("{new}{more}"));
        for more in [
            "replacements: [{path: r.yaml}]\n",
            "transformers: [t.yaml]\n",
            "vars: [{name: A, objref: {kind: B, name: c}}]\n",
        ] {
            let (old, new) = with(more);
            assert!(between(&old, &new).is_none(), "{more}");
        }
        let (old, new) = with("namePrefix: x-\n");
        assert!(between(&old, &new).is_some());
    }
}
