//! Puts a kustomization together (`api/internal/target/kusttarget.go`).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::RenderError;
use super::generators::{Product, generate};
use super::id::Gvk;
use super::kustomization::{Kustomization, Order, Pair};
use super::loader::{Closure, Listed, LoadRestrictor, Loader, Parsed};
use super::resource::{Behavior, Resource};
use super::{hash, images, labels, nameref, names, namespace, order, patches, replicas, specs};
use crate::sources::{RepoPath, Tree};
use crate::span::Span;
use crate::yaml::{Mapping, Node, Step, Value, emit_document, through_json};

/// How many kustomizations may stand on the way from an overlay to one base.
const DEEPEST: usize = 64;

/// How many objects one overlay may render to.
const MOST_OBJECTS: usize = 20_000;
/// How many bytes of data the generators of one overlay may make.
const MOST_GENERATED: usize = 64 << 20;

/// What an overlay renders to.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// The objects, in the order of the output.
    pub objects: Vec<Node>,
    /// What the rendering looked for.
    pub closure: Closure,
}

/// Why a folder does not render.
#[derive(Clone, Debug)]
pub struct Unrendered {
    /// What is wrong.
    pub error: RenderError,
    /// What was looked for until then.
    pub closure: Closure,
}

impl Unrendered {
    fn new(error: RenderError, closure: Closure) -> Box<Self> {
        Box::new(Self { error, closure })
    }
}

impl Rendering {
    /// The output of `kustomize build`.
    ///
    /// # Errors
    /// When an object holds something that JSON cannot.
    pub fn to_yaml(&self) -> Result<String, RenderError> {
        let mut out = String::new();
        for (at, object) in self.objects.iter().enumerate() {
            if at > 0 {
                out.push_str("---\n");
            }
            emit_document(object, &mut out).map_err(|error| RenderError::at(error.span, error.message))?;
        }
        Ok(out)
    }
}

/// How to render, as the flags of `kustomize build` have it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Which files kustomizations may read.
    pub restrictor: LoadRestrictor,
    /// The order where the kustomization asks for none; kustomize's default is [`Order::Legacy`].
    pub order: Option<Order>,
    /// Whether every object gets the label `app.kubernetes.io/managed-by`.
    pub managed_by_label: bool,
}

/// Renders the folders of one tree. Built bases are kept.
pub struct Renderer<'a> {
    parsed: &'a Parsed,
    tree: &'a dyn Tree,
    options: Options,
    built: Mutex<HashMap<RepoPath, Arc<Built>>>,
}

/// A kustomization's objects behind its own transformers.
#[derive(Clone, Debug)]
struct Built {
    resources: Vec<Resource>,
    order: Option<Order>,
    closure: Closure,
    /// Folders of this and of every kustomization below.
    roots: BTreeSet<RepoPath>,
}

impl<'a> Renderer<'a> {
    /// Renders from `tree`; files and their parsed forms are shared through `parsed`.
    #[must_use]
    pub fn new(parsed: &'a Parsed, tree: &'a dyn Tree, options: Options) -> Self {
        Self { parsed, tree, options, built: Mutex::default() }
    }

    /// Renders one folder as `kustomize build` does. Where it fails, what was looked for is still told.
    ///
    /// # Errors
    /// When the folder does not render.
    pub fn render(&self, root: &RepoPath) -> Result<Rendering, Box<Unrendered>> {
        let mut closure = Closure::default();
        let result = self.render_noting(root, &mut closure);
        result.map_err(|error| Unrendered::new(error, closure.clone())).map(|objects| Rendering { objects, closure })
    }

    fn render_noting(&self, root: &RepoPath, closure: &mut Closure) -> Result<Vec<Node>, RenderError> {
        let (resources, order) = self.root(root, closure)?;
        self.finish(resources, order)
    }

