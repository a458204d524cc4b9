//! Rules: their metadata, their input, and their evaluation. The only stage that names regorus.

pub use catalog::{Rule, catalog};
pub use conftest::Conftest;
pub use engine::{
    DeclaredRule, Engine, Evaluation, Module, PolicyError, Reached, RelatedPlace, RuleFinding, Tested, run_tests,
};
pub use gatekeeper::{Gatekeeper, PolicyObject, Review};
pub use input::{ChangeInput, EnvironmentInput, OverlayInput, Places, RuleInput, Soak};
pub use metadata::{Metadata, Rank, Scope};
pub use settings::{Settings, settings};
pub use team_finding::TeamFinding;

mod catalog;
mod conftest;
mod depth;
mod engine;
mod gatekeeper;
mod input;
mod metadata;
mod settings;
mod team_finding;
