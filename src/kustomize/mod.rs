//! Renders what `kustomize build` renders, and remembers for every value who wrote it.
//!
//! One module a transformation, in kustomize's order: [`generators`], [`patches`], [`namespace`], [`names`],
//! [`labels`], [`replicas`], [`images`]; at the root then [`hash`], [`nameref`] and [`order`]. What they know about
//! kinds and fields is data, in `kinds` and `specs`. A base is built once and shared by all that use it.

pub use build::{Options, Renderer, Rendering, Unrendered};
pub use bump::{Bump, Pinned};
pub use error::{RenderError, nearest};
pub use id::{Gvk, ResourceId};
pub use images::{Reference, split as split_image};
pub use kustomization::{FILE_NAMES, Kustomization, Order};
pub use loader::{Closure, LoadRestrictor, Parsed};
pub use scan::{Outline, Reach, Scanner, outline};

mod accumulator;
mod build;
mod build_metadata;
mod bump;
mod crds;
mod error;
mod field_path;
mod fields;
mod fieldspec;
mod generators;
mod go_regex;
mod hash;
mod id;
mod images;
mod jsonpatch;
mod kinds;
mod kustomization;
mod labels;
mod loader;
mod merge;
mod nameref;
mod names;
mod namespace;
mod objects;
mod order;
mod patches;
mod plugins;
mod replacements;
mod replicas;
mod resource;
mod scan;
mod schema;
mod selector;
mod specs;
mod transform;
mod transformer_config;
mod value_add;
mod vars;
