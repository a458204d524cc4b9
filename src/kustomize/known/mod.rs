//! What kustomize knows about kinds and fields, as data.

pub(crate) mod kinds;
pub(crate) mod order;
pub(crate) mod schema;
pub(crate) mod secret;
pub(crate) mod specs;
