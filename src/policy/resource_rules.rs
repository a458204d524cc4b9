//! Which objects an admission policy is about: `matchConstraints` and `matchResources`
//! (<https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#matching-requests-admission-chain>).

use serde_json::Value as Json;

use super::review::{Review, Unknown, group_and_version, plural, selects, text};
use crate::kustomize::is_cluster_scoped;

/// Whether match criteria hold for a review. Where there are no rules, `without` says whether all objects are meant.
pub(super) fn matches(criteria: &Json, review: &Review<'_>, without: bool) -> bool {
    let rules = |name: &str| criteria.get(name).and_then(Json::as_array).filter(|rules| !rules.is_empty());
    let is_exact = text(criteria, "/matchPolicy") == "Exact";
    let is_included = rules("resourceRules")
        .map_or(without, |rules| rules.iter().any(|rule| is_about(rule, review, is_exact, Unknown::Fits)));
    let is_excluded = rules("excludeResourceRules")
        .is_some_and(|rules| rules.iter().any(|rule| is_about(rule, review, is_exact, Unknown::Differs)));
    is_included && !is_excluded && fits_object(criteria, review) && fits_namespace(criteria, review)
}

fn fits_object(criteria: &Json, review: &Review<'_>) -> bool {
    let Some(selector) = criteria.get("objectSelector") else { return true };
    let fits = |object: &Json| selects(selector, object.pointer("/metadata/labels"));
    fits(review.object) || review.old.is_some_and(fits)
}

fn fits_namespace(criteria: &Json, review: &Review<'_>) -> bool {
    let selector = criteria.get("namespaceSelector");
    selector.is_none_or(|selector| review.fits_namespace(selector, Unknown::Fits, true, selects))
}

