//! Policies of the repository itself: reads them from the side that is trusted, and asks them about what is rendered.

mod field;
mod read;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use self::field::{Resolved, resolved};
use self::read::{data_of, files_of, is_test_material, objects_of, text_of};
use super::GateError;
use crate::config::PolicySource;
use crate::finding::{Finding, Label, Object, Place, Severity};
use crate::kustomize::{ParsedFiles, Rendering, secrets_in};
use crate::model::{RenderedOverlay, describe};
use crate::policy::{
    ClusterPolicies, Conftest, Module, PolicyObject, Reached, Review, Rule, RuleSet, TeamFinding, TeamRule, Tested,
    is_own_style, run_suite, run_tests, settings, with_room,
};
use crate::sources::{RepoPath, Tree};
use crate::span::{FileId, STARS, Span};
use crate::words;
use crate::yaml::{Node, to_json};

/// The policies that the configuration names.
#[derive(Default)]
pub(super) struct TeamPolicies {
    conftest: Vec<Conftest>,
    cluster: Vec<ClusterPolicies>,
    /// Their files, by path.
    files: BTreeMap<String, FileId>,
}

impl TeamPolicies {
    /// Their files, by path.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, FileId)> {
        self.files.iter().map(|(path, file)| (path.as_str(), *file))
    }

    /// Reads the policies of a tree.
    ///
    /// # Errors
    /// When a file cannot be read, or is no policy.
    pub(super) fn read(
        tree: &dyn Tree,
        sources: &[PolicySource],
        off: &BTreeSet<String>,
        files: &ParsedFiles,
    ) -> Result<Self, GateError> {
        let Some(first) = sources.first() else { return Ok(Self::default()) };
        let no_room = |why: String| GateError::Policies { folder: first.folder.to_string(), why };
        with_room(|| Self::read_all(tree, sources, off, files)).map_err(no_room)?
    }

    fn read_all(
        tree: &dyn Tree,
        sources: &[PolicySource],
        off: &BTreeSet<String>,
        files: &ParsedFiles,
    ) -> Result<Self, GateError> {
        let mut read = Self::default();
        for source in sources {
            let broken = |why: String| GateError::Policies { folder: source.folder.to_string(), why };
            let mut texts = Vec::new();
            let mut has_rego = false;
            let mut cluster = ClusterPolicies::without(off.clone());
            for path in files_of(tree, &source.folder)? {
                let is_data = source.data.iter().any(|folder| path.is_within(folder));
                let is_rego = path.ending() == "rego" && !path.file_name().ends_with("_test.rego");
                let is_test = is_test_material(&path, &source.folder);
                let is_yaml = matches!(path.ending(), "yaml" | "yml" | "json") && !is_data && !is_test;
                if !is_rego && !is_yaml {
                    continue;
                }
                let (id, text) = text_of(tree, &path, &source.folder)?;
                let file = files.files.add(&path, id, &text);
                read.files.insert(path.to_string(), file);
                if is_rego {
                    if !is_own_style(&text) {
                        texts.push((path.to_string(), text));
                    }
                    has_rego = true;
                } else {
                    for object in objects_of(&path, file, files).map_err(broken)? {
                        cluster.add(&object).map_err(broken)?;
                    }
                }
            }
            cluster.complete().map_err(broken)?;
            if !has_rego && cluster.is_empty() {
                return Err(broken("there is no Rego and no policy in it".to_owned()));
            }
            let data = data_of(source, tree, files)?;
            if !texts.is_empty() {
                let modules: Vec<Module<'_>> = texts.iter().map(|(path, text)| Module { path, text }).collect();
                let policies = Conftest::new(&modules, &data, &source.namespaces, source.combine);
                read.conftest.push(policies.map_err(broken)?);
            }
            read.cluster.push(cluster);
        }
        Ok(read)
    }

    /// All rules but those that are off.
    pub(super) fn rules(&self) -> impl Iterator<Item = TeamRule> {
        self.conftest.iter().flat_map(Conftest::rules).chain(self.cluster.iter().flat_map(ClusterPolicies::rules))
    }

    /// Whether there is a rule of this name.
    pub(super) fn has(&self, rule: &str) -> bool {
        let mut ids =
            self.conftest.iter().flat_map(Conftest::ids).chain(self.cluster.iter().flat_map(ClusterPolicies::ids));
        ids.any(|id| id == rule)
    }

    /// Whether there is a rule of this name that is off.
    pub(super) fn has_off(&self, rule: &str) -> bool {
        self.cluster.iter().any(|policies| policies.has_off(rule))
    }

    /// What the policies find in a rendering; with `only`, the findings of one rule. `before` is what was there before the change,
    /// where that is asked about.
    pub(super) fn judge(
        &self,
        side: &RenderedOverlay,
        before: Option<&RenderedOverlay>,
        asked: &Asked<'_>,
        only: Option<&str>,
    ) -> Result<Vec<Finding>, GateError> {
        let is_asked_at_all = only.is_none_or(|only| self.has(only)) && !self.is_empty();
        let Some(rendering) = side.rendering.as_ref().filter(|_| side.renders() && is_asked_at_all) else {
            return Ok(Vec::new());
        };
        let no_room = |why: String| GateError::PolicyFailed { overlay: asked.place.overlay.clone(), why };
        with_room(|| self.judge_rendering(rendering, before, asked, only)).map_err(no_room)?
    }

    fn judge_rendering(
        &self,
        rendering: &Rendering,
        before: Option<&RenderedOverlay>,
        asked: &Asked<'_>,
        only: Option<&str>,
    ) -> Result<Vec<Finding>, GateError> {
        let secrets = secrets_of(rendering, before);
        let failed =
            |why: String| GateError::PolicyFailed { overlay: asked.place.overlay.clone(), why: without(&secrets, why) };
        let mut findings = Vec::new();
        let all: Vec<Json> = rendering.objects.iter().map(to_json).collect();
        for policies in self.conftest.iter().filter(|it| is_asked(only, it.ids())) {
            if policies.combines {
                let item = |(node, json): (&Node, &Json)| {
                    let path = asked.files.files.get(node.origin.span.file).path.to_string();
                    serde_json::json!({"path": path, "contents": json})
                };
                let together: Json = rendering.objects.iter().zip(&all).map(item).collect();
                let found = policies.judge(&together).map_err(failed)?;
                findings.extend(found.into_iter().map(|found| self.finding(found, None, asked)));
                continue;
            }
            for (node, json) in rendering.objects.iter().zip(&all) {
                let found = policies.judge(json).map_err(failed)?;
                findings.extend(found.into_iter().map(|found| self.finding(found, Some(node), asked)));
            }
        }
        let nodes_before = before.and_then(|before| before.rendering.as_ref()).map(|it| it.objects.as_slice());
        // What does not render had nothing that counts.
        let all_before: Option<Vec<Json>> =
            before.map(|_| nodes_before.unwrap_or_default().iter().map(to_json).collect());
        let is_new = before.is_some_and(|before| !before.exists);
        let old: HashMap<Object, &Json> =
            nodes_before.into_iter().flatten().map(identity).zip(all_before.iter().flatten()).collect();
        let asked_policies: Vec<_> = self.cluster.iter().filter(|it| is_asked(only, it.ids())).collect();
        for (node, json) in rendering.objects.iter().zip(&all).filter(|_| !asked_policies.is_empty()) {
            let review =
                Review::new(json, old.get(&identity(node)).copied(), &all).with_base(all_before.as_deref(), is_new);
            for policies in &asked_policies {
                let found = policies.judge(&review).map_err(failed)?;
                findings.extend(found.into_iter().map(|found| self.finding(found, Some(node), asked)));
            }
        }
        findings.retain(|finding| only.is_none_or(|only| finding.rule == only));
        for finding in &mut findings {
            finding.message = without(&secrets, std::mem::take(&mut finding.message));
            finding.subject = finding.subject.take().map(|subject| without(&secrets, subject));
        }
        Ok(findings)
    }

    fn is_empty(&self) -> bool {
        self.conftest.is_empty() && self.cluster.is_empty()
    }

    fn finding(&self, found: TeamFinding, node: Option<&Node>, asked: &Asked<'_>) -> Finding {
        let Asked { place, own, files } = *asked;
        let field = node.zip(found.field.as_deref()).and_then(|(node, field)| resolved(node, field));
        // Another value of the same field is another fault.
        let subject = match &field {
            Some(Resolved { name, value, .. }) => {
                let digest = words::hexadecimal(&Sha256::digest(to_json(value).to_string()));
                format!("{} {name} {}", found.message, &digest[..16])
            }
            None => found.message.clone(),
        };
        let (span, path) = match (&field, node) {
            (Some(Resolved { origin, pointer, .. }), _) => (origin.span, Some(pointer.clone())),
            (None, Some(node)) => (node.get("kind").map_or(node.origin.span, |kind| kind.origin.span), None),
            (None, None) => (own, None),
        };
        let declared = found.declared.as_ref();
        let file = declared.and_then(|rule| Some((*self.files.get(&rule.path)?, rule.line)));
        let help = declared.map(|rule| format!("see what the policy asks for: `{}`, line {}", rule.path, rule.line));
        Finding {
            rule: found.rule,
            severity: if found.is_warning { Severity::Warning } else { Severity::Error },
            subject: Some(subject),
            message: found.message,
            primary: Label { span, text: "the policy is about this".to_owned() },
            related: file
                .map(|(file, line)| Label { span: line_of(files, file, line), text: "the policy".to_owned() })
                .into_iter()
                .collect(),
            notes: Vec::new(),
            help,
            place: Some(place.clone()),
            object: node.map(describe),
            path,
            existing: false,
            is_strict: false,
            waived: None,
            undecided: false,
        }
    }
}

