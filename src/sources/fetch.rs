//! Partial clones (`git clone --filter`): objects that are not here, and are fetched by `git` itself where somebody asks for that.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Commit, RepositoryError};

/// How many first parents of the base are looked at for missing objects, round by round; then all of them.
const ROUNDS: [usize; 4] = [1, 64, 512, 4096];

/// A clone that leaves objects with a remote.
pub struct PartialClone<'a> {
    /// Where the repository is.
    pub root: &'a Path,
    /// The remote that has the objects.
    pub remote: &'a str,
}

impl PartialClone<'_> {
    /// Fetches what is missing of a change and of so much of the base's history as the round asks for; says how many objects that
    /// were. `None` where all of it was looked at before.
    ///
    /// # Errors
    /// When `git` is not there or fails.
    pub fn fetch(&self, base: &Commit, head: &Commit, round: usize) -> Result<Option<usize>, RepositoryError> {
        if round > ROUNDS.len() {
            return Ok(None);
        }
        let depth = ROUNDS.get(round).map(|depth| format!("--max-count={depth}"));
        let mut missing = self.missing(depth.as_deref(), base)?;
        missing.extend(self.missing(Some("--max-count=50"), head)?);
        missing.sort();
        missing.dedup();
        if !missing.is_empty() {
            let options =
                ["-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head"];
            let rest = ["--recurse-submodules=no", "--no-filter", "--stdin", self.remote];
            self.git(&[&options[..], &rest[..]].concat(), &(missing.join("\n") + "\n"))?;
        }
        Ok(Some(missing.len()))
    }

    fn missing(&self, depth: Option<&str>, tip: &Commit) -> Result<Vec<String>, RepositoryError> {
        let tip = tip.id.to_string();
        let fixed = ["rev-list", "--objects", "--missing=print", "--first-parent"];
        let arguments: Vec<&str> = fixed.into_iter().chain(depth).chain([tip.as_str(), "--"]).collect();
        let listed = self.git(&arguments, "")?;
        Ok(listed.lines().filter_map(|line| line.strip_prefix('?')).map(str::to_owned).collect())
    }

    fn git(&self, arguments: &[&str], input: &str) -> Result<String, RepositoryError> {
        let failed = |why: String| RepositoryError::Fetch { remote: self.remote.to_owned(), why };
        let mut child = Command::new("git")
            .arg("-C")
            .arg(self.root)
            .args(arguments)
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(format!("git cannot be run: {error}")))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).map_err(|error| failed(error.to_string()))?;
        }
        let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
