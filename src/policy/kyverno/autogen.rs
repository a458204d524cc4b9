//! Rules about Pods are also asked about what makes Pods (<https://kyverno.io/docs/policy-types/cluster-policy/autogen/>).

use serde_json::{Value as Json, json};

use crate::policy::review::text;

/// The kinds that hold a Pod's template, as rules name them.
const CONTROLLERS: [(&str, &str); 6] = [
    ("DaemonSet", "apps/v1/DaemonSet"),
    ("Deployment", "apps/v1/Deployment"),
    ("Job", "batch/v1/Job"),
    ("ReplicaSet", "apps/v1/ReplicaSet"),
    ("ReplicationController", "v1/ReplicationController"),
    ("StatefulSet", "apps/v1/StatefulSet"),
];
const CRON_JOB: (&str, &str) = ("CronJob", "batch/v1/CronJob");
const ANNOTATION: &str = "/metadata/annotations/pod-policies.kyverno.io~1autogen-controllers";
/// How long a rule's name may be.
const LONGEST_NAME: usize = 63;

/// A rule of a policy, and whether it is generated for controllers.
pub(super) struct PolicyRule {
    pub(super) json: Json,
    pub(super) is_generated: bool,
}

/// The rules of a policy, with those for controllers.
pub(super) fn rules(policy: &Json) -> Vec<PolicyRule> {
    let rules = policy.pointer("/spec/rules").and_then(Json::as_array).cloned().unwrap_or_default();
    let wanted = policy.pointer(ANNOTATION).and_then(Json::as_str);
    let mut all: Vec<PolicyRule> =
        rules.iter().map(|json| PolicyRule { json: json.clone(), is_generated: false }).collect();
    if wanted == Some("none") || !can_be_generated(&rules) {
        return all;
    }
    let is_wanted = |kind: &str| wanted.is_none_or(|wanted| wanted.split(',').any(|one| one == kind || one == "all"));
    let kinds: Vec<&str> =
        CONTROLLERS.iter().filter(|(kind, _)| is_wanted(kind)).map(|(_, selector)| *selector).collect();
    for rule in rules.iter().filter(|rule| is_about_pods(rule)) {
        let made = |json| PolicyRule { json, is_generated: true };
        if !kinds.is_empty() {
            all.extend(generated(rule, "autogen", &kinds, &["template"], "template").map(made));
        }
        if is_wanted(CRON_JOB.0) {
            let steps = ["jobTemplate", "template"];
            all.extend(
                generated(rule, "autogen-cronjob", &[CRON_JOB.1], &steps, "jobTemplate.spec.template").map(made),
            );
        }
    }
    all
}

/// Whether a kind is one that rules are generated for.
pub(super) fn is_controller(kind: &str) -> bool {
    kind == CRON_JOB.0 || CONTROLLERS.iter().any(|(controller, _)| *controller == kind)
}

/// The filters of a block: `any`, `all`, or itself.
fn filters(block: &Json) -> Vec<&Json> {
    let lists = ["any", "all"].iter().filter_map(|name| block.get(name)?.as_array());
    std::iter::once(block).chain(lists.flatten()).collect()
}

fn kinds(filter: &Json) -> Vec<&str> {
    let kinds = filter.pointer("/resources/kinds").and_then(Json::as_array);
    kinds.into_iter().flatten().filter_map(Json::as_str).collect()
}

fn is_pod(kind: &str) -> bool {
    kind.rsplit('/').next() == Some("Pod")
}

/// Whether all rules allow it: a filter by name, labels or annotations would mean something else on a controller.
fn can_be_generated(rules: &[Json]) -> bool {
    let mut is_needed = false;
    for rule in rules {
        if rule.get("generate").is_some() || rule.pointer("/mutate/patchesJson6902").is_some() {
            return false;
        }
        let blocks = [rule.get("match"), rule.get("exclude")].into_iter().flatten();
        for filter in blocks.flat_map(filters) {
            let has = |name: &str| filter.pointer(&format!("/resources/{name}")).is_some_and(|it| !it.is_null());
            let kinds = kinds(filter);
            let is_mixed = kinds.len() > 1 && kinds.iter().any(|kind| is_pod(kind));
            if has("name") || has("names") || has("selector") || has("annotations") || is_mixed {
                return false;
            }
            is_needed |= kinds.contains(&"Pod");
        }
    }
    is_needed
}

