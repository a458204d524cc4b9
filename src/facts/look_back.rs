//! What was live where, by the base branch's own history: first parents only, in landing order. Renderings decide, not
//! files, so that an image which an overlay inherits counts.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use super::review::Landing;
use crate::config::Config;
use crate::kustomize::{Options, ParsedFiles, RenderError, Renderer, Scanner};
use crate::model::{Image, Overlay, State, discover, recognise};
use crate::sources::{self, Tree as _};
use crate::sources::{
    Commit, CommitId, CommitTree, RepoPath, Repository, RepositoryError, Snapshot, TreeError, Wanted,
};

/// One uninterrupted stretch in which an overlay ran a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// When it began, in seconds since 1970.
    pub from: i64,
    /// When it ended; `None` while it lasts.
    pub to: Option<i64>,
    /// The commit that brought it.
    pub commit: String,
}

impl Stay {
    /// How long it lasted until `now`, in seconds.
    #[must_use]
    pub fn seconds(&self, now: i64) -> i64 {
        (self.to.unwrap_or(now).min(now) - self.from).max(0)
    }

    /// Whether it lasts, or lasted for long enough to have been deployed.
    fn counts(&self) -> bool {
        self.to.is_none_or(|to| to - self.from >= SHORTEST_STAY)
    }
}

/// The shortest stay that proves anything, in seconds: what stood only between two commits of one push was not deployed.
pub(super) const SHORTEST_STAY: i64 = 60;

/// How many overlays that a commit took away may be what one was called before.
const MOST_RENAMED: usize = 50;

/// How far back to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Until any stay shows; when it began is then not known.
    Any,
    /// Until the latest stay is known from its beginning.
    Latest,
    /// Until a stay has lasted so many seconds, else to the root.
    Lasting(i64),
}

/// How many older commits are looked up at once: more and more, since what stood for long likely stood for longer.
const FEWEST_AHEAD: usize = 8;
const MOST_AHEAD: usize = 256;

/// Why history does not answer.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum HistoryError {
    /// Commits are missing.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Repository(#[from] RepositoryError),
    /// A commit's files cannot be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tree(#[from] TreeError),
    /// A commit's files cannot be read, seen while rendering.
    #[error("{0}")]
    #[diagnostic(help("`git fsck` says what is damaged"))]
    Unreadable(String),
}

/// The base branch's first-parent line.
pub struct LookBack<'a> {
    repository: &'a Repository,
    parsed: &'a ParsedFiles,
    options: Options,
    config: &'a Config,
    /// Newest first.
    line: Vec<Commit>,
    /// When each commit landed, as far as dates can be trusted.
    landed: Vec<i64>,
    /// When each commit was there at the latest: when what it replaced was gone.
    left: Vec<i64>,
    is_complete: bool,
    overlays: Mutex<HashMap<RepoPath, Arc<Mutex<OverlayHistory>>>>,
}

/// What one overlay ran, as far back as anyone has asked.
#[derive(Default)]
struct OverlayHistory {
    /// Newest first.
    segments: Vec<Segment>,
    /// Whether it is known where the oldest segment begins.
    is_settled: bool,
    /// How many commits to look at next.
    ahead: usize,
    /// What the folder was called before, from some commit back; `None` where it had the same name.
    earlier: Option<RepoPath>,
}

impl OverlayHistory {
    fn is_closed(&self, at: usize) -> bool {
        self.is_settled || at + 1 < self.segments.len()
    }
}

/// Stays that were found so far, newest first.
#[derive(Clone, Default)]
struct Found {
    stays: Vec<Stay>,
    /// Whether the last one may have begun earlier.
    is_open: bool,
}

impl Found {
    fn counting(mut self) -> Vec<Stay> {
        self.stays.retain(Stay::counts);
        self.stays
    }

    fn is_enough(&self, depth: Depth, now: i64) -> bool {
        self.stays.last().filter(|stay| stay.counts()).is_some_and(|stay| match depth {
            Depth::Any => true,
            Depth::Latest => !self.is_open,
            Depth::Lasting(seconds) => stay.seconds(now) >= seconds,
        })
    }
}

/// Neighbouring commits with one rendering.
struct Segment {
    /// Positions on the line, the newest and the oldest.
    newest: usize,
    oldest: usize,
    images: Vec<Image>,
    wanted: Wanted,
    snapshot: Snapshot,
}

