//! One `validate` rule, and what it says of an object.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value as Json, json};

use super::autogen::is_controller;
use super::conditions::{hold, is_operator};
use super::matching::is_about;
use super::pattern::{Match, matches};
use super::variables::{Variables, found_in, inside};
use super::{Status, scope, set};
use crate::config::glob_matches;
use crate::policy::checks::{Checks, Denied, Dialect};
use crate::policy::deadline;
use crate::policy::engine::DeclaredRule;
use crate::policy::jmespath::{Expression, Failed};
use crate::policy::review::{Review, Unknown, namespace, selects, text};
use crate::yaml::pointer_token;

/// A rule, also one that is generated for controllers.
pub(super) struct Rule {
    pub(super) declared: DeclaredRule,
    /// Its name, with what generated rules begin with.
    pub(super) name: String,
    json: Json,
    expressions: Option<Checks>,
    /// What is done about what fails: of the rule, then of the policy.
    actions: [Action; 2],
    /// The namespace of a policy that has one.
    place: String,
}

/// `Enforce` or `Audit`, and where something else counts.
struct Action {
    usual: Option<String>,
    overrides: Vec<Json>,
}

impl Action {
    fn read(json: Option<&Json>, usual: &str, overrides: &str) -> Self {
        let get = |name: &str| json.and_then(|json| json.get(name));
        Self {
            usual: get(usual).and_then(Json::as_str).map(str::to_owned),
            overrides: get(overrides).and_then(Json::as_array).cloned().unwrap_or_default(),
        }
    }

    /// What counts for an object. What is not known does not make it less strict.
    fn of(&self, review: &Review<'_>) -> Option<&str> {
        let place = namespace(review.object);
        let fits = |entry: &&Json| {
            let action = text(entry, "/action");
            let tightens = action.eq_ignore_ascii_case("enforce");
            let unknown = if tightens { Unknown::Fits } else { Unknown::Differs };
            let places = entry.get("namespaces").and_then(Json::as_array).filter(|places| !places.is_empty());
            let is_named = places.is_none_or(|places| {
                let mut patterns = places.iter().filter_map(Json::as_str);
                if place.is_empty() { tightens } else { patterns.any(|pattern| glob_matches(pattern, place)) }
            });
            let is_selected = entry
                .get("namespaceSelector")
                .is_none_or(|selector| review.fits_namespace(selector, unknown, selects(selector, None), selects));
            is_named && is_selected
        };
        let found = self.overrides.iter().find(fits).map(|entry| text(entry, "/action"));
        found.or(self.usual.as_deref())
    }
}

/// The name without what generated rules begin with.
pub(in crate::policy) fn base_name(name: &str) -> &str {
    let rest = name.strip_prefix("autogen-").map(|rest| rest.strip_prefix("cronjob-").unwrap_or(rest));
    rest.unwrap_or(name)
}

/// What `validate` can hold.
const KINDS: [&str; 5] = ["pattern", "anyPattern", "deny", "foreach", "cel"];
/// What only the API server knows about a request.
const UNKNOWN: [&str; 5] =
    ["request.userInfo", "request.roles", "request.clusterRoles", "serviceAccountName", "serviceAccountNamespace"];

impl Rule {
    /// Reads a rule of a policy.
    ///
    /// # Errors
    /// What is wrong with it, or what it uses that is not available.
    pub(super) fn read(policy: &Json, json: Json, declared: DeclaredRule) -> Result<Self, String> {
        let validate = json.get("validate").unwrap_or(&Json::Null);
        let fields = validate.as_object().ok_or("`validate` is not a mapping")?;
        for unavailable in ["podSecurity", "manifests", "assert"] {
            if fields.contains_key(unavailable) {
                return Err(format!("`validate.{unavailable}` is not available"));
            }
        }
        if !KINDS.iter().any(|kind| fields.contains_key(*kind)) {
            return Err(format!("`validate` has none of {}", KINDS.map(|kind| format!("`{kind}`")).join(", ")));
        }
        check_parts(&json)?;
        let expressions = validate.get("cel").map(|cel| {
            let mut spec = cel.clone();
            for unavailable in ["paramKind", "paramRef"] {
                if spec.get(unavailable).is_some_and(|it| !it.is_null()) {
                    return Err(format!("`validate.cel.{unavailable}` is not available"));
                }
            }
            spec["matchConditions"] = json.get("celPreconditions").cloned().unwrap_or(Json::Null);
            Checks::read(&spec, "expressions", Dialect::Kyverno)
        });
        let of_rule = Action::read(Some(validate), "failureAction", "failureActionOverrides");
        let spec = policy.get("spec");
        let of_policy = Action::read(spec, "validationFailureAction", "validationFailureActionOverrides");
        Ok(Self {
            declared,
            name: text(&json, "/name").to_owned(),
            expressions: expressions.transpose()?,
            actions: [of_rule, of_policy],
            place: text(policy, "/metadata/namespace").to_owned(),
            json,
        })
    }

