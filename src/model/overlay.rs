//! Which folders are overlays, and of which app in which environment.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rayon::prelude::*;

use super::deployed::Deployed;
use crate::config::{Config, Controller, ONE_ENVIRONMENT};
use crate::kustomize::{Deployer, Elsewhere, FILE_NAMES, LoadRestrictor, Options, Project, RenderError, Scanner};
use crate::sources::{LeafKind, Listing, MovedPath, RepoPath};

/// One app in one environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Overlay {
    /// The folder.
    pub path: RepoPath,
    /// The application.
    pub app: String,
    /// The environment's position in the configuration.
    pub environment: usize,
    /// The cluster or the part of the app; empty where there is none.
    pub part: String,
    /// The folders below the one that names the environment, where no layout says what they are. They may be another
    /// app: in `clusters/production/api` and `clusters/staging/web` they are.
    pub(super) below: String,
}

/// Which overlays are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct OverlayFilter<'a> {
    /// Only this app.
    pub app: Option<&'a str>,
    /// Only the environment at this position.
    pub environment: Option<usize>,
}

impl OverlayFilter<'_> {
    /// Whether an overlay is wanted.
    #[must_use]
    pub fn accepts(&self, overlay: &Overlay) -> bool {
        self.app.is_none_or(|app| app == overlay.app)
            && self.environment.is_none_or(|environment| environment == overlay.environment)
    }
}

/// The overlays of one tree.
#[derive(Clone, Debug, Default)]
pub struct Overlays {
    /// In path order; a path stands once.
    pub all: Vec<Overlay>,
    /// Every folder that is an overlay, may be one, or that one may use.
    pub folders: BTreeSet<RepoPath>,
    /// The objects of controllers that deploy folders, with an overlay or without.
    pub deployers: Vec<Deployer>,
    /// Argo CD's projects with sync windows.
    pub projects: Vec<Project>,
    /// Files that may hold `CustomResourceDefinition`s.
    pub definitions: Vec<RepoPath>,
    /// Folders that are overlays by their path, but that controllers deploy only with changes: those are the overlays.
    replaced: BTreeSet<RepoPath>,
    /// Whether the repository names no environment, so that all of it is one.
    pub is_one_environment: bool,
    /// The folders that all apps are in, which their names leave out.
    common: Vec<String>,
}

impl Overlays {
    /// How the gate renders them: what comes from elsewhere is known by name and version only.
    #[must_use]
    pub fn rendering(&self, config: &Config) -> Options {
        let has_flux = self.deployers.iter().any(|deployer| deployer.controller == Controller::Flux);
        let of_controllers = if has_flux { LoadRestrictor::None } else { LoadRestrictor::RootOnly };
        let elsewhere = if config.requires_sources { Elsewhere::Required } else { Elsewhere::LeftOut };
        Options { elsewhere, ..Options::for_gate(config.load_restrictor.unwrap_or(of_controllers)) }
    }

    /// The object that deploys an overlay which is not a folder as it is.
    #[must_use]
    pub fn deployer(&self, path: &RepoPath) -> Option<&Deployer> {
        self.deployers.iter().find(|deployer| deployer.path == *path)
    }

    /// The overlay in a folder.
    #[must_use]
    pub fn at(&self, path: &RepoPath) -> Option<&Overlay> {
        let at = self.all.binary_search_by(|overlay| overlay.path.cmp(path)).ok()?;
        self.all.get(at)
    }

    /// The overlays of another app beside one: in its environment, of its part where there are any.
    pub fn of_app<'a>(&'a self, app: &str, beside: &Overlay) -> Vec<&'a Overlay> {
        let is_of_app = |other: &&Overlay| other.app == app && other.environment == beside.environment;
        let of_app: Vec<&Overlay> = self.all.iter().filter(is_of_app).collect();
        let closer: Vec<&Overlay> = of_app.iter().copied().filter(|other| other.part == beside.part).collect();
        if closer.is_empty() { of_app } else { closer }
    }

    /// Every overlay of the same app in an environment, in whatever cluster or part.
    pub fn same_app<'a>(&'a self, overlay: &Overlay, environment: usize) -> Vec<&'a Overlay> {
        let is_of_app = |other: &&Overlay| other.environment == environment && other.app == overlay.app;
        self.all.iter().filter(is_of_app).collect()
    }

    /// The overlays of the same app in another environment: those of the same part where there are any. What stands
    /// below the environment's folder must be the same, or be all of it.
    pub fn counterparts<'a>(&'a self, overlay: &Overlay, environment: usize) -> Vec<&'a Overlay> {
        let is_of_app = |other: &&Overlay| {
            other.environment == environment
                && other.app == overlay.app
                && (other.below == overlay.below || other.below.is_empty())
        };
        let of_app: Vec<&Overlay> = self.all.iter().filter(is_of_app).collect();
        let closest = |other: &&Overlay| other.part == overlay.part;
        let close = |other: &&Overlay| other.below == overlay.below;
        for is_closer in [&closest as &dyn Fn(&&Overlay) -> bool, &close] {
            let closer: Vec<&Overlay> = of_app.iter().copied().filter(is_closer).collect();
            if !closer.is_empty() {
                return closer;
            }
        }
        of_app
    }
}

