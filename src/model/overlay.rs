//! Which folders are overlays, and of which app in which environment.

use std::collections::{BTreeSet, HashSet};

use crate::config::Config;
use crate::kustomize::{FILE_NAMES, RenderError, Scanner};
use crate::sources::{Listing, RepoPath};

/// One app in one environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Overlay {
    /// The folder.
    pub path: RepoPath,
    /// The application.
    pub app: String,
    /// The environment's position in the configuration.
    pub environment: usize,
    /// The cluster or the part of the app; empty where there is none.
    pub part: String,
}

/// The overlays of one tree.
#[derive(Clone, Debug, Default)]
pub struct Overlays {
    /// In path order.
    pub all: Vec<Overlay>,
    /// Kustomizations that are no overlay and that no overlay uses, in path order: nobody judges them.
    pub unrecognised: Vec<RepoPath>,
    /// The folders that all apps are in, which their names leave out.
    common: Vec<String>,
}

impl Overlays {
    /// The overlay in a folder.
    #[must_use]
    pub fn at(&self, path: &RepoPath) -> Option<&Overlay> {
        self.all.iter().find(|overlay| overlay.path == *path)
    }

    /// The overlays of the same app in another environment: those of the same part where there are any.
    pub fn counterparts<'a>(&'a self, overlay: &Overlay, environment: usize) -> Vec<&'a Overlay> {
        let of_app: Vec<&Overlay> =
            self.all.iter().filter(|other| other.environment == environment && other.app == overlay.app).collect();
        let same_part: Vec<&Overlay> = of_app.iter().copied().filter(|other| other.part == overlay.part).collect();
        if same_part.is_empty() { of_app } else { same_part }
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
    let folders = candidates(config, listing, scanner)?;
    let is_known = |path: &RepoPath| known.is_some_and(|known| known.at(path).is_some());
    let mut found = Vec::new();
    for path in &folders {
        if let Some(overlay) = recognise(config, path) {
            // Where nobody says what is an overlay, components beside them are none.
            let is_beside = config.layouts.is_empty() && !is_known(path) && scanner.reach(path)?.is_component;
            found.extend(Some(overlay).filter(|_| !is_beside));
        }
    }
    if config.layouts.is_empty() {
        found = without_parts_of_others(found, scanner, &is_known)?;
    }
    let mut common = Vec::new();
    if config.layouts.is_empty() {
        let base = known.filter(|known| !known.all.is_empty());
        common = base.map_or_else(|| common_folders(&found), |known| known.common.clone());
        for overlay in &mut found {
            shorten(overlay, &common);
        }
    }
    for overlay in known.into_iter().flat_map(|known| &known.all) {
        if !found.iter().any(|other| other.path == overlay.path) && scanner.stands(&overlay.path)? {
            found.push(overlay.clone());
        }
    }
    found.sort();
    let unrecognised = unrecognised(&folders, &found, scanner)?;
    Ok(Overlays { all: found, unrecognised, common })
}

/// Folders that may be overlays: those with a kustomization, with a layout also those with manifests, and whatever a
/// link leads to.
fn candidates(config: &Config, listing: &Listing, scanner: &Scanner<'_>) -> Result<BTreeSet<RepoPath>, RenderError> {
    let mut folders = BTreeSet::new();
    for path in listing.files.iter().chain(&listing.others) {
        let Some(folder) = path.parent() else { continue };
        let ending = path.file_name().rsplit_once('.').map(|(_, ending)| ending);
        let is_manifest = matches!(ending, Some("yaml" | "yml" | "json"));
        if FILE_NAMES.contains(&path.file_name()) || is_manifest && !config.layouts.is_empty() {
            folders.insert(folder);
        }
    }
    for link in &listing.others {
        if recognise(config, link).is_some() && scanner.reach(link)?.file.is_some() {
            folders.insert(link.clone());
        }
    }
    Ok(folders)
}

