//! What facts share, and what is read only where a fact asks for it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use super::codeowners::Codeowners;
use super::controllers::Controllers;
use super::elsewhere::ProvidedBy;
use super::neighbours::Neighbour;
use super::reports::{Applied, Deployed, deployed};
use super::review::Review;
use super::scans::Scans;
use super::schemas::{Definitions, Mark};
use super::{Change, FactsError, LandingTimes, LookBack, first_changed_line};
use crate::config::{Config, Freeze, Recurring, Window};
use crate::kustomize::{ParsedFiles, RenderError, Renderer};
use crate::model::schema::Versions;
use crate::model::{Case, Overlays, Unjudged};
use crate::sided::Sided;
use crate::sources::{Comparison, RepoPath, Repository, Tree, TreeError};
use crate::span::{FileId, Span};

/// Everything that facts are made from.
pub struct Context<'a> {
    /// Where the history is.
    pub repository: &'a Repository,
    /// Files that were read in this run.
    pub files: &'a ParsedFiles,
    /// The two sides.
    pub comparison: &'a Comparison,
    /// The trusted configuration.
    pub config: &'a Config,
    /// Who owns what, by the trusted side.
    pub owners: &'a Codeowners,
    /// The same as the change leaves it.
    pub next_owners: &'a Codeowners,
    /// What changes, and by whom.
    pub change: &'a Change,
    /// The overlays of each side.
    pub overlays: Sided<&'a Overlays>,
    /// What the change touches and nobody judges.
    pub unjudged: &'a Unjudged,
    /// Who has approved; `None` where nobody has said.
    pub review: Option<&'a Review>,
    /// When commits landed, as far as the forge has told.
    pub landings: &'a LandingTimes,
    /// What controllers report as applied; `None` where no report was given.
    pub reports: Option<&'a [Applied]>,
    /// Reports of scanners; `None` where none were given.
    pub scans: Option<&'a Scans>,
    /// Whether GitLab says that this job runs in a deploy freeze; `None` outside of GitLab's jobs.
    pub is_deploy_freeze: Option<bool>,
    /// The time of the judgement.
    pub clock: Clock,
    /// Renders each side.
    pub renderers: Sided<Renderer<'a>>,
    /// Environments that are on another branch, or in another repository.
    pub neighbours: &'a [Neighbour<'a>],
    /// Empty at first.
    pub on_demand: ReadOnDemand<'a>,
}

/// What a [`Context`] reads only once a fact asks for it.
#[derive(Default)]
pub struct ReadOnDemand<'a> {
    history: Mutex<Option<Arc<LookBack<'a>>>>,
    /// By environment.
    neighbours: Mutex<HashMap<usize, Arc<LookBack<'a>>>>,
    deployed: OnceLock<Vec<Deployed<'a>>>,
    controllers: OnceLock<Sided<Controllers<'a>>>,
    /// By environment.
    pub(super) provided: Mutex<HashMap<usize, Arc<Vec<ProvidedBy>>>>,
    definitions: OnceLock<Sided<Definitions<'a>>>,
    /// By overlay of the base.
    pub(super) schema_marks: Mutex<HashMap<RepoPath, Arc<HashSet<Mark>>>>,
    /// Kinds that no schema is known of, with their API versions.
    pub(super) unknown_kinds: Mutex<BTreeSet<(String, String)>>,
}

