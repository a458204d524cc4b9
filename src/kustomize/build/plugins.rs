//! `generators`, `transformers` and `validators`: kustomize's own plugins, configured by objects
//! (`api/internal/plugins/loader`). Plugins that would run a program are refused.

use super::accumulator::Accumulator;
use super::generators::generate;
use super::loader::Loader;
use super::opaque::Opaque;
use super::resource::Resource;
use crate::kustomize::error::{RenderError, nearest};
use crate::kustomize::file::fields::{Fields, Reading, Text, as_configuration};
use crate::kustomize::file::kustomization::{Generator, GeneratorOptions, Image, Patch, Product, Replica};
use crate::kustomize::finish::build_metadata::{Configured, Trail, was_generated, were_transformed};
use crate::kustomize::finish::hash;
use crate::kustomize::transform::fieldspec::FieldSpec;
use crate::kustomize::transform::names::Side;
use crate::kustomize::transform::namespace::{Namespace, Subjects};
use crate::kustomize::transform::replacements::ReplacementEntry;
use crate::kustomize::transform::{images, labels, names, namespace, patches, replacements, replicas, value_add};
use crate::span::Span;
use crate::yaml::{Key, Node, Step, Value, same};

const GENERATORS: [&str; 4] =
    ["ConfigMapGenerator", "HelmChartInflationGenerator", "IAMPolicyGenerator", "SecretGenerator"];
const TRANSFORMERS: [&str; 14] = [
    "AnnotationsTransformer",
    "HashTransformer",
    "ImageTagTransformer",
    "LabelTransformer",
    "NamespaceTransformer",
    "PatchJson6902Transformer",
    "PatchStrategicMergeTransformer",
    "PatchTransformer",
    "PrefixSuffixTransformer",
    "PrefixTransformer",
    "ReplacementTransformer",
    "ReplicaCountTransformer",
    "SuffixTransformer",
    "ValueAddTransformer",
];

/// An object that configures a plugin, and where `buildMetadata` finds it.
pub(crate) struct Plugin {
    /// The object.
    pub resource: Resource,
    /// Its file, from the folder that is built; `None` where nothing is noted.
    pub file: Option<Trail>,
}

impl Plugin {
    fn span(&self) -> Span {
        self.resource.node.origin.span
    }

    fn configured(&self) -> Option<Configured> {
        self.file.as_ref().map(|file| Configured::in_object(file, &self.resource))
    }

    /// What configures it.
    pub(crate) fn configuration(&self) -> &Node {
        &self.resource.node
    }

    /// Whether it needs another program: all but kustomize's own, and of those the one for charts.
    pub(crate) fn runs_program(&self) -> bool {
        let gvk = self.resource.gvk();
        !gvk.group.is_empty() || gvk.version != "builtin" || self.resource.kind() == "HelmChartInflationGenerator"
    }

    /// What it makes, as something that is not seen.
    pub(crate) fn opaque(&self) -> Opaque {
        let node = &self.resource.node;
        if self.resource.kind() != "HelmChartInflationGenerator" {
            return Opaque::plugin(node);
        }
        let text = |names: [&str; 2]| {
            let found = names.iter().find_map(|name| node.get(name));
            (found.and_then(Node::as_text).unwrap_or_default().to_owned(), found.map(|node| node.origin.span))
        };
        let (name, name_span) = text(["name", "chartName"]);
        let (version, span) = text(["version", "chartVersion"]);
        Opaque::chart(&text(["repo", "chartRepo"]).0, &name, &version, span.or(name_span).unwrap_or(node.origin.span))
    }

