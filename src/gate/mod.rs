//! The gate: finds both sides of a change, gathers facts for every overlay that it affects, asks the rules.
//!
//! It coordinates the stages and is none itself: what a stage knows stays there.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use rayon::prelude::*;

use crate::config::{self, Config, ConfigError};
use crate::facts::{
    Applied, Change, EvidenceError, HistoryError, OWNERS_PLACES, Owners, Review, ReviewError, VersionsFile, versions,
};
use crate::finding::{Finding, Label, Place, Severity};
use crate::kustomize::{Options, ParsedFiles, RenderError, Renderer, Scanner};
use crate::model::{Image, Only, Overlay, Overlays, State, Unjudged, discover};
use crate::policy::{self, Document, Engine, Handles, PolicyError, Raised, Rule, Scope as RuleScope, Settings};
use crate::report::check::Report;
use crate::sources::{self, Content, Entry, Judged, Listing, RepoPath, Repository, RepositoryError, Tree, TreeError};

use documents::Documents;

pub use difference::{of_change, of_environments};
pub use promote::{Wish, promote};

mod combinations;
mod difference;
mod documents;
mod promote;
mod promotions;

/// What is to be judged.
pub struct Request<'a> {
    /// Where the history is.
    pub repository: &'a Repository,
    /// The two sides.
    pub judged: &'a Judged,
    /// Whose configuration, CODEOWNERS and freezes count: the head's, for trying them out, or else the base's.
    pub trusts_head: bool,
    /// Whether overlays are judged that the change does not affect.
    pub all: bool,
    /// Only this environment.
    pub environment: Option<&'a str>,
    /// Only this app.
    pub app: Option<&'a str>,
    /// Only this rule.
    pub rule: Option<&'a str>,
    /// The time of the judgement.
    pub now: DateTime<Utc>,
    /// The review file's name and text.
    pub review: Option<(&'a str, &'a str)>,
    /// What controllers report as applied; `None` where nobody was asked.
    pub applied: Option<&'a [Applied]>,
}

impl<'a> Request<'a> {
    /// Everything that the change affects, by the base's rules.
    #[must_use]
    pub fn new(repository: &'a Repository, judged: &'a Judged, now: DateTime<Utc>) -> Self {
        Self {
            repository,
            judged,
            trusts_head: false,
            all: false,
            environment: None,
            app: None,
            rule: None,
            now,
            review: None,
            applied: None,
        }
    }
}

/// Why the gate cannot decide: exit code 2.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum GateError {
    /// The repository or a revision.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Repository(#[from] RepositoryError),
    /// A snapshot.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tree(#[from] TreeError),
    /// History.
    #[error(transparent)]
    #[diagnostic(transparent)]
    History(#[from] HistoryError),
    /// A rule.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Policy(#[from] PolicyError),
    /// The review file.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Review(#[from] ReviewError),
    /// A controller's report.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Evidence(#[from] EvidenceError),
    /// The configuration; every problem is told.
    #[error("the configuration has {} problem(s)", .0.len())]
    Config(Vec<ConfigError>),
    /// A snapshot, seen while rendering.
    #[error("{0}")]
    Unreadable(RenderError),
    /// The repository holds nothing to judge, or not where it must be.
    #[error("{message}")]
    #[diagnostic(help("{help}"))]
    Unfit {
        /// What is wrong with it.
        message: String,
        /// What to do.
        help: String,
    },
    /// A place that a rule named is none of those that it was given.
    #[error("the rule `{rule}` points at handle {handle}, which it was not given")]
    #[diagnostic(help("this is a mistake in the rule: `at` must be a handle of the input"))]
    Handle {
        /// The rule.
        rule: String,
        /// What it handed back.
        handle: usize,
    },
}

/// The snapshots and what is known of them before anything is rendered.
struct Sides<'a> {
    judged: &'a Judged,
    parsed: &'a ParsedFiles,
    config: Config,
    owners: Owners,
    base: Overlays,
    head: Overlays,
    change: Change,
}

/// One overlay to judge: it may be missing on one side.
struct Subject<'a> {
    overlay: &'a Overlay,
    in_base: bool,
    in_head: bool,
}

/// Judges a change.
///
/// # Errors
/// When the gate cannot decide.
pub fn judge(request: &Request<'_>, parsed: &ParsedFiles) -> Result<Report, GateError> {
    let mut findings = Vec::new();
    let report = run(request, parsed, &mut |asked: &Asked<'_>| {
        findings.extend(asked.findings()?);
        Ok(())
    })?;
    Ok(finished(report, findings, parsed))
}

