//! Apps that belong together, and what must be there before an app: which combination a change would make, and whether
//! it ever ran below. And the order in which controllers would deploy.

use std::collections::{BTreeMap, BTreeSet};

use super::documents::{Documents, Side, side};
use super::promotions::{below, short_content, short_reference};
use super::{GateError, Subject};
use crate::facts::{Deployer, cycles, deployers, needed};
use crate::kustomize::Scanner;
use crate::model::{Image, Overlay, Overlays, State};
use crate::policy::{Combination, CombinedApp, CombinedImage, Handle, Handles, Moment, OrderFault, Promotion};
use crate::sources::{CommitId, RepoPath, Tree};
use crate::span::Span;
use crate::words;

/// Apps that are to be looked at together, and why.
struct Bond {
    kind: &'static str,
    name: String,
    apps: Vec<String>,
    declared: Span,
}

/// An image that must have run in any one of these overlays.
type Want = (Vec<RepoPath>, String);

/// The same, with the part that each overlay is of.
type WantByPart<'a> = (Vec<&'a Overlay>, String);

/// What is known of one image below.
#[derive(Default)]
struct Ran<'a> {
    /// Whether its content ever ran there.
    is_known: bool,
    /// What runs there now of its repository; `None` where it is no part of what runs there.
    below: Option<Vec<String>>,
    /// By environment.
    wants: Vec<(usize, WantByPart<'a>)>,
}

/// What a combination is made of.
struct Gathered<'a> {
    apps: Vec<CombinedApp>,
    /// What must have run together below, by environment.
    wanted: BTreeMap<usize, Vec<WantByPart<'a>>>,
    /// What must have run together here.
    here: Vec<Want>,
    /// Whether all of it is there and renders.
    is_decided: bool,
}

impl Default for Gathered<'_> {
    fn default() -> Self {
        Self { apps: Vec::new(), wanted: BTreeMap::new(), here: Vec::new(), is_decided: true }
    }
}

