//! What a change, or the step to another environment, does to what is deployed.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::{GateError, read_config};
use crate::kustomize::{ParsedFiles, RenderError, Renderer, Scanner};
use crate::model::{Overlay, OverlayFilter, Overlays, discover};
use crate::report::diff::Difference;
use crate::sources::{self, Comparison, RepoPath, Tree};
use crate::yaml::Node;

/// What a change does, overlay by overlay; only those that it can reach are rendered.
///
/// # Errors
/// When a side cannot be read, or the configuration is wrong.
pub fn of_change(
    judged: &Comparison,
    parsed: &ParsedFiles,
    app: Option<&str>,
    environment: Option<&str>,
) -> Result<Vec<Difference>, GateError> {
    let (base_tree, head_tree): (&dyn Tree, &dyn Tree) = (&judged.base_tree, &*judged.head_tree);
    let config = read_config(base_tree, parsed)?;
    let environment = environment.map(|name| super::environment(&config, name)).transpose()?;
    let only = OverlayFilter { app, environment };
    let changes = sources::changed(base_tree, head_tree)?;
    let scanners = (Scanner::new(parsed, base_tree), Scanner::new(parsed, head_tree));
    let overlays = |tree, scanner: &Scanner<'_>, known: Option<&Overlays>| {
        Ok::<_, GateError>(discover(&config, &sources::list(tree)?, scanner, known)?)
    };
    let base = overlays(base_tree, &scanners.0, None)?;
    let head = overlays(head_tree, &scanners.1, Some(&base))?;
    let union: BTreeSet<&Overlay> = base.all.iter().chain(&head.all).collect();
    let mut affected = Vec::new();
    for overlay in union {
        let reaches =
            |scanner: &Scanner<'_>| Ok::<_, GateError>(scanner.scan(&overlay.path)?.closure.touches(&changes));
        if only.accepts(overlay) && (reaches(&scanners.0)? || reaches(&scanners.1)?) {
            affected.push(overlay);
        }
    }
    let renderers = [base_tree, head_tree].map(|tree| Renderer::new(parsed, tree, base.rendering(&config)));
    let side = |at: usize, overlays: &Overlays, path: &RepoPath| match overlays.at(path) {
        Some(_) => render(&renderers[at], path),
        None => Ok(Vec::new()),
    };
    let of_overlay = |overlay: &&Overlay| Difference {
        app: overlay.app.clone(),
        names: [base_tree, head_tree].map(|tree| format!("{} ({})", overlay.path, tree.name())),
        sides: [side(0, &base, &overlay.path), side(1, &head, &overlay.path)],
    };
    readable(affected.par_iter().map(of_overlay).collect())
}

/// How an environment differs from another one, overlay by overlay, in one snapshot.
///
/// # Errors
/// When the snapshot cannot be read, its configuration is wrong, or an environment is not known.
pub fn of_environments(
    tree: &dyn Tree,
    parsed: &ParsedFiles,
    app: Option<&str>,
    environments: [&str; 2],
) -> Result<Vec<Difference>, GateError> {
    let (config, overlays) = super::overlays(tree, parsed)?;
    let [from, to] = [super::environment(&config, environments[0])?, super::environment(&config, environments[1])?];
    let renderer = Renderer::new(parsed, tree, overlays.rendering(&config));
    let only = OverlayFilter { app, environment: Some(to) };
    let mut pairs = Vec::new();
    for overlay in overlays.all.iter().filter(|overlay| only.accepts(overlay)) {
        let counterparts = overlays.counterparts(overlay, from);
        pairs.extend(counterparts.into_iter().map(|other| (other, overlay)));
    }
    let of_pair = |(other, overlay): &(&Overlay, &Overlay)| Difference {
        app: overlay.app.clone(),
        names: [other.path.to_string(), overlay.path.to_string()],
        sides: [render(&renderer, &other.path), render(&renderer, &overlay.path)],
    };
    readable(pairs.par_iter().map(of_pair).collect())
}

fn render(renderer: &Renderer<'_>, path: &RepoPath) -> Result<Vec<Node>, RenderError> {
    renderer.render_any(path).map(|rendering| rendering.objects).map_err(|failed| failed.error)
}

fn readable(differences: Vec<Difference>) -> Result<Vec<Difference>, GateError> {
    for error in differences.iter().flat_map(|difference| &difference.sides).filter_map(|side| side.as_ref().err()) {
        if error.is_unreadable {
            return Err(GateError::Unreadable(error.clone()));
        }
    }
    Ok(differences)
}
