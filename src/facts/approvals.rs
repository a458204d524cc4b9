//! Approvals, from the file that `--review` names. Only those of this very head count, from someone other than the
//! author; a person's latest word counts.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Deserializer};

use super::is_one_of;

/// Somebody on the forge.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Reviewer {
    /// The login, without `@`.
    pub login: String,
    /// `User` or `Bot`, as GitHub has it.
    #[serde(default, rename = "type")]
    pub kind: String,
}

#[derive(Clone, Debug, Deserialize)]
struct PullRequest {
    author: Reviewer,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    user: Reviewer,
    state: String,
    #[serde(default)]
    commit: Option<String>,
    #[serde(deserialize_with = "rfc3339")]
    submitted_at: DateTime<FixedOffset>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReviewFile {
    pull_request: PullRequest,
    #[serde(default)]
    head: Option<String>,
    #[serde(default)]
    reviews: Vec<Said>,
    #[serde(default)]
    teams: BTreeMap<String, Vec<String>>,
}

fn rfc3339<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<FixedOffset>, D::Error> {
    let text = String::deserialize(deserializer)?;
    DateTime::parse_from_rfc3339(&text).map_err(serde::de::Error::custom)
}

impl Reviewer {
    /// Whether this is a bot: GitHub says so by type, and marks the logins of apps.
    #[must_use]
    pub fn is_bot(&self) -> bool {
        self.kind.eq_ignore_ascii_case("bot") || self.login.ends_with("[bot]")
    }
}

/// The review file cannot be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("the review file `{path}` cannot be used: {why}")]
#[diagnostic(help(
    "it is JSON: {{\"pullRequest\": {{\"author\": {{\"login\", \"type\"}}}}, \"head\": \"<sha>\", \"reviews\": \
     [{{\"user\", \"state\", \"commit\", \"submittedAt\"}}], \"teams\": {{\"org/team\": [\"login\"]}}}}"
))]
pub struct ReviewError {
    /// The file.
    pub path: String,
    /// What is wrong.
    pub why: String,
}

/// Who has approved the head.
#[derive(Clone, Debug)]
pub struct Review {
    /// The author of the pull request.
    pub author: Reviewer,
    /// Logins of those whose approval counts, sorted.
    pub approved: Vec<String>,
    /// Logins of those who approved an older commit only, sorted.
    pub outdated: Vec<String>,
    /// Logins of those who approved what they had a hand in, sorted.
    pub contributing: Vec<String>,
    teams: BTreeMap<String, Vec<String>>,
}

impl Review {
    /// Reads the file's text for the head commit `head`.
    ///
    /// # Errors
    /// When it is not of the documented form, or speaks of another head.
    ///
    /// `contributors` do not count, and `is_same` says whether another commit than `head` stands for the same content.
    pub fn read(
        path: &str,
        text: &str,
        head: Option<&str>,
        contributors: &[(String, String)],
        is_same: impl Fn(&str) -> bool,
    ) -> Result<Self, ReviewError> {
        let wrong = |why: String| ReviewError { path: path.to_owned(), why };
        let document: ReviewFile = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let Some(head) = head else {
            return Err(wrong("approvals belong to a commit, but this change is not committed".to_owned()));
        };
        let about = document.head.as_deref().unwrap_or(head);
        if about != head && !is_same(about) {
            return Err(wrong(format!("it is about commit {about}, but commit {head} is being judged")));
        }
        let author = document.pull_request.author;
        let mut latest: BTreeMap<String, &Said> = BTreeMap::new();
        let mut reviews: Vec<&Said> = document.reviews.iter().collect();
        reviews.sort_by_key(|said| said.submitted_at);
        for said in reviews {
            // Comments do not take an approval back; a request for changes and a dismissal do.
            if !matches!(said.state.to_ascii_uppercase().as_str(), "COMMENTED" | "PENDING") {
                latest.insert(said.user.login.to_ascii_lowercase(), said);
            }
        }
        let mut review = Self {
            author,
            approved: Vec::new(),
            outdated: Vec::new(),
            contributing: Vec::new(),
            teams: document.teams,
        };
        for said in latest.values().filter(|said| said.state.eq_ignore_ascii_case("APPROVED")) {
            let login = &said.user.login;
            if review.author.login.eq_ignore_ascii_case(login) || said.user.is_bot() {
                continue;
            }
            if is_one_of(login, contributors) {
                review.contributing.push(login.clone());
                continue;
            }
            let list = if said.commit.as_deref() == Some(about) { &mut review.approved } else { &mut review.outdated };
            list.push(login.clone());
        }
        Ok(review)
    }