/// When commits of the base branch landed, by the forge's clock, in seconds since 1970.
#[derive(Clone, Debug, Default)]
pub struct LandingTimes(HashMap<String, i64>);

impl LandingTimes {
    /// Takes what a review file tells.
    #[must_use]
    pub fn of(landings: &[Landing]) -> Self {
        Self(landings.iter().map(|landing| (landing.commit.clone(), landing.merged_at.timestamp())).collect())
    }
}

/// A commit's date.
#[derive(Clone, Copy, Debug)]
pub(super) struct CommitDate {
    time: i64,
    /// Whether the forge tells it, and not whoever made the commit.
    is_known: bool,
    /// Whether what landed with it may be several commits: it is no merge, and the forge did not squash it.
    may_be_several: bool,
}

impl CommitDate {
    pub(super) fn of(commit: &Commit, known: &LandingTimes) -> Self {
        // Only the few that the forge was asked about are looked up by name.
        let known = if known.0.is_empty() { None } else { known.0.get(&commit.id.to_string()) };
        let may_be_several = known.is_some() && commit.parents < 2 && !commit.is_by_forge;
        Self { time: known.copied().unwrap_or(commit.time), is_known: known.is_some(), may_be_several }
    }
}

/// When commits landed, newest first as their dates. Whoever pushes chooses the date: one before that of a commit which
/// landed earlier, or after now, is not believed, and the commit counts from the next newer one that is, else from now. What the
/// forge tells is believed in any case, and nothing below landed after it; what may have landed with it
/// counts from there, too.
pub(super) fn landed(dates: &[CommitDate], now: i64) -> Vec<i64> {
    let mut ceiling = now;
    let ceilings: Vec<i64> = dates
        .iter()
        .map(|date| {
            if date.is_known {
                ceiling = ceiling.min(date.time);
            }
            ceiling
        })
        .collect();
    // Commits below one that landed by a fast-forward may have landed with it.
    let mut with_newer = vec![false; dates.len()];
    let mut is_with = false;
    for (at, date) in dates.iter().enumerate() {
        is_with = if date.is_known { date.may_be_several } else { is_with };
        with_newer[at] = is_with && !date.is_known;
    }
    let mut latest = i64::MIN;
    let mut trusted = vec![false; dates.len()];
    for (at, date) in dates.iter().enumerate().rev() {
        if !with_newer[at] && (latest..=ceilings[at]).contains(&date.time) {
            (latest, trusted[at]) = (date.time, true);
        }
    }
    let mut next = now;
    let settle = |(date, trusted): (&CommitDate, bool)| {
        if trusted {
            next = date.time;
        }
        next
    };
    dates.iter().zip(trusted).map(settle).collect()
}

/// When commits were there at the latest, newest first: not after any newer one, or else a date in the future of what
/// follows would let what the commit ended look longer than it was. Dates before the parent landed do not count.
fn left(dates: &[CommitDate], landed: &[i64], now: i64) -> Vec<i64> {
    let mut newer = BTreeSet::new();
    let settle = |(at, date): (usize, &CommitDate)| {
        newer.insert(date.time);
        let floor = landed.get(at + 1).copied().unwrap_or(i64::MIN);
        newer.range(floor..).next().map_or(now, |earliest| *earliest.min(&now))
    };
    dates.iter().enumerate().map(settle).collect()
}

impl<'a> LookBack<'a> {
    /// Reads the first-parent line of `tip`.
    ///
    /// # Errors
    /// When a commit cannot be read.
    pub fn new(
        repository: &'a Repository,
        parsed: &'a ParsedFiles,
        options: Options,
        config: &'a Config,
        tip: &Commit,
        known: &LandingTimes,
        now: i64,
    ) -> Result<Self, RepositoryError> {
        let (mut line, is_complete) = repository.first_parent_line(tip)?;
        config.landings.keep(&mut line);
        let dates: Vec<CommitDate> = line.iter().map(|commit| CommitDate::of(commit, known)).collect();
        let landed = landed(&dates, now);
        let left = left(&dates, &landed, now);
        Ok(Self { repository, parsed, options, config, line, landed, left, is_complete, overlays: Mutex::default() })
    }

