//! The kustomization file (`api/types/kustomization.go`), read strictly: a field that is not known here is refused.

use super::fields::{Fields, Pair, Reading, Text, is_empty};
use crate::kustomize::build::opaque::{self, ChartEntry};
use crate::kustomize::error::RenderError;
use crate::kustomize::known::order::KindOrder;
use crate::kustomize::transform::fieldspec::FieldSpec;
use crate::kustomize::transform::replacements::ReplacementEntry;
use crate::kustomize::transform::selector::Selector;
use crate::kustomize::transform::vars::Var;
use crate::span::{FileId, Span};
use crate::yaml::Node;

/// The names under which kustomize looks for the file, in its order.
pub const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Fields that are rendered.
const KNOWN: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "resources",
    "bases",
    "components",
    "namespace",
    "namePrefix",
    "nameSuffix",
    "labels",
    "commonLabels",
    "commonAnnotations",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "images",
    "imageTags",
    "replicas",
    "configMapGenerator",
    "secretGenerator",
    "generatorOptions",
    "sortOptions",
    "buildMetadata",
    "configurations",
    "crds",
    "generators",
    "openapi",
    "replacements",
    "transformers",
    "validators",
    "vars",
];

/// The fields of [`Kustomization::changes`].
const CHANGES: [&str; 9] = [
    "namespace",
    "namePrefix",
    "nameSuffix",
    "labels",
    "commonLabels",
    "commonAnnotations",
    "replicas",
    "replacements",
    "vars",
];

/// Fields that need an external program.
const HELM: &[&str] = &["helmChartInflationGenerator", "helmCharts", "helmGlobals"];

/// An entry of `labels`.
#[derive(Clone, Debug)]
pub struct Labels {
    /// What to set.
    pub pairs: Vec<Pair>,
    /// Whether selectors get them too.
    pub include_selectors: bool,
    /// Whether pod templates get them too.
    pub include_templates: bool,
    /// Where else they go.
    pub fields: Vec<FieldSpec>,
}

/// An entry of `patches` or `patchesJson6902`.
#[derive(Clone, Debug)]
pub struct Patch {
    /// The file that holds it.
    pub path: Option<Text>,
    /// Its text in the kustomization.
    pub inline: Option<Text>,
    /// What it applies to.
    pub target: Option<Selector>,
    /// Whether it may change names.
    pub allow_name_change: bool,
    /// Whether it may change kinds.
    pub allow_kind_change: bool,
    /// The whole entry.
    pub span: Span,
}

/// An entry of `images`.
#[derive(Clone, Debug)]
pub struct Image {
    /// Which images: a regular expression up to the tag.
    pub name: String,
    /// The new registry and repository.
    pub new_name: Option<Text>,
    /// The new tag.
    pub new_tag: Option<Text>,
    /// What is added to the tag.
    pub tag_suffix: Option<Text>,
    /// The new digest.
    pub digest: Option<Text>,
    /// The whole entry.
    pub span: Span,
}

/// An entry of `replicas`.
#[derive(Clone, Debug)]
pub struct Replica {
    /// The workload's name.
    pub name: String,
    /// Where the name is written.
    pub name_span: Span,
    /// The count.
    pub count: i64,
    /// Where the count is written.
    pub count_span: Span,
}

/// `generatorOptions`, or `options` of one generator.
#[derive(Clone, Debug, Default)]
pub struct GeneratorOptions {
    /// Labels of what is generated.
    pub labels: Vec<Pair>,
    /// Annotations of what is generated.
    pub annotations: Vec<Pair>,
    /// Whether names stay as they are.
    pub disable_name_suffix_hash: bool,
    /// Where `immutable` is set.
    pub immutable: Option<Span>,
}

/// What a generator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Product {
    /// A `ConfigMap`.
    ConfigMap,
    /// A `Secret`.
    Secret,
}

/// An entry of `configMapGenerator` or `secretGenerator`.
#[derive(Clone, Debug)]
pub struct Generator {
    /// The name.
    pub name: Text,
    /// The namespace.
    pub namespace: Option<Text>,
    /// `create`, `replace` or `merge`.
    pub behavior: Option<Text>,
    /// `key=value`.
    pub literals: Vec<Text>,
    /// `[key=]path`.
    pub files: Vec<Text>,
    /// Files of `key=value` lines.
    pub envs: Vec<Text>,
    /// Its own options.
    pub options: GeneratorOptions,
    /// A Secret's type.
    pub secret_type: Option<Text>,
    /// The whole entry.
    pub span: Span,
}

