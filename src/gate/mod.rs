//! The gate: a walk that goes forward. The trusted side says what judges ([`trusted`]); the change says what it reaches
//! ([`reached`]), overlay by overlay a case, rendered before and after; each case is judged on its own, on all cores
//! ([`judgement`]); then the change as a whole.
//!
//! It puts the stages together and is none itself: what a stage knows stays there.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rayon::prelude::*;

use crate::config::{Config, OwnersDialect, Times};
use crate::facts::neighbours::{Neighbour, environment_here};
use crate::facts::{Clock, Codeowners, Context, Need, ReadOnDemand, Seen, VersionsFile, versions};
use crate::finding::{Finding, Severity};
use crate::kustomize::{ParsedFiles, Renderer, Scanner};
use crate::model::{Image, Overlay, OverlayFilter, Overlays, State, discover};
use crate::policy::{Engine, Rule, RuleInput, RuleSet};
use crate::report::check::{AffectedOverlay, Entering, Report};
use crate::report::images::Census;
use crate::sources::{self, Commit, Repository, Tree};
use crate::span::Span;
use crate::words::{count, quoted};

use judgement::Judge;
use reached::{Candidate, Reached, nothing_found};
use trusted::{Trusted, read_config};
use waive::{seen, waive};

pub use detail::detail;
pub use difference::{of_change, of_environments};
pub use drill::drill;
pub use error::GateError;
pub use promote::{PromoteError, PromotionRequest, promote};
pub use request::{NamedText, Request, Selection, Shard, Trust};
pub use setup::{Setup, setup};
pub use teams::{TestedFolder, all_rules, test_policies};
pub use trusted::environment;

mod detail;
mod difference;
mod drill;
mod error;
mod judgement;
mod promote;
mod reached;
mod request;
mod setup;
mod teams;
mod trusted;
mod waive;

/// Judges a change.
///
/// # Errors
/// When the gate cannot decide.
pub fn judge(request: &Request<'_>, files: &ParsedFiles) -> Result<Report, GateError> {
    let trusted = Trusted::read(request, files)?;
    let reached = Reached::find(request, files, &trusted)?;
    let candidates = reached.asked_for(request, &trusted.config)?;
    let neighbours = Neighbour::all(&trusted.config, request.repository, request.clones, files)?;
    let context = context(request, files, &trusted, &reached, &neighbours);
    let judge = Judge { request, trusted: &trusted, context: &context, engine: Engine::new(&trusted.set)? };
    let progress = request.progress;
    progress.begin("judging overlays", candidates.len());
    let outcomes = candidates.par_iter().map(|candidate| {
        let outcome = outcome(&judge, &reached, candidate);
        progress.advance();
        outcome
    });
    let outcomes = outcomes.collect::<Vec<_>>();
    progress.end();
    let mut judged = Vec::new();
    for outcome in outcomes {
        judged.extend(outcome?);
    }
    let mut findings: Vec<Finding> = judged.iter_mut().flat_map(|outcome| outcome.findings.drain(..)).collect();
    let used = waive(&judge, &mut findings);
    if judges_change(request, &trusted) {
        let mut of_change = judge.judge_change(&seen(&judge, &reached, &judged, &findings, used))?;
        waive(&judge, &mut of_change);
        findings.extend(of_change);
    }
    findings.sort_by_cached_key(|finding| {
        let place = files.files.location(finding.primary.span);
        let overlay = finding.place.clone();
        (place.path, place.line, place.column, finding.rule.clone(), overlay, finding.message.clone())
    });
    Ok(report(&judge, &reached, &judged, findings))
}

