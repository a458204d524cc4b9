//! `images` (`api/filters/imagetag`, `api/internal/image`).

use regex::Regex;

use super::fieldspec::{FieldSpec, Visit, visit};
use super::go_regex;
use crate::kustomize::build::resource::Resource;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::Text;
use crate::kustomize::file::kustomization::Image;
use crate::span::Span;
use crate::yaml::{Node, Step};

/// An image reference in parts: `name[:tag][@digest]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    /// Registry and repository.
    pub name: &'a str,
    /// The tag; empty where there is none.
    pub tag: &'a str,
    /// The digest with its algorithm; empty where there is none.
    pub digest: &'a str,
}

/// Splits an image reference as kustomize does: a `:` before the first `/` belongs to the registry's port.
#[must_use]
pub fn split(reference: &str) -> Reference<'_> {
    let path = reference.find('/').filter(|slash| *slash > 0).unwrap_or(0);
    let find = |character| reference[path..].find(character).map(|at| at + path);
    match (find(':'), find('@')) {
        (None, None) => Reference { name: reference, tag: "", digest: "" },
        (Some(colon), Some(at)) if colon < at => {
            Reference { name: &reference[..colon], tag: &reference[colon + 1..at], digest: &reference[at + 1..] }
        }
        (_, Some(at)) => Reference { name: &reference[..at], tag: "", digest: &reference[at + 1..] },
        (Some(colon), None) => Reference { name: &reference[..colon], tag: &reference[colon + 1..], digest: "" },
    }
}

/// Which images an entry of `images` speaks of: its name is a regular expression, anchored at the tag.
enum Matcher {
    /// Only characters that stand for themselves, and `.` for any character.
    Dots(String),
    Regex(Regex),
}

impl Matcher {
    fn new(name: &str, span: Span) -> Result<Self, RenderError> {
        if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/.:@".contains(&byte)) {
            return Ok(Self::Dots(name.to_owned()));
        }
        let behind = "(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?$";
        go_regex::compile(name, ["^", behind], span).map(Self::Regex)
    }

    fn matches(&self, reference: &str) -> bool {
        let name = match self {
            Self::Regex(regex) => return regex.is_match(reference),
            Self::Dots(name) => name,
        };
        let mut rest = reference.chars();
        let same = |expected: char, found: char| expected == found || expected == '.' && found != '\n';
        if !name.chars().all(|expected| rest.next().is_some_and(|found| same(expected, found))) {
            return false;
        }
        let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.{}-".contains(&byte));
        let rest = rest.as_str();
        let (tag, digest) = match rest.find("@sha256:") {
            Some(at) => (&rest[..at], &rest[at + "@sha256:".len()..]),
            None => (rest, ""),
        };
        is_word(digest) && (tag.is_empty() || tag.strip_prefix(':').is_some_and(is_word))
    }
}

/// Rewrites every image that an entry names, in any `containers` and `initContainers` list and where the specs say; says
/// whether there was any.
///
/// # Errors
/// When an image is not a scalar, or the name no regular expression.
pub(crate) fn set(resources: &mut [Resource], image: &Image, specs: &[FieldSpec]) -> Result<bool, RenderError> {
    let mut has_matched = false;
    let matcher = Matcher::new(&image.name, image.span)?;
    for resource in resources.iter_mut().filter(|resource| !resource.is_deleted()) {
        if resource.kind() == "CustomResourceDefinition" {
            continue;
        }
        let mut change = |node: &mut Node| {
            has_matched |= rewrite(node, image, &matcher)?;
            Ok(())
        };
        if holds_containers(&resource.node) {
            in_containers(&mut resource.node, &mut change)?;
        }
        let gvk = resource.gvk();
        for spec in specs.iter().filter(|spec| spec.selects(&gvk)) {
            let how = Visit { create: None, span: image.span, step: Step::Image };
            visit(&mut resource.node, &spec.path, how, &mut change)?;
        }
    }
    Ok(has_matched)
}

const CONTAINER_LISTS: [&str; 2] = ["containers", "initContainers"];

/// Looks before anything is unshared.
fn holds_containers(node: &Node) -> bool {
    node.as_sequence().is_some_and(|items| items.iter().any(holds_containers))
        || node.as_mapping().is_some_and(|mapping| {
            mapping.iter().any(|(key, node)| CONTAINER_LISTS.contains(&&*key.text) || holds_containers(node))
        })
}

