//! What the Kubernetes API accepts: its own kinds in several minor versions, and those that `CustomResourceDefinition`s define.
//!
//! An object is read as the API server reads it with strict field validation, which is what `kubectl apply` asks for and what
//! server-side apply does: unknown fields and wrong types are refused; null is as good as absent; a number may be written
//! `80.0`. Required fields and enumerations are held only where the server's own validation refuses an object for them.

use std::sync::Arc;

pub use custom::CustomKind;
pub use walk::{Fault, FaultKind};

use kubernetes::Kubernetes;
use types::Type;
use walk::Walk;

use super::removed_apis::removed_apis;
use super::state::describe;
use crate::yaml::{Node, Origin};

mod custom;
mod kubernetes;
mod quantity;
mod types;
mod walk;

/// The newest minor version whose kinds are known.
#[must_use]
pub fn newest_version() -> &'static str {
    Kubernetes::get().versions.last().map_or("", String::as_str)
}

/// The minor versions whose kinds are known, oldest first.
#[must_use]
pub fn known_versions() -> &'static [String] {
    &Kubernetes::get().versions
}

/// What an object is held against.
#[derive(Clone, Copy)]
pub struct Schemas<'a> {
    /// Minor versions of Kubernetes, by position, the one that is told of first; an object that one of them accepts is accepted.
    versions: &'a [usize],
    /// What is defined in the repository.
    custom: &'a dyn Fn(&str, &str) -> Vec<Arc<CustomKind>>,
}

/// What became of an object.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The API would refuse it, or accept it where there is no fault.
    Held {
        /// What it was held against, such as `Kubernetes 1.37`.
        against: String,
        /// What is wrong.
        faults: Vec<Fault>,
    },
    /// Nobody here knows its kind.
    Unknown,
}

/// The positions of the versions that count: the one that is configured, or all of them, the newest first. `None` where the
/// configured one is not known.
#[must_use]
pub fn versions(configured: Option<&str>) -> Option<Vec<usize>> {
    let all = &Kubernetes::get().versions;
    match configured {
        None => Some((0..all.len()).rev().collect()),
        Some(version) => all.iter().position(|known| known == version).map(|at| vec![at]),
    }
}

impl<'a> Schemas<'a> {
    /// Versions as [`versions`] tells them, and the kinds that are defined in the repository, by API version and kind.
    pub fn new(versions: &'a [usize], custom: &'a dyn Fn(&str, &str) -> Vec<Arc<CustomKind>>) -> Self {
        Self { versions, custom }
    }

    /// Holds an object against what is known of its kind.
    #[must_use]
    pub fn judge(&self, node: &Node) -> Verdict {
        let object = describe(node);
        let all = Kubernetes::get();
        let (api_version, kind) = (object.api_version.as_str(), object.kind.as_str());
        if !all.has_api_version(api_version) {
            return self.judge_custom(node, api_version, kind);
        }
        let name = |at: usize| format!("Kubernetes {}", all.versions[at]);
        let mut first = None;
        for at in self.versions {
            let Some(definition) = all.kind(api_version, kind, *at) else { continue };
            let faults = Walk::new(node, *at).object(node, &Type::Named(definition));
            if faults.is_empty() {
                return Verdict::Held { against: name(*at), faults };
            }
            first.get_or_insert(Verdict::Held { against: name(*at), faults });
        }
        first.unwrap_or_else(|| {
            let against = self.versions.first().map_or_else(String::new, |at| name(*at));
            let faults = if removed_apis(std::slice::from_ref(node)).is_empty() {
                unknown_kind(node, kind).into_iter().collect()
            } else {
                Vec::new()
            };
            Verdict::Held { against, faults }
        })
    }

    /// Where several definitions are of one kind, such as one for each cluster, one that accepts is enough.
    fn judge_custom(&self, node: &Node, api_version: &str, kind: &str) -> Verdict {
        let version = Kubernetes::get().versions.len().saturating_sub(1);
        let mut first = None;
        for custom in (self.custom)(api_version, kind) {
            let faults = Walk::new(node, version).object(node, &custom.of);
            let against = format!("the CustomResourceDefinition `{}`", custom.definition);
            if faults.is_empty() {
                return Verdict::Held { against, faults };
            }
            first.get_or_insert(Verdict::Held { against, faults });
        }
        first.unwrap_or(Verdict::Unknown)
    }
}

/// A kind that an API version of Kubernetes does not have.
fn unknown_kind(node: &Node, kind: &str) -> Option<Fault> {
    let at: &Origin = node.get("apiVersion").map(|node| &node.origin)?;
    let homes = Kubernetes::get().homes(kind);
    Some(Fault {
        origin: at.clone(),
        pointer: "/apiVersion".to_owned(),
        field: "apiVersion".to_owned(),
        kind: FaultKind::Kind { homes: homes.into_iter().map(str::to_owned).collect() },
    })
}