impl<'a> Documents<'a> {
    /// Every combination that what enters with a subject makes.
    pub(super) fn combinations(
        &self,
        (subject, before, after): (&Subject<'_>, &Side, &Side),
        promotions: &[Promotion],
        handles: &mut Handles,
    ) -> Result<Vec<Combination>, GateError> {
        let Some(at) = promotions.first().map(|promotion| promotion.at) else { return Ok(Vec::new()) };
        let mut combinations = Vec::new();
        for bond in self.bonds(subject)? {
            combinations.extend(self.combination((subject, before, after), &bond, at, handles)?);
        }
        Ok(combinations)
    }

    /// What the configuration, and controllers before or after the change, bind an app to.
    fn bonds(&self, subject: &Subject<'_>) -> Result<Vec<Bond>, GateError> {
        let app = &subject.overlay.app;
        let config = &self.sides.config;
        let mut bonds: Vec<Bond> = config
            .groups
            .iter()
            .filter(|group| group.apps.contains(app))
            .map(|group| Bond {
                kind: "group",
                name: group.name.clone(),
                apps: group.apps.clone(),
                declared: group.span,
            })
            .collect();
        let mut needs: BTreeMap<String, Span> = BTreeMap::new();
        for dependency in config.dependencies.iter().filter(|dependency| dependency.app == *app) {
            needs.entry(dependency.needs.clone()).or_insert(dependency.span);
        }
        for (needed, span) in self.controllers()?.iter().flat_map(|side| side.needs(subject.overlay)) {
            needs.entry(needed).or_insert(span);
        }
        bonds.extend(needs.into_iter().filter(|(needed, _)| needed != app).map(|(needed, declared)| Bond {
            kind: "dependency",
            name: needed.clone(),
            apps: vec![app.clone(), needed],
            declared,
        }));
        Ok(bonds)
    }

    fn combination(
        &self,
        (subject, before, after): (&Subject<'_>, &Side, &Side),
        bond: &Bond,
        at: Handle,
        handles: &mut Handles,
    ) -> Result<Option<Combination>, GateError> {
        let config = &self.sides.config;
        let Some((_, environments)) = below(config, &self.sides.base, subject.overlay) else { return Ok(None) };
        let stood: Vec<String> = images(&before.state).iter().map(|image| image.content(&config.mirrors)).collect();
        let mut found = Gathered::default();
        let mut enters = false;
        for app in &bond.apps {
            let is_own = *app == subject.overlay.app;
            let overlays = if is_own { vec![subject.overlay] } else { self.sides.head.of_app(app, subject.overlay) };
            let mut told = Vec::new();
            for overlay in &overlays {
                let Some(images) = (if is_own { Some(images(&after.state)) } else { self.images_after(overlay)? })
                else {
                    found.is_decided = false;
                    told.push(CombinedImage { short: "what does not render".to_owned(), below: Vec::new() });
                    continue;
                };
                for image in images {
                    let content = image.content(&config.mirrors);
                    let is_new = is_own && !stood.contains(&content);
                    let ran = self.ran_below(overlay, &environments, &image)?;
                    // What enters and never ran below on its own is for `promotion/unproven` to tell.
                    if is_new && !ran.is_known || ran.below.is_none() {
                        continue;
                    }
                    enters |= is_new;
                    found.here.push((vec![overlay.path.clone()], content.clone()));
                    for (environment, want) in ran.wants {
                        found.wanted.entry(environment).or_default().push(want);
                    }
                    told.push(CombinedImage { short: short_reference(&image), below: ran.below.unwrap_or_default() });
                }
            }
            if bond.kind == "dependency" && overlays.is_empty() && self.stands_below(app, &environments) {
                found.is_decided = false;
                told.push(CombinedImage { short: "nothing of it".to_owned(), below: Vec::new() });
            }
            found.apps.push(CombinedApp { app: app.clone(), enters: is_own, images: told });
        }
        let is_bound = found.apps.iter().filter(|app| !app.images.is_empty()).count() > 1;
        if !is_bound || !enters {
            return Ok(None);
        }
        let told = |found: Option<(i64, CommitId)>| {
            found.map(|(time, commit)| Moment { time: words::moment(time), commit: commit.short() })
        };
        let (mut together, mut here) = (None, None);
        if found.is_decided {
            // Where a part of it is not run at all nothing is proven of the whole.
            let is_whole = |wanted: &&Vec<WantByPart<'_>>| wanted.len() == found.here.len();
            for wanted in found.wanted.values().filter(is_whole).flat_map(|wanted| by_part(wanted)) {
                together = together.or(told(self.history()?.together(&wanted)?));
            }
            if together.is_none() {
                here = told(self.history()?.together(&found.here)?);
            }
        }
        Ok(Some(Combination {
            at,
            kind: bond.kind,
            name: bond.name.clone(),
            declared_at: handles.place(bond.declared),
            environments: environments.iter().map(|at| config.environments[*at].name.clone()).collect(),
            apps: found.apps,
            together,
            here,
        }))
    }

    /// Whether and where an image of an overlay belongs to what its app runs below.
    fn ran_below(&self, overlay: &Overlay, environments: &[usize], image: &Image) -> Result<Ran<'a>, GateError> {
        let content = image.content(&self.sides.config.mirrors);
        let mut ran = Ran::default();
        for environment in environments {
            let counterparts = self.sides.base.counterparts(overlay, *environment);
            let want: Want = (counterparts.iter().map(|other| other.path.clone()).collect(), content.clone());
            let running = self.same_repository(&counterparts, image)?;
            let is_known = self.history()?.together(std::slice::from_ref(&want))?.is_some();
            ran.is_known |= is_known;
            if !is_known && running.is_empty() {
                continue;
            }
            ran.wants.push((*environment, (counterparts, content.clone())));
            ran.below.get_or_insert_with(Vec::new).extend(running.iter().map(short_content));
        }
        if let Some(below) = &mut ran.below {
            below.sort();
            below.dedup();
        }
        Ok(ran)
    }

    /// Whether an app has an overlay in any of these environments.
    fn stands_below(&self, app: &str, environments: &[usize]) -> bool {
        self.sides.base.all.iter().any(|overlay| overlay.app == app && environments.contains(&overlay.environment))
    }

    /// What an overlay runs once the change has landed; `None` where it does not render.
    fn images_after(&self, overlay: &Overlay) -> Result<Option<Vec<Image>>, GateError> {
        let after = side(true, &overlay.path, &self.after)?;
        Ok(after.renders().then(|| images(&after.state)))
    }

    /// What overlays run now of an image's repository.
    fn same_repository(&self, overlays: &[&Overlay], image: &Image) -> Result<Vec<Image>, GateError> {
        let mirrors = &self.sides.config.mirrors;
        let mut running = Vec::new();
        for overlay in overlays {
            let current = self.history()?.current(&overlay.path)?;
            let is_same = |other: &Image| other.original(mirrors) == image.original(mirrors);
            running.extend(current.into_iter().filter(is_same));
        }
        Ok(running)
    }

    /// Controllers after and before the change.
    fn controllers(&self) -> Result<&[Controllers<'a>; 2], GateError> {
        if let Some(controllers) = self.controllers.get() {
            return Ok(controllers);
        }
        let judged = self.sides.judged;
        let after = Controllers::read(self, &*judged.head_tree, &self.sides.head)?;
        let before = Controllers::read(self, &judged.base_tree, &self.sides.base)?;
        Ok(self.controllers.get_or_init(|| [after, before]))
    }

    /// What is wrong with the order of controllers that the base does not have already.
    pub(super) fn order_faults(&self, handles: &mut Handles) -> Result<Vec<OrderFault>, GateError> {
        let folders = &self.sides.config.controllers;
        let touches = |path: &RepoPath| folders.iter().any(|folder| path.is_within(folder));
        if !self.sides.change.files.iter().any(touches) {
            return Ok(Vec::new());
        }
        let [after, before] = self.controllers()?.each_ref().map(|side| side.faults(self));
        let known: BTreeSet<_> = before.iter().map(|(_, kind, names)| (*kind, names.clone())).collect();
        let new = after.into_iter().filter(|(_, kind, names)| !known.contains(&(*kind, names.clone())));
        Ok(new.map(|(span, kind, names)| OrderFault { at: handles.place(span), kind, names }).collect())
    }
}

/// What must have run together, once for every part in which it may have: what ran in different clusters did not run
/// together. An app that has no overlay of a part counts with all of its overlays.
fn by_part(wanted: &[WantByPart<'_>]) -> Vec<Vec<Want>> {
    let parts: BTreeSet<&str> =
        wanted.iter().flat_map(|(overlays, _)| overlays).map(|overlay| overlay.part.as_str()).collect();
    let paths = |overlays: &[&Overlay]| overlays.iter().map(|overlay| overlay.path.clone()).collect::<Vec<_>>();
    let of_part = |part: &str| {
        let want = |(overlays, content): &WantByPart<'_>| {
            let of_part: Vec<&Overlay> = overlays.iter().copied().filter(|overlay| overlay.part == part).collect();
            (if of_part.is_empty() { paths(overlays) } else { paths(&of_part) }, content.clone())
        };
        wanted.iter().map(want).collect()
    };
    parts.into_iter().map(of_part).collect()
}

fn images(state: &State) -> Vec<Image> {
    state.images.iter().map(|used| used.image.clone()).collect()
}

/// The deployers of one snapshot, and the overlays that each deploys.
pub(super) struct Controllers<'a> {
    all: &'a Overlays,
    deployers: Vec<Deployer>,
    overlays: Vec<Vec<&'a Overlay>>,
    needed: Vec<Vec<(usize, Span)>>,
}