fn in_containers(
    node: &mut Node,
    change: &mut dyn FnMut(&mut Node) -> Result<(), RenderError>,
) -> Result<(), RenderError> {
    if !holds_containers(node) {
        return Ok(());
    }
    if let Some(items) = node.as_sequence_mut() {
        return items.iter_mut().try_for_each(|item| in_containers(item, change));
    }
    for (key, node) in node.as_mapping_mut().into_iter().flat_map(crate::yaml::Mapping::iter_mut) {
        in_containers(node, change)?;
        if CONTAINER_LISTS.contains(&&*key.text) {
            for container in node.as_sequence_mut().into_iter().flatten() {
                if let Some(image) = container.as_mapping_mut().and_then(|container| container.get_mut("image")) {
                    change(image)?;
                }
            }
        }
    }
    Ok(())
}

/// Says whether the entry means this image.
fn rewrite(node: &mut Node, image: &Image, matcher: &Matcher) -> Result<bool, RenderError> {
    if node.is_null() {
        return Ok(false);
    }
    let Some(scalar) = node.as_scalar() else {
        return Err(RenderError::at(node.origin.span, format!("expected an image, but this is {}", node.shape())));
    };
    if !matcher.matches(&scalar.text) {
        return Ok(false);
    }
    let old = split(&scalar.text);
    let name = image.new_name.as_ref().map_or(old.name, |name| &name.value);
    let set = |value: &Option<Text>| value.as_ref().map_or("", |text| text.value.as_str()).to_owned();
    let (tag, digest) = match (&image.new_tag, &image.digest, &image.tag_suffix) {
        (None, None, None) => (old.tag.to_owned(), old.digest.to_owned()),
        (None, None, Some(suffix)) => (format!("{}{}", old.tag, suffix.value), String::new()),
        (tag, digest, _) => (set(tag), set(digest)),
    };
    let mut text = name.to_owned();
    if !tag.is_empty() {
        text.push(':');
        text.push_str(&tag);
    }
    if !digest.is_empty() {
        text.push('@');
        text.push_str(&digest);
    }
    // What decides which content runs comes first: the digest, then the tag, then the name.
    let decisive = [&image.digest, &image.new_tag, &image.tag_suffix, &image.new_name];
    let span = decisive.into_iter().flatten().next().map_or(image.span, |text| text.span);
    if let Some(new_name) = image.new_name.as_ref().filter(|new_name| new_name.span != span) {
        let renamed = format!("{name}{}", &scalar.text[old.name.len()..]);
        let renamed = scalar.rewritten(&renamed);
        node.replace_scalar(renamed, new_name.span, Step::Image);
    }
    let Some(scalar) = node.as_scalar() else { return Ok(true) };
    if *text != *scalar.text || decisive.iter().any(|text| text.is_some()) {
        let scalar = scalar.rewritten(&text);
        node.replace_scalar(scalar, span, Step::Image);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{ContentId, RepoPath};
    use crate::span::Files;

    #[test]
    fn references_split_at_tag_and_digest() {
        for (text, name, tag, digest) in [
            ("nginx", "nginx", "", ""),
            ("nginx:1.2", "nginx", "1.2", ""),
            ("foo.com:443/nginx", "foo.com:443/nginx", "", ""),
            ("foo.com:443/nginx:1@sha256:ab", "foo.com:443/nginx", "1", "sha256:ab"),
            ("nginx@sha256:ab", "nginx", "", "sha256:ab"),
        ] {
            assert_eq!(split(text), Reference { name, tag, digest });
        }
    }

    #[test]
    fn names_are_patterns_up_to_the_tag() {
        let path = RepoPath::new("kustomization.yaml").unwrap();
        let span = Span::start_of(Files::default().add(&path, ContentId::of(b""), ""));
        for (name, reference, expected) in [
            ("nginx", "nginx:1.2", true),
            ("nginx", "nginx:1.2@sha256:ab", true),
            ("nginx", "nginx-extra:1", false),
            ("nginx", "docker.io/nginx:1", false),
            ("ghcr.io/a", "ghcrxio/a", true),
            ("(.*)/a", "ghcr.io/a:1", true),
            ("nginx", "nginx@sha512:ab", false),
        ] {
            assert_eq!(Matcher::new(name, span).unwrap().matches(reference), expected, "{name} {reference}");
        }
        assert!(Matcher::new("[", span).is_err());
    }
}
