//! Moves what is live in one environment to another: finds the lines to change, and asks the gate about the result.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{GateError, Request, environment, judge, read_config};
use crate::config::Config;
use crate::facts::{
    Applied, Depth, LandingTimes, LookBack, WrittenVersion, WrittenVersions, environments_below, versions,
};
use crate::kustomize::{FILE_NAMES, ParsedFiles, Renderer, Scanner, split_image};
use crate::model::{Edit, Image, Overlay, Overlays, State, UsedImage, at_origin, discover, edited, in_images};
use crate::report::check::Report;
use crate::report::promotion::{Origin, Promotion, Replaced};
use crate::sources::{self, Commit, CommitTree, Comparison, EditedTree, Listing, RepoPath, Repository, Tree};
use crate::span::{FileId, Location, Span};
use crate::words::quoted;
use crate::yaml::{Node, Value};

/// What is to be promoted.
pub struct PromotionRequest<'a> {
    /// The app.
    pub app: &'a str,
    /// The environment that it is to enter.
    pub environment: &'a str,
    /// Only this image: its repository, and a tag or a digest where other content is wanted than what is live below.
    pub image: Option<&'a str>,
    /// The digest that is wanted, where it is not the one that is live below.
    pub digest: Option<&'a str>,
    /// What controllers report as applied; `None` where nobody was asked.
    pub reports: Option<&'a [Applied]>,
    /// The time.
    pub now: DateTime<Utc>,
}

/// Why nothing can be promoted. All are the caller's to mend.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum PromoteError {
    /// An app that no overlay belongs to.
    #[error("there is no app `{0}`")]
    #[diagnostic(help("`tollgate status` lists the apps"))]
    UnknownApp(String),
    /// An app without an overlay for the environment.
    #[error("the app `{app}` has no overlay for {environment}")]
    #[diagnostic(help("it has {}; add one first", quoted(.overlays)))]
    NoOverlay {
        /// The app.
        app: String,
        /// The environment.
        environment: String,
        /// The overlays that it has.
        overlays: Vec<String>,
    },
    /// No environment could prove the promotion.
    #[error("`{app}` has no environment below {environment}, so there is nothing to promote")]
    #[diagnostic(help("say what it should run: `--image REPOSITORY --digest sha256:…`"))]
    NothingBelow {
        /// The app.
        app: String,
        /// The environment.
        environment: String,
    },
    /// The app does not run the image that is named.
    #[error("`{app}` does not run `{image}` in {environment}, or nothing of it is live below")]
    #[diagnostic(help("`tollgate status {app}` lists what it runs"))]
    NotRunning {
        /// The app.
        app: String,
        /// The environment.
        environment: String,
        /// The image.
        image: String,
    },
    /// Nothing of what the app runs is live below.
    #[error("nothing of what `{app}` runs in {environment} is live below")]
    #[diagnostic(help(
        "say with `mirrors` in tollgate.yaml which registry copies which, or give `--image` and `--digest`"
    ))]
    NothingLive {
        /// The app.
        app: String,
        /// The environment.
        environment: String,
    },
    /// Something that is not a digest.
    #[error("`{0}` is not a digest")]
    #[diagnostic(help("a digest is `sha256:` and 64 hexadecimal digits"))]
    NotADigest(String),
    /// A digest for one of several images.
    #[error("`{overlay}` runs {} images, so the digest alone does not say which", .repositories.len())]
    #[diagnostic(help("name one with `--image`: {}", .repositories.join(", ")))]
    SeveralImages {
        /// The overlay.
        overlay: RepoPath,
        /// The repositories of its images.
        repositories: Vec<String>,
    },
    /// The environment below runs several versions.
    #[error("several versions of `{repository}` are live below {environment}: {}", quoted(.references))]
    #[diagnostic(help("say which one with `--image` and `--digest`"))]
    SeveralVersions {
        /// The repository.
        repository: String,
        /// The environment that the app is to enter.
        environment: String,
        /// What is live below.
        references: Vec<String>,
    },
    /// A line that cannot be changed.
    #[error("cannot change `{reference}` at {}:{}: {why}", .place.path, .place.line)]
    #[diagnostic(help("write it by hand, then run `tollgate check --worktree`"))]
    ByHand {
        /// The image.
        reference: String,
        /// Where it is decided.
        place: Location,
        /// Why it cannot be changed there.
        why: &'static str,
    },
    /// More than versions would change.
    #[error("cannot change what `{app}` runs in {environment} by editing lines: something else would change too")]
    #[diagnostic(help("write it by hand, then run `tollgate check --worktree`"))]
    Unwritable {
        /// The app.
        app: String,
        /// The environment.
        environment: String,
    },
}