impl<'a> Controllers<'a> {
    fn read(documents: &Documents<'_>, tree: &dyn Tree, overlays: &'a Overlays) -> Result<Self, GateError> {
        let folders = &documents.sides.config.controllers;
        if folders.is_empty() {
            return Ok(Self { all: overlays, deployers: Vec::new(), overlays: Vec::new(), needed: Vec::new() });
        }
        let parsed = documents.sides.parsed;
        let deployers = deployers(tree, parsed, folders)?;
        let scanner = Scanner::new(parsed, tree);
        let mut deployed = Vec::new();
        for deployer in &deployers {
            let mut found = Vec::new();
            for folder in &deployer.folders {
                let reach = scanner.reach(folder).map_err(GateError::Unreadable)?;
                found.extend(std::iter::once(folder).chain(&reach.roots).filter_map(|path| overlays.at(path)));
            }
            deployed.push(found);
        }
        let needed = needed(&deployers);
        Ok(Self { all: overlays, deployers, overlays: deployed, needed })
    }

    /// The apps that must be there before an overlay's, and where that is written.
    fn needs(&self, overlay: &Overlay) -> Vec<(String, Span)> {
        let mut needs = Vec::new();
        for (deployed, needed) in self.overlays.iter().zip(&self.needed) {
            if !deployed.iter().any(|other| other.path == overlay.path) {
                continue;
            }
            for (other, span) in needed {
                let apps = self.overlays[*other].iter().filter(|other| other.environment == overlay.environment);
                needs.extend(apps.map(|other| (other.app.clone(), *span)));
            }
        }
        needs
    }

    /// Circles of `dependsOn`, and waves that start an app before what it depends on.
    fn faults(&self, documents: &Documents<'_>) -> Vec<(Span, &'static str, Vec<String>)> {
        let mut faults = Vec::new();
        for (span, way) in cycles(&self.needed) {
            // The same circle is the same wherever it is entered.
            let mut names: Vec<String> = way.iter().map(|at| self.deployers[*at].name.clone()).collect();
            let first = (0..names.len()).min_by_key(|at| &names[*at]).unwrap_or_default();
            names.rotate_left(first);
            faults.push((span, "cycle", names));
        }
        for dependency in &documents.sides.config.dependencies {
            for (deployer, deployed) in self.deployers.iter().zip(&self.overlays) {
                for overlay in deployed.iter().filter(|overlay| overlay.app == dependency.app) {
                    let wave = deployer.wave.map_or(0, |(wave, _)| wave);
                    let needed = self.all.of_app(&dependency.needs, overlay);
                    let is_later = |(other, deployed): &(&Deployer, &Vec<&Overlay>)| {
                        deployed.iter().any(|other| needed.contains(other))
                            && other.wave.map_or(0, |(wave, _)| wave) > wave
                    };
                    if let Some((other, _)) = self.deployers.iter().zip(&self.overlays).find(is_later) {
                        let span = deployer.wave.or(other.wave).map_or(deployer.span, |(_, span)| span);
                        let names = vec![dependency.app.clone(), dependency.needs.clone(), deployer.name.clone()];
                        faults.push((span, "wave", names));
                    }
                }
            }
        }
        faults
    }
}
