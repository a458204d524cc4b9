//! Entries of `images` that match nothing, although an image of nearly the same name is there.

use serde::Serialize;

use super::Context;
use super::handle::{Handle, Handles};
use crate::kustomize::{nearest, split_image};
use crate::model::Case;
use crate::yaml::Origin;

/// An entry that matches nothing.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unmatched {
    /// Where the name is written.
    pub at: Handle,
    /// The name.
    pub name: String,
    /// The name that was probably meant.
    pub near: String,
}

impl Unmatched {
    /// Those of the overlay's own kustomization.
    pub fn of(context: &Context<'_>, case: &Case<'_>, handles: &mut Handles) -> Vec<Self> {
        let Some(file) = case.scans.head.file.filter(|_| case.rendered.head.renders()) else { return Vec::new() };
        let kustomization = context.files.kustomization(file);
        let Ok(kustomization) = &*kustomization else { return Vec::new() };
        let used = &case.rendered.head.state.images;
        let chains: Vec<Vec<(&Origin, String)>> =
            used.iter().map(|used| chain(&used.origin, &used.image.reference)).collect();
        let names: Vec<&str> = chains.iter().flatten().map(|(_, name)| name.as_str()).collect();
        let mut found = Vec::new();
        for image in &kustomization.images {
            let writes = |(origin, _): &(&Origin, String)| {
                let span = origin.span;
                span.file == image.span.file && image.span.start <= span.start && span.end <= image.span.end
            };
            let matches = chains.iter().flatten().any(writes) || names.contains(&image.name.as_str());
            if let Some(near) = nearest(&image.name, &names).filter(|_| !matches) {
                let at = handles.place(image.span);
                found.push(Self { at, name: image.name.clone(), near: near.to_owned() });
            }
        }
        found
    }
}

/// Who wrote a reference, newest first, each with the image's name as it was then.
fn chain<'a>(origin: &'a Origin, reference: &str) -> Vec<(&'a Origin, String)> {
    let mut chain = vec![(origin, split_image(reference).name.to_owned())];
    let mut before = origin.before.as_deref();
    while let Some(node) = before {
        let name = node.as_text().map(|text| split_image(text).name.to_owned()).unwrap_or_default();
        chain.push((&node.origin, name));
        before = node.origin.before.as_deref();
    }
    chain
}