/// What a promotion would change on the tip of the base branch, and what the gate says of it; `None` where the
/// environment runs all of it already.
///
/// # Errors
/// When the app is not there, what is wanted is ambiguous or cannot be written, or the gate cannot decide.
pub fn promote(
    repository: &Repository,
    tip: &Commit,
    request: &PromotionRequest<'_>,
    parsed: &ParsedFiles,
) -> Result<Option<(Promotion, Report)>, GateError> {
    let tree = repository.tree(tip);
    let config = read_config(&tree, parsed)?;
    let scanner = Scanner::new(parsed, &tree);
    let listing = sources::list(&tree)?;
    let overlays = discover(&config, &listing, &scanner, None)?;
    let renderer = Renderer::new(parsed, &tree, overlays.rendering(&config));
    let plan = Plan { request, parsed, tree: &tree, config: &config, overlays: &overlays, listing, scanner, renderer };
    let targets = plan.targets()?;
    let (mut files, replaced) = plan.write(&targets)?;
    if replaced.is_empty() {
        return Ok(None);
    }
    plan.write_versions(&targets, &mut files)?;
    let history = LookBack::new(
        repository,
        parsed,
        plan.overlays.rendering(&config),
        &config,
        tip,
        &LandingTimes::default(),
        request.now.timestamp(),
    )?;
    let mut replacements = Vec::new();
    for change in replaced {
        let from = change.from.map(|from| origin(&history, &plan, (&targets, from), &change.after));
        let location = parsed.files.location(change.span);
        let origin = from.transpose()?.flatten();
        replacements.push(Replaced { location, before: change.before, after: change.after, origin });
    }
    let comparison = Comparison {
        base: tip.clone(),
        base_tree: tree.clone(),
        head: None,
        head_tree: Box::new(EditedTree::new(tree.clone(), &files)?),
        added: Vec::new(),
    };
    let judged = Request { reports: request.reports, ..Request::new(repository, &comparison, request.now) };
    let report = judge(&judged, parsed)?;
    let (app, environment) = (request.app.to_owned(), request.environment.to_owned());
    Ok(Some((Promotion { app, environment, replaced: replacements, files }, report)))
}

/// One image that got other content.
struct Change {
    /// Where it is decided now.
    span: Span,
    before: Image,
    after: Image,
    /// The environment that the content comes from.
    from: Option<usize>,
}

/// Since when the content has been live in the environment that it comes from.
fn origin(
    history: &LookBack<'_>,
    plan: &Plan<'_>,
    (targets, from): (&[&Overlay], usize),
    image: &Image,
) -> Result<Option<Origin>, GateError> {
    let environment = plan.config.environments[from].name.clone();
    for target in targets {
        for overlay in plan.overlays.counterparts(target, from) {
            let content = plan.content(image);
            let stays = history.stays(&overlay.path, &content, Depth::Latest, plan.request.now.timestamp())?;
            if let Some(stay) = stays.into_iter().next() {
                let seconds = stay.seconds(plan.request.now.timestamp());
                return Ok(Some(Origin { environment, stay, seconds }));
            }
        }
    }
    Ok(None)
}

fn images_of(renderer: &Renderer<'_>, path: &RepoPath, config: &Config) -> Result<Vec<UsedImage>, GateError> {
    let rendering = renderer.render_any(path).map_err(|failed| GateError::Unreadable(failed.error))?;
    let images = State::of(&rendering, config).images;
    Ok(images.into_iter().filter(|used| used.role.is_image()).collect())
}

fn by_hand(used: &UsedImage, files: &ParsedFiles, why: &'static str) -> PromoteError {
    let reference = used.image.reference.clone();
    PromoteError::ByHand { reference, place: files.files.location(used.origin.span), why }
}

/// What changed, line by line.
fn changes(now: Vec<(&Overlay, UsedImage)>, slots: Vec<Slot>) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for ((_, used), Slot { before, to, from }) in now.into_iter().zip(slots) {
        let span = used.origin.span;
        if to.is_some() && !changes.iter().any(|known| known.span == span) {
            changes.push(Change { span, before, after: used.image, from });
        }
    }
    changes
}