/// Whether a resource rule is about an object.
fn is_about(rule: &Json, review: &Review<'_>, is_exact: bool, unknown: Unknown) -> bool {
    let (group, version) = group_and_version(text(review.object, "/apiVersion"));
    let kind = text(review.object, "/kind");
    let has = |name: &str, wanted: &str| {
        let list = rule.get(name).and_then(Json::as_array).filter(|list| !list.is_empty());
        list.is_none_or(|list| list.iter().any(|one| *one == "*" || *one == wanted))
    };
    let is_resource = rule.get("resources").and_then(Json::as_array).is_some_and(|resources| {
        resources.iter().filter_map(Json::as_str).any(|resource| is_resource(resource, kind, group, review, unknown))
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

/// Whether a resource as rules name it, such as `deployments`, is that of a kind. Of kinds that are not Kubernetes'
/// own, the definition knows the plural: that of the base. One that only the change has can make a rule be about more,
/// and not about less.
fn is_resource(resource: &str, kind: &str, group: &str, review: &Review<'_>, unknown: Unknown) -> bool {
    let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
    if !matches!(part, "" | "*") {
        return false;
    }
    if resource == "*" {
        return true;
    }
    let is_own = !group.contains('.') || group.ends_with(".k8s.io");
    let is_definition = |object: &&Json| {
        text(object, "/apiVersion").starts_with("apiextensions.k8s.io/")
            && text(object, "/kind") == "CustomResourceDefinition"
            && text(object, "/spec/names/kind") == kind
            && text(object, "/spec/group") == group
    };
    let names_it = |definition: &Json| text(definition, "/spec/names/plural") == resource;
    let objects = if is_own { &[] } else { review.base.unwrap_or(review.all) };
    let definitions: Vec<&Json> = objects.iter().filter(is_definition).collect();
    if definitions.iter().any(|definition| names_it(definition)) {
        return true;
    }
    let is_known = !definitions.is_empty();
    if unknown == Unknown::Differs {
        return !is_known && resource == plural(kind);
    }
    // Without its definition, what looks like it may be it: `indices` of an `Index`.
    let lower = kind.to_lowercase();
    let alike = lower.bytes().zip(resource.bytes()).take_while(|(one, other)| one == other).count();
    let is_alike = alike >= lower.len().saturating_sub(3).max(3) && resource.len() <= lower.len() + 3;
    let is_added = || review.all.iter().filter(is_definition).any(names_it);
    if is_own { resource == plural(kind) } else { !is_known && (is_alike || resource == plural(kind)) || is_added() }
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
    fn a_change_cannot_take_its_namespace_out() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "shop"}});
        let place = |api: &str, env: &str| json!({"apiVersion": api, "kind": "Namespace", "metadata": {"name": "shop", "labels": {"env": env}}});
        let criteria =
            json!({"resourceRules": [{"resources": ["pods"]}], "namespaceSelector": {"matchLabels": {"env": "prod"}}});
        let asked = |base: Option<&[Json]>, all: &[Json]| {
            matches(&criteria, &Review::new(&pod, None, all).with_base(base, false), false)
        };
        // A new one tells the truth, but not where the namespace is in use already.
        assert!(!asked(None, &[place("v1", "dev")]));
        assert!(asked(Some(&[]), &[place("v1", "dev")]), "what did not render before");
        let new = Review::new(&pod, None, &[]).with_base(Some(&[]), true);
        assert!(matches(&criteria, &new, false));
        let dev = [place("v1", "dev")];
        assert!(!matches(&criteria, &Review::new(&pod, None, &dev).with_base(Some(&[]), true), false));
        assert!(asked(Some(std::slice::from_ref(&pod)), &[place("v1", "dev")]));
        assert!(asked(None, &[place("x.io/v1", "dev")]));
        // Another label counts as well as the one before.
        assert!(asked(Some(&[place("v1", "prod")]), &[place("v1", "dev")]));
        assert!(asked(Some(&[place("v1", "dev")]), &[place("v1", "prod")]));
        assert!(!asked(Some(&[place("v1", "dev")]), &[place("v1", "dev")]));
        let named = json!({"resourceRules": [{"resources": ["pods"]}],
                           "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}});
        assert!(matches(&named, &Review::new(&pod, None, &[place("v1", "dev")]), false));
    }

    #[test]
    fn a_definition_knows_the_plural_of_its_kind() {
        let fish = json!({"apiVersion": "sea.org/v1", "kind": "Fish", "metadata": {"name": "x"}});
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                                "spec": {"group": "sea.org", "names": {"kind": "Fish", "plural": "fish"}}});
        let rule = |resource: &str| json!({"resourceRules": [{"resources": [resource]}]});
        let all = [definition];
        assert!(matches(&rule("fish"), &Review::new(&fish, None, &all), false));
        assert!(matches(&rule("fish"), &Review::new(&fish, None, &[]), false));
        assert!(!matches(&rule("whales"), &Review::new(&fish, None, &[]), false));
        assert!(!matches(&rule("fishingrequests"), &Review::new(&fish, None, &[]), false));
        // One that only the change has does not hide the kind, and what is excluded must be it exactly.
        let mut other = all[0].clone();
        other["spec"]["names"]["plural"] = json!("zzz");
        let head = [other];
        assert!(matches(&rule("fish"), &Review::new(&fish, None, &head).with_base(Some(&[]), false), false));
        let excluding = |resource: &str| json!({"resourceRules": [{"resources": ["*"]}], "excludeResourceRules": [{"resources": [resource]}]});
        assert!(matches(&excluding("fis"), &Review::new(&fish, None, &[]), false));
        assert!(!matches(&excluding("fish"), &Review::new(&fish, None, &all), false));
        let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "x"}});
        let mut hidden = all[0].clone();
        hidden["spec"] = json!({"group": "networking.k8s.io", "names": {"kind": "Ingress", "plural": "xs"}});
        let all = [hidden];
        for (resource, expected) in
            [("ingresses", true), ("xs", false), ("ingresses/*", true), ("ingresses/status", false)]
        {
            assert_eq!(matches(&rule(resource), &Review::new(&ingress, None, &all), false), expected, "{resource}");
        }
        for (kind, expected) in
            [("NetworkPolicy", "networkpolicies"), ("Ingress", "ingresses"), ("Gateway", "gateways"), ("Pod", "pods")]
        {
            assert_eq!(plural(kind), expected);
        }
    }
}