/// What `sortOptions` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// As accumulated.
    Fifo,
    /// By kind.
    Legacy(KindOrder),
}

/// `openapi`.
#[derive(Clone, Debug, Default)]
pub struct OpenApi {
    /// A file that describes the kinds, instead of kustomize's own description.
    pub path: Option<Text>,
    /// Which of kustomize's own descriptions.
    pub version: Option<Text>,
}

/// What `buildMetadata` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildMetadata {
    /// Its first option, where it has any.
    pub first: Option<Span>,
    /// The label `app.kubernetes.io/managed-by`.
    pub managed_by_label: Option<Span>,
    /// The annotation `config.kubernetes.io/origin`.
    pub origin_annotations: bool,
    /// The annotation `alpha.config.kubernetes.io/transformations`.
    pub transformer_annotations: bool,
}

/// A kustomization or a component.
#[derive(Clone, Debug)]
pub struct Kustomization {
    /// The file.
    pub file: FileId,
    /// Whether it is a component.
    pub is_component: bool,
    /// Why it cannot be rendered: a field that needs an external program.
    pub refused: Option<RenderError>,
    /// The charts that it names.
    pub charts: Vec<ChartEntry>,
    /// The fields that change what is listed, whatever it is, by name.
    pub changes: Vec<(&'static str, Node)>,
    /// Files and folders, `bases` behind them.
    pub resources: Vec<Text>,
    /// Folders of components.
    pub components: Vec<Text>,
    /// `namespace`.
    pub namespace: Option<Text>,
    /// `namePrefix`.
    pub name_prefix: Option<Text>,
    /// `nameSuffix`.
    pub name_suffix: Option<Text>,
    /// `labels`.
    pub labels: Vec<Labels>,
    /// `commonLabels`.
    pub common_labels: Vec<Pair>,
    /// `commonAnnotations`.
    pub common_annotations: Vec<Pair>,
    /// `patchesStrategicMerge`: paths or texts.
    pub patches_strategic_merge: Vec<Text>,
    /// `patches`.
    pub patches: Vec<Patch>,
    /// Entries of `patches` that are files, as kustomize had them before version 2; it refuses them today.
    pub old_patches: Vec<Text>,
    /// `patchesJson6902`.
    pub patches_json6902: Vec<Patch>,
    /// `images`, `imageTags` behind them.
    pub images: Vec<Image>,
    /// `replicas`.
    pub replicas: Vec<Replica>,
    /// `configMapGenerator`.
    pub config_maps: Vec<Generator>,
    /// `secretGenerator`.
    pub secrets: Vec<Generator>,
    /// `generatorOptions`.
    pub generator_options: GeneratorOptions,
    /// `sortOptions`, which counts at the root only: elsewhere nobody asks whether it makes sense.
    pub order: Result<Option<Order>, RenderError>,
    /// Files of transformer configurations.
    pub configurations: Vec<Text>,
    /// Files that describe custom kinds.
    pub crds: Vec<Text>,
    /// `openapi`.
    pub openapi: OpenApi,
    /// `replacements`.
    pub replacements: Vec<ReplacementEntry>,
    /// `vars`.
    pub vars: Vec<Var>,
    /// Configurations of generators: files, folders or texts.
    pub generators: Vec<Text>,
    /// Configurations of transformers: files, folders or texts.
    pub transformers: Vec<Text>,
    /// Configurations of validators: files, folders or texts.
    pub validators: Vec<Text>,
    /// `buildMetadata`.
    pub build_metadata: BuildMetadata,
}

impl Kustomization {
    /// Reads the file's first document.
    ///
    /// # Errors
    /// When a field is unknown, refused or of the wrong shape, or nothing is said at all.
    pub fn read(file: FileId, document: Option<&Node>) -> Result<Self, RenderError> {
        let empty = || {
            RenderError::at(Span::start_of(file), "this kustomization is empty")
                .help("list something under `resources`, or remove the file")
        };
        let node = document.filter(|node| !node.is_null()).ok_or_else(empty)?;
        let known = [KNOWN, HELM].concat();
        let fields = Fields::read(node, &known, Reading::Kustomization, "a kustomization")?;
        let helm = HELM.iter().filter(|name| **name != "helmGlobals").filter_map(|name| fields.entry(name));
        let refused = helm.filter(|(_, value)| !is_empty(value)).map(|(key, _)| {
            RenderError::at(key, "Helm charts are not rendered: that needs Helm, and usually the network")
                .help("render the chart ahead of time and commit the result")
        });
        let refused = refused.min_by_key(|error| error.span);
        let says_nothing = |name: &&str| {
            let value = fields.get(name);
            value.is_none_or(|node| node.is_null() || node.as_scalar().is_some_and(|scalar| scalar.text.is_empty()))
        };
        if refused.is_none() && KNOWN.iter().filter(|name| !matches!(**name, "apiVersion" | "kind")).all(says_nothing) {
            return Err(empty());
        }
        let is_component = check_type(&fields)?;
        let mut resources = fields.texts("resources")?;
        resources.extend(fields.texts("bases")?);
        let mut images = fields.list("images", Image::read)?;
        images.extend(fields.list("imageTags", Image::read)?);
        Ok(Self {
            file,
            is_component,
            refused,
            charts: opaque::charts(&fields)?,
            changes: CHANGES.iter().filter_map(|name| Some((*name, fields.get(name)?.clone()))).collect(),
            resources,
            components: fields.texts("components")?,
            namespace: fields.text("namespace")?,
            name_prefix: fields.text("namePrefix")?,
            name_suffix: fields.text("nameSuffix")?,
            labels: fields.list("labels", Labels::read)?,
            common_labels: fields.pairs("commonLabels")?,
            common_annotations: fields.pairs("commonAnnotations")?,
            patches_strategic_merge: fields.texts("patchesStrategicMerge")?,
            patches: fields.list("patches", Patch::read_any)?.into_iter().flatten().collect(),
            old_patches: old_patches(&fields)?,
            patches_json6902: fields.list("patchesJson6902", Patch::read)?,
            images,
            replicas: fields.list("replicas", Replica::read)?,
            config_maps: fields
                .list("configMapGenerator", |node| Generator::read(node, Product::ConfigMap, Reading::Kustomization))?,
            secrets: fields
                .list("secretGenerator", |node| Generator::read(node, Product::Secret, Reading::Kustomization))?,
            generator_options: GeneratorOptions::read(&fields, "generatorOptions")?,
            order: read_order(&fields)?,
            configurations: fields.texts("configurations")?,
            crds: fields.texts("crds")?,
            openapi: OpenApi::read(&fields)?,
            replacements: fields.list("replacements", |node| ReplacementEntry::read(node, Reading::Kustomization))?,
            vars: fields.list("vars", Var::read)?,
            generators: fields.texts("generators")?,
            transformers: fields.texts("transformers")?,
            validators: fields.texts("validators")?,
            build_metadata: BuildMetadata::read(&fields)?,
        })
    }
}

/// Checks `apiVersion` and `kind`; says whether this is a component.
fn check_type(fields: &Fields<'_>) -> Result<bool, RenderError> {
    let kind = fields.text("kind")?;
    let is_component = match &kind {
        None => false,
        Some(kind) => match kind.value.as_str() {
            "" | "Kustomization" => false,
            "Component" => true,
            other => {
                return Err(RenderError::at(kind.span, format!("`{other}` is not a kind of kustomization"))
                    .help("write `Kustomization` or `Component`"));
            }
        },
    };
    let wanted = if is_component { "kustomize.config.k8s.io/v1alpha1" } else { "kustomize.config.k8s.io/v1beta1" };
    match fields.text("apiVersion")? {
        Some(version) if !version.value.is_empty() && version.value != wanted => {
            let kind = if is_component { "Component" } else { "Kustomization" };
            Err(RenderError::at(version.span, format!("`{}` is not a version of {kind}", version.value))
                .help(format!("write `{wanted}`")))
        }
        _ => Ok(is_component),
    }
}

/// Reads `sortOptions`: what is no such thing is an error, what makes no sense one for the root.
fn read_order(fields: &Fields<'_>) -> Result<Result<Option<Order>, RenderError>, RenderError> {
    let Some(options) = fields.inner("sortOptions", &["order", "legacySortOptions"])? else { return Ok(Ok(None)) };
    let kinds = options.inner("legacySortOptions", &["orderFirst", "orderLast"])?;
    let order = options.text("order")?;
    Ok(match (order.as_ref().map(|order| order.value.as_str()), kinds) {
        (Some("fifo"), None) => Ok(Some(Order::Fifo)),
        (Some("fifo"), Some(kinds)) => {
            Err(RenderError::at(kinds.span(), "`legacySortOptions` only applies to `order: legacy`")
                .help("remove it, or write `order: legacy`"))
        }
        (Some("legacy"), None) => Ok(Some(Order::Legacy(KindOrder::default()))),
        (Some("legacy"), Some(kinds)) => {
            let list = |name| Ok(kinds.texts(name)?.into_iter().map(|text| text.value).collect());
            Ok(Some(Order::Legacy(KindOrder { first: list("orderFirst")?, last: list("orderLast")? })))
        }
        _ => {
            let span = order.map_or(options.span(), |order| order.span);
            Err(RenderError::at(span, "`order` must be `legacy` or `fifo`"))
        }
    })
}

impl OpenApi {
    fn read(fields: &Fields<'_>) -> Result<Self, RenderError> {
        let pairs = fields.pairs("openapi")?;
        let find = |key: &str| {
            let pair = pairs.iter().find(|pair| pair.key == key);
            pair.map(|pair| Text { value: pair.value.clone(), span: pair.span })
        };
        Ok(Self { path: find("path"), version: find("version") })
    }
}

impl BuildMetadata {
    fn read(fields: &Fields<'_>) -> Result<Self, RenderError> {
        let options = fields.texts("buildMetadata")?;
        let find = |name: &str| options.iter().find(|option| option.value == name).map(|option| option.span);
        Ok(Self {
            first: options.first().map(|option| option.span),
            managed_by_label: find("managedByLabel"),
            origin_annotations: find("originAnnotations").is_some(),
            transformer_annotations: find("transformerAnnotations").is_some(),
        })
    }
}

impl Labels {
    fn read(node: &Node) -> Result<Self, RenderError> {
        let known = ["pairs", "includeSelectors", "includeTemplates", "fields"];
        let fields = Fields::read(node, &known, Reading::Kustomization, "an entry of `labels`")?;
        Ok(Self {
            pairs: fields.pairs("pairs")?,
            include_selectors: fields.flag("includeSelectors")?.is_some(),
            include_templates: fields.flag("includeTemplates")?.is_some(),
            fields: fields.list("fields", |node| FieldSpec::read(node, Reading::Kustomization))?,
        })
    }
}

/// The entries of `patches` that are no mappings but files.
fn old_patches(fields: &Fields<'_>) -> Result<Vec<Text>, RenderError> {
    let text = |node: &Node| {
        let text = node.as_scalar().filter(|scalar| scalar.kind == crate::yaml::Kind::String);
        Ok(text.map(|scalar| Text { value: scalar.text.to_string(), span: node.origin.span }))
    };
    Ok(fields.list("patches", text)?.into_iter().flatten().collect())
}

impl Patch {
    /// A patch; `None` for what is told as one of the old patches.
    fn read_any(node: &Node) -> Result<Option<Self>, RenderError> {
        let is_old = node.as_scalar().is_some_and(|scalar| scalar.kind == crate::yaml::Kind::String);
        if is_old { Ok(None) } else { Self::read(node).map(Some) }
    }