/// Kustomizations that nobody judges.
fn unrecognised(
    folders: &BTreeSet<RepoPath>,
    found: &[Overlay],
    scanner: &Scanner<'_>,
) -> Result<Vec<RepoPath>, RenderError> {
    let mut used: HashSet<RepoPath> = found.iter().map(|overlay| overlay.path.clone()).collect();
    for overlay in found {
        used.extend(scanner.reach(&overlay.path)?.roots.iter().cloned());
    }
    let mut unrecognised = Vec::new();
    let mut bases = HashSet::new();
    for path in folders.iter().filter(|path| !used.contains(*path)) {
        let reach = scanner.reach(path)?;
        bases.extend(reach.roots.iter().cloned());
        if reach.file.is_some() && !reach.is_component {
            unrecognised.push(path.clone());
        }
    }
    unrecognised.retain(|path| !bases.contains(path));
    Ok(unrecognised)
}

fn recognise(config: &Config, path: &RepoPath) -> Option<Overlay> {
    let overlay =
        |app: String, environment: usize, part: String| Overlay { path: path.clone(), app, environment, part };
    if !config.layouts.is_empty() {
        let matched = config.layouts.iter().find_map(|layout| {
            let matched = layout.matches(path)?;
            Some((config.environment_of(&matched.environment)?, matched))
        });
        return matched.map(|(environment, matched)| overlay(matched.app, environment, matched.cluster));
    }
    let segments: Vec<&str> = path.segments().collect();
    let (at, environment, rest) = segments.iter().enumerate().rev().find_map(|(at, segment)| {
        let (environment, rest) = environment_in(config, segment)?;
        Some((at, environment, rest))
    })?;
    let before: Vec<&str> =
        segments[..at].iter().copied().filter(|segment| !matches!(*segment, "overlays" | "overlay")).collect();
    let mut part: Vec<String> = Some(rest).filter(|rest| !rest.is_empty()).into_iter().collect();
    part.extend(segments[at + 1..].iter().map(|segment| (*segment).to_owned()));
    Some(overlay(before.join("/"), environment, part.join("/")))
}

/// The environment that a segment names, wholly or between `-`, `_` and `.`, and what is left of the segment.
fn environment_in(config: &Config, segment: &str) -> Option<(usize, String)> {
    if let Some(environment) = config.environment_of(segment) {
        return Some((environment, String::new()));
    }
    let words: Vec<&str> = segment.split(['-', '_', '.']).collect();
    let (at, environment) =
        words.iter().enumerate().rev().find_map(|(at, word)| Some((at, config.environment_of(word)?)))?;
    let rest: Vec<&str> = words[..at].iter().chain(&words[at + 1..]).copied().collect();
    Some((environment, rest.join("-")))
}

/// Leaves out folders below an overlay of the same app and environment that uses them: they are judged with it.
fn without_parts_of_others(
    found: Vec<Overlay>,
    scanner: &Scanner<'_>,
    is_known: &dyn Fn(&RepoPath) -> bool,
) -> Result<Vec<Overlay>, RenderError> {
    let mut used: BTreeSet<(RepoPath, usize, String)> = BTreeSet::new();
    for overlay in &found {
        let below = scanner.reach(&overlay.path)?;
        let below = below.roots.iter().filter(|root| root.is_within(&overlay.path));
        used.extend(below.map(|root| (root.clone(), overlay.environment, overlay.app.clone())));
    }
    let is_part = |overlay: &Overlay| used.contains(&(overlay.path.clone(), overlay.environment, overlay.app.clone()));
    Ok(found.into_iter().filter(|overlay| is_known(&overlay.path) || !is_part(overlay)).collect())
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
    use crate::kustomize::Parsed;
    use crate::sources::{MemoryTree, list};

    fn found(files: &[(&str, &str)]) -> Vec<(String, String, String, String)> {
        let tree = MemoryTree::new(files.iter().copied());
        let (config, parsed) = (Config::default(), Parsed::default());
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
            ("apps/web/components/dev/kustomization.yaml", "kind: Component\nresources: [x.yaml]\n"),
        ]);
        let row = |a: &str, b: &str, c: &str, d: &str| (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned());
        assert_eq!(
            rows,
            [
                row("apps/api/overlays/prod-eu", "api", "production", "eu"),
                row("apps/api/overlays/stg", "api", "staging", ""),
                row("apps/web/overlays/production/monitoring", "web", "production", "monitoring"),
            ]
        );
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