/// One image of the targets, in the order of their output.
struct Slot {
    /// As it stands.
    before: Image,
    /// What it is to become, where that is something else.
    to: Option<Image>,
    /// The environment that the content comes from.
    from: Option<usize>,
}

impl Slot {
    /// What it runs in the end.
    fn wanted(&self) -> &Image {
        self.to.as_ref().unwrap_or(&self.before)
    }
}

struct Plan<'a> {
    request: &'a PromotionRequest<'a>,
    parsed: &'a ParsedFiles,
    tree: &'a CommitTree,
    config: &'a Config,
    overlays: &'a Overlays,
    listing: Listing,
    scanner: Scanner<'a>,
    renderer: Renderer<'a>,
}

impl<'a> Plan<'a> {
    /// The app's overlays in the environment.
    fn targets(&self) -> Result<Vec<&'a Overlay>, GateError> {
        let at = environment(self.config, self.request.environment)?;
        let of_app: Vec<&Overlay> =
            self.overlays.all.iter().filter(|overlay| overlay.app == self.request.app).collect();
        let targets: Vec<&Overlay> = of_app.iter().copied().filter(|overlay| overlay.environment == at).collect();
        if !targets.is_empty() {
            return Ok(targets);
        }
        let app = self.request.app.to_owned();
        if of_app.is_empty() {
            return Err(PromoteError::UnknownApp(app).into());
        }
        let overlays = of_app.iter().map(|overlay| overlay.path.to_string()).collect();
        Err(PromoteError::NoOverlay { app, environment: self.request.environment.to_owned(), overlays }.into())
    }

    /// Changes one image after the other until the targets run what is wanted, and nothing else has changed.
    fn write(&self, targets: &[&Overlay]) -> Result<(BTreeMap<RepoPath, String>, Vec<Change>), GateError> {
        let mut files = BTreeMap::new();
        let mut slots = Vec::new();
        let mut is_meant = false;
        for target in targets {
            let choice = self.choice(target)?;
            for used in images_of(&self.renderer, &target.path, self.config)? {
                let to = choice.to(self, &used)?;
                is_meant |= to.is_some();
                let to = to.filter(|to| self.content(to) != self.content(&used.image));
                slots.push(Slot { before: used.image, to, from: choice.from });
            }
        }
        if !is_meant {
            return Err(self.nothing_meant());
        }
        // Each round settles at least one.
        for _ in 0..=slots.len() {
            let tree = EditedTree::new(self.tree.clone(), &files)?;
            let renderer = Renderer::new(self.parsed, &tree, self.overlays.rendering(self.config));
            let mut now = Vec::new();
            let mut is_whole = true;
            for target in targets {
                // What does not render any more was not written in a way that lines can be changed of.
                let Ok(after) = renderer.render_any(&target.path) else { return Err(self.unwritable()) };
                is_whole &= self.changes_images_only(target, &after.objects, &slots)?;
                now.extend(
                    State::of(&after, self.config)
                        .images
                        .into_iter()
                        .filter(|used| used.role.is_image())
                        .map(|used| (*target, used)),
                );
            }
            if now.len() != slots.len() {
                break;
            }
            let is_open = |pair: &(&(&Overlay, UsedImage), &Slot)| {
                let ((_, used), slot) = pair;
                self.content(&used.image) != self.content(slot.wanted())
            };
            match now.iter().zip(&slots).find(is_open) {
                None if is_whole => return Ok((files, changes(now, slots))),
                Some(((target, used), Slot { to: Some(to), .. })) => {
                    let (file, edits) = self.edits(&tree, (target, targets), used, to)?;
                    let file = self.parsed.files.get(file);
                    files.insert(file.path.clone(), edited(&file.text, &edits));
                }
                _ => break,
            }
        }
        Err(self.unwritable())
    }

    /// Sets the rows of the committed file of versions, where there are any.
    fn write_versions(&self, targets: &[&Overlay], files: &mut BTreeMap<RepoPath, String>) -> Result<(), GateError> {
        let Some(path) = &self.config.versions else { return Ok(()) };
        let Some(written) = WrittenVersions::read(self.tree, self.parsed, path)? else { return Ok(()) };
        let tree = EditedTree::new(self.tree.clone(), files)?;
        let renderer = Renderer::new(self.parsed, &tree, self.overlays.rendering(self.config));
        let mut images = Vec::new();
        for target in targets {
            images.extend(images_of(&renderer, &target.path, self.config)?.into_iter().map(|used| used.image));
        }
        let current = versions(&images);
        let rows = written.of(self.request.app, self.request.environment);
        let edit = |(repository, row): (&String, &WrittenVersion)| {
            let new = current.get(repository).filter(|new| **new != row.text)?;
            Some(Edit { span: row.span, text: format!("\"{new}\"") })
        };
        let edits: Vec<Edit> = rows.versions.iter().filter_map(edit).collect();
        if !edits.is_empty() {
            let text = edited(&self.parsed.files.get(written.file.file).text, &edits);
            files.insert(path.clone(), text);
        }
        Ok(())
    }

    fn unwritable(&self) -> GateError {
        let PromotionRequest { app, environment, .. } = self.request;
        PromoteError::Unwritable { app: (*app).to_owned(), environment: (*environment).to_owned() }.into()
    }

    /// Whether nothing differs from the tip but versions of images, wherever they are written.
    fn changes_images_only(&self, target: &Overlay, after: &[Node], slots: &[Slot]) -> Result<bool, GateError> {
        let before = self.renderer.render_any(&target.path).map_err(|failed| GateError::Unreadable(failed.error))?;
        let versions: Vec<[&str; 2]> = slots
            .iter()
            .filter(|slot| slot.to.is_some())
            .map(|slot| [&slot.before, slot.wanted()].map(|image| split_image(&image.reference)))
            .flat_map(|[before, after]| [[before.digest, after.digest], [before.tag, after.tag]])
            .collect();
        let same = before.objects.len() == after.len()
            && before.objects.iter().zip(after).all(|(before, after)| same_but_for(before, after, &versions));
        Ok(same)
    }

    fn nothing_meant(&self) -> GateError {
        let PromotionRequest { app, environment, image, .. } = self.request;
        let (app, environment) = ((*app).to_owned(), (*environment).to_owned());
        match image {
            Some(image) => PromoteError::NotRunning { app, environment, image: (*image).to_owned() }.into(),
            None => PromoteError::NothingLive { app, environment }.into(),
        }
    }

    fn content(&self, image: &Image) -> String {
        image.content(&self.config.mirrors)
    }

    /// What a target is to run.
    fn choice(&self, target: &Overlay) -> Result<Choice, GateError> {
        let named = self.request.image.map(Image::parse);
        let is_given = self.request.digest.is_some()
            || named.as_ref().is_some_and(|image| image.tag.is_some() || image.digest.is_some());
        let repository = match &named {
            Some(image) => Some(self.original(image)),
            None if is_given => Some(self.only_repository(target)?),
            None => None,
        };
        let environments = environments_below(self.config, &|_| self.overlays, target)
            .map(|below| below.environments)
            .unwrap_or_default();
        if is_given {
            let image = named.unwrap_or_else(|| Image::parse(""));
            let digest = self.request.digest.map(|digest| Image::parse(&format!("x@{digest}")).digest);
            let digest = match digest {
                None => image.digest.clone(),
                Some(Some(digest)) => Some(digest),
                Some(None) => {
                    let digest = self.request.digest.unwrap_or_default().to_owned();
                    return Err(PromoteError::NotADigest(digest).into());
                }
            };
            let given = Image { digest, ..image };
            return Ok(Choice { from: environments.first().copied(), repository, wanted: Wanted::Given(given) });
        }
        let Some(from) = environments.first().copied() else {
            let PromotionRequest { app, environment, .. } = self.request;
            let (app, environment) = ((*app).to_owned(), (*environment).to_owned());
            return Err(PromoteError::NothingBelow { app, environment }.into());
        };
        let mut live = Vec::new();
        for overlay in self.overlays.counterparts(target, from) {
            live.extend(images_of(&self.renderer, &overlay.path, self.config)?);
        }
        Ok(Choice { from: Some(from), repository, wanted: Wanted::Live(live) })
    }

    fn original(&self, image: &Image) -> String {
        image.original(&self.config.mirrors)
    }

    /// The repository that is meant where none is named.
    fn only_repository(&self, target: &Overlay) -> Result<String, GateError> {
        let mut repositories: Vec<String> = images_of(&self.renderer, &target.path, self.config)?
            .iter()
            .map(|used| self.original(&used.image))
            .collect();
        repositories.sort();
        repositories.dedup();
        match &repositories[..] {
            [repository] => Ok(repository.clone()),
            _ => Err(PromoteError::SeveralImages { overlay: target.path.clone(), repositories }.into()),
        }
    }

    /// What to change for one image, and in which file: where it is written, if nothing else is deployed from there, or
    /// else in the overlay's own `images`.
    fn edits(
        &self,
        tree: &dyn Tree,
        (target, targets): (&Overlay, &[&Overlay]),
        used: &UsedImage,
        to: &Image,
    ) -> Result<(FileId, Vec<Edit>), GateError> {
        let files = &self.parsed.files;
        let file = used.origin.span.file;
        if !self.is_shared(&files.get(file).path, targets)?
            && let Some(edits) = at_origin(files, used, to)
        {
            return Ok((file, edits));
        }
        for name in FILE_NAMES {
            let own = target.path.child(name);
            let Some((id, content)) = tree.read(&own)? else { continue };
            if self.is_shared(&own, targets)? {
                return Err(by_hand(used, self.parsed, "other overlays use this one and would change too").into());
            }
            let Ok(text) = std::str::from_utf8(&content) else { continue };
            let file = files.add(&own, id, text);
            if let Some(edits) = in_images(files, file, used, to) {
                return Ok((file, edits));
            }
        }
        Err(by_hand(used, self.parsed, "no entry can be added to the overlay's own `images`").into())
    }

    /// Whether something else than the targets is made from a file.
    fn is_shared(&self, path: &RepoPath, targets: &[&Overlay]) -> Result<bool, GateError> {
        let folders: Vec<RepoPath> = self.overlays.folders.iter().cloned().collect();
        let reaching = self.scanner.reaching(&folders, &self.listing, std::slice::from_ref(path));
        let reaching = reaching?;
        let mut others = self.overlays.all.iter().filter(|overlay| !targets.contains(overlay));
        Ok(others.any(|overlay| reaching.contains(&overlay.path)))
    }
}

