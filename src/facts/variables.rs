//! Variables that a container has in the environment below and lacks here.

use serde::Serialize;

use super::handle::{Handle, Handles, Target};
use super::promotions::counterparts_here;
use super::{Context, Depth, FactsError};
use crate::kustomize::Renderer;
use crate::model::{Case, Overlay, Variables, variables};
use crate::sources::{Commit, Tree};

/// A variable that a container has below and lacks here, because of this change: the change takes it away, brings the container, or
/// brings an image that ran below with the variable, after one that ran there without it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MissingVariable {
    /// Where the container's variables are written, else its name.
    pub at: Handle,
    /// Whether that is in the overlay's own folder.
    pub own: bool,
    /// The variable.
    pub name: String,
    /// The container.
    pub container: String,
    /// The kind and the name of its object.
    pub object: String,
    /// The environment below.
    pub environment: String,
    /// Where it is written there.
    pub below_at: Handle,
    /// `removed`, `container` (the change brings the container) or `image` (it brings an image that ran below with it).
    pub because: &'static str,
}

impl MissingVariable {
    /// The variables that a case lacks because of the change.
    ///
    /// # Errors
    /// When the base, or history that is needed, cannot be read.
    pub fn of(context: &Context<'_>, case: &Case<'_>, handles: &mut Handles) -> Result<Vec<Self>, FactsError> {
        let Some(head) = &case.rendered.head.rendering else { return Ok(Vec::new()) };
        let here = variables(&head.objects);
        let before = case.rendered.base.rendering.as_ref().map(|base| variables(&base.objects)).unwrap_or_default();
        let mut missing = Vec::new();
        for (environment, counterpart) in counterparts_here(context, case.overlay) {
            let Ok(rendered) = context.renderers.head.render_any(&counterpart.path) else { continue };
            let there = variables(&rendered.objects);
            for own in here.iter().filter(|own| !own.may_have_more) {
                let Some(other) = same_container(&there, own, &here) else { continue };
                // A workload may become another kind of object.
                let old = same_container(&before, own, &here)
                    .or_else(|| before.iter().find(|before| before.container == own.container));
                for (name, span) in &other.named {
                    if own.named.contains_key(name) {
                        continue;
                    }
                    let Some(because) = because(context, counterpart, own, old, name)? else { continue };
                    missing.push(Self {
                        at: handles.add(Target::of_value(&own.origin, &own.object, &own.path)),
                        own: context.files.files.get(own.origin.span.file).path.is_within(&case.overlay.path),
                        name: name.clone(),
                        container: own.container.clone(),
                        object: format!("{} `{}`", own.object.kind, own.object.name),
                        environment: context.config.environments[environment].name.clone(),
                        below_at: handles.place(*span),
                        because,
                    });
                }
            }
        }
        Ok(missing)
    }
}

/// The same container on another side: of the object of the same name, else of the only object of its kind that has it.
fn same_container<'a>(others: &'a [Variables], own: &Variables, among: &[Variables]) -> Option<&'a Variables> {
    let is_alike = |other: &&Variables| other.object.kind == own.object.kind && other.container == own.container;
    let named = others.iter().filter(is_alike).find(|other| other.object.name == own.object.name);
    let mut alike = others.iter().filter(is_alike);
    let is_only = among.iter().filter(is_alike).count() == 1;
    named.or_else(|| alike.next().filter(|_| is_only && alike.next().is_none()))
}

/// Why this change is what makes the variable missing; `None` where it is not.
fn because(
    context: &Context<'_>,
    counterpart: &Overlay,
    own: &Variables,
    old: Option<&Variables>,
    name: &str,
) -> Result<Option<&'static str>, FactsError> {
    let Some(old) = old else { return Ok(Some("container")) };
    if old.named.contains_key(name) {
        return Ok(Some("removed"));
    }
    let mirrors = &context.config.mirrors;
    let [Some(before), Some(after)] =
        [&old.image, &own.image].map(|image| image.as_ref().map(|it| it.content(mirrors)))
    else {
        return Ok(None);
    };
    if before == after || old.may_have_more {
        return Ok(None);
    }
    // The image that runs here now: did it run below without the variable?
    let history = context.history_of(counterpart.environment)?;
    let stays = history.stays(&counterpart.path, &before, Depth::Latest, context.clock.seconds())?;
    let Some(stay) = stays.first() else { return Ok(None) };
    let Some(commit) = history.commits().iter().find(|commit| commit.id.to_string() == stay.commit) else {
        return Ok(None);
    };
    Ok(lacked(context, counterpart, own, commit, name)?.then_some("image"))
}

/// Whether a container lacked a variable at a commit.
fn lacked(
    context: &Context<'_>,
    counterpart: &Overlay,
    own: &Variables,
    commit: &Commit,
    name: &str,
) -> Result<bool, FactsError> {
    let tree = context.repository.tree(commit);
    let renderer =
        Renderer::new(context.files, &tree as &dyn Tree, context.overlays.base.rendering(context.config).for_past());
    let rendering = match renderer.render_any(&counterpart.path) {
        Ok(rendering) => rendering,
        Err(failed) if failed.error.is_unreadable => return Err(failed.error.into()),
        Err(_) => return Ok(false),
    };
    let then = variables(&rendering.objects);
    let same = same_container(&then, own, std::slice::from_ref(own));
    Ok(same.is_some_and(|then| !then.named.contains_key(name) && !then.may_have_more))
}
