use serde_json::Value as Json;

use super::checks::Denied;
use super::engine::DeclaredRule;

/// What a team's policy finds in an object.
#[derive(Clone, Debug, PartialEq)]
pub struct TeamFinding {
    /// The rule's id, such as `conftest/main.deny`.
    pub rule: String,
    /// Whether it only warns.
    pub is_warning: bool,
    /// What is wrong.
    pub message: String,
    /// The field that it is about, where the policy names one: a JSON pointer, or `spec.containers[0].image`.
    pub field: Option<String>,
    /// Where the rule is written.
    pub declared: Option<DeclaredRule>,
}

/// What the ids of rules begin with that teams have written for other tools.
const PREFIXES: [&str; 4] =
    [super::conftest::PREFIX, super::gatekeeper::PREFIX, super::admission::PREFIX, super::kyverno::PREFIX];

/// Whether a rule of this id would be one of a team's.
#[must_use]
pub fn is_team_rule(id: &str) -> bool {
    PREFIXES.iter().any(|prefix| id.starts_with(prefix))
}

/// A rule that a team has written for another tool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TeamRule {
    /// Its id, such as `kyverno/images.tag`.
    pub id: String,
    /// Where it is written.
    pub declared: DeclaredRule,
    /// Whether objects are judged by it: what changes, makes or deletes objects judges nothing.
    pub judges: bool,
}

/// Where policies name a field: at the top of what they hand back, and under `details`.
const FIELDS: [&str; 6] = ["/path", "/field", "/_loc/path", "/details/path", "/details/field", "/details/location"];

impl TeamFinding {
    /// A text, or a mapping with `msg`.
    ///
    /// # Errors
    /// When it is neither.
    pub(super) fn read(item: &Json) -> Result<Self, String> {
        let message = item.as_str().or_else(|| item.get("msg")?.as_str());
        let message = message.ok_or("it hands back something in which there is no message (`msg`)")?;
        let field = FIELDS.iter().find_map(|pointer| item.pointer(pointer)?.as_str());
        Ok(Self {
            rule: String::new(),
            is_warning: false,
            message: message.to_owned(),
            field: field.map(str::to_owned),
            declared: None,
        })
    }
}

impl From<Denied> for TeamFinding {
    fn from(denied: Denied) -> Self {
        Self { rule: String::new(), is_warning: false, message: denied.message, field: denied.field, declared: None }
    }
}

/// What is wrong with a rule that hands back neither.
pub(super) const NO_LIST: &str = "its value is not a set or a list of messages";

/// What a rule has found: a set or a list; nothing where it is undefined.
///
/// # Errors
/// When it is something else, which would otherwise be passed over.
pub(super) fn items<'a>(value: &'a Json, rule: &str) -> Result<&'a [Json], String> {
    match value {
        Json::Null => Ok(&[]),
        Json::Array(items) => Ok(items),
        _ => Err(format!("{NO_LIST}: write `{rule} contains msg if {{ … }}`")),
    }
}
