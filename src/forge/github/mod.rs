//! GitHub and GitHub Enterprise Server: <https://docs.github.com/en/rest>.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

use super::client::{Api, segment};
use super::{Client, DateTimeText, ForgeError};
use crate::facts::review::{Account, ForgeCommit, GroupedRequest, Landing, PullRequest, ReviewFile, SCHEMA, Said};
use crate::sources::co_authors;

mod requests;

/// How GitHub is reached.
pub struct Access {
    /// The address of its API, such as `https://api.github.com`.
    pub address: String,
    /// The address of its GraphQL API, such as `https://api.github.com/graphql`.
    pub graphql: String,
    /// The token.
    pub token: String,
}

/// A repository on GitHub.
pub struct GitHub {
    client: Client,
    graphql: String,
    /// `owner/name`, as a path.
    project: String,
}

/// A merge group, as its event names it.
#[derive(Clone, Debug)]
pub struct MergeGroup {
    /// The commit that the queue made.
    pub head: String,
    /// Its branch: `refs/heads/gh-readonly-queue/BRANCH/pr-NUMBER-COMMIT`.
    pub reference: String,
    /// The commit that it is built on.
    pub base: String,
}

/// What was asked about, and the branch that it goes into.
pub struct Answer {
    /// What the forge knows, without the members of teams.
    pub file: ReviewFile,
    /// The name of the branch.
    pub branch: String,
}

/// How many pages of merged pull requests are read for when they landed.
const LANDING_PAGES: usize = 3;
/// How many commits of a pull request GitHub tells.
const MOST_COMMITS: usize = 250;
/// How many files of a pull request GitHub tells.
const MOST_FILES: usize = 3_000;
/// How many pull requests a merge group may have (GitHub builds at most a hundred at once).
const MOST_IN_GROUP: usize = 100;

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    login: String,
    #[serde(default, rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

#[derive(Deserialize)]
struct Side {
    sha: String,
    #[serde(rename = "ref")]
    branch: String,
}

#[derive(Deserialize)]
struct Pull {
    number: u64,
    user: Option<User>,
    #[serde(default)]
    labels: Vec<Label>,
    head: Side,
    base: Side,
}

#[derive(Deserialize)]
struct PullReview {
    user: Option<User>,
    state: String,
    commit_id: Option<String>,
    submitted_at: Option<DateTimeText>,
}

#[derive(Deserialize)]
struct Signature {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
}

#[derive(Deserialize)]
struct CommitDetails {
    author: Option<Signature>,
    committer: Option<Signature>,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct PullCommit {
    sha: String,
    commit: CommitDetails,
    author: Option<User>,
    committer: Option<User>,
}

#[derive(Deserialize)]
struct PullFile {
    filename: String,
    previous_filename: Option<String>,
}

#[derive(Deserialize)]
struct ClosedPull {
    merged_at: Option<DateTimeText>,
    merge_commit_sha: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "ref")]
    name: String,
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    sha: String,
}

/// A user of the answer of [`GitHub::name_co_authors`].
#[derive(Deserialize)]
struct GraphUser {
    login: String,
}

#[derive(Deserialize)]
struct GraphAuthor {
    email: Option<String>,
    user: Option<GraphUser>,
}

impl GitHub {
    /// The repository `project`, `owner/name`. `certificates` are the path and the text of a file of authorities.
    ///
    /// # Errors
    /// When the certificates cannot be read, or the name has another form.
    pub fn new(
        access: Access,
        project: &str,
        certificates: Option<(&str, &str)>,
        now: DateTime<Utc>,
    ) -> Result<Self, ForgeError> {
        let Some((owner, name)) = project.split_once('/').filter(|(_, name)| !name.contains('/')) else {
            return Err(ForgeError::Unnamed("repository is meant", "name it with `--project OWNER/NAME`"));
        };
        let api = Api {
            address: access.address.trim_end_matches('/').to_owned(),
            token: ("Authorization", format!("Bearer {}", access.token)),
            accept: "application/vnd.github+json",
            changes_by_patch: true,
        };
        let project = format!("{}/{}", segment(owner), segment(name));
        Ok(Self { client: Client::new(api, certificates, now)?, graphql: access.graphql, project })
    }

