//! What Argo CD and Flux report as applied: the JSON that `kubectl get … -o json` prints. A report is believed as far as
//! it goes: which revision runs, and whether it is healthy; what that revision runs is rendered from this repository.

use serde::Deserialize;

use crate::config::Controller;
use crate::kustomize::{Options, Parsed, Renderer};
use crate::model::{Image, Overlay, State};
use crate::sources::{RepoPath, Repository};

/// One revision that a controller reports as applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Who reports it.
    pub controller: Controller,
    /// The `Application`'s or `Kustomization`'s name.
    pub name: String,
    /// The folder that it deploys.
    pub folder: RepoPath,
    /// The commit.
    pub revision: String,
    /// Whether what was applied is in sync and healthy.
    pub is_healthy: bool,
    /// What the controller says of it, such as `Synced, Degraded`.
    pub state: String,
}

/// What a controller runs for an overlay.
#[derive(Clone, Debug)]
pub struct Running {
    /// The report.
    pub applied: Applied,
    /// The overlay.
    pub overlay: Overlay,
    /// What its revision renders to, or why that is not known.
    pub images: Result<Vec<Image>, String>,
}

/// A file that is no such report.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("cannot read `{file}`: {why}")]
#[diagnostic(help("{help}"))]
pub struct EvidenceError {
    /// The file.
    pub file: String,
    /// What is wrong.
    pub why: String,
    /// What prints such a file.
    pub help: &'static str,
}

/// Reads what `kubectl get applications.argoproj.io -A -o json` prints, or
/// `kubectl get kustomizations.kustomize.toolkit.fluxcd.io -A -o json`.
///
/// # Errors
/// When it is something else.
pub fn read_applied(controller: Controller, file: &str, text: &str) -> Result<Vec<Applied>, EvidenceError> {
    match controller {
        Controller::ArgoCd => read_argocd(file, text),
        Controller::Flux => read_flux(file, text),
    }
}

