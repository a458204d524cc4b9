//! Folders that the change touches and nobody judges.

use std::collections::BTreeSet;

use serde::Serialize;

use super::handle::{Handle, Handles};
use super::{Context, FactsError};
use crate::kustomize::FILE_NAMES;
use crate::sources::RepoPath;

/// A folder of kustomizations or manifests that the change touches and nobody judges.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UnjudgedFolder {
    /// Its first changed line.
    pub at: Handle,
    /// The folder.
    pub path: String,
    /// The protected environment that has an overlay beside it, where the folder is new; else `null`.
    pub beside: Option<String>,
}

impl UnjudgedFolder {
    /// Every such folder, in path order.
    ///
    /// # Errors
    /// When a side cannot be read.
    pub fn of_change(context: &Context<'_>, handles: &mut Handles) -> Result<Vec<Self>, FactsError> {
        let folders: BTreeSet<&RepoPath> =
            context.unjudged.kustomizations.iter().chain(&context.unjudged.plain).collect();
        let mut found = Vec::new();
        for folder in folders {
            let named = FILE_NAMES.iter().map(|name| folder.child(name));
            let inside = context.change.files.iter().filter(|path| path.parent().as_ref() == Some(folder)).cloned();
            let mut at = None;
            for path in named.chain(inside).filter(|path| context.change.files.binary_search(path).is_ok()) {
                at = context.changed_line(&path)?;
                if at.is_some() {
                    break;
                }
            }
            // What it uses changes, not the folder itself.
            let Some(at) = at else { continue };
            // What was there before is nothing that an environment has just become.
            let is_new = context.comparison.trees().base.entry(folder)?.is_none();
            let beside = if is_new { protected_beside(context, folder) } else { None };
            found.push(Self { at: handles.place(at), path: folder.to_string(), beside });
        }
        Ok(found)
    }
}

/// A protected environment with an overlay in the same folder, before the change or after it.
fn protected_beside(context: &Context<'_>, folder: &RepoPath) -> Option<String> {
    let parent = folder.parent()?;
    let environments = &context.config.environments;
    let all = context.overlays.iter().flat_map(|side| &side.all);
    let beside = all.filter(|overlay| overlay.path.parent().as_ref() == Some(&parent));
    let mut protected = beside.map(|overlay| &environments[overlay.environment]).filter(|found| found.protected);
    protected.next().map(|environment| environment.name.clone())
}