/// Hands every document that the rules would see to `show`.
///
/// # Errors
/// When the documents cannot be made.
pub fn show_facts(
    request: &Request<'_>,
    parsed: &ParsedFiles,
    show: &mut dyn FnMut(&Document) -> Result<(), GateError>,
) -> Result<(), GateError> {
    run(request, parsed, &mut |asked: &Asked<'_>| show(&asked.head.0)).map(drop)
}

fn finished(mut report: Report, mut findings: Vec<Finding>, parsed: &ParsedFiles) -> Report {
    let files = &parsed.files;
    findings.sort_by_cached_key(|finding| {
        let place = files.location(finding.primary.span);
        (place.path, place.line, place.column, finding.rule.clone(), finding.place.clone(), finding.message.clone())
    });
    report.findings = findings;
    report
}

/// One document with the rules that are to see it.
struct Asked<'a> {
    engine: &'a Engine,
    rules: &'a [Rule],
    settings: &'a Settings,
    config: &'a Config,
    overlay: Option<&'a Overlay>,
    scope: RuleScope,
    without: &'a [&'static str],
    only: Option<&'a str>,
    head: (Document, Handles),
    /// The base against itself, to know what it has already.
    base: Option<(Document, Handles)>,
}

impl Asked<'_> {
    fn findings(&self) -> Result<Vec<Finding>, GateError> {
        let found = self.evaluate(&self.head)?;
        let known: HashSet<_> = match &self.base {
            Some(base) if !found.is_empty() => self.evaluate(base)?.iter().map(Finding::identity).collect(),
            _ => HashSet::new(),
        };
        // What does not render hides what it would run: a change to it is never what the base has already.
        let is_hidden =
            self.head.0.head.error.is_some() && self.head.0.overlay.as_ref().is_some_and(|overlay| overlay.affected);
        let mark = |mut finding: Finding| {
            finding.existing = !is_hidden && known.contains(&finding.identity());
            finding
        };
        Ok(found.into_iter().map(mark).collect())
    }

    fn evaluate(&self, (document, handles): &(Document, Handles)) -> Result<Vec<Finding>, GateError> {
        let environment = self.overlay.map(|overlay| &self.config.environments[overlay.environment]);
        let mut asked = None;
        let mut findings = Vec::new();
        for rule in self.rules {
            let severity = self.settings.severity(rule, self.config, environment);
            let lacks = rule.metadata.custom.needs.iter().any(|need| self.without.contains(&need.as_str()));
            let left_out =
                self.only.is_some_and(|only| only != rule.id) || !rule.metadata.custom.scope.contains(&self.scope);
            if severity == Severity::Off || lacks || left_out {
                continue;
            }
            let asked = match &mut asked {
                Some(asked) => asked,
                none => none.insert(self.engine.ask(document)?),
            };
            for raised in asked.evaluate(rule)? {
                findings.push(self.finding(rule, severity, raised, handles)?);
            }
        }
        Ok(findings)
    }

    fn finding(
        &self,
        rule: &Rule,
        severity: Severity,
        raised: Raised,
        handles: &Handles,
    ) -> Result<Finding, GateError> {
        let resolve = |handle: usize| handles.get(handle).ok_or(GateError::Handle { rule: rule.id.to_owned(), handle });
        let target = resolve(raised.at)?;
        let mut related = Vec::new();
        for place in &raised.related {
            related.push(Label { span: resolve(place.at)?.span, text: place.message.clone() });
        }
        related.extend(target.history.iter().cloned());
        related.retain(|label| label.span != target.span);
        let place = self.overlay.map(|overlay| Place {
            app: overlay.app.clone(),
            environment: self.config.environments[overlay.environment].name.clone(),
            overlay: overlay.path.to_string(),
        });
        let place = place.unwrap_or(Place { app: String::new(), environment: String::new(), overlay: String::new() });
        Ok(Finding {
            rule: rule.id.to_owned(),
            severity,
            message: raised.message,
            primary: Label { span: target.span, text: raised.label.unwrap_or_default() },
            related,
            notes: raised.notes,
            help: Some(raised.help.unwrap_or_else(|| rule.metadata.custom.help.clone())),
            place,
            object: target.object.clone(),
            path: target.path.clone(),
            subject: raised.subject,
            existing: false,
        })
    }
}

