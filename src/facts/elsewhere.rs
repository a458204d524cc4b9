//! Secrets and `ConfigMaps` that other overlays of the same environment bring into a namespace.

use std::sync::Arc;

use rayon::prelude::*;

use super::Context;
use super::handle::Handles;
use super::state::{ProvidedInput, StateInput};
use crate::model::{Case, Namespace, Overlay, Provided, State};

/// What one overlay provides.
pub struct ProvidedBy {
    overlay: Overlay,
    provided: Vec<Provided>,
}

/// Adds to one side of a case what others provide of what it lacks. Where the namespace is not written, nobody knows whether it
/// is the same.
pub fn add(context: &Context<'_>, case: &Case<'_>, side: &mut StateInput, handles: &mut Handles) {
    let own = std::mem::take(&mut side.provided);
    let lacks = |kind, namespace: &str, name: &str| {
        side.references.iter().any(|it| it.kind == kind && it.name == name && it.namespace == namespace)
            && !own.iter().any(|it| it.kind == kind && it.name == name && !it.adds && it.namespace == namespace)
    };
    let is_lacking = |it: &super::state::ReferenceInput| {
        !it.optional && !it.namespace.is_empty() && lacks(it.kind, &it.namespace, &it.name)
    };
    let mut more = Vec::new();
    if side.references.iter().any(is_lacking) {
        for ProvidedBy { overlay, provided } in context.provided_in(case.overlay.environment).iter() {
            // Another part of the same app may be in another cluster.
            if overlay.path == case.overlay.path || overlay.app == case.overlay.app && overlay.part != case.overlay.part
            {
                continue;
            }
            let wanted = provided.iter().filter_map(|provided| match &provided.namespace {
                Namespace::Named(namespace) if lacks(provided.kind, namespace, &provided.name) => {
                    Some((provided, namespace))
                }
                _ => None,
            });
            more.extend(wanted.map(|(provided, namespace)| ProvidedInput {
                at: handles.place(provided.origin.span),
                kind: provided.kind,
                name: provided.name.clone(),
                namespace: namespace.clone(),
                keys: provided.keys.clone(),
                adds: provided.adds,
                by: provided.by.clone(),
            }));
        }
    }
    side.provided = own;
    side.provided.extend(more);
}

impl Context<'_> {
    /// What the overlays of an environment provide once the change has landed.
    fn provided_in(&self, environment: usize) -> Arc<Vec<ProvidedBy>> {
        let mut known = self.on_demand.provided.lock();
        let found = known.entry(environment).or_insert_with(|| {
            let overlays = self.overlays.head.all.par_iter().filter(|overlay| overlay.environment == environment);
            let found = overlays.filter_map(|overlay| {
                let rendering = self.renderers.head.render_any(&overlay.path).ok()?;
                let provided = State::of(&rendering, self.config).provided;
                (!provided.is_empty()).then(|| ProvidedBy { overlay: overlay.clone(), provided })
            });
            Arc::new(found.collect())
        });
        Arc::clone(found)
    }
}
