//! Makes the documents that rules see.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};

use super::combinations::Controllers;
use super::{GateError, Request, Sides, Subject};
use crate::config::Bots;
use crate::facts::{Deployed, History, Review, WrittenVersions, first_changed_line, versions};
use crate::finding::{Label, Object};
use crate::kustomize::{Closure, FILE_NAMES, Options, Reach, RenderError, Renderer, Rendering};
use crate::model::{Only, State};
use crate::policy::{
    ChangeInput, ContainerInput, Document, EnvironmentInput, ErrorInput, Facts, FileOwners, FreezeInput, Handle,
    Handles, ImageInput, LimitsInput, OverlayInput, OverlayOwners, OwnersFacts, ProvidedInput, ReferenceInput,
    RelatedInput, Soak, StateInput, Target, VersionRow, VersionsFacts,
};
use crate::sources::{RepoPath, Tree};
use crate::span::Span;
use crate::words;
use crate::yaml::{Origin, Step, same};

/// What one side renders to.
#[derive(Clone, Default)]
pub(super) struct Side {
    exists: bool,
    rendering: Option<Arc<Rendering>>,
    error: Option<RenderError>,
    pub(super) state: Arc<State>,
}

/// Renders one side of an overlay.
pub(super) fn side(exists: bool, path: &RepoPath, renderer: &Renderer<'_>) -> Result<Side, GateError> {
    if !exists {
        return Ok(Side::default());
    }
    match renderer.render_any(path) {
        Ok(rendering) => {
            let state = Arc::new(State::of(&rendering.objects));
            // What cannot be printed cannot be deployed either.
            let error = rendering.to_yaml().err();
            Ok(Side { exists, rendering: Some(Arc::new(rendering)), error, state })
        }
        Err(failed) if failed.error.is_unreadable => Err(GateError::Unreadable(failed.error)),
        Err(failed) => Ok(Side { exists, rendering: None, error: Some(failed.error), state: Arc::default() }),
    }
}

impl Side {
    /// Whether it is there and renders.
    pub(super) fn renders(&self) -> bool {
        self.exists && self.error.is_none()
    }

    /// Whether both sides deploy the same. What does not render is never the same as anything.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.rendering, &other.rendering) {
            (Some(one), Some(other)) => {
                one.objects.len() == other.objects.len()
                    && one.objects.iter().zip(&other.objects).all(|(one, other)| same(one, other))
            }
            _ => !self.exists && !other.exists,
        }
    }
}

/// Makes documents for one run.
pub(super) struct Documents<'a> {
    pub(super) sides: &'a Sides<'a>,
    pub(super) request: &'a Request<'a>,
    review: Option<&'a Review>,
    parameters: serde_json::Value,
    /// Renders what will have landed.
    pub(super) after: Renderer<'a>,
    history: OnceCell<History<'a>>,
    /// What controllers report of which overlay.
    pub(super) deployed: OnceCell<Vec<Deployed<'a>>>,
    pub(super) controllers: OnceCell<[Controllers<'a>; 2]>,
    valid_until: Option<DateTime<Utc>>,
    /// CODEOWNERS lines whose owners are asked for an environment already.
    asked_lines: HashSet<Span>,
}

type Pair = ((Document, Handles), Option<(Document, Handles)>);

impl<'a> Documents<'a> {
    pub(super) fn new(
        sides: &'a Sides<'a>,
        request: &'a Request<'a>,
        review: Option<&'a Review>,
        parameters: serde_json::Value,
    ) -> Self {
        Self {
            sides,
            request,
            review,
            parameters,
            after: Renderer::new(sides.parsed, &*sides.judged.head_tree, Options::default()),
            history: OnceCell::new(),
            deployed: OnceCell::new(),
            controllers: OnceCell::new(),
            valid_until: None,
            asked_lines: HashSet::new(),
        }
    }

    /// The next moment at which the clock alone could change the verdict.
    pub(super) fn valid_until(&self) -> Option<DateTime<Utc>> {
        self.valid_until
    }

    pub(super) fn now(&self) -> i64 {
        self.request.now.timestamp()
    }

