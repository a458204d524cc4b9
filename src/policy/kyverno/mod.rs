//! Policies of Kyverno (<https://kyverno.io>), on rendered objects: `validate` rules of `ClusterPolicy` and `Policy`, and
//! `ValidatingPolicy`.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use self::autogen::PolicyRule;
use self::rule::Rule;
use super::cel::{RESOURCES, Scope};
use super::checks::{Checks, Conditions, Denied, Dialect};
use super::cluster::Off;
use super::deadline;
use super::engine::DeclaredRule;
use super::resource_rules::matches;
use super::review::{PolicyObject, Review, plural, text};
use super::team_finding::{TeamFinding, TeamRule};

pub(super) use rule::base_name;

mod autogen;
mod available;
mod conditions;
mod images;
mod judging;
mod matching;
mod pattern;
mod rule;
mod values;
mod variables;

/// What the ids of these rules begin with.
pub(super) const PREFIX: &str = "kyverno/";

/// The policies of one folder.
#[derive(Default)]
pub(super) struct Kyverno {
    rules: Vec<Rule>,
    expressions: Vec<Expressions>,
    exceptions: Vec<Json>,
    exclusions: Vec<Exclusion>,
    /// Other objects of the folder, which rules may look up.
    others: Vec<Json>,
    not_applied: Vec<DeclaredRule>,
}

/// A `ValidatingPolicy`, or what is generated of it for controllers.
struct Expressions {
    declared: DeclaredRule,
    is_warning: bool,
    criteria: Json,
    checks: Checks,
    namespace: String,
}

/// An exception of a `ValidatingPolicy`.
struct Exclusion {
    policies: Vec<String>,
    conditions: Conditions,
}

impl Exclusion {
    fn read(json: &Json) -> Result<Self, String> {
        for unavailable in ["images", "allowedValues"] {
            if json.pointer(&format!("/spec/{unavailable}")).is_some_and(|it| !it.is_null()) {
                return Err(format!("`{unavailable}` of an exception is not available"));
            }
        }
        let references = json.pointer("/spec/policyRefs").and_then(Json::as_array).into_iter().flatten();
        let is_meant = |reference: &&Json| text(reference, "/kind").ends_with("ValidatingPolicy");
        Ok(Self {
            policies: references.filter(is_meant).map(|it| text(it, "/name").to_owned()).collect(),
            conditions: Conditions::read(json.get("spec").unwrap_or(&Json::Null), Dialect::Kyverno)?,
        })
    }
}