fn run(
    request: &Request<'_>,
    parsed: &ParsedFiles,
    ask: &mut dyn FnMut(&Asked<'_>) -> Result<(), GateError>,
) -> Result<Report, GateError> {
    let judged = request.judged;
    let rules = policy::catalog().map_err(|why| PolicyError::Load { rule: "the catalog".to_owned(), why })?;
    let trusted: &dyn Tree = if request.trusts_head { &*judged.head_tree } else { &judged.base_tree };
    let config = read_config(trusted, parsed)?;
    let settings = policy::settings(&config, rules).map_err(GateError::Config)?;
    // Once merged it judges every change; one that cannot be read would close the gate for all of them.
    policy::settings(&read_config(&*judged.head_tree, parsed)?, rules).map_err(GateError::Config)?;
    check_filters(request, &config, rules)?;
    let head = judged.head.as_ref().map(|head| head.id.to_string());
    let review = request.review.map(|(path, text)| Review::read(path, text, head.as_deref())).transpose()?;
    for place in OWNERS_PLACES {
        read_trusted(trusted, place)?;
    }
    let owners = Owners::read(trusted, parsed)?;
    let change = read_change(judged, review.as_ref())?;
    let listing = sources::list(&judged.base_tree)?;
    let base_scanner = Scanner::new(parsed, &judged.base_tree);
    let base = discover(&config, &listing, &base_scanner, None).map_err(GateError::Unreadable)?;
    let mut reaching = reaching(request, &base, &base_scanner, &listing, &change)?;
    let head_scanner = base_scanner.for_tree(&*judged.head_tree, &change.files);
    let listing = listing.after(&*judged.head_tree, &change.files)?;
    let head = discover(&config, &listing, &head_scanner, Some(&base)).map_err(GateError::Unreadable)?;
    let in_head = self::reaching(request, &head, &head_scanner, &listing, &change)?;
    let is_asked = |path: &&RepoPath| request.all || change.files.binary_search(path).is_ok();
    let files: Vec<RepoPath> = listing.files.iter().filter(is_asked).cloned().collect();
    let unjudged = Unjudged::beside(&head, &config, &in_head, &files, &head_scanner).map_err(GateError::Unreadable)?;
    reaching.extend(in_head);
    if base.all.is_empty() && head.all.is_empty() {
        return Err(nothing(&config));
    }
    let sides = Sides { judged, parsed, config, owners, base, head, change };
    let mut run = Run {
        request,
        rules,
        settings: &settings,
        engine: Engine::new(rules)?,
        sides: &sides,
        without: if review.is_some() { &[] } else { &["review"] },
        reaching,
        base: (base_scanner, Renderer::new(parsed, &judged.base_tree, Options::default())),
        head: head_scanner,
        documents: Documents::new(&sides, request, review.as_ref(), settings.parameters.clone()),
        images: HashSet::new(),
        environments: BTreeSet::new(),
    };
    let mut report = run.empty_report();
    let subjects = subjects(&sides, request);
    if subjects.is_empty() {
        return Err(no_match(request));
    }
    for subject in &subjects {
        run.overlay(subject, &mut report, ask)?;
    }
    if !sides.change.files.is_empty() && request.app.is_none() && request.environment.is_none() {
        let document = run.documents.of_change()?;
        ask(&run.asked(None, RuleScope::Change, document, None))?;
    }
    report.images = run.images.len();
    report.rules = run.rules_asked();
    report.valid_until = run.documents.valid_until();
    report.affected.sort_by_cached_key(|(app, environment, path)| {
        (app.clone(), std::cmp::Reverse(sides.config.environment(environment)), path.clone())
    });
    report.not_judged = left_out(&unjudged, request, review.is_some(), rules);
    Ok(report)
}

/// The folders of one side that the change can reach, or all.
fn reaching(
    request: &Request<'_>,
    overlays: &Overlays,
    scanner: &Scanner<'_>,
    listing: &Listing,
    change: &Change,
) -> Result<BTreeSet<RepoPath>, GateError> {
    let folders: Vec<RepoPath> = overlays.folders.iter().cloned().collect();
    if request.all {
        // Every one of them is asked about later.
        for reached in folders.par_iter().map(|folder| scanner.reach(folder)).collect::<Vec<_>>() {
            reached.map_err(GateError::Unreadable)?;
        }
        return Ok(overlays.folders.clone());
    }
    let reaching = scanner.reaching(&folders, listing, &change.files).map_err(GateError::Unreadable)?;
    Ok(reaching.into_iter().collect())
}

/// What changes, and whether bots had a hand in it, by the commits and by the forge.
fn read_change(judged: &Judged, review: Option<&Review>) -> Result<Change, GateError> {
    let files = sources::changed(&judged.base_tree, &*judged.head_tree)?;
    let mut change = Change::new(files, &judged.added);
    if let Some(author) = review.map(|review| &review.author).filter(|author| author.is_bot()) {
        change.add_bot(&author.login);
    }
    Ok(change)
}

/// A run with everything at hand.
struct Run<'a> {
    request: &'a Request<'a>,
    rules: &'a [Rule],
    settings: &'a Settings,
    engine: Engine,
    sides: &'a Sides<'a>,
    /// Facts that are not there.
    without: &'a [&'static str],
    /// Folders that the change can reach, before or after; with `--all` every one.
    reaching: BTreeSet<RepoPath>,
    base: (Scanner<'a>, Renderer<'a>),
    head: Scanner<'a>,
    documents: Documents<'a>,
    images: HashSet<String>,
    /// Environments of which an overlay was judged.
    environments: BTreeSet<usize>,
}

