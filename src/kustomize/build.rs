//! Puts a kustomization together (`api/internal/target/kusttarget.go`).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::accumulator::{Accumulator, id_key};
use super::build_metadata::{self, Configured, Trail};
use super::error::RenderError;
use super::fields::{Pair, Text};
use super::fieldspec::FieldSpec;
use super::generators::{Product, generate};
use super::kustomization::{BuildMetadata, Kustomization, Order};
use super::loader::{Closure, Listed, LoadRestrictor, Loader, Parsed};
use super::objects::{self, objects};
use super::order::KindOrder;
use super::plugins::{self, Plugin};
use super::resource::Resource;
use super::schema::{Custom, Schemas};
use super::transformer_config::TransformerConfig;
use super::vars::Vars;
use super::{crds, hash, kinds, labels, nameref, order, specs, transform, vars};
use crate::sources::{RepoPath, Tree};
use crate::span::{FileId, Span};
use crate::yaml::{Dialect, Node, Source, Step, Value, emit_document, parse};

/// How many kustomizations may stand on the way from an overlay to one base.
const DEEPEST: usize = 64;

/// How many kustomizations one overlay may be put together from; a component counts each time that it is listed.
const MOST_VISITS: usize = 10_000;

/// How many values the objects of one overlay may hold together.
const MOST_VALUES: usize = 5_000_000;
/// How many bytes of text the objects of one overlay may hold together.
const MOST_TEXT: usize = 256 << 20;

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
#[derive(Clone, Debug, Default)]
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
    built: Mutex<HashMap<BuiltKey, Arc<Built>>>,
    /// Only where the tree moves.
    built_from: Option<Mutex<BuiltFrom>>,
}

/// Which built forms have looked for a path, or count every file of a folder.
#[derive(Default)]
struct BuiltFrom {
    paths: HashMap<RepoPath, Vec<BuiltKey>>,
    folders: HashMap<RepoPath, Vec<BuiltKey>>,
}

impl BuiltFrom {
    fn note(&mut self, key: &BuiltKey, closure: &Closure) {
        for path in closure.paths() {
            self.paths.entry(path.clone()).or_default().push(key.clone());
        }
        for folder in closure.folders() {
            self.folders.entry(folder.clone()).or_default().push(key.clone());
        }
    }
}

/// What has set the schema of a build. The first to do so wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum SchemaSource {
    #[default]
    Nothing,
    Version,
    File {
        file: FileId,
        extends_built_in: bool,
    },
}

/// What the built form of a folder depends on besides the tree.
#[derive(Clone, PartialEq, Eq, Hash)]
struct BuiltKey {
    root: RepoPath,
    /// The schema that was set before.
    schema: SchemaSource,
    /// See [`Run::schema_was_read`].
    schema_was_read: bool,
    /// How `buildMetadata` knows it, and who asked for that.
    origin: Option<(String, Span)>,
}

/// A kustomization's objects behind its own transformers.
#[derive(Clone)]
struct Built {
    resources: Vec<Resource>,
    config: Arc<TransformerConfig>,
    vars: Vars,
    closure: Closure,
    /// Folders of this and of every kustomization below.
    roots: BTreeSet<RepoPath>,
    /// What is known of kinds from then on.
    schema: SchemaSource,
    schemas: Schemas,
    schema_was_read: bool,
}

/// What goes along through one build.
#[derive(Default)]
struct Run {
    /// The kustomizations on the way to the present one.
    chain: Vec<RepoPath>,
    /// What has set the schema.
    schema: SchemaSource,
    schemas: Schemas,
    /// Whether kustomize's own schema was looked into: for an object of a kind that is unknown without it, or for a
    /// strategic merge. From then on it counts besides one that is set later.
    schema_was_read: bool,
    /// How many kustomizations were put together; those that were at hand do not count.
    visits: usize,
}

impl Run {
    fn note_kinds(&mut self, resources: &[Resource]) {
        self.schema_was_read |= resources.iter().any(|resource| !kinds::is_known(&resource.gvk()));
    }
}

