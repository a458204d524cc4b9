//! Kubernetes' own `ValidatingAdmissionPolicy`s and their bindings, on rendered objects
//! (<https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/>).

use serde_json::Value as Json;

use super::checks::{Checks, Dialect};
use super::cluster::Off;
use super::deadline;
use super::engine::DeclaredRule;
use super::resource_rules::matches;
use super::review::{PolicyObject, Review, namespace, selects, text};
use super::team_finding::{TeamFinding, TeamRule};

/// What the ids of these rules begin with.
pub(super) const PREFIX: &str = "admission/";

/// The policies and bindings of one folder.
#[derive(Default)]
pub(super) struct Admission {
    policies: Vec<Policy>,
    bindings: Vec<Binding>,
    /// Other objects of the folder, which may be parameters.
    others: Vec<Json>,
}

struct Policy {
    declared: DeclaredRule,
    checks: Checks,
    criteria: Json,
    /// The API version and the kind of its parameters.
    parameters: Option<(String, String)>,
}

struct Binding {
    policy: String,
    path: String,
    line: u32,
    /// Whether it only warns; `None` where it only observes.
    is_warning: Option<bool>,
    criteria: Json,
    parameters: Option<Json>,
}

impl Admission {
    /// Takes up an object; says whether it is one of these policies or bindings.
    ///
    /// # Errors
    /// What is wrong with it, or what it asks that has no answer here.
    pub(super) fn add(&mut self, object: &PolicyObject, off: &mut Off) -> Result<bool, String> {
        let wrong = |why: String| format!("{}:{}: {why}", object.path, object.line);
        let json = &object.json;
        let is_admission = text(json, "/apiVersion").starts_with("admissionregistration.k8s.io/");
        let mut is_off = |pointer: &str| is_admission && off.takes(&format!("{PREFIX}{}", text(json, pointer)));
        match text(json, "/kind") {
            "ValidatingAdmissionPolicy" if is_off("/metadata/name") => {}
            "ValidatingAdmissionPolicyBinding" if is_off("/spec/policyName") => {}
            "ValidatingAdmissionPolicy" if is_admission => {
                self.policies.push(Policy::read(object).map_err(wrong)?);
            }
            "ValidatingAdmissionPolicyBinding" if is_admission => self.bindings.push(Binding::read(object)),
            _ => {
                self.others.push(json.clone());
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Says which binding has no policy, and which policy has no parameters.
    ///
    /// # Errors
    /// When one has none.
    pub(super) fn complete(&self) -> Result<(), String> {
        for Binding { policy, path, line, .. } in &self.bindings {
            if !self.policies.iter().any(|one| one.declared.name == *policy) {
                return Err(format!("{path}:{line}: there is no ValidatingAdmissionPolicy `{policy}`"));
            }
        }
        for policy in &self.policies {
            let DeclaredRule { name, path, line, .. } = &policy.declared;
            let has_parameters = |it: &Binding| it.policy == *name && it.parameters.is_some();
            if policy.parameters.is_some() && !self.bindings.iter().any(has_parameters) {
                return Err(format!("{path}:{line}: no binding says which parameters (`paramRef`) the policy has"));
            }
        }
        Ok(())
    }

    /// All rules.
    pub(super) fn rules(&self) -> impl Iterator<Item = TeamRule> {
        let declared = self.policies.iter().map(|policy| &policy.declared);
        declared.map(|declared| TeamRule { id: id(declared), declared: declared.clone(), judges: true })
    }

    /// What the policies find in an object.
    ///
    /// # Errors
    /// When there is no answer here.
    pub(super) fn judge(&self, review: &Review<'_>) -> Result<Vec<TeamFinding>, String> {
        let mut found = Vec::new();
        for policy in &self.policies {
            found.extend(self.say(policy, review)?.unwrap_or_default());
        }
        Ok(found)
    }

    /// Whether a policy allows an object; `None` where it is not asked about it, or is not there.
    ///
    /// # Errors
    /// When there is no answer here.
    pub(super) fn allows(&self, policy: &str, review: &Review<'_>) -> Result<Option<bool>, String> {
        match self.policies.iter().find(|it| it.declared.name == policy) {
            Some(policy) => Ok(self.say(policy, review)?.map(|found| found.is_empty())),
            None => Ok(None),
        }
    }

    /// Whether there is a policy of this name.
    pub(super) fn has(&self, policy: &str) -> bool {
        self.policies.iter().any(|it| it.declared.name == policy)
    }

    fn say(&self, policy: &Policy, review: &Review<'_>) -> Result<Option<Vec<TeamFinding>>, String> {
        if !matches(&policy.criteria, review, false) {
            return Ok(None);
        }
        let DeclaredRule { name, path, line, .. } = &policy.declared;
        let failed = |why: String| format!("{path}:{line}: the policy `{name}`: {why}");
        deadline::begin();
        let mut bindings = self.bindings.iter().filter(|binding| binding.policy == *name).peekable();
        if bindings.peek().is_none() {
            return policy.ask(review, None, false).map_err(failed);
        }
        let mut said: Option<Vec<TeamFinding>> = None;
        for binding in bindings.filter(|binding| matches(&binding.criteria, review, true)) {
            let Some(is_warning) = binding.is_warning else { continue };
            let parameters = match &binding.parameters {
                None => vec![None],
                Some(wanted) => {
                    let found = self.parameters(policy, wanted, review).map_err(failed)?;
                    found.into_iter().map(Some).collect()
                }
            };
            for parameters in parameters {
                if let Some(found) = policy.ask(review, parameters, is_warning).map_err(failed)? {
                    said.get_or_insert_default().extend(found);
                }
            }
        }
        Ok(said)
    }

    /// The objects that a `paramRef` means, in the folder of the policies or beside the object.
    fn parameters<'a>(
        &'a self,
        policy: &Policy,
        wanted: &Json,
        review: &'a Review<'_>,
    ) -> Result<Vec<&'a Json>, String> {
        let Some((api_version, kind)) = &policy.parameters else {
            return Err("a binding has parameters, and the policy has no `paramKind`".to_owned());
        };
        let name = wanted.get("name").and_then(Json::as_str);
        let place = match text(wanted, "/namespace") {
            "" => namespace(review.object),
            place => place,
        };
        let is_meant = |object: &Json| {
            let selector = wanted.get("selector");
            text(object, "/apiVersion") == api_version
                && text(object, "/kind") == kind
                && name.is_none_or(|name| text(object, "/metadata/name") == name)
                && (namespace(object).is_empty() || namespace(object) == place)
                && selector.is_none_or(|selector| selects(selector, object.pointer("/metadata/labels")))
        };
        let which = name.map_or_else(String::new, |name| format!(" `{name}`"));
        review.look_up(&self.others, &format!("what it has as parameters, the {kind}{which},"), is_meant)
    }
}

impl Policy {
    fn read(object: &PolicyObject) -> Result<Self, String> {
        let json = &object.json;
        let spec = json.get("spec").ok_or("the policy has no `spec`")?;
        let declared = DeclaredRule {
            package: PREFIX.trim_end_matches('/').to_owned(),
            name: text(json, "/metadata/name").to_owned(),
            path: object.path.clone(),
            line: object.line,
        };
        let parameters = spec.get("paramKind").filter(|kind| !kind.is_null());
        Ok(Self {
            checks: Checks::read(spec, "validations", Dialect::Kubernetes)?,
            criteria: spec.get("matchConstraints").cloned().ok_or("the policy has no `matchConstraints`")?,
            parameters: parameters.map(|it| (text(it, "/apiVersion").to_owned(), text(it, "/kind").to_owned())),
            declared,
        })
    }

