//! What a change adds to the difference between an environment and the one below it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::handle::{Handle, Handles, Target};
use super::promotions::counterparts_here;
use super::{Context, FactsError};
use crate::finding::Object;
use crate::kustomize::Renderer;
use crate::model::{Case, Overlay, describe};
use crate::yaml::{Node, Origin, Value, pointer_token, same};

/// A field of a workload that differs from the environment below, because of this change.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// The field, or what lacks it.
    pub at: Handle,
    /// Whether that is in the overlay's own folder.
    pub own: bool,
    /// The kind and the name of the object.
    pub object: String,
    /// The field, such as `containers.api.args`.
    pub field: String,
    /// `differs`, `added` (it is only here) or `missing` (it is only below).
    pub how: &'static str,
    /// The environment below.
    pub environment: String,
}

/// Fields that are what makes an environment: they may always differ.
const OF_AN_ENVIRONMENT: [&str; 28] = [
    "replicas",
    "resources",
    "image",
    "imagePullSecrets",
    "env",
    "envFrom",
    "labels",
    "annotations",
    "selector",
    "namespace",
    "name",
    "generateName",
    "secretName",
    "claimName",
    "host",
    "hosts",
    "hostname",
    "hostnames",
    "hostAliases",
    "nodeSelector",
    "tolerations",
    "affinity",
    "topologySpreadConstraints",
    "priorityClassName",
    "storageClassName",
    "minReplicas",
    "maxReplicas",
    "schedule",
];

/// How many differences of one object are looked at.
const MOST: usize = 500;

/// A difference, without its place.
struct Difference<'a> {
    field: String,
    how: &'static str,
    origin: &'a Origin,
    object: Object,
    path: String,
}

impl Drift {
    /// What a case adds.
    ///
    /// # Errors
    /// When a side cannot be read.
    pub fn of(context: &Context<'_>, case: &Case<'_>, handles: &mut Handles) -> Result<Vec<Self>, FactsError> {
        let (Some(head), Some(base)) = (&case.rendered.head.rendering, &case.rendered.base.rendering) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for (environment, counterpart) in counterparts_here(context, case.overlay) {
            let rendered = |renderer: &Renderer<'_>, overlay: &Overlay| {
                renderer.render_any(&overlay.path).map(|rendering| rendering.objects).ok()
            };
            let Some(below_before) = rendered(&context.renderers.base, counterpart) else { continue };
            let Some(below_after) = rendered(&context.renderers.head, counterpart) else { continue };
            // A field that differed already may differ in another way: that is how an environment is run.
            let known = differences(&base.objects, &below_before);
            let is_known = |new: &Difference<'_>| {
                let is_of = |object: &Object| object.kind == new.object.kind && object.name == new.object.name;
                // A workload may become another kind of object, or get another name.
                let is_renamed = !base.objects.iter().map(describe).any(|object| is_of(&object));
                known.iter().any(|known| known.field == new.field && (is_renamed || is_of(&known.object)))
            };
            let new = differences(&head.objects, &below_after);
            for difference in new.into_iter().filter(|difference| !is_known(difference)) {
                let path = &context.files.files.get(difference.origin.span.file).path;
                found.push(Self {
                    own: path.is_within(&case.overlay.path),
                    at: handles.add(Target::of_value(difference.origin, &difference.object, &difference.path)),
                    object: format!("{} `{}`", difference.object.kind, difference.object.name),
                    field: difference.field,
                    how: difference.how,
                    environment: context.config.environments[environment].name.clone(),
                });
            }
        }
        Ok(found)
    }
}

