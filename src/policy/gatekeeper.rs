//! Templates and constraints of Gatekeeper (<https://open-policy-agent.github.io/gatekeeper>), on rendered objects.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::checks::{Checks, Dialect};
use super::cluster::Off;
use super::deadline;
use super::engine::{DeclaredRule, Module, TeamEngine};
use super::review::{PolicyObject, Review, Unknown, group_and_version, namespace, selects, text};
use super::team_finding::{TeamFinding, TeamRule};
use crate::config::glob_matches;
use crate::kustomize::is_cluster_scoped;

/// What the ids of these rules begin with.
pub(super) const PREFIX: &str = "gatekeeper/";

/// The templates and constraints of one folder.
#[derive(Default)]
pub(super) struct Gatekeeper {
    templates: BTreeMap<String, Result<Template, String>>,
    constraints: Vec<Constraint>,
    /// What is said of an expansion, which would make further objects to judge.
    expansion: Option<String>,
}

/// What a template is written in. Of two languages Gatekeeper asks CEL.
enum Template {
    Cel(Checks),
    Rego {
        engine: Box<TeamEngine>,
        package: String,
        /// Whether it looks at other objects.
        uses_inventory: bool,
    },
}

struct Constraint {
    declared: DeclaredRule,
    is_warning: bool,
    matches: Json,
    parameters: Json,
    /// The constraint as a whole.
    json: Json,
}

impl Gatekeeper {
    /// Takes up an object; says whether it is one of Gatekeeper's.
    ///
    /// # Errors
    /// What is wrong with it, or which part of Gatekeeper it would take that is not here.
    pub(super) fn add(&mut self, object: &PolicyObject, off: &mut Off) -> bool {
        let (api_version, kind) = (text(&object.json, "/apiVersion"), text(&object.json, "/kind"));
        let wrong = |why: String| format!("{}:{}: {why}", object.path, object.line);
        if api_version.starts_with("expansion.gatekeeper.sh/") {
            self.expansion
                .get_or_insert_with(|| wrong(format!("objects of the kind `{kind}` ({api_version}) are not expanded")));
        } else if api_version.starts_with("templates.gatekeeper.sh/") && kind == "ConstraintTemplate" {
            let of = text(&object.json, "/spec/crd/spec/names/kind").to_owned();
            self.templates.insert(of, Template::read(&object.json, &object.path).map_err(wrong));
        } else if api_version.starts_with("constraints.gatekeeper.sh/") {
            self.constraints.extend(Constraint::read(object).filter(|constraint| !off.takes(&constraint.id())));
        } else {
            return false;
        }
        true
    }

    /// Says which constraint has no template, or one that cannot be asked.
    ///
    /// # Errors
    /// When there is one.
    pub(super) fn complete(&self) -> Result<(), String> {
        if let Some(why) = &self.expansion {
            return Err(why.clone());
        }
        for Constraint { declared, .. } in &self.constraints {
            let DeclaredRule { package: kind, path, line, .. } = declared;
            match self.templates.get(kind) {
                Some(Ok(_)) => {}
                Some(Err(why)) => return Err(why.clone()),
                None => return Err(format!("{path}:{line}: there is no ConstraintTemplate of the kind `{kind}`")),
            }
        }
        Ok(())
    }

    /// All rules.
    pub(super) fn rules(&self) -> impl Iterator<Item = TeamRule> {
        let rule = |it: &Constraint| TeamRule { id: it.id(), declared: it.declared.clone(), judges: true };
        self.constraints.iter().map(rule)
    }

