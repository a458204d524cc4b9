use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

use super::{GitHub, Pull, User};
use crate::forge::{DateTimeText, ForgeError, LastCheck, OpenRequest, Requests};
use crate::report::check::github::VALID_UNTIL;

#[derive(Deserialize)]
struct Comment {
    id: u64,
    user: Option<User>,
    #[serde(default)]
    body: String,
}

#[derive(Deserialize)]
struct CheckRuns {
    check_runs: Vec<CheckRun>,
}

#[derive(Deserialize)]
struct CheckRun {
    id: u64,
    status: String,
    started_at: Option<DateTimeText>,
}

#[derive(Deserialize)]
struct Annotation {
    title: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct IssueEvent {
    event: String,
    created_at: DateTimeText,
}

impl Requests for GitHub {
    fn open(&self) -> Result<Vec<OpenRequest>, ForgeError> {
        let pulls: Vec<Pull> = self.client.list(&format!("/repos/{}/pulls?state=open", self.project), None)?;
        Ok(pulls.into_iter().map(|pull| OpenRequest { number: pull.number, head: pull.head.sha }).collect())
    }

    /// A job of GitHub Actions is a check run with the same id.
    fn last_check(&self, request: &OpenRequest, name: &str) -> Result<Option<LastCheck>, ForgeError> {
        let path = format!(
            "/repos/{}/commits/{}/check-runs?check_name={}&filter=latest&per_page=100",
            self.project,
            request.head,
            super::segment(name)
        );
        let runs: CheckRuns = self.client.get(&path)?;
        let Some(run) = runs.check_runs.into_iter().max_by_key(|run| run.started_at.as_ref().map(|time| time.0)) else {
            return Ok(None);
        };
        let annotations: Vec<Annotation> =
            self.client.list(&format!("/repos/{}/check-runs/{}/annotations?", self.project, run.id), None)?;
        let valid_until = annotations.iter().find_map(valid_until);
        Ok(Some(LastCheck {
            id: run.id,
            started_at: run.started_at.map(|time| time.0),
            is_completed: run.status == "completed",
            valid_until,
            reviewed_at: self.reviewed_at(request.number)?,
        }))
    }

    fn run_again(&self, check: &LastCheck) -> Result<(), ForgeError> {
        self.client.post(&format!("/repos/{}/actions/jobs/{}/rerun", self.project, check.id), &json!({}))
    }

    fn comment(&self, number: u64, marker: &str, body: &str, may_add: bool) -> Result<(), ForgeError> {
        // The token of an app is nobody's; what it writes is by a bot.
        let own: Option<User> = self.client.find("/user")?;
        let is_own = |user: &User| own.as_ref().map_or(user.kind == "Bot", |own| own.login == user.login);
        let all: Vec<Comment> =
            self.client.list(&format!("/repos/{}/issues/{number}/comments?", self.project), None)?;
        let there =
            all.iter().find(|comment| comment.body.starts_with(marker) && comment.user.as_ref().is_some_and(is_own));
        let body = json!({ "body": body });
        match there {
            Some(there) => self.client.change(&format!("/repos/{}/issues/comments/{}", self.project, there.id), &body),
            None if may_add => self.client.post(&format!("/repos/{}/issues/{number}/comments", self.project), &body),
            None => Ok(()),
        }
    }
}

impl GitHub {
    /// When somebody last reviewed a pull request, or a review was dismissed.
    fn reviewed_at(&self, number: u64) -> Result<Option<DateTime<Utc>>, ForgeError> {
        let reviews = self.reviews(number)?.into_iter().map(|said| said.submitted_at);
        let events: Vec<IssueEvent> =
            self.client.list(&format!("/repos/{}/issues/{number}/events?", self.project), None)?;
        let dismissed = events.into_iter().filter(|event| event.event == "review_dismissed");
        Ok(reviews.chain(dismissed.map(|event| event.created_at.0)).max())
    }
}

/// What `--format github` says of how long its answer holds.
fn valid_until(annotation: &Annotation) -> Option<DateTime<Utc>> {
    if annotation.title.as_deref() != Some(VALID_UNTIL) {
        return None;
    }
    let time = annotation.message.as_deref()?.split_whitespace().next()?;
    Some(DateTime::parse_from_rfc3339(time).ok()?.with_timezone(&Utc))
}
