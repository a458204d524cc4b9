//! `tollgate.yaml`: read with spans, validated into types that cannot be wrong. Every problem is reported, not only the
//! first.

pub use duration::parse_duration;
pub use folders::Folders;
pub use freeze::{Freeze, Recurring, ScheduleError, Times, Window};
pub use layout::Layout;
pub use mirrors::Mirrors;
pub use read::{ConfigError, read};
pub use waiver::Waiver;

use serde::Serialize;

use crate::finding::Severity;
use crate::kustomize::LoadRestrictor;
use crate::sources::{Commit, RepoPath};
use crate::span::Span;
use crate::yaml::Node;

mod duration;
mod folders;
mod freeze;
mod layout;
mod mirrors;
mod read;
mod waiver;

/// The environment of a repository that names none.
pub const ONE_ENVIRONMENT: &str = "default";

/// The file's name at the repository's root.
pub const FILE_NAME: &str = "tollgate.yaml";

/// Whether bots may change an environment.
#[derive(Clone, Copy, Debug, Default, Serialize, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Bots {
    /// They may.
    #[default]
    Allow,
    /// They may not.
    Deny,
}

/// What applies overlays to clusters, and reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    /// Argo CD.
    ArgoCd,
    /// Flux.
    Flux,
}

impl Controller {
    /// How people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ArgoCd => "Argo CD",
            Self::Flux => "Flux",
        }
    }

    /// The option that names its reports, and what configures it.
    #[must_use]
    pub fn option(self) -> &'static str {
        match self {
            Self::ArgoCd => "argocd",
            Self::Flux => "flux",
        }
    }
}

/// A name or a glob that folders use for an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    text: String,
    is_pattern: bool,
}

impl Alias {
    /// A name, or a glob where it has a character that is none of a name.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.to_lowercase(), is_pattern: text.contains(['*', '?', '\\']) }
    }

    fn matches(&self, folder: &str) -> bool {
        if self.is_pattern { glob_matches(&self.text, folder) } else { self.text == folder }
    }
}

/// Whose CODEOWNERS rules count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnersDialect {
    /// GitHub's.
    GitHub,
    /// GitLab's.
    GitLab,
    /// Gitea's and Forgejo's.
    Gitea,
    /// OWNERS files, as Kubernetes' Prow reads them.
    Prow,
}

/// Which commits of the base branch's first-parent line are landings: states that were deployed for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Landings {
    /// All of them. The commits of a change may then become states of the base branch themselves.
    #[default]
    Commits,
    /// Merge commits, and what the forge squashed: only these.
    Merges,
}

impl Landings {
    /// Leaves only landings in a line, newest first. Its tip is what is deployed, and its root has nothing before it.
    pub fn keep(self, line: &mut Vec<Commit>) {
        if self == Self::Merges {
            let last = line.len().saturating_sub(1);
            let mut at = 0;
            line.retain(|commit| {
                at += 1;
                at == 1 || at == last + 1 || commit.parents > 1 || commit.is_by_forge
            });
        }
    }
}

/// One environment.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Names and globs that folders use for it, its own name included.
    pub aliases: Vec<Alias>,
    /// The branch that it is on; `None` where it is on the one that a change goes into.
    pub branch: Option<String>,
    /// The name of the clone that it is in; `None` where it is in this repository.
    pub repository: Option<String>,
    /// Names of the environments below, any of which proves a promotion; `None` where the highest one below that an app
    /// has counts.
    pub promotes_from: Option<Vec<String>>,
    /// Whether it is protected: owners, limits and approvals are asked for.
    pub protected: bool,
    /// How long a digest must have been live below, in seconds.
    pub soak: Option<i64>,
    /// Whose report must say that a content is healthy here before it may leave for the next environment.
    pub evidence: Option<Controller>,
    /// How many owners must have approved.
    pub approvals: usize,
    /// Whether bots may change it.
    pub bots: Bots,
    /// Names and mail addresses of further bots, as globs.
    pub bot_accounts: Vec<String>,
}

/// Apps that run only in combinations that ran together below.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The apps.
    pub apps: Vec<String>,
    /// Where each of them is named.
    pub places: Vec<Span>,
    /// Where it is configured.
    pub span: Span,
}

/// One app that must be there before another one.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// The app that depends.
    pub app: String,
    /// Where it is named.
    pub app_span: Span,
    /// What it depends on.
    pub needs: String,
    /// Where that is configured.
    pub span: Span,
}

