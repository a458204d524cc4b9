//! Strategic-merge patches (`kyaml/yaml/merge2`, `kyaml/yaml/walk`).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::kustomize::build::id::Gvk;
use crate::kustomize::error::RenderError;
use crate::kustomize::known::schema::{Schema, Schemas};
use crate::yaml::{Kind, Mapping, Node, Scalar, Step, Value, reads_as_string};

const DIRECTIVE: &str = "$patch";

/// Merges `patch` into `object`; `None` where the patch deletes it.
///
/// # Errors
/// When the two have different shapes at one place, or a directive is unknown.
pub(crate) fn merge(object: Node, patch: &Node, schemas: &Schemas) -> Result<Option<Node>, RenderError> {
    if directive(patch)? == Some(Directive::Replace) {
        // kustomize walks through such a patch and forgets the result.
        return Ok(Some(object));
    }
    let walk = Walk { schemas };
    let schema = walk.schema_of(&object).or_else(|| walk.schema_of(patch));
    walk.value(Some(object), Some(patch), schema, None)
}

/// One merge, with what is known of kinds.
#[derive(Clone, Copy)]
struct Walk<'a> {
    schemas: &'a Schemas,
}

/// What a `$patch` key asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

fn directive(node: &Node) -> Result<Option<Directive>, RenderError> {
    let Some(value) = node.get(DIRECTIVE) else { return Ok(None) };
    match value.as_scalar().map(|scalar| &*scalar.text) {
        Some("merge") => Ok(Some(Directive::Merge)),
        Some("replace") => Ok(Some(Directive::Replace)),
        Some("delete") => Ok(Some(Directive::Delete)),
        _ => Err(RenderError::at(value.origin.span, "`$patch` must be `merge`, `replace` or `delete`")),
    }
}

fn without_directive(node: &Node) -> Node {
    let mut node = node.clone();
    if node.get(DIRECTIVE).is_some() {
        node.as_mapping_mut().into_iter().for_each(|mapping| {
            mapping.remove(DIRECTIVE);
        });
    }
    node
}

