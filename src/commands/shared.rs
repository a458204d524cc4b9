//! What commands share: opening the repository, reading what the command line names, and telling why a run stopped.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use miette::Diagnostic;

use super::Invocation;
use crate::cli::{ChangeArguments, ReportArguments};
use crate::config::{Controller, OwnersDialect};
use crate::facts::{Applied, read_applied};
use crate::finding::Label;
use crate::forge::ForgeError;
use crate::gate::GateError;
use crate::kustomize::{ParsedFiles, RenderError};
use crate::report::escape::{self, printable};
use crate::report::story::{Story, Teller};
use crate::sources::{
    CiVariables, Commit, Comparison, PartialClone, RepoPath, Repository, RepositoryError, Scope, read_argument_file,
};
use crate::words::quoted;

/// Why a command stopped before it had an answer.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(super) enum CommandError {
    /// The gate's own reason.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Gate(#[from] GateError),
    /// A file that the command line names.
    #[error("cannot read `{}`: {error}", .path.display())]
    #[diagnostic(help("{help}"))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
        /// What the file should be.
        help: &'static str,
    },
    /// A file that the command line names.
    #[error("cannot write `{}`: {error}", .path.display())]
    #[diagnostic(help("name a file in a folder that exists"))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// More environments than can be compared.
    #[error("{0} environments cannot be compared at once")]
    #[diagnostic(help("give `--env` twice: how the second differs from the first is shown"))]
    TooManyEnvironments(usize),
    /// The working tree is not what was judged.
    #[error("`{0}` differs here from the branch that the promotion is made for")]
    #[diagnostic(help(
        "check that branch out first (`git switch -c promote origin/main`), so that its tip is what changes"
    ))]
    DiffersHere(RepoPath),
    /// The forge.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Forge(#[from] ForgeError),
    /// Reports that make no verdict together.
    #[error("these reports make no verdict: {0}")]
    #[diagnostic(help("give the reports of all shards of one run"))]
    Shards(String),
    /// A promotion that was written in part.
    #[error("cannot write `{path}`: {error}")]
    #[diagnostic(help("{}", undo(.written)))]
    WritePromotion {
        /// The file.
        path: RepoPath,
        /// What the system said.
        error: io::Error,
        /// The files that were written before it.
        written: Vec<RepoPath>,
    },
}

fn undo(written: &[RepoPath]) -> String {
    if written.is_empty() {
        return "nothing was written; check that the file and its folder are writable".to_owned();
    }
    let names: Vec<&str> = written.iter().map(RepoPath::as_str).collect();
    let files = quoted(&names);
    format!("{files} changed already; `git checkout -- {}` takes that back", names.join(" "))
}

impl From<RepositoryError> for CommandError {
    fn from(error: RepositoryError) -> Self {
        Self::Gate(error.into())
    }
}

/// Tells why nothing can be said.
pub(super) fn explain_error(
    error: &CommandError,
    files: &ParsedFiles,
    invocation: &mut Invocation<'_>,
) -> io::Result<()> {
    match error {
        CommandError::Gate(GateError::Config(problems)) => {
            for problem in problems {
                let story = Story {
                    is_error: true,
                    code: None,
                    message: &problem.message,
                    primary: Some(Label { span: problem.span, text: String::new() }),
                    related: &[],
                    notes: Vec::new(),
                    help: problem.help.as_deref(),
                };
                Teller::new(&files.files, invocation.style).tell(&story, invocation.err)?;
            }
            Ok(())
        }
        CommandError::Gate(GateError::Unreadable(error)) => explain_render_error(error, files, invocation),
        error => {
            writeln!(invocation.err, "error: {}", printable(&error.to_string()))?;
            match error.help() {
                Some(help) => writeln!(invocation.err, "  help: {}", printable(&help.to_string())),
                None => Ok(()),
            }
        }
    }
}

/// Tells why something does not render.
pub(super) fn explain_render_error(
    error: &RenderError,
    files: &ParsedFiles,
    invocation: &mut Invocation<'_>,
) -> io::Result<()> {
    let related: Vec<Label> =
        error.related.iter().map(|(span, text)| Label { span: *span, text: text.clone() }).collect();
    let story = Story {
        is_error: true,
        code: None,
        message: &error.message,
        primary: error.span.map(|span| Label { span, text: String::new() }),
        related: &related,
        notes: Vec::new(),
        help: error.help.as_deref(),
    };
    Teller::new(&files.files, invocation.style).tell(&story, invocation.err)
}

