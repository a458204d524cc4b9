use crate::config::{self, ConfigError};
use crate::facts::review::ReviewError;
use crate::facts::scans::ScanError;
use crate::facts::{FactsError, HistoryError, ReportError};
use crate::kustomize::RenderError;
use crate::policy::PolicyError;
use crate::sources::{RepositoryError, TreeError};

use super::promote::PromoteError;

/// Why the gate cannot decide: exit code 2. Each kind knows what to do about it.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum GateError {
    /// The repository or a revision.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Repository(#[from] RepositoryError),
    /// A snapshot.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tree(#[from] TreeError),
    /// A snapshot, seen while rendering.
    #[error("{0}")]
    Unreadable(RenderError),
    /// History.
    #[error(transparent)]
    #[diagnostic(transparent)]
    History(#[from] HistoryError),
    /// A fact that rules need.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Facts(FactsError),
    /// A rule.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Policy(#[from] PolicyError),
    /// The review file.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Review(#[from] ReviewError),
    /// A scan report.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Scan(#[from] ScanError),
    /// A controller's report.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Report(#[from] ReportError),
    /// What cannot be promoted.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Promote(#[from] PromoteError),
    /// The configuration; every problem is reported.
    #[error("the configuration has {}", crate::words::count(.0.len(), "problem"))]
    Config(Vec<ConfigError>),
    /// A name under which the configuration is not read.
    #[error("`{0}` is not read")]
    #[diagnostic(help("rename it to `{}`", config::FILE_NAME))]
    MisnamedConfig(&'static str),
    /// Policies of the repository that cannot be read.
    #[error("the policies in `{folder}` cannot be used: {why}")]
    #[diagnostic(help(
        "correct them, turn the rule off in tollgate.yaml (`rules: {{RULE: {{severity: off}}}}`), or take the folder out of `policies`"
    ))]
    Policies {
        /// The folder.
        folder: String,
        /// What is wrong.
        why: String,
    },
    /// A policy of the repository that fails.
    #[error("a policy failed on `{overlay}`: {why}")]
    #[diagnostic(help("what it would have found is unknown, so the gate does not pass; correct the policy"))]
    PolicyFailed {
        /// The overlay.
        overlay: String,
        /// Which, and why.
        why: String,
    },
    /// A link or a folder where a file decides.
    #[error("`{0}` must be a regular file")]
    #[diagnostic(help("what judges a change is read from exactly this path; put the file there"))]
    NotRegular(String),
    /// A name on the command line that nothing has.
    #[error("there is no {noun} `{name}`")]
    #[diagnostic(help("expected one of: {}", .known.join(", ")))]
    UnknownName {
        /// What is named, such as `environment`.
        noun: &'static str,
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// Nothing fits the filters of the command line.
    #[error("no overlay matches {0}, so nothing was judged")]
    #[diagnostic(help("`tollgate status` lists the apps and environments"))]
    NoMatch(String),
    /// An app that history does not know.
    #[error("`{0}` does not occur in this history")]
    #[diagnostic(help("`tollgate history` without a name lists all apps"))]
    UnknownApp(String),
    /// A repository without CODEOWNERS.
    #[error("this repository has no CODEOWNERS, so that nobody owns anything")]
    #[diagnostic(help("write `.github/CODEOWNERS` (GitHub) or `CODEOWNERS` (GitLab), such as `/apps/ @org/team`"))]
    NoCodeowners,
    /// An app that runs nothing at the time that was asked about.
    #[error("`{0}` runs in no environment at this time")]
    #[diagnostic(help("`tollgate status` lists all apps, `tollgate history {0}` shows what was live before"))]
    NotLive(String),
    /// No folder fits the configured layout.
    #[error("no overlay was found, so nothing was judged")]
    #[diagnostic(help("no folder matches `layout` with an environment from tollgate.yaml; correct one of the two"))]
    NothingInLayout,
    /// A branch of which no environment is.
    #[error("no environment is on the branch that this change goes into, so nothing was judged")]
    #[diagnostic(help(
        "tollgate.yaml has environments on {}; name the one that is meant with `--base`, or give its environment this `branch`",
        crate::words::quoted(.0)
    ))]
    NoEnvironmentOfBranch(Vec<String>),
    /// A change of the configuration after which no overlay is found.
    #[error("with the tollgate.yaml of this change no overlay is found, so that nothing could be judged any more")]
    #[diagnostic(help("correct its `layout` and `environments`; `tollgate status --base HEAD` shows what they find"))]
    NothingAfterwards,
    /// No folder names an environment, and there is no layout.
    #[error("no overlay was found, so nothing was judged")]
    #[diagnostic(help(
        "there is no kustomization here, and no folder that holds only Kubernetes objects; say where overlays are with \
         `layout` in tollgate.yaml, such as `layout: apps/{{app}}/overlays/{{env}}`"
    ))]
    NoOverlay,
    /// A place that a rule named was not in its input.
    #[error("the rule `{rule}` returned `at: {handle}`, which is not a handle of its input")]
    #[diagnostic(help("this is a mistake in the rule: `at` must be copied from the input"))]
    Handle {
        /// The rule.
        rule: String,
        /// What it handed back.
        handle: usize,
    },
}

impl GateError {
    /// Whether something of the repository cannot be read, which in a partial clone is not there.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        let of_repository =
            |error: &RepositoryError| matches!(error, RepositoryError::Read(_) | RepositoryError::Tree(_));
        let of_history = |error: &HistoryError| match error {
            HistoryError::Repository(error) => of_repository(error),
            _ => true,
        };
        match self {
            Self::Repository(error) => of_repository(error),
            Self::Tree(_) | Self::Unreadable(_) | Self::Facts(FactsError::Tree(_) | FactsError::Unreadable(_)) => true,
            Self::History(error) | Self::Facts(FactsError::History(error)) => of_history(error),
            _ => false,
        }
    }
}

impl From<FactsError> for GateError {
    fn from(error: FactsError) -> Self {
        match error {
            FactsError::Unreadable(error) => Self::Unreadable(error),
            other => Self::Facts(other),
        }
    }
}

impl From<RenderError> for GateError {
    fn from(error: RenderError) -> Self {
        Self::Unreadable(error)
    }
}