    /// The landings, newest first.
    #[must_use]
    pub fn commits(&self) -> &[Commit] {
        &self.line
    }

    /// How long the state after a landing lasted, by its position, in seconds; the tip's lasts until now.
    #[must_use]
    pub fn lasted(&self, at: usize, now: i64) -> i64 {
        at.checked_sub(1).map_or(now, |newer| self.left[newer]) - self.landed[at]
    }

    /// What an overlay runs at the base's tip.
    ///
    /// # Errors
    /// When the tip cannot be read.
    pub fn current(&self, overlay: &RepoPath) -> Result<Vec<Image>, HistoryError> {
        let known = self.overlay(overlay);
        let mut known = known.lock();
        if known.segments.is_empty() {
            self.look_back(overlay, &mut known)?;
        }
        Ok(known.segments.first().map(|segment| segment.images.clone()).unwrap_or_default())
    }

    fn overlay(&self, overlay: &RepoPath) -> Arc<Mutex<OverlayHistory>> {
        let mut overlays = self.overlays.lock();
        let new = || Arc::new(Mutex::new(OverlayHistory::default()));
        Arc::clone(overlays.entry(overlay.clone()).or_insert_with(new))
    }

    /// The stays of a content in an overlay, newest first, as far back as `depth` asks.
    ///
    /// # Errors
    /// When history that is needed was cut off, or cannot be read.
    pub fn stays(&self, overlay: &RepoPath, content: &str, depth: Depth, now: i64) -> Result<Vec<Stay>, HistoryError> {
        let known = self.overlay(overlay);
        let mut known = known.lock();
        let mut found = Found::default();
        let mut at = 0;
        loop {
            while at < known.segments.len() && known.is_closed(at) {
                self.add(&mut found, &known.segments[at], content);
                at += 1;
                if found.is_enough(depth, now) {
                    return Ok(found.counting());
                }
            }
            // One that may begin still earlier can be enough already.
            if let Some(segment) = known.segments.get(at) {
                let mut found = found.clone();
                self.add(&mut found, segment, content);
                if found.is_enough(depth, now) {
                    return Ok(found.counting());
                }
            }
            if !self.look_back(overlay, &mut known)? {
                break;
            }
        }
        if !self.is_complete {
            return Err(self.cut_off(&format!("what `{overlay}` ran")));
        }
        Ok(found.counting())
    }

    /// The newest commit, as it landed, at which all of these ran at once; each in any one of its overlays.
    ///
    /// # Errors
    /// When history that is needed was cut off, or cannot be read.
    pub fn together(&self, wanted: &[(Vec<RepoPath>, String)]) -> Result<Option<(i64, CommitId)>, HistoryError> {
        let mut at = 0;
        loop {
            let before = at;
            for (overlays, content) in wanted {
                let mut newest: Option<usize> = None;
                for overlay in overlays {
                    let found = self.newest(overlay, content, at)?;
                    newest = newest.into_iter().chain(found).min();
                }
                match newest {
                    Some(newest) => at = newest,
                    None if self.is_complete => return Ok(None),
                    None => return Err(self.cut_off("what ran together")),
                }
            }
            if at == before {
                return Ok(self.line.get(at).map(|commit| (self.landed[at], commit.id)));
            }
        }
    }

    /// The newest position from `from` back at which an overlay ran a content.
    fn newest(&self, overlay: &RepoPath, content: &str, from: usize) -> Result<Option<usize>, HistoryError> {
        let known = self.overlay(overlay);
        let mut known = known.lock();
        let mut at = known.segments.partition_point(|segment| segment.oldest < from);
        at = at.min(known.segments.len().saturating_sub(1));
        loop {
            if let Some(segment) = known.segments.get(at) {
                let holds = || segment.images.iter().any(|image| image.content(&self.config.mirrors) == content);
                let lasted = |replacing: usize| self.left[replacing] - self.landed[segment.oldest];
                let counts = segment.newest.checked_sub(1).is_none_or(|replacing| lasted(replacing) >= SHORTEST_STAY);
                if segment.oldest >= from && counts && holds() {
                    return Ok(Some(segment.newest.max(from)));
                }
                if known.is_closed(at) {
                    at += 1;
                    continue;
                }
            }
            if !self.look_back(overlay, &mut known)? {
                return Ok(None);
            }
        }
    }

