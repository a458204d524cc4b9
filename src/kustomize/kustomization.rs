//! The kustomization file (`api/types/kustomization.go`), read strictly: a field that is not known here is refused.

use super::error::{RenderError, nearest};
use super::selector::{Pattern, Requirement, Selector};
use crate::span::{FileId, Span};
use crate::yaml::{Kind, Mapping, Node, resolve_yaml11};

/// The names under which kustomize looks for the file, in its order.
pub const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Fields that this version renders.
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
];

/// Fields of kustomize that this version refuses, and the way out where there is one.
const REFUSED: &[(&str, &str)] = &[
    ("buildMetadata", "leave it out: it only adds annotations and labels about the build"),
    ("configurations", "transformer configurations are not rendered yet"),
    ("crds", "CRD field definitions are not rendered yet"),
    ("generators", "generator plugins are not rendered yet"),
    ("helmChartInflationGenerator", "render the chart ahead of time and commit the result"),
    ("helmCharts", "render the chart ahead of time and commit the result"),
    ("helmGlobals", "render the chart ahead of time and commit the result"),
    ("openapi", "custom schemas are not rendered yet"),
    ("replacements", "replacements are not rendered yet"),
    ("transformers", "transformer plugins are not rendered yet"),
    ("validators", "validator plugins are not rendered yet"),
    ("vars", "vars are not rendered yet"),
];

/// A string and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The string.
    pub value: String,
    /// Where it is written.
    pub span: Span,
}

/// A label or an annotation and where its value is written.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// Where the value is written.
    pub span: Span,
}

/// An entry of `labels`.
#[derive(Clone, Debug)]
pub struct Labels {
    /// What to set.
    pub pairs: Vec<Pair>,
    /// Whether selectors get them too.
    pub include_selectors: bool,
    /// Whether pod templates get them too.
    pub include_templates: bool,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As accumulated.
    Fifo,
    /// By kind.
    Legacy,
}

/// A kustomization or a component.
#[derive(Clone, Debug)]
pub struct Kustomization {
    /// The file.
    pub file: FileId,
    /// Whether it is a component.
    pub is_component: bool,
    /// Why it cannot be rendered: a field of kustomize that is not supported.
    pub refused: Option<RenderError>,
    /// Every text in such fields: some of them are files.
    pub mentioned: Vec<Text>,
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
    /// `sortOptions`.
    pub order: Option<Order>,
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
        let known: Vec<&str> = KNOWN.iter().chain(REFUSED.iter().map(|(name, _)| name)).copied().collect();
        let fields = Fields::read(node, &known, "kustomization")?;
        let (mut refused, mut mentioned) = (None, Vec::new());
        for (name, way_out) in REFUSED {
            if let Some((key, value)) = fields.entry(name).filter(|(_, value)| !is_empty(value)) {
                let error = RenderError::at(key, format!("`{name}` is not supported")).help(*way_out);
                refused.get_or_insert(error);
                collect_texts(value, &mut mentioned);
            }
        }
        let says_nothing = |name: &str| {
            let value = fields.get(name);
            value.is_none_or(|node| node.is_null() || node.as_scalar().is_some_and(|scalar| scalar.text.is_empty()))
        };
        let told = KNOWN.iter().filter(|name| !matches!(**name, "apiVersion" | "kind"));
        if refused.is_none() && told.copied().all(says_nothing) {
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
            mentioned,
            resources,
            components: fields.texts("components")?,
            namespace: fields.text("namespace")?,
            name_prefix: fields.text("namePrefix")?,
            name_suffix: fields.text("nameSuffix")?,
            labels: fields.list("labels", Labels::read)?,
            common_labels: fields.pairs("commonLabels")?,
            common_annotations: fields.pairs("commonAnnotations")?,
            patches_strategic_merge: fields.texts("patchesStrategicMerge")?,
            patches: fields.list("patches", Patch::read)?,
            patches_json6902: fields.list("patchesJson6902", Patch::read)?,
            images,
            replicas: fields.list("replicas", Replica::read)?,
            config_maps: fields.list("configMapGenerator", |node| Generator::read(node, false))?,
            secrets: fields.list("secretGenerator", |node| Generator::read(node, true))?,
            generator_options: fields
                .get("generatorOptions")
                .map_or(Ok(GeneratorOptions::default()), GeneratorOptions::read)?,
            order: fields.get("sortOptions").map(read_order).transpose()?.flatten(),
        })
    }
}