    /// What happens once, at the root: hashes, references, local objects, order.
    fn finish(&self, mut resources: Vec<Resource>, order: Option<Order>) -> Result<Vec<Node>, RenderError> {
        hash::add(&mut resources)?;
        nameref::fix(&mut resources)?;
        resources.retain(|resource| !is_local(&resource.node));
        let mut seen = HashSet::new();
        for resource in &resources {
            if !seen.insert(id_key(resource)) {
                let message = format!("after all changes, {} stands twice", resource.id());
                let error = RenderError::at(resource.node.origin.span, message);
                return Err(error.help("rename or remove one of the two"));
            }
        }
        if order.or(self.options.order) != Some(Order::Fifo) {
            order::legacy(&mut resources);
        }
        if self.options.managed_by_label {
            for resource in &mut resources {
                let (key, value) = ("app.kubernetes.io/managed-by".to_owned(), "kustomize-(devel)".to_owned());
                let pair = Pair { key, value, span: resource.node.origin.span };
                labels::set(std::slice::from_mut(resource), &[pair], &specs::PLAIN_LABELS, Step::Label)?;
            }
        }
        resources.iter_mut().for_each(Resource::settle_annotations);
        Ok(resources.into_iter().map(|resource| resource.node).collect())
    }

    fn root(&self, root: &RepoPath, closure: &mut Closure) -> Result<(Vec<Resource>, Option<Order>), RenderError> {
        let mut loader = self.loader(root, closure);
        loader.enter()?;
        let root = &loader.root.clone();
        match loader.kustomization(None)? {
            None => {
                let known = super::kustomization::FILE_NAMES.join("`, `");
                Err(RenderError::nowhere(format!("`{root}` has no kustomization"))
                    .help(format!("it needs one of `{known}`")))
            }
            Some(read) => {
                let kustomization = (*read).as_ref().map_err(Clone::clone)?;
                let built = self.build(root, kustomization, &mut Vec::new(), closure)?;
                Ok((built.resources.clone(), built.order))
            }
        }
    }

    /// Renders a folder as whatever it is: a kustomization, else the manifests that it holds.
    ///
    /// # Errors
    /// When it does not render, or holds neither.
    pub fn render_any(&self, root: &RepoPath) -> Result<Rendering, Box<Unrendered>> {
        let mut closure = Closure::default();
        let mut loader = self.loader(root, &mut closure);
        match loader.enter().and_then(|()| loader.kustomization(None)) {
            Ok(None) => self.render_manifests(root).map(|mut rendering| {
                rendering.closure.extend(&closure);
                rendering
            }),
            Ok(Some(_)) | Err(_) => self.render(root),
        }
    }

    /// Renders the manifests of a folder that has no kustomization, as Argo CD reads a directory.
    ///
    /// # Errors
    /// When a manifest cannot be read.
    pub fn render_manifests(&self, root: &RepoPath) -> Result<Rendering, Box<Unrendered>> {
        let mut closure = Closure::default();
        let mut loader = self.loader(root, &mut closure);
        let documents = loader.enter().and_then(|()| loader.manifests());
        let rendered = documents.and_then(objects).and_then(|resources| self.finish(resources, None));
        rendered.map_err(|error| Unrendered::new(error, closure.clone())).map(|objects| Rendering { objects, closure })
    }

    fn loader<'b>(&'b self, root: &RepoPath, closure: &'b mut Closure) -> Loader<'b> {
        Loader {
            tree: self.tree,
            parsed: self.parsed,
            restrictor: self.options.restrictor,
            root: root.clone(),
            closure,
        }
    }

    /// A kustomization's objects behind its transformers, from the store where it is known.
    fn build(
        &self,
        root: &RepoPath,
        kustomization: &Kustomization,
        chain: &mut Vec<RepoPath>,
        closure: &mut Closure,
    ) -> Result<Arc<Built>, RenderError> {
        let known = self.built.lock().unwrap_or_else(PoisonError::into_inner).get(root).cloned();
        if let Some(known) = known.filter(|known| known.roots.iter().all(|root| !closes_cycle(root, chain))) {
            closure.extend(&known.closure);
            return Ok(known);
        }
        let mut own = Closure::default();
        let mut accumulator = Accumulator::default();
        let mut roots = BTreeSet::new();
        let result = self.accumulate(root, kustomization, &mut accumulator, chain, &mut roots, &mut own);
        // The file itself was found by whoever asked.
        self.loader(root, &mut own).kustomization(None)?;
        closure.extend(&own);
        result?;
        let built = Built { resources: accumulator.resources, order: kustomization.order, closure: own, roots };
        let built = Arc::new(built);
        self.built.lock().unwrap_or_else(PoisonError::into_inner).insert(root.clone(), Arc::clone(&built));
        Ok(built)
    }

