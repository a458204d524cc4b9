use serde::Deserialize;
use serde_json::json;

use super::{GitLab, MergeRequest, Note, User};
use crate::forge::{DateTimeText, ForgeError, LastCheck, OpenRequest, Requests};

#[derive(Deserialize)]
struct Pipeline {
    id: u64,
}

#[derive(Deserialize)]
struct Job {
    id: u64,
    name: String,
    status: String,
    started_at: Option<DateTimeText>,
}

/// What is needed of `tollgate.report/1`.
#[derive(Deserialize)]
struct Report {
    #[serde(rename = "validUntil")]
    valid_until: Option<DateTimeText>,
}

impl Requests for GitLab {
    fn open(&self) -> Result<Vec<OpenRequest>, ForgeError> {
        let path = format!("/projects/{}/merge_requests?state=opened", self.project);
        let requests: Vec<MergeRequest> = self.client.list(&path, None)?;
        let open = requests.into_iter().filter_map(|it| Some(OpenRequest { number: it.iid, head: it.sha? }));
        Ok(open.collect())
    }

    /// The job `name` of the newest pipeline of the merge request; it says in its artifact `tollgate.json` how long it holds.
    fn last_check(&self, request: &OpenRequest, name: &str) -> Result<Option<LastCheck>, ForgeError> {
        let OpenRequest { number, .. } = request;
        let pipelines: Vec<Pipeline> =
            self.client.list(&format!("/projects/{}/merge_requests/{number}/pipelines?", self.project), Some(1))?;
        let Some(newest) = pipelines.iter().map(|pipeline| pipeline.id).max() else { return Ok(None) };
        let jobs: Vec<Job> = self.client.list(&format!("/projects/{}/pipelines/{newest}/jobs?", self.project), None)?;
        let Some(job) = jobs.into_iter().filter(|job| job.name == name).max_by_key(|job| job.id) else {
            return Ok(None);
        };
        let report: Option<Report> =
            self.client.find(&format!("/projects/{}/jobs/{}/artifacts/tollgate.json", self.project, job.id))?;
        let reviews = self.approvals(*number)?;
        Ok(Some(LastCheck {
            id: job.id,
            started_at: job.started_at.map(|time| time.0),
            is_completed: matches!(job.status.as_str(), "success" | "failed"),
            valid_until: report.and_then(|report| Some(report.valid_until?.0)),
            reviewed_at: reviews.into_iter().map(|said| said.submitted_at).max(),
        }))
    }

    fn run_again(&self, check: &LastCheck) -> Result<(), ForgeError> {
        self.client.post(&format!("/projects/{}/jobs/{}/retry", self.project, check.id), &json!({}))
    }

    fn comment(&self, number: u64, marker: &str, body: &str, may_add: bool) -> Result<(), ForgeError> {
        let own: User = self.client.get("/user")?;
        let notes = format!("/projects/{}/merge_requests/{number}/notes", self.project);
        let all: Vec<Note> = self.client.list(&format!("{notes}?sort=asc"), None)?;
        let is_own = |note: &&Note| !note.system && note.author.id == own.id && note.body.starts_with(marker);
        let body = json!({ "body": body });
        match all.iter().find(is_own) {
            Some(there) => self.client.change(&format!("{notes}/{}", there.id), &body),
            None if may_add => self.client.post(&notes, &body),
            None => Ok(()),
        }
    }
}