impl<'a> Walk<'a> {
    fn schema_of(self, node: &Node) -> Option<Schema<'a>> {
        let gvk = Gvk::of(node);
        if gvk.kind.is_empty() || gvk.version.is_empty() { None } else { self.schemas.of(&gvk) }
    }

    /// Merges one place of both. Null and missing are the same to the shape; the first that has one decides it.
    fn value(
        self,
        object: Option<Node>,
        patch: Option<&Node>,
        schema: Option<Schema<'a>>,
        merge_keys: Option<&[&str]>,
    ) -> Result<Option<Node>, RenderError> {
        let shape = |node: &Node| match &node.value {
            Value::Scalar(scalar) if scalar.kind == Kind::Null => None,
            Value::Scalar(_) => Some(0),
            Value::Sequence(_) => Some(1),
            Value::Mapping(_) => Some(2),
        };
        let (old, new) = (object.as_ref().and_then(shape), patch.and_then(shape));
        if let (Some(old_shape), Some(new_shape), Some(object), Some(patch)) = (old, new, &object, patch)
            && old_shape != new_shape
        {
            let message = format!("the patch has {} here, the object has {}", patch.shape(), object.shape());
            return Err(RenderError::at(patch.origin.span, message).related(object.origin.span, "it would change this"));
        }
        match old.or(new) {
            None => Ok(keep_null(object, patch)),
            // A null in the patch removes what is there.
            Some(0) => Ok(match (object, patch) {
                (before, Some(patch)) if !patch.is_null() => Some(replaced(patch, before)),
                (_, Some(_)) => None,
                (before, None) => before,
            }),
            Some(1) => match merge_keys {
                Some(keys) => self.associative(object, patch, keys, schema),
                None => Ok(match (object, patch) {
                    (before, Some(patch)) if !patch.is_null() => Some(replaced(patch, before)),
                    (_, Some(_)) => None,
                    (before, None) => before,
                }),
            },
            Some(_) => self.mapping(object, patch, schema),
        }
    }

    fn mapping(
        self,
        object: Option<Node>,
        patch: Option<&Node>,
        schema: Option<Schema<'a>>,
    ) -> Result<Option<Node>, RenderError> {
        let object = object.filter(|object| !object.is_null());
        if patch.is_some_and(Node::is_null) {
            return Ok(None);
        }
        let asked = patch.map(directive).transpose()?.flatten();
        if asked == Some(Directive::Delete) {
            return Ok(None);
        }
        // What only one side has, or replaces the other, is still walked: nulls and directives inside it must go.
        let (mut dest, patch) = match (object, patch) {
            (Some(object), None) => (object, None),
            (Some(object), Some(patch)) if asked != Some(Directive::Replace) => {
                (object, Some(without_directive(patch)))
            }
            (_, Some(patch)) => (without_directive(patch), Some(without_directive(patch))),
            (None, None) => return Ok(None),
        };
        let schema =
            schema.or_else(|| self.schema_of(&dest)).or_else(|| patch.as_ref().and_then(|patch| self.schema_of(patch)));
        let empty = Mapping::default();
        let additions = patch.as_ref().and_then(Node::as_mapping).unwrap_or(&empty);
        let Some(entries) = dest.as_mapping() else { return Ok(Some(dest)) };
        if additions.is_empty() && !entries.iter().any(|(_, node)| needs_walk(node)) {
            return Ok(Some(dest));
        }
        let by_key: HashMap<&str, &Node> = additions.iter().map(|(key, node)| (&*key.text, node)).collect();
        let mut merged = Mapping::default();
        merged.remember_removals(entries);
        for (key, node) in entries.iter() {
            let field = schema.and_then(|schema| schema.field(&key.text));
            let (keys, inner) = field.map_or((None, None), |field| (field.merge_keys, field.schema));
            let patch = by_key.get(&*key.text).copied();
            let result = self.value(Some(node.clone()), patch, inner, keys.as_deref())?;
            match (result, patch) {
                (Some(result), _) => merged.push(key.clone(), in_quotes_if_needed(result)),
                // kustomize does not find such a key again, and fails on it in the end.
                (None, _) if key.is_null() => merged.push(key.clone(), node.clone()),
                (None, Some(patch)) => merged.note_removal(&key.text, patch.origin.span),
                (None, None) => {}
            }
        }
        for (key, node) in additions.iter().filter(|(key, _)| entries.get(&key.text).is_none()) {
            let field = schema.and_then(|schema| schema.field(&key.text));
            let (keys, inner) = field.map_or((None, None), |field| (field.merge_keys, field.schema));
            if let Some(result) = self.value(None, Some(node), inner, keys.as_deref())? {
                merged.push(key.clone(), in_quotes_if_needed(result));
            }
        }
        dest.value = Value::Mapping(Arc::new(merged));
        Ok(Some(dest))
    }

    /// Merges lists whose items are matched by keys. The patch's items come first.
    fn associative(
        self,
        object: Option<Node>,
        patch: Option<&Node>,
        keys: &[&str],
        schema: Option<Schema<'a>>,
    ) -> Result<Option<Node>, RenderError> {
        let object = object.filter(|object| !object.is_null());
        if object.is_some() && patch.is_some_and(Node::is_null) {
            return Ok(None);
        }
        let mut patch = patch.cloned();
        let asked = patch.as_mut().map(take_list_directive).transpose()?.flatten();
        let (mut dest, patch) = match (object, patch, asked) {
            (_, _, Some(Directive::Delete)) => return Ok(None),
            (Some(object), patch, None | Some(Directive::Merge)) => (object, patch),
            (_, Some(patch), _) => (patch.clone(), Some(patch)),
            (object, None, _) => return Ok(object),
        };
        let own = dest.as_sequence().unwrap_or_default().to_vec();
        let added = patch.as_ref().and_then(Node::as_sequence).unwrap_or_default();
        let items =
            if keys.is_empty() { merge_scalars(&own, added) } else { self.merge_items(&own, added, keys, schema)? };
        dest.value = Value::Sequence(Arc::new(items));
        Ok(Some(dest))
    }

    /// Items of both lists that stand for each other are merged. What order the result has is kustomize's: items of the
    /// patch first, but where several keys identify an item, the object's own items keep together behind what is new.
    fn merge_items(
        self,
        own: &[Node],
        added: &[Node],
        keys: &[&str],
        schema: Option<Schema<'a>>,
    ) -> Result<Vec<Node>, RenderError> {
        let mut values: Vec<Vec<String>> = Vec::new();
        let mut seen = HashSet::new();
        for item in added.iter().chain(own) {
            let found = key_values(item, keys);
            if seen.insert(found.clone()) {
                values.push(found);
            }
        }
        if keys.len() > 1 {
            unify(&mut values);
        }
        let used: Vec<bool> = (0..keys.len()).map(|at| values.iter().any(|value| !value[at].is_empty())).collect();
        let none_used = !used.contains(&true);
        let mut items = Items { nodes: own.to_vec() };
        let mut dest: Vec<usize> = (0..own.len()).collect();
        let mut result: Vec<usize> = Vec::new();
        let valid: Vec<usize> = (0..keys.len()).filter(|at| none_used || used[*at]).collect();
        let valid_keys: Vec<&str> = valid.iter().map(|at| keys[*at]).collect();
        for value in &values {
            let wanted: Vec<&str> = valid.iter().map(|at| value[*at].as_str()).collect();
            let from = dest.iter().copied().find(|at| has_keys(&items.nodes[*at], &valid_keys, &wanted));
            let patch = added.iter().find(|item| has_keys(item, &valid_keys, &wanted));
            let merged = self.value(from.map(|at| items.nodes[at].clone()), patch, schema, None)?;
            // What replaces an item is a node of its own; the item it was meant for is put over it further below.
            let replaces = patch.map(directive).transpose()?.flatten() == Some(Directive::Replace);
            let from = from.filter(|_| !replaces);
            let Some(mut merged) = merged.filter(|merged| !is_nothing(merged)) else {
                items.set(&mut dest, None, &valid_keys, &wanted);
                continue;
            };
            let span = merged.origin.span;
            for (key, value) in valid_keys.iter().zip(&wanted) {
                let missing = !value.is_empty() && merged.get(key).is_none();
                if let Some(mapping) = merged.as_mapping_mut().filter(|_| missing) {
                    let value = Value::Scalar(Scalar::plain(value));
                    mapping.set(key, Node { value, origin: crate::yaml::Origin::new(span, Step::Patch) });
                }
            }
            let at = items.put(from, merged);
            items.set(&mut result, Some(at), &valid_keys, &wanted);
        }
        for at in dest {
            let mut wanted: Vec<String> = Vec::new();
            for key in &valid_keys {
                match items.nodes[at].get(key).filter(|node| !node.is_null()) {
                    Some(node) => wanted.push(node.as_text().unwrap_or_default().to_owned()),
                    None => result.push(at),
                }
            }
            let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
            if valid_keys.len() > 1 {
                items.set(&mut result, None, &valid_keys, &wanted);
            }
            items.set(&mut result, Some(at), &valid_keys, &wanted);
        }
        Ok(result.into_iter().map(|at| items.nodes[at].clone()).collect())
    }
}

