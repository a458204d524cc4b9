//! What a config repository is about: overlays of apps in environments, and what their renderings run and need.

pub use case::{Case, RenderedOverlay};
pub use deployer::{Checkout, reaches_deployer};
pub use image::Image;
pub use overlay::{
    Candidates, Overlay, OverlayFilter, Overlays, Unjudged, discover, discover_among, environment_of_path, recognise,
};
pub use provider::{Namespace, Provided};
pub use reference::{Reference, ReferenceKind};
pub use removed_apis::{RemovedApi, removed_apis};
pub use repin::{Edit, at_origin, edited, in_images};
pub use state::{Container, Role, State, UsedImage, describe};
pub use variables::{Variables, variables};

mod case;
mod deployed;
mod deployer;
mod image;
mod overlay;
mod places;
mod provider;
mod reference;
mod removed_apis;
mod repin;
pub mod schema;
mod state;
mod variables;