/// Hands every document that the rules would see to `show`.
///
/// # Errors
/// When the documents cannot be made.
pub fn show_facts(
    request: &Request<'_>,
    files: &ParsedFiles,
    show: &mut dyn FnMut(&RuleInput),
) -> Result<(), GateError> {
    let trusted = Trusted::read(request, files)?;
    let reached = Reached::find(request, files, &trusted)?;
    let candidates = reached.asked_for(request, &trusted.config)?;
    let neighbours = Neighbour::all(&trusted.config, request.repository, request.clones, files)?;
    let context = context(request, files, &trusted, &reached, &neighbours);
    let judge = Judge { request, trusted: &trusted, context: &context, engine: Engine::new(&trusted.set)? };
    let mut asked = BTreeSet::new();
    for candidate in &candidates {
        if let Some(case) = reached.case(candidate, &context, request.selection)? {
            asked.extend(crate::facts::owners::line_of_environment(&context, &case));
            show(&judge.document(&case)?.input);
        }
    }
    if judges_change(request, &trusted) {
        show(&judge.document_of_change(&Seen { asked_lines: asked, ..Seen::default() })?.input);
    }
    Ok(())
}

fn context<'a>(
    request: &'a Request<'_>,
    files: &'a ParsedFiles,
    trusted: &'a Trusted,
    reached: &'a Reached<'_>,
    neighbours: &'a [Neighbour<'a>],
) -> Context<'a> {
    let renderer = |tree: &'a dyn Tree| Renderer::new(files, tree, reached.overlays.base.rendering(&trusted.config));
    Context {
        repository: request.repository,
        files,
        comparison: request.comparison,
        config: &trusted.config,
        owners: &trusted.owners,
        next_owners: &trusted.next_owners,
        change: &trusted.change,
        overlays: reached.overlays.as_ref(),
        unjudged: &reached.unjudged,
        review: trusted.review.as_ref(),
        landings: &trusted.landings,
        reports: request.reports,
        scans: request.scans,
        is_deploy_freeze: request.is_deploy_freeze,
        clock: Clock::new(request.now),
        renderers: request.comparison.trees().map(renderer),
        neighbours,
        on_demand: ReadOnDemand::default(),
    }
}

/// What became of one overlay that was judged.
struct Outcome<'a> {
    overlay: &'a Overlay,
    is_affected: bool,
    /// The references of the images that it runs.
    images: Vec<String>,
    /// The CODEOWNERS line whose owners must approve for its environment.
    asked_line: Option<Span>,
    findings: Vec<Finding>,
    entering: Vec<Entering>,
}

fn outcome<'a>(
    judge: &Judge<'_>,
    reached: &Reached<'_>,
    candidate: &Candidate<'a>,
) -> Result<Option<Outcome<'a>>, GateError> {
    let Some(case) = reached.case(candidate, judge.context, judge.request.selection)? else { return Ok(None) };
    let images = case.rendered.head.state.images.iter().map(|used| used.image.reference.clone());
    let (findings, entering) = judge.judge(&case)?;
    Ok(Some(Outcome {
        overlay: case.overlay,
        is_affected: case.is_affected,
        images: images.collect(),
        asked_line: crate::facts::owners::line_of_environment(judge.context, &case),
        findings,
        entering,
    }))
}

/// The change as a whole is judged where it is asked about as a whole.
fn judges_change(request: &Request<'_>, trusted: &Trusted) -> bool {
    let is_change = !trusted.change.files.is_empty() || request.comparison.added.len() > 1;
    is_change && request.shard.is_first() && request.app.is_none() && request.environment.is_none()
}

