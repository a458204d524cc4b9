//! Folders that controllers deploy to several environments as they are: whatever changes there reaches all of them at once.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Context;
use super::handle::{Handle, Handles};
use crate::model::Overlays;
use crate::sources::RepoPath;
use crate::span::Span;

/// A folder that the objects of several environments name, and that they do not change.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SharedPath {
    /// Where the last of them names it.
    pub at: Handle,
    /// The folder.
    pub folder: String,
    /// The environments, lowest first.
    pub environments: Vec<String>,
    /// Where the others name it.
    pub others: Vec<SharedBy>,
}

/// An object that names a shared folder.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SharedBy {
    /// Where.
    pub at: Handle,
    /// The environment.
    pub environment: String,
}

impl SharedPath {
    /// The folders that several environments share after the change, and did not before.
    #[must_use]
    pub fn of_change(context: &Context<'_>, handles: &mut Handles) -> Vec<Self> {
        let known = shared(context.overlays.base);
        let names = |at: &usize| context.config.environments[*at].name.clone();
        let new = shared(context.overlays.head).into_iter().filter(|(folder, environments)| {
            let before: BTreeSet<&usize> = known.get(folder).into_iter().flat_map(BTreeMap::keys).collect();
            environments.keys().any(|at| !before.contains(at))
        });
        let told = new.filter_map(|(folder, environments)| {
            let (last, span) = environments.iter().next_back()?;
            let others = environments.iter().filter(|(at, _)| *at != last);
            Some(Self {
                at: handles.place(*span),
                folder: folder.to_string(),
                environments: environments.keys().map(names).collect(),
                others: others
                    .map(|(at, span)| SharedBy { at: handles.place(*span), environment: names(at) })
                    .collect(),
            })
        });
        told.collect()
    }
}

/// Folders by the environments that get them as they are, where these are several.
fn shared(overlays: &Overlays) -> BTreeMap<RepoPath, BTreeMap<usize, Span>> {
    let mut by_folder: BTreeMap<RepoPath, BTreeMap<usize, Span>> = BTreeMap::new();
    for overlay in &overlays.all {
        let Some(deployer) = overlays.deployer(&overlay.path).filter(|deployer| deployer.changes.is_empty()) else {
            continue;
        };
        let environments = by_folder.entry(deployer.folder.clone()).or_default();
        environments.entry(overlay.environment).or_insert(deployer.folder_span);
    }
    by_folder.retain(|_, environments| environments.len() > 1);
    by_folder
}
