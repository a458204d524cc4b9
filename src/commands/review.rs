use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use super::shared::{CommandError, explain_error, repository_in};
use super::{Exit, Invocation};
use crate::cli::{AskedArguments, Forge, ReviewArguments};
use crate::config::OwnersDialect;
use crate::facts::review::ReviewFile;
use crate::forge::ForgeError;
use crate::forge::github::{Access, GitHub, MergeGroup};
use crate::forge::gitlab::GitLab;
use crate::gate;
use crate::kustomize::ParsedFiles;
use crate::report::escape::printable;
use crate::sources::{CiVariables, Repository, read_argument_file, write_argument_file};
use crate::words::quoted;

pub(super) fn run(arguments: &ReviewArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let files = ParsedFiles::default();
    let (asked, answer) = match &arguments.forge {
        Forge::Github(asked) => (asked, ask_github(asked, &files, invocation)),
        Forge::Gitlab(asked) => (asked, ask_gitlab(asked, &files, invocation)),
    };
    let written = answer.and_then(|Told { file, unknown }| {
        let text = serde_json::to_string_pretty(&file).map_err(io::Error::other).map(|text| text + "\n");
        match (&asked.output, text) {
            (None, text) => Ok((text, unknown)),
            (Some(path), text) => {
                let error = |error| CommandError::Write { path: path.clone(), error };
                write_argument_file(path, text.map_err(error)?.as_bytes()).map_err(error)?;
                Ok((Ok(String::new()), unknown))
            }
        }
    });
    match written {
        Ok((text, unknown)) => {
            invocation.out.write_all(text?.as_bytes())?;
            if !unknown.is_empty() {
                let names = quoted(&unknown);
                writeln!(
                    invocation.err,
                    "note: the token may not read the members of {}; where their approval decides, the gate cannot",
                    printable(&names)
                )?;
            }
            Ok(Exit::Allowed)
        }
        Err(error) => {
            explain_error(&error, &files, invocation)?;
            Ok(Exit::Undecided)
        }
    }
}

/// What the forge has told.
struct Told {
    file: ReviewFile,
    /// Teams and groups whose members it does not tell.
    unknown: Vec<String>,
}

impl Told {
    fn new(file: ReviewFile, owners: &[String]) -> Self {
        let is_team = |owner: &&String| owner.starts_with('@') && owner.contains('/');
        let is_unknown = |owner: &&String| !file.teams.contains_key(owner.trim_start_matches('@'));
        let unknown = owners.iter().filter(is_team).filter(is_unknown).cloned().collect();
        Self { file, unknown }
    }
}