    /// The kind of plugin.
    fn kind(&self, known: &[&str], field: &str) -> Result<&str, RenderError> {
        let gvk = self.resource.gvk();
        let kind = self.resource.kind();
        let place = self.resource.node.get("kind").unwrap_or(&self.resource.node).origin.span;
        if !gvk.group.is_empty() || gvk.version != "builtin" {
            let message = format!("the plugin `{kind}` of `{}` is an external program", gvk.api_version());
            return Err(RenderError::at(place, message)
                .help("a change is never executed: commit the plugin's output, or use a kustomize field instead"));
        }
        if known.contains(&kind) {
            return Ok(kind);
        }
        let error = RenderError::at(place, format!("`{kind}` is not a plugin for `{field}`"));
        Err(match nearest(kind, known) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help(format!("expected one of: {}", known.join(", "))),
        })
    }
}

/// Runs a generator, and adds what it makes.
///
/// # Errors
/// When it is not one of kustomize's own, or its configuration is wrong.
pub(crate) fn run_generator(
    plugin: &Plugin,
    accumulator: &mut Accumulator,
    loader: &mut Loader<'_>,
) -> Result<(), RenderError> {
    let kind = plugin.kind(&GENERATORS, "generators")?;
    let configuration = as_configuration(&plugin.resource.node);
    let mut generated = match kind {
        "ConfigMapGenerator" | "SecretGenerator" => {
            let product = if kind == "SecretGenerator" { Product::Secret } else { Product::ConfigMap };
            let generator = Generator::read(&configuration, product, Reading::Plugin)?;
            generate(&generator, &GeneratorOptions::default(), product, loader)?
        }
        "IAMPolicyGenerator" => service_account(&configuration, loader)?,
        _ => {
            return Err(RenderError::at(plugin.span(), "Helm charts are not rendered: that needs Helm")
                .help("render the chart ahead of time and commit the result"));
        }
    };
    if let Some(configured) = plugin.configured() {
        was_generated(&mut generated, &configured);
    }
    accumulator.absorb(generated, plugin.span())
}

/// Runs a transformer.
///
/// # Errors
/// When it is not one of kustomize's own, its configuration is wrong, or it cannot do what is asked for.
pub(crate) fn run_transformer(
    plugin: &Plugin,
    resources: &mut Vec<Resource>,
    loader: &mut Loader<'_>,
    field: &str,
) -> Result<(), RenderError> {
    let kind = plugin.kind(&TRANSFORMERS, field)?.to_owned();
    transform(&kind, &as_configuration(&plugin.resource.node), resources, loader)?;
    if let Some(configured) = plugin.configured() {
        were_transformed(resources, &configured);
    }
    resources.retain(|resource| !resource.is_deleted());
    resources.iter_mut().for_each(Resource::propagate_shared);
    Ok(())
}

/// Runs a validator: a transformer that must leave everything as it is.
///
/// # Errors
/// Those of the transformer, and when it changes something.
pub(crate) fn run_validator(
    plugin: &Plugin,
    resources: &[Resource],
    loader: &mut Loader<'_>,
) -> Result<(), RenderError> {
    let mut copies = resources.to_vec();
    run_transformer(plugin, &mut copies, loader, "validators")?;
    let is_same = |(old, new): (&Resource, &Resource)| old.has_past_of(new) && is_untouched(&old.node, &new.node);
    if copies.len() == resources.len() && resources.iter().zip(&copies).all(is_same) {
        return Ok(());
    }
    Err(RenderError::at(plugin.span(), "this validator changes objects").help("list it under `transformers`"))
}

/// Whether nothing was written: to kustomize the same value written again is a change.
fn is_untouched(old: &Node, new: &Node) -> bool {
    if old.origin.span != new.origin.span || old.origin.step != new.origin.step {
        return false;
    }
    match (&old.value, &new.value) {
        (Value::Scalar(_), Value::Scalar(_)) => same(old, new),
        (Value::Sequence(old), Value::Sequence(new)) => {
            old.len() == new.len() && old.iter().zip(new.iter()).all(|(old, new)| is_untouched(old, new))
        }
        (Value::Mapping(old), Value::Mapping(new)) => {
            let is_kept = |(key, node): (&Key, &Node)| new.get(&key.text).is_some_and(|new| is_untouched(node, new));
            old.len() == new.len() && old.iter().all(is_kept)
        }
        _ => false,
    }
}