    fn cut_off(&self, what: &str) -> HistoryError {
        let oldest = self.line.last().map(|commit| commit.id.short()).unwrap_or_default();
        RepositoryError::Shallow(format!("{what} before {oldest} is unknown")).into()
    }

    /// Adds the next older segment to what was found.
    fn add(&self, found: &mut Found, segment: &Segment, content: &str) {
        let holds = segment.images.iter().any(|image| image.content(&self.config.mirrors) == content);
        let (from, commit) = (self.landed[segment.oldest], self.line[segment.oldest].id.to_string());
        match found.stays.last_mut().filter(|_| found.is_open && holds) {
            Some(stay) => (stay.from, stay.commit) = (from, commit),
            None if holds => {
                let to = segment.newest.checked_sub(1).map(|replacing| self.left[replacing]);
                found.stays.push(Stay { from, to, commit });
            }
            None => {}
        }
        found.is_open = holds;
    }

    /// Looks further back: along the oldest segment, or else at the next one. Says whether there was anything left.
    fn look_back(&self, overlay: &RepoPath, known: &mut OverlayHistory) -> Result<bool, HistoryError> {
        let Some(segment) = known.segments.last_mut().filter(|_| !known.is_settled) else {
            let next = known.segments.last().map_or(0, |segment| segment.oldest + 1);
            let Some(commit) = self.line.get(next) else { return Ok(false) };
            let tree = self.repository.tree(commit);
            let named = known.earlier.as_ref().unwrap_or(overlay).clone();
            let newer = next.checked_sub(1).map(|newer| self.repository.tree(&self.line[newer]));
            if let Some(newer) = newer.as_ref().filter(|newer| stands(newer, &named) && !stands(&tree, &named)) {
                let images = known.segments.last().map(|segment| segment.images.as_slice()).unwrap_or_default();
                known.earlier = self.earlier_name(&named, images, newer, &tree)?.or(known.earlier.take());
            }
            if let Some(folder) =
                self.folder_before(known.earlier.as_ref().unwrap_or(overlay), newer.as_ref(), &tree)?
            {
                known.earlier = Some(folder);
            }
            let named = known.earlier.as_ref().unwrap_or(overlay);
            known.segments.push(self.segment(named, &tree, next)?);
            (known.is_settled, known.ahead) = (false, FEWEST_AHEAD);
            return Ok(true);
        };
        let from = segment.oldest + 1;
        let older = &self.line[from..(from + known.ahead).min(self.line.len())];
        let trees: Vec<CommitTree> = older.iter().map(|commit| self.repository.tree(commit)).collect();
        let snapshots = CommitTree::snapshots(&trees, &segment.wanted)?;
        let same = snapshots.iter().take_while(|snapshot| snapshot.is_same(&segment.snapshot)).count();
        segment.oldest += same;
        known.is_settled = same < older.len() || older.is_empty();
        known.ahead = (known.ahead * 2).min(MOST_AHEAD);
        Ok(true)
    }

    /// The folder that an object deploys, where an older commit does not have the object yet.
    fn folder_before(
        &self,
        overlay: &RepoPath,
        newer: Option<&CommitTree>,
        older: &CommitTree,
    ) -> Result<Option<RepoPath>, HistoryError> {
        let Some(newer) = newer.filter(|_| overlay.as_deployed().is_some()) else { return Ok(None) };
        if Scanner::new(self.parsed, older).resolved(overlay).map_err(unreadable)?.is_some() {
            return Ok(None);
        }
        let folder = Scanner::new(self.parsed, newer).deployed_folder(overlay).map_err(unreadable)?;
        Ok(folder.filter(|folder| stands(older, folder)))
    }