    /// A pull request: who opened it, what was said of it, who had a hand in it.
    ///
    /// # Errors
    /// When GitHub does not tell.
    pub fn pull_request(&self, number: u64) -> Result<Answer, ForgeError> {
        let pull = self.pull(number)?;
        let file = ReviewFile {
            schema: Some(SCHEMA.to_owned()),
            reviews: self.reviews(number)?,
            commits: self.commits(number)?,
            head: Some(pull.head.sha.clone()),
            pull_request: Some(PullRequest {
                number: Some(pull.number),
                author: account(pull.user.as_ref(), None),
                labels: pull.labels.into_iter().map(|label| label.name).collect(),
            }),
            ..ReviewFile::default()
        };
        Ok(Answer { file, branch: pull.base.branch })
    }

    /// The pull requests of a merge group. The queue's branches are a chain: each is named after a pull request, and after the
    /// commit that it is built on, which is the end of the one before it or the tip of the base branch.
    ///
    /// # Errors
    /// When GitHub does not tell, or the chain has a gap.
    pub fn merge_group(&self, group: &MergeGroup) -> Result<Answer, ForgeError> {
        let gap = |why: &str| ForgeError::Group(group.head.clone(), why.to_owned());
        let (branch, mut number, mut below) =
            link(&group.reference).ok_or_else(|| gap("its branch has an unexpected name"))?;
        let prefix = branch.split('/').map(segment).collect::<Vec<_>>().join("/");
        let path = format!("/repos/{}/git/matching-refs/heads/gh-readonly-queue/{prefix}/?", self.project);
        let references: Vec<Reference> = self.client.list(&path, None)?;
        let mut numbers = vec![number];
        while below != group.base {
            let before = references.iter().find(|reference| reference.object.sha == below);
            let (_, next, next_below) = before
                .and_then(|reference| link(&reference.name))
                .ok_or_else(|| gap(&format!("the queue has no branch that ends with {below}")))?;
            if numbers.len() == MOST_IN_GROUP {
                return Err(gap("it has too many"));
            }
            (number, below) = (next, next_below);
            numbers.push(number);
        }
        numbers.reverse();
        let requests = numbers.into_iter().map(|number| self.grouped(number));
        let file = ReviewFile {
            schema: Some(SCHEMA.to_owned()),
            head: Some(group.head.clone()),
            pull_requests: requests.collect::<Result<_, _>>()?,
            ..ReviewFile::default()
        };
        Ok(Answer { file, branch: branch.to_owned() })
    }

    fn grouped(&self, number: u64) -> Result<GroupedRequest, ForgeError> {
        let pull = self.pull(number)?;
        Ok(GroupedRequest {
            number,
            author: Some(account(pull.user.as_ref(), None)),
            labels: pull.labels.into_iter().map(|label| label.name).collect(),
            head: pull.head.sha,
            reviews: Some(self.reviews(number)?),
            commits: self.commits(number)?,
            files: self.files(number)?,
        })
    }

    fn pull(&self, number: u64) -> Result<Pull, ForgeError> {
        self.client.get(&format!("/repos/{}/pulls/{number}", self.project))
    }

    fn reviews(&self, number: u64) -> Result<Vec<Said>, ForgeError> {
        let all: Vec<PullReview> =
            self.client.list(&format!("/repos/{}/pulls/{number}/reviews?", self.project), None)?;
        // One that is not submitted has no time, and nobody has said it yet.
        let said = all.into_iter().filter_map(|review| {
            Some(Said {
                user: account(Some(&review.user?), None),
                state: review.state,
                commit: review.commit_id,
                submitted_at: review.submitted_at?.0,
            })
        });
        Ok(said.collect())
    }

    fn commits(&self, number: u64) -> Result<Option<Vec<ForgeCommit>>, ForgeError> {
        let all: Vec<PullCommit> =
            self.client.list(&format!("/repos/{}/pulls/{number}/commits?", self.project), None)?;
        if all.len() >= MOST_COMMITS {
            return Ok(None);
        }
        let mut commits: Vec<ForgeCommit> = all
            .into_iter()
            .map(|commit| ForgeCommit {
                author: Some(account(commit.author.as_ref(), commit.commit.author)),
                committer: Some(account(commit.committer.as_ref(), commit.commit.committer)),
                co_authors: co_authors(&commit.commit.message).into_iter().map(co_author).collect(),
                sha: commit.sha,
            })
            .collect();
        for commit in &mut commits {
            if commit.co_authors.iter().any(|person| person.login.is_empty()) {
                self.name_co_authors(commit)?;
            }
        }
        Ok(Some(commits))
    }