    /// `None` where a match condition does not hold.
    fn ask(
        &self,
        review: &Review<'_>,
        parameters: Option<&Json>,
        is_warning: bool,
    ) -> Result<Option<Vec<TeamFinding>>, String> {
        let mut scope = review.scope()?.inner();
        scope.set("params", parameters.unwrap_or(&Json::Null));
        let Some(denied) = self.checks.judge(scope)? else { return Ok(None) };
        let declared = Some(self.declared.clone());
        let finding = |denied| TeamFinding {
            rule: id(&self.declared),
            is_warning,
            declared: declared.clone(),
            ..TeamFinding::from(denied)
        };
        Ok(Some(denied.into_iter().map(finding).collect()))
    }
}

/// The id of a rule.
fn id(declared: &DeclaredRule) -> String {
    format!("{PREFIX}{}", declared.name)
}

impl Binding {
    fn read(object: &PolicyObject) -> Self {
        let spec = |name: &str| object.json.get("spec").and_then(|spec| spec.get(name)).filter(|it| !it.is_null());
        let actions = spec("validationActions").and_then(Json::as_array);
        let has = |action: &str| actions.is_none_or(|actions| actions.iter().any(|it| *it == action));
        Self {
            policy: text(&object.json, "/spec/policyName").to_owned(),
            path: object.path.clone(),
            line: object.line,
            is_warning: (has("Deny") || has("Warn")).then(|| !has("Deny")),
            criteria: spec("matchResources").cloned().unwrap_or(Json::Null),
            parameters: spec("paramRef").cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(json: Json) -> PolicyObject {
        PolicyObject { json, path: "policy/a.yaml".to_owned(), line: 3 }
    }

    fn policy(spec: &Json) -> Json {
        let mut spec = spec.clone();
        spec["matchConstraints"] = json!({"resourceRules": [
            {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"]}]});
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
               "metadata": {"name": "limits"}, "spec": spec})
    }

    fn binding(spec: &Json) -> Json {
        let mut spec = spec.clone();
        spec["policyName"] = json!("limits");
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
               "metadata": {"name": "limits"}, "spec": spec})
    }

    fn deployment(replicas: u64, image: &str) -> Json {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api", "namespace": "shop"},
               "spec": {"replicas": replicas, "template": {"spec": {
                   "initContainers": [{"name": "init", "image": "a:1"}],
                   "containers": [{"name": "log", "image": "a:1"}, {"name": "api", "image": image}]}}}})
    }

