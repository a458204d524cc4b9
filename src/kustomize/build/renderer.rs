//! Renders folders: builds the root's kustomization, and does what happens once at the root (`api/krusty/kustomizer.go`).

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::accumulator::id_key;
use super::assembly::Run;
use super::closure::Closure;
use super::deployed::Deployed;
use super::idle::Idle;
use super::kept::Kept;
use super::loader::{LoadRestrictor, Loader};
use super::objects::{self, objects};
use super::opaque::{Opaque, OpaqueKind};
use super::parsed::ParsedFiles;
use super::resource::Resource;
use super::store::{Built, BuiltFrom, BuiltKey};
use super::transformer_config::TransformerConfig;
use super::values::{self, Values, ValuesUser};
use crate::kustomize::deployed::Deployer;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::Pair;
use crate::kustomize::file::kustomization::{BuildMetadata, Order};
use crate::kustomize::finish::build_metadata::{self, Trail};
use crate::kustomize::finish::{hash, nameref, order, secrets};
use crate::kustomize::known::order::KindOrder;
use crate::kustomize::known::schema::Schemas;
use crate::kustomize::known::specs;
use crate::kustomize::limits::{MOST_BUILT, MOST_TEXT, MOST_VALUES};
use crate::kustomize::transform::fieldspec::FieldSpec;
use crate::kustomize::transform::vars::Vars;
use crate::kustomize::transform::{labels, vars};
use crate::sources::{RepoPath, Tree};
use crate::yaml::{Node, Step, Value, emit_document};

/// What an overlay renders to.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// The objects, in the order of the output.
    pub objects: Vec<Node>,
    /// What the rendering looked for.
    pub closure: Closure,
    /// What comes from elsewhere and is left out.
    pub opaque: Vec<Opaque>,
    /// Entries that match nothing, although something of nearly the same name is there.
    pub idle: Vec<Idle>,
    /// Values of charts that stand in texts of their own.
    pub values: Vec<Values>,
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
    pub(super) fn new(error: RenderError, closure: Closure) -> Box<Self> {
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

/// What becomes of content from elsewhere: remote bases, charts, what plugins make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Elsewhere {
    /// It is refused: what kustomize prints cannot be printed without it.
    #[default]
    Refused,
    /// It is left out and told.
    LeftOut,
    /// The same, but for remote bases, of which a clone must have been supplied.
    Required,
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
    /// What becomes of content from elsewhere.
    pub elsewhere: Elsewhere,
    /// Whether spellings count that kustomize took once and refuses today: history holds them.
    pub takes_old_spellings: bool,
}

impl Options {
    /// How the gate renders: what comes from elsewhere is known by name and version only.
    #[must_use]
    pub fn for_gate(restrictor: LoadRestrictor) -> Self {
        Self { restrictor, elsewhere: Elsewhere::LeftOut, ..Self::default() }
    }

    /// How what is deployed already is rendered.
    #[must_use]
    pub fn for_past(self) -> Self {
        Self { takes_old_spellings: true, ..self }
    }
}

/// Renders the folders of one tree. Built bases are kept.
pub struct Renderer<'a> {
    pub(super) parsed: &'a ParsedFiles,
    pub(super) tree: &'a dyn Tree,
    pub(super) options: Options,
    pub(super) built: Kept<BuiltKey, Arc<Built>>,
    /// Only where the tree moves.
    pub(super) built_from: Option<Mutex<BuiltFrom>>,
    pub(super) deployed: Deployed,
}

/// What a root's kustomization says about the whole.
pub(super) struct Finish {
    config: Arc<TransformerConfig>,
    vars: Vars,
    order: Option<Order>,
    metadata: BuildMetadata,
    pub(super) opaque: Vec<Opaque>,
    pub(super) idle: Vec<Idle>,
}

impl Finish {
    /// What is done without a kustomization.
    fn plain() -> Self {
        Self {
            config: TransformerConfig::standard(),
            vars: Vars::default(),
            order: None,
            metadata: BuildMetadata::default(),
            opaque: Vec::new(),
            idle: Vec::new(),
        }
    }
}