    /// Adds what a kustomization or a component says to what was accumulated before it.
    fn accumulate(
        &self,
        root: &RepoPath,
        kustomization: &Kustomization,
        accumulator: &mut Accumulator,
        chain: &mut Vec<RepoPath>,
        roots: &mut BTreeSet<RepoPath>,
        closure: &mut Closure,
    ) -> Result<(), RenderError> {
        if let Some(refused) = &kustomization.refused {
            return Err(refused.clone());
        }
        roots.insert(root.clone());
        chain.push(root.clone());
        for entry in &kustomization.resources {
            let span = entry.span;
            match self.loader(root, closure).entry_of(entry)? {
                Listed::File => {
                    let documents = self.loader(root, closure).documents(&entry.value, span, Step::File)?;
                    let found = objects(documents).map_err(|error| error.through(span, "listed here"))?;
                    accumulator.append(found, span)?;
                }
                Listed::Folder(folder) => {
                    let base = self.open(&folder, span, chain, closure)?;
                    let base = (*base).as_ref().map_err(|error| error.clone().through(span, "listed here"))?;
                    if base.is_component {
                        return Err(RenderError::at(span, format!("`{folder}` is a component"))
                            .help("list it under `components`"));
                    }
                    let built = self
                        .build(&folder, base, chain, closure)
                        .map_err(|error| error.through(span, "listed here"))?;
                    roots.extend(built.roots.iter().cloned());
                    accumulator.append(built.resources.clone(), span)?;
                }
            }
        }
        for (generators, product) in
            [(&kustomization.config_maps, Product::ConfigMap), (&kustomization.secrets, Product::Secret)]
        {
            for generator in generators {
                let options = &kustomization.generator_options;
                let generated = generate(generator, options, product, &mut self.loader(root, closure))?;
                accumulator.absorb(generated, generator.name.span)?;
            }
        }
        for entry in &kustomization.components {
            let span = entry.span;
            let Listed::Folder(folder) = self.loader(root, closure).entry_of(entry)? else {
                return Err(RenderError::at(span, format!("`{}` is a file, a component is a folder", entry.value)));
            };
            let component = self.open(&folder, span, chain, closure)?;
            let component = (*component).as_ref().map_err(|error| error.clone().through(span, "listed here"))?;
            if !component.is_component {
                let error = RenderError::at(span, format!("`{folder}` is no component"));
                return Err(error.help("list it under `resources`, or write `kind: Component` in it"));
            }
            self.accumulate(&folder, component, accumulator, chain, roots, closure)
                .map_err(|error| error.through(span, "listed here"))?;
        }
        chain.pop();
        transform(&mut accumulator.resources, kustomization, &mut self.loader(root, closure))?;
        accumulator.forget_ids();
        Ok(())
    }

    /// Finds the kustomization of a listed folder, and refuses cycles.
    fn open(
        &self,
        folder: &RepoPath,
        span: Span,
        chain: &[RepoPath],
        closure: &mut Closure,
    ) -> Result<Arc<Result<Kustomization, RenderError>>, RenderError> {
        if closes_cycle(folder, chain) {
            let way: Vec<String> = chain.iter().chain([folder]).map(|root| format!("`{root}`")).collect();
            return Err(RenderError::at(span, format!("a cycle: {}", way.join(" → ")))
                .help("a kustomization cannot list itself, a folder above itself, or what lists it"));
        }
        if chain.len() >= DEEPEST {
            return Err(RenderError::at(span, format!("more than {DEEPEST} kustomizations deep")));
        }
        let found = self.loader(folder, closure).kustomization(Some(span))?;
        found.ok_or_else(|| {
            RenderError::at(span, format!("`{folder}` is a folder without a kustomization"))
                .help("add a `kustomization.yaml` to it, or list its files one by one")
        })
    }
}