/// A null that the user wrote out stays; one that is merely empty goes, as do nulls in patches.
fn keep_null(object: Option<Node>, patch: Option<&Node>) -> Option<Node> {
    let written = |node: &Node| node.as_scalar().is_some_and(|scalar| !scalar.text.is_empty());
    object.filter(|object| patch.is_none() && written(object))
}

/// The patch's node in the place of the object's.
fn replaced(patch: &Node, before: Option<Node>) -> Node {
    let mut node = patch.clone();
    // Where the object lacks the field, the patch is walked against itself; nothing was replaced then.
    if let Some(before) = before.filter(|before| before.origin.span != patch.origin.span) {
        if let (Value::Scalar(new), Some(old)) = (&mut node.value, before.as_scalar()) {
            // The old quotes stay, and what is in quotes is a string.
            if !old.plain && new.kind != Kind::Null {
                new.kind = Kind::String;
            }
            new.plain = old.plain;
        }
        node.remember(before);
    }
    node
}

/// kustomize puts words of YAML 1.1 in quotes wherever it merges, and keeps these when it writes something else there.
fn in_quotes_if_needed(mut node: Node) -> Node {
    if let Value::Scalar(scalar) = &mut node.value
        && is_word(scalar)
    {
        scalar.plain = false;
    }
    node
}