/// Finds the overlays of a tree. What `known` has, the base's overlays, stays an overlay as long as anything stands
/// there: a change cannot hide one by turning it into something else.
///
/// # Errors
/// When the tree cannot be read.
pub fn discover(
    config: &Config,
    listing: &Listing,
    scanner: &Scanner<'_>,
    known: Option<&Overlays>,
) -> Result<Overlays, RenderError> {
    let controlled = scanner.controlled(listing, &config.controllers)?;
    let candidates = Candidates::of(config, listing);
    let mut overlays = found_among(config, &candidates, scanner, known, Deployed::of(config, controlled, listing))?;
    let is_first = known.is_none_or(|known| known.all.is_empty());
    let may_be_one = config.layouts.is_empty() && (config.has_usual_environments || config.environment.is_some());
    if may_be_one && overlays.all.is_empty() && is_first || known.is_some_and(|known| known.is_one_environment) {
        overlays = as_one_environment(config, listing, &candidates, scanner, overlays)?;
    }
    Ok(overlays)
}

/// The same among folders that may be overlays.
///
/// # Errors
/// When the tree cannot be read.
pub fn discover_among(
    config: &Config,
    candidates: &Candidates,
    scanner: &Scanner<'_>,
    known: Option<&Overlays>,
) -> Result<Overlays, RenderError> {
    found_among(config, candidates, scanner, known, Deployed::default())
}

fn found_among(
    config: &Config,
    candidates: &Candidates,
    scanner: &Scanner<'_>,
    known: Option<&Overlays>,
    deployed: Deployed,
) -> Result<Overlays, RenderError> {
    let mut folders = candidates.folders(config, scanner)?;
    // Every one of them is asked about below.
    if config.layouts.is_empty() {
        let paths: Vec<&RepoPath> = folders.iter().collect();
        for asked in paths.par_iter().map(|path| scanner.is_component(path)).collect::<Vec<_>>() {
            asked?;
        }
    }
    let is_known = |path: &RepoPath| known.is_some_and(|known| known.at(path).is_some());
    let mut found = Vec::new();
    for path in &folders {
        if let Some(overlay) = recognise(config, path) {
            // Where nobody says what is an overlay, components beside them are none.
            let is_beside = config.layouts.is_empty() && !is_known(path) && scanner.is_component(path)?;
            found.extend(Some(overlay).filter(|_| !is_beside));
        }
    }
    if config.layouts.is_empty() {
        found = without_parts_of_others(found, scanner, &is_known)?;
        found = without_bases(config, found, &folders, scanner, &is_known)?;
        if config.has_usual_environments {
            let deployed_to = deployed.overlays.iter().map(|overlay| overlay.environment).collect();
            found = without_lone_names(config, found, &deployed_to, &is_known);
        }
    }
    let mut common = Vec::new();
    if config.layouts.is_empty() {
        let base = known.filter(|known| !known.all.is_empty());
        common = base.map_or_else(|| common_folders(&found), |known| known.common.clone());
    }
    let Deployed { deployers, projects, definitions, overlays: by_controllers, mut replaced } = deployed;
    let paths: HashSet<&RepoPath> = by_controllers.iter().map(|overlay| &overlay.path).collect();
    replaced.retain(|path| known.is_none_or(|known| known.replaced.contains(path)) && !paths.contains(path));
    replaced.extend(known.into_iter().flat_map(|known| known.replaced.iter().cloned()));
    found.retain(|overlay| !replaced.contains(&overlay.path) && !paths.contains(&overlay.path));
    found.extend(by_controllers);
    if config.layouts.is_empty() {
        let named = named_endings(config, &found);
        for overlay in &mut found {
            match named.get(&overlay.app) {
                Some(name) => name.clone_into(&mut overlay.app),
                None => shorten(overlay, &common),
            }
        }
    }
    let paths: HashSet<RepoPath> = found.iter().map(|overlay| overlay.path.clone()).collect();
    for overlay in known.into_iter().flat_map(|known| &known.all) {
        if !paths.contains(&overlay.path) && scanner.resolved(&overlay.path)?.is_some() {
            found.push(overlay.clone());
        }
    }
    found.sort();
    folders.extend(found.iter().map(|overlay| overlay.path.clone()));
    Ok(Overlays { all: found, folders, deployers, projects, definitions, replaced, is_one_environment: false, common })
}