impl<'a> Renderer<'a> {
    /// Renders from `tree`; files and their parsed forms are shared through `parsed`.
    #[must_use]
    pub fn new(parsed: &'a ParsedFiles, tree: &'a dyn Tree, options: Options) -> Self {
        Self { parsed, tree, options, built: Kept::new(MOST_BUILT), built_from: None, deployed: Deployed::default() }
    }

    /// Renders as much as there is to render, to see what is looked for.
    pub(crate) fn for_scan(parsed: &'a ParsedFiles, tree: &'a dyn Tree) -> Self {
        Self::new(parsed, tree, Options::for_gate(LoadRestrictor::None))
    }

    /// Renders from a tree that moves: whoever moves it says what has changed by [`Renderer::forget`].
    #[must_use]
    pub fn moving(parsed: &'a ParsedFiles, tree: &'a dyn Tree, options: Options) -> Self {
        Self { built_from: Some(Mutex::default()), ..Self::new(parsed, tree, options) }
    }

    /// Forgets what was built from any of these paths.
    pub fn forget(&self, changed: &[RepoPath]) {
        self.deployed.forget(changed, self.tree);
        let Some(built_from) = &self.built_from else { return self.built.clear() };
        let mut built_from = built_from.lock();
        for path in changed {
            let mut outdated = built_from.paths.remove(path).unwrap_or_default();
            for folder in std::iter::successors(path.parent(), RepoPath::parent) {
                outdated.extend(built_from.folders.remove(&folder).into_iter().flatten());
            }
            for key in outdated {
                self.built.remove(&key);
            }
        }
    }

    /// Forgets everything that was built.
    pub fn forget_all(&self) {
        self.deployed.forget_all();
        self.built.clear();
        if let Some(built_from) = &self.built_from {
            *built_from.lock() = BuiltFrom::default();
        }
    }

    /// Renders one folder as `kustomize build` does. Where it fails, what was looked for is still told.
    ///
    /// # Errors
    /// When the folder does not render.
    pub fn render(&self, root: &RepoPath) -> Result<Rendering, Box<Unrendered>> {
        let mut closure = Closure::default();
        let result = self.render_noting(root, &mut closure);
        let (objects, finish) = result.map_err(|error| Unrendered::new(error, closure.clone()))?;
        Ok(self.rendering(objects, closure, finish))
    }

    fn render_noting(&self, root: &RepoPath, closure: &mut Closure) -> Result<(Vec<Node>, Finish), RenderError> {
        let (resources, finish) = self.root(root, None, closure)?;
        Ok((self.finish(resources, &finish)?, finish))
    }