    fn judged(objects: &[Json], object_now: &Json, old: Option<&Json>) -> Result<Vec<(String, String, bool)>, String> {
        let mut admission = Admission::default();
        for json in objects {
            admission.add(&object(json.clone()), &mut Off::default())?;
        }
        admission.complete()?;
        let found = admission.judge(&Review::new(object_now, old, &[]))?;
        assert!(found.iter().all(|it| it.rule == "admission/limits"));
        Ok(found.into_iter().map(|it| (it.message, it.field.unwrap_or_default(), it.is_warning)).collect())
    }

    #[test]
    fn a_finding_is_about_the_field_that_makes_it_false() {
        let all = "variables.all.all(c, c.image.endsWith(':1') || c.image.endsWith(':2'))";
        for (expression, field) in [
            ("object.spec.replicas <= 5", "/spec/replicas"),
            ("!has(object.spec.replicas) || object.spec.replicas <= 5", "/spec/replicas"),
            (
                "object.spec.template.spec.containers.all(c, !c.image.endsWith(':latest'))",
                "/spec/template/spec/containers/1/image",
            ),
            (
                "!object.spec.template.spec.containers.exists(c, c.image.endsWith(':latest'))",
                "/spec/template/spec/containers/1/image",
            ),
            (
                "object.spec.template.spec.containers.all(c, has(c.resources) && has(c.resources.limits))",
                "/spec/template/spec/containers/0/resources",
            ),
            (
                "object.spec.template.spec.containers.filter(c, c.name == 'api').all(c, c.image == 'x')",
                "/spec/template/spec/containers/1/image",
            ),
            ("object.metadata.?labels['team'].orValue('') != ''", "/metadata/labels/team"),
            ("object.kind != 'Deployment' ? true : object.spec.replicas == 1", "/spec/replicas"),
            (
                "object.spec.template.spec.containers.all(c, c.image.endsWith(':latest'))",
                "/spec/template/spec/containers/0/image",
            ),
            ("object.spec.template.spec.?volumes.orValue([]).size() == 3", "/spec/template/spec/volumes"),
            (
                "object.spec.template.spec.containers.size() > 2 && object.spec.replicas == 9",
                "/spec/template/spec/containers",
            ),
            (
                "object.spec.template.spec.containers.map(c, c.image).all(i, !i.endsWith(':latest'))",
                "/spec/template/spec/containers/1/image",
            ),
            (all, "/spec/template/spec/containers/1/image"),
            ("variables.few", "/spec/replicas"),
        ] {
            let spec = json!({"validations": [{"expression": expression}], "variables": [
                {"name": "pod", "expression": "object.spec.template.spec"},
                {"name": "all", "expression": "variables.pod.initContainers + variables.pod.?containers.orValue([])"},
                {"name": "few", "expression": "object.spec.replicas < 5"}]});
            let found = judged(&[policy(&spec)], &deployment(9, "b:latest"), None).unwrap();
            let is_about_both = expression.contains("has(c.resources)");
            assert_eq!(found.len(), if is_about_both { 2 } else { 1 }, "{expression}");
            assert_eq!(found[0].1, field, "{expression}");
        }
    }