/// How the workloads of one side differ from those of the other, object by object of the same kind and name.
fn differences<'a>(here: &'a [Node], there: &'a [Node]) -> Vec<Difference<'a>> {
    let mut found = Vec::new();
    for node in here {
        let object = describe(node);
        let other = there.iter().find(|other| {
            let other = describe(other);
            other.kind == object.kind && other.name == object.name
        });
        let pods = [Some(node), other].map(|node| node.and_then(pod));
        if let [Some((path, pod)), Some((_, below))] = pods {
            let mut walk = Walk { object: &object, found: Vec::new() };
            walk.compare(pod, below, &mut String::new(), &mut path.clone());
            found.append(&mut walk.found);
        }
    }
    found
}

/// The pod spec of a workload, and its JSON pointer.
fn pod(node: &Node) -> Option<(String, &Node)> {
    let places: [&[&str]; 3] =
        [&["spec", "template", "spec"], &["spec", "jobTemplate", "spec", "template", "spec"], &["spec"]];
    places.into_iter().find_map(|place| {
        let found = node.find(place).filter(|found| found.get("containers").is_some())?;
        Some((format!("/{}", place.join("/")), found))
    })
}

struct Walk<'o, 'a> {
    object: &'o Object,
    found: Vec<Difference<'a>>,
}

impl<'a> Walk<'_, 'a> {
    fn compare(&mut self, here: &'a Node, there: &'a Node, field: &mut String, path: &mut String) {
        if self.found.len() >= MOST || same(here, there) {
            return;
        }
        let lengths = (field.len(), path.len());
        match (&here.value, &there.value) {
            (Value::Mapping(own), Value::Mapping(other)) => {
                for (key, value) in own.iter().filter(|(key, _)| !OF_AN_ENVIRONMENT.contains(&&*key.text)) {
                    step(field, path, &key.text);
                    match other.get(&key.text) {
                        Some(below) => self.compare(value, below, field, path),
                        None => self.add(&value.origin, "added", field, path),
                    }
                    back(field, path, lengths);
                }
                for (key, _) in other.iter().filter(|(key, _)| !OF_AN_ENVIRONMENT.contains(&&*key.text)) {
                    if own.get(&key.text).is_none() {
                        step(field, path, &key.text);
                        self.add(&here.origin, "missing", field, path);
                        back(field, path, lengths);
                    }
                }
            }
            (Value::Sequence(own), Value::Sequence(other)) if has_names(own) && has_names(other) => {
                for (at, item) in own.iter().enumerate() {
                    let name = name_of(item);
                    field.push_str(&format!(".{name}"));
                    path.push_str(&format!("/{at}"));
                    match other.iter().find(|below| name_of(below) == name) {
                        Some(below) => self.compare(item, below, field, path),
                        None => self.add(&item.origin, "added", field, path),
                    }
                    back(field, path, lengths);
                }
                for item in other.iter().filter(|item| own.iter().all(|own| name_of(own) != name_of(item))) {
                    field.push_str(&format!(".{}", name_of(item)));
                    self.add(&here.origin, "missing", field, path);
                    back(field, path, lengths);
                }
            }
            _ => self.add(&here.origin, "differs", field, path),
        }
    }

    fn add(&mut self, origin: &'a Origin, how: &'static str, field: &str, path: &str) {
        self.found.push(Difference {
            field: field.trim_start_matches('.').to_owned(),
            how,
            origin,
            object: self.object.clone(),
            path: path.to_owned(),
        });
    }
}

fn step(field: &mut String, path: &mut String, key: &str) {
    field.push('.');
    field.push_str(key);
    path.push('/');
    path.push_str(&pointer_token(key));
}

fn back(field: &mut String, path: &mut String, (of_field, of_path): (usize, usize)) {
    field.truncate(of_field);
    path.truncate(of_path);
}

/// What an item of a list is called: containers and volumes have names, mounts paths, ports numbers.
fn name_of(item: &Node) -> &str {
    let named = ["mountPath", "containerPort", "name"].iter().find_map(|key| item.get(key)?.as_text());
    named.unwrap_or_default()
}

fn has_names(items: &[Node]) -> bool {
    let names: BTreeSet<&str> = items.iter().map(name_of).collect();
    !names.contains("") && names.len() == items.len()
}