/// What looks as if somebody should judge it, but is no overlay.
#[derive(Clone, Debug, Default)]
pub struct Unjudged {
    /// Kustomizations that are no overlay and that no overlay uses, in path order.
    pub kustomizations: Vec<RepoPath>,
    /// Folders of manifests that name an environment, but have no kustomization, and that no kustomization reads, in path
    /// order; only without a layout, which makes overlays of them.
    pub plain: Vec<RepoPath>,
}

impl Unjudged {
    /// Looks for what `overlays` leave out among these kustomizations and files of the same tree. Whatever uses one of them
    /// must be among them too.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn beside(
        overlays: &Overlays,
        config: &Config,
        kustomizations: &BTreeSet<RepoPath>,
        files: &[RepoPath],
        scanner: &Scanner<'_>,
    ) -> Result<Self, RenderError> {
        let is_plain = |path: &&RepoPath| config.layouts.is_empty() && is_plain(config, path, &overlays.folders);
        let plain = unread(files.iter().filter(is_plain).collect(), kustomizations, scanner)?;
        let mut kustomizations = unrecognised(kustomizations, overlays, scanner)?;
        kustomizations.retain(|folder| !config.exclude.hold(folder));
        Ok(Self { kustomizations, plain })
    }
}

fn is_manifest(path: &RepoPath) -> bool {
    matches!(path.ending(), "yaml" | "yml" | "json")
}

/// Whether a file is a manifest in a folder that names an environment, but has no kustomization.
fn is_plain(config: &Config, path: &RepoPath, kustomizations: &BTreeSet<RepoPath>) -> bool {
    let folder = path.parent().filter(|folder| !kustomizations.contains(folder));
    is_manifest(path) && folder.is_some_and(|folder| recognise(config, &folder).is_some())
}

/// The folders of files that no kustomization reads.
fn unread(
    mut files: BTreeSet<&RepoPath>,
    kustomizations: &BTreeSet<RepoPath>,
    scanner: &Scanner<'_>,
) -> Result<Vec<RepoPath>, RenderError> {
    for kustomization in kustomizations {
        if files.is_empty() {
            break;
        }
        for path in scanner.scan(kustomization)?.closure.paths() {
            files.remove(path);
        }
    }
    let folders: BTreeSet<RepoPath> = files.into_iter().filter_map(RepoPath::parent).collect();
    Ok(folders.into_iter().collect())
}

/// Folders that may be overlays, and all that an overlay may use: those with a kustomization, with a layout also those with
/// manifests, and whatever a link leads to.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// How many files make a folder one.
    folders: BTreeMap<RepoPath, usize>,
    links: BTreeSet<RepoPath>,
    /// Whether manifests alone make an overlay.
    with_manifests: bool,
}

