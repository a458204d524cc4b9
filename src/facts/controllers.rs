//! What deploys overlays: Flux `Kustomization`s and Argo CD `Application`s in the repository, and the order that they ask
//! for.

use std::collections::HashMap;

use super::error::FactsError;
use crate::config::Config;
use crate::kustomize::{ParsedFiles, Scanner};
use crate::model::{Overlay, Overlays};
use crate::sources::{RepoPath, Tree, TreeError, list_below};
use crate::span::Span;
use crate::yaml::{Dialect, Node, Source, Step, parse};

/// The annotation by which Argo CD orders what it applies; lower waves come first, 0 where there is none.
const SYNC_WAVE: &str = "argocd.argoproj.io/sync-wave";

/// How many circles are told: whoever has more has to begin somewhere.
const MOST_CYCLES: usize = 100;

/// One object that deploys folders of the repository.
#[derive(Clone, Debug)]
pub(super) struct Deployer {
    /// Its name.
    pub name: String,
    /// Its namespace; empty where none is written.
    pub namespace: String,
    /// The folders that it deploys, and where they are named.
    pub folders: Vec<(RepoPath, Span)>,
    /// What it changes in what it deploys, by field.
    pub changes: Vec<(&'static str, Node)>,
    /// What must be ready before it, by namespace and name, and where that is written: Flux's `dependsOn`.
    pub needs: Vec<Need>,
    /// Argo CD's sync wave, and where it is written.
    pub wave: Option<(i64, Span)>,
    /// The file.
    pub file: RepoPath,
    /// Where its name is written.
    pub span: Span,
}

/// An entry of `dependsOn`.
#[derive(Clone, Debug)]
pub(super) struct Need {
    /// The namespace of what must be ready.
    namespace: String,
    /// Its name.
    name: String,
    /// Where that is written.
    span: Span,
}

/// Reads every deployer below some folders. Files that are no YAML are none of its business: they do not deploy either.
///
/// # Errors
/// When the tree cannot be read.
pub(super) fn deployers(
    tree: &dyn Tree,
    parsed: &ParsedFiles,
    folders: &[RepoPath],
) -> Result<Vec<Deployer>, TreeError> {
    let mut found = Vec::new();
    let is_yaml = |path: &RepoPath| matches!(path.file_name().rsplit_once('.'), Some((_, "yaml" | "yml" | "json")));
    for path in list_below(tree, folders)?.files.iter().filter(|path| is_yaml(path)) {
        let Some((id, content)) = tree.read(path)? else { continue };
        let Ok(text) = std::str::from_utf8(&content) else { continue };
        let file = parsed.files.add(path, id, text);
        let documents = parse(&Source::file(file, text), Step::File, Dialect::Resource).unwrap_or_default();
        found.extend(documents.iter().filter_map(|document| deployer(document, path)));
    }
    Ok(found)
}

/// Fields by which a Flux `Kustomization` changes what it deploys.
const FLUX_CHANGES: [&str; 8] = [
    "images",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "components",
    "postBuild",
    "namePrefix",
    "nameSuffix",
];

/// Fields by which an Argo CD `Application` changes the kustomization that it deploys.
const ARGO_CHANGES: [&str; 6] = ["images", "patches", "components", "replicas", "namePrefix", "nameSuffix"];

fn changes_in(holder: Option<&Node>, fields: &[&'static str]) -> Vec<(&'static str, Node)> {
    let says_something = |node: &&Node| {
        !node.is_null()
            && !node.as_sequence().is_some_and(<[Node]>::is_empty)
            && node.as_mapping().is_none_or(|mapping| mapping.iter().next().is_some())
    };
    let change = |field: &&'static str| Some((*field, holder?.get(field).filter(says_something)?.clone()));
    fields.iter().filter_map(change).collect()
}

fn deployer(node: &Node, file: &RepoPath) -> Option<Deployer> {
    let text = |path: &[&str]| node.find(path).and_then(Node::as_text).unwrap_or_default().to_owned();
    let (group, kind) = (text(&["apiVersion"]), text(&["kind"]));
    let of_group = |wanted: &str| group.split('/').next() == Some(wanted);
    let folder = |node: &Node| {
        let path = RepoPath::new(node.as_text()?.trim_start_matches("./").trim_matches('/'))?;
        Some((path, node.origin.span))
    };
    let mut folders: Vec<(RepoPath, Span)> = Vec::new();
    let mut changes = Vec::new();
    let mut needs = Vec::new();
    let namespace = text(&["metadata", "namespace"]);
    if kind == "Kustomization" && of_group("kustomize.toolkit.fluxcd.io") {
        folders.extend(node.find(&["spec", "path"]).and_then(folder));
        changes.extend(changes_in(node.get("spec"), &FLUX_CHANGES));
        for need in node.find(&["spec", "dependsOn"]).and_then(Node::as_sequence).unwrap_or_default() {
            let Some(name) = need.get("name").and_then(Node::as_text) else { continue };
            let other = need.get("namespace").and_then(Node::as_text).unwrap_or(&namespace);
            needs.push(Need { namespace: other.to_owned(), name: name.to_owned(), span: need.origin.span });
        }
    } else if kind == "Application" && of_group("argoproj.io") {
        let sources = node.find(&["spec", "sources"]).and_then(Node::as_sequence).unwrap_or_default();
        let sources: Vec<&Node> = sources.iter().chain(node.find(&["spec", "source"])).collect();
        folders.extend(sources.iter().filter_map(|source| folder(source.get("path")?)));
        for source in sources.iter().filter(|source| source.get("path").is_some()) {
            changes.extend(changes_in(source.get("kustomize"), &ARGO_CHANGES));
            changes.extend(changes_in(Some(source), &["plugin"]));
            changes.extend(changes_in(source.get("directory"), &["jsonnet", "include", "exclude", "recurse"]));
        }
    } else {
        return None;
    }
    let wave = node.find(&["metadata", "annotations", SYNC_WAVE]).and_then(|wave| {
        let number = wave.as_text()?.parse().ok()?;
        Some((number, wave.origin.span))
    });
    let name = node.find(&["metadata", "name"])?;
    Some(Deployer {
        name: name.as_text()?.to_owned(),
        namespace,
        folders,
        changes,
        needs,
        wave,
        file: file.clone(),
        span: name.origin.span,
    })
}

/// What each deployer's `dependsOn` leads to: positions, and where that is written. Of several with one name, as clusters
/// have them, the one whose file is closest is meant.
#[must_use]
pub(super) fn needed(all: &[Deployer]) -> Vec<Vec<(usize, Span)>> {
    let mut named: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for (at, deployer) in all.iter().enumerate() {
        named.entry((&deployer.namespace, &deployer.name)).or_default().push(at);
    }
    let closest = |by: &Deployer, candidates: &Vec<usize>| {
        let shared = |at: &usize| all[*at].file.segments().zip(by.file.segments()).take_while(|(a, b)| a == b).count();
        candidates.iter().copied().max_by_key(shared)
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
    pub(super) deployers: Vec<Deployer>,
    /// By deployer.
    pub(super) deployed: Vec<Vec<&'a Overlay>>,
    /// By deployer: what it waits for, and where that is written.
    pub(super) waits_for: Vec<Vec<(usize, Span)>>,
}

impl<'a> Controllers<'a> {
    /// Reads the deployers in the folders that `controllers` names.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub(crate) fn read(
        config: &Config,
        files: &ParsedFiles,
        tree: &dyn Tree,
        overlays: &'a Overlays,
    ) -> Result<Self, FactsError> {
        let mut controllers = Self { overlays, deployers: Vec::new(), deployed: Vec::new(), waits_for: Vec::new() };
        if config.controllers.is_empty() {
            return Ok(controllers);
        }
        controllers.deployers = deployers(tree, files, &config.controllers)?;
        controllers.waits_for = needed(&controllers.deployers);
        let scanner = Scanner::new(files, tree);
        for deployer in &controllers.deployers {
            let mut found = Vec::new();
            for (folder, _) in &deployer.folders {
                let scan = scanner.scan(folder)?;
                found.extend(std::iter::once(folder).chain(&scan.roots).filter_map(|path| overlays.at(path)));
            }
            controllers.deployed.push(found);
        }
        Ok(controllers)
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
    use crate::sources::MemoryTree;

    fn flux(name: &str, path: &str, needs: &str) -> String {
        format!(
            "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}, namespace: flux}}\n\
             spec: {{path: {path}, dependsOn: [{needs}]}}\n"
        )
    }

    fn read(files: &[(&str, &str)]) -> Vec<Deployer> {
        let tree = MemoryTree::new(files.iter().copied());
        deployers(&tree, &ParsedFiles::default(), &[RepoPath::new("clusters").unwrap()]).unwrap()
    }

    #[test]
    fn deployers_are_read_where_they_are_looked_for() {
        let text = flux("api", "./apps/api/", "{name: db}, {name: dns, namespace: system}")
            + "---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: web\n  annotations: \
               {argocd.argoproj.io/sync-wave: \"-2\"}\nspec: {source: {path: apps/web}, sources: [{path: x}, {chart: y}]}\n";
        let found = read(&[("clusters/a.yaml", &text), ("other/a.yaml", &text), ("clusters/broken.yaml", "a: [")]);
        assert_eq!(found.len(), 2);
        let needs: Vec<_> = found[0].needs.iter().map(|need| (&*need.namespace, &*need.name)).collect();
        assert_eq!(needs, [("flux", "db"), ("system", "dns")]);
        let folders = |at: usize| found[at].folders.iter().map(|(folder, _)| folder.to_string()).collect::<Vec<_>>();
        assert_eq!(folders(0), ["apps/api"]);
        assert_eq!(folders(1), ["x", "apps/web"]);
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
        assert_eq!(found[needed[second][0].0].file.as_str(), "clusters/two/x.yaml");
    }
}