    /// What the constraints find in an object.
    ///
    /// # Errors
    /// When a template fails.
    pub(super) fn judge(&self, review: &Review<'_>) -> Result<Vec<TeamFinding>, String> {
        let mut found = Vec::new();
        for constraint in self.constraints.iter().filter(|constraint| constraint.is_about(review)) {
            let DeclaredRule { package: kind, path, line, .. } = &constraint.declared;
            let Some(Ok(template)) = self.templates.get(kind) else { continue };
            let failed = |why: String| format!("{path}:{line}: the template `{kind}` failed: {why}");
            deadline::begin();
            for told in template.ask(constraint, review).map_err(failed)? {
                let declared = Some(constraint.declared.clone());
                found.push(TeamFinding { rule: constraint.id(), is_warning: constraint.is_warning, declared, ..told });
            }
        }
        Ok(found)
    }
}

impl Template {
    fn read(object: &Json, path: &str) -> Result<Self, String> {
        let target = object.pointer("/spec/targets/0").ok_or("the template has no target")?;
        let engines = target.get("code").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let source_in = |engine: &str| {
            engines.iter().find(|code| text(code, "/engine") == engine).and_then(|code| code.get("source"))
        };
        if let Some(source) = source_in("K8sNativeValidation") {
            return Checks::read(source, "validations", Dialect::Kubernetes).map(Self::Cel);
        }
        let source = source_in("Rego");
        let (rego, libraries) = match (source, target.get("rego")) {
            (Some(source), _) => (text(source, "/rego"), source.get("libs")),
            (None, Some(rego)) => (rego.as_str().unwrap_or_default(), target.get("libs")),
            (None, None) => {
                return Err("the template has neither Rego nor CEL (K8sNativeValidation)".to_owned());
            }
        };
        let libraries = libraries.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let texts = libraries.iter().filter_map(Json::as_str).chain([rego]);
        let modules: Vec<Module<'_>> = texts.map(|text| Module { path, text }).collect();
        let mut engine = TeamEngine::new(&modules, &json!({"inventory": {}}))?;
        let declares = engine.rules().into_iter().find(|rule| rule.name == "violation");
        let package = declares.map(|rule| rule.package).ok_or("the template has no rule `violation`")?;
        let uses_inventory = modules.iter().any(|module| module.text.contains("inventory"));
        Ok(Self::Rego { engine: Box::new(engine), package, uses_inventory })
    }

    fn ask(&self, constraint: &Constraint, review: &Review<'_>) -> Result<Vec<TeamFinding>, String> {
        match self {
            Self::Cel(checks) => {
                let mut scope = review.scope()?.inner();
                scope.set("params", &constraint.json);
                scope.set("variables.params", &constraint.parameters);
                scope.set("variables.anyObject", review.object);
                let denied = checks.judge(scope)?.unwrap_or_default();
                Ok(denied.into_iter().map(TeamFinding::from).collect())
            }
            Self::Rego { engine, package, uses_inventory } => {
                let mut question = engine.ask(&constraint.input(review));
                if *uses_inventory {
                    question.add_data(&json!({ "inventory": inventory(review.all) }))?;
                }
                let value = question.value(package, "violation")?;
                super::team_finding::items(&value, "violation")?.iter().map(TeamFinding::read).collect()
            }
        }
    }
}

impl Constraint {
    /// `None` where it only observes.
    fn read(object: &PolicyObject) -> Option<Self> {
        let json = &object.json;
        let scoped = json.pointer("/spec/scopedEnforcementActions").and_then(Json::as_array);
        let actions: Vec<&str> = match (text(json, "/spec/enforcementAction"), scoped) {
            ("scoped", Some(scoped)) => scoped.iter().map(|one| text(one, "/action")).collect(),
            ("", _) => vec!["deny"],
            (action, _) => vec![action],
        };
        if !actions.contains(&"deny") && !actions.contains(&"warn") {
            return None;
        }
        let get = |pointer: &str| json.pointer(pointer).cloned().unwrap_or_else(|| Json::Object(Map::new()));
        Some(Self {
            declared: DeclaredRule {
                package: text(json, "/kind").to_owned(),
                name: text(json, "/metadata/name").to_owned(),
                path: object.path.clone(),
                line: object.line,
            },
            is_warning: !actions.contains(&"deny"),
            matches: get("/spec/match"),
            parameters: get("/spec/parameters"),
            json: json.clone(),
        })
    }

