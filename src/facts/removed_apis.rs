//! Objects whose API version Kubernetes has removed.

use serde::Serialize;

use super::handle::{Handle, Handles, Target};
use crate::model::{RenderedOverlay, removed_apis};

/// An object of an API version that is gone.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RemovedApiInput {
    /// Who wrote the version.
    pub at: Handle,
    /// The version.
    pub api_version: String,
    /// The object's kind.
    pub kind: String,
    /// The object's name.
    pub name: String,
    /// The minor version of Kubernetes 1 without it.
    pub removed_in: u32,
    /// What takes its place; empty where nothing does.
    pub successor: &'static str,
}

impl RemovedApiInput {
    /// Those of one side.
    pub fn of(side: &RenderedOverlay, handles: &mut Handles) -> Vec<Self> {
        let objects = side.rendering.as_ref().map(|rendering| rendering.objects.as_slice()).unwrap_or_default();
        let removed = removed_apis(objects).into_iter().map(|removed| Self {
            at: handles.add(Target::of_value(removed.origin, &removed.object, "/apiVersion")),
            api_version: removed.object.api_version.clone(),
            kind: removed.object.kind.clone(),
            name: removed.object.name.clone(),
            removed_in: removed.removed_in,
            successor: removed.successor,
        });
        removed.collect()
    }
}
