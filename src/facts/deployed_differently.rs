//! What a change of a Flux `Kustomization` or an Argo CD `Application` makes an environment run, beside what its overlays
//! render to.

use serde::Serialize;

use super::controllers::Deployer;
use super::handle::{Handle, Handles};
use super::{Context, FactsError};
use crate::model::environment_of_path;
use crate::sources::RepoPath;
use crate::yaml::same;

/// A new way in which an object deploys something else than an overlay of its own environment.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum DeployedDifferently {
    /// It deploys a folder of another environment.
    OtherEnvironment {
        /// Where the folder is named.
        at: Handle,
        /// The object's name.
        deployer: String,
        /// Its environment.
        environment: String,
        /// The folder.
        folder: String,
        /// The folder's environment.
        other: String,
    },
    /// It changes what it deploys.
    Unrendered {
        /// Where it says so.
        at: Handle,
        /// The object's name.
        deployer: String,
        /// The field.
        field: &'static str,
    },
}

impl DeployedDifferently {
    /// What the head's deployers do that the base's do not.
    ///
    /// # Errors
    /// When a side cannot be read.
    pub fn of_change(context: &Context<'_>, handles: &mut Handles) -> Result<Vec<Self>, FactsError> {
        let config = context.config;
        let is_controller = |path: &RepoPath| config.controllers.iter().any(|folder| path.is_within(folder));
        if !context.change.files.iter().any(is_controller) {
            return Ok(Vec::new());
        }
        let sides = context.controllers()?;
        let mut found = Vec::new();
        for deployer in &sides.head.deployers {
            let is_same = |other: &&Deployer| {
                (&other.namespace, &other.name, &other.file) == (&deployer.namespace, &deployer.name, &deployer.file)
            };
            let before = sides.base.deployers.iter().find(is_same);
            let own = environment_of_path(config, &deployer.file)
                .or_else(|| environment_of_path(config, &RepoPath::root().child(&deployer.name)));
            for (folder, span) in &deployer.folders {
                let deploys = environment_of_path(config, folder);
                let (Some(own), Some(other)) = (own, deploys) else { continue };
                let is_known = before.is_some_and(|before| before.folders.iter().any(|(known, _)| known == folder));
                if own != other && !is_known {
                    found.push(Self::OtherEnvironment {
                        at: handles.place(*span),
                        deployer: deployer.name.clone(),
                        environment: config.environments[own].name.clone(),
                        folder: folder.to_string(),
                        other: config.environments[other].name.clone(),
                    });
                }
            }
            for (field, node) in &deployer.changes {
                let is_known =
                    |before: &Deployer| before.changes.iter().any(|(known, other)| known == field && same(other, node));
                if !before.is_some_and(is_known) {
                    found.push(Self::Unrendered {
                        at: handles.place(node.origin.span),
                        deployer: deployer.name.clone(),
                        field,
                    });
                }
            }
        }
        Ok(found)
    }
}