/// What a root's kustomization says about the whole.
struct Finish {
    config: Arc<TransformerConfig>,
    vars: Vars,
    order: Option<Order>,
    metadata: BuildMetadata,
}

impl<'a> Renderer<'a> {
    /// Renders from `tree`; files and their parsed forms are shared through `parsed`.
    #[must_use]
    pub fn new(parsed: &'a Parsed, tree: &'a dyn Tree, options: Options) -> Self {
        Self { parsed, tree, options, built: Mutex::default(), built_from: None }
    }

    /// Renders from a tree that moves: whoever moves it says what has changed by [`Renderer::forget`].
    #[must_use]
    pub fn moving(parsed: &'a Parsed, tree: &'a dyn Tree, options: Options) -> Self {
        Self { built_from: Some(Mutex::default()), ..Self::new(parsed, tree, options) }
    }

    /// Forgets what was built from any of these paths.
    pub fn forget(&self, changed: &[RepoPath]) {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(built_from) = &self.built_from else { return built.clear() };
        let mut built_from = built_from.lock().unwrap_or_else(PoisonError::into_inner);
        for path in changed {
            let mut outdated = built_from.paths.remove(path).unwrap_or_default();
            for folder in std::iter::successors(path.parent(), RepoPath::parent) {
                outdated.extend(built_from.folders.remove(&folder).into_iter().flatten());
            }
            for key in outdated {
                built.remove(&key);
            }
        }
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
        let (resources, finish) = self.root(root, closure)?;
        self.finish(resources, &finish)
    }

    /// What happens once, at the root: hashes, references, vars, local objects, order (`api/krusty/kustomizer.go`).
    fn finish(&self, mut resources: Vec<Resource>, finish: &Finish) -> Result<Vec<Node>, RenderError> {
        hash::add(&mut resources)?;
        nameref::fix(&mut resources, &finish.config.name_references)?;
        resources.iter_mut().for_each(Resource::settle_shared);
        vars::resolve(&mut resources, &finish.vars, &finish.config.var_references)?;
        for resource in resources.iter().filter(|resource| !resource.is_deleted()) {
            let kept = "a patch or a transformer takes it away: an object keeps its kind and its name";
            objects::check(&resource.node).map_err(|error| error.help(kept))?;
        }
        resources.retain(|resource| !is_local(&resource.node));
        let mut seen = HashSet::new();
        for resource in &resources {
            if !seen.insert(id_key(resource)) {
                let message = format!("after all changes, {} stands twice", resource.id());
                let error = RenderError::at(resource.node.origin.span, message);
                return Err(error.help("rename or remove one of the two"));
            }
        }
        match finish.order.as_ref().or(self.options.order.as_ref()) {
            Some(Order::Fifo) => {}
            Some(Order::Legacy(kinds)) => order::legacy(&mut resources, kinds),
            None => order::legacy(&mut resources, &KindOrder::default()),
        }
        let metadata = finish.metadata;
        if self.options.managed_by_label || metadata.managed_by_label.is_some() {
            for resource in &mut resources {
                let (key, value) = ("app.kubernetes.io/managed-by".to_owned(), "kustomize-(devel)".to_owned());
                let span = metadata.managed_by_label.unwrap_or(resource.node.origin.span);
                let specs = [FieldSpec::parse(specs::PLAIN_LABELS)];
                let pair = Pair { key, value, span };
                labels::set(std::slice::from_mut(resource), &[pair], &specs, Step::BuildMetadata)?;
            }
        }
        for resource in &mut resources {
            build_metadata::clean(resource, metadata.origin_annotations, metadata.transformer_annotations);
            resource.settle_annotations();
        }
        refuse_excess(&resources)?;
        Ok(resources.into_iter().map(|resource| resource.node).collect())
    }