fn is_about_pods(rule: &Json) -> bool {
    let of = |name: &str| -> Vec<&str> { rule.get(name).into_iter().flat_map(filters).flat_map(kinds).collect() };
    let excluded = of("exclude");
    of("match").iter().any(|kind| is_pod(kind))
        && (excluded.is_empty() || excluded.iter().any(|kind| is_pod(kind)))
        && !text(rule, "/name").starts_with("autogen-")
}

/// A rule as it is for controllers. `steps` are the fields around a pattern, `path` those in expressions.
fn generated(rule: &Json, prefix: &str, kinds: &[&str], steps: &[&str], path: &str) -> Option<Json> {
    let mut rule = rule.clone();
    let name: String = format!("{prefix}-{}", text(&rule, "/name")).chars().take(LONGEST_NAME).collect();
    rule["name"] = Json::String(name);
    let is_cron_job = steps.len() > 1;
    for name in ["match", "exclude"] {
        if let Some(block) = rule.get_mut(name) {
            with_kinds(block, kinds, is_cron_job);
        }
    }
    let wrapped =
        |pattern: &Json| steps.iter().rev().fold(pattern.clone(), |inner, step| json!({"spec": {*step: inner}}));
    let validate = rule.get_mut("validate")?;
    if let Some(pattern) = validate.get("pattern").cloned() {
        validate["pattern"] = wrapped(&pattern);
    } else if let Some(patterns) = validate.get("anyPattern").and_then(Json::as_array).cloned() {
        validate["anyPattern"] = patterns.iter().map(wrapped).collect();
    }
    let prefix = if validate.get("cel").is_some() { "" } else { "request." };
    replace_texts(&mut rule, &|text| {
        let mut text = text.to_owned();
        for field in ["spec", "metadata"] {
            for object in ["object", "oldObject"] {
                let from = format!("{prefix}{object}.{field}");
                text = text.replace(&from, &format!("{prefix}{object}.spec.{path}.{field}"));
            }
        }
        text
    });
    Some(rule)
}

fn with_kinds(block: &mut Json, kinds: &[&str], is_cron_job: bool) {
    let set = |filter: &mut Json| {
        if let Some(there) = filter.pointer_mut("/resources/kinds") {
            let is_meant = there.as_array().is_some_and(|there| there.iter().any(|it| it.as_str().is_some_and(is_pod)));
            if is_meant || is_cron_job {
                *there = json!(kinds);
            }
        }
    };
    set(block);
    for name in ["any", "all"] {
        block.get_mut(name).and_then(Json::as_array_mut).into_iter().flatten().for_each(set);
    }
}

fn replace_texts(value: &mut Json, replaced: &impl Fn(&str) -> String) {
    match value {
        Json::String(text) => *text = replaced(text),
        Json::Array(items) => items.iter_mut().for_each(|item| replace_texts(item, replaced)),
        Json::Object(fields) => {
            let changed = std::mem::take(fields).into_iter().map(|(key, mut value)| {
                replace_texts(&mut value, replaced);
                (replaced(&key), value)
            });
            *fields = changed.collect();
        }
        _ => {}
    }
}

/// The resources of pod controllers, as a `ValidatingPolicy` names them: group, version, plural.
const RESOURCES: [(&str, &str); 6] = [
    ("apps", "daemonsets"),
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("batch", "jobs"),
    ("batch", "cronjobs"),
];

/// The specifications of a `ValidatingPolicy`, with those for controllers.
pub(super) fn specifications(spec: &Json) -> Vec<Json> {
    let mut all = vec![spec.clone()];
    let Some(rules) = spec.pointer("/matchConstraints/resourceRules").and_then(Json::as_array) else { return all };
    let [rule] = rules.as_slice() else { return all };
    let selects = |name: &str| {
        let selector = spec.pointer(&format!("/matchConstraints/objectSelector/{name}"));
        selector.is_some_and(|it| {
            it.as_object().is_some_and(|it| !it.is_empty()) || it.as_array().is_some_and(|it| !it.is_empty())
        })
    };
    let has_list = |pointer: &str| spec.pointer(pointer).and_then(Json::as_array).is_some_and(|it| !it.is_empty());
    let is = |name: &str, wanted: &str| rule.get(name) == Some(&json!([wanted]));
    let is_about_pods = is("apiGroups", "") && is("apiVersions", "v1") && is("resources", "pods");
    let is_narrowed = selects("matchLabels")
        || selects("matchExpressions")
        || has_list("/matchConstraints/excludeResourceRules")
        || rule.get("resourceNames").and_then(Json::as_array).is_some_and(|it| !it.is_empty());
    if !is_about_pods || is_narrowed {
        return all;
    }
    let wanted = spec.pointer("/autogen/podControllers/controllers").and_then(Json::as_array);
    let is_wanted = |resource: &str| wanted.is_none_or(|wanted| wanted.iter().any(|it| *it == resource));
    for (is_cron_job, path) in [(false, "template"), (true, "jobTemplate.spec.template")] {
        let targets =
            RESOURCES.iter().filter(|(_, resource)| (*resource == "cronjobs") == is_cron_job && is_wanted(resource));
        let rules: Vec<Json> = targets
            .map(|(group, resource)| {
                json!({"apiGroups": [group], "apiVersions": ["v1"], "resources": [resource], "operations": rule.get("operations")})
            })
            .collect();
        if rules.is_empty() {
            continue;
        }
        let mut generated = spec.clone();
        replace_texts(&mut generated, &|text| {
            ["spec", "metadata"].iter().fold(text.to_owned(), |text, field| {
                ["object", "oldObject"].iter().fold(text, |text, object| {
                    with_longer_path(&text, &format!("{object}.{field}"), &format!("{object}.spec.{path}.{field}"))
                })
            })
        });
        let selector = spec.pointer("/matchConstraints/namespaceSelector");
        generated["matchConstraints"] = json!({"resourceRules": rules});
        if let Some(selector) = selector {
            generated["matchConstraints"]["namespaceSelector"] = selector.clone();
        }
        all.push(generated);
    }
    all
}

