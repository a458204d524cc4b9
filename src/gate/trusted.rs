//! What judges a change, read from the trusted side: configuration, rules, CODEOWNERS; and the facts from outside.

use sha2::{Digest as _, Sha256};

use super::teams::{TeamPolicies, rule_set};
use super::{GateError, Request, Trust};
use crate::config::{self, Config, ConfigError, OwnersDialect, RuleSetting};
use crate::facts::neighbours::environment_here;
use crate::facts::review::{Review, ReviewFile};
use crate::facts::{CODEOWNERS_PLACES, Change, Codeowners, LandingTimes, Need, is_owners_file};
use crate::kustomize::ParsedFiles;
use crate::policy::{self, Rule, RuleSet, Settings};
use crate::sources::{self, Content, Entry, RepoPath, Tree};
use crate::words;

/// What judges a change.
pub(super) struct Trusted {
    pub(super) config: Config,
    /// The configuration that judges what comes after this change, where the change touches it.
    pub(super) next: Option<Config>,
    pub(super) set: RuleSet,
    pub(super) settings: Settings,
    pub(super) owners: Codeowners,
    /// The CODEOWNERS that count once the change has landed.
    pub(super) next_owners: Codeowners,
    pub(super) review: Option<Review>,
    pub(super) change: Change,
    pub(super) landings: LandingTimes,
    /// Policies of the repository itself.
    pub(super) teams: TeamPolicies,
    /// The SHA-256 of what judges, hexadecimal.
    pub(super) digest: String,
}

impl Trusted {
    pub(super) fn read(request: &Request<'_>, files: &ParsedFiles) -> Result<Self, GateError> {
        let comparison = request.comparison;
        let trees = comparison.trees();
        let trusted = match request.trust {
            Trust::Base => trees.base,
            Trust::Head => trees.head,
        };
        let mut config = read_config(trusted, files)?;
        let set = rule_set(trusted, &config.policies)?;
        let settings = policy::settings(&config, set.rules).map_err(GateError::Config)?;
        let off = settings.teams_off();
        let teams = TeamPolicies::read(trusted, &config.policies, &off, files)?;
        check_team_rules(&config, &teams)?;
        // Once merged it judges every change; one that cannot be read would close the gate for all of them.
        let mut next = read_config(trees.head, files)?;
        for config in [&mut config, &mut next] {
            let Request { repository, branch, .. } = request;
            config.environment = environment_here(config, repository, *branch, &comparison.base)?;
        }
        check_names(request, &config, set.rules, &teams)?;
        for side in [trusted, trees.head] {
            for place in CODEOWNERS_PLACES {
                read_regular(side, place)?;
            }
        }
        let dialect = match config.codeowners.or(request.owners_dialect) {
            Some(dialect) => dialect,
            None => OwnersDialect::of(trusted)?,
        };
        let owners = Codeowners::read(trusted, files, dialect)?;
        let accounts: Vec<String> =
            config.environments.iter().flat_map(|environment| environment.bot_accounts.iter().cloned()).collect();
        let changed = sources::changed(trees.base, trees.head)?;
        let next_owners = if changed.iter().any(|path| is_owners_file(path, dialect)) {
            Codeowners::read(trees.head, files, dialect)?
        } else {
            owners.clone()
        };
        let said = request.review.map(|file| ReviewFile::read(file.name, file.text)).transpose()?;
        let landings = said.as_ref().map(|said| LandingTimes::of(&said.landings)).unwrap_or_default();
        let mut change = Change::new(changed, &comparison.added, request.repository, &accounts, said.as_ref())?;
        let review = request.review.zip(said).map(|(file, said)| {
            let head = comparison.head.as_ref().map(|head| head.id.to_string());
            // A merge queue makes a commit of its own from what was approved.
            let is_same = |other: &str| {
                let merges = |head| request.repository.merges_to(&comparison.base, other, head);
                comparison.head.as_ref().is_some_and(|head| merges(head).unwrap_or(false))
            };
            Review::new(file.name, said, head.as_deref(), &change.contributors, is_same)
        });
        let review = review.transpose()?;
        let holds_policy = |path: &RepoPath| next.policies.iter().any(|it| it.holds(path));
        let changes_config = change.files.iter().any(|path| path.as_str() == config::FILE_NAME);
        if changes_config || change.files.iter().any(holds_policy) {
            let rules = rule_set(trees.head, &next.policies)?.rules;
            let next_off = policy::settings(&next, rules).map_err(GateError::Config)?.teams_off();
            let teams = TeamPolicies::read(trees.head, &next.policies, &next_off, files)?;
            check_team_rules(&next, &teams)?;
        }
        let decides = |path: &&RepoPath| {
            next.versions.as_ref() == Some(*path) || next.controllers.iter().any(|folder| path.is_within(folder))
        };
        for path in change.files.iter().filter(decides) {
            trees.head.read(path)?;
        }
        for one in review.iter().flat_map(Review::requests).filter(|one| one.author.is_bot()) {
            change.add_bot(&one.author, one.files.clone());
        }
        let next = changes_config.then_some(next);
        let digest = digest(trusted, set.rules, &teams, files)?;
        Ok(Self { config, next, set, settings, owners, next_owners, review, change, landings, teams, digest })
    }