impl Kyverno {
    /// Takes up an object; says whether it is one of Kyverno's.
    ///
    /// # Errors
    /// What is wrong with it, or what it uses that is not available.
    pub(super) fn add(&mut self, object: &PolicyObject, off: &mut Off) -> Result<bool, String> {
        let json = &object.json;
        let (api_version, kind) = (text(json, "/apiVersion"), text(json, "/kind"));
        let group = api_version.split('/').next().unwrap_or_default();
        let wrong = |why: String| format!("{}:{}: {why}", object.path, object.line);
        match (group, kind) {
            ("kyverno.io", "ClusterPolicy" | "Policy") => self.add_policy(object, off).map_err(wrong)?,
            ("kyverno.io", "PolicyException") => self.exceptions.push(rule::exception(json).map_err(wrong)?),
            ("policies.kyverno.io", _) if off.takes(&format!("{PREFIX}{}", text(json, "/metadata/name"))) => {}
            ("policies.kyverno.io", "ValidatingPolicy" | "NamespacedValidatingPolicy") => {
                self.add_expressions(object).map_err(wrong)?;
            }
            ("policies.kyverno.io", "PolicyException") => {
                self.exclusions.push(Exclusion::read(json).map_err(wrong)?);
            }
            ("policies.kyverno.io", "ImageValidatingPolicy" | "NamespacedImageValidatingPolicy") => {
                return Err(wrong(format!("policies of the kind `{kind}` ({api_version}) are not evaluated")));
            }
            // What changes, makes or deletes objects does not judge them.
            ("policies.kyverno.io" | "kyverno.io", _) => {
                self.not_applied.push(declared(object, text(json, "/metadata/name"), kind));
            }
            _ => {
                self.others.push(json.clone());
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn add_policy(&mut self, object: &PolicyObject, off: &mut Off) -> Result<(), String> {
        let policy = text(&object.json, "/metadata/name");
        for PolicyRule { json, is_generated } in autogen::rules(&object.json) {
            let name = text(&json, "/name").to_owned();
            let declared = declared(object, policy, if is_generated { base_name(&name) } else { &name });
            if off.takes(&id(&declared)) {
                continue;
            }
            if json.get("verifyImages").is_some() {
                return Err(format!("the rule `{name}` verifies images (`verifyImages`), which is not available"));
            }
            if json.get("validate").is_none() {
                if json.get("mutate").is_none() && json.get("generate").is_none() {
                    return Err(format!("the rule `{name}` has none of `validate`, `mutate` and `generate`"));
                }
                self.not_applied.push(declared);
                continue;
            }
            self.rules
                .push(Rule::read(&object.json, json, declared).map_err(|why| format!("the rule `{name}`: {why}"))?);
        }
        Ok(())
    }

    fn add_expressions(&mut self, object: &PolicyObject) -> Result<(), String> {
        let json = &object.json;
        let spec = json.get("spec").ok_or("the policy has no `spec`")?;
        let actions = spec.get("validationActions").and_then(Json::as_array);
        let has = |action: &str| actions.is_some_and(|actions| actions.iter().any(|it| *it == action));
        for spec in autogen::specifications(spec) {
            self.expressions.push(Expressions {
                declared: declared(object, text(json, "/metadata/name"), ""),
                is_warning: actions.is_some() && !has("Deny"),
                checks: Checks::read(&spec, "validations", Dialect::Kyverno)?,
                criteria: spec.get("matchConstraints").cloned().ok_or("the policy has no `matchConstraints`")?,
                namespace: text(json, "/metadata/namespace").to_owned(),
            });
        }
        Ok(())
    }

    /// All rules, each once, whatever is generated of it.
    pub(super) fn rules(&self) -> impl Iterator<Item = TeamRule> {
        let judging = self.rules.iter().map(|it| &it.declared).chain(self.expressions.iter().map(|it| &it.declared));
        let judging = judging.map(|declared| (declared, true));
        let all = judging.chain(self.not_applied.iter().map(|declared| (declared, false)));
        let rules: BTreeSet<TeamRule> =
            all.map(|(declared, judges)| TeamRule { id: id(declared), declared: declared.clone(), judges }).collect();
        rules.into_iter()
    }

    /// What the policies find in an object.
    ///
    /// # Errors
    /// When there is no answer here.
    pub(super) fn judge(&self, review: &Review<'_>) -> Result<Vec<TeamFinding>, String> {
        let mut found = Vec::new();
        for said in self.say(review, None, |_| true)? {
            let finding = |denied: Denied| TeamFinding {
                rule: id(said.declared),
                is_warning: said.is_warning,
                declared: Some(said.declared.clone()),
                ..TeamFinding::from(denied)
            };
            match said.status {
                Status::Passes | Status::Skips => {}
                Status::Fails(denied) => found.extend(denied.into_iter().map(finding)),
                Status::Errs(why) => {
                    let message = format!("the rule cannot be evaluated: {why}");
                    found.push(finding(Denied { message, field: None }));
                }
            }
        }
        Ok(found)
    }

    /// What the rules of policies say of an object that they are about. `mocks` are values that a test gives to variables.
    ///
    /// # Errors
    /// When there is no answer here.
    pub(super) fn say(
        &self,
        review: &Review<'_>,
        mocks: Option<&Mocks>,
        is_asked: impl Fn(&str) -> bool,
    ) -> Result<Vec<Said<'_>>, String> {
        let mut all = Vec::new();
        let mut document = None;
        for rule in self.rules.iter().filter(|rule| is_asked(&rule.declared.package) && rule.is_about(review)) {
            let document = document.get_or_insert_with(|| request(review, mocks));
            deadline::begin();
            all.push(Said {
                policy: &rule.declared.package,
                rule: rule.name.clone(),
                declared: &rule.declared,
                is_warning: rule.is_warning(review),
                status: self.status(rule, review, document)?,
            });
        }
        for policy in self.expressions.iter().filter(|policy| is_asked(&policy.declared.package)) {
            let is_there =
                policy.namespace.is_empty() || policy.namespace == text(review.object, "/metadata/namespace");
            if !is_there || !matches(&policy.criteria, review, false) {
                continue;
            }
            let DeclaredRule { package, path, line, .. } = &policy.declared;
            let failed = |why: String| format!("{path}:{line}: the policy `{package}`: {why}");
            deadline::begin();
            let mut status = Status::Skips;
            if !self.is_excluded(package, review).map_err(failed)? {
                let scope = scope(&policy.checks, review, &self.others).map_err(failed)?;
                status = policy.checks.judge(scope).map_err(failed)?.into();
            }
            let (declared, is_warning) = (&policy.declared, policy.is_warning);
            all.push(Said { policy: package, rule: String::new(), declared, is_warning, status });
        }
        Ok(all)
    }

    /// Whether a policy has a rule of this name; one in CEL has none.
    pub(super) fn has(&self, policy: &str, rule: &str) -> bool {
        let has_rule = |it: &Rule| it.declared.package == policy && (it.name == rule || it.declared.name == rule);
        self.rules.iter().any(has_rule) || self.expressions.iter().any(|it| it.declared.package == policy)
    }

    /// Whether a rule changes or makes objects.
    pub(super) fn changes(&self, policy: &str, rule: &str) -> bool {
        self.not_applied.iter().any(|it| it.package == policy && (rule.is_empty() || it.name == base_name(rule)))
    }

    /// Whether an exception takes an object out of a `ValidatingPolicy`.
    fn is_excluded(&self, policy: &str, review: &Review<'_>) -> Result<bool, String> {
        for exclusion in self.exclusions.iter().filter(|it| it.policies.iter().any(|name| name == policy)) {
            if exclusion.conditions.hold(&review.scope()?.inner())? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn status(&self, rule: &Rule, review: &Review<'_>, document: &mut Json) -> Result<Status, String> {
        let DeclaredRule { package, name, path, line } = &rule.declared;
        let failed = |why: String| format!("{path}:{line}: the rule `{package}.{name}`: {why}");
        for exception in &self.exceptions {
            if rule.is_excepted(exception, review, document).map_err(failed)? {
                return Ok(Status::Skips);
            }
        }
        rule.apply(review, document, &self.others).map_err(failed)
    }
}

/// Values that a test gives to variables, by their dotted names.
pub(super) type Mocks = Map<String, Json>;

/// What a rule says of an object.
pub(super) struct Said<'a> {
    pub(super) policy: &'a str,
    /// Its name, with what generated rules begin with.
    pub(super) rule: String,
    declared: &'a DeclaredRule,
    is_warning: bool,
    pub(super) status: Status,
}

/// What a rule comes to.
pub(super) enum Status {
    Passes,
    Skips,
    Fails(Vec<Denied>),
    /// It cannot be evaluated, in a cluster neither.
    Errs(String),
}

impl Status {
    /// As Kyverno names it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Passes => "pass",
            Self::Skips => "skip",
            Self::Fails(_) => "fail",
            Self::Errs(_) => "error",
        }
    }

    /// What there is to say of it.
    pub(super) fn message(&self) -> Option<String> {
        match self {
            Self::Passes | Self::Skips => None,
            Self::Fails(denied) => denied.first().map(|denied| denied.message.clone()),
            Self::Errs(why) => Some(why.clone()),
        }
    }
}

impl From<Option<Vec<Denied>>> for Status {
    fn from(denied: Option<Vec<Denied>>) -> Self {
        match denied {
            None => Self::Skips,
            Some(denied) if denied.is_empty() => Self::Passes,
            Some(denied) => Self::Fails(denied),
        }
    }
}

fn declared(object: &PolicyObject, policy: &str, rule: &str) -> DeclaredRule {
    DeclaredRule { package: policy.to_owned(), name: rule.to_owned(), path: object.path.clone(), line: object.line }
}

fn id(declared: &DeclaredRule) -> String {
    match declared.name.as_str() {
        "" => format!("{PREFIX}{}", declared.package),
        name => format!("{PREFIX}{}.{name}", declared.package),
    }
}

/// What variables are looked up in, for every rule.
fn request(review: &Review<'_>, mocks: Option<&Mocks>) -> Json {
    let object = review.object;
    let (group, version) = super::review::group_and_version(text(object, "/apiVersion"));
    let kind = text(object, "/kind");
    let mut document = json!({
        "request": {
            "object": object,
            "operation": review.operation(),
            "namespace": if kind == "Namespace" { text(object, "/metadata/name") } else { text(object, "/metadata/namespace") },
            "name": text(object, "/metadata/name"),
            "kind": {"group": group, "version": version, "kind": kind},
            "dryRun": false,
        },
    });
    if let Some(images) = images::of(object) {
        document["images"] = images;
    }
    if let Some(old) = review.old {
        document["request"]["oldObject"] = old.clone();
    }
    for (name, value) in mocks.into_iter().flatten() {
        set(&mut document, name, value.clone());
    }
    document
}

/// The names that expressions see, with what they can look up: what is in the folder of the policies, else what was there before the
/// change.
fn scope<'s>(checks: &Checks, review: &'s Review<'_>, others: &[Json]) -> Result<Scope<'s>, String> {
    let mut scope = review.scope()?.inner();
    if checks.looks_up {
        let mut resources = Map::new();
        for object in review.base.unwrap_or(review.all).iter().chain(others) {
            let (api_version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
            let (place, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
            resources.insert(format!("{api_version}/{}/{place}/{name}", plural(kind)), object.clone());
        }
        scope.set(RESOURCES, &Json::Object(resources));
    }
    Ok(scope)
}

/// Puts a value under a dotted name.
fn set(document: &mut Json, name: &str, value: Json) {
    let mut here = document;
    for step in name.split('.') {
        if !here.is_object() {
            *here = json!({});
        }
        here = &mut here[step];
    }
    *here = value;
}