/// What no message may tell: contents of rendered Secrets, also decoded. What is shorter than this is in many texts.
fn secrets_of(rendering: &Rendering, before: Option<&RenderedOverlay>) -> Vec<String> {
    const SHORTEST: usize = 4;
    let before =
        before.and_then(|before| before.rendering.as_ref()).map(|it| it.objects.as_slice()).unwrap_or_default();
    let mut secrets = Vec::new();
    for object in rendering.objects.iter().chain(before) {
        secrets_in(object, &mut |node| {
            let Some(text) = node.as_text() else { return };
            let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            for value in [Some(text.to_owned()), decoded].into_iter().flatten() {
                // As a policy may tell it: as JSON, without what is around it, or a line of it.
                let as_json = Json::String(value.clone()).to_string();
                let lines = value.lines().map(|line| line.trim().to_owned());
                let forms = lines.chain([as_json.trim_matches('"').to_owned(), value.trim().to_owned(), value.clone()]);
                secrets.extend(forms.filter(|form| form.len() >= SHORTEST));
            }
        });
    }
    // A longer one may hold a shorter one.
    secrets.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
    secrets.dedup();
    secrets
}

fn without(secrets: &[String], text: String) -> String {
    secrets.iter().fold(text, |text, secret| if text.contains(secret) { text.replace(secret, STARS) } else { text })
}