fn collect_texts(node: &Node, texts: &mut Vec<Text>) {
    for item in node.as_sequence().unwrap_or_default() {
        collect_texts(item, texts);
    }
    for (_, value) in node.as_mapping().into_iter().flat_map(Mapping::iter) {
        collect_texts(value, texts);
    }
    if let Some(text) = node.as_text() {
        texts.push(Text { value: text.to_owned(), span: node.origin.span });
    }
}

fn is_empty(node: &Node) -> bool {
    node.is_null()
        || node.as_sequence().is_some_and(<[Node]>::is_empty)
        || node.as_mapping().is_some_and(Mapping::is_empty)
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
                return Err(RenderError::at(kind.span, format!("`{other}` is no kind of kustomization"))
                    .help("write `Kustomization` or `Component`"));
            }
        },
    };
    let wanted = if is_component { "kustomize.config.k8s.io/v1alpha1" } else { "kustomize.config.k8s.io/v1beta1" };
    match fields.text("apiVersion")? {
        Some(version) if !version.value.is_empty() && version.value != wanted => {
            let kind = if is_component { "Component" } else { "Kustomization" };
            Err(RenderError::at(version.span, format!("`{}` is no version of {kind}", version.value))
                .help(format!("write `{wanted}`")))
        }
        _ => Ok(is_component),
    }
}

fn read_order(node: &Node) -> Result<Option<Order>, RenderError> {
    let fields = Fields::read(node, &["order", "legacySortOptions"], "`sortOptions`")?;
    if let Some((key, _)) = fields.entry("legacySortOptions").filter(|(_, value)| !is_empty(value)) {
        return Err(
            RenderError::at(key, "`legacySortOptions` is not supported").help("leave it out for kustomize's own order")
        );
    }
    match fields.text("order")? {
        Some(order) if order.value == "fifo" => Ok(Some(Order::Fifo)),
        Some(order) if order.value == "legacy" => Ok(Some(Order::Legacy)),
        None if node.is_null() => Ok(None),
        other => {
            let span = other.map_or(node.origin.span, |text| text.span);
            Err(RenderError::at(span, "`order` takes `legacy` or `fifo`"))
        }
    }
}

impl Labels {
    fn read(node: &Node) -> Result<Self, RenderError> {
        let known = ["pairs", "includeSelectors", "includeTemplates", "fields"];
        let fields = Fields::read(node, &known, "an entry of `labels`")?;
        if let Some((key, _)) = fields.entry("fields").filter(|(_, value)| !is_empty(value)) {
            return Err(
                RenderError::at(key, "`fields` is not supported").help("custom label fields are not rendered yet")
            );
        }
        Ok(Self {
            pairs: fields.pairs("pairs")?,
            include_selectors: fields.flag("includeSelectors")?.is_some(),
            include_templates: fields.flag("includeTemplates")?.is_some(),
        })
    }
}

impl Patch {
    fn read(node: &Node) -> Result<Self, RenderError> {
        let fields = Fields::read(node, &["path", "patch", "target", "options"], "a patch")?;
        let options = fields.get("options").filter(|node| !node.is_null());
        let options =
            options.map(|node| Fields::read(node, &["allowNameChange", "allowKindChange"], "`options` of a patch"));
        let options = options.transpose()?;
        let flag = |name| options.as_ref().map_or(Ok(None), |options| options.flag(name));
        Ok(Self {
            path: fields.text("path")?.filter(|path| !path.value.is_empty()),
            inline: fields.text("patch")?.filter(|patch| !patch.value.trim().is_empty()),
            target: fields.get("target").filter(|node| !node.is_null()).map(Selector::read).transpose()?,
            allow_name_change: flag("allowNameChange")?.is_some(),
            allow_kind_change: flag("allowKindChange")?.is_some(),
            span: node.origin.span,
        })
    }
}

