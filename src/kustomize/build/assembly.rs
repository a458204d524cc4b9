//! Puts one kustomization together, step by step in kustomize's order (`api/internal/target/kusttarget.go`).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::accumulator::Accumulator;
use super::closure::Closure;
use super::crds;
use super::generators::generate;
use super::loader::{Listed, Loader};
use super::objects::objects;
use super::opaque::{ChartEntry, Opaque, OpaqueKind, short_digest};
use super::parsed::ParsedFiles;
use super::plugins::{self, Plugin};
use super::remote;
use super::renderer::{Elsewhere, Renderer};
use super::resource::Resource;
use super::store::{Built, BuiltKey, SchemaSource};
use super::transformer_config::TransformerConfig;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::Text;
use crate::kustomize::file::kustomization::{FILE_NAMES, Kustomization, Product};
use crate::kustomize::finish::build_metadata::{self, Configured, Trail};
use crate::kustomize::known::kinds;
use crate::kustomize::known::schema::{Custom, Schemas};
use crate::kustomize::limits::{DEEPEST_CHAIN, LARGE_FILE, MOST_STEPS, MOST_VALUES, MOST_VISITS};
use crate::kustomize::transform::{self, vars};
use crate::sources::RepoPath;
use crate::span::Span;
use crate::yaml::{Dialect, Node, Source, Step, Value, parse, to_json};

