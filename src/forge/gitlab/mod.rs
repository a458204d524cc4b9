//! GitLab: <https://docs.gitlab.com/api/rest/>.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::client::{Api, segment};
use super::github::Answer;
use super::{Client, DateTimeText, ForgeError};
use crate::facts::review::{Account, ForgeCommit, GroupedRequest, Landing, PullRequest, ReviewFile, SCHEMA, Said};
use crate::sources::co_authors;

mod requests;

/// A project on GitLab.
pub struct GitLab {
    client: Client,
    /// Its number or path, as a segment.
    project: String,
}

/// How many pages of merged merge requests are read for when they landed.
const LANDING_PAGES: usize = 3;
/// How many cars of a merge train are looked at.
const MOST_IN_TRAIN: usize = 100;

#[derive(Clone, Deserialize)]
struct User {
    id: u64,
    username: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct UserDetails {
    #[serde(default)]
    bot: bool,
}

#[derive(Deserialize)]
struct MergeRequest {
    iid: u64,
    author: User,
    sha: Option<String>,
    target_branch: String,
    #[serde(default)]
    labels: Vec<String>,
}

#[derive(Deserialize)]
struct Approvals {
    #[serde(default)]
    approved_by: Vec<Approval>,
}

#[derive(Deserialize)]
struct Approval {
    user: User,
    approved_at: Option<DateTimeText>,
}

#[derive(Deserialize)]
struct Version {
    head_commit_sha: String,
    created_at: DateTimeText,
}

#[derive(Deserialize)]
struct Note {
    #[serde(default)]
    id: u64,
    #[serde(default)]
    system: bool,
    body: String,
    author: User,
    created_at: DateTimeText,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
    #[serde(default)]
    author_name: String,
    #[serde(default)]
    author_email: String,
    #[serde(default)]
    committer_name: String,
    #[serde(default)]
    committer_email: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Diff {
    old_path: String,
    new_path: String,
}

#[derive(Deserialize)]
struct Landed {
    merged_at: Option<DateTimeText>,
    merge_commit_sha: Option<String>,
    squash_commit_sha: Option<String>,
    sha: Option<String>,
}

#[derive(Deserialize)]
struct Car {
    merge_request: CarRequest,
}

#[derive(Deserialize)]
struct CarRequest {
    iid: u64,
}

#[derive(Deserialize)]
struct Member {
    username: String,
    access_level: u64,
    #[serde(default)]
    state: String,
}

/// The access level of a developer, the lowest one that may own code.
const DEVELOPER: u64 = 30;

impl GitLab {
    /// The project with this number or path. `address` is that of the API, such as `https://gitlab.com/api/v4`; `certificates` are
    /// the path and the text of a file of authorities.
    ///
    /// # Errors
    /// When the certificates cannot be read.
    pub fn new(
        address: &str,
        token: String,
        project: &str,
        certificates: Option<(&str, &str)>,
        now: DateTime<Utc>,
    ) -> Result<Self, ForgeError> {
        let address = address.trim_end_matches('/').to_owned();
        let api = Api { address, token: ("PRIVATE-TOKEN", token), accept: "application/json", changes_by_patch: false };
        Ok(Self { client: Client::new(api, certificates, now)?, project: segment(project) })
    }

    /// A merge request: who opened it, who has approved it, who had a hand in it.
    ///
    /// # Errors
    /// When GitLab does not tell.
    pub fn merge_request(&self, number: u64) -> Result<Answer, ForgeError> {
        let request = self.request(number)?;
        let head = self.head(&request)?;
        let file = ReviewFile {
            schema: Some(SCHEMA.to_owned()),
            pull_request: Some(PullRequest {
                number: Some(request.iid),
                author: self.account(&request.author)?,
                labels: request.labels,
            }),
            reviews: self.approvals(number)?,
            commits: Some(self.commits(number)?),
            head: Some(head),
            ..ReviewFile::default()
        };
        Ok(Answer { file, branch: request.target_branch })
    }

    /// The merge requests of a merge train, up to one: what its pipeline builds contains those before it. `head` is the commit that
    /// the train made.
    ///
    /// # Errors
    /// When GitLab does not tell, or the merge request is not on the train.
    pub fn merge_train(&self, number: u64, head: &str) -> Result<Answer, ForgeError> {
        let request = self.request(number)?;
        let path = format!(
            "/projects/{}/merge_trains/{}?scope=active&sort=asc",
            self.project,
            segment(&request.target_branch)
        );
        let cars: Vec<Car> = self.client.list(&path, None)?;
        let numbers: Vec<u64> = cars.into_iter().map(|car| car.merge_request.iid).collect();
        let Some(last) = numbers.iter().position(|car| *car == number).filter(|last| *last < MOST_IN_TRAIN) else {
            let why = format!("merge request {number} is not on it");
            return Err(ForgeError::Group(head.to_owned(), why));
        };
        let requests = numbers[..=last].iter().map(|number| self.grouped(*number));
        let file = ReviewFile {
            schema: Some(SCHEMA.to_owned()),
            head: Some(head.to_owned()),
            pull_requests: requests.collect::<Result<_, _>>()?,
            ..ReviewFile::default()
        };
        Ok(Answer { file, branch: request.target_branch })
    }

    fn grouped(&self, number: u64) -> Result<GroupedRequest, ForgeError> {
        let request = self.request(number)?;
        let path = format!("/projects/{}/merge_requests/{number}/diffs?", self.project);
        let diffs: Vec<Diff> = self.client.list(&path, None)?;
        Ok(GroupedRequest {
            number,
            head: self.head(&request)?,
            author: Some(self.account(&request.author)?),
            labels: request.labels,
            reviews: Some(self.approvals(number)?),
            commits: Some(self.commits(number)?),
            files: Some(diffs.into_iter().flat_map(|diff| [diff.new_path, diff.old_path]).collect()),
        })
    }

