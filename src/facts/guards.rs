//! Changes of what judges changes: the configuration, CODEOWNERS, and the workflow that runs the gate.

use serde::Serialize;

use super::handle::{Handle, Handles};
use super::owners::OwnerApprovals;
use super::{Context, FactsError, is_owners_file};
use crate::config;
use crate::sources::{RepoPath, Tree};

/// A changed file that judges changes.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Guard {
    /// The first changed line.
    pub at: Handle,
    /// The file.
    pub path: String,
    /// The CODEOWNERS line that owns it; `null` where nobody does.
    pub owned_at: Option<Handle>,
    /// The owners on it.
    pub owners: Vec<String>,
    /// Whether anybody has said who approved.
    pub reviewed: bool,
    /// Which of the owners have approved.
    #[serde(flatten)]
    pub approvals: OwnerApprovals,
}

impl Guard {
    /// Every changed file that judges changes, on either side.
    ///
    /// # Errors
    /// When a side cannot be read.
    pub fn of_change(context: &Context<'_>, handles: &mut Handles) -> Result<Vec<Self>, FactsError> {
        let mut guards = Vec::new();
        for path in &context.change.files {
            if !is_guard(context, path)? {
                continue;
            }
            let rule = context.owners.of(path);
            let owners = rule.map(|rule| rule.owners.clone()).unwrap_or_default();
            let own_line = rule.map(|rule| handles.place(rule.span));
            let changed = context.changed_line(path)?.map(|span| handles.place(span));
            // A file without a line, such as a link, is told at the line that owns it, or not at all.
            let Some(at) = changed.or(own_line) else { continue };
            guards.push(Self {
                at,
                path: path.to_string(),
                owned_at: own_line.filter(|_| !owners.is_empty()),
                reviewed: context.review.is_some(),
                approvals: OwnerApprovals::of(context, &owners, 1, |files| files.contains(path)),
                owners,
            });
        }
        Ok(guards)
    }
}

/// Whether a file judges changes: by its name, or because it is a workflow that runs the gate on either side.
fn is_guard(context: &Context<'_>, path: &RepoPath) -> Result<bool, FactsError> {
    let name = path.as_str();
    let is_policy = context.config.policies.iter().any(|source| source.holds(path));
    if name == config::FILE_NAME || is_policy || is_owners_file(path, context.owners.dialect) {
        return Ok(true);
    }
    let is_workflow = name.starts_with(".github/workflows/")
        || name.starts_with(".gitea/workflows/")
        || matches!(name, ".gitlab-ci.yml" | ".pre-commit-config.yaml");
    if !is_workflow {
        return Ok(false);
    }
    let runs_gate = |tree: &dyn Tree| -> Result<bool, FactsError> {
        Ok(tree.read(path)?.is_some_and(|(_, content)| String::from_utf8_lossy(&content).contains("tollgate")))
    };
    let trees = context.comparison.trees();
    Ok(runs_gate(trees.base)? || runs_gate(trees.head)?)
}