    fn id(&self) -> String {
        format!("{PREFIX}{}.{}", self.declared.package, self.declared.name)
    }

    /// What its template is asked, in the form of an admission review.
    fn input(&self, review: &Review<'_>) -> Json {
        let (group, version) = group_and_version(text(review.object, "/apiVersion"));
        let kind = text(review.object, "/kind");
        json!({
            "parameters": self.parameters,
            "review": {
                "kind": {"group": group, "version": version, "kind": kind},
                "name": text(review.object, "/metadata/name"),
                "namespace": namespace(review.object),
                "object": review.object,
                "oldObject": review.old,
                "operation": review.operation(),
                "namespaceObject": review.namespace_object(),
                "options": null,
                "resource": {"group": "", "resource": "", "version": ""},
                "uid": "",
                "userInfo": {},
            },
        })
    }

    /// Whether the constraint is about an object, as it is or as it was: a change of a label does not take it out.
    fn is_about(&self, review: &Review<'_>) -> bool {
        self.matches(review, review.object) || review.old.is_some_and(|old| self.matches(review, old))
    }

    /// Whether the match criteria hold. Each of them that is there must.
    fn matches(&self, review: &Review<'_>, object: &Json) -> bool {
        let matches = &self.matches;
        let texts = |pointer: &str| -> Option<Vec<&str>> {
            let list = matches.pointer(pointer)?.as_array().filter(|list| !list.is_empty())?;
            Some(list.iter().filter_map(Json::as_str).collect())
        };
        let (group, version) = group_and_version(text(object, "/apiVersion"));
        let kind = text(object, "/kind");
        let kinds = matches.get("kinds").and_then(Json::as_array).filter(|kinds| !kinds.is_empty());
        let is_kind = kinds.is_none_or(|kinds| {
            kinds.iter().any(|one| {
                let has = |list: &str, wanted: &str| {
                    let list = one.get(list).and_then(Json::as_array).filter(|list| !list.is_empty());
                    list.is_none_or(|list| list.iter().any(|it| *it == wanted || *it == "*"))
                };
                has("apiGroups", group) && has("kinds", kind)
            })
        });
        let namespace = if kind == "Namespace" { text(object, "/metadata/name") } else { namespace(object) };
        let is_cluster_wide = kind != "Namespace" && is_cluster_scoped(group, version, kind);
        // Who deploys an object may put it into a namespace that is not written here: then the constraint may be about it.
        let is_open = !is_cluster_wide && namespace.is_empty();
        let is_named = |list: &[&str]| list.iter().any(|pattern| glob_matches(pattern, namespace));
        let in_namespaces = texts("/namespaces").is_none_or(|list| is_cluster_wide || is_open || is_named(&list));
        let is_excluded = texts("/excludedNamespaces").is_some_and(|list| !is_cluster_wide && is_named(&list));
        let in_scope = match text(matches, "/scope") {
            "Cluster" => is_cluster_wide || kind == "Namespace",
            "Namespaced" => !is_cluster_wide && kind != "Namespace",
            _ => true,
        };
        let name = text(matches, "/name");
        let has_name = name.is_empty() || glob_matches(name, text(object, "/metadata/name"));
        let fits_labels = matches.get("labelSelector").is_none_or(|it| selects(it, object.pointer("/metadata/labels")));
        // A Namespace that is not known may be one that is selected.
        let fits_namespace =
            matches.get("namespaceSelector").is_none_or(|it| review.fits_namespace(it, Unknown::Fits, true, selects));
        is_kind
            && in_namespaces
            && !is_excluded
            && in_scope
            && has_name
            && fits_labels
            && (is_cluster_wide || fits_namespace)
    }
}

