//! Which objects a rule is about: `match` and `exclude`
//! (<https://kyverno.io/docs/policy-types/cluster-policy/match-exclude/>).

use serde_json::Value as Json;

use crate::config::glob_matches;
use crate::kustomize::is_cluster_scoped;
use crate::policy::review::{Review, Unknown, group_and_version, namespace, selects, text};

/// Whether a rule, or an exception, is about an object. `place` is the namespace of a policy that has one.
///
/// `unknown` is what is said of what is not known here, such as who will apply the object: a rule is asked all the same, and an exception
/// excepts nothing. What is excluded is the other way round.
pub(super) fn is_about(rule: &Json, place: &str, review: &Review<'_>, unknown: Unknown) -> bool {
    let is_about_one = |object: &Json| is_about_object(rule, place, review, object, unknown);
    let (now, old) = (is_about_one(review.object), review.old.map(is_about_one));
    match unknown {
        // A change of a label takes no object out.
        Unknown::Fits => now || old == Some(true),
        Unknown::Differs => now && old != Some(false),
    }
}

fn is_about_object(rule: &Json, place: &str, review: &Review<'_>, object: &Json, unknown: Unknown) -> bool {
    if !place.is_empty() && !namespace(object).is_empty() && namespace(object) != place {
        return false;
    }
    let excluded_if = if unknown == Unknown::Fits { Unknown::Differs } else { Unknown::Fits };
    let blocks = |name: &str| rule.get(name).filter(|block| block.as_object().is_some_and(|it| !it.is_empty()));
    let matched = blocks("match").is_some_and(|block| match (list(block, "any"), list(block, "all")) {
        (Some(any), _) => any.iter().any(|filter| fits(filter, review, object, unknown)),
        (None, Some(all)) => all.iter().all(|filter| fits(filter, review, object, unknown)),
        (None, None) => fits(block, review, object, unknown),
    });
    let excluded = blocks("exclude").is_some_and(|block| match (list(block, "any"), list(block, "all")) {
        (Some(any), _) => any.iter().any(|filter| fits(filter, review, object, excluded_if)),
        (None, Some(all)) => all.iter().all(|filter| fits(filter, review, object, excluded_if)),
        (None, None) => fits(block, review, object, excluded_if),
    });
    matched && !excluded
}

fn list<'a>(block: &'a Json, name: &str) -> Option<&'a Vec<Json>> {
    block.get(name)?.as_array().filter(|list| !list.is_empty())
}

/// Whether one filter fits an object: each of what it names must.
fn fits(filter: &Json, review: &Review<'_>, object: &Json, unknown: Unknown) -> bool {
    let is_open = unknown == Unknown::Fits;
    let asks_who = ["subjects", "roles", "clusterRoles"].iter().any(|name| list(filter, name).is_some());
    let Some(resources) = filter.get("resources").filter(|it| it.as_object().is_some_and(|it| !it.is_empty())) else {
        return asks_who && is_open;
    };
    let texts =
        |name: &str| -> Option<Vec<&str>> { Some(list(resources, name)?.iter().filter_map(Json::as_str).collect()) };
    let (group, version) = group_and_version(text(object, "/apiVersion"));
    let kind = text(object, "/kind");
    let name = match text(object, "/metadata/name") {
        "" => text(object, "/metadata/generateName"),
        name => name,
    };
    let place = if kind == "Namespace" { text(object, "/metadata/name") } else { namespace(object) };
    let has_unknown_place = place.is_empty() && !is_cluster_scoped(group, version, kind);
    let in_places = |places: &[&str]| {
        if has_unknown_place { is_open } else { places.iter().any(|pattern| glob_matches(pattern, place)) }
    };
    let labels = |pointer: &str| object.pointer(pointer);
    let is_operation = texts("operations").is_none_or(|all| all.contains(&review.operation()));
    let is_kind = texts("kinds").is_none_or(|kinds| kinds.iter().any(|it| is_of_kind(it, group, version, kind)));
    let has_name = resources.get("name").and_then(Json::as_str).is_none_or(|pattern| glob_matches(pattern, name));
    let has_names = texts("names").is_none_or(|names| names.iter().any(|pattern| glob_matches(pattern, name)));
    let has_annotations = resources.get("annotations").and_then(Json::as_object).is_none_or(|wanted| {
        wanted
            .iter()
            .all(|(key, value)| has_label(labels("/metadata/annotations"), key, value.as_str().unwrap_or_default()))
    });
    let is_selected =
        resources.get("selector").is_none_or(|selector| selects_with_globs(selector, labels("/metadata/labels")));
    let in_selected = resources.get("namespaceSelector").is_none_or(|selector| {
        let outside = selects_with_globs(selector, None);
        kind != "Namespace" && review.fits_namespace(selector, unknown, outside, selects_with_globs)
    });
    is_operation
        && is_kind
        && has_name
        && has_names
        && texts("namespaces").is_none_or(|places| in_places(&places))
        && has_annotations
        && is_selected
        && in_selected
        && (!asks_who || is_open)
}

/// Whether a kind as policies name it, such as `Pod`, `apps/v1/Deployment` or `batch/*/CronJob`, is that of an object. What names a
/// part of an object (`Pod/exec`) is none that lands.
fn is_of_kind(selector: &str, group: &str, version: &str, kind: &str) -> bool {
    let (before, last) = selector.rsplit_once('/').map_or((None, selector), |(before, last)| (Some(before), last));
    let mut parts: Vec<&str> = before.into_iter().flat_map(|before| before.split('/')).collect();
    parts.extend(last.split('.'));
    let is_version = |part: &str| {
        part == "*" || part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|it: char| it.is_ascii_digit()))
    };
    let (wanted_group, wanted_version, wanted_kind) = match *parts.as_slice() {
        [kind] => ("*", "*", kind),
        ["*", "*"] => ("*", "*", "*"),
        ["*", part] if part.to_lowercase() == part => return false,
        [version, kind] if is_version(version) => ("*", version, kind),
        [group, version, kind] if !is_version(group) => (group, version, kind),
        _ => return false,
    };
    glob_matches(wanted_group, group) && glob_matches(wanted_version, version) && glob_matches(wanted_kind, kind)
}

