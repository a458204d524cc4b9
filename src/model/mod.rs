//! What a config repository is about: overlays of apps in environments, and what their renderings run and need.

pub use image::Image;
pub use overlay::{Only, Overlay, Overlays, Unjudged, discover};
pub use reference::{Provided, Reference};
pub use repin::{Edit, at_origin, edited, in_images};
pub use state::{Container, State, UsedImage};

mod image;
mod overlay;
mod reference;
mod repin;
mod state;
