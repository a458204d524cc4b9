use std::collections::{HashMap, HashSet};

use super::duration::parse_duration;
use super::layout::Layout;
use super::{
    Config, Dependency, Environment, Group, ImagePlace, Landings, Mirrors, OwnersDialect, PolicySource, Provider,
    RuleSetting,
};
use crate::finding::Severity;
use crate::kustomize::{LoadRestrictor, nearest};
use crate::sources::RepoPath;
use crate::span::{FileId, Span};
use crate::yaml::{Dialect, Kind, Node, Source, Step, parse};

/// One problem of the configuration: what, where, and what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to do.
    pub help: Option<String>,
}

/// Reads `tollgate.yaml`.
///
/// # Errors
/// All problems of the file at once.
pub fn read(file: FileId, text: &str) -> Result<Config, Vec<ConfigError>> {
    let documents = parse(&Source::file(file, text), Step::File, Dialect::Resource)
        .map_err(|error| vec![ConfigError { message: error.message, span: error.span, help: None }])?;
    let mut reader = Reader { problems: Vec::new() };
    let config = match documents.first() {
        Some(node) if !node.is_null() => reader.config(node),
        _ => {
            let help = "write `version: 1`, or remove the file: the usual layouts are found without it";
            reader.problem(Span::start_of(file), "the configuration is empty", help);
            Config::default()
        }
    };
    if reader.problems.is_empty() { Ok(config) } else { Err(reader.problems) }
}

/// An entry of a mapping.
struct Field<'a> {
    name: String,
    value: &'a Node,
}

mod environments;
mod freezes;
mod waivers;

struct Reader {
    problems: Vec<ConfigError>,
}

const DIALECTS: [(&str, OwnersDialect); 4] = [
    ("github", OwnersDialect::GitHub),
    ("gitlab", OwnersDialect::GitLab),
    ("gitea", OwnersDialect::Gitea),
    ("prow", OwnersDialect::Prow),
];

impl Reader {
    fn problem(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(ConfigError { message: message.into(), span, help: Some(help.into()) });
    }

