//! The objects of one kustomization while it is put together (`api/internal/accumulator/resaccumulator.go`).

use std::collections::HashMap;
use std::sync::Arc;

use super::id::Gvk;
use super::idle::Idle;
use super::opaque::{Opaque, short_digest};
use super::resource::{Behavior, Resource};
use super::transformer_config::TransformerConfig;
use crate::kustomize::error::RenderError;
use crate::kustomize::finish::build_metadata;
use crate::kustomize::known::schema::Schemas;
use crate::kustomize::limits::{MOST_GENERATED, MOST_OBJECTS};
use crate::kustomize::transform::merge::merge;
use crate::kustomize::transform::vars::Vars;
use crate::span::Span;
use crate::yaml::{Key, Mapping, Node, Scalar, Step, Value, same, to_json};

/// The objects so far, and their identities as long as nothing renames them.
#[derive(Default)]
pub(crate) struct Accumulator {
    pub resources: Vec<Resource>,
    ids: HashMap<(Gvk, String, String), Span>,
    knows_ids: bool,
    /// Bytes of generated data so far.
    generated: usize,
    /// The fields that transformers change: what bases know, and then the kustomization itself.
    pub config: Option<Arc<TransformerConfig>>,
    /// The vars of bases, and then of the kustomization itself.
    pub vars: Vars,
    /// What comes from elsewhere and is left out.
    pub opaque: Vec<Opaque>,
    /// Entries that match nothing.
    pub idle: Vec<Idle>,
}

/// The bytes of all values under `data` and `binaryData`.
fn data_size(node: &Node) -> usize {
    let values = ["data", "binaryData"].iter().filter_map(|field| node.get(field).and_then(Node::as_mapping));
    values.flat_map(Mapping::iter).filter_map(|(_, node)| node.as_text()).map(str::len).sum()
}

/// What two objects must not share.
pub(crate) fn id_key(resource: &Resource) -> (Gvk, String, String) {
    let id = resource.id();
    let namespace = id.effective_namespace().to_owned();
    (id.gvk, id.name, namespace)
}

impl Accumulator {
    /// Whether some of it comes from elsewhere and is not seen.
    pub(crate) fn has_unseen(&self) -> bool {
        self.opaque.iter().any(|opaque| !opaque.is_seen)
    }

    /// Notes what a kustomization does to whatever is not seen.
    pub(crate) fn change_unseen(&mut self, changes: &[(&str, Node)]) {
        if changes.is_empty() {
            return;
        }
        for opaque in self.opaque.iter_mut().filter(|opaque| !opaque.is_seen) {
            for (field, change) in changes {
                let digest = short_digest(&[field.as_bytes(), to_json(change).to_string().as_bytes()]);
                opaque.made_from.push_str(&digest);
            }
        }
    }

    /// Keeps patches that match nothing with the content that they are meant for. A patch changes what an earlier one says about
    /// the same object.
    pub(crate) fn give(&mut self, patches: Vec<Node>, schemas: &Schemas) {
        let Some(last) = self.opaque.iter().rposition(|opaque| !opaque.is_seen).filter(|_| !patches.is_empty()) else {
            return;
        };
        let key = |node: &Node| Some((Gvk::of(node), node.find(&["metadata", "name"])?.as_text()?.to_owned()));
        let mut known: HashMap<(Gvk, String), (usize, usize)> = HashMap::new();
        for (opaque, Opaque { given, .. }) in self.opaque.iter().enumerate() {
            for (at, node) in given.iter().enumerate() {
                known.extend(key(node).map(|key| (key, (opaque, at))));
            }
        }
        for patch in patches {
            let key = key(&patch);
            let earlier = key.as_ref().and_then(|key| known.get(key)).copied();
            let earlier = earlier.map(|(opaque, at)| &mut self.opaque[opaque].given[at]);
            if let Some(earlier) = earlier
                && let Ok(Some(merged)) = merge(earlier.clone(), &patch, schemas)
            {
                *earlier = merged;
                continue;
            }
            let given = &mut self.opaque[last].given;
            known.extend(key.map(|key| (key, (last, given.len()))));
            given.push(patch);
        }
    }

    /// The fields that transformers change.
    pub(crate) fn config(&self) -> Arc<TransformerConfig> {
        self.config.clone().unwrap_or_else(TransformerConfig::standard)
    }

    /// Adds to the fields that transformers change.
    ///
    /// # Errors
    /// When the two disagree.
    pub(crate) fn merge_config(&mut self, added: &Arc<TransformerConfig>) -> Result<(), RenderError> {
        let is_standard = Arc::ptr_eq(added, &TransformerConfig::standard());
        match &mut self.config {
            None if is_standard => self.config = Some(Arc::clone(added)),
            Some(known) if is_standard && Arc::ptr_eq(known, added) => {}
            known => {
                // Also what is merged into nothing loses specs that overlap.
                Arc::make_mut(known.get_or_insert_default()).merge(TransformerConfig::clone(added))?;
            }
        }
        Ok(())
    }

    /// What a component has left is merged into nothing again, as kustomize does it: specs that overlap are lost.
    ///
    /// # Errors
    /// When specs that overlap contradict each other.
    pub(crate) fn reset_config(&mut self) -> Result<(), RenderError> {
        match self.config.take() {
            Some(config) => self.merge_config(&config),
            None => Ok(()),
        }
    }

    /// Says that names may have changed.
    pub(crate) fn forget_ids(&mut self) {
        self.ids.clear();
        self.knows_ids = false;
    }

