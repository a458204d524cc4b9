//! What Argo CD and Flux report as applied: the JSON that `kubectl get … -o json` prints. A report is believed as far as
//! it goes: which revision runs, and whether it is healthy; what that revision runs is rendered from this repository.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::config::{Config, Controller};
use crate::kustomize::{ParsedFiles, RenderError, Renderer, Scanner};
use crate::model::{Image, Overlay, Overlays, State};
use crate::sources::{RepoPath, Repository, Tree};
use crate::words;

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
    /// The field by which the controller changes what the repository says.
    pub overridden: Option<&'static str>,
}

/// A file that is no such report.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("cannot read `{file}`: {why}")]
#[diagnostic(help("{help}"))]
pub struct ReportError {
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
pub fn read_applied(controller: Controller, file: &str, text: &str) -> Result<Vec<Applied>, ReportError> {
    let (read, help) = match controller {
        Controller::ArgoCd => (read_argocd(text), "`kubectl get applications.argoproj.io -A -o json` prints it"),
        Controller::Flux => {
            (read_flux(text), "`kubectl get kustomizations.kustomize.toolkit.fluxcd.io -A -o json` prints it")
        }
    };
    read.map_err(|error| ReportError { file: file.to_owned(), why: error.to_string(), help })
}

/// The objects of a list, or the one object that a text is; what is null counts as absent.
fn objects<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, serde_json::Error> {
    let mut root: Json = serde_json::from_str(text)?;
    remove_nulls(&mut root);
    let items = match root.get_mut("items") {
        Some(items) => serde_json::from_value(items.take())?,
        None => vec![root],
    };
    items.into_iter().map(serde_json::from_value).collect()
}

fn remove_nulls(value: &mut Json) {
    match value {
        Json::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(remove_nulls);
        }
        Json::Array(items) => items.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: String,
    generation: Option<u64>,
    deletion_timestamp: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Source {
    path: Option<String>,
    kustomize: Json,
}

/// Fields by which a controller changes what the repository says before it applies it.
const OVERRIDES: [&str; 5] = ["images", "patches", "patchesStrategicMerge", "components", "postBuild"];

/// The first of these fields that holds anything.
fn override_in(fields: &Json) -> Option<&'static str> {
    let is_set = |value: &Json| match value {
        Json::Null => false,
        Json::Array(items) => !items.is_empty(),
        Json::Object(fields) => !fields.is_empty(),
        _ => true,
    };
    OVERRIDES.into_iter().find(|name| fields.get(name).is_some_and(is_set))
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
#[serde(default, rename_all = "camelCase")]
struct ApplicationStatus {
    sync: Revisions,
    health: Health,
    history: Vec<Revisions>,
    operation_state: Operation,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Operation {
    phase: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Revisions {
    status: String,
    revision: String,
    #[serde(rename = "revisions")]
    by_source: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Health {
    status: String,
}

impl Revisions {
    fn of(&self, source: usize) -> &str {
        self.by_source.get(source).unwrap_or(&self.revision)
    }
}

fn read_argocd(text: &str) -> Result<Vec<Applied>, serde_json::Error> {
    let applications: Vec<Application> = objects(text)?;
    let mut applied = Vec::new();
    for application in applications {
        let ApplicationStatus { sync, health, history, operation_state } = &application.status;
        // Where there are several sources the single one does not count.
        let sources = match &application.spec.sources[..] {
            [] => application.spec.source.as_slice(),
            several => several,
        };
        let is_settled = sync.status == "Synced"
            && health.status == "Healthy"
            && !matches!(&*operation_state.phase, "Failed" | "Error" | "Running" | "Terminating")
            && application.metadata.deletion_timestamp.is_none();
        for (at, source) in sources.iter().enumerate() {
            let Some(folder) = source.path.as_deref().and_then(folder) else { continue };
            // In sync with a revision means that it runs; else what was applied last does.
            let revision = match (&*sync.status, history.last()) {
                ("Synced", _) => sync.of(at),
                (_, Some(newest)) => newest.of(at),
                _ => continue,
            };
            if revision.is_empty() {
                continue;
            }
            applied.push(Applied {
                controller: Controller::ArgoCd,
                name: application.metadata.name.clone(),
                folder,
                revision: revision.to_owned(),
                is_healthy: is_settled,
                state: format!("{}, {}", or_unknown(&sync.status), or_unknown(&health.status)),
                overridden: override_in(&source.kustomize),
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
    #[serde(default)]
    suspend: bool,
    #[serde(flatten)]
    others: Json,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct KustomizationStatus {
    last_applied_revision: String,
    last_applied_origin_revision: String,
    last_attempted_revision: String,
    observed_generation: Option<u64>,
    conditions: Vec<Condition>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Condition {
    r#type: String,
    status: String,
    reason: String,
}

fn read_flux(text: &str) -> Result<Vec<Applied>, serde_json::Error> {
    let kustomizations: Vec<Kustomization> = objects(text)?;
    let mut applied = Vec::new();
    for kustomization in kustomizations {
        let Some(folder) = kustomization.spec.path.as_deref().and_then(folder) else { continue };
        let status = &kustomization.status;
        // `main@sha1:<id>`, before Flux 2 `main/<id>`; of an artifact, the commit that it was made from.
        let origin = Some(&status.last_applied_origin_revision).filter(|origin| !origin.is_empty());
        let revision = origin.unwrap_or(&status.last_applied_revision).rsplit([':', '/']).next().unwrap_or_default();
        if revision.is_empty() {
            continue;
        }
        let condition = |name: &str| status.conditions.iter().find(|condition| condition.r#type == name);
        let is = |name: &str, wanted: &str| condition(name).is_some_and(|condition| condition.status == wanted);
        let is_last = [&status.last_applied_revision, ""].contains(&&*status.last_attempted_revision);
        let generations = (kustomization.metadata.generation, status.observed_generation);
        let is_observed = !matches!(generations, (Some(wanted), Some(observed)) if wanted != observed);
        let is_moving = is("Reconciling", "True") || is("Stalled", "True") || is("Healthy", "False");
        let is_kept = !kustomization.spec.suspend && kustomization.metadata.deletion_timestamp.is_none();
        let reason = condition("Ready").map_or("", |ready| ready.reason.as_str());
        applied.push(Applied {
            controller: Controller::Flux,
            name: kustomization.metadata.name,
            folder,
            revision: revision.to_owned(),
            is_healthy: is("Ready", "True") && is_last && is_observed && !is_moving && is_kept,
            state: if kustomization.spec.suspend { "suspended".to_owned() } else { or_unknown(reason).to_owned() },
            overridden: override_in(&kustomization.spec.others),
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

/// A report of an overlay.
pub struct Deployed<'a> {
    /// The report.
    pub applied: &'a Applied,
    /// The overlay.
    pub overlay: &'a Overlay,
}

/// Which overlays are reported: those that one of the folders is, or that it uses.
///
/// # Errors
/// When the overlays' tree cannot be read.
pub fn deployed<'a>(
    parsed: &ParsedFiles,
    tree: &dyn Tree,
    overlays: &'a [Overlay],
    applied: &'a [Applied],
) -> Result<Vec<Deployed<'a>>, RenderError> {
    let scanner = Scanner::new(parsed, tree);
    let mut found = Vec::new();
    for applied in applied {
        let reach = scanner.scan(&applied.folder)?;
        let is_deployed = |overlay: &&Overlay| overlay.path == applied.folder || reach.roots.contains(&overlay.path);
        found.extend(overlays.iter().filter(is_deployed).map(|overlay| Deployed { applied, overlay }));
    }
    Ok(found)
}

impl Applied {
    /// What the revision renders to, or why that is not known.
    ///
    /// # Errors
    /// Why that is not known, behind the name of what deploys it.
    pub fn images(
        &self,
        repository: &Repository,
        parsed: &ParsedFiles,
        config: &Config,
        overlays: &Overlays,
    ) -> Result<Vec<Image>, String> {
        if let Some(field) = self.overridden {
            return Err(format!("overrides what this repository declares, with its own `{field}`"));
        }
        let short = words::short_commit(&self.revision);
        let is_id = self.revision.len() >= 40 && self.revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        let commit = repository.commit(&self.revision).ok().filter(|_| is_id);
        let commit = commit.ok_or_else(|| format!("runs revision {short}, which is not in this clone"))?;
        let tree = repository.tree(&commit);
        let rendering = Renderer::new(parsed, &tree, overlays.rendering(config)).render_any(&self.folder);
        let rendering = rendering.map_err(|_| format!("runs commit {short}, at which it does not render"))?;
        Ok(State::of(&rendering, config).images.into_iter().map(|used| used.image).collect())
    }
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
                        "history": [{"revision": "older"}, {"revision": "zero"}]}},
            {"metadata": {"name": "b"}, "spec": {"source": {"path": "b"}},
             "status": {"sync": {"status": "OutOfSync", "revision": "two"}, "health": {"status": "Healthy"}, "history": [{"revision": "one"}]}},
            {"metadata": {"name": "failed"}, "spec": {"source": {"path": "f", "kustomize": {"images": ["x:2"]}}},
             "status": {"sync": {"status": "Synced", "revision": "one"}, "health": {"status": "Healthy"}, "operationState": {"phase": "Failed"}}},
            {"metadata": {"name": "never"}, "spec": {"source": {"path": "c"}}, "status": {"sync": {"status": "OutOfSync", "revision": "x"}}},
            {"metadata": {"name": "chart"}, "spec": {"source": {"chart": "redis"}}},
            {"metadata": {"name": "many"}, "spec": {"sources": [{"chart": "x"}, {"path": "d"}]},
             "status": {"sync": {"status": "Synced", "revisions": ["1.0", "three"]}, "health": {"status": "Degraded"}}}]}"#;
        let applied = read_argocd(text).unwrap();
        assert_eq!(
            told(&applied),
            [
                ("a", "apps/a", "one", true, "Synced, Healthy"),
                ("b", "b", "one", false, "OutOfSync, Healthy"),
                ("failed", "f", "one", false, "Synced, Healthy"),
                ("many", "d", "three", false, "Synced, Degraded"),
            ]
        );
        assert_eq!(applied[2].overridden, Some("images"));
        let one = r#"{"metadata": {"name": "a", "deletionTimestamp": null}, "spec": {"source": {"path": "a"}},
            "status": {"sync": {"status": "Synced", "revision": "one"}, "health": {"status": "Healthy"}, "history": null}}"#;
        assert_eq!(told(&read_argocd(one).unwrap()), [("a", "a", "one", true, "Synced, Healthy")]);
        assert!(read_argocd("{}").is_err());
    }

    #[test]
    fn fluxs_kustomizations_are_read() {
        let text = r#"{"items": [
            {"metadata": {"name": "a"}, "spec": {"path": "./a"}, "status": {"lastAppliedRevision": "main@sha1:one",
             "lastAttemptedRevision": "main@sha1:one", "conditions": [{"type": "Ready", "status": "True", "reason": "ReconciliationSucceeded"}]}},
            {"metadata": {"name": "b"}, "spec": {"path": "b"}, "status": {"lastAppliedRevision": "main/one",
             "lastAttemptedRevision": "main/two", "conditions": [{"type": "Ready", "status": "True"}]}},
            {"metadata": {"name": "behind", "generation": 2}, "spec": {"path": "d"}, "status": {"lastAppliedRevision": "main@sha1:one",
             "observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True", "reason": "Old"}]}},
            {"metadata": {"name": "moving"}, "spec": {"path": "e", "postBuild": {"substitute": {"a": "b"}}}, "status":
             {"lastAppliedRevision": "latest@sha256:12", "lastAppliedOriginRevision": "main@sha1:one",
             "conditions": [{"type": "Reconciling", "status": "True"}, {"type": "Ready", "status": "True", "reason": "Progressing"}]}},
            {"metadata": {"name": "held"}, "spec": {"path": "g", "suspend": true}, "status":
             {"lastAppliedRevision": "main@sha1:one", "conditions": [{"type": "Ready", "status": "True"}]}},
            {"metadata": {"name": "new"}, "spec": {"path": "c"}}]}"#;
        let applied = read_flux(text).unwrap();
        assert_eq!(
            told(&applied),
            [
                ("a", "a", "one", true, "ReconciliationSucceeded"),
                ("b", "b", "one", false, "unknown"),
                ("behind", "d", "one", false, "Old"),
                ("moving", "e", "one", false, "Progressing"),
                ("held", "g", "one", false, "suspended"),
            ]
        );
        assert_eq!(applied[3].overridden, Some("postBuild"));
    }
}