impl Renderer<'_> {
    /// A kustomization's objects behind its transformers, from the store where it is known.
    pub(super) fn build(
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
        let known = self.built.get(&key).filter(|_| !run.is_changed || !run.chain.is_empty());
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
            opaque: accumulator.opaque,
            idle: accumulator.idle,
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
                built_from.lock().note(&key, &built.closure);
            }
            self.built.insert(key, Arc::clone(&built), built.resources.len());
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
            if self.options.elsewhere == Elsewhere::Refused {
                return Err(refused.clone());
            }
            for ChartEntry { chart, entry, folder } in &kustomization.charts {
                let mut loader = self.visitor(root, visit);
                let made_from = short_digest(&[to_json(entry).to_string().as_bytes()]);
                let mut chart = Opaque { made_from, ..chart.clone() };
                if let Some(files) = loader.digest_of_folder(folder)? {
                    chart.made_from.push_str(&files);
                }
                chart.given.extend(loader.values_of_chart(entry)?);
                accumulator.opaque.push(chart);
            }
        }
        if let Some(old) = kustomization.old_patches.first().filter(|_| !self.options.takes_old_spellings) {
            return Err(RenderError::at(old.span, "a patch is a mapping, but this is a string")
                .help(format!("write `- path: {}`", old.value)));
        }
        visit.run.visits += 1;
        if visit.run.visits > MOST_VISITS {
            let message = format!("more than {MOST_VISITS} kustomizations and components are combined here");
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
            if self.leave_out(&plugin, accumulator, root, visit)? {
                continue;
            }
            plugins::run_generator(&plugin, accumulator, &mut self.visitor_of_plugin(root, visit))?;
        }
        for entry in &kustomization.components {
            self.add_component(root, entry, accumulator, visit, origin)?;
        }
        let start = Span::start_of(kustomization.file);
        let objects = accumulator.resources.len();
        visit.run.take_steps(self.parsed, 1 + transform::instructions(kustomization), objects, start)?;
        let mut loader = self.visitor(root, visit);
        loader.is_opaque = accumulator.has_unseen();
        transform::run(accumulator, kustomization, &mut loader, file)?;
        let (mut has_merged, schemas, unmatched) = (loader.has_merged, loader.schemas, loader.unmatched);
        accumulator.give(unmatched, &schemas);
        accumulator.change_unseen(&kustomization.changes);
        let transformers = self.plugins(root, &kustomization.transformers, file, visit, origin)?;
        visit.run.take_steps(self.parsed, transformers.len(), accumulator.resources.len(), start)?;
        for plugin in transformers {
            if self.leave_out(&plugin, accumulator, root, visit)? {
                continue;
            }
            let mut loader = self.visitor_of_plugin(root, visit);
            loader.is_opaque = accumulator.has_unseen();
            plugins::run_transformer(&plugin, &mut accumulator.resources, &mut loader, "transformers")?;
            let (schemas, unmatched) = (loader.schemas, loader.unmatched);
            has_merged |= loader.has_merged;
            accumulator.give(unmatched, &schemas);
            accumulator.change_unseen(&[("transformers", plugin.configuration().clone())]);
        }
        let validators = self.plugins(root, &kustomization.validators, file, visit, origin)?;
        visit.run.take_steps(self.parsed, validators.len(), accumulator.resources.len(), start)?;
        for plugin in validators {
            if self.leave_out(&plugin, accumulator, root, visit)? {
                continue;
            }
            plugins::run_validator(&plugin, &accumulator.resources, &mut self.visitor_of_plugin(root, visit))?;
        }
        visit.run.schema_was_read |= has_merged;
        visit.run.chain.pop();
        accumulator.forget_ids();
        vars::add(&mut accumulator.vars, &kustomization.vars, &mut accumulator.resources)
    }

    /// Leaves out what another program would make, where that is asked for.
    fn leave_out(
        &self,
        plugin: &Plugin,
        accumulator: &mut Accumulator,
        root: &RepoPath,
        visit: &mut Visit<'_>,
    ) -> Result<bool, RenderError> {
        if self.options.elsewhere == Elsewhere::Refused || !plugin.runs_program() {
            return Ok(false);
        }
        let mut loader = self.visitor(root, visit);
        let made_from = loader.made_from(plugin.configuration())?;
        let mut opaque = Opaque { made_from, ..plugin.opaque() };
        if opaque.kind == OpaqueKind::Chart {
            opaque.given.extend(loader.values_of_chart(plugin.configuration())?);
        }
        accumulator.opaque.push(opaque);
        Ok(true)
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
        let known = FILE_NAMES.into_iter().find(|name| path.file_name() == *name);
        known.unwrap_or(FILE_NAMES[0])
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
                let message = format!("kustomize has no schema for Kubernetes `{}`", version.value);
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
                    if let Some(first) = documents.first() {
                        let bytes = self.parsed.files.get(first.origin.span.file).text.len();
                        visit.run.take_values(&documents, bytes, span)?;
                    }
                    let found = objects(documents, &visit.run.schemas);
                    let mut found = found.map_err(|error| error.through(span, "listed here"))?;
                    visit.run.note_kinds(&found);
                    if let Some(origin) = origin {
                        build_metadata::came_from(&mut found, &origin);
                    }
                    accumulator.append(found, span)?;
                }
                Listed::Elsewhere => self.add_elsewhere(entry, accumulator, visit)?,
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
                    accumulator.opaque.extend(built.opaque.iter().cloned());
                    accumulator.idle.extend(built.idle.iter().cloned());
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
        let folder = match self.visitor(root, visit).entry_of(entry)? {
            Listed::Folder(folder) => folder,
            Listed::Elsewhere if self.options.elsewhere == Elsewhere::LeftOut => {
                accumulator.opaque.push(Opaque::of_entry(entry));
                return Ok(());
            }
            Listed::Elsewhere => return Err(remote::refuse(&entry.value, span)),
            Listed::File => {
                return Err(RenderError::at(span, format!("`{}` is a file, but a component is a folder", entry.value)));
            }
        };
        let component = self.open(&folder, span, visit)?;
        let component = (*component).as_ref().map_err(|error| error.clone().through(span, "listed here"))?;
        if !component.is_component {
            let error = RenderError::at(span, format!("`{folder}` is not a component"));
            return Err(error.help("list it under `resources`, or add `kind: Component` to it"));
        }
        let origin = origin.map(|origin| origin.to(&entry.value));
        self.accumulate(&folder, component, accumulator, visit, origin.as_ref())
            .map_err(|error| error.through(span, "listed here"))?;
        accumulator.reset_config().map_err(|error| error.through(span, "listed here"))
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
        if chain.len() >= DEEPEST_CHAIN {
            return Err(RenderError::at(span, format!("more than {DEEPEST_CHAIN} kustomizations deep")));
        }
        let found = self.visitor(folder, visit).kustomization(Some(span))?;
        found.ok_or_else(|| {
            RenderError::at(span, format!("`{folder}` is a folder without a kustomization"))
                .help("add a `kustomization.yaml` to it, or list its files one by one")
        })
    }
}