impl Candidates {
    /// None yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self { with_manifests: !config.layouts.is_empty(), ..Self::default() }
    }

    /// Those of a whole tree.
    #[must_use]
    pub fn of(config: &Config, listing: &Listing) -> Self {
        let mut candidates = Self::new(config);
        for path in &listing.files {
            candidates.add(path);
        }
        for path in &listing.others {
            candidates.add(path);
            candidates.links.insert(path.clone());
        }
        candidates
    }

    /// Follows a step of the tree; says whether other folders may be overlays now.
    pub fn follow(&mut self, moved: &MovedPath) -> bool {
        let MovedPath { path, old, new } = moved;
        let mut is_reshaped = false;
        for (kind, is_added) in [(old, false), (new, true)] {
            if *kind == Some(LeafKind::Other) {
                is_reshaped = true;
                if is_added {
                    self.links.insert(path.clone());
                } else {
                    self.links.remove(path);
                }
            }
        }
        match (old, new) {
            (None, Some(_)) => is_reshaped |= self.add(path),
            (Some(_), None) => is_reshaped |= self.remove(path),
            _ => {}
        }
        is_reshaped
    }

    fn counts(&self, path: &RepoPath) -> bool {
        FILE_NAMES.contains(&path.file_name()) || self.with_manifests && is_manifest(path)
    }

    fn add(&mut self, path: &RepoPath) -> bool {
        let folder = path.parent().filter(|_| self.counts(path));
        let Some(folder) = folder else { return false };
        *self.folders.entry(folder).or_default() += 1;
        true
    }

    fn remove(&mut self, path: &RepoPath) -> bool {
        let folder = path.parent().filter(|_| self.counts(path));
        let Some(folder) = folder else { return false };
        if let Some(count) = self.folders.get_mut(&folder) {
            *count -= 1;
            if *count == 0 {
                self.folders.remove(&folder);
            }
        }
        true
    }

    fn folders(&self, config: &Config, scanner: &Scanner<'_>) -> Result<BTreeSet<RepoPath>, RenderError> {
        let mut folders: BTreeSet<RepoPath> = self.folders.keys().cloned().collect();
        for link in &self.links {
            if recognise(config, link).is_some() && scanner.scan(link)?.file.is_some() {
                folders.insert(link.clone());
            }
            // A link above overlays is a way to each of them.
            let Some(real) = scanner.resolved(link)? else { continue };
            for folder in self.folders.keys().filter(|folder| **folder != real && folder.is_within(&real)) {
                let below = folder.as_str()[real.as_str().len()..].trim_start_matches('/');
                let by_link = below.split('/').fold(link.clone(), |folder, name| folder.child(name));
                if recognise(config, &by_link).is_some() {
                    folders.insert(by_link);
                }
            }
        }
        Ok(folders)
    }
}

/// Kustomizations that nobody judges.
fn unrecognised(
    folders: &BTreeSet<RepoPath>,
    overlays: &Overlays,
    scanner: &Scanner<'_>,
) -> Result<Vec<RepoPath>, RenderError> {
    let mut used: HashSet<RepoPath> = HashSet::new();
    let mut unrecognised = Vec::new();
    for path in folders {
        let reach = scanner.scan(path)?;
        used.extend(reach.roots.iter().cloned());
        if overlays.at(path).is_none() && reach.file.is_some() {
            unrecognised.push(path.clone());
        }
    }
    unrecognised.retain(|path| !used.contains(path));
    Ok(unrecognised)
}

/// What a folder is by its path alone; the app's name has all folders.
#[must_use]
pub fn recognise(config: &Config, path: &RepoPath) -> Option<Overlay> {
    if config.exclude.hold(path) {
        return None;
    }
    let overlay = |app: String, environment: usize, part: String, below: String| Overlay {
        path: path.clone(),
        app,
        environment,
        part,
        below,
    };
    if !config.layouts.is_empty() {
        let matched = config.layouts.iter().find_map(|layout| {
            let matched = layout.matches(path)?;
            let by_name = || config.environment_of(&matched.environment);
            let environment = if layout.names_environment() { by_name() } else { config.environment };
            Some((environment?, matched))
        });
        return matched.map(|(environment, matched)| overlay(matched.app, environment, matched.cluster, String::new()));
    }
    let segments: Vec<&str> = path.segments().collect();
    let (last, environment, rest) = named_segment(config, &segments)?;
    if is_example(path) || segments.iter().enumerate().any(|(here, segment)| here != last && is_building_block(segment))
    {
        return None;
    }
    // Folders on the way may repeat the name: `core/overlays/moc-prod/frontend-prod`.
    let says_same = |at: &usize| environment_in(config, segments[*at]).is_some_and(|(other, _)| other == environment);
    let first = (1..last).rev().take_while(says_same).last().unwrap_or(last);
    let before: Vec<&str> =
        segments[..first].iter().copied().filter(|segment| !matches!(*segment, "overlays" | "overlay")).collect();
    let named = segments[first..last].iter().filter_map(|segment| Some(environment_in(config, segment)?.1));
    let mut below: Vec<String> = Vec::new();
    let mut part: Vec<String> = named.chain([rest]).collect();
    if first < last {
        below.extend(part.pop());
    }
    below.extend(segments[last + 1..].iter().map(|segment| (*segment).to_owned()));
    below.retain(|segment| !segment.is_empty());
    part.extend(below.iter().cloned());
    part.retain(|segment| !segment.is_empty());
    Some(overlay(before.join("/"), environment, part.join("/"), below.join("/")))
}

