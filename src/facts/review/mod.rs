//! Approvals, from the file that `--review` names. Only those of this very head count, from somebody who had no hand in the
//! change; a person's latest word counts. In a merge group each pull request stands for itself: what it changes needs approvals of
//! its own head.

use std::collections::BTreeMap;

use super::is_one_of;
use crate::sources::RepoPath;

pub use file::{Account, ForgeCommit, GroupedRequest, Landing, PullRequest, ReviewFile, SCHEMA, Said};

mod file;

/// The review file cannot be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("the review file `{path}` cannot be used: {why}")]
#[diagnostic(help(
    "`tollgate review github` and `tollgate review gitlab` write such a file for the head that CI runs on; run it again for this head"
))]
pub struct ReviewError {
    /// The file.
    pub path: String,
    /// What is wrong.
    pub why: String,
}

/// Who has approved.
#[derive(Clone, Debug)]
pub struct Review {
    requests: Vec<ReviewedRequest>,
    teams: BTreeMap<String, Vec<String>>,
}

/// A pull request, and who has approved its head.
#[derive(Clone, Debug, Default)]
pub struct ReviewedRequest {
    /// Its number, where the file tells.
    pub number: Option<u64>,
    /// Who opened it.
    pub author: Account,
    /// The files that it changes; `None` where that is all of the change, or unknown.
    pub files: Option<Vec<RepoPath>>,
    /// Logins of those whose approval counts, sorted.
    pub approved: Vec<String>,
    /// Logins of those who approved an older commit only, sorted.
    pub outdated: Vec<String>,
    /// Logins of those who approved what they had a hand in, sorted.
    pub contributing: Vec<String>,
}

impl ReviewedRequest {
    /// Of those who approved, who counts. `head` is the commit that they must have approved.
    fn count(&mut self, reviews: &[Said], head: &str, contributors: &[(String, String)]) {
        let mut reviews: Vec<&Said> = reviews.iter().collect();
        reviews.sort_by_key(|said| said.submitted_at);
        let mut latest: BTreeMap<String, &Said> = BTreeMap::new();
        for said in reviews {
            // Comments do not take an approval back; a request for changes and a dismissal do.
            if !matches!(said.state.to_ascii_uppercase().as_str(), "COMMENTED" | "PENDING") {
                latest.insert(said.user.login.to_ascii_lowercase(), said);
            }
        }
        for said in latest.values().filter(|said| said.state.eq_ignore_ascii_case("APPROVED")) {
            let Said { user, commit, .. } = said;
            if user.login.is_empty() || self.author.login.eq_ignore_ascii_case(&user.login) || user.is_bot() {
                continue;
            }
            let wrote = |(name, _): &(String, String)| !user.name.is_empty() && name.eq_ignore_ascii_case(&user.name);
            let list = if is_one_of(&user.login, contributors) || contributors.iter().any(wrote) {
                &mut self.contributing
            } else if commit.as_deref() == Some(head) {
                &mut self.approved
            } else {
                &mut self.outdated
            };
            list.push(user.login.clone());
        }
    }
}

impl Review {
    /// Counts what a file says for the head commit `head`.
    ///
    /// `contributors` had a hand in the change, by name and mail address, and `is_same` says whether another commit than `head`
    /// stands for the same content.
    ///
    /// # Errors
    /// When it speaks of another head, or the change has none.
    pub fn new(
        path: &str,
        file: ReviewFile,
        head: Option<&str>,
        contributors: &[(String, String)],
        is_same: impl Fn(&str) -> bool,
    ) -> Result<Self, ReviewError> {
        let wrong = |why: String| ReviewError { path: path.to_owned(), why };
        let Some(head) = head else {
            return Err(wrong("approvals belong to a commit, but this change is not committed".to_owned()));
        };
        let about = file.head.as_deref().unwrap_or(head);
        if about != head && !is_same(about) {
            return Err(wrong(format!("it is about commit {about}, but commit {head} is being judged")));
        }
        let mut requests = Vec::new();
        if let Some(request) = file.pull_request.as_ref().filter(|_| file.pull_requests.is_empty()) {
            let mut one = ReviewedRequest {
                number: request.number,
                author: request.author.clone(),
                ..ReviewedRequest::default()
            };
            one.count(&file.reviews, about, contributors);
            requests.push(one);
        }
        for request in file.pull_requests {
            let author = request.author.or_else(|| file.pull_request.as_ref().map(|one| one.author.clone()));
            let author = author.ok_or_else(|| wrong(format!("pull request {} has no author", request.number)))?;
            let files = request.files.map(|files| files.iter().filter_map(|path| RepoPath::new(path)).collect());
            let mut one = ReviewedRequest { number: Some(request.number), author, files, ..ReviewedRequest::default() };
            // Whoever wrote one pull request of a group may approve the others.
            let of_its_commits: Option<Vec<(String, String)>> = request
                .commits
                .as_ref()
                .map(|commits| commits.iter().flat_map(ForgeCommit::people).flat_map(Account::names).collect());
            let contributors = of_its_commits.as_deref().unwrap_or(contributors);
            one.count(request.reviews.as_deref().unwrap_or(&file.reviews), &request.head, contributors);
            requests.push(one);
        }
        Ok(Self { requests, teams: file.teams })
    }