    /// Adds objects, all of them new.
    ///
    /// # Errors
    /// When one is there already, or they are too many.
    pub(crate) fn append(&mut self, added: Vec<Resource>, span: Span) -> Result<(), RenderError> {
        if !self.knows_ids {
            self.ids = self.resources.iter().map(|resource| (id_key(resource), resource.node.origin.span)).collect();
            self.knows_ids = true;
        }
        if self.resources.len() + added.len() > MOST_OBJECTS {
            return Err(RenderError::at(span, format!("more than {MOST_OBJECTS} objects in one overlay"))
                .help("split the overlay"));
        }
        for resource in added {
            let place = resource.node.origin.span;
            if let Some(first) = self.ids.insert(id_key(&resource), place) {
                return Err(RenderError::at(span, format!("{} already exists", resource.id()))
                    .help("list it once, or rename one of the two")
                    .related(first, "the first one is here")
                    .related(place, "the second one is here"));
            }
            self.resources.push(resource);
        }
        Ok(())
    }

    /// Adds what a generator made, or merges it into the object that it names.
    ///
    /// # Errors
    /// When the object is there and should not be, or the other way round.
    pub(crate) fn absorb(&mut self, mut generated: Resource, span: Span) -> Result<(), RenderError> {
        self.generated += data_size(&generated.node);
        if self.generated > MOST_GENERATED {
            let message = format!("the generators of one overlay make more than {MOST_GENERATED} bytes");
            return Err(RenderError::at(span, message).help("a ConfigMap or Secret may hold one megabyte"));
        }
        let id = generated.id();
        let mut found = self.resources.iter().enumerate().filter(|(_, resource)| resource.has_been(&id));
        let (first, second) = (found.next().map(|(at, _)| at), found.next());
        if second.is_some() {
            return Err(RenderError::at(span, format!("several objects match what is generated for {id}")));
        }
        match (first, generated.behavior) {
            (None, Behavior::Create) => self.append(vec![generated], span),
            (None, _) if self.has_unseen() => self.append(vec![generated], span),
            (None, _) => Err(RenderError::at(span, format!("there is no {id} to merge into or replace"))
                .help("remove `behavior` to create it, or correct the name")),
            (Some(at), Behavior::Create) => Err(RenderError::at(span, format!("{id} already exists"))
                .help("write `behavior: merge` or `behavior: replace`, or choose another name")
                .related(self.resources[at].node.origin.span, "the first one is here")),
            (Some(at), behavior) => {
                let old = &self.resources[at];
                combine(&mut generated, old, behavior);
                self.resources[at] = generated;
                self.forget_ids();
                Ok(())
            }
        }
    }
}

/// What the object is was said by whoever made it; a default that both have, too.
fn keep_what_it_is(new: &mut Resource, old: &Resource) {
    let defaults = new.node.get("apiVersion").map(|node| node.origin.span);
    let (Some(object), Some(older)) = (new.node.as_mapping_mut(), old.node.as_mapping()) else { return };
    let of_old = |key: &Key, node: &Node| {
        let is_told = matches!(&*key.text, "apiVersion" | "kind" | "type") && Some(node.origin.span) == defaults;
        let made = older.key(&key.text).zip(older.get(&key.text)).filter(|_| is_told);
        made.filter(|(_, made)| same(made, node)).map(|(key, made)| (key.clone(), made.clone()))
    };
    let kept = |(key, node): (&Key, &Node)| of_old(key, node).unwrap_or_else(|| (key.clone(), node.clone()));
    *object = object.iter().map(kept).collect();
}

/// Lets a generated object take the place of an older one: its name, namespace, past, and what it does not set itself.
fn combine(new: &mut Resource, old: &Resource, behavior: Behavior) {
    new.inherit(old);
    keep_what_it_is(new, old);
    if behavior == Behavior::Merge {
        build_metadata::keep_origin(new, old);
    }
    let merges: &[&[&str]] = match behavior {
        Behavior::Merge => &[&["metadata", "labels"], &["metadata", "annotations"], &["data"], &["binaryData"]],
        _ => &[&["metadata", "labels"], &["metadata", "annotations"]],
    };
    for path in merges {
        let Some(older) = old.node.find(path).and_then(Node::as_mapping).filter(|older| !older.is_empty()) else {
            continue;
        };
        let (Some((last, above)), span) = (path.split_last(), new.node.origin.span) else { continue };
        let holder = above.iter().try_fold(&mut new.node, |node, key| node.as_mapping_mut()?.get_mut(key));
        let Some(holder) = holder.and_then(Node::as_mapping_mut) else { continue };
        if holder.get(last).is_none() {
            holder.set(last, Node::mapping(span, Step::Generator));
        }
        let Some(mapping) = holder.get_mut(last).and_then(Node::as_mapping_mut) else { continue };
        for (key, node) in older.iter() {
            match mapping.get_mut(&key.text) {
                None => {
                    let mut node = node.clone();
                    node.origin.shared = 0;
                    // kustomize takes the texts, whatever they mean.
                    if let Some(scalar) = node.as_scalar() {
                        let text = if node.is_null() { "" } else { &scalar.text };
                        node.value = Value::Scalar(Scalar::string(text));
                    }
                    mapping.push(key.clone(), node);
                }
                Some(found) => {
                    let shared = found.origin.shared;
                    found.remember(node.clone());
                    // Marks count within one object.
                    found.origin.shared = shared;
                }
            }
        }
    }
    let Some(metadata) = new.node.as_mapping_mut().and_then(|object| object.get_mut("metadata")) else { return };
    let Some(metadata) = metadata.as_mapping_mut() else { return };
    for field in ["name", "namespace"] {
        match old.node.find(&["metadata", field]) {
            Some(value) => metadata.set(field, value.clone()),
            None => {
                metadata.remove(field);
            }
        }
    }
}