/// The environment that a path names in its last segment that names any.
#[must_use]
pub fn environment_of_path(config: &Config, path: &RepoPath) -> Option<usize> {
    let segments: Vec<&str> = path.segments().collect();
    named_segment(config, &segments).map(|(_, environment, _)| environment)
}

/// Whether a folder of this name holds what overlays are built from.
fn is_building_block(segment: &str) -> bool {
    matches!(segment, "base" | "bases" | "components" | "component") || segment.starts_with("base-")
}

/// The segment that names the environment: the last one that is a name of it, else the last one that has such a name among
/// its words. Its position, the environment, and what is left of it.
pub(super) fn named_segment(config: &Config, segments: &[&str]) -> Option<(usize, usize, String)> {
    let exact = segments.iter().enumerate().rev().find_map(|(at, segment)| {
        let environment = config.environment_of(segment)?;
        Some((at, environment, String::new()))
    });
    exact.or_else(|| {
        segments.iter().enumerate().rev().find_map(|(at, segment)| {
            let (environment, rest) = environment_in(config, segment)?;
            Some((at, environment, rest))
        })
    })
}

/// The environment that a segment names among its words, which `-` and `_` separate, and what is left of the segment. Dots do
/// not separate: they are in names of API groups and versions.
fn environment_in(config: &Config, segment: &str) -> Option<(usize, String)> {
    let words: Vec<&str> = segment.split(['-', '_']).collect();
    // `stage0` is the first of several.
    let without_number = |word: &str| word.trim_end_matches(|digit: char| digit.is_ascii_digit()).len();
    let named = words.iter().enumerate().rev().find_map(|(at, word)| {
        let whole = config.environment_of(word).map(|environment| (at, environment, word.len()));
        let length = without_number(word);
        whole.or_else(|| Some((at, config.environment_of(&word[..length]).filter(|_| length > 0)?, length)))
    });
    let (at, environment, length) = named?;
    let number = [&words[at][length..]];
    let rest = words[..at].iter().chain(&number).chain(&words[at + 1..]).copied().filter(|word| !word.is_empty());
    Some((environment, rest.collect::<Vec<_>>().join("-")))
}

/// Leaves out folders that only have an environment's name among their words, and that another kustomization lists: they are
/// parts of it, called after what they are about (`clusterissuers/letsencrypt-staging`).
fn without_bases(
    config: &Config,
    found: Vec<Overlay>,
    folders: &BTreeSet<RepoPath>,
    scanner: &Scanner<'_>,
    is_known: &dyn Fn(&RepoPath) -> bool,
) -> Result<Vec<Overlay>, RenderError> {
    let by_words = |path: &RepoPath| path.segments().all(|segment| config.environment_of(segment).is_none());
    let doubtful: HashSet<&RepoPath> =
        found.iter().map(|overlay| &overlay.path).filter(|path| by_words(path) && !is_known(path)).collect();
    if doubtful.is_empty() {
        return Ok(found);
    }
    let names: HashSet<&str> = doubtful.iter().map(|path| path.file_name()).collect();
    let folders: Vec<&RepoPath> = folders.iter().collect();
    let listed = folders.par_iter().map(|folder| {
        let above = |path: &&&RepoPath| path.is_within(folder) && path != &folder;
        let may_use = doubtful.iter().any(|path| above(&path)) || scanner.may_list(folder, &names)?;
        let scan = if may_use { Some(scanner.scan(folder)?) } else { None };
        let roots = scan.iter().flat_map(|scan| scan.roots.iter().filter(|root| root != folder));
        Ok::<_, RenderError>(roots.filter(|root| doubtful.contains(root)).cloned().collect::<Vec<_>>())
    });
    let mut used: HashSet<RepoPath> = HashSet::new();
    for listed in listed.collect::<Vec<_>>() {
        used.extend(listed?);
    }
    Ok(found.into_iter().filter(|overlay| !used.contains(&overlay.path)).collect())
}