/// What goes along through one build.
#[derive(Default)]
pub(super) struct Run {
    /// The kustomizations on the way to the present one.
    pub(super) chain: Vec<RepoPath>,
    /// What has set the schema.
    pub(super) schema: SchemaSource,
    pub(super) schemas: Schemas,
    /// Whether kustomize's own schema was looked into: for an object of a kind that is unknown without it, or for a
    /// strategic merge. From then on it counts besides one that is set later.
    pub(super) schema_was_read: bool,
    /// Whether the first kustomization is not what its folder has, but changed by what deploys it.
    pub(super) is_changed: bool,
    /// How many repositories list each other on the way here.
    pub(super) remote: usize,
    /// How many kustomizations were put together; those that were at hand do not count.
    pub(super) visits: usize,
    /// How often instructions met objects.
    steps: usize,
    /// How many values large files brought.
    values: usize,
}

impl Run {
    /// Takes steps of the overlay's and the run's budget: `instructions` that meet `objects`.
    fn take_steps(
        &mut self,
        parsed: &ParsedFiles,
        instructions: usize,
        objects: usize,
        span: Span,
    ) -> Result<(), RenderError> {
        let steps = instructions.saturating_mul(objects);
        self.steps = self.steps.saturating_add(steps);
        if self.steps <= MOST_STEPS && parsed.take_steps(steps) {
            return Ok(());
        }
        let message = format!(
            "{instructions} instructions for {objects} objects are too many, with all that this overlay is built from"
        );
        Err(RenderError::at(span, message)
            .help("split the overlay, or write fewer instructions that mean more objects"))
    }

    /// Counts the values of a file, where there are many.
    fn take_values(&mut self, documents: &[Node], bytes: usize, span: Span) -> Result<(), RenderError> {
        if bytes > LARGE_FILE {
            let mut pending: Vec<&Node> = documents.iter().collect();
            while let Some(node) = pending.pop() {
                self.values += 1;
                match &node.value {
                    Value::Scalar(_) => {}
                    Value::Sequence(items) => pending.extend(items.iter()),
                    Value::Mapping(mapping) => pending.extend(mapping.iter().map(|(_, value)| value)),
                }
            }
        }
        if self.values <= MOST_VALUES {
            return Ok(());
        }
        Err(RenderError::at(span, format!("with this file the overlay has more than {MOST_VALUES} values"))
            .help("split the overlay"))
    }

    pub(super) fn note_kinds(&mut self, resources: &[Resource]) {
        self.schema_was_read |= resources.iter().any(|resource| !kinds::is_known(&resource.gvk()));
    }
}

/// Whether a folder is, or lies above, one that is being built.
fn closes_cycle(folder: &RepoPath, chain: &[RepoPath]) -> bool {
    chain.iter().any(|root| root.is_within(folder))
}

/// One kustomization's turn in a build.
pub(super) struct Visit<'b> {
    pub(super) run: &'b mut Run,
    /// Folders of all kustomizations below it.
    roots: BTreeSet<RepoPath>,
    /// What it looks for.
    closure: &'b mut Closure,
}

/// The version of Kubernetes that kustomize describes.
const KUBERNETES: &str = "v1.21.2";
