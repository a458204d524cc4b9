//! Tollgate, a policy gate for GitOps config repositories.
pub mod sources;
pub mod span;
pub mod yaml;