    /// The pull requests that the change consists of.
    #[must_use]
    pub fn requests(&self) -> &[ReviewedRequest] {
        &self.requests
    }

    /// The pull requests that touch something that `touches` accepts: all of them where none is known to, since something did.
    #[must_use]
    pub fn requests_that(&self, touches: impl Fn(&[RepoPath]) -> bool) -> Vec<&ReviewedRequest> {
        let is_meant = |request: &&ReviewedRequest| request.files.as_ref().is_none_or(|files| touches(files));
        let found: Vec<&ReviewedRequest> = self.requests.iter().filter(is_meant).collect();
        if found.is_empty() { self.requests.iter().collect() } else { found }
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
        let is_meant = |known: &str| {
            // A group may be called as a role is.
            let short = if owner.starts_with("@@") { owner } else { owner.trim_start_matches('@') };
            known.eq_ignore_ascii_case(owner) || known.eq_ignore_ascii_case(short)
        };
        self.teams.iter().find(|(known, _)| is_meant(known)).map(|(_, members)| members)
    }
}

/// Whether an owner is certainly not one person: a team (`@org/team`), or GitLab's role (`@@maintainers`).
fn is_group(owner: &str) -> bool {
    owner.starts_with("@@") || owner.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, head: Option<&str>) -> Result<Review, ReviewError> {
        Review::new("review.json", ReviewFile::read("review.json", text)?, head, &[], |_| false)
    }

    fn review(reviews: &str) -> Review {
        let text = format!(
            r#"{{"pullRequest": {{"number": 7, "author": {{"login": "Ana", "type": "User"}}}}, "head": "h",
                "reviews": [{reviews}], "teams": {{"org/oncall": ["ben", "cem"]}}}}"#
        );
        read(&text, Some("h")).unwrap()
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
        let ReviewedRequest { approved, outdated, .. } = &review.requests()[0];
        assert_eq!((approved, outdated), (&vec!["ben".to_owned()], &vec!["dan".to_owned()]));
        assert_eq!(review.members(&["@org/oncall".to_owned()], approved), ["ben"]);
        assert!(review.members(&["@org/other".to_owned(), "x@y.z".to_owned()], approved).is_empty());
        assert_eq!(review.unknown_teams(&["@org/other".to_owned(), "@ben".to_owned()]), ["@org/other"]);
        assert_eq!(review.unknown_teams(&["@@maintainers".to_owned()]), ["@@maintainers"]);
        assert!(review.members(&["@@ben".to_owned()], approved).is_empty());
    }

    #[test]
    fn a_file_for_another_head_is_refused() {
        let text = r#"{"pullRequest": {"author": {"login": "a"}}, "head": "other", "reviews": []}"#;
        assert!(read(text, Some("h")).is_err());
        assert!(read(&text.replace("other", "h"), Some("h")).is_ok());
        assert!(read(r#"{"pullRequest": {}, "reviews": []}"#, Some("h")).is_err());
        assert!(read(r#"{"reviews": []}"#, Some("h")).is_err());
        assert!(read(&text.replace("{\"pull", "{\"schema\": \"tollgate.review/2\", \"pull"), Some("other")).is_err());
        assert!(read(text, None).is_err());
    }

    #[test]
    fn each_pull_request_of_a_group_stands_for_itself() {
        let commit = r#"{"sha": "1", "author": {"login": "LOGIN", "name": "N"}}"#;
        let request = |number: u64, author: &str, reviews: &[String], file: &str| {
            let commit = commit.replace("LOGIN", author);
            format!(
                r#"{{"number": {number}, "author": {{"login": "{author}"}}, "head": "h{number}", "reviews": [{}],
                    "commits": [{commit}], "files": ["{file}"]}}"#,
                reviews.join(",")
            )
        };
        let requests = [
            request(1, "ana", &[said("ben", "APPROVED", "h1", 1)], "a/x"),
            request(2, "ben", &[said("ana", "APPROVED", "h2", 1), said("cem", "APPROVED", "h1", 1)], "b/x"),
        ];
        let text = format!(r#"{{"head": "group", "pullRequests": [{}]}}"#, requests.join(","));
        let review = read(&text, Some("group")).unwrap();
        assert_eq!(review.requests()[0].approved, ["ben"]);
        assert_eq!(review.requests()[1].approved, ["ana"]);
        assert_eq!(review.requests()[1].outdated, ["cem"]);
        let touching = |wanted: &str| {
            let found = review.requests_that(|files| files.iter().any(|path| path.as_str() == wanted));
            found.iter().filter_map(|request| request.number).collect::<Vec<_>>()
        };
        assert_eq!((touching("a/x"), touching("b/x"), touching("c")), (vec![1], vec![2], vec![1, 2]));
    }
}