impl Run<'_> {
    fn empty_report(&self) -> Report {
        let judged = self.sides.judged;
        Report {
            base: judged.base.id.to_string(),
            head: judged.head.as_ref().map(|head| head.id.to_string()),
            head_name: judged.head.as_ref().map_or_else(|| judged.head_tree.name().to_owned(), |head| head.id.short()),
            now: self.request.now,
            valid_until: None,
            overlays: union(self.sides).len(),
            affected: Vec::new(),
            judged: 0,
            images: 0,
            rules: 0,
            not_judged: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// How many rules weigh anything in any environment that was judged, and have the facts that they need.
    fn rules_asked(&self) -> usize {
        let weighs = |rule: &&Rule| {
            self.environments.iter().any(|at| {
                let environment = &self.sides.config.environments[*at];
                self.settings.severity(rule, &self.sides.config, Some(environment)) != Severity::Off
            })
        };
        let has_facts =
            |rule: &&Rule| !rule.metadata.custom.needs.iter().any(|need| self.without.contains(&need.as_str()));
        let wanted = |rule: &&Rule| self.request.rule.is_none_or(|only| only == rule.id);
        self.rules.iter().filter(wanted).filter(has_facts).filter(weighs).count()
    }

    /// Judges one overlay, if the change can reach it or all are to be judged.
    fn overlay(
        &mut self,
        subject: &Subject<'_>,
        report: &mut Report,
        ask: &mut dyn FnMut(&Asked<'_>) -> Result<(), GateError>,
    ) -> Result<(), GateError> {
        let path = &subject.overlay.path;
        if !self.reaching.contains(path) {
            return Ok(());
        }
        let from_base = self.base.0.reach(path).map_err(GateError::Unreadable)?;
        let from_head = self.head.reach(path).map_err(GateError::Unreadable)?;
        let files = &self.sides.change.files;
        let touched = from_base.closure.touches(files) || from_head.closure.touches(files);
        if !touched && !self.request.all {
            return Ok(());
        }
        let before = documents::side(subject.in_base, path, &self.base.1)?;
        let after =
            if touched { documents::side(subject.in_head, path, &self.documents.after)? } else { before.clone() };
        let affected = touched && !before.is_same(&after);
        if !affected && !self.request.all {
            return Ok(());
        }
        report.judged += 1;
        self.environments.insert(subject.overlay.environment);
        self.images.extend(after.state.images.iter().map(|used| used.image.reference.clone()));
        if affected {
            let environment = &self.sides.config.environments[subject.overlay.environment].name;
            report.affected.push((subject.overlay.app.clone(), environment.clone(), path.to_string()));
        }
        let only = self.request.rule;
        let wants_history = wants_history(self.rules, self.settings, &self.sides.config, subject.overlay, only);
        let pair =
            self.documents.of_overlay(subject, (&before, &after), affected, (&from_base, &from_head), wants_history)?;
        ask(&self.asked(Some(subject.overlay), RuleScope::Overlay, pair.0, pair.1))
    }

    fn asked<'b>(
        &'b self,
        overlay: Option<&'b Overlay>,
        scope: RuleScope,
        head: (Document, Handles),
        base: Option<(Document, Handles)>,
    ) -> Asked<'b> {
        Asked {
            engine: &self.engine,
            rules: self.rules,
            settings: self.settings,
            config: &self.sides.config,
            overlay,
            scope,
            without: self.without,
            only: self.request.rule,
            head,
            base,
        }
    }
}

