//! How `pattern`, `anyPattern`, `deny` and `foreach` judge an object, and which field each finding is about.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value as Json, json};

use super::conditions::hold;
use super::pattern::{Match, matches};
use super::variables::Variables;
use super::{Status, set};
use crate::policy::checks::Denied;
use crate::policy::deadline;
use crate::policy::jmespath::{Expression, Failed};
use crate::policy::review::{Review, namespace, text};
use crate::yaml::pointer_token;

/// What a part of a rule is asked with.
pub(super) struct Asked<'a> {
    pub(super) review: &'a Review<'a>,
    pub(super) others: &'a [Json],
    pub(super) message: &'a str,
    pub(super) rule: &'a str,
}

/// Where a rule is: at the object, or at an item of a `foreach`.
#[derive(Default)]
pub(super) struct Level {
    /// What patterns are held against, where that is not the object.
    element: Option<Json>,
    /// The lists that have been entered, and which item of each.
    items: Vec<(String, usize)>,
}

/// What a part of a rule comes to.
pub(super) enum Judged {
    Said(Status),
    /// Its preconditions cannot be evaluated, which an item of a list may do without.
    NotEvaluated(String),
}

impl Asked<'_> {
    /// Judges by a rule or by an entry of `foreach`. `part` has the context and the preconditions, `checks` what is
    /// checked. The document is afterwards what it was before.
    ///
    /// # Errors
    /// When there is no answer here.
    pub(super) fn judge(
        &self,
        part: &Json,
        checks: &Json,
        document: &mut Json,
        level: &Level,
    ) -> Result<Judged, String> {
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

    /// Where the item of the innermost list is in the object. The lists are evaluated once more, on an object in which
    /// everything knows its place.
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