    /// Those of `people` who are meant by any of `owners`.
    #[must_use]
    pub fn members(&self, owners: &[String], people: &[String]) -> Vec<String> {
        let is_owner = |login: &&String| {
            owners.iter().filter(|owner| owner.starts_with('@')).any(|owner| {
                let is_user = !is_group(owner) && owner[1..].eq_ignore_ascii_case(login);
                // GitLab's groups may have one name, as a person has.
                let members = self.team(owner).into_iter().flatten();
                is_user || members.clone().any(|member| member.eq_ignore_ascii_case(login))
            })
        };
        people.iter().filter(is_owner).cloned().collect()
    }

    /// Owners that the file cannot speak for: teams whose members it does not tell, and mail addresses.
    #[must_use]
    pub fn unknown_teams(&self, owners: &[String]) -> Vec<String> {
        let is_unknown = |owner: &&String| !owner.starts_with('@') || is_group(owner) && self.team(owner).is_none();
        owners.iter().filter(is_unknown).cloned().collect()
    }

    /// The members of a team, a group or a role.
    fn team(&self, owner: &str) -> Option<&Vec<String>> {
        let name = owner.trim_start_matches('@');
        let found = self.teams.iter().find(|(known, _)| known.trim_start_matches('@').eq_ignore_ascii_case(name));
        found.map(|(_, members)| members)
    }
}

/// Whether an owner is certainly not one person: a team (`@org/team`), or GitLab's role (`@@maintainers`).
fn is_group(owner: &str) -> bool {
    owner.starts_with("@@") || owner.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(reviews: &str) -> Review {
        let text = format!(
            r#"{{"pullRequest": {{"number": 7, "author": {{"login": "Ana", "type": "User"}}}}, "head": "h",
                "reviews": [{reviews}], "teams": {{"org/oncall": ["ben", "cem"]}}}}"#
        );
        Review::read("review.json", &text, Some("h"), &[], |_| false).unwrap()
    }

    fn said(login: &str, state: &str, commit: &str, at: u8) -> String {
        format!(
            r#"{{"user": {{"login": "{login}", "type": "User"}}, "state": "{state}", "commit": "{commit}", "submittedAt": "2026-01-0{at}T00:00:00Z"}}"#
        )
    }

    #[test]
    fn only_the_latest_word_on_this_head_counts() {
        let rows = [
            said("ben", "approved", "h", 1),
            said("ben", "COMMENTED", "h", 2),
            said("cem", "APPROVED", "h", 1),
            said("cem", "CHANGES_REQUESTED", "h", 2),
            said("ana", "APPROVED", "h", 1),
            said("dan", "APPROVED", "old", 1),
        ];
        let review = review(&rows.join(","));
        assert_eq!(review.approved, ["ben"]);
        assert_eq!(review.outdated, ["dan"]);
        assert_eq!(review.members(&["@org/oncall".to_owned()], &review.approved), ["ben"]);
        assert!(review.members(&["@org/other".to_owned(), "x@y.z".to_owned()], &review.approved).is_empty());
        assert_eq!(review.unknown_teams(&["@org/other".to_owned(), "@ben".to_owned()]), ["@org/other"]);
        assert_eq!(review.unknown_teams(&["@@maintainers".to_owned()]), ["@@maintainers"]);
        assert!(review.members(&["@@ben".to_owned()], &review.approved).is_empty());
    }

    #[test]
    fn a_file_for_another_head_is_refused() {
        let text = r#"{"pullRequest": {"author": {"login": "a"}}, "head": "other", "reviews": []}"#;
        assert!(Review::read("r", text, Some("h"), &[], |_| false).is_err());
        assert!(Review::read("r", &text.replace("other", "h"), Some("h"), &[], |_| false).is_ok());
        assert!(Review::read("r", r#"{"pullRequest": {}, "reviews": []}"#, Some("h"), &[], |_| false).is_err());
        assert!(Review::read("r", text, None, &[], |_| false).is_err());
    }
}
