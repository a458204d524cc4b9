//! Freeze windows of an environment that are open at the time of the judgement.

use serde::Serialize;

use super::handle::{Handle, Handles};
use super::look_back::SHORTEST_STAY;
use super::owners::{OwnerApprovals, reaches};
use super::promotions::Entering;
use super::{Context, FactsError, sync_windows};
use crate::config::{Freeze, Times};
use crate::kustomize::Renderer;
use crate::model::{Case, RenderedOverlay, UsedImage};
use crate::sided::Sided;
use crate::sources::{RepoPath, Tree, TreeError};
use crate::words;
use crate::yaml::{Node, same, to_json};

/// An active freeze.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct ActiveFreeze {
    /// Where it is configured.
    pub at: Handle,
    /// Its name.
    pub name: String,
    /// When it ends, for people.
    pub until: String,
    /// Whether an environment may go back to images that it ran before.
    pub allows_rollback: bool,
    /// Whether this is such a rollback: nothing changes but images, each to one that this environment ran before. Only
    /// found out where it is allowed.
    pub is_rollback: bool,
    /// Whether an environment may go back to all of what it was before.
    pub allows_revert: bool,
    /// Whether this is such a revert: what is rendered now is what was rendered at an earlier commit of the base branch. Only found
    /// out where it is allowed.
    pub is_revert: bool,
    /// Who may let it through nevertheless.
    pub overrides: Vec<OverrideInput>,
}

/// A way through a freeze that has not expired and is for this app.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OverrideInput {
    /// Where it is written.
    pub at: Handle,
    /// Why.
    pub reason: String,
    /// Of whom one must approve this head.
    pub by: Vec<String>,
    /// When it expires, for people.
    pub until: String,
    /// Who of them has approved.
    #[serde(flatten)]
    pub approvals: OwnerApprovals,
}

impl OverrideInput {
    fn of(context: &Context<'_>, case: &Case<'_>, freeze: &Freeze, handles: &mut Handles) -> Vec<Self> {
        let mut found = Vec::new();
        for one in &freeze.overrides {
            let is_for_app = one.apps.is_empty() || one.apps.contains(&case.overlay.app);
            if one.until <= context.clock.now || !is_for_app {
                continue;
            }
            context.clock.changes_at(one.until);
            found.push(Self {
                at: handles.place(one.span),
                reason: one.reason.clone(),
                by: one.by.clone(),
                until: words::moment_in(one.until.timestamp(), freeze.zone),
                approvals: OwnerApprovals::of(context, &one.by, 1, |files| reaches(case, files)),
            });
        }
        found
    }
}

impl ActiveFreeze {
    /// One that allows nothing.
    pub(super) fn plain(at: Handle, name: String, until: String) -> Self {
        Self {
            at,
            name,
            until,
            allows_rollback: false,
            is_rollback: false,
            allows_revert: false,
            is_revert: false,
            overrides: Vec::new(),
        }
    }

    /// The freezes of a case's environment that are active now; the clock notes when that changes.
    ///
    /// # Errors
    /// When history is needed, and cannot be read.
    pub fn of(context: &Context<'_>, case: &Case<'_>, handles: &mut Handles) -> Result<Vec<Self>, FactsError> {
        let clock = &context.clock;
        let name = &context.config.environments[case.overlay.environment].name;
        let mut active = sync_windows::blocking(context, case, handles)?;
        let (mut rollback, mut revert) = (None, None);
        for freeze in context.config.freezes.iter().filter(|freeze| freeze.environments.contains(name)) {
            let until = match (&freeze.times, clock.active(freeze)) {
                (Times::DeployFreeze, _) if context.is_deploy_freeze == Some(true) => {
                    "GitLab's deploy freeze has ended".to_owned()
                }
                (_, Some(window)) => {
                    clock.changes_at(window.until);
                    words::moment_in(window.until.timestamp(), freeze.zone)
                }
                (_, None) => {
                    if let Some(next) = freeze.next(clock.now) {
                        clock.changes_at(next);
                    }
                    continue;
                }
            };
            if freeze.allows_rollback && rollback.is_none() {
                rollback = Some(is_rollback(context, case)?);
            }
            if freeze.allows_revert && revert.is_none() {
                revert = Some(is_revert(context, case)?);
            }
            active.push(Self {
                overrides: OverrideInput::of(context, case, freeze, handles),
                allows_rollback: freeze.allows_rollback,
                is_rollback: freeze.allows_rollback && rollback == Some(true),
                allows_revert: freeze.allows_revert,
                is_revert: freeze.allows_revert && revert == Some(true),
                ..Self::plain(handles.place(freeze.span), freeze.name.clone(), until)
            });
        }
        Ok(active)
    }
}

