//! The document that rules see. Keys are lowerCamelCase as in Kubernetes; whatever can be pointed at carries an `at`
//! handle, which a rule hands back and [`Handles`] resolves to a place.

use serde::Serialize;

use crate::finding::{Label, Object};
use crate::span::Span;

/// A number that stands for a place.
pub type Handle = usize;

/// What a handle stands for.
#[derive(Clone, Debug)]
pub struct Target {
    /// The place.
    pub span: Span,
    /// The object, where the place is part of one.
    pub object: Option<Object>,
    /// JSON pointer into the object.
    pub path: Option<String>,
    /// Where the value came from before: what it replaced, newest first.
    pub history: Vec<Label>,
}

/// The places of one document.
#[derive(Clone, Debug, Default)]
pub struct Handles {
    targets: Vec<Target>,
}

impl Handles {
    /// Gives a place its handle.
    pub fn add(&mut self, target: Target) -> Handle {
        self.targets.push(target);
        self.targets.len() - 1
    }

    /// Gives a bare place its handle.
    pub fn place(&mut self, span: Span) -> Handle {
        self.add(Target { span, object: None, path: None, history: Vec::new() })
    }

    /// What a handle stands for.
    #[must_use]
    pub fn get(&self, handle: Handle) -> Option<&Target> {
        self.targets.get(handle)
    }
}

/// The whole document: one overlay before and after, or the change as a whole.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// `tollgate.input/1`.
    pub schema: &'static str,
    /// The time of the judgement, RFC 3339.
    pub now: String,
    /// The overlay; `null` for the change as a whole.
    pub overlay: Option<OverlayInput>,
    /// Its environment; `null` for the change as a whole.
    pub environment: Option<EnvironmentInput>,
    /// The change.
    pub change: ChangeInput,
    /// Before.
    pub base: StateInput,
    /// After.
    pub head: StateInput,
    /// What is known besides.
    pub facts: Facts,
    /// Parameters by rule and name.
    pub parameters: serde_json::Value,
}

/// An overlay.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OverlayInput {
    /// The folder.
    pub path: String,
    /// The app.
    pub app: String,
    /// The cluster or part.
    pub part: String,
    /// Whether its rendered output changes.
    pub affected: bool,
    /// The overlay's own file.
    pub at: Handle,
}

/// An environment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentInput {
    /// Its name.
    pub name: String,
    /// Whether it is protected.
    pub protected: bool,
    /// How long a content must have been live below.
    pub soak: Option<Soak>,
    /// How many owners must approve.
    pub approvals: usize,
    /// `allow` or `deny`.
    pub bots: &'static str,
}

/// A duration.
#[derive(Clone, Debug, Serialize)]
pub struct Soak {
    /// In seconds.
    pub seconds: i64,
    /// In words.
    pub text: String,
}

/// The change around an overlay.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeInput {
    /// The base's commit.
    pub base: String,
    /// The head's commit.
    pub head: Option<String>,
    /// Names of bots among its authors.
    pub bots: Vec<String>,
    /// The first changed line that reaches the overlay; `null` where no changed file is text.
    pub at: Option<Handle>,
}

/// What one side renders to.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateInput {
    /// Whether the overlay is there at all.
    pub exists: bool,
    /// Why it does not render.
    pub error: Option<ErrorInput>,
    /// Images in use.
    pub images: Vec<ImageInput>,
    /// Containers.
    pub containers: Vec<ContainerInput>,
    /// References to Secrets and `ConfigMaps`.
    pub references: Vec<ReferenceInput>,
    /// Secrets and `ConfigMaps` that will be there.
    pub provided: Vec<ProvidedInput>,
    /// What `LimitRange`s supply.
    pub default_limits: Vec<LimitsInput>,
}

/// Why an overlay does not render.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorInput {
    /// Where.
    pub at: Handle,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// What explains it.
    pub related: Vec<RelatedInput>,
}

/// A place that explains an error.
#[derive(Clone, Debug, Serialize)]
pub struct RelatedInput {
    /// The place.
    pub at: Handle,
    /// What is to be seen there.
    pub message: String,
}