    /// Whether a rule's facts were given.
    pub(super) fn has_facts_for(&self, rule: &Rule) -> bool {
        self.review.is_some() || !rule.metadata.custom.needs.contains(&Need::Review)
    }
}

/// The SHA-256 of what judges: the program's version, the rules, the configuration and CODEOWNERS.
fn digest(trusted: &dyn Tree, rules: &[Rule], teams: &TeamPolicies, files: &ParsedFiles) -> Result<String, GateError> {
    let mut hash = Sha256::new();
    let mut part = |name: &str, content: &[u8]| {
        hash.update(name.as_bytes());
        hash.update((content.len() as u64).to_be_bytes());
        hash.update(content);
    };
    part("version", env!("CARGO_PKG_VERSION").as_bytes());
    for rule in rules {
        part(rule.id, rule.policy.as_bytes());
    }
    for name in std::iter::once(config::FILE_NAME).chain(CODEOWNERS_PLACES) {
        if let Some((_, (_, content))) = read_regular(trusted, name)? {
            part(name, &content);
        }
    }
    for (path, file) in teams.files() {
        part(path, files.files.get(file).text.as_bytes());
    }
    Ok(words::hexadecimal(&hash.finalize()))
}

/// Reads the configuration of a snapshot.
pub(super) fn read_config(tree: &dyn Tree, files: &ParsedFiles) -> Result<Config, GateError> {
    for misnamed in ["tollgate.yml", ".tollgate.yaml", ".tollgate.yml"] {
        if RepoPath::new(misnamed).map(|path| tree.entry(&path)).transpose()?.flatten().is_some() {
            return Err(GateError::MisnamedConfig(misnamed));
        }
    }
    match read_regular(tree, config::FILE_NAME)? {
        None => Ok(Config::default()),
        Some((path, (id, content))) => {
            let text = String::from_utf8_lossy(&content).into_owned();
            let file = files.files.add(&path, id, &text);
            config::read(file, &text).map_err(GateError::Config)
        }
    }
}

/// A file that decides: absent, or a regular file. A link would let something else decide in its place.
fn read_regular(tree: &dyn Tree, name: &str) -> Result<Option<(RepoPath, Content)>, GateError> {
    let Some(path) = RepoPath::new(name) else { return Ok(None) };
    match tree.entry(&path)? {
        None => Ok(None),
        Some(Entry::File(_)) => Ok(tree.read(&path)?.map(|content| (path, content))),
        Some(_) => Err(GateError::NotRegular(name.to_owned())),
    }
}

/// Refuses settings of rules of teams that are not there.
fn check_team_rules(config: &Config, teams: &TeamPolicies) -> Result<(), GateError> {
    let is_unknown = |setting: &&RuleSetting| {
        policy::is_team_rule(&setting.rule) && !teams.has(&setting.rule) && !teams.has_off(&setting.rule)
    };
    let problems: Vec<ConfigError> = config
        .rules
        .iter()
        .filter(is_unknown)
        .map(|setting| ConfigError {
            message: format!("there is no rule `{}` in the folders of `policies`", setting.rule),
            span: setting.span,
            help: Some("`tollgate rules` lists them".to_owned()),
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(GateError::Config(problems)) }
}

/// Refuses environments and rules that the command line names and nobody knows.
fn check_names(request: &Request<'_>, config: &Config, rules: &[Rule], teams: &TeamPolicies) -> Result<(), GateError> {
    if let Some(name) = request.environment {
        environment(config, name)?;
    }
    let is_known = |name: &str| teams.has(name) || rules.iter().any(|rule| rule.id == name);
    if let Some(name) = request.rule.filter(|name| !is_known(name)) {
        let known = rules.iter().map(|rule| rule.id.to_owned()).collect();
        return Err(GateError::UnknownName { noun: "rule", name: name.to_owned(), known });
    }
    Ok(())
}

/// The position of an environment that a person names.
///
/// # Errors
/// When there is none of this name.
pub fn environment(config: &Config, name: &str) -> Result<usize, GateError> {
    config.environment(name).ok_or_else(|| {
        let known = config.environments.iter().map(|environment| environment.name.clone()).collect();
        GateError::UnknownName { noun: "environment", name: name.to_owned(), known }
    })
}