    /// What happens once, at the root: hashes, references, vars, local objects, order (`api/krusty/kustomizer.go`).
    pub(super) fn finish(&self, mut resources: Vec<Resource>, finish: &Finish) -> Result<Vec<Node>, RenderError> {
        hash::add(&mut resources)?;
        nameref::fix(&mut resources, &finish.config.name_references)?;
        resources.iter_mut().for_each(Resource::propagate_shared);
        vars::resolve(
            &mut resources,
            &finish.vars,
            &finish.config.var_references,
            finish.opaque.iter().any(|it| !it.is_seen),
        )?;
        for resource in resources.iter().filter(|resource| !resource.is_deleted()) {
            let kept = "a patch or a transformer removed it; every object needs a kind and a name";
            objects::check(&resource.node).map_err(|error| error.help(kept))?;
        }
        resources.retain(|resource| !is_local(&resource.node));
        let mut seen = HashSet::new();
        for resource in &resources {
            if !seen.insert(id_key(resource)) {
                let message = format!("after all changes, {} exists twice", resource.id());
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
                let (key, value) = ("app.kubernetes.io/managed-by".to_owned(), "kustomize-v5.8.1".to_owned());
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
        secrets::note(&self.parsed.files, &resources);
        Ok(resources.into_iter().map(|resource| resource.node).collect())
    }

    /// What the kustomization of a folder builds, with the changes of the object that deploys it.
    pub(super) fn root(
        &self,
        root: &RepoPath,
        deployer: Option<&Deployer>,
        closure: &mut Closure,
    ) -> Result<(Vec<Resource>, Finish), RenderError> {
        self.parsed.begin_overlay();
        let mut loader = self.loader(root, closure, &Schemas::BuiltIn);
        loader.enter()?;
        let root = &loader.root.clone();
        let read = loader.kustomization(None)?;
        let own = read.as_ref().map(|read| (**read).as_ref().map_err(Clone::clone)).transpose()?;
        let changed = match deployer {
            Some(deployer) => self.changed_kustomization(deployer, own, closure)?,
            None => None,
        };
        match (changed.as_ref().or(own), deployer) {
            (None, Some(deployer)) => {
                let (resources, opaque) = self.directory(deployer, closure)?;
                Ok((resources, Finish { opaque, ..Finish::plain() }))
            }
            (None, None) => {
                let known = crate::kustomize::file::kustomization::FILE_NAMES.join("`, `");
                Err(RenderError::nowhere(format!("`{root}` has no kustomization"))
                    .help(format!("it needs one of `{known}`")))
            }
            (Some(kustomization), _) => {
                let metadata = kustomization.build_metadata;
                let origin = metadata.first.map(|span| Trail { path: String::new(), span });
                let mut run = Run::default();
                run.is_changed = changed.is_some();
                let built = self.build(root, kustomization, &mut run, closure, origin.as_ref())?;
                let built = Arc::unwrap_or_clone(built);
                let order = kustomization.order.clone()?;
                let (opaque, idle) = (built.opaque, built.idle);
                let finish = Finish { config: built.config, vars: built.vars, order, metadata, opaque, idle };
                Ok((built.resources, finish))
            }
        }
    }

    /// Renders a folder as whatever it is: a kustomization, else the manifests that it holds; or what a controller deploys.
    ///
    /// # Errors
    /// When it does not render, or holds neither.
    pub fn render_any(&self, root: &RepoPath) -> Result<Rendering, Box<Unrendered>> {
        if root.as_deployed().is_some() {
            return self.render_deployed(root);
        }
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
        let resources = resources.and_then(|resources| match resources.iter().find(|resource| is_local(&resource.node)) {
            Some(local) => Err(RenderError::at(
                local.node.origin.span,
                "`config.kubernetes.io/local-config` has no effect without a kustomization: the object would be deployed",
            )
            .help("remove the annotation, or the object")),
            None => Ok(resources),
        });
        let rendered = resources.and_then(|resources| self.finish(resources, &Finish::plain()));
        let rendered = rendered.map_err(|error| Unrendered::new(error, closure.clone()));
        rendered.map(|objects| self.rendering(objects, closure, Finish::plain()))
    }

    pub(super) fn rendering(&self, objects: Vec<Node>, closure: Closure, finish: Finish) -> Rendering {
        let Finish { opaque, idle, .. } = finish;
        let mut values = values::taken(&objects, &self.parsed.files);
        for Opaque { kind, identity, given, .. } in &opaque {
            let user = || match kind {
                OpaqueKind::Chart => ValuesUser::Chart(identity.clone()),
                _ => ValuesUser::Opaque(identity.clone()),
            };
            values.extend(given.iter().map(|node| Values { user: user(), node: node.clone() }));
        }
        Rendering { objects, closure, opaque, idle, values }
    }

    pub(super) fn loader<'b>(&'b self, root: &RepoPath, closure: &'b mut Closure, schemas: &Schemas) -> Loader<'b> {
        Loader {
            tree: self.tree,
            parsed: self.parsed,
            restrictor: self.options.restrictor,
            root: root.clone(),
            closure,
            schemas: schemas.clone(),
            is_for_plugin: false,
            has_merged: false,
            is_opaque: false,
            unmatched: Vec::new(),
        }
    }
}

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
                let message = format!("this overlay has more than {MOST_VALUES} values or {MOST_TEXT} bytes");
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