/// Whether two values are the same but for text that holds one of the first versions before and the other one after.
fn same_but_for(before: &Node, after: &Node, versions: &[[&str; 2]]) -> bool {
    match (&before.value, &after.value) {
        (Value::Scalar(before), Value::Scalar(after)) => {
            let follows = |[old, new]: &[&str; 2]| {
                let is_version = |text: &str, version: &str| version.is_empty() || text.contains(version);
                is_version(&before.text, old) && is_version(&after.text, new) && old != new
            };
            before.text == after.text && before.kind == after.kind || versions.iter().any(follows)
        }
        (Value::Sequence(before), Value::Sequence(after)) => {
            before.len() == after.len()
                && before.iter().zip(&**after).all(|(before, after)| same_but_for(before, after, versions))
        }
        (Value::Mapping(before), Value::Mapping(after)) => {
            before.iter().count() == after.iter().count()
                && before
                    .iter()
                    .zip(after.iter())
                    .all(|((old, before), (new, after))| old.text == new.text && same_but_for(before, after, versions))
        }
        _ => false,
    }
}

/// What an overlay is to run.
struct Choice {
    /// The environment that it comes from.
    from: Option<usize>,
    /// The only repository that is meant.
    repository: Option<String>,
    wanted: Wanted,
}

enum Wanted {
    /// This content.
    Given(Image),
    /// What is live below.
    Live(Vec<UsedImage>),
}