    pub(super) fn is_about(&self, review: &Review<'_>) -> bool {
        // What is generated is for controllers only, whatever else the rule is about.
        let is_generated = self.name != self.declared.name;
        let is_meant = !is_generated || is_controller(text(review.object, "/kind"));
        is_meant && is_about(&self.json, &self.place, review, Unknown::Fits)
    }

    /// Whether the rule only warns about an object.
    pub(super) fn is_warning(&self, review: &Review<'_>) -> bool {
        let action = self.actions.iter().find_map(|action| action.of(review));
        !action.is_some_and(|action| action.eq_ignore_ascii_case("enforce"))
    }

    /// Whether an exception takes an object out of the rule.
    pub(super) fn is_excepted(&self, exception: &Json, review: &Review<'_>, document: &Json) -> Result<bool, String> {
        let spec = exception.get("spec").unwrap_or(&Json::Null);
        let entries = spec.get("exceptions").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let policy = match self.place.as_str() {
            "" => self.declared.package.clone(),
            place => format!("{place}/{}", self.declared.package),
        };
        let names_it = entries.iter().any(|entry| {
            let named = text(entry, "/policyName");
            let rules = entry.get("ruleNames").and_then(Json::as_array);
            let mut rules = rules.into_iter().flatten().filter_map(Json::as_str);
            named == policy && rules.any(|pattern| glob_matches(pattern, &self.name))
        });
        if !names_it || !is_about(spec, "", review, Unknown::Differs) {
            return Ok(false);
        }
        match hold(spec.get("conditions").unwrap_or(&Json::Null), &Variables { document }) {
            Ok(held) => Ok(held.holds),
            Err(Failed::Unanswered(why)) => Err(why),
            Err(_) => Ok(false),
        }
    }

    /// What the rule says of an object that it is about.
    ///
    /// # Errors
    /// When there is no answer here.
    pub(super) fn apply(&self, review: &Review<'_>, document: &mut Json, others: &[Json]) -> Result<Status, String> {
        if let Some(checks) = &self.expressions {
            return checks.judge(scope(checks, review, others)?).map(Status::from);
        }
        let asked = Asked { review, others, message: text(&self.json, "/validate/message"), rule: &self.declared.name };
        let validate = self.json.get("validate").unwrap_or(&Json::Null);
        match asked.judge(&self.json, validate, document, &Level::default())? {
            Judged::Said(outcome) => Ok(outcome),
            Judged::NotEvaluated(why) => Ok(Status::Errs(why)),
        }
    }
}

/// Reads an exception.
///
/// # Errors
/// What it uses that is not available.
pub(super) fn exception(json: &Json) -> Result<Json, String> {
    if json.pointer("/spec/podSecurity").is_some_and(|it| !it.is_null()) {
        return Err("`podSecurity` of an exception is not available".to_owned());
    }
    check_conditions(json.pointer("/spec/conditions").unwrap_or(&Json::Null))?;
    check_texts(json)?;
    Ok(json.clone())
}

/// Names what a rule uses that is not available: before it lands, and not when it is first needed.
fn check_parts(part: &Json) -> Result<(), String> {
    for entry in part.get("context").and_then(Json::as_array).into_iter().flatten() {
        let name = text(entry, "/name");
        for unavailable in ["apiCall", "imageRegistry", "globalReference"] {
            if entry.get(unavailable).is_some() {
                return Err(format!(
                    "its context `{name}` asks a cluster or a registry (`{unavailable}`), which is not available"
                ));
            }
        }
    }
    check_conditions(part.get("preconditions").unwrap_or(&Json::Null))?;
    let validate = part.get("validate").unwrap_or(part);
    check_conditions(validate.pointer("/deny/conditions").unwrap_or(&Json::Null))?;
    for inner in validate.get("foreach").and_then(Json::as_array).into_iter().flatten() {
        if let Some(list) = inner.get("list").and_then(Json::as_str).filter(|list| !list.contains("{{")) {
            Expression::read(list)?;
        }
        check_parts(inner)?;
    }
    check_texts(part)
}