/// Whether any rule that weighs something here asks what was live where.
fn wants_history(rules: &[Rule], settings: &Settings, config: &Config, overlay: &Overlay, only: Option<&str>) -> bool {
    let environment = config.environments.get(overlay.environment);
    rules.iter().any(|rule| {
        only.is_none_or(|only| only == rule.id)
            && rule.metadata.custom.needs.iter().any(|need| need == "history")
            && settings.severity(rule, config, environment) != Severity::Off
    })
}

/// The position of an environment that a person names.
///
/// # Errors
/// When there is none of this name.
pub fn environment(config: &Config, name: &str) -> Result<usize, GateError> {
    config.environment(name).ok_or_else(|| {
        let known: Vec<&str> = config.environments.iter().map(|environment| environment.name.as_str()).collect();
        GateError::Unfit {
            message: format!("there is no environment `{name}`"),
            help: format!("there are: {}", known.join(", ")),
        }
    })
}

/// The configuration and the overlays of one snapshot.
///
/// # Errors
/// When the snapshot cannot be read, or its configuration is wrong.
pub fn overlays(tree: &dyn Tree, parsed: &ParsedFiles) -> Result<(Config, Overlays), GateError> {
    let config = read_config(tree, parsed)?;
    let listing = sources::list(tree)?;
    let found = discover(&config, &listing, &Scanner::new(parsed, tree), None).map_err(GateError::Unreadable)?;
    Ok((config, found))
}

/// Which version of what each app runs in each environment, as a snapshot is rendered.
///
/// # Errors
/// When the snapshot cannot be read, or an overlay does not render.
pub fn rendered_versions(tree: &dyn Tree, parsed: &ParsedFiles) -> Result<VersionsFile, GateError> {
    let (config, overlays) = overlays(tree, parsed)?;
    if overlays.all.is_empty() {
        return Err(nothing(&config));
    }
    let renderer = Renderer::new(parsed, tree, Options::default());
    let images = |overlay: &Overlay| {
        let rendering = renderer.render_any(&overlay.path).map_err(|failed| GateError::Unreadable(failed.error))?;
        Ok::<_, GateError>(State::of(&rendering.objects).images)
    };
    let mut by_place: BTreeMap<(&str, usize), Vec<Image>> = BTreeMap::new();
    for (overlay, images) in overlays.all.iter().zip(overlays.all.par_iter().map(images).collect::<Vec<_>>()) {
        let place = by_place.entry((&overlay.app, overlay.environment)).or_default();
        place.extend(images?.into_iter().map(|used| used.image));
    }
    let mut file = VersionsFile::new();
    for ((app, environment), images) in by_place {
        file.set(app, &config.environments[environment].name, versions(&images));
    }
    Ok(file)
}

fn read_config(tree: &dyn Tree, parsed: &ParsedFiles) -> Result<Config, GateError> {
    for misspelt in ["tollgate.yml", ".tollgate.yaml", ".tollgate.yml"] {
        if RepoPath::new(misspelt).map(|path| tree.entry(&path)).transpose()?.flatten().is_some() {
            let help = format!("rename it to `{}`", config::FILE_NAME);
            return Err(GateError::Unfit { message: format!("`{misspelt}` is not read"), help });
        }
    }
    match read_trusted(tree, config::FILE_NAME)? {
        None => Ok(Config::default()),
        Some((path, (id, content))) => {
            let text = String::from_utf8_lossy(&content).into_owned();
            let file = parsed.files.add(&path, id, &text);
            config::read(file, &text).map_err(GateError::Config)
        }
    }
}

/// A file that decides: absent, or a file and nothing else. A link would let something else decide in its place.
fn read_trusted(tree: &dyn Tree, name: &str) -> Result<Option<(RepoPath, Content)>, GateError> {
    let Some(path) = RepoPath::new(name) else { return Ok(None) };
    match tree.entry(&path)? {
        None => Ok(None),
        Some(Entry::File(_)) => Ok(tree.read(&path)?.map(|content| (path, content))),
        Some(_) => Err(GateError::Unfit {
            message: format!("`{name}` is no file of its own"),
            help: "what judges a change is read from this very path; put the file there".to_owned(),
        }),
    }
}