#[derive(Deserialize)]
struct List<T> {
    items: Vec<T>,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Source {
    path: Option<String>,
}

#[derive(Deserialize)]
struct Application {
    metadata: Metadata,
    spec: ApplicationSpec,
    #[serde(default)]
    status: ApplicationStatus,
}

#[derive(Deserialize)]
struct ApplicationSpec {
    source: Option<Source>,
    #[serde(default)]
    sources: Vec<Source>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ApplicationStatus {
    sync: Deployed,
    health: Health,
    history: Vec<Deployed>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Deployed {
    status: String,
    revision: String,
    revisions: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Health {
    status: String,
}

impl Deployed {
    fn of(&self, source: usize) -> &str {
        self.revisions.get(source).unwrap_or(&self.revision)
    }
}

fn read_argocd(file: &str, text: &str) -> Result<Vec<Applied>, EvidenceError> {
    let list: List<Application> = serde_json::from_str(text).map_err(|error| EvidenceError {
        file: file.to_owned(),
        why: error.to_string(),
        help: "`kubectl get applications.argoproj.io -A -o json` prints it",
    })?;
    let mut applied = Vec::new();
    for application in list.items {
        let ApplicationStatus { sync, health, history } = &application.status;
        let sources = application.spec.source.iter().chain(&application.spec.sources);
        for (at, source) in sources.enumerate() {
            let Some(folder) = source.path.as_deref().and_then(folder) else { continue };
            // `sync` tells what is compared with the cluster; what was applied last is the end of the history.
            let compared = sync.of(at);
            let revision = history.last().map_or(compared, |last| last.of(at));
            if revision.is_empty() || history.is_empty() && sync.status != "Synced" {
                continue;
            }
            applied.push(Applied {
                controller: Controller::ArgoCd,
                name: application.metadata.name.clone(),
                folder,
                revision: revision.to_owned(),
                is_healthy: sync.status == "Synced" && health.status == "Healthy" && revision == compared,
                state: format!("{}, {}", or_unknown(&sync.status), or_unknown(&health.status)),
            });
        }
    }
    Ok(applied)
}

#[derive(Deserialize)]
struct Kustomization {
    metadata: Metadata,
    spec: KustomizationSpec,
    #[serde(default)]
    status: KustomizationStatus,
}

#[derive(Deserialize)]
struct KustomizationSpec {
    path: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct KustomizationStatus {
    last_applied_revision: String,
    last_attempted_revision: String,
    conditions: Vec<Condition>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Condition {
    r#type: String,
    status: String,
    reason: String,
}

fn read_flux(file: &str, text: &str) -> Result<Vec<Applied>, EvidenceError> {
    let list: List<Kustomization> = serde_json::from_str(text).map_err(|error| EvidenceError {
        file: file.to_owned(),
        why: error.to_string(),
        help: "`kubectl get kustomizations.kustomize.toolkit.fluxcd.io -A -o json` prints it",
    })?;
    let mut applied = Vec::new();
    for kustomization in list.items {
        let Some(folder) = kustomization.spec.path.as_deref().and_then(folder) else { continue };
        let status = &kustomization.status;
        // `main@sha1:<id>`, before Flux 2 `main/<id>`.
        let revision = status.last_applied_revision.rsplit([':', '/']).next().unwrap_or_default();
        if revision.is_empty() {
            continue;
        }
        let ready = status.conditions.iter().find(|condition| condition.r#type == "Ready");
        let is_last = [&status.last_applied_revision, ""].contains(&&*status.last_attempted_revision);
        applied.push(Applied {
            controller: Controller::Flux,
            name: kustomization.metadata.name,
            folder,
            revision: revision.to_owned(),
            is_healthy: is_last && ready.is_some_and(|ready| ready.status == "True"),
            state: ready.map_or_else(|| or_unknown("").to_owned(), |ready| or_unknown(&ready.reason).to_owned()),
        });
    }
    Ok(applied)
}

fn folder(path: &str) -> Option<RepoPath> {
    RepoPath::new(path.trim_start_matches("./").trim_matches('/'))
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

/// Renders what was applied, for every overlay that one of the folders is.
#[must_use]
pub fn running(repository: &Repository, parsed: &Parsed, overlays: &[Overlay], applied: &[Applied]) -> Vec<Running> {
    let mut running = Vec::new();
    for applied in applied {
        for overlay in overlays.iter().filter(|overlay| overlay.path == applied.folder) {
            let images = images(repository, parsed, applied);
            running.push(Running { applied: applied.clone(), overlay: overlay.clone(), images });
        }
    }
    running
}

fn images(repository: &Repository, parsed: &Parsed, applied: &Applied) -> Result<Vec<Image>, String> {
    let short: String = applied.revision.chars().take(7).collect();
    let is_id = applied.revision.len() >= 40 && applied.revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    let commit = repository.commit(&applied.revision).ok().filter(|_| is_id);
    let commit = commit.ok_or_else(|| format!("its revision {short} is not in this clone"))?;
    let tree = repository.tree(&commit);
    let rendering = Renderer::new(parsed, &tree, Options::default()).render_any(&applied.folder);
    let rendering = rendering.map_err(|_| format!("it does not render at {short}"))?;
    Ok(State::of(&rendering.objects).images.into_iter().map(|used| used.image).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(applied: &[Applied]) -> Vec<(&str, &str, &str, bool, &str)> {
        applied.iter().map(|a| (&*a.name, a.folder.as_str(), &*a.revision, a.is_healthy, &*a.state)).collect()
    }

    #[test]
    fn argo_cds_applications_are_read() {
        let text = r#"{"kind": "List", "items": [
            {"metadata": {"name": "a"}, "spec": {"source": {"path": "./apps/a/"}},
             "status": {"sync": {"status": "Synced", "revision": "one"}, "health": {"status": "Healthy"},
                        "history": [{"revision": "zero"}, {"revision": "one"}]}},
            {"metadata": {"name": "b"}, "spec": {"source": {"path": "b"}},
             "status": {"sync": {"status": "OutOfSync", "revision": "two"}, "health": {"status": "Healthy"}, "history": [{"revision": "one"}]}},
            {"metadata": {"name": "never"}, "spec": {"source": {"path": "c"}}, "status": {"sync": {"status": "OutOfSync", "revision": "x"}}},
            {"metadata": {"name": "chart"}, "spec": {"source": {"chart": "redis"}}},
            {"metadata": {"name": "many"}, "spec": {"sources": [{"chart": "x"}, {"path": "d"}]},
             "status": {"sync": {"status": "Synced", "revisions": ["1.0", "three"]}, "health": {"status": "Degraded"}}}]}"#;
        let applied = read_argocd("f", text).unwrap();
        assert_eq!(
            told(&applied),
            [
                ("a", "apps/a", "one", true, "Synced, Healthy"),
                ("b", "b", "one", false, "OutOfSync, Healthy"),
                ("many", "d", "three", false, "Synced, Degraded"),
            ]
        );
        assert!(read_argocd("f", "{}").is_err());
    }

    #[test]
    fn fluxs_kustomizations_are_read() {
        let text = r#"{"items": [
            {"metadata": {"name": "a"}, "spec": {"path": "./a"}, "status": {"lastAppliedRevision": "main@sha1:one",
             "lastAttemptedRevision": "main@sha1:one", "conditions": [{"type": "Ready", "status": "True", "reason": "ReconciliationSucceeded"}]}},
            {"metadata": {"name": "b"}, "spec": {"path": "b"}, "status": {"lastAppliedRevision": "main/one",
             "lastAttemptedRevision": "main/two", "conditions": [{"type": "Ready", "status": "True"}]}},
            {"metadata": {"name": "new"}, "spec": {"path": "c"}}]}"#;
        let applied = read_flux("f", text).unwrap();
        assert_eq!(
            told(&applied),
            [("a", "a", "one", true, "ReconciliationSucceeded"), ("b", "b", "one", false, "unknown")]
        );
    }
}
