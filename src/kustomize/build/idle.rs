//! Entries of a kustomization that match nothing, although something of nearly the same name is there. kustomize passes over them.

use super::resource::Resource;
use crate::kustomize::error::nearest;
use crate::kustomize::file::kustomization::{Image, Patch};
use crate::kustomize::split_image;
use crate::kustomize::transform::selector::Pattern;
use crate::span::Span;
use crate::yaml::{Node, each_mapping};

/// An entry that matches nothing.
#[derive(Clone, Debug)]
pub struct Idle {
    /// `images` or `patches`.
    pub field: &'static str,
    /// Where the name is written.
    pub span: Span,
    /// The name that nothing has.
    pub name: String,
    /// The name that was probably meant.
    pub near: String,
}

impl Idle {
    /// The target of a patch before it is applied.
    pub(crate) fn patch(patch: &Patch, resources: &[Resource]) -> Option<Self> {
        let target = patch.target.as_ref()?;
        if resources.iter().any(|resource| target.selects(resource)) {
            return None;
        }
        let idle = |span: Option<Span>, name: &str, known: &[&str]| {
            let near = nearest(name, known).filter(|near| *near != name)?.to_owned();
            Some(Self { field: "patches", span: span.unwrap_or(patch.span), name: name.to_owned(), near })
        };
        let of_kind = resources.iter().filter(|resource| target.kind.matches(resource.kind()));
        let names: Vec<&str> =
            of_kind.flat_map(|resource| resource.previous_names().chain([resource.name()])).collect();
        match (&target.name, &target.kind) {
            (Pattern::Literal(name), _) if !names.is_empty() => idle(target.spans.name, name, &names),
            (name, Pattern::Literal(kind)) if names.is_empty() => {
                let has_name = |resource: &&Resource| {
                    name.matches(resource.name()) || resource.previous_names().any(|known| name.matches(known))
                };
                let kinds: Vec<&str> = resources.iter().filter(has_name).map(Resource::kind).collect();
                idle(target.spans.kind, kind, &kinds)
            }
            _ => None,
        }
    }

    /// An entry of `images` that has matched nothing.
    pub(crate) fn image(image: &Image, resources: &[Resource]) -> Option<Self> {
        let mut names = Vec::new();
        for resource in resources {
            each_mapping(&resource.node, &mut String::new(), &mut |mapping, _| {
                let name = mapping.get("image").and_then(Node::as_text).map(|text| split_image(text).name.to_owned());
                names.extend(name);
            });
        }
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let near = nearest(&image.name, &known).filter(|near| *near != image.name)?.to_owned();
        Some(Self { field: "images", span: image.span, name: image.name.clone(), near })
    }
}