/// Whether a string without quotes would be something else to YAML 1.1.
fn is_word(scalar: &Scalar) -> bool {
    scalar.kind == Kind::String && scalar.plain && !reads_as_string(&scalar.text)
}

/// Whether a walk without a patch may change anything: empty nulls vanish, words get quotes, merged lists are put together again.
fn needs_walk(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(scalar) => scalar.kind == Kind::Null && scalar.text.is_empty() || is_word(scalar),
        Value::Sequence(_) => true,
        Value::Mapping(mapping) => mapping.iter().any(|(_, node)| needs_walk(node)),
    }
}

/// The texts by which an item of a list is matched, one a key; empty where the item lacks the key.
fn key_values(item: &Node, keys: &[&str]) -> Vec<String> {
    let text = |key: &&str| item.get(key).filter(|node| !is_nothing(node)).and_then(Node::as_scalar);
    keys.iter().map(|key| text(key).map_or_else(String::new, |scalar| scalar.text.to_string())).collect()
}

fn is_nothing(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(scalar) => scalar.kind == Kind::Null,
        Value::Sequence(items) => items.is_empty(),
        Value::Mapping(mapping) => mapping.is_empty(),
    }
}

/// Reads and removes an item `{$patch: …}` that speaks for the whole list.
fn take_list_directive(list: &mut Node) -> Result<Option<Directive>, RenderError> {
    let is_directive =
        |item: &Node| item.as_mapping().is_some_and(|item| item.len() == 1 && item.get(DIRECTIVE).is_some());
    let Some(at) = list.as_sequence().and_then(|items| items.iter().position(is_directive)) else { return Ok(None) };
    let Some(items) = list.as_sequence_mut() else { return Ok(None) };
    let asked = directive(&items[at])?;
    let value = items[at].get(DIRECTIVE).and_then(Node::as_text).map(str::to_owned);
    items.retain(|item| !is_directive(item) || item.get(DIRECTIVE).and_then(Node::as_text).map(str::to_owned) != value);
    Ok(asked)
}

fn merge_scalars(own: &[Node], added: &[Node]) -> Vec<Node> {
    let mut seen = HashSet::new();
    let text = |node: &Node| node.as_scalar().map(|scalar| Arc::clone(&scalar.text));
    added.iter().chain(own).filter(|item| text(item).is_none_or(|text| seen.insert(text))).cloned().collect()
}

/// Whether an item has these key values. Keys without a value do not count, unless none has one.
fn has_keys(item: &Node, keys: &[&str], values: &[&str]) -> bool {
    let none = values.iter().all(|value| value.is_empty());
    let mut pairs = keys.iter().zip(values).filter(|(_, value)| none || !value.is_empty());
    item.as_mapping().is_some()
        && pairs.all(|(key, value)| item.get(key).and_then(Node::as_scalar).is_some_and(|found| *found.text == **value))
}

/// The items of a list while it is merged; positions stand for items, since one may be listed in two places.
struct Items {
    nodes: Vec<Node>,
}

impl Items {
    fn put(&mut self, at: Option<usize>, node: Node) -> usize {
        match at {
            Some(at) => self.nodes[at] = node,
            None => self.nodes.push(node),
        }
        at.unwrap_or(self.nodes.len() - 1)
    }