impl<'a> Context<'a> {
    /// The `CustomResourceDefinition`s of each side.
    pub(super) fn definitions(&self) -> &Sided<Definitions<'a>> {
        self.on_demand.definitions.get_or_init(|| {
            let sides = self.comparison.trees().zip(self.overlays);
            sides.map(|(tree, overlays)| Definitions::new(tree, &overlays.definitions, &self.overlays.base.definitions))
        })
    }

    /// The version of Kubernetes that is asked in the place of the configured one, where that is not known.
    #[must_use]
    pub fn version_instead(&self) -> Option<&'static str> {
        let configured = self.config.kubernetes.as_deref();
        configured.and_then(|version| Versions::of(Some(version)).instead)
    }

    /// Files with `CustomResourceDefinition`s that the change touches.
    #[must_use]
    pub fn changed_definitions(&self) -> Vec<String> {
        let Sided { base, head } = self.overlays;
        let defines = |path: &&RepoPath| base.definitions.contains(path) || head.definitions.contains(path);
        self.change.files.iter().filter(defines).map(ToString::to_string).collect()
    }

    /// Kinds that were judged and that no schema is known of, such as `Rollout of argoproj.io/v1alpha1`.
    #[must_use]
    pub fn unknown_kinds(&self) -> Vec<String> {
        let unknown = self.on_demand.unknown_kinds.lock();
        unknown.iter().map(|(kind, api_version)| format!("{kind} of {api_version}")).collect()
    }

    /// The base branch's history.
    ///
    /// # Errors
    /// When a commit cannot be read.
    pub fn history(&self) -> Result<Arc<LookBack<'a>>, FactsError> {
        let mut history = self.on_demand.history.lock();
        if let Some(history) = &*history {
            return Ok(Arc::clone(history));
        }
        let read = LookBack::new(
            self.repository,
            self.files,
            self.overlays.base.rendering(self.config),
            self.config,
            &self.comparison.base,
            self.landings,
            self.clock.seconds(),
        )?;
        Ok(Arc::clone(history.insert(Arc::new(read))))
    }

    /// The overlays of the base, as far as they may be of an environment.
    #[must_use]
    pub fn overlays_of(&self, environment: usize) -> &'a Overlays {
        let neighbour = self.neighbours.iter().find(|neighbour| neighbour.environment == environment);
        neighbour.map_or(self.overlays.base, |neighbour| &neighbour.overlays)
    }

    /// The history of an environment.
    ///
    /// # Errors
    /// When a commit cannot be read.
    pub fn history_of(&self, environment: usize) -> Result<Arc<LookBack<'a>>, FactsError> {
        let Some(neighbour) = self.neighbours.iter().find(|it| it.environment == environment) else {
            return self.history();
        };
        let mut known = self.on_demand.neighbours.lock();
        if let Some(history) = known.get(&environment) {
            return Ok(Arc::clone(history));
        }
        let Neighbour { repository, tip, config, overlays, .. } = neighbour;
        let options = overlays.rendering(config);
        let read = LookBack::new(repository, self.files, options, config, tip, self.landings, self.clock.seconds())?;
        Ok(Arc::clone(known.entry(environment).or_insert(Arc::new(read))))
    }

    /// Which overlays are reported as applied.
    ///
    /// # Errors
    /// When the base cannot be read.
    pub fn deployed(&self, reports: &'a [Applied]) -> Result<&[Deployed<'a>], RenderError> {
        if let Some(deployed) = self.on_demand.deployed.get() {
            return Ok(deployed);
        }
        let found = deployed(self.files, &self.comparison.base_tree, &self.overlays.base.all, reports)?;
        Ok(self.on_demand.deployed.get_or_init(|| found))
    }

    /// What deploys the overlays of each side.
    ///
    /// # Errors
    /// When a side cannot be read.
    pub(crate) fn controllers(&self) -> Result<&Sided<Controllers<'a>>, FactsError> {
        if let Some(controllers) = self.on_demand.controllers.get() {
            return Ok(controllers);
        }
        let sides = self.comparison.trees().zip(self.overlays);
        let read = sides.try_map(|(tree, overlays)| Controllers::read(self.files, tree, overlays))?;
        Ok(self.on_demand.controllers.get_or_init(|| read))
    }

    /// The first line of a file that the change touches; `None` where it is not text.
    ///
    /// # Errors
    /// When a side cannot be read.
    pub fn changed_line(&self, path: &RepoPath) -> Result<Option<Span>, TreeError> {
        let Sided { base, head } = self.comparison.trees();
        first_changed_line(self.files, base, head, path)
    }

    /// The first changed line that reaches an overlay: in its own folder where there is one.
    ///
    /// # Errors
    /// When a side cannot be read.
    pub fn first_change(&self, case: &Case<'_>) -> Result<Option<Span>, TreeError> {
        let reaches = |path: &&RepoPath| case.scans.iter().any(|scan| scan.closure.holds(path));
        let reaching: Vec<&RepoPath> = self.change.files.iter().filter(reaches).collect();
        let own = reaching.iter().find(|path| path.is_within(&case.overlay.path));
        for path in own.into_iter().chain(&reaching) {
            if let Some(span) = self.changed_line(path)? {
                return Ok(Some(span));
            }
        }
        Ok(None)
    }

    /// The first line of an overlay's own file: its kustomization, else the first text that its folder holds.
    ///
    /// # Errors
    /// When a side cannot be read, or nothing of the overlay or the change is text.
    pub fn own_line(&self, case: &Case<'_>) -> Result<Span, FactsError> {
        let Sided { base, head } = self.comparison.trees();
        let tree = if case.rendered.head.exists { head } else { base };
        self.first_line_in(&case.overlay.path, case.latest_scan().file, tree)
    }

    /// The same in the base.
    ///
    /// # Errors
    /// As [`Context::own_line`].
    pub fn own_line_in_base(&self, case: &Case<'_>) -> Result<Span, FactsError> {
        self.first_line_in(&case.overlay.path, case.scans.base.file, self.comparison.trees().base)
    }

    fn first_line_in(
        &self,
        folder: &RepoPath,
        kustomization: Option<FileId>,
        tree: &dyn Tree,
    ) -> Result<Span, FactsError> {
        let first_line = |file| {
            let (start, end) = self.files.files.get(file).line_range(0);
            Span { file, start, end }
        };
        if let Some(file) = kustomization {
            return Ok(first_line(file));
        }
        for (name, _) in tree.children(folder)? {
            let path = folder.child(&name);
            let (id, content) = match tree.read(&path) {
                Ok(Some(content)) => content,
                Ok(None) => continue,
                Err(error) if error.is_too_large() => continue,
                Err(error) => return Err(error.into()),
            };
            let Ok(text) = std::str::from_utf8(&content) else { continue };
            return Ok(first_line(self.files.files.add(&path, id, text)));
        }
        // A link that leads nowhere has no text; the change stands for it.
        for path in &self.change.files {
            if let Some(span) = self.changed_line(path)? {
                return Ok(span);
            }
        }
        Err(FactsError::NoText(folder.clone()))
    }
}

