//! Environments that are on another branch, or in another repository.

use super::error::FactsError;
use crate::config::{Config, Environment};
use crate::kustomize::{ParsedFiles, Scanner};
use crate::model::{Overlays, discover};
use crate::sources::{self, Commit, Repository, RepositoryError};

/// An environment that is not on the base branch.
pub struct Neighbour<'a> {
    /// Its position in the configuration.
    pub environment: usize,
    /// Where its history is.
    pub repository: &'a Repository,
    /// The tip of its branch.
    pub tip: Commit,
    /// The configuration, for which all folders there are of this environment.
    pub config: Config,
    /// Its overlays.
    pub overlays: Overlays,
}

/// Clones that the command line names, by the name that the configuration has for them.
pub type NamedClones<'a> = &'a [(String, Repository)];

impl<'a> Neighbour<'a> {
    /// Reads every environment that is elsewhere.
    ///
    /// # Errors
    /// When a branch was not fetched, a clone was not given, or one of them cannot be read.
    pub fn all(
        config: &Config,
        here: &'a Repository,
        clones: NamedClones<'a>,
        files: &ParsedFiles,
    ) -> Result<Vec<Self>, FactsError> {
        let mut neighbours = Vec::new();
        for (at, environment) in
            config.environments.iter().enumerate().filter(|(at, _)| Some(*at) != config.environment)
        {
            let repository = match &environment.repository {
                None if environment.branch.is_none() => continue,
                None => here,
                Some(name) => {
                    let known = clones.iter().find(|(known, _)| known == name);
                    let no_clone = || FactsError::NoClone { environment: environment.name.clone(), name: name.clone() };
                    &known.ok_or_else(no_clone)?.1
                }
            };
            let tip = match &environment.branch {
                Some(branch) => repository.branch(branch)?,
                None => repository.default_branch()?,
            };
            let config = Config { environment: Some(at), ..config.clone() };
            let tree = repository.tree(&tip);
            let overlays = discover(&config, &sources::list(&tree)?, &Scanner::new(files, &tree), None)?;
            neighbours.push(Self { environment: at, repository, tip, config, overlays });
        }
        Ok(neighbours)
    }
}

/// The environment of what is here: the one that names the branch, else the one whose branch has the commit as its tip, else the
/// only one that names no branch and no repository. `None` where folders name it.
///
/// # Errors
/// When a branch cannot be read.
pub fn environment_here(
    config: &Config,
    repository: &Repository,
    branch: Option<&str>,
    tip: &Commit,
) -> Result<Option<usize>, RepositoryError> {
    let is_elsewhere = |environment: &Environment| environment.branch.is_some() || environment.repository.is_some();
    if config.environment.is_some() || !config.environments.iter().any(is_elsewhere) {
        return Ok(config.environment);
    }
    let here = config.environments.iter().enumerate().filter(|(_, environment)| environment.repository.is_none());
    let mut without = Vec::new();
    let mut by_tip = None;
    for (at, environment) in here {
        let Some(own) = &environment.branch else {
            without.push(at);
            continue;
        };
        if branch == Some(own) {
            return Ok(Some(at));
        }
        match repository.branch(own) {
            Ok(found) if found.id == tip.id => by_tip = by_tip.or(Some(at)),
            Ok(_) | Err(RepositoryError::NotFetched(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let only = if let [only] = without[..] { Some(only) } else { None };
    Ok(by_tip.or(only))
}
