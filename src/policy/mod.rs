//! Rules: their metadata, their input, and their evaluation. The only stage that names regorus.

pub use catalog::{Rule, catalog};
pub use engine::{Engine, Evaluation, PolicyError, RelatedPlace, RuleFinding};
pub use input::{ChangeInput, EnvironmentInput, OverlayInput, Places, RuleInput, Soak};
pub use metadata::{Metadata, Rank, Scope};
pub use settings::{Settings, settings};

mod catalog;
mod engine;
mod input;
mod metadata;
mod settings;
