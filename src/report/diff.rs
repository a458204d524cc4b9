//! Rendered differences as unified diffs, object by object. Values of Secrets never appear.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::sync::Arc;

use super::escape::printable;
use crate::difference::unified;
use crate::kustomize::{Gvk, RenderError, change_secrets};
use crate::yaml::{Node, Scalar, Value, emit_document, same};

/// One overlay, or one pair of them, whose output may differ.
pub struct Difference {
    /// The app.
    pub app: String,
    /// What the two sides are called: a folder, and its revision where there are two.
    pub names: [String; 2],
    /// What they render to; nothing where there is no overlay.
    pub sides: [Result<Vec<Node>, RenderError>; 2],
}

/// How one object differs.
pub struct ObjectDifference {
    /// The app.
    pub app: String,
    /// Kind, namespace and name.
    pub object: String,
    /// What the two sides are called.
    pub names: [String; 2],
    /// The object on each side; empty where it is not there.
    pub texts: [String; 2],
}

impl ObjectDifference {
    /// The unified diff, with both names. Only line breaks of the text itself survive: a terminal obeys nothing of it.
    #[must_use]
    pub fn unified(&self) -> String {
        let [old, new] = &self.texts;
        let text = unified(old, new, [&self.names[0], &self.names[1]]);
        text.lines().map(|line| printable(line) + "\n").collect()
    }
}

/// Every object that differs between two sides that render.
#[must_use]
pub fn objects(differences: &[Difference]) -> Vec<ObjectDifference> {
    let mut found = Vec::new();
    for difference in differences {
        let [Ok(old), Ok(new)] = &difference.sides else { continue };
        let is_same = |pair: &Pair<'_>| matches!(pair, (Some(old), Some(new)) if same(old, new));
        for (old, new) in pairs(old, new).into_iter().filter(|pair| !is_same(pair)) {
            let name = new.or(old).map(Identity::of).unwrap_or_default();
            let place = if name.namespace.is_empty() { name.name } else { format!("{}/{}", name.namespace, name.name) };
            let (old, new) = shown(old, new);
            found.push(ObjectDifference {
                app: printable(&difference.app),
                object: format!("{} {}", printable(&name.kind), printable(&place)),
                names: difference.names.each_ref().map(|name| printable(name)),
                texts: [old, new],
            });
        }
    }
    found
}

/// Writes every difference between two sides that render; says how many overlays have any.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(differences: &[Difference], out: &mut dyn Write) -> io::Result<usize> {
    let mut count = 0;
    for difference in differences {
        let objects = objects(std::slice::from_ref(difference));
        count += usize::from(!objects.is_empty());
        for object in objects {
            writeln!(out, "{} {}\n{}", object.app, object.object, object.unified())?;
        }
    }
    Ok(count)
}

/// An object on either side; one of them is there.
type Pair<'a> = (Option<&'a Node>, Option<&'a Node>);

#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    kind: String,
    name: String,
    namespace: String,
}

impl Identity {
    fn of(node: &Node) -> Self {
        let text = |path: &[&str]| node.find(path).and_then(Node::as_text).unwrap_or_default().to_owned();
        let gvk = Gvk::of(node);
        Self {
            kind: if gvk.group.is_empty() { gvk.kind } else { format!("{}.{}", gvk.kind, gvk.group) },
            name: text(&["metadata", "name"]),
            namespace: text(&["metadata", "namespace"]),
        }
    }

    fn elsewhere(self) -> Self {
        Self { namespace: String::new(), ..self }
    }

    /// Without the hash that kustomize appends to a generated name.
    fn ungenerated(self) -> Self {
        let name = match self.name.rsplit_once('-') {
            Some((name, hash)) if matches!(&*self.kind, "ConfigMap" | "Secret") && hash.len() == HASH_LENGTH => name,
            _ => return self.elsewhere(),
        };
        Self { name: name.to_owned(), ..self }.elsewhere()
    }
}

/// The number of characters of a generated name's hash, after kustomize's `api/hasher`.
const HASH_LENGTH: usize = 10;

/// Both sides' objects in pairs, by kind and name: of the same name and namespace, else of the same name, else of the
/// same name but for the hash of its content.
fn pairs<'a>(old: &'a [Node], new: &'a [Node]) -> Vec<Pair<'a>> {
    let mut old: Vec<Option<&Node>> = old.iter().map(Some).collect();
    let mut new: Vec<Option<&Node>> = new.iter().map(Some).collect();
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    for alike in [|name| name, Identity::elsewhere, Identity::ungenerated] {
        let mut places: BTreeMap<Identity, VecDeque<usize>> = BTreeMap::new();
        for (at, node) in old.iter().enumerate() {
            if let Some(node) = node {
                places.entry(alike(Identity::of(node))).or_default().push_back(at);
            }
        }
        for slot in &mut new {
            let at = slot.and_then(|node| places.get_mut(&alike(Identity::of(node)))?.pop_front());
            if let Some(at) = at {
                pairs.push((old[at].take(), slot.take()));
            }
        }
    }
    pairs.extend(old.into_iter().filter(Option::is_some).map(|node| (node, None)));
    pairs.extend(new.into_iter().filter(Option::is_some).map(|node| (None, node)));
    pairs.sort_by_cached_key(|(old, new)| new.or(*old).map(Identity::of));
    pairs
}

fn shown(old: Option<&Node>, new: Option<&Node>) -> (String, String) {
    let text = |node: Option<&Node>, other: Option<&Node>, word: &str| {
        let mut out = String::new();
        if let Some(node) = node {
            let node = hidden(node, other, word);
            if let Err(error) = emit_document(&node, &mut out) {
                out = format!("cannot be printed: {}\n", error.message);
            }
        }
        out
    };
    (text(old, new, "old"), text(new, old, "new"))
}

/// A Secret with its metadata and the names of its keys: whether the values are the same on both sides is all that is told.
fn hidden(node: &Node, other: Option<&Node>, word: &str) -> Node {
    let mut node = node.clone();
    change_secrets(&mut node, other, &mut |value, other| {
        let is_same = other.is_some_and(|other| same(other, value));
        let text = if is_same { "(hidden)".to_owned() } else { format!("(hidden, {word})") };
        value.value = Value::Scalar(Scalar { text: Arc::from(text), ..Scalar::string("") });
    });
    node
}