/// All objects as Gatekeeper keeps them: `cluster[apiVersion][kind][name]`, `namespace[namespace][apiVersion][kind][name]`.
fn inventory(all: &[Json]) -> Json {
    let mut inventory = json!({"cluster": {}, "namespace": {}});
    for object in all {
        let (api_version, kind, name) =
            (text(object, "/apiVersion"), text(object, "/kind"), text(object, "/metadata/name"));
        let place = match namespace(object) {
            "" => &mut inventory["cluster"],
            namespace => &mut inventory["namespace"][namespace],
        };
        place[api_version][kind][name] = object.clone();
    }
    inventory
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gatekeeper(constraint: &Json) -> Gatekeeper {
        let rego = "package k8srequired\nviolation[{\"msg\": msg, \"details\": {\"path\": \"metadata.labels\"}}] {\n  not \
                    input.review.object.metadata.labels[input.parameters.label]\n  msg := sprintf(\"no %v\", \
                    [input.parameters.label])\n}\nviolation[{\"msg\": \"changed\"}] {\n  input.review.operation == \"UPDATE\"\n  \
                    input.review.object.spec.x != input.review.oldObject.spec.x\n}\nviolation[{\"msg\": \"twin\"}] {\n  other := \
                    data.inventory.namespace[_][\"v1\"][\"Pod\"][name]\n  name != input.review.object.metadata.name\n  \
                    other.spec.twin == input.review.object.spec.twin\n}\n";
        let template = json!({"apiVersion": "templates.gatekeeper.sh/v1", "kind": "ConstraintTemplate",
            "spec": {"crd": {"spec": {"names": {"kind": "Required"}}}, "targets": [{"target": "admission.k8s.gatekeeper.sh", "rego": rego}]}});
        let mut gatekeeper = Gatekeeper::default();
        for json in [&template, constraint] {
            let object = PolicyObject { json: json.clone(), path: "policy/a.yaml".to_owned(), line: 3 };
            assert!(gatekeeper.add(&object, &mut Off::default()));
        }
        gatekeeper.complete().unwrap();
        gatekeeper
    }

    fn constraint(matches: &Json) -> Json {
        json!({"apiVersion": "constraints.gatekeeper.sh/v1beta1", "kind": "Required", "metadata": {"name": "owner"},
               "spec": {"match": matches, "parameters": {"label": "owner"}}})
    }

    fn messages(gatekeeper: &Gatekeeper, object: &Json, old: Option<&Json>, all: &[Json]) -> Vec<String> {
        let found = gatekeeper.judge(&Review::new(object, old, all)).unwrap();
        assert!(found.iter().all(|it| it.rule == "gatekeeper/Required.owner"));
        found.into_iter().map(|it| it.message).collect()
    }

    fn pod(name: &str, labels: &Json, spec: &Json) -> Json {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop", "labels": labels}, "spec": spec})
    }

    #[test]
    fn templates_are_asked_with_parameters_the_old_object_and_what_is_beside() {
        let gatekeeper = gatekeeper(&constraint(&json!({"kinds": [{"apiGroups": [""], "kinds": ["Pod"]}]})));
        let plain = pod("a", &json!({}), &json!({"x": 1}));
        let owned = pod("a", &json!({"owner": "me"}), &json!({"x": 2, "twin": "t"}));
        assert_eq!(messages(&gatekeeper, &plain, None, &[]), ["no owner"]);
        assert!(messages(&gatekeeper, &owned, None, &[]).is_empty());
        assert_eq!(messages(&gatekeeper, &owned, Some(&plain), &[]), ["changed"]);
        let twin = pod("b", &json!({}), &json!({"twin": "t"}));
        assert_eq!(messages(&gatekeeper, &owned, None, &[owned.clone(), twin]), ["twin"]);
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}});
        assert!(messages(&gatekeeper, &service, None, &[]).is_empty());
    }

    #[test]
    fn templates_in_cel_are_asked_before_their_rego() {
        let source = json!({"variables": [{"name": "label", "expression": "variables.params.label"}], "validations": [
            {"expression": "variables.label in variables.anyObject.metadata.?labels.orValue({})",
             "messageExpression": "'no ' + params.spec.parameters.label"}]});
        let template = json!({"apiVersion": "templates.gatekeeper.sh/v1", "kind": "ConstraintTemplate",
            "spec": {"crd": {"spec": {"names": {"kind": "Required"}}}, "targets": [{"code": [
                {"engine": "Rego", "source": {"rego": "package broken {"}},
                {"engine": "K8sNativeValidation", "source": source}]}]}});
        let mut gatekeeper = Gatekeeper::default();
        for json in [template, constraint(&json!({}))] {
            let object = PolicyObject { json, path: "policy/a.yaml".to_owned(), line: 3 };
            assert!(gatekeeper.add(&object, &mut Off::default()));
        }
        assert_eq!(messages(&gatekeeper, &pod("a", &json!({"a": "b"}), &json!({})), None, &[]), ["no owner"]);
        assert!(messages(&gatekeeper, &pod("a", &json!({"owner": "b"}), &json!({})), None, &[]).is_empty());
    }

    #[test]
    fn constraints_are_about_what_they_match() {
        let object = pod("a", &json!({"tier": "web"}), &json!({}));
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"env": "prod"}}});
        for (matches, is_about) in [
            (json!({}), true),
            (json!({"namespaces": ["sh*"]}), true),
            (json!({"namespaces": ["other"]}), false),
            (json!({"excludedNamespaces": ["*op"]}), false),
            (json!({"scope": "Cluster"}), false),
            (json!({"scope": "Namespaced"}), true),
            (json!({"name": "b*"}), false),
            (json!({"labelSelector": {"matchLabels": {"tier": "web"}}}), true),
            (
                json!({"labelSelector": {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}}),
                false,
            ),
            (json!({"namespaceSelector": {"matchLabels": {"env": "prod"}}}), true),
            (json!({"namespaceSelector": {"matchLabels": {"env": "dev"}}}), false),
            (json!({"namespaces": []}), true),
            (json!({"namespaceSelector": {}}), true),
            (json!({"kinds": [{"apiGroups": ["apps"], "kinds": ["*"]}]}), false),
            (json!({"kinds": [{"apiGroups": ["*"], "kinds": ["Pod"]}]}), true),
        ] {
            let found = messages(&gatekeeper(&constraint(&matches)), &object, None, std::slice::from_ref(&namespace));
            assert_eq!(found.is_empty(), !is_about, "{matches}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_an_error() {
        let mut gatekeeper = Gatekeeper::default();
        let mut off = Off::default();
        let object = |json: Json| PolicyObject { json, path: "policy/a.yaml".to_owned(), line: 3 };
        gatekeeper.add(&object(constraint(&json!({}))), &mut off);
        assert!(gatekeeper.complete().is_err_and(|why| why.contains("policy/a.yaml:3") && why.contains("`Required`")));
        let other = json!({"apiVersion": "templates.gatekeeper.sh/v1", "kind": "ConstraintTemplate", "spec": {
            "crd": {"spec": {"names": {"kind": "Required"}}}, "targets": [{"code": [{"engine": "Other"}]}]}});
        gatekeeper.add(&object(other.clone()), &mut off);
        assert!(gatekeeper.complete().is_err_and(|why| why.contains("neither Rego nor CEL")));
        assert!(!gatekeeper.add(&object(json!({"apiVersion": "v1", "kind": "Pod"})), &mut off));
        // Of what is off it does not matter what it uses.
        let mut gatekeeper = Gatekeeper::default();
        let mut off = Off::of("gatekeeper/Required.owner");
        for json in [constraint(&json!({})), other] {
            gatekeeper.add(&object(json), &mut off);
        }
        assert!(gatekeeper.rules().next().is_none());
    }
}
