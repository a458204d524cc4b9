//! What a kustomization says: its file, read strictly into structures that keep the place of every value.

pub(crate) mod fields;
pub(crate) mod kustomization;
