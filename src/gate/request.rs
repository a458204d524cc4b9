use chrono::{DateTime, Utc};

use crate::config::OwnersDialect;
use crate::facts::Applied;
use crate::facts::neighbours::NamedClones;
use crate::facts::scans::Scans;
use crate::model::OverlayFilter;
use crate::progress::Progress;
use crate::sources::{Comparison, Repository};

/// What is to be judged.
pub struct Request<'a> {
    /// Where the history is.
    pub repository: &'a Repository,
    /// The two sides.
    pub comparison: &'a Comparison,
    /// The branch that the change goes into, where that is known.
    pub branch: Option<&'a str>,
    /// Clones of other repositories, by name.
    pub clones: NamedClones<'a>,
    /// Whose configuration, CODEOWNERS and freezes count.
    pub trust: Trust,
    /// Which overlays are judged.
    pub selection: Selection,
    /// Only a part of the overlays.
    pub shard: Shard,
    /// Only this environment.
    pub environment: Option<&'a str>,
    /// Only this app.
    pub app: Option<&'a str>,
    /// Only this rule.
    pub rule: Option<&'a str>,
    /// The time of the judgement.
    pub now: DateTime<Utc>,
    /// The review file.
    pub review: Option<NamedText<'a>>,
    /// Whose rules CODEOWNERS follows; `None` where the repository itself tells.
    pub owners_dialect: Option<OwnersDialect>,
    /// What controllers report as applied; `None` where no report was given.
    pub reports: Option<&'a [Applied]>,
    /// Reports of scanners; `None` where none were given.
    pub scans: Option<&'a Scans>,
    /// Whether GitLab says that this job runs in a deploy freeze; `None` outside of GitLab's jobs.
    pub is_deploy_freeze: Option<bool>,
    /// Where it is shown how far the judgement is.
    pub progress: &'a Progress,
}

/// Sides of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// What the change would be merged into: it cannot loosen what judges it.
    Base,
    /// The change itself, to try a configuration out.
    Head,
}

/// Which overlays are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those whose output the change alters.
    Affected,
    /// All of them.
    All,
}

/// One of several parts of the overlays, which together are all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 1.
    pub index: u32,
    /// How many parts there are.
    pub count: u32,
}

impl Default for Shard {
    /// All of them.
    fn default() -> Self {
        Self { index: 1, count: 1 }
    }
}

impl Shard {
    /// Whether an overlay is in this part. All overlays of an app are in one: what they share is rendered once.
    #[must_use]
    pub fn holds(&self, app: &str) -> bool {
        let sum = app.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        sum % self.count == self.index - 1
    }

    /// What this part leaves out, for the report.
    #[must_use]
    pub fn leaves_out(&self) -> String {
        format!("the apps of other shards (--shard {}/{})", self.index, self.count)
    }

    /// Whether this is the part in which the change as a whole is judged.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.index == 1
    }
}

/// A file that was named on the command line.
#[derive(Clone, Copy, Debug)]
pub struct NamedText<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

impl<'a> Request<'a> {
    /// Everything that the change affects, by the base's rules.
    #[must_use]
    pub fn new(repository: &'a Repository, comparison: &'a Comparison, now: DateTime<Utc>) -> Self {
        Self {
            repository,
            comparison,
            branch: None,
            clones: &[],
            trust: Trust::Base,
            selection: Selection::Affected,
            shard: Shard::default(),
            environment: None,
            app: None,
            rule: None,
            now,
            review: None,
            owners_dialect: None,
            reports: None,
            scans: None,
            is_deploy_freeze: None,
            progress: Progress::silent(),
        }
    }

    /// Which overlays are asked for; `environment` is the position of the one that is named.
    pub(super) fn filter(&self, environment: Option<usize>) -> OverlayFilter<'a> {
        OverlayFilter { app: self.app, environment }
    }
}