impl Selector {
    fn read(node: &Node) -> Result<Self, RenderError> {
        let known = ["group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector"];
        let fields = Fields::read(node, &known, "a patch's `target`")?;
        let pattern = |name| {
            let text = fields.text(name)?;
            text.map_or(Ok(Pattern::Any), |text| Pattern::new(&text.value, text.span))
        };
        let requirements = |name| {
            let text = fields.text(name)?;
            text.map_or(Ok(Vec::new()), |text| Requirement::parse_all(&text.value, text.span))
        };
        Ok(Self {
            group: pattern("group")?,
            version: pattern("version")?,
            kind: pattern("kind")?,
            name: pattern("name")?,
            namespace: pattern("namespace")?,
            labels: requirements("labelSelector")?,
            annotations: requirements("annotationSelector")?,
        })
    }
}

impl Image {
    fn read(node: &Node) -> Result<Self, RenderError> {
        let fields = Fields::read(node, &["name", "newName", "newTag", "tagSuffix", "digest"], "an entry of `images`")?;
        let set = |name| fields.text(name).map(|text| text.filter(|text| !text.value.is_empty()));
        Ok(Self {
            name: fields.text("name")?.map_or_else(String::new, |name| name.value),
            new_name: set("newName")?,
            new_tag: set("newTag")?,
            tag_suffix: set("tagSuffix")?,
            digest: set("digest")?,
            span: node.origin.span,
        })
    }
}

impl Replica {
    fn read(node: &Node) -> Result<Self, RenderError> {
        let fields = Fields::read(node, &["name", "count"], "an entry of `replicas`")?;
        let name = fields.text("name")?;
        let (count, count_span) = match fields.get("count").filter(|node| !node.is_null()) {
            None => (0, node.origin.span),
            Some(count) => {
                let kind = count.as_scalar().filter(|scalar| scalar.plain).map(|scalar| resolve_yaml11(&scalar.text));
                let Some(Kind::Int(value)) = kind else {
                    return Err(RenderError::at(count.origin.span, "a count is a whole number without quotes"));
                };
                (value, count.origin.span)
            }
        };
        let name_span = name.as_ref().map_or(node.origin.span, |name| name.span);
        Ok(Self { name: name.map_or_else(String::new, |name| name.value), name_span, count, count_span })
    }
}

impl GeneratorOptions {
    fn read(node: &Node) -> Result<Self, RenderError> {
        let known = ["labels", "annotations", "disableNameSuffixHash", "immutable"];
        let fields = Fields::read(node, &known, "generator options")?;
        Ok(Self {
            labels: fields.pairs("labels")?,
            annotations: fields.pairs("annotations")?,
            disable_name_suffix_hash: fields.flag("disableNameSuffixHash")?.is_some(),
            immutable: fields.flag("immutable")?,
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
    fn read(node: &Node, is_secret: bool) -> Result<Self, RenderError> {
        let mut known = vec!["name", "namespace", "behavior", "literals", "files", "envs", "env", "options"];
        if is_secret {
            known.push("type");
        }
        let fields = Fields::read(node, &known, "a generator")?;
        let name = fields.text("name")?.filter(|name| !name.value.is_empty());
        let mut envs = fields.texts("envs")?;
        envs.extend(fields.text("env")?.filter(|path| !path.value.is_empty()));
        Ok(Self {
            name: name.ok_or_else(|| RenderError::at(node.origin.span, "this generator has no `name`"))?,
            namespace: fields.text("namespace")?.filter(|namespace| !namespace.value.is_empty()),
            behavior: fields.text("behavior")?,
            literals: fields.texts("literals")?,
            files: fields.texts("files")?,
            envs,
            options: fields.get("options").map_or(Ok(GeneratorOptions::default()), GeneratorOptions::read)?,
            secret_type: fields.text("type")?.filter(|text| !text.value.is_empty()),
            span: node.origin.span,
        })
    }
}

/// The fields of one mapping, found whatever their case, as Go's JSON decoder finds them.
struct Fields<'a> {
    entries: Vec<(&'static str, Span, &'a Node)>,
}

impl<'a> Fields<'a> {
    fn read(node: &'a Node, known: &[&'static str], what: &str) -> Result<Self, RenderError> {
        if node.is_null() {
            return Ok(Self { entries: Vec::new() });
        }
        let Some(mapping) = node.as_mapping() else {
            return Err(RenderError::at(
                node.origin.span,
                format!("{what} is a mapping, but this is {}", node.shape()),
            ));
        };
        let mut entries: Vec<(&'static str, Span, &Node)> = Vec::new();
        for (key, value) in mapping.iter() {
            let exact = known.iter().find(|name| ***name == *key.text);
            let Some(name) = exact.or_else(|| known.iter().find(|name| name.eq_ignore_ascii_case(&key.text))) else {
                let error = RenderError::at(key.span, format!("`{}` is no field of {what}", key.text));
                return Err(match nearest(&key.text, known) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error.help(format!("it has: {}", known.join(", "))),
                });
            };
            entries.retain(|(known, ..)| known != name);
            entries.push((name, key.span, value));
        }
        Ok(Self { entries })
    }

    fn entry(&self, name: &str) -> Option<(Span, &'a Node)> {
        self.entries.iter().find(|(known, ..)| *known == name).map(|(_, key, value)| (*key, *value))
    }

    fn get(&self, name: &str) -> Option<&'a Node> {
        self.entry(name).map(|(_, value)| value)
    }