/// What `rules` says about one rule.
#[derive(Clone, Debug)]
pub struct RuleSetting {
    /// The rule's id.
    pub rule: String,
    /// Where the id is written.
    pub span: Span,
    /// Severities by environment; `None` stands for all others.
    pub severities: Vec<(Option<String>, Severity)>,
    /// What a finding weighs that the base has already.
    pub existing: Option<Severity>,
    /// Parameters of the rule, by name.
    pub parameters: Vec<(String, Node)>,
}

/// A field of some kind of object that holds images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePlace {
    /// The kind.
    pub kind: String,
    /// The API group; `None` where any will do.
    pub group: Option<String>,
    /// The keys down to the field; lists on the way are gone through.
    pub path: Vec<String>,
    /// Whether what stands there is no image, although it looks like one.
    pub is_ignored: bool,
}

/// A kind of object for which a controller makes Secrets or `ConfigMaps`.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The rule that asks: `secret/missing` or `config/missing`.
    pub rule: String,
    /// The kind.
    pub kind: String,
    /// The API group; `None` where any will do.
    pub group: Option<String>,
    /// The keys down to the name of what is made.
    pub name: Vec<String>,
    /// The keys down to its keys: a mapping that has them, or a list of them; `None` where they are not known.
    pub keys: Option<Vec<String>>,
}

/// A folder with policies of the repository itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySource {
    /// The folder.
    pub folder: RepoPath,
    /// The packages whose rules are asked; `*` stands for any text.
    pub namespaces: Vec<String>,
    /// Folders with data for them.
    pub data: Vec<RepoPath>,
    /// Whether all objects of an overlay are one input.
    pub combine: bool,
}

impl PolicySource {
    /// Whether a file is one of its policies or data.
    #[must_use]
    pub fn holds(&self, path: &RepoPath) -> bool {
        path.is_within(&self.folder) || self.data.iter().any(|folder| path.is_within(folder))
    }
}

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where overlays are; empty where they are to be found.
    pub layouts: Vec<Layout>,
    /// The environment of all folders where no layout names one, by position.
    pub environment: Option<usize>,
    /// Whether `environments` are those that hold without a configuration.
    pub has_usual_environments: bool,
    /// Folders that nobody deploys.
    pub exclude: Folders,
    /// Whether a remote base must be supplied.
    pub requires_sources: bool,
    /// Policies of the repository itself.
    pub policies: Vec<PolicySource>,
    /// The minor version of Kubernetes, such as `1.31`; `None` where it is not said.
    pub kubernetes: Option<String>,
    /// Which files kustomizations may read; `None` where the controllers in the repository tell.
    pub load_restrictor: Option<LoadRestrictor>,
    /// Places that hold images, besides those that are known, and some that do not.
    pub images: Vec<ImagePlace>,
    /// The environments, lowest first.
    pub environments: Vec<Environment>,
    /// Whose CODEOWNERS rules count; `None` where the forge says it.
    pub codeowners: Option<OwnersDialect>,
    /// Which commits of history count as landed.
    pub landings: Landings,
    /// Whether a content must have run in every cluster of the environment below, and not in one of them.
    pub all_clusters_prove: bool,
    /// Registries that hold copies of others.
    pub mirrors: Mirrors,
    /// Apps that run only in combinations that ran together below.
    pub groups: Vec<Group>,
    /// What must be there before an app.
    pub dependencies: Vec<Dependency>,
    /// Folders with the Flux `Kustomization`s and Argo CD `Application`s that deploy overlays.
    pub controllers: Vec<RepoPath>,
    /// The committed file that says which version each environment runs.
    pub versions: Option<RepoPath>,
    /// Freezes, one-shot and recurring.
    pub freezes: Vec<Freeze>,
    /// Settings of rules.
    pub rules: Vec<RuleSetting>,
    /// Findings that somebody has allowed for a while.
    pub waivers: Vec<Waiver>,
    /// Kinds that make Secrets and `ConfigMaps`, besides those that are known.
    pub providers: Vec<Provider>,
}