    fn read(node: &Node) -> Result<Self, RenderError> {
        let known = ["path", "patch", "target", "options"];
        Self::of(&Fields::read(node, &known, Reading::Kustomization, "a patch")?, "patch")
    }

    /// Reads the fields of a patch; its own text stands under `inline`.
    ///
    /// # Errors
    /// When one of them has another shape.
    pub(crate) fn of(fields: &Fields<'_>, inline: &str) -> Result<Self, RenderError> {
        let options = fields.inner("options", &["allowNameChange", "allowKindChange"])?;
        let flag = |name| options.as_ref().map_or(Ok(None), |options| options.flag(name));
        Ok(Self {
            path: fields.filled("path")?,
            inline: fields.text(inline)?.filter(|patch| !patch.value.trim().is_empty()),
            target: fields.inner("target", &Selector::FIELDS)?.map(|target| Selector::read(&target)).transpose()?,
            allow_name_change: flag("allowNameChange")?.is_some(),
            allow_kind_change: flag("allowKindChange")?.is_some(),
            span: fields.span(),
        })
    }
}

impl Image {
    /// The fields of an entry.
    pub(crate) const FIELDS: [&'static str; 5] = ["name", "newName", "newTag", "tagSuffix", "digest"];

    fn read(node: &Node) -> Result<Self, RenderError> {
        Self::of(&Fields::read(node, &Self::FIELDS, Reading::Kustomization, "an entry of `images`")?)
    }

    /// Reads the fields of an entry.
    ///
    /// # Errors
    /// When one of them is no string.
    pub(crate) fn of(fields: &Fields<'_>) -> Result<Self, RenderError> {
        Ok(Self {
            name: fields.text("name")?.map_or_else(String::new, |name| name.value),
            new_name: fields.filled("newName")?,
            new_tag: fields.filled("newTag")?,
            tag_suffix: fields.filled("tagSuffix")?,
            digest: fields.filled("digest")?,
            span: fields.span(),
        })
    }
}

impl Replica {
    /// The fields of an entry.
    pub(crate) const FIELDS: [&'static str; 2] = ["name", "count"];

    fn read(node: &Node) -> Result<Self, RenderError> {
        Self::of(&Fields::read(node, &Self::FIELDS, Reading::Kustomization, "an entry of `replicas`")?)
    }

    /// Reads the fields of an entry.
    ///
    /// # Errors
    /// When the name is no string or the count no number.
    pub(crate) fn of(fields: &Fields<'_>) -> Result<Self, RenderError> {
        let name = fields.text("name")?;
        let (count, count_span) = fields.number("count")?.unwrap_or((0, fields.span()));
        let name_span = name.as_ref().map_or(fields.span(), |name| name.span);
        Ok(Self { name: name.map_or_else(String::new, |name| name.value), name_span, count, count_span })
    }
}

impl GeneratorOptions {
    fn read(fields: &Fields<'_>, name: &str) -> Result<Self, RenderError> {
        let known = ["labels", "annotations", "disableNameSuffixHash", "immutable"];
        let Some(options) = fields.inner(name, &known)? else { return Ok(Self::default()) };
        Ok(Self {
            labels: options.pairs("labels")?,
            annotations: options.pairs("annotations")?,
            disable_name_suffix_hash: options.flag("disableNameSuffixHash")?.is_some(),
            immutable: options.flag("immutable")?,
        })
    }

