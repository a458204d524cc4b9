//! Which folders are overlays, and of which app in which environment.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::config::Config;
use crate::kustomize::{FILE_NAMES, RenderError, Scanner};
use crate::sources::RepoPath;

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
    /// Whether the folder has a kustomization; else it is rendered as the manifests that it holds.
    pub is_kustomization: bool,
}

/// The overlays of one tree.
#[derive(Clone, Debug, Default)]
pub struct Overlays {
    /// In path order.
    pub all: Vec<Overlay>,
    /// Kustomizations that are no overlay and that no overlay uses, in path order: nobody judges them.
    pub unrecognised: Vec<RepoPath>,
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

/// Finds the overlays among the files of a tree.
///
/// # Errors
/// When the tree cannot be read.
pub fn discover(config: &Config, files: &[RepoPath], scanner: &Scanner<'_>) -> Result<Overlays, RenderError> {
    let mut folders: BTreeMap<RepoPath, bool> = BTreeMap::new();
    for file in files {
        let Some(folder) = file.parent() else { continue };
        let is_kustomization = FILE_NAMES.contains(&file.file_name());
        let is_manifest = [".yaml", ".yml", ".json"].iter().any(|ending| file.file_name().ends_with(ending));
        if is_kustomization || is_manifest && !config.layouts.is_empty() {
            *folders.entry(folder).or_default() |= is_kustomization;
        }
    }
    let mut found = Vec::new();
    for (path, is_kustomization) in &folders {
        if let Some(overlay) = recognise(config, path, *is_kustomization) {
            if *is_kustomization && scanner.reach(path)?.is_component {
                continue;
            }
            found.push(overlay);
        }
    }
    if config.layouts.is_empty() {
        found = without_parts_of_others(found, scanner)?;
        shorten_apps(&mut found);
    }
    let mut used: HashSet<RepoPath> = found.iter().map(|overlay| overlay.path.clone()).collect();
    for overlay in &found {
        used.extend(scanner.reach(&overlay.path)?.roots.iter().cloned());
    }
    let mut unrecognised = Vec::new();
    let mut bases = HashSet::new();
    for path in folders
        .iter()
        .filter(|(path, is_kustomization)| **is_kustomization && !used.contains(*path))
        .map(|(path, _)| path)
    {
        let reach = scanner.reach(path)?;
        bases.extend(reach.roots.iter().cloned());
        if !reach.is_component {
            unrecognised.push(path.clone());
        }
    }
    unrecognised.retain(|path| !bases.contains(path));
    Ok(Overlays { all: found, unrecognised })
}

fn recognise(config: &Config, path: &RepoPath, is_kustomization: bool) -> Option<Overlay> {
    let overlay = |app: String, environment: usize, part: String| Overlay {
        path: path.clone(),
        app,
        environment,
        part,
        is_kustomization,
    };
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

/// Leaves out folders that are used by another overlay of the same app and environment: they are judged with it.
fn without_parts_of_others(found: Vec<Overlay>, scanner: &Scanner<'_>) -> Result<Vec<Overlay>, RenderError> {
    let mut used: BTreeSet<(RepoPath, usize)> = BTreeSet::new();
    for overlay in &found {
        let reach = scanner.reach(&overlay.path)?;
        used.extend(reach.roots.iter().map(|root| (root.clone(), overlay.environment)));
    }
    Ok(found.into_iter().filter(|overlay| !used.contains(&(overlay.path.clone(), overlay.environment))).collect())
}

/// Takes off the folders that all apps are in: `apps/api` and `apps/web` are `api` and `web`.
fn shorten_apps(found: &mut [Overlay]) {
    let common = {
        let mut apps = found.iter().map(|overlay| overlay.app.split('/').collect::<Vec<_>>());
        let Some(first) = apps.next() else { return };
        apps.fold(first.len().saturating_sub(1), |common, app| {
            let same = first.iter().zip(&app).take_while(|(one, other)| one == other).count();
            common.min(same).min(app.len().saturating_sub(1))
        })
    };
    for overlay in found {
        overlay.app = overlay.app.split('/').skip(common).collect::<Vec<_>>().join("/");
        if overlay.app.is_empty() {
            "app".clone_into(&mut overlay.app);
        }
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
        let overlays =
            discover(&config, &list(&tree, &RepoPath::root()).unwrap(), &Scanner::new(&parsed, &tree)).unwrap();
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
