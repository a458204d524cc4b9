//! Apps that belong together, and what must be there before an app: which combination a change would make, and whether
//! it ever ran below.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::handle::{Handle, Handles};
use super::promotions::{Promotion, environments_below, short_content, short_reference};
use super::{Context, FactsError};
use crate::model::{Case, Image, Overlay, RenderedOverlay, State};
use crate::sources::{CommitId, RepoPath};
use crate::span::Span;
use crate::words;

/// Apps that would run together, because they are one group or one depends on the other.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Combination {
    /// The first image that enters.
    pub at: Handle,
    /// Why the apps belong together.
    pub kind: LinkKind,
    /// The group's name, or the app that is depended on.
    pub name: String,
    /// Where the group or the dependency is declared.
    pub declared_at: Handle,
    /// The environments below.
    pub environments: Vec<String>,
    /// What each app would run, of what it runs below as well.
    pub apps: Vec<CombinedApp>,
    /// When all of it last ran together below.
    pub together: Option<Moment>,
    /// When all of it last ran together in this very environment.
    pub here: Option<Moment>,
}

/// One app of a combination.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CombinedApp {
    /// The app.
    pub app: String,
    /// Whether it is the one that the overlay belongs to.
    pub enters: bool,
    /// What it would run.
    pub images: Vec<CombinedImage>,
}

/// An image of a combination.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CombinedImage {
    /// The reference with a shortened digest.
    pub short: String,
    /// What runs below now of its repository, shortened.
    pub below: Vec<String>,
}

/// A moment of history.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Moment {
    /// When, for people.
    pub time: String,
    /// The commit, shortened.
    pub commit: String,
}

/// Why apps belong together.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LinkKind {
    /// `groups` says so.
    Group,
    /// One of them depends on the other: `dependencies`, or `dependsOn` of a controller.
    Dependency,
}

/// Apps that are looked at together.
struct LinkedApps {
    kind: LinkKind,
    name: String,
    apps: Vec<String>,
    declared: Span,
}

/// A content that must have run in any one of these overlays.
struct Required<'a> {
    overlays: Vec<&'a Overlay>,
    content: String,
}

impl Required<'_> {
    fn paths(&self) -> (Vec<RepoPath>, String) {
        (self.overlays.iter().map(|overlay| overlay.path.clone()).collect(), self.content.clone())
    }
}

/// What is known of one image below.
#[derive(Default)]
struct Precedent<'a> {
    /// Whether its content ever ran there.
    is_known: bool,
    /// What runs there now of its repository; `None` where the app runs nothing of it there.
    running: Option<Vec<String>>,
    /// By environment.
    required: Vec<(usize, Required<'a>)>,
}

/// What a combination is made of.
struct Gathered<'a> {
    apps: Vec<CombinedApp>,
    /// What must have run together below, by environment.
    below: BTreeMap<usize, Vec<Required<'a>>>,
    /// What must have run together here.
    here: Vec<Required<'a>>,
    /// Whether all of it is there and renders.
    is_decided: bool,
    /// Whether anything new is part of it.
    has_new: bool,
}

impl Combination {
    /// Every combination that what enters with a case makes.
    ///
    /// # Errors
    /// When history that is needed is missing, or a side cannot be read.
    pub fn of(
        context: &Context<'_>,
        case: &Case<'_>,
        promotions: &[Promotion],
        handles: &mut Handles,
    ) -> Result<Vec<Self>, FactsError> {
        let Some(at) = promotions.first().map(|promotion| promotion.at) else { return Ok(Vec::new()) };
        let entering = Entering { context, case };
        let mut combinations = Vec::new();
        for linked in entering.linked_apps()? {
            combinations.extend(entering.combination(linked, at, handles)?);
        }
        Ok(combinations)
    }
}

/// An overlay that something enters.
struct Entering<'a, 'c> {
    context: &'a Context<'c>,
    case: &'a Case<'a>,
}

