//! Apps that belong together, and what must be there before an app: which combination a change would make, and whether
//! it ever ran below. And the order in which controllers would deploy.

use std::collections::{BTreeMap, BTreeSet};

use super::documents::{Documents, Side, moment, side};
use super::promotions::{below, short_content, short_reference};
use super::{GateError, Subject};
use crate::facts::{Deployer, cycles, deployers, needed};
use crate::kustomize::{Options, Renderer, Scanner};
use crate::model::{Image, Overlay, Overlays, State};
use crate::policy::{Combination, CombinedApp, CombinedImage, Handle, Handles, Moment, OrderFault, Promotion};
use crate::sources::{Listing, RepoPath, Tree, list};
use crate::span::Span;

/// Apps that are to be looked at together, and why.
struct Bond {
    kind: &'static str,
    name: String,
    apps: Vec<String>,
    declared: Span,
}

/// An image that must have run in any one of these overlays.
type Want = (Vec<RepoPath>, String);

impl<'a> Documents<'a> {
    /// Every combination that what enters with a subject makes.
    pub(super) fn combinations(
        &self,
        subject: &Subject<'_>,
        after: &Side,
        promotions: &[Promotion],
        handles: &mut Handles,
    ) -> Result<Vec<Combination>, GateError> {
        let Some(at) = promotions.first().map(|promotion| promotion.at) else { return Ok(Vec::new()) };
        let mut combinations = Vec::new();
        for bond in self.bonds(subject)? {
            combinations.extend(self.combination(subject, after, &bond, at, handles)?);
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
        subject: &Subject<'_>,
        after: &Side,
        bond: &Bond,
        at: Handle,
        handles: &mut Handles,
    ) -> Result<Option<Combination>, GateError> {
        let config = &self.sides.config;
        let Some((_, environments)) = below(config, &self.sides.base, subject.overlay) else { return Ok(None) };
        let mut apps = Vec::new();
        let mut here: Vec<Want> = Vec::new();
        let mut wanted: BTreeMap<usize, Vec<Want>> = BTreeMap::new();
        let mut is_known = true;
        for app in &bond.apps {
            let is_own = *app == subject.overlay.app;
            let overlays = if is_own { vec![subject.overlay] } else { self.sides.head.of_app(app, subject.overlay) };
            for overlay in overlays {
                let images = if is_own { images(&after.state) } else { self.images_after(overlay)? };
                let mut told = Vec::new();
                for image in images {
                    let mut current = Vec::new();
                    let content = image.content(&config.mirrors);
                    for environment in &environments {
                        let counterparts = self.sides.base.counterparts(overlay, *environment);
                        let running = self.same_repository(&counterparts, &image)?;
                        if running.is_empty() {
                            continue;
                        }
                        let paths: Vec<RepoPath> = counterparts.iter().map(|other| other.path.clone()).collect();
                        let want = (paths, content.clone());
                        if is_own {
                            is_known &= self.history()?.together(std::slice::from_ref(&want))?.is_some();
                        }
                        wanted.entry(*environment).or_default().push(want);
                        current.extend(running.iter().map(short_content));
                    }
                    if !current.is_empty() {
                        current.sort();
                        current.dedup();
                        here.push((vec![overlay.path.clone()], content));
                        told.push(CombinedImage { short: short_reference(&image), below: current });
                    }
                }
                apps.push(CombinedApp { app: app.clone(), enters: is_own, images: told });
            }
        }
        let is_bound = apps.iter().filter(|app| !app.images.is_empty()).count() > 1;
        // What never ran below on its own is for `promotion/unproven` to tell.
        if !is_bound || !is_known {
            return Ok(None);
        }
        let told = |found: Option<(i64, crate::sources::CommitId)>| {
            found.map(|(time, commit)| Moment { time: moment(time), commit: commit.short() })
        };
        let mut together = None;
        for wanted in wanted.values() {
            together = together.or(told(self.history()?.together(wanted)?));
        }
        let here = match together {
            Some(_) => None,
            None => told(self.history()?.together(&here)?),
        };
        Ok(Some(Combination {
            at,
            kind: bond.kind,
            name: bond.name.clone(),
            declared_at: handles.place(bond.declared),
            environments: environments.iter().map(|at| config.environments[*at].name.clone()).collect(),
            apps,
            together,
            here,
        }))
    }

    /// What an overlay runs once the change has landed; nothing where it does not render.
    fn images_after(&self, overlay: &Overlay) -> Result<Vec<Image>, GateError> {
        let renderer = Renderer::new(self.sides.parsed, &*self.sides.judged.head_tree, Options::default());
        let after = side(true, &overlay.path, &renderer)?;
        Ok(images(&after.state))
    }

    /// What overlays run now of an image's repository.
    fn same_repository(&self, overlays: &[&Overlay], image: &Image) -> Result<Vec<Image>, GateError> {
        let mirrors = &self.sides.config.mirrors;
        let mut running = Vec::new();
        for overlay in overlays {
            let current = self.history()?.current(&overlay.path)?;
            let is_same = |other: &Image| mirrors.original(&other.repository) == mirrors.original(&image.repository);
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

fn images(state: &State) -> Vec<Image> {
    state.images.iter().map(|used| used.image.clone()).collect()
}

/// The deployers of one snapshot, and the overlays that each deploys.
pub(super) struct Controllers<'a> {
    deployers: Vec<Deployer>,
    overlays: Vec<Vec<&'a Overlay>>,
    needed: Vec<Vec<(usize, Span)>>,
}

impl<'a> Controllers<'a> {
    fn read(documents: &Documents<'_>, tree: &dyn Tree, overlays: &'a Overlays) -> Result<Self, GateError> {
        let folders = &documents.sides.config.controllers;
        if folders.is_empty() {
            return Ok(Self { deployers: Vec::new(), overlays: Vec::new(), needed: Vec::new() });
        }
        let parsed = documents.sides.parsed;
        let listing: Listing = list(tree)?;
        let deployers = deployers(tree, parsed, &listing, folders)?;
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
        Ok(Self { deployers, overlays: deployed, needed })
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
            faults.push((span, "cycle", way.iter().map(|at| self.deployers[*at].name.clone()).collect()));
        }
        for dependency in &documents.sides.config.dependencies {
            for (deployer, deployed) in self.deployers.iter().zip(&self.overlays) {
                for overlay in deployed.iter().filter(|overlay| overlay.app == dependency.app) {
                    let wave = deployer.wave.map_or(0, |(wave, _)| wave);
                    let is_later = |(other, deployed): &(&Deployer, &Vec<&Overlay>)| {
                        let is_needed = |other: &&Overlay| {
                            other.app == dependency.needs && other.environment == overlay.environment
                        };
                        deployed.iter().any(is_needed) && other.wave.map_or(0, |(wave, _)| wave) > wave
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
