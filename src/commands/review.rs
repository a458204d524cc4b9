use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::forges::{self, number};
use super::shared::{CommandError, explain_error, repository_in};
use super::{Exit, Invocation};
use crate::cli::{AskedArguments, CiForge, Forge, ReviewArguments};
use crate::config::OwnersDialect;
use crate::facts::review::ReviewFile;
use crate::forge::ForgeError;
use crate::forge::github::MergeGroup;
use crate::gate;
use crate::kustomize::ParsedFiles;
use crate::report::escape::printable;
use crate::sources::{CiVariables, write_argument_file};
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
    let github = forges::github(asked.project.as_deref(), invocation)?;
    let event = variables.event()?.unwrap_or_default();
    let text = |pointer: &str| event.pointer(pointer).and_then(serde_json::Value::as_str).map(str::to_owned);
    let group = text("/merge_group/head_sha").zip(text("/merge_group/head_ref")).zip(text("/merge_group/base_sha"));
    let answer = match (asked.number.or(number(CiForge::Github, &variables)?), group) {
        (Some(number), _) => github.pull_request(number)?,
        (None, Some(((head, reference), base))) => github.merge_group(&MergeGroup { head, reference, base })?,
        (None, None) => {
            let help = "name it with `--number N`; in GitHub Actions the events `pull_request`, `pull_request_review` and \
                        `merge_group` tell";
            return Err(ForgeError::Unnamed("pull request is meant", help).into());
        }
    };
    let owners = owners_of(&asked.repo, &answer.branch, OwnersDialect::GitHub, files)?;
    let (teams, landings) = (github.teams(&owners)?, github.landings(&answer.branch)?);
    Ok(Told::new(ReviewFile { teams, landings, ..answer.file }, &owners))
}

fn ask_gitlab(asked: &AskedArguments, files: &ParsedFiles, invocation: &Invocation<'_>) -> Result<Told, CommandError> {
    let variables = CiVariables::new(invocation.variables);
    let gitlab = forges::gitlab(asked.project.as_deref(), invocation)?;
    let number = asked.number.or(number(CiForge::Gitlab, &variables)?).ok_or(ForgeError::Unnamed(
        "merge request is meant",
        "name it with `--number N`; a job of a merge request pipeline knows it",
    ))?;
    let is_train = variables.get("CI_MERGE_REQUEST_EVENT_TYPE").as_deref() == Some("merge_train");
    let answer = match variables.get("CI_COMMIT_SHA").filter(|_| is_train && asked.number.is_none()) {
        Some(head) => gitlab.merge_train(number, &head)?,
        None => gitlab.merge_request(number)?,
    };
    let owners = owners_of(&asked.repo, &answer.branch, OwnersDialect::GitLab, files)?;
    let (teams, landings) = (gitlab.groups(&owners)?, gitlab.landings(&answer.branch)?);
    Ok(Told::new(ReviewFile { teams, landings, ..answer.file }, &owners))
}

/// Whom CODEOWNERS and the overrides of freezes on the base branch name.
fn owners_of(
    folder: &Path,
    branch: &str,
    dialect: OwnersDialect,
    files: &ParsedFiles,
) -> Result<Vec<String>, CommandError> {
    let repository = repository_in(folder)?;
    let tip = repository.branch(branch)?;
    let mut owners: BTreeSet<String> = BTreeSet::new();
    owners.extend(gate::owners_at(&repository, &tip, files, Some(dialect))?.everybody().map(str::to_owned));
    let config = gate::config_at(&repository, &tip, files)?;
    let overrides = config.freezes.iter().flat_map(|freeze| &freeze.overrides);
    owners.extend(overrides.flat_map(|one| one.by.iter().cloned()));
    Ok(owners.into_iter().collect())
}
