//! Whether an object has the shape of a pattern, with Kyverno's anchors
//! (<https://kyverno.io/docs/policy-types/cluster-policy/validate/#anchors>).

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::values::fits;
use crate::config::glob_matches;
use crate::yaml::pointer_token;

/// What comes of a pattern.
#[derive(Debug, PartialEq)]
pub(super) enum Match {
    Fits,
    /// The pattern is not about the object.
    Skips,
    /// The JSON pointers of the fields that do not fit: in a list, of every item.
    Fails(Vec<String>),
    /// It does not fit, and an anchor asks for what is not there.
    Wrong(String),
}

/// Whether an object has the shape of a pattern.
pub(super) fn matches(object: &Json, pattern: &Json) -> Match {
    let mut seen = Seen::default();
    let result = element(object, pattern, "", &mut seen);
    let with_others = |path: String, others: Vec<String>| {
        let others = others.into_iter().filter(|other| *other != path).take(MOST_FIELDS).collect::<Vec<_>>();
        Match::Fails([vec![path], others].concat())
    };
    match result {
        Ok(()) => Match::Fits,
        Err(Mismatch::Skips { .. }) => Match::Skips,
        Err(Mismatch::Other(path)) if seen.is_missing() => Match::Wrong(path),
        Err(Mismatch::Other(path) | Mismatch::Forbidden(path)) => with_others(path, seen.others),
    }
}

/// How many fields are told besides the first.
const MOST_FIELDS: usize = 50;

