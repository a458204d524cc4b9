//! Renders what `kustomize build` renders, and remembers for every value who wrote it.
//!
//! `file` says what a kustomization asks for, `build` puts it together, `transform` holds its steps in kustomize's order and
//! what they share, `finish` does what happens once at the root. What they know about kinds and fields is data, in `known`.
//! `scan` tells what a rendering would look for, without rendering. A base is built once and shared by all that use it.

pub use build::closure::Closure;
pub use build::id::{Gvk, ResourceId};
pub use build::idle::Idle;
pub use build::loader::LoadRestrictor;
pub use build::opaque::{Opaque, OpaqueKind, chart_identity};
pub use build::parsed::ParsedFiles;
pub use build::renderer::{Elsewhere, Options, Renderer, Rendering, Unrendered};
pub use build::values::{Values, ValuesUser};
pub use deployed::projects::{Application, Project, SyncWindow};
pub use deployed::{Changes, Controlled, Deployer, Need};
pub use error::{RenderError, nearest};
pub use file::kustomization::{FILE_NAMES, Kustomization, Order};
pub(crate) use known::kinds::is_cluster_scoped;
pub use known::secret::{change_values as change_secrets, each_value as secrets_in};
pub use scan::bump::{Bump, Pinned};
pub use scan::{FolderScan, Outline, Scanner, outline};
pub use transform::images::{Reference, split as split_image};

mod build;
mod deployed;
mod error;
mod file;
mod finish;
mod known;
mod limits;
mod scan;
#[cfg(test)]
mod testing;
mod transform;