    /// Puts `element` in the place of the listed items that have these key values, or at the end; `None` removes them.
    fn set(&self, list: &mut Vec<usize>, element: Option<usize>, keys: &[&str], values: &[&str]) {
        let mut found = false;
        let names_mapping = values.first().is_some_and(|value| !value.is_empty());
        let mut kept = Vec::with_capacity(list.len() + 1);
        for at in list.iter().copied() {
            let item = &self.nodes[at];
            if item.is_null() || item.as_mapping().is_some_and(Mapping::is_empty) {
                continue;
            }
            if item.as_mapping().is_none() && names_mapping {
                kept.push(at);
                continue;
            }
            let has = |(key, value): (&&str, &&str)| {
                item.get(key).is_some_and(|node| {
                    value.is_empty() || node.as_scalar().is_some_and(|found| *found.text == **value)
                })
            };
            if values.is_empty() || !keys.iter().zip(values).all(has) {
                if !values.is_empty() {
                    kept.push(at);
                }
                continue;
            }
            found = true;
            kept.extend(element);
        }
        if !found {
            kept.extend(element);
        }
        *list = kept;
    }
}

/// Items that agree in one key and do not contradict each other in the rest are the same item: a port patched by its
/// number alone is the one with the protocol.
fn unify(values: &mut [Vec<String>]) {
    for one in 0..values.len() {
        for other in 0..values.len() {
            let mut agrees = false;
            let mut unified = Vec::with_capacity(values[one].len());
            let fits = values[one].iter().zip(&values[other]).all(|(a, b)| {
                agrees |= a == b;
                unified.push(if a.is_empty() { b.clone() } else { a.clone() });
                a == b || a.is_empty() || b.is_empty()
            });
            if fits && agrees {
                values[one].clone_from(&unified);
                values[other] = unified;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::kustomize::testing::{Row, hold};

    const ROWS: &[Row<'_>] = &[
        (
            r#"patches:
- patch: |-
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: c}
    data: {a: null, b: "2"}
"#,
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "1"}
"#,
            r#"apiVersion: v1
data:
  b: "2"
kind: ConfigMap
metadata:
  name: c
"#,
        ),
        (
            r#"patches:
- patch: |-
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: c}
    data:
      $patch: replace
      b: "2"
"#,
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "1"}
"#,
            r#"apiVersion: v1
data:
  b: "2"
kind: ConfigMap
metadata:
  name: c
"#,
        ),
        (
            "patches:
- patch: |-
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: c}
    $patch: delete
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kept}
",
            "apiVersion: v1
kind: ConfigMap
metadata:
  name: kept
",
        ),
        (
            r#"patches:
- patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: d}
    spec:
      template:
        spec:
          containers:
          - {name: b, image: "x:2"}
"#,
            r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, image: "a:1"}
      - {name: b, image: "x:1"}
"#,
            "apiVersion: apps/v1
kind: Deployment
metadata:
  name: d
spec:
  template:
    spec:
      containers:
      - image: x:2
        name: b
      - image: a:1
        name: a
",
        ),
        (
            r#"patches:
- patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: d}
    spec:
      template:
        spec:
          containers:
          - {name: new, image: "x:2"}
"#,
            r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, image: "a:1"}
"#,
            "apiVersion: apps/v1
kind: Deployment
metadata:
  name: d
spec:
  template:
    spec:
      containers:
      - image: x:2
        name: new
      - image: a:1
        name: a
",
        ),
        (
            "patches:
- patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: d}
    spec:
      template:
        spec:
          containers:
          - {name: a, $patch: delete}
",
            r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, image: "a:1"}
      - {name: b, image: "x:1"}
"#,
            "apiVersion: apps/v1
kind: Deployment
metadata:
  name: d
spec:
  template:
    spec:
      containers:
      - image: x:1
        name: b
",
        ),
        (
            "patches:
- patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: d}
    spec:
      template:
        spec:
          containers:
          - {name: a, args: [z]}
",
            "apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, args: [x, y]}
",
            "apiVersion: apps/v1
kind: Deployment
metadata:
  name: d
spec:
  template:
    spec:
      containers:
      - args:
        - z
        name: a
",
        ),
        (
            "patches:
- patch: |-
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: absent}
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
",
            "error: the patch for ConfigMap `absent` matches no object",
        ),
    ];

    #[test]
    fn a_patch_is_merged_as_kustomize_merges_it() {
        hold(ROWS);
    }
}
