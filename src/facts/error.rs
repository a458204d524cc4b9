use super::look_back::HistoryError;
use crate::config::Controller;
use crate::kustomize::RenderError;
use crate::sources::{RepoPath, RepositoryError, TreeError};

/// Why a fact cannot be found out, so that the gate cannot decide.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum FactsError {
    /// History.
    #[error(transparent)]
    #[diagnostic(transparent)]
    History(#[from] HistoryError),
    /// A snapshot.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tree(#[from] TreeError),
    /// A snapshot, seen while rendering.
    #[error("{0}")]
    Unreadable(RenderError),
    /// An environment asks for evidence by a controller whose report was not given. Whoever runs the gate can give it.
    #[error("{environment} asks for evidence by {}, but there is none", .controller.name())]
    #[diagnostic(help("give it with `--{} FILE`; see `docs/promotions.md` for what prints it", .controller.option()))]
    NoReport {
        /// The environment.
        environment: String,
        /// The controller.
        controller: Controller,
    },
    /// Scans are asked for, and none were given.
    #[error("`evidence/unscanned` asks for scan reports, but there are none")]
    #[diagnostic(help("give the folder that they are in, outside of what was checked out: `--scans DIR`"))]
    NoScans,
    /// A key that cannot be read.
    #[error("`{0}` is not a public key (ECDSA P-256, PEM) on the base branch")]
    #[diagnostic(help("`key` of `evidence/unscanned` names a file of this repository, such as `cosign.pub`"))]
    NoKey(String),
    /// An environment in another repository, of which no clone was given.
    #[error("{environment} is in the repository `{name}`, of which no clone was given")]
    #[diagnostic(help("clone it, and name the folder: `--clone {name}=DIR`"))]
    NoClone {
        /// The environment.
        environment: String,
        /// The repository's name in the configuration.
        name: String,
    },
    /// An overlay without a single file of text: there is no line to point at.
    #[error("the overlay `{0}` contains no text file")]
    #[diagnostic(help("add its kustomization, or remove the folder"))]
    NoText(RepoPath),
    /// A change whose first-parent line does not come from the base branch.
    #[error("the first parents of this change lead to another beginning than the base branch has")]
    #[diagnostic(help(
        "rebase it onto the base branch: with a fast-forward, all history before it would be forgotten"
    ))]
    AnotherBeginning,
    /// A change whose commits cannot all be looked at.
    #[error("the change has {0} commits, too many to look at one by one")]
    #[diagnostic(help(
        "squash it; or write `landings: merges` in tollgate.yaml, if every change lands as a merge commit or is squashed \
         by the forge"
    ))]
    TooManyCommits(usize),
}

impl From<RepositoryError> for FactsError {
    fn from(error: RepositoryError) -> Self {
        Self::History(error.into())
    }
}

impl From<RenderError> for FactsError {
    fn from(error: RenderError) -> Self {
        Self::Unreadable(error)
    }
}