fn check_conditions(conditions: &Json) -> Result<(), String> {
    match conditions {
        Json::Array(items) => items.iter().try_for_each(check_conditions),
        Json::Object(fields) => {
            if let Some(operator) = fields.get("operator").and_then(Json::as_str)
                && !is_operator(operator)
            {
                return Err(format!("the operator `{operator}` is not known"));
            }
            ["any", "all"].iter().filter_map(|name| fields.get(*name)).try_for_each(check_conditions)
        }
        _ => Ok(()),
    }
}

static REFERENCE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?:^|[^\\])\$\([./][^ ]*\)").ok());

/// Looks at the variables of all texts.
fn check_texts(value: &Json) -> Result<(), String> {
    match value {
        Json::String(text) => {
            if text.contains("{{") {
                check_known(text)?;
            }
            if REFERENCE.as_ref().is_some_and(|reference| reference.is_match(text)) {
                return Err(format!("references such as `{text}` are not available"));
            }
            for variable in found_in(text) {
                let (expression, _) = inside(variable);
                // What is built of other variables is only known when it is needed.
                if expression != "@" && found_in(text).len() == text.matches("{{").count() {
                    Expression::read(expression)?;
                }
            }
            Ok(())
        }
        Json::Array(items) => items.iter().try_for_each(check_texts),
        Json::Object(fields) => fields.iter().try_for_each(|(key, value)| {
            if matches!(key.as_str(), "jmesPath" | "list") {
                check_known(value.as_str().unwrap_or_default())?;
            }
            check_texts(value)
        }),
        _ => Ok(()),
    }
}

/// Whether an expression asks only what is known.
fn check_known(expression: &str) -> Result<(), String> {
    let plain = expression.replace(['"', ' '], "");
    match UNKNOWN.iter().find(|unknown| plain.contains(**unknown)) {
        Some(unknown) => Err(format!("`{unknown}` is not known before a change is applied")),
        None => Ok(()),
    }
}

/// What a part of a rule is asked with.
struct Asked<'a> {
    review: &'a Review<'a>,
    others: &'a [Json],
    message: &'a str,
    rule: &'a str,
}

/// Where a rule is: at the object, or at an item of a `foreach`.
#[derive(Default)]
struct Level {
    /// What patterns are held against, where that is not the object.
    element: Option<Json>,
    /// The lists that have been entered, and which item of each.
    items: Vec<(String, usize)>,
}

/// What a part of a rule comes to.
enum Judged {
    Said(Status),
    /// Its preconditions cannot be evaluated, which an item of a list may do without.
    NotEvaluated(String),
}

