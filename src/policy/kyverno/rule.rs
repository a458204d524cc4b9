//! One `validate` rule, and what it says of an object.

use serde_json::Value as Json;

use super::autogen::is_controller;
use super::available::{check_conditions, check_parts, check_texts};
use super::conditions::hold;
use super::judging::{Asked, Judged, Level};
use super::matching::is_about;
use super::variables::Variables;
use super::{Status, scope};
use crate::config::glob_matches;
use crate::policy::checks::{Checks, Dialect};
use crate::policy::engine::DeclaredRule;
use crate::policy::jmespath::Failed;
use crate::policy::review::{Review, Unknown, namespace, selects, text};

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

#[cfg(test)]
mod tests {
    use serde_json::json;

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
