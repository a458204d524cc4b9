//! What was live where: every stay of every image in every environment, by the base branch's first-parent line.
//!
//! [`all`] goes forward through all commits, [`at_time`] back from one moment as far as what ran then began; both follow
//! overlays by a [`sweep`], which renders again only what a commit touches. Where [`super::LookBack`] answers one question
//! about one overlay, this looks at all of them.

use std::collections::BTreeMap;

use super::look_back::{CommitDate, HistoryError, LandingTimes, landed};
use crate::config::{Config, Mirrors};
use crate::kustomize::ParsedFiles;
use crate::model::{Image, OverlayFilter, Overlays};
use crate::progress::Progress;
use crate::sources::{Commit, RepoPath, Repository, RepositoryError};
use crate::words;

mod all;
mod at_time;
mod sweep;

/// What was live, by app and by the environment's position in the configuration; oldest first.
pub type Live = BTreeMap<String, BTreeMap<usize, Vec<ImageStay>>>;

/// One uninterrupted stay of an image in an environment, in whichever of the app's overlays there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageStay {
    /// The image: its repository, and its digest or else its tag.
    pub image: Image,
    /// When it began, in seconds since 1970.
    pub from: i64,
    /// When it ended; `None` while it lasts.
    pub to: Option<i64>,
    /// The commit that brought it.
    pub commit: String,
    /// Who wrote that commit.
    pub author: String,
    /// Whether an overlay of the app did not render right before: it may have begun earlier.
    pub begins_in_gap: bool,
    /// Whether an overlay of the app did not render any more: it may have lasted longer.
    pub ends_in_gap: bool,
}

/// A stretch in which an overlay did not render, so that nothing is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The overlay's folder.
    pub overlay: RepoPath,
    /// Its app.
    pub app: String,
    /// Its environment's position in the configuration.
    pub environment: usize,
    /// When it began, in seconds since 1970.
    pub from: i64,
    /// When it ended; `None` while it lasts.
    pub to: Option<i64>,
    /// The commit that brought it.
    pub commit: String,
    /// Why it did not render in the end, and where that was.
    pub why: String,
}

/// What was live where.
#[derive(Clone, Debug, Default)]
pub struct LiveHistory {
    /// What was live.
    pub live: Live,
    /// Where nothing is known.
    pub gaps: Vec<Gap>,
    /// How many commits have an implausible date: it runs backwards, or lies in the future.
    pub distrusted: usize,
}

/// What history is read from.
pub struct HistorySource<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// Files that were read in this run.
    pub files: &'a ParsedFiles,
    /// What environments there are.
    pub config: &'a Config,
    /// The tip of the base branch.
    pub tip: &'a Commit,
    /// The tip's overlays, which say what apps are called.
    pub overlays: &'a Overlays,
    /// Which overlays are wanted; only these are rendered.
    pub filter: OverlayFilter<'a>,
    /// The time of the question, in seconds since 1970.
    pub now: i64,
    /// Where it is shown how far the reading is.
    pub progress: &'a Progress,
}

impl HistorySource<'_> {
    /// The first-parent line, and an error for when it is needed beyond its end.
    fn line(&self) -> Result<FirstParents, HistoryError> {
        let (mut commits, is_complete) = self.repository.first_parent_line(self.tip)?;
        self.config.landings.keep(&mut commits);
        let dates: Vec<CommitDate> =
            commits.iter().map(|commit| CommitDate::of(commit, &LandingTimes::default())).collect();
        let landed = landed(&dates, self.now);
        Ok(FirstParents { commits, landed, is_complete })
    }
}

/// The first-parent line of the base branch, newest first.
struct FirstParents {
    commits: Vec<Commit>,
    /// When each commit landed, as far as dates can be trusted.
    landed: Vec<i64>,
    /// Whether the line reaches its root.
    is_complete: bool,
}

impl FirstParents {
    fn cut_off(&self) -> HistoryError {
        let oldest = self.commits.last().map(|commit| commit.id.short()).unwrap_or_default();
        RepositoryError::Shallow(format!("what was live before {oldest} is unknown")).into()
    }
}

/// How many commits are looked up at once.
const AHEAD: usize = 512;

/// An app in an environment.
type Place = (String, usize);

/// What makes two images the same: the repository that they are of, and their content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ImageKey {
    repository: String,
    content: String,
}

impl ImageKey {
    fn of(image: &Image, mirrors: &Mirrors) -> Self {
        Self { repository: image.original(mirrors), content: image.content(mirrors) }
    }
}

impl ImageStay {
    /// Whether it lasted at a time.
    #[must_use]
    pub fn lasted_at(&self, time: i64) -> bool {
        self.from <= time && self.to.is_none_or(|to| time < to)
    }

    /// The first digits of the commit that brought it.
    #[must_use]
    pub fn short_commit(&self) -> String {
        words::short_commit(&self.commit)
    }
}

impl Gap {
    /// Whether it lasted at a time.
    #[must_use]
    pub fn lasted_at(&self, time: i64) -> bool {
        self.from <= time && self.to.is_none_or(|to| time < to)
    }
}
