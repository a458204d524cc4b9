//! A kustomization's own transformers, in kustomize's order (`api/internal/target/kusttarget_configplugin.go`).

use crate::kustomize::build::accumulator::Accumulator;
use crate::kustomize::build::idle::Idle;
use crate::kustomize::build::loader::Loader;
use crate::kustomize::build::opaque::Opaque;
use crate::kustomize::build::resource::Resource;
use crate::kustomize::build::transformer_config::{TransformerConfig, merge_all};
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::Text;
use crate::kustomize::file::kustomization::{Kustomization, Labels};
use crate::kustomize::finish::build_metadata::{Configured, Trail, were_transformed};
use crate::kustomize::known::specs;
use crate::kustomize::limits::MOST_LABELS;
use crate::span::Span;
use crate::yaml::Step;
use fieldspec::FieldSpec;
use names::Side;
use namespace::{Namespace, Subjects};

pub(crate) mod field_path;
pub(crate) mod fieldspec;
pub(crate) mod go_regex;
pub(crate) mod images;
pub(crate) mod jsonpatch;
pub(crate) mod labels;
pub(crate) mod merge;
pub(crate) mod names;
pub(crate) mod namespace;
pub(crate) mod patches;
pub(crate) mod replacements;
pub(crate) mod replicas;
pub(crate) mod selector;
pub(crate) mod value_add;
pub(crate) mod vars;

/// Applies the transformers. `file` is the kustomization's path where `buildMetadata` notes what was applied.
///
/// # Errors
/// When one of them cannot do what is asked for.
pub(crate) fn run(
    accumulator: &mut Accumulator,
    kustomization: &Kustomization,
    loader: &mut Loader<'_>,
    file: Option<&Trail>,
) -> Result<(), RenderError> {
    refuse_excess(accumulator.resources.len(), kustomization)?;
    let config = accumulator.config();
    let resources = &mut accumulator.resources;
    let applied = |resources: &mut Vec<Resource>, kind: &str| {
        if let Some(file) = file {
            let configured = Configured::built_in(file, kind);
            were_transformed(resources, &configured);
        }
        resources.retain(|resource| !resource.is_deleted());
        resources.iter_mut().for_each(Resource::propagate_shared);
    };
    let merged = [&kustomization.old_patches[..], &kustomization.patches_strategic_merge].concat();
    if !merged.is_empty() {
        patches::strategic_merge(resources, &merged, None, loader)?;
        applied(resources, "PatchStrategicMergeTransformer");
    }
    for patch in &kustomization.patches {
        accumulator.idle.extend(is_told(&accumulator.idle).then(|| Idle::patch(patch, resources)).flatten());
        patches::apply(resources, patch, loader)?;
        applied(resources, "PatchTransformer");
    }
    if let Some(name) = said(kustomization.namespace.as_ref()) {
        let subjects = Subjects::NamedDefault;
        namespace::set(resources, Namespace { name, specs: &config.namespace, only_unset: false, subjects })?;
        applied(resources, "NamespaceTransformer");
    }
    if let Some(prefix) = said(kustomization.name_prefix.as_ref()) {
        names::add(resources, prefix, Side::Prefix, &config.name_prefix)?;
        applied(resources, "PrefixTransformer");
    }
    if let Some(suffix) = said(kustomization.name_suffix.as_ref()) {
        names::add(resources, suffix, Side::Suffix, &config.name_suffix)?;
        applied(resources, "SuffixTransformer");
    }
    for entry in &kustomization.labels {
        labels::set(resources, &entry.pairs, &label_specs(entry, &config)?, Step::Label)?;
        applied(resources, "LabelTransformer");
    }
    if !kustomization.labels.is_empty() || !kustomization.common_labels.is_empty() {
        labels::set(resources, &kustomization.common_labels, &config.common_labels, Step::Label)?;
        applied(resources, "LabelTransformer");
    }
    if !kustomization.common_annotations.is_empty() {
        labels::set(resources, &kustomization.common_annotations, &config.common_annotations, Step::Annotation)?;
        applied(resources, "AnnotationsTransformer");
    }
    for patch in &kustomization.patches_json6902 {
        accumulator.idle.extend(is_told(&accumulator.idle).then(|| Idle::patch(patch, resources)).flatten());
        patches::apply_json6902(resources, patch, loader)?;
        applied(resources, "PatchJson6902Transformer");
    }
    for replica in &kustomization.replicas {
        RenderError::unless_opaque(replicas::set(resources, replica, &config.replicas), loader.is_opaque)?;
        applied(resources, "ReplicaCountTransformer");
    }
    for image in &kustomization.images {
        let has_matched = images::set(resources, image, &config.images)?;
        if !has_matched && loader.is_opaque {
            accumulator.opaque.push(Opaque::image(image));
        } else if !has_matched && is_told(&accumulator.idle) {
            accumulator.idle.extend(Idle::image(image, resources));
        }
        applied(resources, "ImageTagTransformer");
    }
    if !kustomization.replacements.is_empty() {
        replacements::apply(resources, &kustomization.replacements, loader)?;
        applied(resources, "ReplacementTransformer");
    }
    Ok(())
}

fn refuse_excess(objects: usize, kustomization: &Kustomization) -> Result<(), RenderError> {
    let pairs = kustomization.labels.iter().map(|entry| entry.pairs.len()).sum::<usize>();
    let pairs = pairs + kustomization.common_labels.len() + kustomization.common_annotations.len();
    if pairs * objects > MOST_LABELS {
        let message = format!("{pairs} labels and annotations for {objects} objects are too many");
        return Err(RenderError::at(Span::start_of(kustomization.file), message).help("split the kustomization"));
    }
    Ok(())
}

/// How many instructions of a kustomization are held against every object.
pub(crate) fn instructions(kustomization: &Kustomization) -> usize {
    let Kustomization {
        patches, old_patches, patches_json6902, patches_strategic_merge, images, labels, replicas, ..
    } = kustomization;
    let lists = patches.len() + patches_json6902.len() + images.len() + labels.len() + replicas.len();
    let once = [&kustomization.namespace, &kustomization.name_prefix, &kustomization.name_suffix];
    lists
        + old_patches.len()
        + patches_strategic_merge.len()
        + kustomization.replacements.len()
        + once.into_iter().filter(|text| said(text.as_ref()).is_some()).count()
        + usize::from(!kustomization.common_labels.is_empty())
        + usize::from(!kustomization.common_annotations.is_empty())
}

fn said(text: Option<&Text>) -> Option<&Text> {
    text.filter(|text| !text.value.is_empty())
}

/// The fields of an entry of `labels`: its own, those of configurations, and what its flags add.
fn label_specs(entry: &Labels, config: &TransformerConfig) -> Result<Vec<FieldSpec>, RenderError> {
    let mut specs = entry.fields.clone();
    merge_all(&mut specs, config.labels.clone())?;
    if entry.include_selectors {
        merge_all(&mut specs, config.common_labels.clone())?;
        return Ok(specs);
    }
    if entry.include_templates {
        merge_all(&mut specs, config.template_labels.clone())?;
    }
    merge_all(&mut specs, vec![FieldSpec::parse(specs::PLAIN_LABELS)])?;
    Ok(specs)
}

/// Whether one more entry that matches nothing is looked into: more than these nobody reads.
fn is_told(idle: &[Idle]) -> bool {
    const MOST: usize = 100;
    idle.len() < MOST
}