fn check_filters(request: &Request<'_>, config: &Config, rules: &[Rule]) -> Result<(), GateError> {
    let environments: Vec<&str> = config.environments.iter().map(|environment| environment.name.as_str()).collect();
    let ids: Vec<&str> = rules.iter().map(|rule| rule.id).collect();
    for (what, wanted, known) in [("environment", request.environment, environments), ("rule", request.rule, ids)] {
        if let Some(wanted) = wanted.filter(|wanted| !known.contains(wanted)) {
            return Err(GateError::Unfit {
                message: format!("there is no {what} `{wanted}`"),
                help: format!("there are: {}", known.join(", ")),
            });
        }
    }
    Ok(())
}

fn no_match(request: &Request<'_>) -> GateError {
    let wanted = [
        request.app.map(|app| format!("app `{app}`")),
        request.environment.map(|name| format!("environment `{name}`")),
    ];
    let wanted: Vec<String> = wanted.into_iter().flatten().collect();
    GateError::Unfit {
        message: format!("no overlay is of {}, so nothing was judged", wanted.join(" in ")),
        help: "`tollgate check` without `--app` and `--env` tells the names".to_owned(),
    }
}

fn nothing(config: &Config) -> GateError {
    let names: Vec<&str> = config.environments.iter().map(|environment| environment.name.as_str()).collect();
    let help = if config.layouts.is_empty() {
        format!(
            "an overlay is a folder with a kustomization whose path names an environment ({}); say where yours are with \
             `layout` in tollgate.yaml, such as `layout: apps/{{app}}/overlays/{{env}}`",
            names.join(", ")
        )
    } else {
        "no folder fits `layout` and names an environment of tollgate.yaml; correct one of the two".to_owned()
    };
    GateError::Unfit { message: "no overlay was found, so nothing was judged".to_owned(), help }
}

/// Every overlay of either side; the head's view counts where both have it.
fn union<'a>(sides: &'a Sides<'_>) -> Vec<Subject<'a>> {
    let gone = sides.base.all.iter().filter(|overlay| sides.head.at(&overlay.path).is_none());
    let mut all: Vec<&Overlay> = sides.head.all.iter().chain(gone).collect();
    all.sort();
    let base: HashSet<&RepoPath> = sides.base.all.iter().map(|overlay| &overlay.path).collect();
    let head: HashSet<&RepoPath> = sides.head.all.iter().map(|overlay| &overlay.path).collect();
    let subject = |overlay: &'a Overlay| Subject {
        overlay,
        in_base: base.contains(&overlay.path),
        in_head: head.contains(&overlay.path),
    };
    all.into_iter().map(subject).collect()
}

fn subjects<'a>(sides: &'a Sides<'_>, request: &Request<'_>) -> Vec<Subject<'a>> {
    let environment = request.environment.and_then(|name| sides.config.environment(name));
    let only = Only { app: request.app, environment };
    union(sides).into_iter().filter(|subject| only.wants(subject.overlay)).collect()
}

/// Tells what was not judged, so that a green tick claims no more than it stands for.
fn left_out(unjudged: &Unjudged, request: &Request<'_>, has_review: bool, rules: &[Rule]) -> Vec<String> {
    let mut left_out = Vec::new();
    let needs_review = rules.iter().any(|rule| rule.metadata.custom.needs.iter().any(|need| need == "review"));
    if needs_review && !has_review {
        left_out.push("approvals (no review facts; give `--review FILE`)".to_owned());
    }
    for (what, wanted) in [("environment", request.environment), ("app", request.app), ("rule", request.rule)] {
        if let Some(wanted) = wanted {
            left_out.push(format!("anything but {what} `{wanted}` (as asked)"));
        }
    }
    for (what, folders) in [
        ("kustomization(s) that belong to no known environment", &unjudged.kustomizations),
        ("folder(s) of manifests without a kustomization that name an environment", &unjudged.plain),
    ] {
        if !folders.is_empty() {
            let some: Vec<String> = folders.iter().take(3).map(|path| format!("`{path}`")).collect();
            let more = folders.len() - some.len();
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            left_out.push(format!("{} {what}: {}{rest}", folders.len(), some.join(", ")));
        }
    }
    left_out
}
