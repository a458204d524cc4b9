//! `namePrefix` and `nameSuffix` (`api/internal/builtins/PrefixTransformer.go`).

use std::sync::Arc;

use super::fieldspec::{FieldSpec, Leaf, Visit, visit};
use crate::kustomize::build::resource::Resource;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::Text;
use crate::kustomize::known::specs;
use crate::span::Span;
use crate::yaml::{Node, Step};

/// Kinds whose names are fixed by what they stand for.
fn keeps_its_name(resource: &Resource) -> bool {
    let gvk = resource.original_id().gvk;
    matches!(gvk.kind.as_str(), "CustomResourceDefinition" | "Namespace")
        || gvk.kind == "APIService" && gvk.group == "apiregistration.k8s.io"
}

/// On which side of a name something is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Before it.
    Prefix,
    /// Behind it.
    Suffix,
}

/// Adds `text` to every name, and wherever else the specs say.
///
/// # Errors
/// When something other than a scalar stands where a name belongs.
pub(crate) fn add(resources: &mut [Resource], text: &Text, side: Side, specs: &[FieldSpec]) -> Result<(), RenderError> {
    for resource in resources.iter_mut().filter(|resource| !resource.is_deleted() && !keeps_its_name(resource)) {
        let original = resource.original_id().gvk;
        for spec in specs.iter().filter(|spec| spec.selects(&original)) {
            if spec.is_at(&specs::NAME) && !text.value.is_empty() {
                let affixes = if side == Side::Prefix { &mut resource.prefixes } else { &mut resource.suffixes };
                affixes.push(Arc::from(text.value.as_str()));
                resource.remember_id();
            }
            if !spec.selects(&resource.gvk()) {
                continue;
            }
            let how = Visit { create: spec.create.then_some(Leaf::Scalar), span: text.span, step: Step::Name };
            let changed = |name: &str| match side {
                Side::Prefix => format!("{}{name}", text.value),
                Side::Suffix => format!("{name}{}", text.value),
            };
            visit(&mut resource.node, &spec.path, how, &mut |node| rename(node, how, changed))?;
        }
    }
    Ok(())
}

fn rename(node: &mut Node, how: Visit, change: impl Fn(&str) -> String) -> Result<(), RenderError> {
    let Some(scalar) = node.as_scalar().map(|scalar| scalar.rewritten(&change(&scalar.text))) else {
        return Err(RenderError::at(node.origin.span, format!("expected a name, but this is {}", node.shape())));
    };
    node.replace_scalar(scalar, how.span, how.step);
    Ok(())
}

/// Changes `metadata.name` in the name of a step.
///
/// # Errors
/// When there is none, or it is no scalar.
pub(crate) fn set_name(
    resource: &mut Resource,
    span: Span,
    step: Step,
    change: impl Fn(&str) -> String,
) -> Result<(), RenderError> {
    let place = resource.node.origin.span;
    let metadata = resource.node.as_mapping_mut().and_then(|object| object.get_mut("metadata"));
    let Some(name) = metadata.and_then(Node::as_mapping_mut).and_then(|metadata| metadata.get_mut("name")) else {
        return Err(RenderError::at(place, "this object has no name"));
    };
    rename(name, Visit { create: None, span, step }, change)
}
