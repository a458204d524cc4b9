//! The file that `--review` names: what the forge knows of a change. `tollgate review` writes it, `tollgate check` reads it.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ReviewError;

/// What the forge knows of a change: of one pull request, or of those that a merge group contains.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReviewFile {
    /// `tollgate.review/1`.
    pub schema: Option<String>,
    /// The pull request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<PullRequest>,
    /// The commit that is reviewed; of a merge group, the commit that the queue made.
    pub head: Option<String>,
    /// What people said of the pull request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<Said>,
    /// Its commits; `null` where the forge did not tell all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<Vec<ForgeCommit>>,
    /// The pull requests of a merge group, the one that lands first coming first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pull_requests: Vec<GroupedRequest>,
    /// Logins by team (`org/team`), GitLab's group or role (`@@maintainers`), or mail address.
    pub teams: BTreeMap<String, Vec<String>>,
    /// When commits of the base branch landed.
    pub landings: Vec<Landing>,
}

/// A pull request.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct PullRequest {
    /// Its number.
    #[serde(default)]
    pub number: Option<u64>,
    /// Who opened it.
    pub author: Account,
    /// Its labels.
    #[serde(default)]
    pub labels: Vec<String>,
}

/// A pull request of a merge group.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct GroupedRequest {
    /// Its number.
    pub number: u64,
    /// Who opened it; that of the file's `pullRequest` where absent.
    #[serde(default)]
    pub author: Option<Account>,
    /// Its labels.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Its own head, which its reviews are about.
    pub head: String,
    /// What people said of it; the file's `reviews` where absent.
    #[serde(default)]
    pub reviews: Option<Vec<Said>>,
    /// Its commits; `null` where the forge did not tell all of them.
    #[serde(default)]
    pub commits: Option<Vec<ForgeCommit>>,
    /// The files that it changes, by both names where it renames one; `null` where the forge did not tell all of them.
    #[serde(default)]
    pub files: Option<Vec<String>>,
}

/// Somebody on the forge.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default)]
pub struct Account {
    /// The login, without `@`; empty where the forge does not know who it is.
    #[serde(deserialize_with = "text_or_null")]
    pub login: String,
    /// `User` or `Bot`, as GitHub has it.
    #[serde(rename = "type", deserialize_with = "text_or_null")]
    pub kind: String,
    /// The name, as commits have it.
    #[serde(deserialize_with = "text_or_null", skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The mail address.
    #[serde(deserialize_with = "text_or_null", skip_serializing_if = "String::is_empty")]
    pub email: String,
}

/// What somebody said of a pull request.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// Who.
    pub user: Account,
    /// `APPROVED`, `CHANGES_REQUESTED`, `COMMENTED`, `DISMISSED` or `PENDING`, in any case.
    pub state: String,
    /// The commit that it was said of.
    #[serde(default)]
    pub commit: Option<String>,
    /// When.
    #[serde(with = "rfc3339")]
    pub submitted_at: DateTime<Utc>,
}

/// A commit, and who had a hand in it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ForgeCommit {
    /// Its id.
    pub sha: String,
    /// Who wrote it.
    #[serde(default)]
    pub author: Option<Account>,
    /// Who committed it.
    #[serde(default)]
    pub committer: Option<Account>,
    /// Whom its message names with `Co-authored-by`.
    #[serde(default)]
    pub co_authors: Vec<Account>,
}

/// When a commit of the base branch landed, by the forge's clock.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Landing {
    /// The commit on the base branch.
    pub commit: String,
    /// When.
    #[serde(with = "rfc3339")]
    pub merged_at: DateTime<Utc>,
}

impl ReviewFile {
    /// Reads the file's text.
    ///
    /// # Errors
    /// When it is not of the documented form.
    pub fn read(path: &str, text: &str) -> Result<Self, ReviewError> {
        let wrong = |why: String| ReviewError { path: path.to_owned(), why };
        let file: Self = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        match &file.schema {
            Some(schema) if schema != SCHEMA => Err(wrong(format!("its schema is `{schema}`, not `{SCHEMA}`"))),
            _ if file.pull_request.is_none() && file.pull_requests.iter().all(|one| one.author.is_none()) => {
                Err(wrong("it names no pull request, or none with an author".to_owned()))
            }
            _ => Ok(file),
        }
    }

    /// Everybody who had a hand in a commit, as far as the forge tells.
    #[must_use]
    pub fn people_of(&self, commit: &str) -> Vec<&Account> {
        let of_group = self.pull_requests.iter().filter_map(|request| request.commits.as_ref());
        let commits = self.commits.iter().chain(of_group).flatten();
        commits.filter(|known| known.sha == commit).flat_map(ForgeCommit::people).collect()
    }
}

/// The version of the form.
pub const SCHEMA: &str = "tollgate.review/1";

impl ForgeCommit {
    /// Everybody who had a hand in it.
    pub fn people(&self) -> impl Iterator<Item = &Account> {
        self.author.iter().chain(&self.committer).chain(&self.co_authors)
    }
}

impl Account {
    /// The login, name and mail address, as pairs of a name and an address.
    pub(in crate::facts) fn names(&self) -> Vec<(String, String)> {
        let names = [&self.login, &self.name].into_iter().filter(|name| !name.is_empty());
        names.map(|name| (name.clone(), self.email.clone())).collect()
    }

    /// Whether this is a bot: GitHub says so by type, and marks the logins of apps.
    #[must_use]
    pub fn is_bot(&self) -> bool {
        self.kind.eq_ignore_ascii_case("bot") || self.login.ends_with("[bot]")
    }
}

fn text_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

mod rfc3339 {
    use super::{DateTime, Deserialize as _, Deserializer, SecondsFormat, Serializer, Utc};

    pub(super) fn serialize<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = DateTime::parse_from_rfc3339(&text).map_err(serde::de::Error::custom)?;
        Ok(time.with_timezone(&Utc))
    }
}