/// An image in use.
#[derive(Clone, Debug, Serialize)]
pub struct ImageInput {
    /// Who wrote it.
    pub at: Handle,
    /// As rendered.
    pub reference: String,
    /// Registry and repository, written out.
    pub repository: String,
    /// The tag.
    pub tag: Option<String>,
    /// The digest, where a valid one is pinned.
    pub digest: Option<String>,
    /// The container's or volume's name.
    pub user: String,
    /// `container`, `initContainer`, `ephemeralContainer` or `volume`.
    pub role: &'static str,
}

/// A container.
#[derive(Clone, Debug, Serialize)]
pub struct ContainerInput {
    /// Where its resources, else its name, are written.
    pub at: Handle,
    /// Its name.
    pub name: String,
    /// `container`, `initContainer` or `ephemeralContainer`.
    pub role: &'static str,
    /// Identifies the object: kind, namespace and name.
    pub object: String,
    /// The object's namespace.
    pub namespace: String,
    /// Amounts by `requests.cpu` and so on.
    pub resources: serde_json::Map<String, serde_json::Value>,
}

/// A reference to a Secret or `ConfigMap`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceInput {
    /// Who wrote the name.
    pub at: Handle,
    /// Who wrote the key; the name where no key is asked for.
    pub key_at: Handle,
    /// `Secret` or `ConfigMap`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The namespace in which it is looked for.
    pub namespace: String,
    /// The key that is asked for.
    pub key: Option<String>,
    /// Whether it may be absent.
    pub optional: bool,
    /// The kind of the object that refers to it.
    pub object_kind: String,
    /// The name of the object that refers to it.
    pub object_name: String,
}

/// A Secret or `ConfigMap` that will be there.
#[derive(Clone, Debug, Serialize)]
pub struct ProvidedInput {
    /// Who wrote its name.
    pub at: Handle,
    /// `Secret` or `ConfigMap`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its keys; `null` where they cannot be known.
    pub keys: Option<Vec<String>>,
    /// The kind of object that makes it.
    pub by: String,
}

/// What a `LimitRange` supplies.
#[derive(Clone, Debug, Serialize)]
pub struct LimitsInput {
    /// Its namespace.
    pub namespace: String,
    /// Such as `limits.memory`.
    pub resources: Vec<String>,
}

/// Facts.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Facts {
    /// Images that enter the environment, and where their content was live.
    pub promotions: Vec<Promotion>,
    /// Combinations that what enters makes with other apps.
    pub combinations: Vec<Combination>,
    /// What the committed file of versions says of the overlay; `null` where none is configured.
    pub versions: Option<VersionsFacts>,
    /// What is newly wrong with the order of controllers; only for the change as a whole.
    pub order: Vec<OrderFault>,
    /// Who owns what, and who has approved it.
    pub owners: OwnersFacts,
    /// Freezes of the environment that are active.
    pub freezes: Vec<FreezeInput>,
}

/// An image that enters an environment.
#[derive(Clone, Debug, Serialize)]
pub struct Promotion {
    /// Who wrote it.
    pub at: Handle,
    /// The reference with a shortened digest.
    pub short: String,
    /// Whether a digest is pinned.
    pub pinned: bool,
    /// Names of the environments that could prove it.
    pub wanted: Vec<String>,
    /// Environments below in which the app has an overlay.
    pub below: Vec<Tier>,
    /// Lower environments that do not prove anything, for the story.
    pub lower: Vec<Tier>,
    /// Earlier stays in this very environment.
    pub here: Vec<StayInput>,
}

/// What is known of a content in one environment.
#[derive(Clone, Debug, Serialize)]
pub struct Tier {
    /// The environment.
    pub environment: String,
    /// Its stays there, newest first.
    pub stays: Vec<StayInput>,
    /// What runs there now in its place.
    pub current: Vec<Running>,
    /// Whether it is healthy there; `null` where nobody asks.
    pub evidence: Option<Evidence>,
}

/// What a controller reports of a content in one environment.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// `Argo CD` or `Flux`.
    pub controller: &'static str,
    /// Whether any report says that it is healthy.
    pub healthy: bool,
    /// What each report says, for people.
    pub reports: Vec<String>,
}

/// What runs somewhere.
#[derive(Clone, Debug, Serialize)]
pub struct Running {
    /// The content, shortened.
    pub content: String,
    /// Since when, for people.
    pub since: String,
    /// The commit that brought it, shortened.
    pub commit: String,
}

