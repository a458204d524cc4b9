//! Apps that the configuration names and nothing has: what it says of them has no effect.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Context;
use super::handle::{Handle, Handles};
use crate::kustomize::nearest;

/// An app of the configuration that has no overlay.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UnknownApp {
    /// Where it is named.
    pub at: Handle,
    /// The name.
    pub name: String,
    /// The app that was probably meant.
    pub near: Option<String>,
}

impl UnknownApp {
    /// Every app that the trusted configuration names, and that neither side has.
    pub fn of_change(context: &Context<'_>, handles: &mut Handles) -> Vec<Self> {
        let overlays = context.overlays.iter().flat_map(|side| &side.all);
        let known: BTreeSet<&str> = overlays.map(|overlay| overlay.app.as_str()).collect();
        let names: Vec<&str> = known.iter().copied().collect();
        let mut told = BTreeSet::new();
        let unknown = context.config.named_apps().filter(|(name, _)| !known.contains(name) && told.insert(*name));
        let unknown = unknown.map(|(name, span)| Self {
            at: handles.place(span),
            name: name.to_owned(),
            near: nearest(name, &names).map(str::to_owned),
        });
        unknown.collect()
    }
}