/// Leaves out folders that another overlay of the same environment uses: they are judged with it.
fn without_parts_of_others(
    found: Vec<Overlay>,
    scanner: &Scanner<'_>,
    is_known: &dyn Fn(&RepoPath) -> bool,
) -> Result<Vec<Overlay>, RenderError> {
    let environments: HashMap<&RepoPath, usize> =
        found.iter().map(|overlay| (&overlay.path, overlay.environment)).collect();
    let names: HashSet<&str> = found.iter().map(|overlay| overlay.path.file_name()).collect();
    let above = |overlay: &Overlay| std::iter::successors(overlay.path.parent(), RepoPath::parent);
    let nesting: HashSet<RepoPath> =
        found.iter().flat_map(above).filter(|folder| environments.contains_key(folder)).collect();
    let scans = found.par_iter().map(|overlay| {
        let may_use = nesting.contains(&overlay.path) || scanner.may_list(&overlay.path, &names)?;
        if may_use { scanner.scan(&overlay.path).map(Some) } else { Ok(None) }
    });
    let mut used: HashSet<RepoPath> = HashSet::new();
    for (overlay, scan) in found.iter().zip(scans.collect::<Vec<_>>()) {
        let same = |root: &&RepoPath| environments.get(root) == Some(&overlay.environment) && **root != overlay.path;
        used.extend(scan?.iter().flat_map(|scan| scan.roots.iter().filter(same).cloned().collect::<Vec<_>>()));
    }
    let is_part = |overlay: &Overlay| used.contains(&overlay.path);
    Ok(found.into_iter().filter(|overlay| is_known(&overlay.path) || !is_part(overlay)).collect())
}

/// Leaves out overlays whose environment's name stands alone: a namespace that is called `development` is none, if nothing in
/// the same place is called after another environment. A protected one needs no company, nor one that controllers deploy to.
fn without_lone_names(
    config: &Config,
    found: Vec<Overlay>,
    deployed_to: &BTreeSet<usize>,
    is_known: &dyn Fn(&RepoPath) -> bool,
) -> Vec<Overlay> {
    // Places are the same where at most one folder above the environment's has another name.
    let places = |overlay: &Overlay| -> Vec<String> {
        let segments: Vec<&str> = overlay.path.segments().collect();
        let at = named_segment(config, &segments).map_or(0, |(at, ..)| at);
        let without = |left_out: usize| -> String {
            let names = segments[..at].iter().enumerate();
            names.map(|(here, name)| if here == left_out { "*" } else { name }).collect::<Vec<_>>().join("/")
        };
        if at == 0 { vec![String::new()] } else { (0..at).map(without).collect() }
    };
    let mut environments: HashMap<String, BTreeSet<usize>> = HashMap::new();
    for overlay in &found {
        for place in places(overlay) {
            environments.entry(place).or_default().insert(overlay.environment);
        }
    }
    let has_company = |overlay: &Overlay| {
        places(overlay).iter().any(|place| environments.get(place).is_some_and(|environments| environments.len() > 1))
    };
    let keeps = |overlay: &Overlay| {
        let is_named_elsewhere = deployed_to.contains(&overlay.environment);
        let needs_none = config.environments[overlay.environment].protected || is_named_elsewhere;
        needs_none || has_company(overlay) || is_known(&overlay.path)
    };
    found.into_iter().filter(keeps).collect()
}