    /// Finds the logins of co-authors, which only GraphQL tells.
    fn name_co_authors(&self, commit: &mut ForgeCommit) -> Result<(), ForgeError> {
        const QUERY: &str = "query($owner: String!, $name: String!, $commit: GitObjectID!) { repository(owner: $owner, name: \
                             $name) { object(oid: $commit) { ... on Commit { authors(first: 100) { nodes { email user { login } \
                             } } } } } }";
        let (owner, name) = self.project.split_once('/').unwrap_or_default();
        let body = json!({"query": QUERY, "variables": {"owner": owner, "name": name, "commit": commit.sha}});
        let answer: serde_json::Value = self.client.query(&self.graphql, &body)?;
        let unexpected = |why: String| ForgeError::Unexpected { url: self.graphql.clone(), why };
        let nodes = answer.pointer("/data/repository/object/authors/nodes");
        let nodes = nodes.ok_or_else(|| unexpected(format!("it does not tell who wrote {}: {answer}", commit.sha)))?;
        let authors: Vec<Option<GraphAuthor>> =
            serde_json::from_value(nodes.clone()).map_err(|error| unexpected(error.to_string()))?;
        for person in &mut commit.co_authors {
            let is_same = |author: &&GraphAuthor| {
                author.email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case(&person.email))
            };
            let known = authors.iter().flatten().find(is_same).and_then(|author| author.user.as_ref());
            if let Some(user) = known {
                person.login.clone_from(&user.login);
            }
        }
        Ok(())
    }

    fn files(&self, number: u64) -> Result<Option<Vec<String>>, ForgeError> {
        let all: Vec<PullFile> = self.client.list(&format!("/repos/{}/pulls/{number}/files?", self.project), None)?;
        if all.len() >= MOST_FILES {
            return Ok(None);
        }
        Ok(Some(
            all.into_iter().flat_map(|file| std::iter::once(file.filename).chain(file.previous_filename)).collect(),
        ))
    }

    /// When the last pull requests of a branch landed.
    ///
    /// # Errors
    /// When GitHub does not tell.
    pub fn landings(&self, branch: &str) -> Result<Vec<Landing>, ForgeError> {
        let path =
            format!("/repos/{}/pulls?state=closed&base={}&sort=updated&direction=desc", self.project, segment(branch));
        let closed: Vec<ClosedPull> = self.client.list(&path, Some(LANDING_PAGES))?;
        let landed = closed
            .into_iter()
            .filter_map(|pull| Some(Landing { commit: pull.merge_commit_sha?, merged_at: pull.merged_at?.0 }));
        Ok(landed.collect())
    }

    /// The members of the teams among `owners` (`@org/team`), those of teams below them included; teams that the token may not
    /// read are left out.
    ///
    /// # Errors
    /// When GitHub does not tell.
    pub fn teams(&self, owners: &[String]) -> Result<BTreeMap<String, Vec<String>>, ForgeError> {
        let mut teams = BTreeMap::new();
        for owner in owners {
            let Some((organization, team)) = owner.trim_start_matches('@').split_once('/') else { continue };
            let path = format!("/orgs/{}/teams/{}/members?", segment(organization), segment(team));
            if let Some(members) = self.client.find_list::<User>(&path)? {
                let logins = members.into_iter().map(|member| member.login);
                teams.insert(format!("{organization}/{team}"), logins.collect());
            }
        }
        Ok(teams)
    }
}

/// Branch, number and commit of `refs/heads/gh-readonly-queue/BRANCH/pr-NUMBER-COMMIT`.
fn link(reference: &str) -> Option<(&str, u64, &str)> {
    let rest = reference.strip_prefix("refs/heads/")?.strip_prefix("gh-readonly-queue/")?;
    let (branch, last) = rest.rsplit_once('/')?;
    let (number, commit) = last.strip_prefix("pr-")?.split_once('-')?;
    Some((branch, number.parse().ok()?, commit))
}

fn account(user: Option<&User>, signature: Option<Signature>) -> Account {
    let (name, email) = signature.map(|signature| (signature.name, signature.email)).unwrap_or_default();
    let (login, kind) = user.map(|user| (user.login.clone(), user.kind.clone())).unwrap_or_default();
    Account { login, kind, name, email }
}

/// The login is known where the address is one that GitHub gives out: `123+login@users.noreply.github.com`.
fn co_author((name, email): (String, String)) -> Account {
    let own = email.strip_suffix("@users.noreply.github.com");
    let login = own.map(|own| own.split_once('+').map_or(own, |(_, login)| login)).unwrap_or_default().to_owned();
    Account { login, name, email, ..Account::default() }
}