    fn text(&self, name: &str) -> Result<Option<Text>, RenderError> {
        self.get(name).map_or(Ok(None), |node| text_of(node, name))
    }

    fn flag(&self, name: &str) -> Result<Option<Span>, RenderError> {
        let Some(node) = self.get(name).filter(|node| !node.is_null()) else { return Ok(None) };
        match node.as_scalar().filter(|scalar| scalar.plain).map(|scalar| resolve_yaml11(&scalar.text)) {
            Some(Kind::Bool(value)) => Ok(value.then_some(node.origin.span)),
            _ => Err(RenderError::at(node.origin.span, format!("`{name}` is true or false, without quotes"))),
        }
    }

    fn list<T>(&self, name: &str, read: impl Fn(&'a Node) -> Result<T, RenderError>) -> Result<Vec<T>, RenderError> {
        let Some(node) = self.get(name).filter(|node| !node.is_null()) else { return Ok(Vec::new()) };
        let Some(items) = node.as_sequence() else {
            return Err(RenderError::at(node.origin.span, format!("`{name}` is a list, but this is {}", node.shape())));
        };
        items.iter().map(read).collect()
    }

    fn texts(&self, name: &str) -> Result<Vec<Text>, RenderError> {
        let text = |node: &Node| {
            let empty = Text { value: String::new(), span: node.origin.span };
            Ok(text_of(node, name)?.unwrap_or(empty))
        };
        self.list(name, text)
    }

    fn pairs(&self, name: &str) -> Result<Vec<Pair>, RenderError> {
        let Some(node) = self.get(name).filter(|node| !node.is_null()) else { return Ok(Vec::new()) };
        let Some(mapping) = node.as_mapping() else {
            return Err(RenderError::at(
                node.origin.span,
                format!("`{name}` is a mapping, but this is {}", node.shape()),
            ));
        };
        let pair = |(key, node): (&crate::yaml::Key, &Node)| {
            let value = text_of(node, &key.text)?.map_or_else(String::new, |text| text.value);
            Ok(Pair { key: key.text.to_string(), value, span: node.origin.span })
        };
        mapping.iter().map(pair).collect()
    }
}

/// A string field. What YAML 1.1 reads as something else is refused, as kustomize refuses it.
fn text_of(node: &Node, name: &str) -> Result<Option<Text>, RenderError> {
    let span = node.origin.span;
    let Some(scalar) = node.as_scalar() else {
        return Err(RenderError::at(span, format!("`{name}` is a string, but this is {}", node.shape())));
    };
    let kind = if scalar.plain { resolve_yaml11(&scalar.text) } else { Kind::String };
    match kind {
        Kind::Null => Ok(None),
        Kind::String | Kind::Timestamp => Ok(Some(Text { value: scalar.text.to_string(), span })),
        Kind::Bool(_) => {
            Err(RenderError::at(span, format!("`{name}` is a string, but `{}` is read as a bool", scalar.text))
                .help(format!("write it in quotes: \"{}\"", scalar.text)))
        }
        _ => Err(RenderError::at(span, format!("`{name}` is a string, but `{}` is read as a number", scalar.text))
            .help(format!("write it in quotes: \"{}\"", scalar.text))),
    }
}