impl Asked<'_> {
    /// Judges by a rule or by an entry of `foreach`. `part` has the context and the preconditions, `checks` what is checked. The document
    /// is afterwards what it was before.
    fn judge(&self, part: &Json, checks: &Json, document: &mut Json, level: &Level) -> Result<Judged, String> {
        let names = part.get("context").and_then(Json::as_array).into_iter().flatten();
        let names = names.filter_map(|entry| text(entry, "/name").split('.').next().map(str::to_owned));
        let before: Vec<(String, Option<Json>)> =
            names.map(|name| (name.clone(), document.get(&name).cloned())).collect();
        let judged = self.judge_with_context(part, checks, document, level);
        for (name, value) in before {
            restore(document, &name, value);
        }
        judged
    }

    fn judge_with_context(
        &self,
        part: &Json,
        checks: &Json,
        document: &mut Json,
        level: &Level,
    ) -> Result<Judged, String> {
        if deadline::is_over() {
            return Err(deadline::told());
        }
        self.add_context(part, document)?;
        let variables = Variables { document };
        match hold(part.get("preconditions").unwrap_or(&Json::Null), &variables) {
            Ok(held) if held.holds => {}
            Ok(_) => return Ok(Judged::Said(Status::Skips)),
            Err(Failed::Unanswered(why)) => return Err(why),
            Err(failed) => return Ok(Judged::NotEvaluated(failed.describe())),
        }
        if let Some(deny) = checks.get("deny") {
            return self.deny(deny, document, level);
        }
        for (name, is_any) in [("pattern", false), ("anyPattern", true)] {
            if let Some(pattern) = checks.get(name) {
                return self.patterns(pattern, is_any, document, level);
            }
        }
        match checks.get("foreach").and_then(Json::as_array) {
            Some(entries) => self.each(entries, document, level),
            None => Ok(Judged::Said(Status::Passes)),
        }
    }

    fn deny(&self, deny: &Json, document: &Json, level: &Level) -> Result<Judged, String> {
        let variables = Variables { document };
        let held = match hold(deny.get("conditions").unwrap_or(&Json::Null), &variables) {
            Ok(held) if held.holds => held,
            Ok(_) => return Ok(Judged::Said(Status::Passes)),
            Err(Failed::Unanswered(why)) => return Err(why),
            Err(failed) => return Ok(Judged::Said(Status::Errs(failed.describe()))),
        };
        let messages: Vec<&str> = std::iter::once(self.message)
            .chain(held.messages.iter().map(String::as_str))
            .filter(|it| !it.is_empty())
            .collect();
        let field = self.field_of(&held.conditions, document, level);
        let message = self.told(&messages.join("; "), &variables);
        Ok(Judged::Said(Status::Fails(vec![Denied { message, field }])))
    }

    fn patterns(&self, pattern: &Json, is_any: bool, document: &Json, level: &Level) -> Result<Judged, String> {
        let variables = Variables { document };
        let pattern = match variables.substituted(pattern) {
            Ok(pattern) => pattern,
            Err(Failed::Unanswered(why)) => return Err(why),
            Err(failed) => return Ok(Judged::Said(Status::Errs(failed.describe()))),
        };
        let object = level.element.as_ref().unwrap_or(self.review.object);
        let alternatives = match &pattern {
            Json::Array(items) if is_any => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        let (mut failed, mut wrong, mut has_skipped) = (None, None, false);
        for alternative in alternatives {
            match matches(object, alternative) {
                Match::Fits => return Ok(Judged::Said(Status::Passes)),
                Match::Skips => has_skipped = true,
                Match::Fails(paths) => failed = failed.or(Some(paths)),
                Match::Wrong(path) => wrong = wrong.or(Some(path)),
            }
        }
        let paths = match (failed, wrong) {
            (Some(paths), _) => paths,
            (None, Some(path)) if is_any => vec![path],
            (None, Some(path)) => {
                return Ok(Judged::Said(Status::Errs(format!("{} does not fit", shown(&path)))));
            }
            (None, None) if has_skipped => return Ok(Judged::Said(Status::Skips)),
            (None, None) => return Ok(Judged::Said(Status::Passes)),
        };
        let denied = paths.into_iter().map(|path| {
            let message = match self.message {
                "" => format!("rule `{}` fails at {}", self.rule, shown(&path)),
                message => self.told(message, &variables),
            };
            let field = if level.items.is_empty() {
                Some(path)
            } else {
                self.element_pointer(document, level).map(|pointer| format!("{pointer}{path}"))
            };
            Denied { message, field: field.filter(|field| !field.is_empty()) }
        });
        Ok(Judged::Said(Status::Fails(denied.collect())))
    }

    fn each(&self, entries: &[Json], document: &mut Json, level: &Level) -> Result<Judged, String> {
        let (mut applied, mut failure, mut denied) = (0, None, Vec::new());
        for entry in entries {
            let list = text(entry, "/list");
            let items = match (Variables { document }).evaluate(list) {
                Ok(Json::Array(items)) => items,
                Ok(one) => vec![one],
                Err(Failed::NotFound(_)) => continue,
                Err(Failed::Unanswered(why)) => return Err(why),
                Err(failed) => {
                    failure = Some(failed.describe());
                    continue;
                }
            };
            for (at, item) in items.into_iter().enumerate().filter(|(_, item)| !item.is_null()) {
                let is_scoped = entry.get("elementScope").and_then(Json::as_bool).unwrap_or(item.is_object());
                if is_scoped && !item.is_object() {
                    let why = format!("the items of `{list}` are no objects, and `elementScope` is true");
                    return Ok(Judged::Said(Status::Errs(why)));
                }
                let element = if is_scoped { Some(item.clone()) } else { level.element.clone() };
                let mut entered = level.items.clone();
                entered.push((list.to_owned(), at));
                let inner = Level { element, items: entered };
                match self.item(entry, item, at, document, &inner)? {
                    Judged::Said(Status::Passes) => applied += 1,
                    Judged::Said(Status::Skips) | Judged::NotEvaluated(_) => {}
                    // Whoever mends the first wants to know of the others, too.
                    Judged::Said(Status::Fails(more)) => denied.extend(more),
                    Judged::Said(outcome) if denied.is_empty() => return Ok(Judged::Said(outcome)),
                    Judged::Said(_) => {}
                }
            }
            if !denied.is_empty() {
                return Ok(Judged::Said(Status::Fails(denied)));
            }
        }
        Ok(Judged::Said(match failure {
            Some(why) if applied == 0 => Status::Errs(why),
            _ if applied == 0 => Status::Skips,
            _ => Status::Passes,
        }))
    }

    /// Judges one item of a list, which `element` and `elementIndex` stand for, also with the number of the level.
    fn item(&self, entry: &Json, item: Json, at: usize, document: &mut Json, inner: &Level) -> Result<Judged, String> {
        let depth = inner.items.len().saturating_sub(1);
        let values = [("element", item), ("elementIndex", json!(at))];
        let mut before = Vec::new();
        for (name, value) in values {
            for name in [name.to_owned(), format!("{name}{depth}")] {
                before.push((name.clone(), document.get(&name).cloned()));
                document[name] = value.clone();
            }
        }
        let judged = self.judge(entry, entry, document, inner);
        for (name, value) in before {
            restore(document, &name, value);
        }
        judged
    }

    /// Adds what `context` declares. What has no value is missing where it is asked for.
    fn add_context(&self, part: &Json, document: &mut Json) -> Result<(), String> {
        for entry in part.get("context").and_then(Json::as_array).into_iter().flatten() {
            let variables = Variables { document };
            let value = if let Some(variable) = entry.get("variable") {
                variable_value(variable, &variables).or_else(|failed| match failed {
                    Failed::Unanswered(why) => Err(why),
                    _ => Ok(None),
                })?
            } else if document.get(text(entry, "/name")).is_some_and(|it| !it.is_null()) {
                // A test has given it.
                None
            } else if let Some(wanted) = entry.get("configMap") {
                let wanted = variables.substituted(wanted).map_err(|failed| failed.describe())?;
                Some(self.config_map(&wanted)?)
            } else {
                None
            };
            if let Some(value) = value {
                set(document, text(entry, "/name"), value);
            }
        }
        Ok(())
    }

    fn config_map(&self, wanted: &Json) -> Result<Json, String> {
        let (name, place) = (text(wanted, "/name"), text(wanted, "/namespace"));
        let place = if place.is_empty() { "default" } else { place };
        let is_it = |object: &Json| {
            text(object, "/apiVersion") == "v1"
                && text(object, "/kind") == "ConfigMap"
                && text(object, "/metadata/name") == name
                && (namespace(object) == place || namespace(object).is_empty())
        };
        let found = self.review.look_up(self.others, &format!("the ConfigMap `{place}/{name}`"), is_it)?;
        found.first().map(|found| (*found).clone()).ok_or_else(|| format!("there is no ConfigMap `{place}/{name}`"))
    }

    /// A message with its variables replaced, or as it is written.
    fn told(&self, message: &str, variables: &Variables<'_>) -> String {
        if message.is_empty() {
            return format!("rule `{}` denies it", self.rule);
        }
        match variables.substituted(&Json::String(message.to_owned())) {
            Ok(Json::String(told)) => told.trim().to_owned(),
            _ => message.trim().to_owned(),
        }
    }

    /// The first field that one of the conditions which held asks about.
    fn field_of(&self, conditions: &[&Json], document: &Json, level: &Level) -> Option<String> {
        let keys = conditions.iter().filter_map(|condition| condition.get("key")?.as_str());
        let mut found = keys.filter_map(|key| self.field_in(key, document, level)).filter(|field| !field.is_empty());
        found.next().or_else(|| self.element_pointer(document, level))
    }

    /// The first field of the object, or of the item, that an expression names.
    fn field_in(&self, expression: &str, document: &Json, level: &Level) -> Option<String> {
        let captures = FIELD.as_ref()?.captures(expression)?;
        let (root, steps) = (captures.get(1)?.as_str(), captures.get(2)?.as_str());
        let pointer: String = STEP
            .as_ref()?
            .captures_iter(steps)
            .filter_map(|step| {
                step.iter().skip(1).flatten().next().map(|it| format!("/{}", pointer_token(it.as_str())))
            })
            .collect();
        match root {
            "element" => Some(format!("{}{pointer}", self.element_pointer(document, level)?)),
            _ => Some(pointer),
        }
    }

    /// Where the item of the innermost list is in the object. The lists are evaluated once more, on an object in which everything knows
    /// its place.
    fn element_pointer(&self, document: &Json, level: &Level) -> Option<String> {
        let (outermost, _) = level.items.first()?;
        let mut document = document.clone();
        document["request"]["object"] = with_places(self.review.object, "");
        for (depth, (list, at)) in level.items.iter().enumerate() {
            let found = Expression::read(list).ok()?.evaluate(&document).ok()?;
            let item = match found {
                Json::Array(items) => items.into_iter().nth(*at)?,
                one => one,
            };
            document[format!("element{depth}")] = item.clone();
            document["element"] = item;
        }
        match document["element"].get(PLACE).and_then(Json::as_str) {
            Some(pointer) => Some(pointer.to_owned()),
            // Items that are no objects do not know their place; their list does.
            None => self.field_in(outermost, &Json::Null, &Level::default()),
        }
    }
}