/// Whether a folder is, or lies above, one that is being built.
fn closes_cycle(folder: &RepoPath, chain: &[RepoPath]) -> bool {
    chain.iter().any(|root| root.is_within(folder))
}

/// The objects of a file's documents: empty documents dropped, lists split into their items.
///
/// # Errors
/// When a document is no object, or lacks a kind or a name.
pub(super) fn objects(documents: Vec<Node>) -> Result<Vec<Resource>, RenderError> {
    let alone = documents.len() == 1;
    let mut queue: std::collections::VecDeque<Node> = std::collections::VecDeque::new();
    for document in documents {
        let is_list =
            document.get("kind").and_then(Node::as_text).is_some_and(|kind| matches!(kind, "List" | "ResourceList"));
        // A file that is one `List` hands out its items as they are written; other lists pass through JSON.
        match document.get("items").and_then(Node::as_sequence).filter(|_| is_list && alone) {
            Some(items) => queue.extend(items.iter().cloned()),
            None => queue.push_back(document),
        }
    }
    let mut found = Vec::new();
    while let Some(node) = queue.pop_front() {
        let is_empty =
            node.as_mapping().is_some_and(Mapping::is_empty) || node.as_sequence().is_some_and(<[Node]>::is_empty);
        if node.is_null() || is_empty {
            continue;
        }
        let kind = check_object(&node)?;
        if !kind.ends_with("List") {
            found.push(Resource::new(node));
            continue;
        }
        match node.get("items").map(|items| (&items.value, items)) {
            None => found.push(Resource::new(node)),
            Some((Value::Sequence(items), _)) => {
                for item in items.iter() {
                    let mut item = item.clone();
                    through_json(&mut item, false);
                    queue.push_back(item);
                }
            }
            Some((_, items)) if items.is_null() => {}
            Some((_, items)) => {
                return Err(RenderError::at(
                    items.origin.span,
                    format!("`items` is a list, but this is {}", items.shape()),
                ));
            }
        }
    }
    Ok(found)
}

/// Checks that a document is an object with a kind and a name; says its kind.
fn check_object(node: &Node) -> Result<&str, RenderError> {
    let span = node.origin.span;
    if node.as_mapping().is_none() {
        return Err(RenderError::at(span, format!("an object belongs here, but this is {}", node.shape()))
            .help("a Kubernetes object has `apiVersion`, `kind` and `metadata`"));
    }
    let Some(kind) = node.get("kind").and_then(Node::as_text).filter(|kind| !kind.is_empty()) else {
        return Err(RenderError::at(span, "this object has no `kind`")
            .help("a Kubernetes object has `apiVersion`, `kind` and `metadata`"));
    };
    let name = node.find(&["metadata", "name"]).and_then(Node::as_text);
    if !kind.ends_with("List") && name.is_none_or(str::is_empty) {
        return Err(RenderError::at(span, format!("this {kind} has no `metadata.name`")).help("name it"));
    }
    Ok(kind)
}

/// The objects so far, and their identities as long as nothing renames them.
#[derive(Default)]
struct Accumulator {
    resources: Vec<Resource>,
    ids: HashMap<(Gvk, String, String), Span>,
    knows_ids: bool,
    /// Bytes of generated data so far.
    generated: usize,
}

/// The bytes of all values under `data` and `binaryData`.
fn data_size(node: &Node) -> usize {
    let values = ["data", "binaryData"].iter().filter_map(|field| node.get(field).and_then(Node::as_mapping));
    values.flat_map(Mapping::iter).filter_map(|(_, node)| node.as_text()).map(str::len).sum()
}

fn id_key(resource: &Resource) -> (Gvk, String, String) {
    let id = resource.id();
    let namespace = id.effective_namespace().to_owned();
    (id.gvk, id.name, namespace)
}

impl Accumulator {
    fn forget_ids(&mut self) {
        self.ids.clear();
        self.knows_ids = false;
    }