    fn root(&self, root: &RepoPath, closure: &mut Closure) -> Result<(Vec<Resource>, Finish), RenderError> {
        let mut loader = self.loader(root, closure, &Schemas::BuiltIn);
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
                let metadata = kustomization.build_metadata;
                let origin = metadata.first.map(|span| Trail { path: String::new(), span });
                let built = self.build(root, kustomization, &mut Run::default(), closure, origin.as_ref())?;
                let built = Arc::unwrap_or_clone(built);
                let order = kustomization.order.clone()?;
                let finish = Finish { config: built.config, vars: built.vars, order, metadata };
                Ok((built.resources, finish))
            }
        }
    }

    /// Renders a folder as whatever it is: a kustomization, else the manifests that it holds.
    ///
    /// # Errors
    /// When it does not render, or holds neither.
    pub fn render_any(&self, root: &RepoPath) -> Result<Rendering, Box<Unrendered>> {
        let mut closure = Closure::default();
        let mut loader = self.loader(root, &mut closure, &Schemas::BuiltIn);
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
        let mut loader = self.loader(root, &mut closure, &Schemas::BuiltIn);
        let documents = loader.enter().and_then(|()| loader.manifests());
        let resources = documents.and_then(|documents| objects(documents, &Schemas::BuiltIn));
        let plain = Finish {
            config: TransformerConfig::standard(),
            vars: Vars::default(),
            order: None,
            metadata: BuildMetadata::default(),
        };
        let rendered = resources.and_then(|resources| self.finish(resources, &plain));
        rendered.map_err(|error| Unrendered::new(error, closure.clone())).map(|objects| Rendering { objects, closure })
    }

    fn loader<'b>(&'b self, root: &RepoPath, closure: &'b mut Closure, schemas: &Schemas) -> Loader<'b> {
        Loader {
            tree: self.tree,
            parsed: self.parsed,
            restrictor: self.options.restrictor,
            root: root.clone(),
            closure,
            schemas: schemas.clone(),
            is_for_plugin: false,
            has_merged: false,
        }
    }

    /// A kustomization's objects behind its transformers, from the store where it is known.
    fn build(
        &self,
        root: &RepoPath,
        kustomization: &Kustomization,
        run: &mut Run,
        closure: &mut Closure,
        origin: Option<&Trail>,
    ) -> Result<Arc<Built>, RenderError> {
        let schema_was_read = run.schema_was_read;
        let key = BuiltKey {
            root: root.clone(),
            schema: run.schema,
            schema_was_read,
            origin: origin.map(|trail| (trail.path.clone(), trail.span)),
        };
        let known = self.built.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known.filter(|known| known.roots.iter().all(|root| !closes_cycle(root, &run.chain))) {
            closure.extend(&known.closure);
            (run.schema, run.schemas) = (known.schema, known.schemas.clone());
            run.schema_was_read |= known.schema_was_read;
            return Ok(known);
        }
        let mut own = Closure::default();
        let mut accumulator = Accumulator::default();
        let mut visit = Visit { run, roots: BTreeSet::new(), closure: &mut own };
        let result = self.accumulate(root, kustomization, &mut accumulator, &mut visit, origin);
        let roots = visit.roots;
        // The file itself was found by whoever asked.
        self.loader(root, &mut own, &run.schemas).kustomization(None)?;
        closure.extend(&own);
        result?;
        let built = Built {
            config: accumulator.config(),
            resources: accumulator.resources,
            vars: accumulator.vars,
            closure: own,
            roots,
            schema: run.schema,
            schemas: run.schemas.clone(),
            schema_was_read: run.schema_was_read,
        };
        let built = Arc::new(built);
        // What nobody lists is rendered once.
        if !run.chain.is_empty() {
            if let Some(built_from) = &self.built_from {
                built_from.lock().unwrap_or_else(PoisonError::into_inner).note(&key, &built.closure);
            }
            self.built.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&built));
        }
        Ok(built)
    }

    /// Adds what a kustomization or a component says to what was accumulated before it.
    fn accumulate(
        &self,
        root: &RepoPath,
        kustomization: &Kustomization,
        accumulator: &mut Accumulator,
        visit: &mut Visit<'_>,
        origin: Option<&Trail>,
    ) -> Result<(), RenderError> {
        if let Some(refused) = &kustomization.refused {
            return Err(refused.clone());
        }
        visit.run.visits += 1;
        if visit.run.visits > MOST_VISITS {
            let message = format!("more than {MOST_VISITS} kustomizations and components are put together here");
            let span = Span::start_of(kustomization.file);
            return Err(RenderError::at(span, message).help("list each component once"));
        }
        visit.roots.insert(root.clone());
        visit.run.chain.push(root.clone());
        self.set_schema(root, kustomization, visit)?;
        let file = origin.map(|origin| origin.to(self.file_name(kustomization)));
        let file = file.as_ref();
        self.add_listed(root, &kustomization.resources, accumulator, visit, origin)?;
        self.configure(root, kustomization, accumulator, visit)?;
        for (generators, product, kind) in [
            (&kustomization.config_maps, Product::ConfigMap, "ConfigMapGenerator"),
            (&kustomization.secrets, Product::Secret, "SecretGenerator"),
        ] {
            for generator in generators {
                let options = &kustomization.generator_options;
                let mut generated = generate(generator, options, product, &mut self.visitor(root, visit))?;
                if let Some(file) = file {
                    build_metadata::was_generated(&mut generated, &Configured::built_in(file, kind));
                }
                accumulator.absorb(generated, generator.name.span)?;
            }
        }
        for plugin in self.plugins(root, &kustomization.generators, file, visit, origin)? {
            plugins::run_generator(&plugin, accumulator, &mut self.visitor_of_plugin(root, visit))?;
        }
        for entry in &kustomization.components {
            self.add_component(root, entry, accumulator, visit, origin)?;
        }
        let mut loader = self.visitor(root, visit);
        transform::run(accumulator, kustomization, &mut loader, file)?;
        let mut has_merged = loader.has_merged;
        for plugin in self.plugins(root, &kustomization.transformers, file, visit, origin)? {
            let mut loader = self.visitor_of_plugin(root, visit);
            plugins::run_transformer(&plugin, &mut accumulator.resources, &mut loader, "transformers")?;
            has_merged |= loader.has_merged;
        }
        for plugin in self.plugins(root, &kustomization.validators, file, visit, origin)? {
            plugins::run_validator(&plugin, &accumulator.resources, &mut self.visitor_of_plugin(root, visit))?;
        }
        visit.run.schema_was_read |= has_merged;
        visit.run.chain.pop();
        accumulator.forget_ids();
        vars::add(&mut accumulator.vars, &kustomization.vars, &mut accumulator.resources)
    }

    /// Reads what a plugin names.
    fn visitor_of_plugin<'b>(&'b self, root: &RepoPath, visit: &'b mut Visit<'_>) -> Loader<'b> {
        Loader { is_for_plugin: true, ..self.visitor(root, visit) }
    }

    fn visitor<'b>(&'b self, root: &RepoPath, visit: &'b mut Visit<'_>) -> Loader<'b> {
        let schemas = visit.run.schemas.clone();
        self.loader(root, visit.closure, &schemas)
    }

    fn file_name(&self, kustomization: &Kustomization) -> &'static str {
        let path = &self.parsed.files.get(kustomization.file).path;
        let known = super::kustomization::FILE_NAMES.into_iter().find(|name| path.file_name() == *name);
        known.unwrap_or(super::kustomization::FILE_NAMES[0])
    }

    /// The first kustomization that has `openapi` sets the schema for all that is built after it.
    fn set_schema(
        &self,
        root: &RepoPath,
        kustomization: &Kustomization,
        visit: &mut Visit<'_>,
    ) -> Result<(), RenderError> {
        let openapi = &kustomization.openapi;
        if let Some(version) = openapi.version.as_ref().filter(|version| !version.value.is_empty()) {
            if let Some(path) = &openapi.path {
                return Err(RenderError::at(path.span, "`openapi` has both `path` and `version`")
                    .help("keep one of the two")
                    .related(version.span, "the version"));
            }
            if version.value != KUBERNETES {
                let message = format!("kustomize does not describe Kubernetes `{}`", version.value);
                return Err(RenderError::at(version.span, message).help(format!("write `{KUBERNETES}`")));
            }
            if visit.run.schema == SchemaSource::Nothing {
                visit.run.schema = SchemaSource::Version;
            }
        }
        if let (Some(path), SchemaSource::Nothing) = (&openapi.path, visit.run.schema) {
            let (file, definitions) = self.visitor(root, visit).definitions(path)?;
            let extends_built_in = visit.run.schema_was_read;
            let custom = Custom { definitions, extends_built_in };
            (visit.run.schema, visit.run.schemas) =
                (SchemaSource::File { file, extends_built_in }, Schemas::Custom(custom));
        }
        Ok(())
    }

    /// Adds the objects of files and folders.
    fn add_listed(
        &self,
        root: &RepoPath,
        entries: &[Text],
        accumulator: &mut Accumulator,
        visit: &mut Visit<'_>,
        origin: Option<&Trail>,
    ) -> Result<(), RenderError> {
        for entry in entries {
            let span = entry.span;
            let origin = origin.map(|origin| origin.to(&entry.value));
            match self.visitor(root, visit).entry_of(entry)? {
                Listed::File => {
                    let documents = self.visitor(root, visit).documents(&entry.value, span, Step::File)?;
                    let found = objects(documents, &visit.run.schemas);
                    let mut found = found.map_err(|error| error.through(span, "listed here"))?;
                    visit.run.note_kinds(&found);
                    if let Some(origin) = origin {
                        build_metadata::came_from(&mut found, &origin);
                    }
                    accumulator.append(found, span)?;
                }
                Listed::Folder(folder) => {
                    let base = self.open(&folder, span, visit)?;
                    let base = (*base).as_ref().map_err(|error| error.clone().through(span, "listed here"))?;
                    if base.is_component {
                        return Err(RenderError::at(span, format!("`{folder}` is a component"))
                            .help("list it under `components`"));
                    }
                    let built = self
                        .build(&folder, base, visit.run, visit.closure, origin.as_ref())
                        .map_err(|error| error.through(span, "listed here"))?;
                    visit.roots.extend(built.roots.iter().cloned());
                    accumulator.append(built.resources.clone(), span)?;
                    accumulator.merge_config(&built.config)?;
                    vars::merge(&mut accumulator.vars, &built.vars)?;
                }
            }
        }
        Ok(())
    }

    /// Adds the fields that `configurations` and `crds` name to those that transformers change.
    fn configure(
        &self,
        root: &RepoPath,
        kustomization: &Kustomization,
        accumulator: &mut Accumulator,
        visit: &mut Visit<'_>,
    ) -> Result<(), RenderError> {
        if kustomization.configurations.is_empty() && kustomization.crds.is_empty() {
            return accumulator.merge_config(&TransformerConfig::standard());
        }
        let mut loader = self.visitor(root, visit);
        let mut own = TransformerConfig::default();
        for path in &kustomization.configurations {
            own.merge(loader.configuration(path)?)?;
        }
        let mut config = TransformerConfig::clone(&TransformerConfig::standard());
        config.merge(own)?;
        accumulator.merge_config(&Arc::new(config))?;
        for path in &kustomization.crds {
            let documents = loader.instructions(path, Dialect::Kustomization)?;
            let document =
                documents.first().ok_or_else(|| RenderError::at(path.span, "this file of `crds` is empty"))?;
            accumulator.merge_config(&Arc::new(crds::config(document)?))?;
        }
        Ok(())
    }

    /// The objects that configure plugins: written in the kustomization itself, in files, or built by folders.
    fn plugins(
        &self,
        root: &RepoPath,
        entries: &[Text],
        file: Option<&Trail>,
        visit: &mut Visit<'_>,
        origin: Option<&Trail>,
    ) -> Result<Vec<Plugin>, RenderError> {
        let mut accumulator = Accumulator::default();
        let mut paths = Vec::new();
        for entry in entries {
            let holder = self.parsed.files.get(entry.span.file);
            let inline = parse(&Source::embedded(&entry.value, entry.span, &holder), Step::File, Dialect::Resource);
            match inline.ok().and_then(|documents| objects(documents, &visit.run.schemas).ok()) {
                Some(mut found) => {
                    visit.run.note_kinds(&found);
                    if let Some(file) = file {
                        build_metadata::came_from(&mut found, file);
                    }
                    accumulator.append(found, entry.span)?;
                }
                None => paths.push(entry.clone()),
            }
        }
        self.add_listed(root, &paths, &mut accumulator, visit, origin)?;
        let trail = |path: String| origin.map(|origin| Trail { path, span: origin.span });
        let plugin = |resource: Resource| Plugin { file: build_metadata::path_of(&resource).and_then(trail), resource };
        Ok(accumulator.resources.into_iter().map(plugin).collect())
    }

    fn add_component(
        &self,
        root: &RepoPath,
        entry: &Text,
        accumulator: &mut Accumulator,
        visit: &mut Visit<'_>,
        origin: Option<&Trail>,
    ) -> Result<(), RenderError> {
        let span = entry.span;
        let Listed::Folder(folder) = self.visitor(root, visit).entry_of(entry)? else {
            return Err(RenderError::at(span, format!("`{}` is a file, a component is a folder", entry.value)));
        };
        let component = self.open(&folder, span, visit)?;
        let component = (*component).as_ref().map_err(|error| error.clone().through(span, "listed here"))?;
        if !component.is_component {
            let error = RenderError::at(span, format!("`{folder}` is no component"));
            return Err(error.help("list it under `resources`, or write `kind: Component` in it"));
        }
        let origin = origin.map(|origin| origin.to(&entry.value));
        self.accumulate(&folder, component, accumulator, visit, origin.as_ref())
            .map_err(|error| error.through(span, "listed here"))?;
        accumulator.start_again().map_err(|error| error.through(span, "listed here"))
    }

    /// Finds the kustomization of a listed folder, and refuses cycles.
    fn open(
        &self,
        folder: &RepoPath,
        span: Span,
        visit: &mut Visit<'_>,
    ) -> Result<Arc<Result<Kustomization, RenderError>>, RenderError> {
        let chain = &visit.run.chain;
        if closes_cycle(folder, chain) {
            let way: Vec<String> = chain.iter().chain([folder]).map(|root| format!("`{root}`")).collect();
            return Err(RenderError::at(span, format!("a cycle: {}", way.join(" → ")))
                .help("a kustomization cannot list itself, a folder above itself, or what lists it"));
        }
        if chain.len() >= DEEPEST {
            return Err(RenderError::at(span, format!("more than {DEEPEST} kustomizations deep")));
        }
        let found = self.visitor(folder, visit).kustomization(Some(span))?;
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

/// One kustomization's turn in a build.
struct Visit<'b> {
    run: &'b mut Run,
    /// Folders of all kustomizations below it.
    roots: BTreeSet<RepoPath>,
    /// What it looks for.
    closure: &'b mut Closure,
}