/// The fields that each kind of plugin reads.
fn known_fields(kind: &str) -> &'static [&'static str] {
    match kind {
        "AnnotationsTransformer" => &["annotations", "fieldSpecs"],
        "ImageTagTransformer" => &["imageTag", "fieldSpecs"],
        "LabelTransformer" => &["labels", "fieldSpecs"],
        "NamespaceTransformer" => &["metadata", "fieldSpecs", "unsetOnly", "setRoleBindingSubjects"],
        "PatchJson6902Transformer" => &["target", "path", "jsonOp", "options"],
        "PatchStrategicMergeTransformer" => &["paths", "patches"],
        "PatchTransformer" => &["path", "patch", "target", "options"],
        "PrefixSuffixTransformer" | "PrefixTransformer" | "SuffixTransformer" => &["prefix", "suffix", "fieldSpecs"],
        "ReplacementTransformer" => &["replacements"],
        "ReplicaCountTransformer" => &["replica", "fieldSpecs"],
        _ => &[],
    }
}

fn transform(
    kind: &str,
    configuration: &Node,
    resources: &mut Vec<Resource>,
    loader: &mut Loader<'_>,
) -> Result<(), RenderError> {
    let fields = Fields::read(configuration, known_fields(kind), Reading::Plugin, &format!("a {kind}"))?;
    let specs = || fields.list("fieldSpecs", |node| FieldSpec::read(node, Reading::Plugin));
    match kind {
        "AnnotationsTransformer" => labels::set(resources, &fields.pairs("annotations")?, &specs()?, Step::Annotation),
        "LabelTransformer" => labels::set(resources, &fields.pairs("labels")?, &specs()?, Step::Label),
        "HashTransformer" => hash::add(resources),
        "ImageTagTransformer" => {
            let image = fields.inner("imageTag", &Image::FIELDS)?.map(|image| Image::of(&image)).transpose()?;
            image.map_or(Ok(()), |image| images::set(resources, &image, &specs()?).map(drop))
        }
        "NamespaceTransformer" => set_namespace(&fields, &specs()?, resources),
        "PatchJson6902Transformer" => patches::apply_json6902(resources, &Patch::of(&fields, "jsonOp")?, loader),
        "PatchStrategicMergeTransformer" => {
            let (paths, text) = (fields.texts("paths")?, fields.filled("patches")?);
            if paths.is_empty() && text.is_none() {
                return Err(RenderError::at(fields.span(), "this transformer has neither `paths` nor `patches`")
                    .help("name files, or write the patch"));
            }
            patches::strategic_merge(resources, &paths, text.as_ref(), loader)
        }
        "PatchTransformer" => patches::apply(resources, &Patch::of(&fields, "patch")?, loader),
        "PrefixSuffixTransformer" => {
            add_to_names(&fields, "prefix", Side::Prefix, resources)?;
            add_to_names(&fields, "suffix", Side::Suffix, resources)
        }
        "PrefixTransformer" => add_to_names(&fields, "prefix", Side::Prefix, resources),
        "SuffixTransformer" => add_to_names(&fields, "suffix", Side::Suffix, resources),
        "ReplacementTransformer" => {
            let entries = fields.list("replacements", |node| ReplacementEntry::read(node, Reading::Plugin))?;
            replacements::apply(resources, &entries, loader)
        }
        "ReplicaCountTransformer" => {
            let replica = fields.inner("replica", &Replica::FIELDS)?.ok_or_else(|| {
                RenderError::at(fields.span(), "this transformer has no `replica`")
                    .help("write `replica: {name, count}`")
            })?;
            replicas::set(resources, &Replica::of(&replica)?, &specs()?)
        }
        _ => value_add::apply(resources, configuration, loader),
    }
}