/// Apps that would run together, because they are one group or one depends on the other.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Combination {
    /// The first image that enters.
    pub at: Handle,
    /// `group` or `dependency`.
    pub kind: &'static str,
    /// The group's name, or the app that is depended on.
    pub name: String,
    /// Where the group or the dependency is declared.
    pub declared_at: Handle,
    /// The environments below.
    pub environments: Vec<String>,
    /// What each app would run, of what it runs below as well.
    pub apps: Vec<CombinedApp>,
    /// When all of it last ran together below.
    pub together: Option<Moment>,
    /// When all of it last ran together in this very environment.
    pub here: Option<Moment>,
}

/// One app of a combination.
#[derive(Clone, Debug, Serialize)]
pub struct CombinedApp {
    /// The app.
    pub app: String,
    /// Whether it is the one that the overlay belongs to.
    pub enters: bool,
    /// What it would run.
    pub images: Vec<CombinedImage>,
}

/// An image of a combination.
#[derive(Clone, Debug, Serialize)]
pub struct CombinedImage {
    /// The reference with a shortened digest.
    pub short: String,
    /// What runs below now of its repository, shortened.
    pub below: Vec<String>,
}

/// A moment of history.
#[derive(Clone, Debug, Serialize)]
pub struct Moment {
    /// When, for people.
    pub time: String,
    /// The commit, shortened.
    pub commit: String,
}

/// The committed file of versions beside what is rendered.
#[derive(Clone, Debug, Serialize)]
pub struct VersionsFacts {
    /// The file.
    pub file: String,
    /// Every repository that either side names.
    pub rows: Vec<VersionRow>,
}

/// One repository.
#[derive(Clone, Debug, Serialize)]
pub struct VersionRow {
    /// Where the version is, or would be, written.
    pub at: Handle,
    /// The repository.
    pub repository: String,
    /// The version in the file.
    pub written: Option<String>,
    /// The version that is rendered.
    pub rendered: Option<String>,
}

/// Something wrong with the order in which controllers deploy.
#[derive(Clone, Debug, Serialize)]
pub struct OrderFault {
    /// The line that asks for it.
    pub at: Handle,
    /// `cycle` or `wave`.
    pub kind: &'static str,
    /// For a cycle the names on the way round; for a wave the app, what it depends on, and the object that deploys it.
    pub names: Vec<String>,
}

/// One stay.
#[derive(Clone, Debug, Serialize)]
pub struct StayInput {
    /// Since when, for people.
    pub from: String,
    /// Until when; `null` while it lasts.
    pub to: Option<String>,
    /// How long, in seconds.
    pub seconds: i64,
    /// How long, in words.
    pub lasted: String,
    /// When the environment's soak is reached if it lasts on.
    pub ripe: Option<String>,
    /// The commit that brought it, shortened.
    pub commit: String,
}

/// Owners and approvals.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OwnersFacts {
    /// Who owns the overlay; `null` for the change as a whole.
    pub overlay: Option<OverlayOwners>,
    /// Changed files by the CODEOWNERS line that owns them; only for the change as a whole.
    pub files: Vec<FileOwners>,
}

/// Who owns an overlay.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OverlayOwners {
    /// The CODEOWNERS file; `null` where there is none.
    pub file: Option<Handle>,
    /// The line that decides; `null` where none matches.
    pub at: Option<Handle>,
    /// The owners on it.
    pub owners: Vec<String>,
    /// Whether the line speaks of everything.
    pub catch_all: bool,
    /// Owners who approved this head.
    pub approved_by: Vec<String>,
    /// Owners who approved an older commit only.
    pub outdated: Vec<String>,
    /// Teams whose members are not known.
    pub unknown_teams: Vec<String>,
}

/// Changed files of one CODEOWNERS line.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileOwners {
    /// The line.
    pub at: Handle,
    /// The owners on it.
    pub owners: Vec<String>,
    /// The files.
    pub paths: Vec<String>,
    /// The first changed line of the first file.
    pub changed_at: Handle,
    /// Owners who approved this head.
    pub approved_by: Vec<String>,
    /// Owners who approved an older commit only.
    pub outdated: Vec<String>,
    /// Teams whose members are not known.
    pub unknown_teams: Vec<String>,
}

/// An active freeze.
#[derive(Clone, Debug, Serialize)]
pub struct FreezeInput {
    /// Where it is configured.
    pub at: Handle,
    /// Its name.
    pub name: String,
    /// When it ends, for people.
    pub until: String,
}