/// The version of Kubernetes that kustomize describes.
const KUBERNETES: &str = "v1.21.2";

/// Values that are shared inside cost nothing until they are written out.
fn refuse_excess(resources: &[Resource]) -> Result<(), RenderError> {
    let (mut values, mut text) = (0usize, 0usize);
    for resource in resources {
        let mut pending = vec![&resource.node];
        while let Some(node) = pending.pop() {
            values += 1;
            match &node.value {
                Value::Scalar(scalar) => text += scalar.text.len(),
                Value::Sequence(items) => pending.extend(items.iter()),
                Value::Mapping(mapping) => pending.extend(mapping.iter().map(|(_, node)| node)),
            }
            if values > MOST_VALUES || text > MOST_TEXT {
                let message = format!("this overlay holds more than {MOST_VALUES} values or {MOST_TEXT} bytes");
                return Err(RenderError::at(resource.node.origin.span, message).help("split the overlay"));
            }
        }
    }
    Ok(())
}

/// Whether an object is marked as only for tools (`config.kubernetes.io/local-config`).
fn is_local(node: &Node) -> bool {
    let mark = node.find(&["metadata", "annotations", "config.kubernetes.io/local-config"]);
    mark.and_then(Node::as_scalar).is_some_and(|scalar| &*scalar.text != "false")
}