fn add_to_names(fields: &Fields<'_>, name: &str, side: Side, resources: &mut [Resource]) -> Result<(), RenderError> {
    if fields.get("fieldSpecs").is_none_or(Node::is_null) {
        return Err(RenderError::at(fields.span(), "this transformer has no `fieldSpecs`")
            .help("write `fieldSpecs: [{path: metadata/name}]`"));
    }
    let specs = fields.list("fieldSpecs", |node| FieldSpec::read(node, Reading::Plugin))?;
    let text = fields.text(name)?.unwrap_or(Text { value: String::new(), span: fields.span() });
    names::add(resources, &text, side, &specs)
}

fn set_namespace(fields: &Fields<'_>, specs: &[FieldSpec], resources: &mut [Resource]) -> Result<(), RenderError> {
    let subjects = match fields.filled("setRoleBindingSubjects")? {
        None => Subjects::NamedDefault,
        Some(mode) => match mode.value.as_str() {
            "defaultOnly" => Subjects::NamedDefault,
            "allServiceAccounts" => Subjects::ServiceAccounts,
            "none" => Subjects::Untouched,
            other => {
                return Err(RenderError::at(mode.span, format!("`{other}` is not a valid choice of subjects"))
                    .help("write `defaultOnly`, `allServiceAccounts` or `none`"));
            }
        },
    };
    let only_unset = fields.flag("unsetOnly")?.is_some();
    let metadata = fields.inner("metadata", &["namespace"])?;
    match metadata.map(|metadata| metadata.filled("namespace")).transpose()?.flatten() {
        Some(name) => namespace::set(resources, Namespace { name: &name, specs, only_unset, subjects }),
        None => Ok(()),
    }
}

/// The plugin `IAMPolicyGenerator` (`api/filters/iampolicygenerator`): a service account that stands for one of Google's.
fn service_account(configuration: &Node, loader: &Loader<'_>) -> Result<Resource, RenderError> {
    let known = ["cloud", "kubernetesService", "serviceAccount"];
    let fields = Fields::read(configuration, &known, Reading::Plugin, "an IAMPolicyGenerator")?;
    let span = fields.span();
    let cloud = fields.text("cloud")?.unwrap_or(Text { value: String::new(), span });
    if cloud.value != "gke" {
        return Err(RenderError::at(cloud.span, format!("unknown cloud `{}`", cloud.value)).help("write `gke`"));
    }
    let text = |field: &str, name: &str| {
        let inner = fields.inner(field, &["name", "namespace", "projectId"])?;
        let text = inner.map(|inner| inner.text(name)).transpose()?.flatten();
        Ok(text.unwrap_or(Text { value: String::new(), span }))
    };
    let (name, namespace) = (text("kubernetesService", "name")?, text("kubernetesService", "namespace")?);
    let (account, project) = (text("serviceAccount", "name")?, text("serviceAccount", "projectId")?);
    let node = |value: &str, span: Span| Node::string(value, span, Step::Generator);
    let mapping = |entries: &[(&str, Node)]| {
        let mut mapping = Node::mapping(span, Step::Generator);
        for (key, value) in entries {
            mapping.as_mapping_mut().into_iter().for_each(|mapping| mapping.set(key, value.clone()));
        }
        mapping
    };
    let email = format!("{}@{}.iam.gserviceaccount.com", account.value, project.value);
    let annotations = mapping(&[("iam.gke.io/gcp-service-account", node(&email, account.span))]);
    let mut metadata = vec![("annotations", annotations), ("name", node(&name.value, name.span))];
    if !namespace.value.is_empty() {
        metadata.push(("namespace", node(&namespace.value, namespace.span)));
    }
    let object =
        [("apiVersion", node("v1", span)), ("kind", node("ServiceAccount", span)), ("metadata", mapping(&metadata))];
    Ok(Resource::new(mapping(&object), &loader.schemas))
}