impl<'a> Entering<'a, '_> {
    /// What the configuration, and controllers before or after the change, link to the app.
    fn linked_apps(&self) -> Result<Vec<LinkedApps>, FactsError> {
        let app = &self.case.overlay.app;
        let config = self.context.config;
        let groups = config.groups.iter().filter(|group| group.apps.contains(app)).map(|group| LinkedApps {
            kind: LinkKind::Group,
            name: group.name.clone(),
            apps: group.apps.clone(),
            declared: group.span,
        });
        let mut linked: Vec<LinkedApps> = groups.collect();
        let mut needs: BTreeMap<String, Span> = BTreeMap::new();
        for dependency in config.dependencies.iter().filter(|dependency| dependency.app == *app) {
            needs.entry(dependency.needs.clone()).or_insert(dependency.span);
        }
        let controllers = self.context.controllers()?;
        for side in [&controllers.head, &controllers.base] {
            for (needed, span) in side.needs(self.case.overlay) {
                needs.entry(needed).or_insert(span);
            }
        }
        linked.extend(needs.into_iter().filter(|(needed, _)| needed != app).map(|(needed, declared)| LinkedApps {
            kind: LinkKind::Dependency,
            name: needed.clone(),
            apps: vec![app.clone(), needed],
            declared,
        }));
        Ok(linked)
    }

    fn combination(
        &self,
        linked: LinkedApps,
        at: Handle,
        handles: &mut Handles,
    ) -> Result<Option<Combination>, FactsError> {
        let context = self.context;
        let config = context.config;
        let Some(below) = environments_below(config, &|_| context.overlays.base, self.case.overlay) else {
            return Ok(None);
        };
        let found = self.gather(&linked, &below.environments)?;
        let is_combined = found.apps.iter().filter(|app| !app.images.is_empty()).count() > 1;
        if !is_combined || !found.has_new {
            return Ok(None);
        }
        let moment = |found: Option<(i64, CommitId)>| {
            found.map(|(time, commit)| Moment { time: words::moment(time), commit: commit.short() })
        };
        let (mut together, mut here) = (None, None);
        if found.is_decided {
            // Where a part of it is not run at all nothing is proven of the whole.
            let is_whole = |required: &&Vec<Required<'_>>| required.len() == found.here.len();
            for required in found.below.values().filter(is_whole).flat_map(|required| by_part(required)) {
                together = together.or(moment(context.history()?.together(&required)?));
            }
            if together.is_none() {
                let required: Vec<_> = found.here.iter().map(Required::paths).collect();
                here = moment(context.history()?.together(&required)?);
            }
        }
        Ok(Some(Combination {
            at,
            kind: linked.kind,
            name: linked.name,
            declared_at: handles.place(linked.declared),
            environments: below.environments.iter().map(|at| config.environments[*at].name.clone()).collect(),
            apps: found.apps,
            together,
            here,
        }))
    }

    /// Every image that the linked apps would run, and what is known of it below.
    fn gather(&self, linked: &LinkedApps, below: &[usize]) -> Result<Gathered<'a>, FactsError> {
        let context = self.context;
        let own = self.case.overlay;
        let mirrors = &context.config.mirrors;
        let ran_before: Vec<String> =
            images(&self.case.rendered.base.state).iter().map(|image| image.content(mirrors)).collect();
        let mut found =
            Gathered { apps: Vec::new(), below: BTreeMap::new(), here: Vec::new(), is_decided: true, has_new: false };
        for app in &linked.apps {
            let is_own = *app == own.app;
            let overlays = if is_own { vec![own] } else { context.overlays.head.of_app(app, own) };
            let mut combined = Vec::new();
            for overlay in &overlays {
                let own_images = || images(&self.case.rendered.head.state);
                let after = if is_own { Some(own_images()) } else { self.images_after(overlay)? };
                let Some(images) = after else {
                    found.is_decided = false;
                    combined.push(CombinedImage { short: "what does not render".to_owned(), below: Vec::new() });
                    continue;
                };
                for image in images {
                    let content = image.content(mirrors);
                    let is_new = is_own && !ran_before.contains(&content);
                    let precedent = self.precedent(overlay, below, &image)?;
                    // What enters and never ran below on its own is for `promotion/unproven` to report.
                    let Some(running) = precedent.running.filter(|_| !is_new || precedent.is_known) else { continue };
                    found.has_new |= is_new;
                    found.here.push(Required { overlays: vec![overlay], content });
                    for (environment, required) in precedent.required {
                        found.below.entry(environment).or_default().push(required);
                    }
                    combined.push(CombinedImage { short: short_reference(&image), below: running });
                }
            }
            if linked.kind == LinkKind::Dependency && overlays.is_empty() && self.is_below(app, below) {
                found.is_decided = false;
                combined.push(CombinedImage { short: "nothing of it".to_owned(), below: Vec::new() });
            }
            found.apps.push(CombinedApp { app: app.clone(), enters: is_own, images: combined });
        }
        Ok(found)
    }

    /// Whether and where an image of an overlay belongs to what its app runs below.
    fn precedent(&self, overlay: &Overlay, below: &[usize], image: &Image) -> Result<Precedent<'a>, FactsError> {
        let context = self.context;
        let content = image.content(&context.config.mirrors);
        let mut precedent = Precedent::default();
        for environment in below {
            let overlays = context.overlays.base.counterparts(overlay, *environment);
            let required = Required { overlays, content: content.clone() };
            let running = self.same_repository(&required.overlays, image)?;
            let is_known = context.history()?.together(&[required.paths()])?.is_some();
            precedent.is_known |= is_known;
            if !is_known && running.is_empty() {
                continue;
            }
            precedent.required.push((*environment, required));
            precedent.running.get_or_insert_with(Vec::new).extend(running.iter().map(short_content));
        }
        if let Some(running) = &mut precedent.running {
            running.sort();
            running.dedup();
        }
        Ok(precedent)
    }

    /// Whether an app has an overlay in any of these environments.
    fn is_below(&self, app: &str, below: &[usize]) -> bool {
        let overlays = &self.context.overlays.base.all;
        overlays.iter().any(|overlay| overlay.app == app && below.contains(&overlay.environment))
    }

    /// What an overlay runs once the change has landed; `None` where it does not render.
    fn images_after(&self, overlay: &Overlay) -> Result<Option<Vec<Image>>, FactsError> {
        let after = RenderedOverlay::render(&overlay.path, &self.context.renderers.head, self.context.config)?;
        Ok(after.renders().then(|| images(&after.state)))
    }

    /// What overlays run now of an image's repository.
    fn same_repository(&self, overlays: &[&Overlay], image: &Image) -> Result<Vec<Image>, FactsError> {
        let mirrors = &self.context.config.mirrors;
        let mut running = Vec::new();
        for overlay in overlays {
            let current = self.context.history()?.current(&overlay.path)?;
            let is_same = |other: &Image| other.original(mirrors) == image.original(mirrors);
            running.extend(current.into_iter().filter(is_same));
        }
        Ok(running)
    }
}

/// What must have run together, once for every part in which it may have: what ran in different clusters did not run
/// together. An app that has no overlay of a part counts with all of its overlays.
fn by_part(required: &[Required<'_>]) -> Vec<Vec<(Vec<RepoPath>, String)>> {
    let parts: BTreeSet<&str> =
        required.iter().flat_map(|required| &required.overlays).map(|overlay| overlay.part.as_str()).collect();
    let of_part = |part: &str| {
        let closest = |required: &Required<'_>| {
            let is_of_part = |overlay: &&&Overlay| overlay.part == part;
            let overlays: Vec<&Overlay> = required.overlays.iter().filter(is_of_part).copied().collect();
            let overlays = if overlays.is_empty() { required.overlays.clone() } else { overlays };
            Required { overlays, content: required.content.clone() }.paths()
        };
        required.iter().map(closest).collect()
    };
    parts.into_iter().map(of_part).collect()
}

fn images(state: &State) -> Vec<Image> {
    state.images.iter().map(|used| used.image.clone()).collect()
}
