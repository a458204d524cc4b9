//! Puts a kustomization together: finds and loads what it lists, generates objects, and hands them to the transformers.

pub(crate) mod accumulator;
pub(crate) mod assembly;
pub(crate) mod closure;
pub(crate) mod crds;
pub(crate) mod deployed;
pub(crate) mod generators;
pub(crate) mod id;
pub(crate) mod idle;
pub(crate) mod kept;
pub(crate) mod loader;
pub(crate) mod objects;
pub(crate) mod opaque;
pub(crate) mod parsed;
pub(crate) mod plugins;
pub(crate) mod remote;
pub(crate) mod renderer;
pub(crate) mod resource;
pub(crate) mod store;
pub(crate) mod supplied;
pub(crate) mod transformer_config;
pub(crate) mod values;
