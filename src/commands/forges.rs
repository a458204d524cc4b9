//! Which forge, project and request are meant, as the command line and the CI say.

use std::path::PathBuf;

use super::Invocation;
use super::shared::CommandError;
use crate::cli::CiForge;
use crate::forge::github::{Access, GitHub};
use crate::forge::gitlab::GitLab;
use crate::forge::{ForgeError, Requests};
use crate::sources::{CiVariables, RepositoryError, read_argument_file};

/// The repository on GitHub, with the token of the environment.
pub(super) fn github(project: Option<&str>, invocation: &Invocation<'_>) -> Result<GitHub, CommandError> {
    let variables = CiVariables::new(invocation.variables);
    let token = ["GITHUB_TOKEN", "GH_TOKEN"].iter().find_map(|name| variables.get(name));
    let token = token.ok_or(ForgeError::NoToken("`GITHUB_TOKEN` or `GH_TOKEN`"))?;
    let address = variables.get("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned());
    let graphql = variables.get("GITHUB_GRAPHQL_URL").unwrap_or_else(|| {
        // GitHub Enterprise Server has it beside the REST API: `/api/v3`, `/api/graphql`.
        format!("{}/graphql", address.trim_end_matches('/').trim_end_matches("/v3"))
    });
    let project = project.map(str::to_owned).or_else(|| variables.get("GITHUB_REPOSITORY"));
    let project = project.ok_or(ForgeError::Unnamed("repository is meant", "name it with `--project OWNER/NAME`"))?;
    let certificates = certificates(&variables)?;
    let certificates = certificates.as_ref().map(|(path, text)| (path.as_str(), text.as_str()));
    Ok(GitHub::new(Access { address, graphql, token }, &project, certificates, invocation.now)?)
}

/// The project on GitLab, with the token of the environment.
pub(super) fn gitlab(project: Option<&str>, invocation: &Invocation<'_>) -> Result<GitLab, CommandError> {
    let variables = CiVariables::new(invocation.variables);
    let help = "`GITLAB_TOKEN`: a token of the project with the scope `read_api` (a job's own token may not read approvals), or \
                `api` to write a comment or to run a check again";
    let token = variables.get("GITLAB_TOKEN").ok_or(ForgeError::NoToken(help))?;
    let address = variables.get("CI_API_V4_URL").unwrap_or_else(|| "https://gitlab.com/api/v4".to_owned());
    let project = project.map(str::to_owned).or_else(|| variables.get("CI_PROJECT_ID"));
    let project = project.ok_or(ForgeError::Unnamed("project is meant", "name it with `--project GROUP/NAME`"))?;
    let certificates = certificates(&variables)?;
    let certificates = certificates.as_ref().map(|(path, text)| (path.as_str(), text.as_str()));
    Ok(GitLab::new(&address, token, &project, certificates, invocation.now)?)
}

/// The requests of a project on one of the forges.
pub(super) fn requests(
    forge: CiForge,
    project: Option<&str>,
    invocation: &Invocation<'_>,
) -> Result<Box<dyn Requests>, CommandError> {
    Ok(match forge {
        CiForge::Github => Box::new(github(project, invocation)?),
        CiForge::Gitlab => Box::new(gitlab(project, invocation)?),
    })
}

/// The number of the request that the CI job is about.
pub(super) fn number(forge: CiForge, variables: &CiVariables<'_>) -> Result<Option<u64>, RepositoryError> {
    match forge {
        CiForge::Github => {
            let event = variables.event()?.unwrap_or_default();
            Ok(["/pull_request/number", "/issue/number"].iter().find_map(|pointer| event.pointer(pointer)?.as_u64()))
        }
        CiForge::Gitlab => Ok(variables.get("CI_MERGE_REQUEST_IID").and_then(|number| number.parse().ok())),
    }
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