fn is_asked(only: Option<&str>, mut ids: impl Iterator<Item = String>) -> bool {
    only.is_none_or(|only| ids.any(|id| id == only))
}

/// An object whatever version of its API it is written for.
fn identity(node: &Node) -> Object {
    let object = describe(node);
    let group = object.api_version.split_once('/').map_or("", |(group, _)| group).to_owned();
    Object { api_version: group, ..object }
}

/// What is asked about.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) place: &'a Place,
    /// The line that stands for the overlay as a whole.
    pub(super) own: Span,
    pub(super) files: &'a ParsedFiles,
}

/// A line of a file, from 1, without what is blank before it.
fn line_of(files: &ParsedFiles, file: FileId, line: u32) -> Span {
    let source = files.files.get(file);
    let (start, end) = source.line_range(line.saturating_sub(1) as usize);
    Span { file, start, end }
}

/// The built-in rules, and those of the same style in the folders of a snapshot.
///
/// # Errors
/// When one cannot be read.
pub(super) fn rule_set(tree: &dyn Tree, sources: &[PolicySource]) -> Result<RuleSet, GateError> {
    let built_in = RuleSet::built_in()?;
    let mut own: Vec<(String, String)> = Vec::new();
    for source in sources {
        for path in files_of(tree, &source.folder)? {
            if path.ending() == "rego" && !path.file_name().ends_with("_test.rego") {
                let (_, text) = text_of(tree, &path, &source.folder)?;
                let is_known = own.iter().any(|(known, _)| known == path.as_str());
                if is_own_style(&text) && !is_known {
                    own.push((path.to_string(), text));
                }
            }
        }
    }
    let Some(first) = sources.first() else { return Ok(built_in) };
    let broken = |why: String| GateError::Policies { folder: first.folder.to_string(), why };
    let modules: Vec<Module<'_>> = own.iter().map(|(path, text)| Module { path, text }).collect();
    with_room(|| built_in.with(&modules)).and_then(|it| it).map_err(broken)
}