    /// Notes a moment at which the verdict could change.
    pub(super) fn changes_at(&mut self, time: DateTime<Utc>) {
        if time > self.request.now {
            self.valid_until = Some(self.valid_until.map_or(time, |known| known.min(time)));
        }
    }

    /// The base branch's history, read when it is first asked for.
    pub(super) fn history(&self) -> Result<&History<'a>, GateError> {
        if let Some(history) = self.history.get() {
            return Ok(history);
        }
        let history = History::new(
            self.request.repository,
            self.sides.parsed,
            Options::default(),
            &self.sides.config.mirrors,
            &self.sides.judged.base,
            self.now(),
        )?;
        Ok(self.history.get_or_init(|| history))
    }

    /// The document of an overlay, and that of the base against itself where the base has the overlay.
    pub(super) fn of_overlay(
        &mut self,
        subject: &Subject<'_>,
        (before, after): (&Side, &Side),
        affected: bool,
        reaches: (&Reach, &Reach),
        wants_history: bool,
    ) -> Result<Pair, GateError> {
        let mut handles = Handles::default();
        let reach = if subject.in_head { reaches.1 } else { reaches.0 };
        let own = self.own_file(subject, reach, &mut handles)?;
        let at = match self.first_change(subject, (&reaches.0.closure, &reaches.1.closure))? {
            Some(span) if affected => handles.place(span),
            _ => own,
        };
        let head = state_input(after, &mut handles, own);
        let base = state_input(before, &mut handles, own);
        let mut facts = Facts {
            owners: OwnersFacts { overlay: Some(self.overlay_owners(subject, &mut handles)), files: Vec::new() },
            freezes: if affected { self.freezes(subject, &mut handles) } else { Vec::new() },
            ..Facts::default()
        };
        facts.versions = self.versions(subject, after, &*self.sides.judged.head_tree, own, &mut handles)?;
        if affected && wants_history && after.error.is_none() {
            facts.promotions = self.promotions(subject, before, after, &mut handles)?;
            facts.combinations = self.combinations((subject, before, after), &facts.promotions, &mut handles)?;
        }
        let environment = &self.sides.config.environments[subject.overlay.environment];
        if affected && environment.protected && environment.approvals > 0 {
            let line = self.sides.owners.of(&subject.overlay.path.child(FILE_NAMES[0])).map(|rule| rule.span);
            self.asked_lines.extend(line);
        }
        let document = self.document(Some((subject, affected, own)), Some(at), (base, head), facts);
        let known = if before.exists {
            let mut handles = Handles::default();
            let own = self.own_file(subject, reaches.0, &mut handles)?;
            let state = state_input(before, &mut handles, own);
            let owners = OwnersFacts { overlay: Some(self.overlay_owners(subject, &mut handles)), files: Vec::new() };
            let versions = self.versions(subject, before, &self.sides.judged.base_tree, own, &mut handles)?;
            let facts = Facts { versions, owners, ..Facts::default() };
            Some((self.document(Some((subject, false, own)), Some(own), (state.clone(), state), facts), handles))
        } else {
            None
        };
        Ok(((document, handles), known))
    }

    /// What the committed file of versions says of an overlay. Of several overlays of an app in one environment none is
    /// expected to run all that is written.
    fn versions(
        &self,
        subject: &Subject<'_>,
        side: &Side,
        tree: &dyn Tree,
        own: Handle,
        handles: &mut Handles,
    ) -> Result<Option<VersionsFacts>, GateError> {
        let Some(path) = self.sides.config.versions.as_ref().filter(|_| side.exists && side.error.is_none()) else {
            return Ok(None);
        };
        let overlay = subject.overlay;
        let environment = &self.sides.config.environments[overlay.environment].name;
        let file = path.to_string();
        let rendered = versions(side.state.images.iter().map(|used| &used.image));
        let Some(written) = WrittenVersions::read(tree, self.sides.parsed, path)? else {
            let row =
                |(repository, version)| VersionRow { at: own, repository, written: None, rendered: Some(version) };
            return Ok(Some(VersionsFacts { file, rows: rendered.into_iter().map(row).collect() }));
        };
        let (mut rows, place) = written.of(&overlay.app, environment);
        let only = Only { app: Some(&overlay.app), environment: Some(overlay.environment) };
        let is_alone = self.sides.head.all.iter().filter(|other| only.wants(other)).count() < 2;
        let mut told = Vec::new();
        for (repository, version) in rendered {
            let (written, span) = rows.remove(&repository).map_or((None, place), |(text, span)| (Some(text), span));
            let is_one_of =
                |text: &String| !is_alone && version.split(' ').all(|it| text.split(' ').any(|one| it == one));
            let written = if written.as_ref().is_some_and(is_one_of) { Some(version.clone()) } else { written };
            told.push(VersionRow { at: handles.place(span), repository, written, rendered: Some(version) });
        }
        for (repository, (version, span)) in rows.into_iter().filter(|_| is_alone) {
            told.push(VersionRow { at: handles.place(span), repository, written: Some(version), rendered: None });
        }
        Ok(Some(VersionsFacts { file, rows: told }))
    }

    /// The document of the change as a whole.
    pub(super) fn of_change(&self) -> Result<(Document, Handles), GateError> {
        let mut handles = Handles::default();
        let files = self.file_owners(&mut handles)?;
        let at = match self.sides.change.files.first() {
            Some(path) => self.changed_line(path)?,
            None => None,
        };
        let at = at.map(|span| handles.place(span));
        let order = self.order_faults(&mut handles)?;
        let facts = Facts { owners: OwnersFacts { overlay: None, files }, order, ..Facts::default() };
        let state = StateInput::default;
        Ok((self.document(None, at, (state(), state()), facts), handles))
    }

    /// `about` is the overlay, whether its output changes, and its own file.
    fn document(
        &self,
        about: Option<(&Subject<'_>, bool, Handle)>,
        at: Option<Handle>,
        (base, head): (StateInput, StateInput),
        facts: Facts,
    ) -> Document {
        let environment = about.map(|(subject, ..)| &self.sides.config.environments[subject.overlay.environment]);
        let judged = self.sides.judged;
        Document {
            schema: "tollgate.input/1",
            now: self.request.now.to_rfc3339_opts(SecondsFormat::Secs, true),
            overlay: about.map(|(subject, affected, own)| OverlayInput {
                path: subject.overlay.path.to_string(),
                app: subject.overlay.app.clone(),
                part: subject.overlay.part.clone(),
                affected,
                at: own,
            }),
            environment: environment.map(|environment| EnvironmentInput {
                name: environment.name.clone(),
                protected: environment.protected,
                soak: environment.soak.map(|seconds| Soak { seconds, text: words::duration(seconds) }),
                approvals: environment.approvals,
                bots: if environment.bots == Bots::Deny { "deny" } else { "allow" },
            }),
            change: ChangeInput {
                base: judged.base.id.to_string(),
                head: judged.head.as_ref().map(|head| head.id.to_string()),
                bots: self.sides.change.bots.iter().map(|bot| bot.name.clone()).collect(),
                at,
            },
            base,
            head,
            facts,
            parameters: self.parameters.clone(),
        }
    }

    /// The overlay's own file: its kustomization, else the first text that its folder holds.
    fn own_file(&self, subject: &Subject<'_>, reach: &Reach, handles: &mut Handles) -> Result<Handle, GateError> {
        let judged = self.sides.judged;
        let tree: &dyn Tree = if subject.in_head { &*judged.head_tree } else { &judged.base_tree };
        let folder = &subject.overlay.path;
        let first_line = |file| {
            let (start, end) = self.sides.parsed.files.get(file).line_range(0);
            Span { file, start, end }
        };
        if let Some(file) = reach.file {
            return Ok(handles.place(first_line(file)));
        }
        for (name, _) in tree.children(folder)? {
            let path = folder.child(&name);
            let Some((id, content)) = tree.read(&path)? else { continue };
            let Ok(text) = std::str::from_utf8(&content) else { continue };
            return Ok(handles.place(first_line(self.sides.parsed.files.add(&path, id, text))));
        }
        // A link that leads nowhere has no text; what was changed has to stand for it.
        for path in &self.sides.change.files {
            if let Some(span) = self.changed_line(path)? {
                return Ok(handles.place(span));
            }
        }
        let message = format!("the overlay `{folder}` holds no text file");
        Err(GateError::Unfit { message, help: "add its kustomization, or remove the folder".to_owned() })
    }

    fn changed_line(&self, path: &RepoPath) -> Result<Option<Span>, GateError> {
        let judged = self.sides.judged;
        Ok(first_changed_line(self.sides.parsed, &judged.base_tree, &*judged.head_tree, path)?)
    }

    /// The first changed line that reaches the overlay: in its own folder where there is one.
    fn first_change(&self, subject: &Subject<'_>, closures: (&Closure, &Closure)) -> Result<Option<Span>, GateError> {
        let reaching: Vec<&RepoPath> =
            self.sides.change.files.iter().filter(|path| closures.0.holds(path) || closures.1.holds(path)).collect();
        let own = reaching.iter().find(|path| path.is_within(&subject.overlay.path));
        for path in own.into_iter().chain(&reaching) {
            if let Some(span) = self.changed_line(path)? {
                return Ok(Some(span));
            }
        }
        Ok(None)
    }

    fn freezes(&mut self, subject: &Subject<'_>, handles: &mut Handles) -> Vec<FreezeInput> {
        let now = self.request.now;
        let name = &self.sides.config.environments[subject.overlay.environment].name;
        let mut active = Vec::new();
        for freeze in self.sides.config.freezes.iter().filter(|freeze| freeze.environments.contains(name)) {
            match freeze.active(now) {
                Some(window) => {
                    self.changes_at(window.until);
                    active.push(FreezeInput {
                        at: handles.place(freeze.span),
                        name: freeze.name.clone(),
                        until: words::moment(window.until.timestamp()),
                    });
                }
                None => {
                    if let Some(next) = freeze.next(now) {
                        self.changes_at(next);
                    }
                }
            }
        }
        active
    }

    fn overlay_owners(&self, subject: &Subject<'_>, handles: &mut Handles) -> OverlayOwners {
        let owners = &self.sides.owners;
        let rule = owners.of(&subject.overlay.path.child(FILE_NAMES[0]));
        let named = rule.map(|rule| rule.owners.clone()).unwrap_or_default();
        let (approved_by, outdated, unknown_teams) = self.approvals(&named);
        OverlayOwners {
            file: owners.file.map(|span| handles.place(span)),
            at: rule.map(|rule| handles.place(rule.span)),
            catch_all: rule.is_some_and(crate::facts::OwnerRule::is_catch_all),
            owners: named,
            approved_by,
            outdated,
            unknown_teams,
        }
    }

    fn approvals(&self, owners: &[String]) -> (Vec<String>, Vec<String>, Vec<String>) {
        let Some(review) = self.review else { return Default::default() };
        let members = |people: &[String]| review.members(owners, people);
        (members(&review.approved), members(&review.outdated), review.unknown_teams(owners))
    }

    /// Changed files by the line that owns them, lines left out whose owners are asked for an environment.
    fn file_owners(&self, handles: &mut Handles) -> Result<Vec<FileOwners>, GateError> {
        let mut by_line: BTreeMap<Span, (Vec<String>, Vec<&RepoPath>)> = BTreeMap::new();
        for path in &self.sides.change.files {
            if let Some(rule) = self.sides.owners.of(path).filter(|rule| !self.asked_lines.contains(&rule.span)) {
                by_line.entry(rule.span).or_insert_with(|| (rule.owners.clone(), Vec::new())).1.push(path);
            }
        }
        let mut files = Vec::new();
        for (line, (owners, paths)) in by_line {
            let mut changed = None;
            for path in &paths {
                changed = self.changed_line(path)?;
                if changed.is_some() {
                    break;
                }
            }
            let (approved_by, outdated, unknown_teams) = self.approvals(&owners);
            files.push(FileOwners {
                at: handles.place(line),
                // A file that is no text has no line; the line that owns it stands for it.
                changed_at: handles.place(changed.unwrap_or(line)),
                owners,
                paths: paths.iter().map(ToString::to_string).collect(),
                approved_by,
                outdated,
                unknown_teams,
            });
        }
        Ok(files)
    }
}

