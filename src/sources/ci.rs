//! The two sides of a change as CI systems name them.

use std::path::Path;

use super::{Commit, Repository, RepositoryError, read_argument_file};

/// The process's environment, as far as CI systems describe the change in it.
pub struct CiVariables<'a> {
    variables: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> CiVariables<'a> {
    /// Looks variables up with `variables`.
    pub fn new(variables: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { variables }
    }

    /// The variable, where it is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        (self.variables)(name).filter(|value| !value.is_empty())
    }

    /// The event that GitHub Actions wrote for this run; `None` outside of it.
    ///
    /// # Errors
    /// When the file is named but is not there or is not JSON.
    pub fn event(&self) -> Result<Option<serde_json::Value>, RepositoryError> {
        let Some(path) = self.get("GITHUB_EVENT_PATH") else { return Ok(None) };
        let text = read_argument_file(Path::new(&path));
        let parsed = text
            .map_err(|error| error.to_string())
            .and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
        parsed.map(Some).map_err(|why| RepositoryError::Event { path, why })
    }
}

/// What a CI says of a push.
struct Push {
    /// The branch's tip before it.
    before: Option<String>,
    head: String,
    branch: Option<String>,
    /// The name of the default branch.
    default: Option<String>,
}

impl Repository {
    /// Both sides, where a CI system says which they are.
    pub(super) fn named_by_environment(
        &self,
        variables: &CiVariables<'_>,
    ) -> Result<Option<(Commit, Commit)>, RepositoryError> {
        if variables.get("GITHUB_ACTIONS").as_deref() == Some("true") {
            return self.named_by_github(variables);
        }
        if variables.get("GITLAB_CI").as_deref() == Some("true") {
            return self.named_by_gitlab(variables);
        }
        Ok(None)
    }

    /// `pull_request` checks out the merge of the request into its base (first parent: the base's tip), unless the
    /// workflow names another ref; `merge_group` and `push` name both sides.
    fn named_by_github(&self, variables: &CiVariables<'_>) -> Result<Option<(Commit, Commit)>, RepositoryError> {
        let Some(event) = variables.event()? else { return Ok(None) };
        let text = |pointer: &str| event.pointer(pointer).and_then(serde_json::Value::as_str).map(str::to_owned);
        let pull_request = (text("/pull_request/base/sha"), text("/pull_request/head/sha"));
        if let (Some(base), Some(head)) = pull_request {
            if let Some(tip) =
                text("/pull_request/base/ref").map(|branch| self.branch_with(&branch, &base)).transpose()?
            {
                return Ok(Some((tip, self.commit(&head)?)));
            }
            if let Some(sides) = self.forge_merge(&base, &head)? {
                return Ok(Some(sides));
            }
            return Ok(Some((self.commit(&base)?, self.commit(&head)?)));
        }
        if let (Some(base), Some(head)) = (text("/merge_group/base_sha"), text("/merge_group/head_sha")) {
            return Ok(Some((self.commit(&base)?, self.commit(&head)?)));
        }
        let Some(head) = text("/after") else { return Ok(None) };
        let branch = text("/ref").and_then(|name| name.strip_prefix("refs/heads/").map(str::to_owned));
        let push = Push { before: text("/before"), head, branch, default: text("/repository/default_branch") };
        self.pushed(&push).map(Some)
    }

    /// The tip of a branch, as far as it was fetched, which must have a commit that the forge names: an event that is run again
    /// may be old, and what landed since counts.
    fn branch_with(&self, branch: &str, base: &str) -> Result<Commit, RepositoryError> {
        let tip = self.branch(branch)?;
        let known = self.commit(base)?;
        if self.contains(&tip, &known) { Ok(tip) } else { Err(RepositoryError::NotFetched(branch.to_owned())) }
    }

    /// Both sides of a push. What stood on the branch before is trusted on the default branch only: elsewhere it is the
    /// author's own, and the push is held against the default branch.
    fn pushed(&self, push: &Push) -> Result<(Commit, Commit), RepositoryError> {
        let Push { before, head, branch, default } = push;
        let before = before.as_ref().filter(|before| before.bytes().any(|byte| byte != b'0'));
        let head = self.commit(head)?;
        if let (Some(before), Some(_)) = (before, branch.as_ref().filter(|branch| Some(*branch) == default.as_ref())) {
            return Ok((self.commit(before)?, head));
        }
        let base = match default {
            Some(default) => self.branch(default)?,
            None => self.default_branch()?,
        };
        if base.id == head.id {
            return Err(RepositoryError::NoSides);
        }
        Ok((base, head))
    }

    /// Both sides of what is checked out, where that is the forge's own merge of this request: its second parent is
    /// the request's head, and its first has all that the base had.
    fn forge_merge(&self, base: &str, head: &str) -> Result<Option<(Commit, Commit)>, RepositoryError> {
        if self.commit("HEAD")?.parents != 2 {
            return Ok(None);
        }
        let (first, second) = (self.commit("HEAD^1")?, self.commit("HEAD^2")?);
        if second.id.to_string() != head {
            return Ok(None);
        }
        let Ok(base) = self.commit(base) else { return Ok(None) };
        Ok(self.contains(&first, &base).then_some((first, second)))
    }

    fn named_by_gitlab(&self, variables: &CiVariables<'_>) -> Result<Option<(Commit, Commit)>, RepositoryError> {
        let Some(head) = variables.get("CI_COMMIT_SHA") else { return Ok(None) };
        let head = self.commit(&head)?;
        if variables.get("CI_MERGE_REQUEST_EVENT_TYPE").as_deref() == Some("merged_result") && head.parents == 2 {
            let parent = |number: u8| self.commit(&format!("{}^{number}", head.id));
            return Ok(Some((parent(1)?, parent(2)?)));
        }
        if let Some(branch) = variables.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME") {
            // The merge base that GitLab names would hide what landed since; only the branch's tip will do.
            let base = self.commit(&format!("refs/remotes/origin/{branch}")).map_err(|error| match error {
                RepositoryError::Revision { .. } => RepositoryError::NotFetched(branch.clone()),
                other => other,
            })?;
            return Ok(Some((base, head)));
        }
        let push = Push {
            before: variables.get("CI_COMMIT_BEFORE_SHA"),
            head: head.id.to_string(),
            branch: variables.get("CI_COMMIT_BRANCH"),
            default: variables.get("CI_DEFAULT_BRANCH"),
        };
        self.pushed(&push).map(Some)
    }
}