/// What controllers report; `None` where no file is given.
pub(super) fn applied(arguments: &ReportArguments) -> Result<Option<Vec<Applied>>, CommandError> {
    let mut applied = None;
    for (file, controller) in [(&arguments.argocd, Controller::ArgoCd), (&arguments.flux, Controller::Flux)] {
        let Some(file) = file else { continue };
        let text = read_argument_file(file).map_err(|error| CommandError::Read {
            path: file.clone(),
            error,
            help: "name a file with what `kubectl get … -A -o json` prints",
        })?;
        let read = read_applied(controller, &file.display().to_string(), &text).map_err(GateError::from)?;
        applied.get_or_insert_with(Vec::new).extend(read);
    }
    Ok(applied)
}

/// The repository in a folder.
pub(super) fn repository_in(folder: &Path) -> Result<Repository, RepositoryError> {
    Repository::discover(folder)?.ok_or_else(|| RepositoryError::Absent(folder.display().to_string()))
}

/// The commit that `--base` names, else the tip of the default branch.
pub(super) fn tip(repository: &Repository, base: Option<&str>) -> Result<Commit, RepositoryError> {
    match base {
        Some(revision) => repository.commit(revision),
        None => repository.default_branch(),
    }
}

/// The two sides of the change that is asked for.
pub(super) fn compared(
    change: &ChangeArguments,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<(Repository, Comparison), RepositoryError> {
    let repository = repository_in(&change.repo)?;
    let comparison = repository.comparison(&scope(change), &CiVariables::new(variables))?;
    Ok((repository, comparison))
}

fn scope(change: &ChangeArguments) -> Scope {
    match (change.staged, change.worktree) {
        (true, _) => Scope::Staged,
        (_, true) => Scope::Worktree,
        _ => Scope::Revisions { base: change.base.clone(), head: change.head.clone() },
    }
}

/// Does work on a change. In a partial clone that may fail for what is not there: then git fetches it, if it may, and the work is done
/// again.
pub(super) fn with_missing<T>(
    change: &ChangeArguments,
    may_fetch: bool,
    invocation: &Invocation<'_>,
    work: impl Fn() -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let mut round = 0;
    loop {
        let error = match work() {
            Err(CommandError::Gate(error)) if error.is_unreadable() => error,
            done => return done,
        };
        let repository = repository_in(&change.repo)?;
        let Some(remote) = repository.promisor() else { return Err(error.into()) };
        if !may_fetch {
            return Err(RepositoryError::Partial { remote, why: error.to_string() }.into());
        }
        let (base, head) = repository.sides(&scope(change), &CiVariables::new(invocation.variables))?;
        let partial = PartialClone { root: repository.root(), remote: &remote };
        if partial.fetch(&base, &head, round)?.is_none() {
            return Err(error.into());
        }
        round += 1;
    }
}

/// Prints what a command has to say, without what was taken out of Secrets.
pub(super) fn publish(
    files: &ParsedFiles,
    out: &mut dyn Write,
    write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    let mut said = Vec::new();
    write(&mut said)?;
    let said = String::from_utf8(said).map_err(io::Error::other)?;
    out.write_all(files.files.without_hidden(said, escape::forms).as_bytes())
}

/// The same for JSON, in which nothing is obeyed by whoever prints it.
pub(super) fn publish_json(
    files: &ParsedFiles,
    out: &mut dyn Write,
    write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    publish(files, out, |said| {
        let mut text = Vec::new();
        write(&mut text)?;
        let text = String::from_utf8(text).map_err(io::Error::other)?;
        said.write_all(escape::json(&text).as_bytes())
    })
}

/// Whose CODEOWNERS rules count in this CI; `None` outside of any.
pub(super) fn ci_dialect(variables: &dyn Fn(&str) -> Option<String>) -> Option<OwnersDialect> {
    let is_set = |name: &str| variables(name).as_deref() == Some("true");
    // Gitea's runners say that they are GitHub's, too.
    if is_set("GITEA_ACTIONS") || is_set("FORGEJO_ACTIONS") {
        return Some(OwnersDialect::Gitea);
    }
    match (is_set("GITLAB_CI"), is_set("GITHUB_ACTIONS")) {
        (true, _) => Some(OwnersDialect::GitLab),
        (_, true) => Some(OwnersDialect::GitHub),
        _ => None,
    }
}