fn report(judge: &Judge<'_>, reached: &Reached<'_>, judged: &[Outcome<'_>], findings: Vec<Finding>) -> Report {
    let Judge { request, trusted, context, .. } = judge;
    let comparison = request.comparison;
    let environments: BTreeSet<usize> = judged.iter().map(|outcome| outcome.overlay.environment).collect();
    let images: HashSet<&String> = judged.iter().flat_map(|outcome| &outcome.images).collect();
    let mut affected: Vec<&Overlay> =
        judged.iter().filter(|outcome| outcome.is_affected).map(|outcome| outcome.overlay).collect();
    affected.sort_by_key(|overlay| (&overlay.app, std::cmp::Reverse(overlay.environment), &overlay.path));
    let entering_at = |overlay: &&Overlay| {
        let outcome = judged.iter().find(|outcome| outcome.overlay.path == overlay.path);
        outcome.map(|outcome| outcome.entering.clone()).unwrap_or_default()
    };
    let entering = affected.iter().flat_map(entering_at).collect();
    let affected = affected.into_iter().map(|overlay| AffectedOverlay {
        app: overlay.app.clone(),
        environment: trusted.config.environments[overlay.environment].name.clone(),
        path: overlay.path.to_string(),
    });
    Report {
        base: comparison.base.id.to_string(),
        head: comparison.head.as_ref().map(|head| head.id.to_string()),
        head_name: comparison
            .head
            .as_ref()
            .map_or_else(|| comparison.head_tree.name().to_owned(), |head| head.id.short()),
        now: request.now,
        valid_until: context.clock.next_change(),
        overlays: reached.candidates().len(),
        affected: affected.collect(),
        judged: judged.len(),
        images: images.len(),
        rules: rules_asked(judge, &environments),
        not_judged: not_judged(reached, judge),
        entering,
        shard: Some((request.shard.index, request.shard.count)).filter(|(_, count)| *count > 1),
        forge: None,
        policy_digest: trusted.digest.clone(),
        findings,
    }
}

/// How many rules weigh anything in any environment that was judged, and have the facts that they need.
fn rules_asked(judge: &Judge<'_>, environments: &BTreeSet<usize>) -> usize {
    let Trusted { set: RuleSet { rules, .. }, settings, config, .. } = judge.trusted;
    let weighs = |rule: &&Rule| {
        let severity = |at: &usize| settings.severity(rule, config, Some(&config.environments[*at]));
        environments.iter().any(|at| severity(at) != Severity::Off)
    };
    let is_asked = |rule: &&Rule| judge.request.rule.is_none_or(|only| only == rule.id);
    rules.iter().filter(is_asked).filter(|rule| judge.trusted.has_facts_for(rule)).filter(weighs).count()
}

/// Says what was not judged, so that a green tick claims no more than it stands for.
fn not_judged(reached: &Reached<'_>, judge: &Judge<'_>) -> Vec<String> {
    let (unjudged, Judge { request, trusted, context, .. }) = (&reached.unjudged, judge);
    let mut left_out = Vec::new();
    let needs_review = trusted.set.rules.iter().any(|rule| rule.metadata.custom.needs.contains(&Need::Review));
    if needs_review && trusted.review.is_none() {
        left_out.push("approvals (no review facts; give `--review FILE`)".to_owned());
    }
    let asks_owners = trusted.set.rules.iter().any(|rule| rule.metadata.custom.needs.contains(&Need::Owners));
    if asks_owners && trusted.owners.file.is_none() {
        left_out.push("owners (this repository has no CODEOWNERS)".to_owned());
    }
    let has_deploy_freeze = trusted.config.freezes.iter().any(|freeze| matches!(freeze.times, Times::DeployFreeze));
    if has_deploy_freeze && request.is_deploy_freeze.is_none() {
        left_out.push("deploy freezes of GitLab (only its jobs are told of them)".to_owned());
    }
    let unknown = context.unknown_kinds();
    if !unknown.is_empty() {
        left_out.push(format!(
            "fields of {}, of which no schema is here: {}",
            count(unknown.len(), "kind"),
            some(&unknown)
        ));
    }
    if let Some(instead) = context.version_instead() {
        let asked = trusted.config.kubernetes.as_deref().unwrap_or_default();
        left_out.push(format!("fields against Kubernetes {asked}, which is not known here ({instead} was asked)"));
    }
    let definitions = context.changed_definitions();
    if !definitions.is_empty() && request.selection != Selection::All {
        left_out.push(format!(
            "objects that this change does not affect against the definitions in {}",
            some(&definitions)
        ));
    }
    if request.shard.count > 1 {
        left_out.push(request.shard.leaves_out());
    }
    for (option, noun, wanted) in
        [("--env", "environment", request.environment), ("--app", "app", request.app), ("--rule", "rule", request.rule)]
    {
        if let Some(wanted) = wanted {
            left_out.push(format!("everything but {noun} `{wanted}` ({option})"));
        }
    }
    for (thing, why, folders) in [
        ("kustomization", "outside every known environment", &unjudged.kustomizations),
        ("folder", "of manifests without a kustomization, in a path that names an environment", &unjudged.plain),
    ] {
        if !folders.is_empty() {
            let paths: Vec<String> = folders.iter().map(ToString::to_string).collect();
            left_out.push(format!("{} {why}: {}", count(folders.len(), thing), some(&paths)));
        }
    }
    left_out
}

/// The first names of a list, and how many more there are.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let rest = names.len().saturating_sub(SHOWN);
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{rest}", quoted(names.iter().take(SHOWN)))
}