/// How many earlier writers of a value are told.
const MOST_BEFORE: usize = 3;

pub(super) fn target(origin: &Origin, object: &Object, path: &str) -> Target {
    let mut history = Vec::new();
    let mut before = origin.before.as_ref();
    while let Some(node) = before.filter(|_| history.len() < MOST_BEFORE) {
        if node.origin.span != origin.span && history.iter().all(|label: &Label| label.span != node.origin.span) {
            let who = match node.origin.step {
                Step::File => "written here first",
                Step::Patch | Step::JsonPatch => "a patch set it before",
                Step::Image => "`images` set it before",
                Step::Generator => "generated from here",
                _ => "set before",
            };
            // Contents of Secrets are never shown.
            let value = node.as_text().filter(|_| object.kind != "Secret");
            let text = value.map_or_else(|| who.to_owned(), |value| format!("{who}: `{value}`"));
            history.push(Label { span: node.origin.span, text });
        }
        before = node.origin.before.as_ref();
    }
    Target { span: origin.span, object: Some(object.clone()), path: Some(path.to_owned()), history }
}

/// A blank namespace is `default`, as kustomize compares them.
fn or_default(namespace: &str) -> String {
    if namespace.is_empty() { "default".to_owned() } else { namespace.to_owned() }
}

fn state_input(side: &Side, handles: &mut Handles, own: Handle) -> StateInput {
    let error = side.error.as_ref().map(|error| ErrorInput {
        at: error.span.map_or(own, |span| handles.place(span)),
        message: error.message.clone(),
        help: error.help.clone(),
        related: error
            .related
            .iter()
            .map(|(span, text)| RelatedInput { at: handles.place(*span), message: text.clone() })
            .collect(),
    });
    let state = &side.state;
    let images = state.images.iter().map(|used| ImageInput {
        at: handles.add(target(&used.origin, &used.object, &used.path)),
        reference: used.image.reference.clone(),
        repository: used.image.repository.clone(),
        tag: used.image.tag.clone(),
        digest: used.image.digest.clone(),
        user: used.user.clone(),
        role: used.role,
    });
    let images = images.collect();
    let containers = state.containers.iter().map(|container| ContainerInput {
        at: handles.add(target(&container.origin, &container.object, &container.path)),
        name: container.name.clone(),
        role: container.role,
        object: format!("{}/{}/{}", container.object.kind, container.object.namespace, container.object.name),
        namespace: or_default(&container.object.namespace),
        resources: container.resources.iter().map(|(name, amount)| (name.clone(), amount.as_str().into())).collect(),
    });
    let containers = containers.collect();
    let references = state.references.iter().map(|reference| ReferenceInput {
        at: handles.add(target(&reference.origin, &reference.object, &reference.path)),
        key_at: {
            let origin = reference.key_origin.as_ref().unwrap_or(&reference.origin);
            handles.add(target(origin, &reference.object, &reference.path))
        },
        kind: reference.kind,
        name: reference.name.clone(),
        namespace: or_default(&reference.object.namespace),
        key: reference.key.clone(),
        optional: reference.optional,
        object_kind: reference.object.kind.clone(),
        object_name: reference.object.name.clone(),
    });
    let references = references.collect();
    let provided = state.provided.iter().map(|provided| ProvidedInput {
        at: handles.place(provided.origin.span),
        kind: provided.kind,
        name: provided.name.clone(),
        namespace: or_default(&provided.namespace),
        keys: provided.keys.clone(),
        by: provided.by.clone(),
    });
    let provided = provided.collect();
    let default_limits = state
        .default_limits
        .iter()
        .map(|limits| LimitsInput { namespace: or_default(&limits.namespace), resources: limits.resources.clone() });
    let default_limits = default_limits.collect();
    StateInput { exists: side.exists, error, images, containers, references, provided, default_limits }
}