    /// These options with what only the kustomization's `generatorOptions` say.
    #[must_use]
    pub fn with_defaults(&self, global: &Self) -> Self {
        let merged = |own: &[Pair], global: &[Pair]| {
            let missing = global.iter().filter(|pair| own.iter().all(|known| known.key != pair.key));
            own.iter().chain(missing).cloned().collect()
        };
        Self {
            labels: merged(&self.labels, &global.labels),
            annotations: merged(&self.annotations, &global.annotations),
            disable_name_suffix_hash: self.disable_name_suffix_hash || global.disable_name_suffix_hash,
            immutable: self.immutable.or(global.immutable),
        }
    }
}

impl Generator {
    /// Reads an entry, or the configuration of a plugin, whose `metadata` may hold name and namespace.
    ///
    /// # Errors
    /// When a field has another shape, or there is no name.
    pub(crate) fn read(node: &Node, product: Product, reading: Reading) -> Result<Self, RenderError> {
        let mut known = vec!["name", "namespace", "behavior", "literals", "files", "envs", "env", "options"];
        if product == Product::Secret {
            known.push("type");
        }
        if reading == Reading::Plugin {
            known.push("metadata");
        }
        let fields = Fields::read(node, &known, reading, "a generator")?;
        let metadata = fields.inner("metadata", &["name", "namespace"])?;
        let text = |name| match (fields.filled(name)?, &metadata) {
            (None, Some(metadata)) => metadata.filled(name),
            (found, _) => Ok(found),
        };
        let name = text("name")?;
        let mut envs = fields.texts("envs")?;
        // kustomize moves this old spelling in kustomizations only.
        envs.extend(fields.filled("env")?.filter(|_| reading == Reading::Kustomization));
        Ok(Self {
            name: name.ok_or_else(|| RenderError::at(node.origin.span, "this generator has no `name`"))?,
            namespace: text("namespace")?,
            behavior: fields.text("behavior")?,
            literals: fields.texts("literals")?,
            files: fields.texts("files")?,
            envs,
            options: GeneratorOptions::read(&fields, "options")?,
            secret_type: fields.filled("type")?,
            span: node.origin.span,
        })
    }
}
