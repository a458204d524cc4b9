//! Rules: their metadata, their input, and their evaluation. The only stage that names regorus.

pub use catalog::{Rule, catalog};
pub use cluster::ClusterPolicies;
pub use conftest::Conftest;
pub use depth::with_room;
pub use engine::{
    DeclaredRule, Engine, Evaluation, Module, PolicyError, Reached, RelatedPlace, RuleFinding, Tested, run_tests,
};
pub use input::{ChangeInput, EnvironmentInput, OverlayInput, Places, RuleInput, Soak};
pub use metadata::{Metadata, Rank, Scope};
pub use review::{PolicyObject, Review};
pub use rule_set::{RuleSet, is_own_style};
pub use settings::{Settings, settings};
pub use suites::{Suite, run_suite};
pub use team_finding::{TeamFinding, TeamRule, is_team_rule};

mod admission;
mod amount;
mod catalog;
mod cel;
mod checks;
mod cluster;
mod conftest;
mod deadline;
mod depth;
mod engine;
mod gatekeeper;
mod input;
mod jmespath;
mod kyverno;
mod metadata;
mod resource_rules;
mod review;
mod rule_set;
mod settings;
mod suites;
mod team_finding;