fn ask_github(asked: &AskedArguments, files: &ParsedFiles, invocation: &Invocation<'_>) -> Result<Told, CommandError> {
    let variables = CiVariables::new(invocation.variables);
    let token = ["GITHUB_TOKEN", "GH_TOKEN"].iter().find_map(|name| variables.get(name));
    let token = token.ok_or(ForgeError::NoToken("`GITHUB_TOKEN` or `GH_TOKEN`"))?;
    let address = variables.get("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned());
    let graphql = variables.get("GITHUB_GRAPHQL_URL").unwrap_or_else(|| {
        // GitHub Enterprise Server has it beside the REST API: `/api/v3`, `/api/graphql`.
        format!("{}/graphql", address.trim_end_matches('/').trim_end_matches("/v3"))
    });
    let project = asked.project.clone().or_else(|| variables.get("GITHUB_REPOSITORY"));
    let project = project.ok_or(ForgeError::Unnamed("repository is meant", "name it with `--project OWNER/NAME`"))?;
    let certificates = certificates(&variables)?;
    let certificates = certificates.as_ref().map(|(path, text)| (path.as_str(), text.as_str()));
    let github = GitHub::new(Access { address, graphql, token }, &project, certificates, invocation.now)?;
    let event = variables.event()?.unwrap_or_default();
    let text = |pointer: &str| event.pointer(pointer).and_then(serde_json::Value::as_str).map(str::to_owned);
    let numbers = ["/pull_request/number", "/issue/number"];
    let number = numbers.iter().find_map(|pointer| event.pointer(pointer)?.as_u64());
    let group = text("/merge_group/head_sha").zip(text("/merge_group/head_ref")).zip(text("/merge_group/base_sha"));
    let answer = match (asked.number.or(number), group) {
        (Some(number), _) => github.pull_request(number)?,
        (None, Some(((head, reference), base))) => github.merge_group(&MergeGroup { head, reference, base })?,
        (None, None) => {
            let help = "name it with `--number N`; in GitHub Actions the events `pull_request`, `pull_request_review` and \
                        `merge_group` tell";
            return Err(ForgeError::Unnamed("pull request is meant", help).into());
        }
    };
    let mut file = answer.file;
    let repository = repository_in(&asked.repo)?;
    let owners = owners_of(&repository, &answer.branch, OwnersDialect::GitHub, files)?;
    file.teams = github.teams(&owners)?;
    file.landings = github.landings(&answer.branch)?;
    Ok(Told::new(file, &owners))
}

fn ask_gitlab(asked: &AskedArguments, files: &ParsedFiles, invocation: &Invocation<'_>) -> Result<Told, CommandError> {
    let variables = CiVariables::new(invocation.variables);
    let help =
        "`GITLAB_TOKEN`: a token of the project with the scope `read_api` (a job's own token may not read approvals)";
    let token = variables.get("GITLAB_TOKEN").ok_or(ForgeError::NoToken(help))?;
    let address = variables.get("CI_API_V4_URL").unwrap_or_else(|| "https://gitlab.com/api/v4".to_owned());
    let project = asked.project.clone().or_else(|| variables.get("CI_PROJECT_ID"));
    let project = project.ok_or(ForgeError::Unnamed("project is meant", "name it with `--project GROUP/NAME`"))?;
    let number = asked.number.or_else(|| variables.get("CI_MERGE_REQUEST_IID")?.parse().ok());
    let number = number.ok_or(ForgeError::Unnamed(
        "merge request is meant",
        "name it with `--number N`; a job of a merge request pipeline knows it",
    ))?;
    let certificates = certificates(&variables)?;
    let certificates = certificates.as_ref().map(|(path, text)| (path.as_str(), text.as_str()));
    let gitlab = GitLab::new(&address, token, &project, certificates, invocation.now)?;
    let is_train = variables.get("CI_MERGE_REQUEST_EVENT_TYPE").as_deref() == Some("merge_train");
    let answer = match variables.get("CI_COMMIT_SHA").filter(|_| is_train && asked.number.is_none()) {
        Some(head) => gitlab.merge_train(number, &head)?,
        None => gitlab.merge_request(number)?,
    };
    let mut file = answer.file;
    let repository = repository_in(&asked.repo)?;
    let owners = owners_of(&repository, &answer.branch, OwnersDialect::GitLab, files)?;
    file.teams = gitlab.groups(&owners)?;
    file.landings = gitlab.landings(&answer.branch)?;
    Ok(Told::new(file, &owners))
}

/// The authorities that `SSL_CERT_FILE` names, as many programs read it: the path and the text.
fn certificates(variables: &CiVariables<'_>) -> Result<Option<(String, String)>, CommandError> {
    let Some(path) = variables.get("SSL_CERT_FILE") else { return Ok(None) };
    let text = read_argument_file(&PathBuf::from(&path)).map_err(|error| CommandError::Read {
        path: PathBuf::from(&path),
        error,
        help: "`SSL_CERT_FILE` names a file of PEM certificates",
    })?;
    Ok(Some((path, text)))
}

/// Whom CODEOWNERS and the overrides of freezes on the base branch name.
fn owners_of(
    repository: &Repository,
    branch: &str,
    dialect: OwnersDialect,
    files: &ParsedFiles,
) -> Result<Vec<String>, CommandError> {
    let tip = repository.branch(branch)?;
    let mut owners: BTreeSet<String> = BTreeSet::new();
    owners.extend(gate::owners_at(repository, &tip, files, Some(dialect))?.everybody().map(str::to_owned));
    let config = gate::config_at(repository, &tip, files)?;
    let overrides = config.freezes.iter().flat_map(|freeze| &freeze.overrides);
    owners.extend(overrides.flat_map(|one| one.by.iter().cloned()));
    Ok(owners.into_iter().collect())
}
