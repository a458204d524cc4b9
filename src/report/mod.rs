//! What a run says, in one file a format. The same input gives the same bytes.

pub mod check;
pub mod diff;
pub mod drill;
pub(crate) mod escape;
pub mod freezes;
pub mod history;
pub mod images;
mod mask;
pub mod origins;
pub mod promotion;
pub mod status;
pub mod story;