    #[test]
    fn an_update_is_judged_as_one() {
        let spec = json!({"matchConditions": [{"name": "update", "expression": "request.operation == 'UPDATE'"}],
                          "validations": [{"expression": "object.spec.replicas >= oldObject.spec.replicas",
                                           "messageExpression": "'from ' + string(oldObject.spec.replicas)"}]});
        let (few, many) = (deployment(1, "a:1"), deployment(3, "a:1"));
        assert_eq!(judged(&[policy(&spec)], &few, None), Ok(Vec::new()));
        assert_eq!(judged(&[policy(&spec)], &many, Some(&few)), Ok(Vec::new()));
        let found = judged(&[policy(&spec)], &few, Some(&many)).unwrap();
        assert_eq!(found, [("from 3".to_owned(), "/spec/replicas".to_owned(), false)]);
    }

    #[test]
    fn bindings_say_where_how_and_with_what() {
        let spec = json!({"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}, "validations": [
            {"expression": "object.spec.replicas <= int(params.data.most)", "message": "too many"}]});
        let limits =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "most"}, "data": {"most": "2"}});
        let reference = json!({"name": "most", "namespace": "shop", "parameterNotFoundAction": "Deny"});
        let bound = |more: &Json| {
            let mut spec = json!({"paramRef": reference});
            for (name, value) in more.as_object().unwrap() {
                spec[name] = value.clone();
            }
            binding(&spec)
        };
        let many = deployment(3, "a:1");
        let finding = |is_warning| vec![("too many".to_owned(), "/spec/replicas".to_owned(), is_warning)];
        for (more, expected) in [
            (json!({"validationActions": ["Deny"]}), finding(false)),
            (json!({"validationActions": ["Warn", "Audit"]}), finding(true)),
            (json!({"validationActions": ["Audit"]}), Vec::new()),
            (json!({"matchResources": {"objectSelector": {"matchLabels": {"a": "b"}}}}), Vec::new()),
        ] {
            let objects = [policy(&spec), bound(&more), limits.clone()];
            assert_eq!(judged(&objects, &many, None), Ok(expected), "{more}");
        }
        let without = judged(&[policy(&spec), bound(&json!({}))], &many, None);
        assert!(without.as_ref().is_err_and(|why| why.contains("ConfigMap `most`")), "{without:?}");
        let unbound = judged(&[policy(&spec)], &many, None);
        assert!(unbound.as_ref().is_err_and(|why| why.contains("paramRef")), "{unbound:?}");
        let alone = judged(&[binding(&json!({}))], &many, None);
        assert!(alone.as_ref().is_err_and(|why| why.contains("`limits`")), "{alone:?}");
    }

    #[test]
    fn what_fails_denies_unless_it_is_ignored_or_has_no_answer() {
        let object = deployment(1, "a:1");
        let spec =
            |expression: &str, more: &str| json!({"failurePolicy": more, "validations": [{"expression": expression}]});
        let failing = "object.spec.missing == 1";
        let found = judged(&[policy(&spec(failing, "Fail"))], &object, None).unwrap();
        assert!(found[0].0.contains("no such key: missing"), "{found:?}");
        assert_eq!(judged(&[policy(&spec(failing, "Ignore"))], &object, None), Ok(Vec::new()));
        for expression in
            ["namespaceObject.metadata.labels['env'] == 'prod'", "authorizer.serviceAccount('a', 'b') == 1"]
        {
            let unanswered = judged(&[policy(&spec(expression, "Ignore"))], &object, None);
            assert!(unanswered.is_err(), "{unanswered:?}");
        }
        let broken = judged(&[policy(&spec("object.(", "Fail"))], &object, None);
        assert!(broken.as_ref().is_err_and(|why| why.starts_with("policy/a.yaml:3: ")), "{broken:?}");
    }
}