impl Default for Config {
    /// What holds without a file: the usual environments, production protected.
    fn default() -> Self {
        let environment = |name: &str, aliases: &str| Environment {
            name: name.to_owned(),
            aliases: std::iter::once(name).chain(aliases.split(' ')).map(Alias::new).collect(),
            branch: None,
            repository: None,
            promotes_from: None,
            protected: name == "production",
            soak: None,
            evidence: None,
            approvals: usize::from(name == "production"),
            bots: Bots::Allow,
            bot_accounts: Vec::new(),
        };
        Self {
            layouts: Vec::new(),
            environment: None,
            has_usual_environments: true,
            exclude: Folders::default(),
            requires_sources: false,
            policies: Vec::new(),
            kubernetes: None,
            load_restrictor: None,
            images: Vec::new(),
            environments: vec![
                environment("dev", "develop development"),
                environment("test", "int integration testing qa"),
                environment("staging", "stage stg uat preprod pre-prod preproduction"),
                environment("production", "prod prd live"),
                Environment {
                    aliases: Vec::new(),
                    promotes_from: Some(Vec::new()),
                    protected: true,
                    approvals: 1,
                    ..environment(ONE_ENVIRONMENT, "")
                },
            ],
            codeowners: None,
            landings: Landings::default(),
            all_clusters_prove: false,
            mirrors: Mirrors::default(),
            groups: Vec::new(),
            dependencies: Vec::new(),
            controllers: Vec::new(),
            versions: None,
            freezes: Vec::new(),
            rules: Vec::new(),
            waivers: Vec::new(),
            providers: Vec::new(),
        }
    }
}

impl Config {
    /// Every app that the configuration names, and where.
    pub fn named_apps(&self) -> impl Iterator<Item = (&str, Span)> {
        let grouped =
            self.groups.iter().flat_map(|group| group.apps.iter().map(String::as_str).zip(group.places.clone()));
        let linked = self.dependencies.iter().flat_map(|dependency| {
            [(dependency.app.as_str(), dependency.app_span), (dependency.needs.as_str(), dependency.span)]
        });
        grouped.chain(linked)
    }

    /// The position of an environment by its own name.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<usize> {
        self.environments.iter().position(|environment| environment.name == name)
    }

    /// The environment that a folder's name stands for: by its own name, an alias or a glob.
    #[must_use]
    pub fn environment_of(&self, folder: &str) -> Option<usize> {
        let folder = &*folder.to_lowercase();
        let by = |is_pattern: bool| {
            let of = |alias: &Alias| alias.is_pattern == is_pattern && alias.matches(folder);
            self.environments.iter().position(|environment| environment.aliases.iter().any(of))
        };
        by(false).or_else(|| by(true))
    }
}

/// Whether a name matches a pattern in which `*` stands for any text and `?` for one character; a backslash takes the
/// meaning from the character after it.
#[must_use]
pub fn glob_matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<Glob>, Vec<char>) = (Glob::parse(pattern), name.chars().collect());
    let (mut at, mut in_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        let step = pattern.get(at);
        if step.is_some_and(|step| matches!(step, Glob::AnyOne) || *step == Glob::Exactly(name[in_name])) {
            (at, in_name) = (at + 1, in_name + 1);
        } else if step == Some(&Glob::Anything) {
            star = Some((at, in_name));
            at += 1;
        } else if let Some((star_at, star_name)) = star {
            star = Some((star_at, star_name + 1));
            (at, in_name) = (star_at + 1, star_name + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|step| *step == Glob::Anything)
}

#[derive(PartialEq)]
enum Glob {
    Anything,
    AnyOne,
    Exactly(char),
}

impl Glob {
    fn parse(pattern: &str) -> Vec<Self> {
        let mut characters = pattern.chars();
        let mut steps = Vec::new();
        while let Some(character) = characters.next() {
            steps.push(match character {
                '*' => Self::Anything,
                '?' => Self::AnyOne,
                '\\' => Self::Exactly(characters.next().unwrap_or('\\')),
                other => Self::Exactly(other),
            });
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_names() {
        for (pattern, name, expected) in [
            ("prod-*", "prod-eu", true),
            ("prod-\\*", "prod-*", true),
            ("prod-\\*", "prod-eu", false),
            ("prod-*", "prod", false),
            ("*-prod", "eu-prod", true),
            ("p*d", "prod", true),
            ("prod", "production", false),
            ("??", "eu", true),
            ("*", "", true),
        ] {
            assert_eq!(glob_matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn exact_names_win_over_globs() {
        let mut config = Config::default();
        config.environments[0].aliases.push(Alias::new("*"));
        assert_eq!(config.environment_of("prod"), Some(3));
        assert_eq!(config.environment_of("other"), Some(0));
    }
}