/// The overlays of a repository that names no environment: what its controllers deploy, every kustomization that nothing else
/// uses, and every folder of objects that no kustomization reads.
fn as_one_environment(
    config: &Config,
    listing: &Listing,
    candidates: &Candidates,
    scanner: &Scanner<'_>,
    mut overlays: Overlays,
) -> Result<Overlays, RenderError> {
    let Some(environment) = config.environment.or_else(|| config.environment(ONE_ENVIRONMENT)) else {
        return Ok(overlays);
    };
    let mut paths: BTreeSet<RepoPath> = BTreeSet::new();
    let mut used: HashSet<RepoPath> = HashSet::new();
    for deployer in &overlays.deployers {
        let is_plain = deployer.changes.is_empty() && candidates.folders.contains_key(&deployer.folder);
        used.extend(scanner.scan(&deployer.path)?.roots.iter().filter(|root| **root != deployer.holder).cloned());
        paths.insert(if is_plain { deployer.folder.clone() } else { deployer.path.clone() });
    }
    let folders = candidates.folders(config, scanner)?;
    for folder in &folders {
        used.extend(scanner.scan(folder)?.roots.iter().filter(|root| *root != folder).cloned());
    }
    for folder in &folders {
        let in_test = folder.segments().any(|segment| segment == "test");
        let is_asked = !config.exclude.hold(folder) && !is_example(folder) && !in_test;
        if is_asked && !used.contains(folder) && !scanner.is_component(folder)? && scanner.scan(folder)?.file.is_some()
        {
            paths.insert(folder.clone());
        }
    }
    let charts: Vec<RepoPath> = {
        let is_chart = |path: &&RepoPath| path.file_name() == "Chart.yaml";
        listing.files.iter().filter(is_chart).filter_map(RepoPath::parent).collect()
    };
    let is_loose = |path: &&RepoPath| {
        let folder = path.parent().filter(|folder| !candidates.folders.contains_key(folder));
        let is_apart = |folder: RepoPath| {
            let in_test = folder.segments().any(|segment| segment == "test");
            !in_test
                && !is_example(&folder)
                && !config.exclude.hold(&folder)
                && !charts.iter().any(|it| folder.is_within(it))
        };
        is_manifest(path) && folder.is_some_and(is_apart)
    };
    let read_by: BTreeSet<RepoPath> = folders.iter().chain(&paths).cloned().collect();
    for folder in unread(listing.files.iter().filter(is_loose).collect(), &read_by, scanner)? {
        if scanner.holds_objects(&folder)? {
            paths.insert(folder);
        }
    }
    let name = |path: &RepoPath| match overlays.deployers.iter().find(|deployer| deployer.path == *path) {
        Some(deployer) => deployer.name.clone(),
        None => path.segments().filter(|name| !matches!(*name, "overlays" | "overlay")).collect::<Vec<_>>().join("/"),
    };
    let overlay = |path: &RepoPath| Overlay {
        path: path.clone(),
        app: name(path),
        environment,
        part: String::new(),
        below: String::new(),
    };
    let mut found: Vec<Overlay> = paths.iter().map(overlay).collect();
    if overlays.common.is_empty() {
        overlays.common = common_folders(&found);
    }
    for overlay in &mut found {
        shorten(overlay, &overlays.common);
    }
    for known in overlays.all.drain(..) {
        if !paths.contains(&known.path) {
            found.push(known);
        }
    }
    found.sort();
    overlays.folders.extend(paths);
    Ok(Overlays { all: found, is_one_environment: true, ..overlays })
}

/// Folders that show how something is done, or that only tests use.
const EXAMPLES: [&str; 13] = [
    "boilerplate",
    "boilerplates",
    "e2e",
    "example",
    "examples",
    "fixtures",
    "sample",
    "samples",
    "skeleton",
    "template",
    "templates",
    "testdata",
    "tests",
];

/// Whether a folder only shows how something is done, or is only there for tests.
fn is_example(folder: &RepoPath) -> bool {
    folder.segments().any(|segment| EXAMPLES.contains(&segment) || segment.starts_with('.'))
}

/// The folders that all apps are in.
fn common_folders(found: &[Overlay]) -> Vec<String> {
    let mut apps = found.iter().map(|overlay| overlay.app.split('/').collect::<Vec<_>>());
    let Some(first) = apps.next() else { return Vec::new() };
    let common = apps.fold(first.len().saturating_sub(1), |common, app| {
        let same = first.iter().zip(&app).take_while(|(one, other)| one == other).count();
        common.min(same).min(app.len().saturating_sub(1))
    });
    first[..common].iter().map(|folder| (*folder).to_owned()).collect()
}

/// The apps that the configuration names by the end of their path: they keep that name whatever folders come beside them.
/// A name that several apps end in is nobody's.
fn named_endings(config: &Config, found: &[Overlay]) -> HashMap<String, String> {
    let names: HashSet<&str> = config.named_apps().map(|(name, _)| name).collect();
    let apps: BTreeSet<&str> = found.iter().map(|overlay| overlay.app.as_str()).collect();
    let mut ending: HashMap<&str, Vec<&str>> = HashMap::new();
    for app in apps {
        let ends = app.match_indices('/').map(|(at, _)| &app[at + 1..]);
        if let Some(name) = std::iter::once(app).chain(ends).find(|end| names.contains(end)) {
            ending.entry(name).or_default().push(app);
        }
    }
    let only = ending.into_iter().filter_map(|(name, apps)| match apps[..] {
        [app] => Some((app.to_owned(), name.to_owned())),
        _ => None,
    });
    only.collect()
}