/// The key under which an object knows its place. No field can have this name.
const PLACE: &str = "\u{0}place";

fn with_places(value: &Json, pointer: &str) -> Json {
    match value {
        Json::Array(items) => {
            items.iter().enumerate().map(|(at, item)| with_places(item, &format!("{pointer}/{at}"))).collect()
        }
        Json::Object(fields) => {
            let place = (PLACE.to_owned(), Json::String(pointer.to_owned()));
            let fields = fields
                .iter()
                .map(|(key, value)| (key.clone(), with_places(value, &format!("{pointer}/{}", pointer_token(key)))));
            Json::Object(fields.chain([place]).collect())
        }
        other => other.clone(),
    }
}

static FIELD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"\b(request\.object|element)((?:\.[A-Za-z_][A-Za-z0-9_]*|\."[^"]+"|\[\d+\])*)"#).ok()
});
static STEP: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"\.([A-Za-z_][A-Za-z0-9_]*)|\."([^"]+)"|\[(\d+)\]"#).ok());

/// Puts back what was under a name.
fn restore(document: &mut Json, name: &str, value: Option<Json>) {
    match (value, document.as_object_mut()) {
        (Some(value), Some(fields)) => {
            fields.insert(name.to_owned(), value);
        }
        (None, Some(fields)) => {
            fields.remove(name);
        }
        (_, None) => {}
    }
}

/// A pointer for a message.
fn shown(pointer: &str) -> String {
    if pointer.is_empty() { "the object".to_owned() } else { format!("`{pointer}`") }
}

/// The value of a `variable`: `None` where there is none.
fn variable_value(variable: &Json, variables: &Variables<'_>) -> Result<Option<Json>, Failed> {
    let default = || variable.get("default").map(|default| variables.substituted(default)).transpose();
    let path = match variable.get("jmesPath") {
        Some(path) => match variables.substituted(path)? {
            Json::String(path) => Some(path),
            other => Some(other.to_string()),
        },
        None => None,
    };
    let found = match (variable.get("value"), path) {
        (Some(value), path) => {
            let value = variables.substituted(value)?;
            match path {
                Some(path) => Expression::read(&path).map_err(Failed::Wrong)?.evaluate(&value),
                None => Ok(value),
            }
        }
        (None, Some(path)) => variables.evaluate(&path),
        (None, None) => return default(),
    };
    match found {
        Ok(value) if !value.is_null() => Ok(Some(value)),
        Err(Failed::Unanswered(why)) => Err(Failed::Unanswered(why)),
        Ok(_) | Err(_) => default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(spec: &Json, validate: &Json) -> Rule {
        let policy = json!({"metadata": {"name": "p"}, "spec": spec});
        let json = json!({"name": "r", "match": {"any": [{"resources": {"kinds": ["*"]}}]}, "validate": validate});
        let declared =
            DeclaredRule { package: "p".to_owned(), name: "r".to_owned(), path: "p.yaml".to_owned(), line: 1 };
        Rule::read(&policy, json, declared).unwrap()
    }

    #[test]
    fn the_action_of_the_rule_comes_before_that_of_the_policy() {
        let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "shop"}});
        let nowhere = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}});
        let enforce = |action: &str| json!({"action": "Enforce", "namespaces": [action]});
        for (spec, validate, warns, warns_nowhere) in [
            (json!({}), json!({}), true, true),
            (json!({"validationFailureAction": "enforce"}), json!({}), false, false),
            (json!({"validationFailureAction": "Enforce"}), json!({"failureAction": "Audit"}), true, true),
            (json!({"validationFailureActionOverrides": [enforce("sh*")]}), json!({}), false, false),
            (json!({"validationFailureActionOverrides": [enforce("other")]}), json!({}), true, false),
            (json!({"validationFailureActionOverrides": [{"action": "Enforce"}]}), json!({}), false, false),
            (
                json!({"validationFailureAction": "Enforce",
                       "validationFailureActionOverrides": [{"action": "Audit", "namespaces": ["shop"]}]}),
                json!({}),
                true,
                false,
            ),
            (
                json!({"validationFailureActionOverrides": [{"action": "Audit", "namespaces": ["shop"]}]}),
                json!({"failureAction": "Enforce"}),
                false,
                false,
            ),
        ] {
            let mut validate = validate;
            validate["deny"] = json!({});
            let rule = rule(&spec, &validate);
            assert_eq!(rule.is_warning(&Review::new(&object, None, &[])), warns, "{spec} {validate}");
            assert_eq!(rule.is_warning(&Review::new(&nowhere, None, &[])), warns_nowhere, "{spec} {validate}");
        }
    }

    #[test]
    fn what_is_generated_is_for_controllers_only() {
        let policy = json!({"metadata": {"name": "p"}, "spec": {"rules": [{"name": "r",
            "match": {"any": [{"resources": {"kinds": ["Pod"]}}, {"resources": {"kinds": ["Service"]}}]},
            "validate": {"pattern": {"metadata": {"labels": {"app": "?*"}}}}}]}});
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "labels": {"app": "x"}}});
        let asked: Vec<String> = super::super::autogen::rules(&policy)
            .into_iter()
            .map(|rule| {
                let json = rule.json;
                let name = base_name(text(&json, "/name")).to_owned();
                let declared = DeclaredRule { package: "p".to_owned(), name, path: "p.yaml".to_owned(), line: 1 };
                Rule::read(&policy, json, declared).unwrap()
            })
            .filter(|rule| rule.is_about(&Review::new(&service, None, &[])))
            .map(|rule| rule.name)
            .collect();
        assert_eq!(asked, ["r"]);
    }

    fn applied(validate: &Json, object: &Json) -> Status {
        let rule = rule(&json!({}), validate);
        let mut document = json!({"request": {"object": object}});
        let before = document.clone();
        let status = rule.apply(&Review::new(object, None, &[]), &mut document, &[]).unwrap();
        assert_eq!(document, before, "the document is what it was before");
        status
    }

    #[test]
    fn an_item_of_a_list_knows_its_place() {
        let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {
            "initContainers": [{"name": "i", "image": "ok"}],
            "containers": [{"name": "a", "image": "ok", "ports": [{"hostPort": 1}]}, {"name": "b", "image": "bad", "ports": [{}, {"hostPort": 9}]}]}});
        let bad =
            json!({"conditions": {"all": [{"key": "{{ element.image }}", "operator": "Equals", "value": "bad"}]}});
        let nested = json!({"list": "request.object.spec.containers", "foreach": [{"list": "element.ports", "deny": {
            "conditions": {"all": [{"key": "{{ element.hostPort || `0` }}", "operator": "GreaterThan", "value": 5}]}}}]});
        for (foreach, field) in [
            (
                json!({"list": "request.object.spec.[initContainers, containers][]", "deny": bad}),
                "/spec/containers/1/image",
            ),
            (json!({"list": "request.object.spec.containers[?name == 'b']", "deny": bad}), "/spec/containers/1/image"),
            (json!({"list": "request.object.spec.containers", "pattern": {"image": "ok"}}), "/spec/containers/1/image"),
            (nested, "/spec/containers/1/ports/1/hostPort"),
            (
                json!({"list": "request.object.spec.containers[].image", "deny": {"conditions": {"any": [
                    {"key": "{{ element }}", "operator": "Equals", "value": "bad"}]}}}),
                "/spec/containers",
            ),
        ] {
            let Status::Fails(denied) = applied(&json!({"foreach": [foreach]}), &object) else {
                panic!("{foreach}");
            };
            assert_eq!(denied[0].field.as_deref(), Some(field), "{foreach}");
        }
    }
}
