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
use walk::{MOST_FAULTS, Walk};

use super::removed_apis::removed_apis;
use super::state::describe;
use crate::kustomize::nearest;
use crate::yaml::{Node, Origin};

mod custom;
mod kubernetes;
mod patterns;
mod quantity;
mod types;
mod walk;

/// What an object is held against.
#[derive(Clone, Copy)]
pub struct Schemas<'a> {
    /// An object that one of them accepts is accepted.
    versions: &'a Versions,
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

/// Which versions of Kubernetes count.
#[derive(Clone, Debug)]
pub struct Versions {
    /// Their positions, the one that is told of first.
    positions: Vec<usize>,
    /// The version that is asked in the place of the configured one, where that is not known.
    pub instead: Option<&'static str>,
}

impl Versions {
    /// The one that is configured, or all of them. In the place of one that is not known stands the nearest one.
    #[must_use]
    pub fn of(configured: Option<&str>) -> Self {
        let all = &Kubernetes::get().versions;
        let Some(configured) = configured else {
            return Self { positions: (0..all.len()).rev().collect(), instead: None };
        };
        if let Some(at) = all.iter().position(|known| known == configured) {
            return Self { positions: vec![at], instead: None };
        }
        let minor = |version: &str| version.split_once('.').and_then(|(_, minor)| minor.parse::<u64>().ok());
        let is_older = all.first().is_some_and(|oldest| minor(configured) < minor(oldest));
        let at = if is_older { 0 } else { all.len().saturating_sub(1) };
        Self { positions: vec![at], instead: all.get(at).map(String::as_str) }
    }
}

impl<'a> Schemas<'a> {
    /// Versions, and the kinds that are defined in the repository, by API version and kind.
    pub fn new(versions: &'a Versions, custom: &'a dyn Fn(&str, &str) -> Vec<Arc<CustomKind>>) -> Self {
        Self { versions, custom }
    }

    /// Holds an object against what is known of its kind.
    #[must_use]
    pub fn judge(&self, node: &Node) -> Verdict {
        let object = describe(node);
        let all = Kubernetes::get();
        let (api_version, kind) = (object.api_version.as_str(), object.kind.as_str());
        // The group of a custom kind is a domain.
        let may_be_custom = api_version.split_once('/').is_some_and(|(group, _)| group.contains('.'));
        if may_be_custom && !all.has_api_version(api_version) {
            return self.judge_custom(node, api_version, kind);
        }
        let name = |at: usize| format!("Kubernetes {}", all.versions[at]);
        let mut first = None;
        for at in &self.versions.positions {
            let Some(definition) = all.kind(api_version, kind, *at) else { continue };
            // Of the others only whether they accept it counts.
            let most = if first.is_none() { MOST_FAULTS } else { 1 };
            let faults = Walk::new(node, *at, most).object(node, &Type::Named(definition));
            if faults.is_empty() {
                return Verdict::Held { against: name(*at), faults };
            }
            first.get_or_insert(Verdict::Held { against: name(*at), faults });
        }
        first.unwrap_or_else(|| {
            let version = self.versions.positions.first().copied().unwrap_or_default();
            let is_removed = !removed_apis(std::slice::from_ref(node)).is_empty();
            let faults = if is_removed { Vec::new() } else { vec![unknown_kind(node, api_version, kind, version)] };
            Verdict::Held { against: name(version), faults }
        })
    }

    /// Where several definitions are of one kind, such as one for each cluster, one that accepts is enough.
    fn judge_custom(&self, node: &Node, api_version: &str, kind: &str) -> Verdict {
        let version = Kubernetes::get().versions.len().saturating_sub(1);
        let mut first = None;
        for custom in (self.custom)(api_version, kind) {
            let faults = Walk::new(node, version, MOST_FAULTS).object(node, &custom.of);
            let against = format!("the CustomResourceDefinition `{}`", custom.definition);
            if faults.is_empty() {
                return Verdict::Held { against, faults };
            }
            first.get_or_insert(Verdict::Held { against, faults });
        }
        first.unwrap_or(Verdict::Unknown)
    }
}

/// A kind that an API version of Kubernetes does not have, told where it is to be mended.
fn unknown_kind(node: &Node, api_version: &str, kind: &str, version: usize) -> Fault {
    let all = Kubernetes::get();
    let fault = |field: &str, fix: Option<String>| Fault {
        origin: node.get(field).map_or_else(|| shown(node), |node| node.origin.clone()),
        pointer: format!("/{field}"),
        field: field.to_owned(),
        kind: FaultKind::Kind { fix },
    };
    if let Some(home) = all.home(kind, version) {
        return fault("apiVersion", Some(format!("write `apiVersion: {home}`")));
    }
    let near = nearest(kind, &all.kinds_of(api_version));
    fault("kind", near.map(|near| format!("write `kind: {near}`")))
}

/// What shows best where an object is.
fn shown(node: &Node) -> Origin {
    node.get("kind").map_or_else(|| node.origin.clone(), |kind| kind.origin.clone())
}