/// How many commits are looked at for the state that a change goes back to.
const MOST_COMMITS: usize = 500;

/// Whether the files of the change that reach an overlay are what they were at an earlier commit of the base branch, and the overlay
/// renders to what it rendered to then.
fn is_revert(context: &Context<'_>, case: &Case<'_>) -> Result<bool, FactsError> {
    let reaching: Vec<&RepoPath> =
        context.change.files.iter().filter(|path| reaches(case, std::slice::from_ref(*path))).collect();
    let state = |tree: &dyn Tree| -> Result<Vec<_>, TreeError> {
        reaching.iter().map(|path| Ok(tree.read(path)?.map(|(id, _)| id))).collect()
    };
    let head = state(context.comparison.trees().head)?;
    let history = context.history()?;
    // What stood only between two commits of one push was not deployed.
    let mut lasted = 0;
    for (at, commit) in history.commits().iter().enumerate().skip(1).take(MOST_COMMITS) {
        let tree = context.repository.tree(commit);
        if reaching.is_empty() || state(&tree)? != head {
            lasted = 0;
            continue;
        }
        lasted += history.lasted(at, context.clock.seconds());
        if lasted < SHORTEST_STAY {
            continue;
        }
        let renderer = Renderer::new(context.files, &tree, context.overlays.base.rendering(context.config));
        let before = RenderedOverlay::render(&case.overlay.path, &renderer, context.config)?;
        if before.renders() && before.deploys_same_as(&case.rendered.head) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether nothing changes but images, each to one that this environment ran before.
fn is_rollback(context: &Context<'_>, case: &Case<'_>) -> Result<bool, FactsError> {
    let Sided { base, head } = &case.rendered;
    let (Some(before), Some(after)) = (&base.rendering, &head.rendering) else { return Ok(false) };
    let known = |used: &UsedImage| {
        base.state.images.iter().find(|known| known.object == used.object && known.path == used.path)
    };
    let pairs: Vec<[&str; 2]> = head
        .state
        .images
        .iter()
        .filter_map(|used| Some([&*known(used)?.image.reference, &*used.image.reference]))
        .filter(|[before, after]| before != after)
        .collect();
    let is_same = before.objects.len() == after.objects.len()
        && before.opaque.len() == after.opaque.len()
        && before.opaque.iter().zip(&after.opaque).all(|(before, after)| before.makes_same_as(after))
        && before.objects.iter().zip(&after.objects).all(|(before, after)| is_same_with(before, after, &pairs));
    if !is_same || pairs.is_empty() {
        return Ok(false);
    }
    let mirrors = &context.config.mirrors;
    for used in &head.state.images {
        let content = used.image.content(mirrors);
        if base.state.images.iter().any(|known| known.image.content(mirrors) == content) {
            continue;
        }
        let entering = Entering { context, overlay: case.overlay, image: &used.image, content: &content };
        if entering.earlier_here()?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether an object becomes another one by nothing but new images in the place of old ones, wherever they stand in it.
fn is_same_with(before: &Node, after: &Node, pairs: &[[&str; 2]]) -> bool {
    let text = |node: &Node| to_json(node).to_string();
    let replaced = pairs.iter().fold(text(before), |text, [old, new]| text.replace(old, new));
    same(before, after) || replaced == text(after)
}
