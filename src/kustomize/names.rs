//! `namePrefix` and `nameSuffix` (`api/internal/builtins/PrefixTransformer.go`).

use std::sync::Arc;

use super::error::RenderError;
use super::resource::Resource;
use crate::span::Span;
use crate::yaml::{Node, Scalar, Step};

/// Kinds whose names are fixed by what they stand for.
fn keeps_its_name(resource: &Resource) -> bool {
    let gvk = resource.original_id().gvk;
    matches!(gvk.kind.as_str(), "CustomResourceDefinition" | "Namespace")
        || gvk.kind == "APIService" && gvk.group == "apiregistration.k8s.io"
}

/// Puts `prefix` before every name.
///
/// # Errors
/// When an object's name is not a scalar.
pub(super) fn add_prefix(resources: &mut [Resource], prefix: &str, span: Span) -> Result<(), RenderError> {
    for resource in resources.iter_mut().filter(|resource| !keeps_its_name(resource)) {
        resource.prefixes.push(Arc::from(prefix));
        rename(resource, span, |name| format!("{prefix}{name}"))?;
    }
    Ok(())
}

/// Puts `suffix` behind every name.
///
/// # Errors
/// When an object's name is not a scalar.
pub(super) fn add_suffix(resources: &mut [Resource], suffix: &str, span: Span) -> Result<(), RenderError> {
    for resource in resources.iter_mut().filter(|resource| !keeps_its_name(resource)) {
        resource.suffixes.push(Arc::from(suffix));
        rename(resource, span, |name| format!("{name}{suffix}"))?;
    }
    Ok(())
}

fn rename(resource: &mut Resource, span: Span, change: impl Fn(&str) -> String) -> Result<(), RenderError> {
    resource.remember_id();
    set_name(resource, span, Step::Name, change)
}

/// Changes `metadata.name` in the name of a step.
pub(super) fn set_name(
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
    let Some(text) = name.as_scalar().map(|scalar| change(&scalar.text)) else {
        return Err(RenderError::at(name.origin.span, format!("a name belongs here, but this is {}", name.shape())));
    };
    name.replace_scalar(Scalar::string(&text), span, step);
    Ok(())
}