/// Takes off the folders that all apps are in: `apps/api` and `apps/web` are `api` and `web`.
fn shorten(overlay: &mut Overlay, common: &[String]) {
    let segments: Vec<&str> = overlay.app.split('/').collect();
    if segments.len() > common.len() && segments.iter().zip(common).all(|(segment, folder)| segment == folder) {
        overlay.app = segments[common.len()..].join("/");
    }
    if overlay.app.is_empty() {
        "app".clone_into(&mut overlay.app);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kustomize::ParsedFiles;
    use crate::sources::{MemoryTree, list};

    fn found(files: &[(&str, &str)]) -> Vec<(String, String, String, String)> {
        let tree = MemoryTree::new(files.iter().copied());
        let (config, parsed) = (Config::default(), ParsedFiles::default());
        let listing = list(&tree).unwrap();
        let overlays = discover(&config, &listing, &Scanner::new(&parsed, &tree), None).unwrap();
        let row = |overlay: Overlay| {
            let environment = config.environments[overlay.environment].name.clone();
            (overlay.path.to_string(), overlay.app, environment, overlay.part)
        };
        overlays.all.into_iter().map(row).collect()
    }

    #[test]
    fn layouts_are_found() {
        let kustomization = "resources: [x.yaml]\n";
        let rows = found(&[
            ("apps/api/base/kustomization.yaml", kustomization),
            ("apps/api/overlays/prod-eu/kustomization.yaml", kustomization),
            ("apps/api/overlays/stg/kustomization.yaml", kustomization),
            ("apps/web/overlays/production/monitoring/kustomization.yml", kustomization),
            ("apps/web/overlays/moc-prod/front-prod/kustomization.yaml", kustomization),
            ("apps/web/components/dev/kustomization.yaml", "kind: Component\nresources: [x.yaml]\n"),
        ]);
        let row = |a: &str, b: &str, c: &str, d: &str| (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned());
        assert_eq!(
            rows,
            [
                row("apps/api/overlays/prod-eu", "api", "production", "eu"),
                row("apps/api/overlays/stg", "api", "staging", ""),
                row("apps/web/overlays/moc-prod/front-prod", "web", "production", "moc/front"),
                row("apps/web/overlays/production/monitoring", "web", "production", "monitoring"),
            ]
        );
    }

    #[test]
    fn another_app_below_an_environment_is_no_counterpart() {
        let kustomization = "resources: [x.yaml]\n";
        let files = ["staging/web", "prod/web", "prod/api", "us/prod-1", "us/staging-2"]
            .map(|folder| (format!("clusters/{folder}/kustomization.yaml"), kustomization));
        let plain = [("clusters/prod/plain/x.yaml".to_owned(), "a: b\n")];
        let tree = MemoryTree::new(files.iter().chain(&plain).map(|(path, text)| (path.as_str(), *text)));
        let (config, parsed) = (Config::default(), ParsedFiles::default());
        let overlays = discover(&config, &list(&tree).unwrap(), &Scanner::new(&parsed, &tree), None).unwrap();
        let staging = config.environment("staging").unwrap();
        let below = |path: &str| {
            let overlay = overlays.at(&RepoPath::new(path).unwrap()).unwrap();
            overlays.counterparts(overlay, staging).iter().map(|other| other.path.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(below("clusters/prod/web"), ["clusters/staging/web"]);
        assert!(below("clusters/prod/api").is_empty());
        assert_eq!(below("clusters/us/prod-1"), ["clusters/us/staging-2"]);
        let unjudged = Unjudged::beside(
            &overlays,
            &config,
            &overlays.folders,
            &list(&tree).unwrap().files,
            &Scanner::new(&parsed, &tree),
        )
        .unwrap();
        assert_eq!(unjudged.plain, [RepoPath::new("clusters/prod/plain").unwrap()]);
    }

    #[test]
    fn a_folder_that_an_overlay_uses_is_judged_with_it() {
        let rows = found(&[
            ("a/prod/kustomization.yaml", "resources: [extra]\n"),
            ("a/prod/extra/kustomization.yaml", "resources: [x.yaml]\n"),
        ]);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].1, "a");
    }
}