/// The time of the judgement, and when it could end differently.
pub struct Clock {
    /// The time.
    pub now: DateTime<Utc>,
    next_change: Mutex<Option<DateTime<Utc>>>,
    /// Windows that are open, by where the freeze is written: a long series is looked through once.
    active: Mutex<HashMap<Span, Option<Window>>>,
}

impl Clock {
    /// A clock that stands still at `now`.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        Self { now, next_change: Mutex::default(), active: Mutex::default() }
    }

    /// The time, in seconds since 1970.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.now.timestamp()
    }

    /// The window of a freeze that is open.
    #[must_use]
    pub fn active(&self, freeze: &Freeze) -> Option<Window> {
        *self.active.lock().entry(freeze.span).or_insert_with(|| freeze.active(self.now))
    }

    /// The window of a schedule that is open; `span` is where it is written.
    #[must_use]
    pub fn active_of(&self, span: Span, recurring: &Recurring) -> Option<Window> {
        *self.active.lock().entry(span).or_insert_with(|| recurring.active(self.now))
    }

    /// Notes a moment at which the verdict could change.
    pub fn changes_at(&self, time: DateTime<Utc>) {
        if time > self.now {
            let mut next = self.next_change.lock();
            *next = Some(next.map_or(time, |known| known.min(time)));
        }
    }

    /// Notes that the verdict could change in so many seconds.
    pub fn changes_in(&self, seconds: i64) {
        if let Some(time) = DateTime::from_timestamp(self.seconds().saturating_add(seconds), 0) {
            self.changes_at(time);
        }
    }

    /// The next moment at which the clock alone could change the verdict.
    #[must_use]
    pub fn next_change(&self) -> Option<DateTime<Utc>> {
        *self.next_change.lock()
    }
}