impl Choice {
    /// What an image is to become; `None` where it is not meant, or nothing of its repository is live below.
    fn to(&self, plan: &Plan<'_>, used: &UsedImage) -> Result<Option<Image>, GateError> {
        let repository = plan.original(&used.image);
        if self.repository.as_ref().is_some_and(|only| *only != repository) {
            return Ok(None);
        }
        let live = match &self.wanted {
            Wanted::Given(image) => {
                return Ok(Some(Image { repository: used.image.repository.clone(), ..image.clone() }));
            }
            Wanted::Live(live) => live,
        };
        let mut same: Vec<&UsedImage> = live.iter().filter(|other| plan.original(&other.image) == repository).collect();
        let differ = |images: &[&UsedImage]| {
            images.iter().any(|other| plan.content(&other.image) != plan.content(&images[0].image))
        };
        if differ(&same) {
            same.retain(|other| (&other.user, other.role) == (&used.user, used.role));
        }
        if differ(&same) {
            let mut contents: Vec<String> = same.iter().map(|other| other.image.reference.clone()).collect();
            contents.sort();
            contents.dedup();
            let environment = plan.request.environment.to_owned();
            return Err(PromoteError::SeveralVersions { repository, environment, references: contents }.into());
        }
        let repository = used.image.repository.clone();
        Ok(same.first().map(|other| Image { repository, ..other.image.clone() }))
    }
}
