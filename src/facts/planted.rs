//! What only stands between the commits of a change: where changes land by fast-forward, each of its commits becomes a state
//! of the base branch, and would count as history that proves something afterwards.

use serde::Serialize;

use super::handle::{Handle, Handles, Target};
use super::promotions::{Entering, environments_below, short_reference};
use super::{Context, Depth, FactsError};
use crate::config::{Config, Landings};
use crate::kustomize::{Renderer, Scanner};
use crate::model::{Overlay, State, UsedImage, discover};
use crate::sided::Sided;
use crate::sources::{self, Commit, RepoPath, Tree};

/// How many commits of a change are looked at one by one.
const MOST_COMMITS: usize = 200;

/// An image that an overlay would run at a commit of the change, but neither before nor after it, and that is not proven.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Planted {
    /// Who writes it there.
    pub at: Handle,
    /// The commit, shortened.
    pub commit: String,
    /// The overlay's folder.
    pub overlay: String,
    /// Its environment.
    pub environment: String,
    /// The reference with a shortened digest.
    pub short: String,
}

impl Planted {
    /// Everything that the commits of the change plant in protected environments, and in those that prove for them.
    ///
    /// # Errors
    /// When the change has too many commits, or one of them cannot be read.
    pub fn of_change(context: &Context<'_>, handles: &mut Handles) -> Result<Vec<Self>, FactsError> {
        if context.config.landings == Landings::Merges {
            return Ok(Vec::new());
        }
        let line = context.repository.line_of_change(context.comparison)?;
        let Some((_, passed)) = line.commits.split_first() else { return Ok(Vec::new()) };
        if line.begins_anew {
            return Err(FactsError::AnotherBeginning);
        }
        if passed.len() > MOST_COMMITS {
            return Err(FactsError::TooManyCommits(passed.len() + 1));
        }
        let guarded = guarded(context.config);
        let mut planted = Vec::new();
        for commit in passed.iter().rev() {
            planted.extend(planted_at(context, commit, &guarded, handles)?);
        }
        if let Some(fork) = line.left_out.filter(|_| line.is_fast_forward) {
            planted.extend(prolonged_at(context, &fork, &guarded, handles)?);
        }
        planted.dedup_by(|one, other| one.overlay == other.overlay && one.short == other.short);
        Ok(planted)
    }
}

/// Environments that are protected, or that prove for one that is.
fn guarded(config: &Config) -> Vec<bool> {
    let is_below = |at: usize| {
        let name = &config.environments[at].name;
        config.environments.iter().enumerate().any(|(above, environment)| {
            let proves = environment.promotes_from.as_ref().map_or(at < above, |names| names.contains(name));
            environment.protected && proves
        })
    };
    (0..config.environments.len()).map(|at| config.environments[at].protected || is_below(at)).collect()
}

fn planted_at(
    context: &Context<'_>,
    commit: &Commit,
    guarded: &[bool],
    handles: &mut Handles,
) -> Result<Vec<Planted>, FactsError> {
    let tree = context.repository.tree(commit);
    let Sided { base, head } = context.comparison.trees();
    let changed = sources::changed(base, &tree)?;
    let scanner = Scanner::new(context.files, &tree);
    let listing = sources::list(&tree)?;
    let overlays = discover(context.config, &listing, &scanner, Some(context.overlays.base))?;
    let renderer = Renderer::new(context.files, &tree, context.overlays.base.rendering(context.config));
    let mut planted = Vec::new();
    for overlay in overlays.all.iter().filter(|overlay| guarded[overlay.environment]) {
        if !scanner.scan(&overlay.path)?.closure.touches(&changed) {
            continue;
        }
        // What does not render is not deployed.
        let Ok(rendering) = renderer.render_any(&overlay.path) else { continue };
        let images = State::of(&rendering, context.config).images;
        let mut known = contents(context, base, &context.renderers.base, &overlay.path);
        known.extend(contents(context, head, &context.renderers.head, &overlay.path));
        for used in images {
            let content = used.image.content(&context.config.mirrors);
            if known.contains(&content) || is_proven(context, overlay, &used, &content, handles)? {
                continue;
            }
            known.push(content);
            planted.push(Planted {
                at: handles.add(Target::of_value(&used.origin, &used.object, &used.path)),
                commit: commit.id.short(),
                overlay: overlay.path.to_string(),
                environment: context.config.environments[overlay.environment].name.clone(),
                short: short_reference(&used.image),
            });
        }
    }
    Ok(planted)
}

/// What an environment that must prove for a time ran where the change forked off, and does not run any more: with a
/// fast-forward, what ended it would not be on the base branch's first-parent line, as if it had lasted until now.
fn prolonged_at(
    context: &Context<'_>,
    fork: &Commit,
    guarded: &[bool],
    handles: &mut Handles,
) -> Result<Vec<Planted>, FactsError> {
    let config = context.config;
    let soaks = config.environments.iter().filter(|environment| environment.protected).filter_map(|it| it.soak);
    let Some(soak) = soaks.max() else { return Ok(Vec::new()) };
    let tree = context.repository.tree(fork);
    let renderer = Renderer::new(context.files, &tree, context.overlays.base.rendering(context.config));
    let mut found = Vec::new();
    for overlay in context.overlays.base.all.iter().filter(|overlay| guarded[overlay.environment]) {
        let Ok(rendering) = renderer.render_any(&overlay.path) else { continue };
        let known = contents(context, context.comparison.trees().base, &context.renderers.base, &overlay.path);
        for used in State::of(&rendering, context.config).images {
            let content = used.image.content(&config.mirrors);
            let now = context.clock.seconds();
            let stays = context.history()?.stays(&overlay.path, &content, Depth::Lasting(soak), now)?;
            if known.contains(&content) || stays.iter().any(|stay| stay.seconds(now) >= soak) {
                continue;
            }
            found.push(Planted {
                at: handles.add(Target::of_value(&used.origin, &used.object, &used.path)),
                commit: fork.id.short(),
                overlay: overlay.path.to_string(),
                environment: config.environments[overlay.environment].name.clone(),
                short: short_reference(&used.image),
            });
        }
    }
    Ok(found)
}

/// What a folder runs on one side.
fn contents(context: &Context<'_>, tree: &dyn Tree, renderer: &Renderer<'_>, folder: &RepoPath) -> Vec<String> {
    if !matches!(tree.entry(folder), Ok(Some(_))) {
        return Vec::new();
    }
    let Ok(rendering) = renderer.render_any(folder) else { return Vec::new() };
    let images = State::of(&rendering, context.config).images;
    images.iter().map(|used| used.image.content(&context.config.mirrors)).collect()
}

/// Whether a change that ends here would be let through.
fn is_proven(
    context: &Context<'_>,
    overlay: &Overlay,
    used: &UsedImage,
    content: &str,
    handles: &mut Handles,
) -> Result<bool, FactsError> {
    let Some(below) = environments_below(context.config, &|at| context.overlays_of(at), overlay) else {
        return Ok(true);
    };
    if below.environments.is_empty() {
        return Ok(true);
    }
    let at = handles.add(Target::of_value(&used.origin, &used.object, &used.path));
    let promotion = Entering { context, overlay, image: &used.image, content }.promotion(&below, at)?;
    let enough = context.config.environments[overlay.environment].soak.unwrap_or(0);
    let stays = promotion.below.iter().flat_map(|tier| &tier.stays);
    Ok(!promotion.here.is_empty() || stays.into_iter().any(|stay| stay.seconds >= enough))
}