    /// What an overlay was called before a commit brought its folder: an overlay of the same environment that the same commit
    /// took away, of the same app, or else with the same images.
    fn earlier_name(
        &self,
        overlay: &RepoPath,
        images: &[Image],
        newer: &CommitTree,
        older: &CommitTree,
    ) -> Result<Option<RepoPath>, HistoryError> {
        let Some(own) = recognise(self.config, overlay) else { return Ok(None) };
        let scanner = Scanner::new(self.parsed, older);
        let found = discover(self.config, &sources::list(older)?, &scanner, None).map_err(unreadable)?;
        let is_gone = |other: &&Overlay| other.environment == own.environment && !stands(newer, &other.path);
        let gone: Vec<&Overlay> = found.all.iter().filter(is_gone).take(MOST_RENAMED).collect();
        let of_app = |other: &&&Overlay| recognise(self.config, &other.path).is_some_and(|other| other.app == own.app);
        if let Some(same) = gone.iter().find(of_app) {
            return Ok(Some(same.path.clone()));
        }
        let contents = |images: &[Image]| -> BTreeSet<String> {
            images.iter().map(|image| image.content(&self.config.mirrors)).collect()
        };
        let wanted = contents(images);
        for other in gone.iter().filter(|_| !wanted.is_empty()) {
            if contents(&self.segment(&other.path, older, 0)?.images) == wanted {
                return Ok(Some(other.path.clone()));
            }
        }
        Ok(None)
    }

    fn segment(&self, overlay: &RepoPath, tree: &CommitTree, at: usize) -> Result<Segment, HistoryError> {
        let renderer = Renderer::new(self.parsed, tree, self.options.clone().for_past());
        let is_component = || Scanner::new(self.parsed, tree).is_component(overlay);
        // An overlay that does not render at some commit runs nothing that could be proven.
        let (images, closure) = match renderer.render_any(overlay) {
            // A folder's past counts only while it was an overlay.
            Ok(rendering) if self.config.layouts.is_empty() && is_component().map_err(unreadable)? => {
                (Vec::new(), rendering.closure)
            }
            Ok(rendering) => {
                let images = State::of(&rendering, self.config).images.into_iter().map(|used| used.image).collect();
                (images, rendering.closure)
            }
            Err(failed) if failed.error.is_unreadable => return Err(unreadable(failed.error)),
            Err(failed) => (Vec::new(), failed.closure),
        };
        let wanted = Wanted::new(closure.paths());
        let snapshot = tree.snapshot(&wanted)?;
        Ok(Segment { newest: at, oldest: at, images, wanted, snapshot })
    }
}

/// Whether anything is in a folder.
fn stands(tree: &CommitTree, folder: &RepoPath) -> bool {
    tree.entry(folder).is_ok_and(|entry| entry.is_some())
}

fn unreadable(error: RenderError) -> HistoryError {
    HistoryError::Unreadable(error.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(dates: &[i64]) -> Vec<CommitDate> {
        dates.iter().map(|time| CommitDate { time: *time, is_known: false, may_be_several: false }).collect()
    }

    #[test]
    fn dates_that_cannot_be_are_not_believed() {
        // Newest first, as all of these.
        assert_eq!(landed(&dates(&[30, 20, 10]), 40), [30, 20, 10]);
        // A commit dated before its predecessor counts from the next one that can be believed, the newest from now.
        assert_eq!(landed(&dates(&[30, 5, 10]), 40), [30, 30, 10]);
        assert_eq!(landed(&dates(&[5, 20, 10]), 40), [40, 20, 10]);
        // One from the future does not make those behind it look old or new.
        assert_eq!(landed(&dates(&[30, 99, 10]), 40), [30, 30, 10]);
        // The forge's word counts, and bounds that of what is below.
        let mut known = dates(&[50, 20, 99, 10]);
        known[1].is_known = true;
        assert_eq!(landed(&known, 100), [50, 20, 20, 10]);
        // What may have landed with a newer one by a fast-forward counts from there.
        known[1].may_be_several = true;
        known[3].is_known = true;
        let mut more = known.clone();
        more.insert(2, CommitDate { time: 12, is_known: false, may_be_several: false });
        assert_eq!(landed(&more, 100), [50, 20, 20, 20, 10]);
        // What a commit ended is not believed to have lasted longer than newer commits say.
        let left = |of: &[i64], now| left(&dates(of), &landed(&dates(of), now), now);
        assert_eq!(left(&[30, 20, 10], 40), [30, 20, 10]);
        assert_eq!(left(&[32, 20, 3, 31, 1], 33), [32, 32, 32, 3, 1]);
        // One that is older than what it stands on says nothing of it.
        assert_eq!(left(&[30, 5, 20, 10], 40), [30, 30, 20, 5]);
        assert_eq!(left(&[50, 10], 40), [40, 10]);
    }
}