/// The configuration and the overlays of one snapshot.
///
/// # Errors
/// When the snapshot cannot be read, or its configuration is wrong.
pub fn overlays(tree: &dyn Tree, files: &ParsedFiles) -> Result<(Config, Overlays), GateError> {
    let config = read_config(tree, files)?;
    overlays_by(config, tree, files)
}

/// The configuration and the overlays at the tip of a branch.
///
/// # Errors
/// When the tip cannot be read, or its configuration is wrong.
pub fn overlays_at(
    repository: &Repository,
    tip: &Commit,
    files: &ParsedFiles,
) -> Result<(Config, Overlays), GateError> {
    let tree = repository.tree(tip);
    let mut config = read_config(&tree, files)?;
    config.environment = environment_here(&config, repository, None, tip)?;
    overlays_by(config, &tree, files)
}

/// The configuration at the tip of a branch.
///
/// # Errors
/// When the tip cannot be read, or its configuration is wrong.
pub fn config_at(repository: &Repository, tip: &Commit, files: &ParsedFiles) -> Result<Config, GateError> {
    read_config(&repository.tree(tip), files)
}

/// Who owns what by the CODEOWNERS at the tip of a branch; `dialect` is that of the forge in whose CI this runs.
///
/// # Errors
/// When the tip cannot be read, or its configuration is wrong.
pub fn owners_at(
    repository: &Repository,
    tip: &Commit,
    files: &ParsedFiles,
    dialect: Option<OwnersDialect>,
) -> Result<Codeowners, GateError> {
    let tree = repository.tree(tip);
    let dialect = match read_config(&tree, files)?.codeowners.or(dialect) {
        Some(dialect) => dialect,
        None => OwnersDialect::of(&tree)?,
    };
    Ok(Codeowners::read(&tree, files, dialect)?)
}

fn overlays_by(config: Config, tree: &dyn Tree, files: &ParsedFiles) -> Result<(Config, Overlays), GateError> {
    let listing = sources::list(tree)?;
    let found = discover(&config, &listing, &Scanner::new(files, tree), None)?;
    Ok((config, found))
}

/// Everything that the overlays of a snapshot name: images, charts, sources, operators.
///
/// # Errors
/// When the snapshot cannot be read, or has no overlay.
pub fn census(tree: &dyn Tree, files: &ParsedFiles, filter: OverlayFilter<'_>) -> Result<Vec<Census>, GateError> {
    let (config, overlays) = overlays(tree, files)?;
    if overlays.all.is_empty() {
        return Err(nothing_found(&config));
    }
    let renderer = Renderer::new(files, tree, overlays.rendering(&config).for_past());
    let wanted: Vec<&Overlay> = overlays.all.iter().filter(|overlay| filter.accepts(overlay)).collect();
    let census = wanted.par_iter().map(|overlay| Census {
        app: overlay.app.clone(),
        environment: config.environments[overlay.environment].name.clone(),
        overlay: overlay.path.to_string(),
        images: match renderer.render_any(&overlay.path) {
            Ok(rendering) => Ok(State::of(&rendering, &config).images),
            Err(failed) => Err(failed.error.message),
        },
    });
    Ok(census.collect())
}

/// Which version of what each app runs in each environment, as a snapshot is rendered.
///
/// # Errors
/// When the snapshot cannot be read, or an overlay does not render.
pub fn rendered_versions(tree: &dyn Tree, files: &ParsedFiles) -> Result<VersionsFile, GateError> {
    let (config, overlays) = overlays(tree, files)?;
    if overlays.all.is_empty() {
        return Err(nothing_found(&config));
    }
    let renderer = Renderer::new(files, tree, overlays.rendering(&config));
    let images = |overlay: &Overlay| {
        let rendering = renderer.render_any(&overlay.path).map_err(|failed| GateError::Unreadable(failed.error))?;
        Ok::<_, GateError>(State::of(&rendering, &config).images)
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
