//! Tollgate, a policy gate for `GitOps` config repositories.
pub mod cli;
pub mod commands;
pub mod config;
pub mod facts;
pub mod finding;
pub mod gate;
pub mod kustomize;
pub mod model;
pub mod policy;
pub mod report;
pub mod sided;
#[expect(clippy::disallowed_methods, reason = "the one stage that touches the disk")]
pub mod sources;
pub mod span;
pub mod words;
pub mod yaml;