    fn request(&self, number: u64) -> Result<MergeRequest, ForgeError> {
        self.client.get(&format!("/projects/{}/merge_requests/{number}", self.project))
    }

    fn head(&self, request: &MergeRequest) -> Result<String, ForgeError> {
        request.sha.clone().ok_or_else(|| ForgeError::Unexpected {
            url: format!("/projects/{}/merge_requests/{}", self.project, request.iid),
            why: "the merge request has no commit".to_owned(),
        })
    }

    /// Approvals carry no commit: each is of what was the head when it was given.
    fn approvals(&self, number: u64) -> Result<Vec<Said>, ForgeError> {
        let request = format!("/projects/{}/merge_requests/{number}", self.project);
        let approvals: Approvals = self.client.get(&format!("{request}/approvals"))?;
        if approvals.approved_by.is_empty() {
            return Ok(Vec::new());
        }
        let mut versions: Vec<Version> = self.client.list(&format!("{request}/versions?"), None)?;
        versions.sort_by_key(|version| version.created_at.0);
        let mut notes: Option<Vec<Note>> = None;
        let mut said = Vec::new();
        for Approval { user, approved_at } in approvals.approved_by {
            let time = if let Some(time) = approved_at {
                Some(time.0)
            } else {
                // Older versions of GitLab only note it.
                let notes = match &mut notes {
                    Some(notes) => notes,
                    None => notes.insert(self.client.list(&format!("{request}/notes?sort=asc"), None)?),
                };
                let is_approval = |note: &&Note| {
                    note.system && note.author.id == user.id && note.body.starts_with("approved this merge request")
                };
                notes.iter().filter(is_approval).map(|note| note.created_at.0).max()
            };
            let before = |version: &&Version| time.is_some_and(|time| version.created_at.0 <= time);
            let commit = versions.iter().rfind(before).map(|version| version.head_commit_sha.clone());
            let submitted_at = time.unwrap_or_default();
            said.push(Said { user: self.account(&user)?, state: "APPROVED".to_owned(), commit, submitted_at });
        }
        Ok(said)
    }

    /// Only a user's own page says whether it is a bot: a service account, or the user of a project's or a group's token.
    fn account(&self, user: &User) -> Result<Account, ForgeError> {
        let details: UserDetails = self.client.get(&format!("/users/{}", user.id))?;
        let kind = if details.bot { "Bot" } else { "User" };
        let User { username, name, .. } = user.clone();
        Ok(Account { login: username, kind: kind.to_owned(), name, email: String::new() })
    }

    fn commits(&self, number: u64) -> Result<Vec<ForgeCommit>, ForgeError> {
        let path = format!("/projects/{}/merge_requests/{number}/commits?", self.project);
        let all: Vec<Commit> = self.client.list(&path, None)?;
        let person = |name: String, email: String| Account { name, email, ..Account::default() };
        let commits = all.into_iter().map(|commit| ForgeCommit {
            sha: commit.id,
            author: Some(person(commit.author_name, commit.author_email)),
            committer: Some(person(commit.committer_name, commit.committer_email)),
            co_authors: co_authors(&commit.message).into_iter().map(|(name, email)| person(name, email)).collect(),
        });
        Ok(commits.collect())
    }

    /// When the last merge requests of a branch landed.
    ///
    /// # Errors
    /// When GitLab does not tell.
    pub fn landings(&self, branch: &str) -> Result<Vec<Landing>, ForgeError> {
        let path = format!(
            "/projects/{}/merge_requests?state=merged&target_branch={}&order_by=updated_at&sort=desc",
            self.project,
            segment(branch)
        );
        let merged: Vec<Landed> = self.client.list(&path, Some(LANDING_PAGES))?;
        let landed = merged.into_iter().filter_map(|request| {
            // Without a merge commit it landed by a fast-forward.
            let commit = request.merge_commit_sha.or(request.squash_commit_sha).or(request.sha)?;
            Some(Landing { commit, merged_at: request.merged_at?.0 })
        });
        Ok(landed.collect())
    }

    /// The members of the groups and roles among `owners` (`@group/subgroup`, `@@maintainers`). Only direct members who may write
    /// own code (<https://docs.gitlab.com/user/project/codeowners/advanced/>). What the token may not read is left out.
    ///
    /// # Errors
    /// When GitLab does not tell.
    pub fn groups(&self, owners: &[String]) -> Result<BTreeMap<String, Vec<String>>, ForgeError> {
        let mut groups = BTreeMap::new();
        for owner in owners.iter().filter(|owner| owner.starts_with('@')) {
            let role = owner.strip_prefix("@@").map(|role| match role.trim_end_matches('s') {
                "developer" => Some(DEVELOPER),
                "maintainer" => Some(40),
                "owner" => Some(50),
                _ => None,
            });
            let (path, level) = match role {
                Some(None) => continue,
                Some(level) => (format!("/projects/{}/members?", self.project), level),
                // A person has no members.
                None => (format!("/groups/{}/members?", segment(&owner[1..])), None),
            };
            let Some(members) = self.client.find_list::<Member>(&path)? else { continue };
            let is_meant = |member: &Member| {
                let has_level = level.map_or(member.access_level >= DEVELOPER, |level| member.access_level == level);
                has_level && matches!(member.state.as_str(), "active" | "")
            };
            let logins = members.into_iter().filter(is_meant).map(|member| member.username);
            let name = if role.is_some() { owner } else { &owner[1..] };
            groups.insert(name.to_owned(), logins.collect());
        }
        Ok(groups)
    }
}