fn has_label(labels: Option<&Json>, key: &str, value: &str) -> bool {
    labels.and_then(Json::as_object).is_some_and(|labels| {
        labels.iter().any(|(there, held)| {
            glob_matches(key, there) && held.as_str().is_some_and(|held| glob_matches(value, held))
        })
    })
}

/// A selector in whose `matchLabels` wildcards may stand.
fn selects_with_globs(selector: &Json, labels: Option<&Json>) -> bool {
    let wanted = selector.get("matchLabels").and_then(Json::as_object);
    let has_all = wanted.is_none_or(|wanted| {
        wanted.iter().all(|(key, value)| has_label(labels, key, value.as_str().unwrap_or_default()))
    });
    let expressions = serde_json::json!({"matchExpressions": selector.get("matchExpressions")});
    has_all && selects(&expressions, labels)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_are_about_what_they_match_and_do_not_exclude() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {
            "name": "api-1", "namespace": "shop", "labels": {"app": "api"}, "annotations": {"team/x": "on"}}});
        let any = |resources: &Json| json!({"match": {"any": [{"resources": resources}]}});
        for (rule, expected) in [
            (any(&json!({"kinds": ["Pod"]})), false),
            (any(&json!({"kinds": ["Pod", "Deployment"]})), true),
            (any(&json!({"kinds": ["apps/v1/Deployment"]})), true),
            (any(&json!({"kinds": ["apps/*/Deploy*"]})), true),
            (any(&json!({"kinds": ["v1/Deployment"]})), true),
            (any(&json!({"kinds": ["v1beta1/Deployment"]})), false),
            (any(&json!({"kinds": ["v1/*"]})), true),
            (any(&json!({"kinds": ["*/scale"]})), false),
            (any(&json!({"kinds": ["Deployment/scale"]})), false),
            (any(&json!({"kinds": ["*"]})), true),
            (any(&json!({"kinds": ["*"], "operations": ["UPDATE"]})), false),
            (any(&json!({"kinds": ["*"], "names": ["api-*"]})), true),
            (any(&json!({"kinds": ["*"], "name": "web"})), false),
            (any(&json!({"kinds": ["*"], "namespaces": ["sh*"]})), true),
            (any(&json!({"kinds": ["*"], "selector": {"matchLabels": {"a*": "a?i"}}})), true),
            (
                any(
                    &json!({"kinds": ["*"], "selector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}),
                ),
                false,
            ),
            (any(&json!({"kinds": ["*"], "annotations": {"team/*": "on"}})), true),
            (any(&json!({"kinds": ["*"], "namespaceSelector": {"matchLabels": {"env": "prod"}}})), true),
            (json!({"match": {"resources": {"kinds": ["Deployment"]}}}), true),
            (
                json!({"match": {"all": [{"resources": {"kinds": ["Deployment"]}}, {"resources": {"names": ["x"]}}]}}),
                false,
            ),
            (
                json!({"match": {"any": [{"resources": {"kinds": ["Deployment"]}, "subjects": [{"kind": "User", "name": "a"}]}]}}),
                true,
            ),
            (
                json!({"match": {"any": [{"resources": {"kinds": ["*"]}}]}, "exclude": {"any": [{"resources": {"namespaces": ["shop"]}}]}}),
                false,
            ),
            (
                json!({"match": {"any": [{"resources": {"kinds": ["*"]}}]}, "exclude": {"any": [{"clusterRoles": ["cluster-admin"]}]}}),
                true,
            ),
            (json!({}), false),
        ] {
            assert_eq!(is_about(&rule, "", &Review::new(&object, None, &[]), Unknown::Fits), expected, "{rule}");
        }
        let everything = any(&json!({"kinds": ["*"]}));
        let review = Review::new(&object, None, &[]);
        assert!(is_about(&everything, "shop", &review, Unknown::Fits));
        assert!(!is_about(&everything, "other", &review, Unknown::Fits));
        let selected = any(&json!({"kinds": ["*"], "namespaceSelector": {"matchLabels": {"env": "dev"}}}));
        assert!(!is_about(&selected, "", &review, Unknown::Differs));
        let nowhere = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api"}});
        let now = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api-1", "namespace": "shop", "labels": {"exempt": "yes"}}});
        let exempt = json!({"match": {"any": [{"resources": {"kinds": ["*"]}}]},
                            "exclude": {"any": [{"resources": {"selector": {"matchLabels": {"exempt": "yes"}}}}]}});
        assert!(is_about(&exempt, "", &Review::new(&now, Some(&object), &[]), Unknown::Fits));
        assert!(!is_about(&exempt, "", &Review::new(&now, None, &[]), Unknown::Fits));
        let excepted = any(&json!({"kinds": ["*"], "selector": {"matchLabels": {"exempt": "yes"}}}));
        assert!(!is_about(&excepted, "", &Review::new(&now, Some(&object), &[]), Unknown::Differs));
        let placed = any(&json!({"kinds": ["*"], "namespaces": ["kube-system"]}));
        assert!(!is_about(&placed, "", &Review::new(&nowhere, None, &[]), Unknown::Differs));
        assert!(is_about(&placed, "", &Review::new(&nowhere, None, &[]), Unknown::Fits));
    }
}