    fn append(&mut self, added: Vec<Resource>, span: Span) -> Result<(), RenderError> {
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
                return Err(RenderError::at(span, format!("{} is there already", resource.id()))
                    .help("list it once, or rename one of the two")
                    .related(first, "the first one")
                    .related(place, "the second one"));
            }
            self.resources.push(resource);
        }
        Ok(())
    }

    /// Adds what a generator made, or merges it into the object that it names.
    fn absorb(&mut self, mut generated: Resource, span: Span) -> Result<(), RenderError> {
        self.generated += data_size(&generated.node);
        if self.generated > MOST_GENERATED {
            let message = format!("the generators of one overlay make more than {MOST_GENERATED} bytes");
            return Err(RenderError::at(span, message).help("a ConfigMap or Secret may hold one megabyte"));
        }
        let id = generated.id();
        let mut found =
            self.resources.iter().enumerate().filter(|(_, resource)| resource.any_id(|other| other.matches(&id)));
        let (first, second) = (found.next().map(|(at, _)| at), found.next());
        if second.is_some() {
            return Err(RenderError::at(span, format!("several objects could take what is generated for {id}")));
        }
        match (first, generated.behavior) {
            (None, Behavior::Create) => self.append(vec![generated], span),
            (None, _) => Err(RenderError::at(span, format!("there is no {id} to merge into or to replace"))
                .help("leave `behavior` out to create it, or correct the name")),
            (Some(at), Behavior::Create) => Err(RenderError::at(span, format!("{id} is there already"))
                .help("say `behavior: merge` or `behavior: replace`, or choose another name")
                .related(self.resources[at].node.origin.span, "the first one")),
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

/// Lets a generated object take the place of an older one: its name, namespace, past, and what it does not set itself.
fn combine(new: &mut Resource, old: &Resource, behavior: Behavior) {
    new.inherit(old);
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
                None => mapping.push(key.clone(), node.clone()),
                Some(found) => found.remember(node.clone()),
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

/// Applies a kustomization's own transformers in kustomize's order.
fn transform(
    resources: &mut Vec<Resource>,
    kustomization: &Kustomization,
    loader: &mut Loader<'_>,
) -> Result<(), RenderError> {
    patches::strategic_merge(resources, &kustomization.patches_strategic_merge, loader)?;
    for patch in &kustomization.patches {
        patches::apply(resources, patch, loader)?;
    }
    if let Some(text) = kustomization.namespace.as_ref().filter(|text| !text.value.is_empty()) {
        namespace::set(resources, &text.value, text.span)?;
    }
    if let Some(prefix) = kustomization.name_prefix.as_ref().filter(|text| !text.value.is_empty()) {
        names::add_prefix(resources, &prefix.value, prefix.span)?;
    }
    if let Some(suffix) = kustomization.name_suffix.as_ref().filter(|text| !text.value.is_empty()) {
        names::add_suffix(resources, &suffix.value, suffix.span)?;
    }
    for entry in &kustomization.labels {
        let specs = match (entry.include_selectors, entry.include_templates) {
            (true, _) => &specs::COMMON_LABELS,
            (false, true) => &specs::TEMPLATE_LABELS,
            (false, false) => &specs::PLAIN_LABELS,
        };
        labels::set(resources, &entry.pairs, specs, Step::Label)?;
    }
    labels::set(resources, &kustomization.common_labels, &specs::COMMON_LABELS, Step::Label)?;
    labels::set(resources, &kustomization.common_annotations, &specs::ANNOTATIONS, Step::Annotation)?;
    for patch in &kustomization.patches_json6902 {
        patches::apply_json6902(resources, patch, loader)?;
    }
    for replica in &kustomization.replicas {
        replicas::set(resources, replica)?;
    }
    for image in &kustomization.images {
        images::set(resources, image)?;
    }
    Ok(())
}

/// Whether an object is marked as only for tools (`config.kubernetes.io/local-config`).
fn is_local(node: &Node) -> bool {
    let mark = node.find(&["metadata", "annotations", "config.kubernetes.io/local-config"]);
    mark.and_then(Node::as_scalar).is_some_and(|scalar| &*scalar.text != "false")
}
