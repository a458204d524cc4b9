//! Entries of kustomizations that match nothing, although something of nearly the same name is there.

use serde::Serialize;

use super::handle::{Handle, Handles};
use crate::kustomize::Idle;
use crate::model::RenderedOverlay;

/// An entry that matches nothing.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unmatched {
    /// Where the name is written.
    pub at: Handle,
    /// `images`, or `patches` for the target of a patch.
    pub field: &'static str,
    /// The name.
    pub name: String,
    /// The name that was probably meant.
    pub near: String,
}

impl Unmatched {
    /// Those of one side: of the overlay's own kustomization, its components and its bases.
    pub fn of(side: &RenderedOverlay, handles: &mut Handles) -> Vec<Self> {
        let idle = side.rendering.as_ref().filter(|_| side.renders()).map(|rendering| rendering.idle.as_slice());
        let entry = |idle: &Idle| Self {
            at: handles.place(idle.span),
            field: idle.field,
            name: idle.name.clone(),
            near: idle.near.clone(),
        };
        idle.unwrap_or_default().iter().map(entry).collect()
    }
}
