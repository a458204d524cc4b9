//! Which overlays the objects of controllers make: of which app, in which environment.

use std::collections::{BTreeMap, BTreeSet};

use super::overlay::{Overlay, named_segment, recognise};
use crate::config::{Config, ONE_ENVIRONMENT};
use crate::kustomize::{Controlled, Deployer, FILE_NAMES, Project};
use crate::sources::{Listing, RepoPath};

/// What controllers deploy.
#[derive(Default)]
pub(super) struct Deployed {
    /// Their objects.
    pub(super) deployers: Vec<Deployer>,
    /// Argo CD's projects with sync windows.
    pub(super) projects: Vec<Project>,
    /// Files that may hold `CustomResourceDefinition`s.
    pub(super) definitions: Vec<RepoPath>,
    /// The overlays that these make, besides those that folders are by their own path.
    pub(super) overlays: Vec<Overlay>,
    /// Folders that are only deployed with changes.
    pub(super) replaced: BTreeSet<RepoPath>,
}

impl Deployed {
    /// What some objects deploy in a tree of these files. A folder that is not there is in another repository.
    pub(super) fn of(config: &Config, controlled: Controlled, listing: &Listing) -> Self {
        let Controlled { mut deployers, projects, definitions } = controlled;
        let mut deployed = Self { projects, definitions, ..Self::default() };
        deployers.retain(|deployer| listing.has_below(&deployer.folder));
        let is_plain = |deployer: &Deployer| {
            deployer.changes.is_empty() && FILE_NAMES.iter().any(|name| listing.has(&deployer.folder.child(name)))
        };
        // By folder: the environments that get it as it is.
        let mut plain: BTreeMap<&RepoPath, BTreeSet<usize>> = BTreeMap::new();
        let placed: Vec<(&Deployer, Option<usize>)> =
            deployers.iter().map(|deployer| (deployer, environment(config, deployer))).collect();
        // Where other objects name environments, one that names none deploys to a place that nobody has called by a name.
        let unnamed = config.environment(ONE_ENVIRONMENT).filter(|_| config.has_usual_environments);
        let names_any = placed.iter().any(|(_, environment)| environment.is_some());
        let placed: Vec<(&Deployer, Option<usize>)> = placed
            .into_iter()
            .map(|(deployer, environment)| (deployer, environment.or(unnamed.filter(|_| names_any))))
            .collect();
        for (deployer, environment) in &placed {
            if let Some(environment) = environment.filter(|_| is_plain(deployer)) {
                plain.entry(&deployer.folder).or_default().insert(environment);
            }
        }
        let is_asked = config.layouts.is_empty() || !config.controllers.is_empty();
        for (deployer, environment) in placed {
            let Some(environment) = environment.filter(|_| !config.exclude.hold(&deployer.folder)) else { continue };
            let own = recognise(config, &deployer.folder);
            let is_own = own.as_ref().is_some_and(|own| own.environment == environment);
            let is_alone = plain.get(&deployer.folder).is_some_and(|all| all.len() == 1);
            if is_plain(deployer) && (is_own || is_alone && own.is_none() && !is_asked) {
                continue;
            }
            let is_folder = is_plain(deployer) && is_alone && own.is_none();
            if !is_own && !is_asked {
                continue;
            }
            if is_own && !plain.get(&deployer.folder).is_some_and(|all| all.contains(&environment)) {
                deployed.replaced.insert(deployer.folder.clone());
            }
            let path = if is_folder { deployer.folder.clone() } else { deployer.path.clone() };
            deployed.overlays.push(named(config, deployer, path, environment, own));
        }
        deployed.overlays.sort();
        deployed.overlays.dedup_by(|one, other| one.path == other.path);
        deployed.deployers = deployers;
        deployed
    }
}

fn named(config: &Config, deployer: &Deployer, path: RepoPath, environment: usize, own: Option<Overlay>) -> Overlay {
    if let Some(own) = own {
        let is_same = own.environment == environment;
        let (part, below) = if is_same { (own.part, own.below) } else { (String::new(), String::new()) };
        return Overlay { path, app: own.app, environment, part, below };
    }
    let words: Vec<&str> = deployer.name.split(['-', '_']).collect();
    let others = words.iter().filter(|word| config.environment_of(word) != Some(environment)).copied();
    let app = others.collect::<Vec<_>>().join("-");
    let app = if app.is_empty() { deployer.name.clone() } else { app };
    // What the object's own place says besides the environment is a cluster.
    let place = deployer.place();
    let holder: Vec<&str> = place.segments().collect();
    let part = named_segment(config, &holder).map(|(at, _, rest)| {
        let below = holder[at + 1..].iter().copied();
        std::iter::once(&*rest).chain(below).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    });
    Overlay { path, app, environment, part: part.unwrap_or_default(), below: String::new() }
}

/// The environment of what an object deploys: what the folder's path says, unless the object stands in the place of another
/// environment and nothing else of it speaks for the folder's.
fn environment(config: &Config, deployer: &Deployer) -> Option<usize> {
    let in_path = |path: &RepoPath| {
        let segments: Vec<&str> = path.segments().collect();
        named_segment(config, &segments).map(|(_, environment, _)| environment)
    };
    let in_text = |text: &str| named_segment(config, &[text]).map(|(_, environment, _)| environment);
    let folder = in_path(&deployer.folder);
    let place = in_path(&deployer.place());
    let name = in_text(&deployer.name);
    let destination = deployer.destination.iter().find_map(|text| in_text(text));
    match (folder, place) {
        (Some(folder), Some(place)) if folder != place && name != Some(folder) && destination != Some(folder) => {
            Some(place)
        }
        (Some(folder), _) => Some(folder),
        (None, place) => place.or(name).or(destination),
    }
}
