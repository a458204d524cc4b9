//! Pull requests and merge requests: the one comment that the gate keeps on each, and which of their checks must run again.

use chrono::{DateTime, Utc};

use super::ForgeError;

/// What can be done with the requests of a repository, on each forge.
pub trait Requests {
    /// Those that are open.
    ///
    /// # Errors
    /// When the forge does not tell.
    fn open(&self) -> Result<Vec<OpenRequest>, ForgeError>;

    /// The last run of the check called `name` for a request; `None` where there was none.
    ///
    /// # Errors
    /// When the forge does not tell.
    fn last_check(&self, request: &OpenRequest, name: &str) -> Result<Option<LastCheck>, ForgeError>;

    /// Runs a check again.
    ///
    /// # Errors
    /// When the forge refuses.
    fn run_again(&self, check: &LastCheck) -> Result<(), ForgeError>;

    /// Writes the comment that begins with `marker` and is the token's own, or makes one if `may_add`.
    ///
    /// # Errors
    /// When the forge refuses.
    fn comment(&self, number: u64, marker: &str, body: &str, may_add: bool) -> Result<(), ForgeError>;
}

/// A request that is open.
#[derive(Clone, Debug)]
pub struct OpenRequest {
    /// Its number.
    pub number: u64,
    /// The commit that it would bring.
    pub head: String,
}

/// A run of a check.
#[derive(Clone, Debug)]
pub struct LastCheck {
    /// What the forge calls it.
    pub id: u64,
    /// When it began; `None` while it waits.
    pub started_at: Option<DateTime<Utc>>,
    /// Whether it has ended.
    pub is_completed: bool,
    /// Until when its answer holds, where it said so.
    pub valid_until: Option<DateTime<Utc>>,
    /// When somebody last said something of the request, or took it back.
    pub reviewed_at: Option<DateTime<Utc>>,
}

/// Why a check must run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Its answer held until then.
    Outdated(DateTime<Utc>),
    /// A review came after it began.
    Reviewed(DateTime<Utc>),
}

impl LastCheck {
    /// Whether it must run again, and why. One that runs is asked the next time.
    #[must_use]
    pub fn due(&self, now: DateTime<Utc>) -> Option<Due> {
        if !self.is_completed {
            return None;
        }
        let outdated = self.valid_until.filter(|until| *until <= now).map(Due::Outdated);
        let is_new = |reviewed: &DateTime<Utc>| self.started_at.is_none_or(|started| *reviewed >= started);
        outdated.or_else(|| self.reviewed_at.filter(is_new).map(Due::Reviewed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_runs_again_when_its_answer_may_have_changed() {
        let at = |seconds: i64| DateTime::from_timestamp(seconds, 0);
        let check = |valid_until, reviewed_at, is_completed| LastCheck {
            id: 1,
            started_at: at(100),
            is_completed,
            valid_until,
            reviewed_at,
        };
        let due = |check: &LastCheck| check.due(at(200).unwrap());
        assert_eq!(due(&check(None, None, true)), None);
        assert_eq!(due(&check(at(201), at(99), true)), None);
        assert_eq!(due(&check(at(200), None, true)), at(200).map(Due::Outdated));
        assert_eq!(due(&check(None, at(100), true)), at(100).map(Due::Reviewed));
        assert_eq!(due(&check(at(150), at(150), false)), None);
    }
}