    /// The entries of a mapping whose keys are known; others are problems.
    fn fields<'a>(&mut self, node: &'a Node, known: &[&str], what: &str) -> Vec<Field<'a>> {
        let Some(mapping) = node.as_mapping() else {
            let message = format!("{what} is a mapping, but this is {}", node.shape());
            self.problem(node.origin.span, message, format!("it has: {}", known.join(", ")));
            return Vec::new();
        };
        let mut found = Vec::new();
        for (key, value) in mapping.iter() {
            if known.contains(&&*key.text) {
                found.push(Field { name: key.text.to_string(), value });
                continue;
            }
            let help = match nearest(&key.text, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has: {}", known.join(", ")),
            };
            self.problem(key.span, format!("{what} has no key `{}`", key.text), help);
        }
        found
    }

    fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = node.as_scalar().filter(|scalar| matches!(scalar.kind, Kind::String | Kind::Timestamp));
        if text.is_none() {
            self.problem(
                node.origin.span,
                format!("{what} is a string, but this is {}", node.shape()),
                "write it in quotes",
            );
        }
        text.map(|scalar| scalar.text.to_string())
    }

    fn list<'a>(&mut self, node: &'a Node, what: &str) -> &'a [Node] {
        if node.as_sequence().is_none() && !node.is_null() {
            self.problem(
                node.origin.span,
                format!("{what} is a list, but this is {}", node.shape()),
                "begin each item with `- `",
            );
        }
        node.as_sequence().unwrap_or_default()
    }

    /// A string, or a list of strings.
    fn texts(&mut self, node: &Node, what: &str) -> Vec<(String, Span)> {
        let items = match node.as_sequence() {
            Some(items) => items,
            None => std::slice::from_ref(node),
        };
        items.iter().filter_map(|item| Some((self.text(item, what)?, item.origin.span))).collect()
    }

    fn flag(&mut self, node: &Node, what: &str) -> bool {
        if let Some(Kind::Bool(value)) = node.as_scalar().map(|scalar| scalar.kind) {
            return value;
        }
        self.problem(node.origin.span, format!("{what} must be true or false"), "write `true` or `false`");
        false
    }

    fn duration(&mut self, node: &Node, what: &str) -> Option<i64> {
        let seconds = node.as_text().and_then(parse_duration);
        if seconds.is_none() {
            self.problem(
                node.origin.span,
                format!("{what} must be a duration"),
                "write for example `24h`, `90m`, `7d` or `1d12h`",
            );
        }
        seconds
    }

    fn config(&mut self, node: &Node) -> Config {
        let mut config = Config::default();
        let known = [
            "version",
            "layout",
            "environment",
            "environments",
            "exclude",
            "kustomize",
            "sources",
            "images",
            "codeowners",
            "landings",
            "promotion",
            "mirrors",
            "groups",
            "dependencies",
            "controllers",
            "versions",
            "kubernetes",
            "policies",
            "freezes",
            "rules",
            "waivers",
        ];
        let fields = self.fields(node, &known, "the configuration");
        if !fields.iter().any(|field| field.name == "version") {
            let place = Span { end: node.origin.span.start, ..node.origin.span };
            self.problem(place, "the configuration has no `version`", "write `version: 1`");
        }
        // Environments come first: freezes and rules name them.
        if let Some(field) = fields.iter().find(|field| field.name == "environments") {
            config.environments = self.environments(field.value);
            config.has_usual_environments = false;
        }
        let is_elsewhere = |environment: &Environment| environment.branch.is_some() || environment.repository.is_some();
        let names_environment =
            fields.iter().any(|field| field.name == "environment") || config.environments.iter().any(is_elsewhere);
        for Field { name, value } in &fields {
            match name.as_str() {
                "version" if value.as_text() != Some("1") => {
                    self.problem(
                        value.origin.span,
                        "this version of the configuration is unknown",
                        "write `version: 1`",
                    );
                }
                "layout" => self.layouts(value, names_environment, &mut config),
                "environment" => {
                    let name = self.text(value, "an environment's name").unwrap_or_default();
                    config.environment = config.environment(&name);
                    if config.environment.is_none() {
                        let known: Vec<&str> = config.environments.iter().map(|known| known.name.as_str()).collect();
                        self.unknown_environment(&name, value.origin.span, &known);
                    }
                }
                "exclude" => {
                    for (pattern, _) in self.texts(value, "a pattern of folders") {
                        config.exclude.add(&pattern);
                    }
                }
                "kustomize" => config.load_restrictor = self.load_restrictor(value),
                "sources" => {
                    let fields = self.fields(value, &["require"], "`sources`");
                    config.requires_sources = fields.first().is_some_and(|it| self.flag(it.value, "`require`"));
                }
                "images" => {
                    let items = self.list(value, "`images`");
                    config.images = items.iter().filter_map(|item| self.image_place(item)).collect();
                }
                "codeowners" => config.codeowners = self.one_of(value, "`codeowners`", &DIALECTS),
                "landings" => {
                    let landings = [("commits", Landings::Commits), ("merges", Landings::Merges)];
                    config.landings = self.one_of(value, "`landings`", &landings).unwrap_or_default();
                }
                "promotion" => config.all_clusters_prove = self.all_clusters_prove(value),
                "mirrors" => config.mirrors = self.mirrors(value),
                "groups" => {
                    let items = self.list(value, "`groups`");
                    config.groups = items.iter().filter_map(|item| self.group(item)).collect();
                }
                "dependencies" => config.dependencies = self.dependencies(value),
                "versions" => config.versions = self.file(value),
                "kubernetes" => config.kubernetes = self.kubernetes(value),
                "policies" => config.policies = self.policies(value),
                "controllers" => config.controllers = self.folders(value),
                "freezes" => {
                    let items = self.list(value, "`freezes`");
                    config.freezes = items.iter().filter_map(|item| self.freeze(item, &config)).collect();
                }
                "waivers" => {
                    let items = self.list(value, "`waivers`");
                    config.waivers = items.iter().filter_map(|item| self.waiver(item, &config)).collect();
                }
                "rules" => {
                    config.rules = self.rules(value, &config);
                    config.providers = self.providers(&config.rules);
                }
                _ => {}
            }
        }
        config
    }

    fn layouts(&mut self, node: &Node, names_environment: bool, config: &mut Config) {
        for (text, span) in self.texts(node, "a layout") {
            match Layout::parse(&text) {
                Ok(layout) if layout.names_environment() || names_environment => config.layouts.push(layout),
                Ok(_) => self.problem(
                    span,
                    "this layout names no environment",
                    "write `{env}` where the folder's name tells it, or `environment: production` for all",
                ),
                Err(message) => self.problem(span, message, "write for example `apps/{app}/overlays/{env}`"),
            }
        }
    }

    fn file(&mut self, node: &Node) -> Option<RepoPath> {
        let text = self.text(node, "a file's path")?;
        let path = RepoPath::new(&text).filter(|path| !path.is_root());
        if path.is_none() {
            let message = format!("`{text}` is not a path in this repository");
            self.problem(node.origin.span, message, "write for example `versions.json`");
        }
        path
    }

    /// A folder, or a mapping that says more about one, or a list of these.
    fn policies(&mut self, node: &Node) -> Vec<PolicySource> {
        let items = node.as_sequence().unwrap_or(std::slice::from_ref(node));
        let mut sources = Vec::new();
        for item in items {
            let plain = PolicySource {
                folder: RepoPath::root(),
                namespaces: vec!["main".to_owned()],
                data: Vec::new(),
                combine: false,
            };
            if item.as_mapping().is_none() {
                sources.extend(self.folders(item).into_iter().map(|folder| PolicySource { folder, ..plain.clone() }));
                continue;
            }
            let fields = self.fields(item, &["folder", "namespaces", "data", "combine"], "an entry of `policies`");
            let mut source = plain;
            let mut has_folder = false;
            for Field { name, value } in &fields {
                match name.as_str() {
                    "folder" => {
                        let folder = self.folders(value).into_iter().next();
                        has_folder = folder.is_some();
                        source.folder = folder.unwrap_or_else(RepoPath::root);
                    }
                    "namespaces" => {
                        source.namespaces =
                            self.texts(value, "a namespace").into_iter().map(|(name, _)| name).collect();
                    }
                    "data" => source.data = self.folders(value),
                    _ => source.combine = self.flag(value, "`combine`"),
                }
            }
            if has_folder {
                sources.push(source);
            } else {
                let help = "write for example `{folder: policy, namespaces: [main]}`";
                self.problem(item.origin.span, "an entry of `policies` needs `folder`", help);
            }
        }
        sources
    }

    fn folders(&mut self, node: &Node) -> Vec<RepoPath> {
        let mut folders = Vec::new();
        for (text, span) in self.texts(node, "a folder") {
            match RepoPath::new(&text) {
                Some(folder) => folders.push(folder),
                None => self.problem(
                    span,
                    format!("`{text}` is not a path in this repository"),
                    "write the folder's path from the root",
                ),
            }
        }
        folders
    }

    /// One of some words, by what it stands for.
    fn one_of<T: Copy>(&mut self, node: &Node, what: &str, words: &[(&str, T)]) -> Option<T> {
        let found = words.iter().find(|(word, _)| node.as_text() == Some(*word)).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let known: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            let message = format!("{what} must be {}", known.join(" or "));
            self.problem(node.origin.span, message, format!("write one of these words, such as {}", known[0]));
        }
        found
    }

    fn load_restrictor(&mut self, node: &Node) -> Option<LoadRestrictor> {
        let fields = self.fields(node, &["loadRestrictor"], "`kustomize`");
        let words = [("none", LoadRestrictor::None), ("rootOnly", LoadRestrictor::RootOnly)];
        self.one_of(fields.first()?.value, "`loadRestrictor`", &words)
    }

    fn image_place(&mut self, node: &Node) -> Option<ImagePlace> {
        let fields = self.fields(node, &["kind", "path", "ignore"], "an entry of `images`");
        let get = |wanted: &str| fields.iter().find(|field| field.name == wanted).map(|field| field.value);
        let (Some(kind), Some(path)) = (get("kind"), get("path")) else {
            let help = "write for example `{kind: Database.example.com, path: spec.engine.image}`";
            self.problem(node.origin.span, "an entry of `images` needs `kind` and `path`", help);
            return None;
        };
        let (kind, path) = (self.text(kind, "a kind")?, self.text(path, "a path")?);
        let (kind, group) = match kind.split_once('.') {
            Some((kind, group)) => (kind.to_owned(), Some(group.to_owned())),
            None => (kind, None),
        };
        let keys = path.trim_start_matches('.').split('.').map(|key| key.trim_end_matches("[]").to_owned());
        let is_ignored = get("ignore").is_some_and(|value| self.flag(value, "`ignore`"));
        Some(ImagePlace { kind, group, path: keys.collect(), is_ignored })
    }

    /// A minor version of Kubernetes. Without quotes `1.30` would be the number 1.3.
    fn kubernetes(&mut self, node: &Node) -> Option<String> {
        let is_version = |text: &str| {
            let minor = text.strip_prefix("1.").filter(|minor| !minor.starts_with('0'));
            minor.is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit()))
        };
        match node.as_scalar() {
            Some(scalar) if scalar.kind == Kind::String && is_version(&scalar.text) => Some(scalar.text.to_string()),
            _ => {
                let help = "write a minor version in quotes, for example `kubernetes: \"1.31\"`";
                self.problem(node.origin.span, "`kubernetes` is not a version", help);
                None
            }
        }
    }

    fn all_clusters_prove(&mut self, node: &Node) -> bool {
        let fields = self.fields(node, &["clusters"], "`promotion`");
        let Some(field) = fields.first() else { return false };
        self.one_of(field.value, "`clusters`", &[("any", false), ("all", true)]).unwrap_or_default()
    }

    fn mirrors(&mut self, node: &Node) -> Mirrors {
        let Some(mapping) = node.as_mapping() else {
            self.problem(
                node.origin.span,
                format!("`mirrors` is a mapping, but this is {}", node.shape()),
                "write `registry.example.com/ghcr: ghcr.io`",
            );
            return Mirrors::default();
        };
        let mut prefixes = Vec::new();
        for (key, value) in mapping.iter() {
            let Some(original) = self.text(value, "what is mirrored") else { continue };
            let [mirror, original] = [&*key.text, &original].map(|name| name.trim_end_matches('/').to_owned());
            let named = [(&mirror, key.span), (&original, value.origin.span)];
            let wrong = named.into_iter().find(|(name, _)| name.is_empty() || name.contains(['@', ' ']));
            if let Some((name, span)) = wrong {
                let help = "write a registry or the beginning of a repository, such as `ghcr.io/example`";
                self.problem(span, format!("`{name}` is not a registry"), help);
            } else {
                prefixes.push((mirror, original));
            }
        }
        Mirrors::new(prefixes)
    }

    fn group(&mut self, node: &Node) -> Option<Group> {
        let fields = self.fields(node, &["name", "apps"], "a group");
        let get = |wanted: &str| fields.iter().find(|field| field.name == wanted).map(|field| field.value);
        let apps = get("apps").map(|value| self.texts(value, "an app's name")).unwrap_or_default();
        let (apps, places): (Vec<String>, Vec<Span>) = apps.into_iter().unzip();
        if apps.len() < 2 {
            self.problem(node.origin.span, "this group has fewer than two apps", "add `apps: [api, web]`");
            return None;
        }
        let name = get("name").map_or_else(|| Some(apps.join(" and ")), |value| self.text(value, "a name"))?;
        Some(Group { name, apps, places, span: node.origin.span })
    }

    fn dependencies(&mut self, node: &Node) -> Vec<Dependency> {
        let Some(mapping) = node.as_mapping() else {
            self.problem(
                node.origin.span,
                format!("`dependencies` is a mapping, but this is {}", node.shape()),
                "write each app and the apps that it needs: `web: [api]`",
            );
            return Vec::new();
        };
        let mut dependencies = Vec::new();
        for (key, value) in mapping.iter() {
            for (needs, span) in self.texts(value, "an app's name") {
                dependencies.push(Dependency { app: key.text.to_string(), app_span: key.span, needs, span });
            }
        }
        self.refuse_dependency_cycles(&dependencies);
        dependencies
    }

    fn refuse_dependency_cycles(&mut self, dependencies: &[Dependency]) {
        let mut needs: HashMap<&str, Vec<&Dependency>> = HashMap::new();
        for dependency in dependencies {
            needs.entry(&dependency.app).or_default().push(dependency);
        }
        // Apps on the present way, and those from which no way leads back.
        let (mut way, mut done): (HashSet<&str>, HashSet<&str>) = (HashSet::new(), HashSet::new());
        for start in dependencies {
            let mut steps = vec![(start.app.as_str(), 0)];
            way.insert(&start.app);
            while let Some((app, at)) = steps.last_mut() {
                let Some(dependency) = needs.get(app).and_then(|needs| needs.get(*at)) else {
                    way.remove(*app);
                    done.insert(app);
                    steps.pop();
                    continue;
                };
                *at += 1;
                let next = dependency.needs.as_str();
                if way.contains(next) {
                    let message = format!("`{next}` depends on itself, directly or through others");
                    let help = "remove one of the dependencies, so that one app comes first";
                    return self.problem(dependency.span, message, help);
                }
                if !done.contains(next) {
                    way.insert(next);
                    steps.push((next, 0));
                }
            }
        }
    }

    fn unknown_environment(&mut self, name: &str, span: Span, known: &[&str]) {
        let help = match nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("expected one of: {}", known.join(", ")),
        };
        self.problem(span, format!("there is no environment `{name}`"), help);
    }

    fn rules(&mut self, node: &Node, config: &Config) -> Vec<RuleSetting> {
        let Some(mapping) = node.as_mapping() else {
            self.problem(
                node.origin.span,
                format!("`rules` is a mapping, but this is {}", node.shape()),
                "write `image/unpinned: {severity: warning}`",
            );
            return Vec::new();
        };
        let mut settings = Vec::new();
        for (key, value) in mapping.iter() {
            let mut setting = RuleSetting {
                rule: key.text.to_string(),
                span: key.span,
                severities: Vec::new(),
                existing: None,
                parameters: Vec::new(),
            };
            let Some(fields) = value.as_mapping() else {
                let message = format!("the settings of a rule are a mapping, but this is {}", value.shape());
                self.problem(value.origin.span, message, "write `{severity: warning}`");
                continue;
            };
            for (name, value) in fields.iter() {
                match &*name.text {
                    "severity" => self.severity(value, config, &mut setting),
                    "existing" => {
                        let words = [("warning", Severity::Warning), ("error", Severity::Error)];
                        setting.existing = self.one_of(value, "`existing`", &words);
                    }
                    _ => setting.parameters.push((name.text.to_string(), value.clone())),
                }
            }
            settings.push(setting);
        }
        settings
    }

    /// The providers that settings of `secret/missing` and `config/missing` name.
    fn providers(&mut self, rules: &[RuleSetting]) -> Vec<Provider> {
        let mut providers = Vec::new();
        for setting in
            rules.iter().filter(|setting| matches!(setting.rule.as_str(), "secret/missing" | "config/missing"))
        {
            let named = setting.parameters.iter().filter(|(name, _)| name == "providers");
            for item in named.flat_map(|(_, node)| node.as_sequence().unwrap_or_default()) {
                let fields = self.fields(item, &["kind", "name", "keys"], "a provider");
                let text =
                    |wanted: &str| fields.iter().find(|field| field.name == wanted).and_then(|it| it.value.as_text());
                let (Some(kind), Some(name)) = (text("kind"), text("name")) else {
                    let help = "write for example `{kind: Database.example.com, name: spec.secretName}`";
                    self.problem(item.origin.span, "a provider needs `kind` and `name`", help);
                    continue;
                };
                let path = |text: &str| text.trim_start_matches('.').split('.').map(str::to_owned).collect();
                let (kind, group) = match kind.split_once('.') {
                    Some((kind, group)) => (kind.to_owned(), Some(group.to_owned())),
                    None => (kind.to_owned(), None),
                };
                let (name, keys) = (path(name), text("keys").map(path));
                providers.push(Provider { rule: setting.rule.clone(), kind, group, name, keys });
            }
        }
        providers
    }

    fn severity(&mut self, node: &Node, config: &Config, setting: &mut RuleSetting) {
        let mut take = |reader: &mut Self, environment: Option<String>, node: &Node| match node
            .as_scalar()
            .and_then(|scalar| Severity::parse(&scalar.text))
        {
            Some(severity) => setting.severities.push((environment, severity)),
            None => reader.problem(node.origin.span, "this is not a severity", "write `error`, `warning` or `off`"),
        };
        let Some(mapping) = node.as_mapping() else { return take(self, None, node) };
        let names: Vec<&str> = config.environments.iter().map(|environment| environment.name.as_str()).collect();
        for (key, value) in mapping.iter() {
            match &*key.text {
                "default" => take(self, None, value),
                name if names.contains(&name) => take(self, Some(name.to_owned()), value),
                name => self.unknown_environment(name, key.span, &names),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Bots;
    use crate::sources::{ContentId, RepoPath};
    use crate::span::Files;

    fn read_text(text: &str) -> Result<Config, Vec<(usize, String)>> {
        let files = Files::default();
        let file = files.add(&RepoPath::new("tollgate.yaml").unwrap(), ContentId::of(text.as_bytes()), text);
        read(file, text).map_err(|problems| {
            problems.into_iter().map(|problem| (files.location(problem.span).line, problem.message)).collect()
        })
    }

    #[test]
    fn a_whole_file_is_read() {
        let config = read_text(
            "version: 1\nlayout: apps/{app}/overlays/{env}\nenvironments:\n  - name: dev\n  - {name: staging, promotesFrom: dev}\n  \
             - name: production\n    aliases: [prod, \"prod-*\"]\n    promotesFrom: staging\n    protected: true\n    soak: 24h\n    \
             approvals: 2\n    bots: deny\nfreezes:\n  - name: year end\n    environments: [production]\n    \
             from: 2026-12-18T17:00\n    until: 2027-01-04T09:00\n    timeZone: Europe/Berlin\nrules:\n  \
             image/unpinned: {severity: {default: error, dev: off}}\n",
        )
        .unwrap();
        let production = &config.environments[2];
        assert_eq!((production.soak, production.approvals, production.bots), (Some(86_400), 2, Bots::Deny));
        assert_eq!(config.environment_of("prod-eu"), Some(2));
        assert_eq!(config.freezes.len(), 1);
        assert_eq!(config.rules[0].severities, [(None, Severity::Error), (Some("dev".to_owned()), Severity::Off)]);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let problems = read_text(
            "version: 2\nlayuot: x\nenvironments:\n  - name: prod\n    promotesFrom: staging\n    soak: soon\nfreezes:\n  - name: x\n    \
             environments: [prd]\n    schedule: 0 0 30 2 *\n    duration: 1h\n",
        )
        .unwrap_err();
        let lines: Vec<usize> = problems.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines.len(), 6, "{problems:?}");
        for line in [1, 2, 5, 6, 9, 10] {
            assert!(lines.contains(&line), "{line}: {problems:?}");
        }
    }

    #[test]
    fn what_belongs_together_is_read() {
        let config = read_text(
            "version: 1\nmirrors: {m.example/ghcr/: ghcr.io}\ngroups: [{name: shop, apps: [a, b]}, {apps: [c, d]}]\n\
             dependencies: {a: b, c: [a, b]}\ncontrollers: clusters/\n",
        )
        .unwrap();
        assert_eq!(config.mirrors.original("m.example/ghcr/x"), "ghcr.io/x");
        assert_eq!(config.groups.iter().map(|group| &*group.name).collect::<Vec<_>>(), ["shop", "c and d"]);
        assert_eq!((config.dependencies.len(), config.controllers[0].as_str()), (3, "clusters"));
        let problems = read_text(
            "version: 1\nmirrors: {a b: c}\ngroups: [{apps: [a]}]\ndependencies:\n  a: b\n  b: [c, a]\ncontrollers: ../x\n",
        )
        .unwrap_err();
        assert_eq!(problems.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 6, 7], "{problems:?}");
    }

    #[test]
    fn an_environment_never_promotes_from_itself() {
        let text = "version: 1\nenvironments:\n  - {name: a, promotesFrom: b}\n  - {name: b, promotesFrom: a}\n";
        assert_eq!(read_text(text).unwrap_err().len(), 1);
    }
}
