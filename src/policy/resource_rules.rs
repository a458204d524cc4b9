//! Which objects an admission policy is about: `matchConstraints` and `matchResources`
//! (<https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#matching-requests-admission-chain>).

use serde_json::Value as Json;

use super::review::{Review, group_and_version, namespace, plural, selects, text};
use crate::kustomize::is_cluster_scoped;

/// Whether match criteria hold for a review. Where there are no rules, `without` says whether all objects are meant.
pub(super) fn matches(criteria: &Json, review: &Review<'_>, without: bool) -> bool {
    let rules = |name: &str| criteria.get(name).and_then(Json::as_array).filter(|rules| !rules.is_empty());
    let is_exact = text(criteria, "/matchPolicy") == "Exact";
    let is_included =
        rules("resourceRules").map_or(without, |rules| rules.iter().any(|rule| is_about(rule, review, is_exact)));
    let is_excluded =
        rules("excludeResourceRules").is_some_and(|rules| rules.iter().any(|rule| is_about(rule, review, is_exact)));
    is_included && !is_excluded && fits_object(criteria, review) && fits_namespace(criteria, review)
}

fn fits_object(criteria: &Json, review: &Review<'_>) -> bool {
    let Some(selector) = criteria.get("objectSelector") else { return true };
    let fits = |object: &Json| selects(selector, object.pointer("/metadata/labels"));
    fits(review.object) || review.old.is_some_and(fits)
}

fn fits_namespace(criteria: &Json, review: &Review<'_>) -> bool {
    let Some(selector) = criteria.get("namespaceSelector") else { return true };
    let (group, version) = group_and_version(text(review.object, "/apiVersion"));
    let kind = text(review.object, "/kind");
    let namespace = if kind == "Namespace" { Some(review.object) } else { review.namespace() };
    match namespace {
        Some(namespace) => selects_namespace(selector, namespace),
        None if is_cluster_scoped(group, version, kind) => true,
        // Its labels are not known here, so that the policy may be about it; its name is.
        None => {
            let named = serde_json::json!({"metadata": {"name": self::namespace(review.object)}});
            let asks_only_the_name = only_name(selector);
            !asks_only_the_name || self::namespace(review.object).is_empty() || selects_namespace(selector, &named)
        }
    }
}

/// The label that every Namespace has.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

fn only_name(selector: &Json) -> bool {
    let labels = selector.get("matchLabels").and_then(Json::as_object);
    let expressions = selector.get("matchExpressions").and_then(Json::as_array);
    labels.is_none_or(|labels| labels.keys().all(|key| key == NAME_LABEL))
        && expressions.is_none_or(|all| all.iter().all(|it| text(it, "/key") == NAME_LABEL))
}

fn selects_namespace(selector: &Json, namespace: &Json) -> bool {
    let mut labels = namespace.pointer("/metadata/labels").cloned().unwrap_or_else(|| serde_json::json!({}));
    if let Some(labels) = labels.as_object_mut() {
        labels.entry(NAME_LABEL).or_insert_with(|| text(namespace, "/metadata/name").into());
    }
    selects(selector, Some(&labels))
}

/// Whether a resource rule is about an object.
fn is_about(rule: &Json, review: &Review<'_>, is_exact: bool) -> bool {
    let (group, version) = group_and_version(text(review.object, "/apiVersion"));
    let kind = text(review.object, "/kind");
    let has = |name: &str, wanted: &str| {
        let list = rule.get(name).and_then(Json::as_array).filter(|list| !list.is_empty());
        list.is_none_or(|list| list.iter().any(|one| *one == "*" || *one == wanted))
    };
    let is_resource = rule.get("resources").and_then(Json::as_array).is_some_and(|resources| {
        resources.iter().filter_map(Json::as_str).any(|resource| is_resource(resource, kind, group, review))
    });
    let is_cluster_wide = is_cluster_scoped(group, version, kind);
    let in_scope = match text(rule, "/scope") {
        "Cluster" => is_cluster_wide,
        "Namespaced" => !is_cluster_wide,
        _ => true,
    };
    has("apiGroups", group)
        && (!is_exact || has("apiVersions", version))
        && has("operations", review.operation())
        && has("resourceNames", text(review.object, "/metadata/name"))
        && is_resource
        && in_scope
}

