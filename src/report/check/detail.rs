//! What the longer reports tell besides findings.

use chrono::{DateTime, Utc};

use crate::facts::ImageStay;
use crate::report::diff::Difference;

/// Rendered differences, and what ran where.
#[derive(Default)]
pub struct Detail {
    /// What the change does to each overlay that it reaches.
    pub differences: Vec<Difference>,
    /// What ran where, of the apps that the change affects.
    pub board: Vec<BoardRow>,
    /// The freezes of the next weeks.
    pub freezes: Vec<FreezeRow>,
}

/// An app in an environment.
pub struct BoardRow {
    /// The app.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// Its stays, oldest first.
    pub stays: Vec<ImageStay>,
}

/// A window of a freeze.
pub struct FreezeRow {
    /// The environment.
    pub environment: String,
    /// The freeze's name.
    pub name: String,
    /// When it begins.
    pub from: DateTime<Utc>,
    /// When it has ended.
    pub until: DateTime<Utc>,
}