/// The rules of a snapshot: the built-in ones and those of the same style, and those of teams.
///
/// # Errors
/// When a policy cannot be read.
pub fn all_rules(tree: &dyn Tree, files: &ParsedFiles) -> Result<(&'static [Rule], Vec<TeamRule>), GateError> {
    let config = super::trusted::read_config(tree, files)?;
    let set = rule_set(tree, &config.policies)?;
    let settings = settings(&config, set.rules).map_err(GateError::Config)?;
    let policies = TeamPolicies::read(tree, &config.policies, &settings.teams_off(), files)?;
    Ok((set.rules, policies.rules().collect()))
}

/// The tests in a folder of policies.
pub struct TestedFolder {
    /// The folder.
    pub folder: RepoPath,
    /// Its tests.
    pub tests: Vec<Tested>,
    /// Which lines of its policies they have reached.
    pub reached: Vec<Reached>,
    /// How many results of tests are about rules that change or make objects.
    pub left_out: usize,
}

/// Runs the tests of a snapshot's policies: those of the folders that its configuration names, or of one folder.
///
/// # Errors
/// When a policy or its data cannot be read.
pub fn test_policies(
    tree: &dyn Tree,
    folder: Option<&RepoPath>,
    files: &ParsedFiles,
) -> Result<Vec<TestedFolder>, GateError> {
    let mut sources = super::trusted::read_config(tree, files)?.policies;
    if let Some(folder) = folder {
        sources.retain(|source| source.folder == *folder);
        if sources.is_empty() {
            sources.push(PolicySource {
                folder: folder.clone(),
                namespaces: Vec::new(),
                data: Vec::new(),
                combine: false,
            });
        }
    }
    let mut tested = Vec::new();
    for source in &sources {
        let broken = |why: String| GateError::Policies { folder: source.folder.to_string(), why };
        let mut texts = Vec::new();
        let mut suites = Vec::new();
        for path in files_of(tree, &source.folder)? {
            match path.ending() {
                "rego" => texts.push((path.to_string(), text_of(tree, &path, &source.folder)?.1)),
                "yaml" | "yml" => {
                    let (id, text) = text_of(tree, &path, &source.folder)?;
                    if SUITES.iter().any(|group| text.contains(group)) {
                        let file = files.files.add(&path, id, &text);
                        suites.extend(
                            objects_of(&path, file, files).map_err(broken)?.into_iter().map(|it| (path.clone(), it)),
                        );
                    }
                }
                _ => {}
            }
        }
        let modules: Vec<Module<'_>> = texts.iter().map(|(path, text)| Module { path, text }).collect();
        let data = data_of(source, tree, files)?;
        let run = || {
            let (mut tests, reached) =
                if modules.is_empty() { Default::default() } else { run_tests(&modules, &data)? };
            let mut left_out = 0;
            for (path, object) in &suites {
                let read = |relative: &str| objects_beside(path, relative, tree, files);
                let suite = run_suite(object, &read).unwrap_or_default();
                tests.extend(suite.tests);
                left_out += suite.left_out;
            }
            Ok(TestedFolder { folder: source.folder.clone(), tests, reached, left_out })
        };
        tested.push(with_room(run).and_then(|it| it).map_err(broken)?);
    }
    Ok(tested)
}

/// The API groups of tests that policies bring along.
const SUITES: [&str; 2] = ["cli.kyverno.io/", "test.gatekeeper.sh/"];

/// The objects of a file that a test names, by its path from the folder of the test.
fn objects_beside(
    test: &RepoPath,
    relative: &str,
    tree: &dyn Tree,
    files: &ParsedFiles,
) -> Result<Vec<PolicyObject>, String> {
    let folder = test.parent().unwrap_or_else(RepoPath::root);
    let path = folder.join(relative).ok_or_else(|| format!("`{relative}` is not a path in this repository"))?;
    let (id, text) = text_of(tree, &path, &folder).map_err(|error| error.to_string())?;
    objects_of(&path, files.files.add(&path, id, &text), files)
}