/// A namespace is that of the object itself, and not of its template.
fn with_longer_path(text: &str, from: &str, to: &str) -> String {
    let mut parts = text.split(from);
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let after = part.strip_prefix(".namespace");
        let is_whole = |rest: &str| !rest.starts_with(|it: char| it.is_ascii_alphanumeric() || it == '_');
        replaced.push_str(if after.is_some_and(is_whole) { from } else { to });
        replaced.push_str(part);
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(annotation: Option<&str>, kinds: &Json, validate: &Json) -> Json {
        let mut policy = json!({"metadata": {"name": "p"}, "spec": {"rules": [
            {"name": "r", "match": {"any": [{"resources": {"kinds": kinds}}]}, "validate": validate}]}});
        if let Some(annotation) = annotation {
            policy["metadata"]["annotations"] = json!({"pod-policies.kyverno.io/autogen-controllers": annotation});
        }
        policy
    }

    fn names(policy: &Json) -> Vec<String> {
        rules(policy).iter().map(|rule| text(&rule.json, "/name").to_owned()).collect()
    }

    #[test]
    fn rules_about_pods_are_made_for_controllers() {
        let pattern = json!({"pattern": {"spec": {"x": "{{request.object.metadata.name}}"}}});
        let pods = json!(["Pod"]);
        assert_eq!(names(&policy(None, &pods, &pattern)), ["r", "autogen-r", "autogen-cronjob-r"]);
        assert_eq!(names(&policy(Some("none"), &pods, &pattern)), ["r"]);
        assert_eq!(
            names(&policy(Some("Deployment,CronJob"), &pods, &pattern)),
            ["r", "autogen-r", "autogen-cronjob-r"]
        );
        assert_eq!(names(&policy(Some("Deployment"), &pods, &pattern)), ["r", "autogen-r"]);
        assert_eq!(names(&policy(None, &json!(["Pod", "Deployment"]), &pattern)), ["r"]);
        assert_eq!(names(&policy(None, &json!(["Service"]), &pattern)), ["r"]);
        let all = rules(&policy(None, &pods, &pattern));
        assert_eq!(
            all[1].json["validate"]["pattern"],
            json!({"spec": {"template": {"spec": {"x": "{{request.object.spec.template.metadata.name}}"}}}})
        );
        assert_eq!(
            all[2].json["validate"]["pattern"],
            json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": {"x": "{{request.object.spec.jobTemplate.spec.template.metadata.name}}"}}}}}})
        );
        assert_eq!(all[2].json["match"]["any"][0]["resources"]["kinds"], json!(["batch/v1/CronJob"]));
    }

    #[test]
    fn expressions_are_made_for_controllers() {
        let spec = json!({"matchConstraints": {"resourceRules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]},
            "validations": [{"expression": "object.spec.x == 1 && object.metadata.namespace == oldObject.metadata.name"}]});
        let all = specifications(&spec);
        assert_eq!(all.len(), 3);
        assert_eq!(
            all[1]["validations"][0]["expression"],
            json!(
                "object.spec.template.spec.x == 1 && object.metadata.namespace == oldObject.spec.template.metadata.name"
            )
        );
        assert_eq!(all[2]["matchConstraints"]["resourceRules"][0]["resources"], json!(["cronjobs"]));
    }
}