/// Whether a plural, such as `deployments`, is that of a kind. A definition that is rendered beside the object knows best.
fn is_resource(resource: &str, kind: &str, group: &str, review: &Review<'_>) -> bool {
    if matches!(resource, "*" | "*/*") {
        return true;
    }
    let is_definition = |object: &&Json| {
        text(object, "/kind") == "CustomResourceDefinition"
            && text(object, "/spec/names/kind") == kind
            && text(object, "/spec/group") == group
    };
    match review.all.iter().find(is_definition) {
        Some(definition) => text(definition, "/spec/names/plural") == resource,
        None => plural(kind) == resource,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_are_about_resources() {
        let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                             "metadata": {"name": "web", "namespace": "shop", "labels": {"tier": "web"}}});
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
                               "metadata": {"name": "shop", "labels": {"env": "prod"}}});
        let rule = |more: &Json| {
            let mut rule = json!({"apiGroups": ["networking.k8s.io"], "apiVersions": ["v1"],
                                  "operations": ["CREATE"], "resources": ["ingresses"]});
            for (name, value) in more.as_object().unwrap() {
                rule[name] = value.clone();
            }
            json!({"resourceRules": [rule]})
        };
        let with = |criteria: Json, more: &Json| {
            let mut criteria = criteria;
            for (name, value) in more.as_object().unwrap() {
                criteria[name] = value.clone();
            }
            criteria
        };
        let plain = rule(&json!({}));
        for (criteria, expected) in [
            (plain.clone(), true),
            (rule(&json!({"resources": ["ingresses/status"]})), false),
            (rule(&json!({"resources": ["*"]})), true),
            (rule(&json!({"operations": ["UPDATE", "DELETE"]})), false),
            (rule(&json!({"operations": ["*"]})), true),
            (rule(&json!({"apiGroups": [""]})), false),
            (rule(&json!({"apiVersions": ["v1beta1"]})), true),
            (with(rule(&json!({"apiVersions": ["v1beta1"]})), &json!({"matchPolicy": "Exact"})), false),
            (rule(&json!({"resourceNames": ["api"]})), false),
            (rule(&json!({"scope": "Cluster"})), false),
            (with(plain.clone(), &json!({"objectSelector": {"matchLabels": {"tier": "db"}}})), false),
            (with(plain.clone(), &json!({"namespaceSelector": {"matchLabels": {"env": "prod"}}})), true),
            (with(plain.clone(), &json!({"namespaceSelector": {"matchLabels": {"env": "dev"}}})), false),
            (
                with(
                    plain.clone(),
                    &json!({"namespaceSelector": {"matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["shop"]}]}}),
                ),
                false,
            ),
            (with(plain.clone(), &json!({"excludeResourceRules": plain["resourceRules"]})), false),
        ] {
            let all = [namespace.clone()];
            assert_eq!(matches(&criteria, &Review::new(&ingress, None, &all), false), expected, "{criteria}");
        }
        let update = rule(&json!({"operations": ["UPDATE"]}));
        assert!(matches(&update, &Review::new(&ingress, Some(&ingress), &[]), false));
        let elsewhere = with(plain, &json!({"namespaceSelector": {"matchLabels": {"env": "dev"}}}));
        assert!(matches(&elsewhere, &Review::new(&ingress, None, &[]), false));
        assert!(!matches(&json!({}), &Review::new(&ingress, None, &[]), false));
        assert!(matches(&json!({}), &Review::new(&ingress, None, &[]), true));
    }

    #[test]
    fn a_definition_knows_the_plural_of_its_kind() {
        let fish = json!({"apiVersion": "sea.org/v1", "kind": "Fish", "metadata": {"name": "x"}});
        let definition = json!({"kind": "CustomResourceDefinition",
                                "spec": {"group": "sea.org", "names": {"kind": "Fish", "plural": "fish"}}});
        let rule = |resource: &str| json!({"resourceRules": [{"resources": [resource]}]});
        let all = [definition];
        assert!(matches(&rule("fish"), &Review::new(&fish, None, &all), false));
        assert!(!matches(&rule("fish"), &Review::new(&fish, None, &[]), false));
        for (kind, expected) in
            [("NetworkPolicy", "networkpolicies"), ("Ingress", "ingresses"), ("Gateway", "gateways"), ("Pod", "pods")]
        {
            assert_eq!(plural(kind), expected);
        }
    }
}
