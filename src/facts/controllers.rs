//! What deploys overlays: Flux `Kustomization`s and Argo CD `Application`s in the repository, and the order that they ask
//! for.

use std::collections::HashMap;

use super::error::FactsError;
use crate::kustomize::{Deployer, Need, ParsedFiles, Scanner};
use crate::model::{Overlay, Overlays};
use crate::sources::Tree;
use crate::span::Span;

/// How many circles are told: whoever has more has to begin somewhere.
const MOST_CYCLES: usize = 100;

/// What each deployer's `dependsOn` leads to: positions, and where that is written. Of several with one name, as clusters
/// have them, the one whose file is closest is meant.
#[must_use]
pub(super) fn needed(all: &[Deployer]) -> Vec<Vec<(usize, Span)>> {
    let mut named: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for (at, deployer) in all.iter().enumerate() {
        named.entry((&deployer.namespace, &deployer.name)).or_default().push(at);
    }
    let closest = |by: &Deployer, candidates: &Vec<usize>| {
        candidates.iter().copied().max_by_key(|at| all[*at].holder.shared_depth(&by.holder))
    };
    let of = |by: &Deployer| {
        let needs = by.needs.iter().filter_map(|Need { namespace, name, span }| {
            let candidates = named.get(&(namespace.as_str(), name.as_str()))?;
            Some((closest(by, candidates)?, *span))
        });
        needs.collect()
    };
    all.iter().map(of).collect()
}

/// Circles of dependencies: the entry of `dependsOn` that closes each, and the positions on the way round.
#[must_use]
pub(super) fn cycles(needed: &[Vec<(usize, Span)>]) -> Vec<(Span, Vec<usize>)> {
    let mut cycles = Vec::new();
    let mut is_done = vec![false; needed.len()];
    let mut place: Vec<Option<usize>> = vec![None; needed.len()];
    for first in 0..needed.len() {
        // The way from the first one, each with how many of its needs were followed.
        let mut way = vec![(first, 0)];
        while let Some((at, followed)) = way.last_mut() {
            let (here, next) = (*at, needed[*at].get(*followed));
            *followed += 1;
            let depth = way.len() - 1;
            if is_done[here] {
                way.pop();
                continue;
            }
            place[here] = Some(depth);
            match next {
                None => {
                    (is_done[here], place[here]) = (true, None);
                    way.pop();
                }
                Some((next, span)) => match place[*next] {
                    Some(start) if cycles.len() < MOST_CYCLES => {
                        cycles.push((*span, way[start..].iter().map(|(at, _)| *at).collect()));
                    }
                    Some(_) => return cycles,
                    None if !is_done[*next] => way.push((*next, 0)),
                    None => {}
                },
            }
        }
    }
    cycles
}

/// The deployers of one snapshot, and the overlays that each deploys.
pub(crate) struct Controllers<'a> {
    pub(super) overlays: &'a Overlays,
    pub(super) deployers: &'a [Deployer],
    /// By deployer.
    pub(super) deployed: Vec<Vec<&'a Overlay>>,
    /// By deployer: what it waits for, and where that is written.
    pub(super) waits_for: Vec<Vec<(usize, Span)>>,
}

impl<'a> Controllers<'a> {
    /// Looks up what each deployer deploys.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub(crate) fn read(files: &ParsedFiles, tree: &dyn Tree, overlays: &'a Overlays) -> Result<Self, FactsError> {
        let deployers = &overlays.deployers;
        let scanner = Scanner::new(files, tree);
        let mut deployed = Vec::new();
        for deployer in deployers {
            let scan = scanner.scan(&deployer.folder)?;
            let paths = [&deployer.path, &deployer.folder].into_iter().chain(&scan.roots);
            deployed.push(paths.filter_map(|path| overlays.at(path)).collect());
        }
        Ok(Self { overlays, deployers, deployed, waits_for: needed(deployers) })
    }

    /// The apps that must be there before an overlay's, and where that is written.
    pub(crate) fn needs(&self, overlay: &Overlay) -> Vec<(String, Span)> {
        let mut needs = Vec::new();
        for (deployed, waits_for) in self.deployed.iter().zip(&self.waits_for) {
            if !deployed.iter().any(|other| other.path == overlay.path) {
                continue;
            }
            for (other, span) in waits_for {
                let apps = self.deployed[*other].iter().filter(|other| other.environment == overlay.environment);
                needs.extend(apps.map(|other| (other.app.clone(), *span)));
            }
        }
        needs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{MemoryTree, RepoPath, list};

    fn flux(name: &str, path: &str, needs: &str) -> String {
        format!(
            "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}, namespace: flux}}\n\
             spec: {{path: {path}, dependsOn: [{needs}]}}\n"
        )
    }

    fn read(files: &[(&str, &str)]) -> Vec<Deployer> {
        let tree = MemoryTree::new(files.iter().copied());
        let parsed = ParsedFiles::default();
        Scanner::new(&parsed, &tree)
            .controlled(&list(&tree).unwrap(), &[RepoPath::new("clusters").unwrap()])
            .unwrap()
            .deployers
    }

    #[test]
    fn deployers_are_read_where_they_are_looked_for() {
        let text = flux("api", "./apps/api/", "{name: db}, {name: dns, namespace: system}")
            + "---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: web\n  annotations: \
               {argocd.argoproj.io/sync-wave: \"-2\"}\nspec: {source: {path: apps/web}, sources: [{path: x}, {chart: y}]}\n";
        let found = read(&[("clusters/a.yaml", &text), ("other/a.yaml", &text), ("clusters/broken.yaml", "a: [")]);
        let needs: Vec<_> = found[0].needs.iter().map(|need| (&*need.namespace, &*need.name)).collect();
        assert_eq!(needs, [("flux", "db"), ("system", "dns")]);
        let folders: Vec<_> = found.iter().map(|deployer| deployer.folder.to_string()).collect();
        assert_eq!(folders, ["apps/api", "x", "apps/web"]);
        assert_eq!(found[1].wave.map(|(wave, _)| wave), Some(-2));
    }

    #[test]
    fn a_circle_is_told_once() {
        let text = flux("a", "a", "{name: b}") + &flux("b", "b", "{name: c}") + &flux("c", "c", "{name: a}, {name: d}");
        let other = flux("a", "a", "{name: b}") + &flux("b", "b", "");
        let found = read(&[("clusters/one/x.yaml", &text), ("clusters/two/x.yaml", &other)]);
        let needed = needed(&found);
        let names = |(_, way): (Span, Vec<usize>)| way.iter().map(|at| found[*at].name.clone()).collect::<Vec<_>>();
        let cycles: Vec<_> = cycles(&needed).into_iter().map(names).collect();
        assert_eq!(cycles, [["a", "b", "c"].map(str::to_owned)]);
        let second = found.iter().rposition(|deployer| deployer.name == "a").unwrap();
        assert_eq!(found[needed[second][0].0].holder.as_str(), "clusters/two/x.yaml");
    }
}