enum Mismatch {
    /// A conditional or global anchor does not hold: one at this place, or one further inside, where `is_inside`.
    Skips {
        is_inside: bool,
    },
    /// A field is there that must not be.
    Forbidden(String),
    Other(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Anchor {
    Condition,
    Global,
    Negation,
    Equality,
    Existence,
}

/// The anchor of a key, and what it stands around.
fn anchor(key: &str) -> Option<(Anchor, &str)> {
    let key = key.trim();
    let (kind, rest) = match key.chars().next()? {
        '(' => (Anchor::Condition, key),
        '<' => (Anchor::Global, &key[1..]),
        'X' => (Anchor::Negation, &key[1..]),
        '=' => (Anchor::Equality, &key[1..]),
        '^' => (Anchor::Existence, &key[1..]),
        _ => return None,
    };
    let inner = rest.strip_prefix('(')?.strip_suffix(')').filter(|inner| !inner.is_empty())?;
    Some((kind, inner))
}

/// A key without its anchor.
pub(super) fn plain_key(key: &str) -> &str {
    anchor(key).map_or(key, |(_, inner)| inner)
}

/// What is seen on the way.
#[derive(Default)]
struct Seen {
    /// Which keys of anchors have been found in the object.
    anchors: BTreeMap<String, bool>,
    /// Fields of further items that do not fit either.
    others: Vec<String>,
}

impl Seen {
    fn note(&mut self, pattern: &Map<String, Json>, object: &Map<String, Json>) {
        for key in pattern.keys() {
            if let Some((Anchor::Condition | Anchor::Existence, inner)) = anchor(key) {
                *self.anchors.entry(key.clone()).or_default() |= object.contains_key(inner);
            }
        }
    }

    fn is_missing(&self) -> bool {
        self.anchors.values().any(|is_there| !is_there)
    }
}

type Checked = Result<(), Mismatch>;

fn element(value: &Json, pattern: &Json, path: &str, seen: &mut Seen) -> Checked {
    let mismatch = || Err(Mismatch::Other(path.to_owned()));
    match (pattern, value) {
        (Json::Object(pattern), Json::Object(fields)) => {
            seen.note(pattern, fields);
            map(fields, pattern, path, seen)
        }
        (Json::Array(patterns), Json::Array(items)) => list(items, patterns, path, seen),
        (Json::Object(_) | Json::Array(_), _) => mismatch(),
        (pattern, Json::Array(items)) => match items.iter().position(|item| !fits(item, pattern)) {
            Some(at) => Err(Mismatch::Other(format!("{path}/{at}"))),
            None => Ok(()),
        },
        (pattern, value) => {
            if fits(value, pattern) {
                Ok(())
            } else {
                mismatch()
            }
        }
    }
}

fn map(fields: &Map<String, Json>, pattern: &Map<String, Json>, path: &str, seen: &mut Seen) -> Checked {
    let expanded = with_wildcards(pattern, fields);
    let pattern = expanded.as_ref().unwrap_or(pattern);
    let is_first = |key: &str| anchor(key).is_some_and(|(kind, _)| kind != Anchor::Global);
    let mut keys: Vec<&String> = pattern.keys().collect();
    keys.sort();
    let mut skipped: Vec<bool> = Vec::new();
    let mut applied = 0;
    for key in keys.iter().filter(|key| is_first(key)) {
        let Some(wanted) = pattern.get(*key) else { continue };
        match field(fields, key, wanted, path, seen) {
            Ok(()) => applied += 1,
            Err(Mismatch::Skips { is_inside }) => skipped.push(is_inside),
            // Beside a condition that does not hold, nothing else counts.
            Err(_) if skipped.contains(&false) => {}
            Err(mismatch) => return Err(mismatch),
        }
    }
    if !skipped.is_empty() && (applied == 0 || skipped.contains(&false)) {
        return Err(Mismatch::Skips { is_inside: true });
    }
    let mut others: Vec<&String> = keys.into_iter().filter(|key| !is_first(key)).collect();
    // Those with anchors in them come first, the last of them before the others, as in Kyverno.
    let comes_first = |key: &String| {
        let is_global = matches!(anchor(key), Some((Anchor::Global, _)));
        is_global || pattern.get(key).is_some_and(has_anchors)
    };
    let (mut first, last): (Vec<_>, Vec<_>) = others.drain(..).partition(|key| comes_first(key));
    first.reverse();
    for key in first.into_iter().chain(last) {
        let Some(wanted) = pattern.get(key) else { continue };
        field(fields, key, wanted, path, seen)?;
    }
    Ok(())
}

fn has_anchors(pattern: &Json) -> bool {
    match pattern {
        Json::Object(fields) => fields.iter().any(|(key, value)| anchor(key).is_some() || has_anchors(value)),
        Json::Array(items) => items.iter().any(has_anchors),
        _ => false,
    }
}

/// One key of a pattern, with its anchor.
fn field(fields: &Map<String, Json>, key: &str, wanted: &Json, path: &str, seen: &mut Seen) -> Checked {
    let Some((kind, name)) = anchor(key) else {
        let path_of = format!("{path}/{}", pointer_token(key));
        let value = fields.get(key).unwrap_or(&Json::Null);
        if wanted == "*" {
            return if value.is_null() { Err(Mismatch::Other(path_of)) } else { Ok(()) };
        }
        return element(value, wanted, &path_of, seen);
    };
    let path_of = format!("{path}/{}", pointer_token(name));
    match (kind, fields.get(name)) {
        (Anchor::Negation, Some(_)) => Err(Mismatch::Forbidden(path_of)),
        (Anchor::Negation | Anchor::Equality | Anchor::Global | Anchor::Existence, None) => Ok(()),
        (Anchor::Condition, None) => Err(Mismatch::Skips { is_inside: false }),
        (Anchor::Equality, Some(value)) => element(value, wanted, &path_of, seen),
        (Anchor::Condition | Anchor::Global, Some(value)) => {
            element(value, wanted, &path_of, seen).map_err(|_| Mismatch::Skips { is_inside: false })
        }
        (Anchor::Existence, Some(value)) => exists(value, wanted, &path_of, seen),
    }
}

/// Every item of the pattern must be found at least once.
fn exists(value: &Json, wanted: &Json, path: &str, seen: &mut Seen) -> Checked {
    let mismatch = || Mismatch::Other(path.to_owned());
    let (Json::Array(items), Json::Array(patterns)) = (value, wanted) else { return Err(mismatch()) };
    for pattern in patterns {
        if !pattern.is_object() || !items.iter().any(|item| element(item, pattern, path, seen).is_ok()) {
            return Err(mismatch());
        }
    }
    Ok(())
}

fn list(items: &[Json], patterns: &[Json], path: &str, seen: &mut Seen) -> Checked {
    let Some(first) = patterns.first() else { return Err(Mismatch::Other(path.to_owned())) };
    let pairs: Vec<(&Json, &Json)> = match first {
        // One pattern is for every item.
        Json::Object(_) => items.iter().map(|item| (item, first)).collect(),
        Json::Array(_) if items.len() < patterns.len() => return Err(Mismatch::Other(path.to_owned())),
        Json::Array(_) => items.iter().zip(patterns).collect(),
        scalar => return element(&Json::Array(items.to_vec()), scalar, path, seen),
    };
    let (mut applied, mut skipped, mut first) = (0, 0, None);
    for (at, (item, pattern)) in pairs.into_iter().enumerate() {
        match element(item, pattern, &format!("{path}/{at}"), seen) {
            Ok(()) => applied += 1,
            Err(Mismatch::Skips { .. }) => skipped += 1,
            Err(Mismatch::Other(path) | Mismatch::Forbidden(path)) if first.is_some() => {
                // Whether the first one decides is settled; whoever mends it wants to know of the others, too.
                if seen.others.len() < MOST_FIELDS {
                    seen.others.push(path);
                }
            }
            Err(mismatch) => first = Some(mismatch),
        }
    }
    match first {
        Some(mismatch) => Err(mismatch),
        None if applied == 0 && skipped > 0 => Err(Mismatch::Skips { is_inside: true }),
        None => Ok(()),
    }
}

/// The pattern with the keys of labels and annotations in the place of wildcards.
fn with_wildcards(pattern: &Map<String, Json>, fields: &Map<String, Json>) -> Option<Map<String, Json>> {
    let has_wildcards = |key: &str| key.contains(['*', '?']);
    let of = |map: &Map<String, Json>, name: &str| map.keys().find(|key| plain_key(key) == name).cloned();
    let metadata_key = of(pattern, "metadata")?;
    let metadata = pattern.get(&metadata_key)?.as_object()?;
    let mut expanded = None;
    for name in ["labels", "annotations"] {
        let Some(key) = of(metadata, name) else { continue };
        let Some(wanted) = metadata.get(&key).and_then(Json::as_object) else { continue };
        let Some(there) = fields.get("metadata").and_then(|it| it.get(name)?.as_object()) else { continue };
        if !wanted.keys().any(|key| has_wildcards(key)) {
            continue;
        }
        let replaced = wanted.iter().map(|(key, value)| {
            let plain = plain_key(key);
            let found = there.keys().find(|there| has_wildcards(plain) && glob_matches(plain, there));
            (found.map_or_else(|| key.clone(), |found| key.replace(plain, found)), value.clone())
        });
        let replaced = Json::Object(replaced.collect());
        let whole: &mut Map<String, Json> = expanded.get_or_insert_with(|| pattern.clone());
        if let Some(metadata) = whole.get_mut(&metadata_key).and_then(Json::as_object_mut) {
            metadata.insert(key, replaced);
        }
    }
    expanded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn anchors_mean_what_they_mean_in_kyverno() {
        let pod = json!({"metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "x"}}, "spec": {
            "hostNetwork": true, "volumes": [{"name": "v", "hostPath": {"path": "/"}}, {"name": "w"}],
            "containers": [{"name": "one", "image": "a:1", "ports": [80, 443]}, {"name": "two", "image": "b:latest"}]}});
        let fails = |path: &str| Match::Fails(path.split(' ').map(str::to_owned).collect());
        for (pattern, expected) in [
            (json!({"spec": {"containers": [{"image": "*:*"}]}}), Match::Fits),
            (json!({"spec": {"containers": [{"image": "!*:latest"}]}}), fails("/spec/containers/1/image")),
            (json!({"spec": {"=(hostNetwork)": "false"}}), fails("/spec/hostNetwork")),
            (json!({"spec": {"=(hostPID)": "false"}}), Match::Fits),
            (json!({"spec": {"hostPID": "false"}}), fails("/spec/hostPID")),
            (json!({"spec": {"X(hostNetwork)": "null"}}), fails("/spec/hostNetwork")),
            (json!({"spec": {"X(hostPID)": "null"}}), Match::Fits),
            (json!({"spec": {"=(volumes)": [{"X(hostPath)": "null"}]}}), fails("/spec/volumes/0/hostPath")),
            (json!({"spec": {"containers": [{"(name)": "two", "image": "*:1"}]}}), fails("/spec/containers/1/image")),
            (json!({"spec": {"containers": [{"(name)": "three", "image": "*:1"}]}}), Match::Skips),
            (json!({"spec": {"(hostPID)": true, "containers": [{"image": "x"}]}}), Match::Skips),
            (json!({"spec": {"<(hostNetwork)": false, "containers": [{"image": "x"}]}}), Match::Skips),
            (json!({"spec": {"^(containers)": [{"image": "*:latest"}]}}), Match::Fits),
            (json!({"spec": {"^(containers)": [{"image": "*:2"}]}}), fails("/spec/containers")),
            (json!({"metadata": {"labels": {"app.kubernetes.io/*": "?*"}}}), Match::Fits),
            (json!({"metadata": {"labels": {"team": "?*"}}}), fails("/metadata/labels/team")),
            (json!({"metadata": {"annotations": {"a": "*"}}}), fails("/metadata/annotations")),
            (json!({"spec": {"containers": [{"=(ports)": [">=80"]}]}}), Match::Fits),
            (json!({"spec": {"containers": [{"=(ports)": ["<100"]}]}}), fails("/spec/containers/0/ports/1")),
            (json!({"spec": {"volumes": [{"name": "*", "=(emptyDir)": {"sizeLimit": "?*"}}]}}), Match::Fits),
        ] {
            assert_eq!(matches(&pod, &pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn a_global_anchor_inside_of_another_skips_all_of_it() {
        let object = json!({"a": {"b": 3}, "c": [{"a": 1, "b": 9}]});
        let pattern = json!({"=(a)": {"<(b)": true}, "c": [{"X(a)": null, "b": "1-3"}]});
        assert_eq!(matches(&object, &pattern), Match::Skips);
    }

    #[test]
    fn what_is_missing_beside_an_anchor_is_wrong() {
        let pod = json!({"spec": {"containers": [{"name": "a"}]}});
        let pattern =
            json!({"spec": {"containers": [{"image": "x"}], "=(volumes)": [{"(secret)": {}}]}, "^(status)": [{}]});
        assert!(matches!(matches(&pod, &pattern), Match::Wrong(_)));
    }
}
