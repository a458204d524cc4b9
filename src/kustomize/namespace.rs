//! `namespace` (`api/filters/namespace`).

use std::sync::Arc;

use super::error::RenderError;
use super::fieldspec::{Leaf, Visit, visit};
use super::resource::Resource;
use super::specs;
use crate::span::Span;
use crate::yaml::{Node, Scalar, Step};

/// Puts every object into the namespace: namespaced kinds, `Namespace` objects themselves, and subjects of role
/// bindings that are named `default`.
///
/// # Errors
/// When an object has something else where the namespace belongs, or two objects become the same one.
pub(super) fn set(resources: &mut [Resource], namespace: &str, span: Span) -> Result<(), RenderError> {
    let how = Visit { create: Some(Leaf::Scalar), span, step: Step::Namespace };
    let metadata_namespace = ["metadata".to_owned(), "namespace".to_owned()];
    for resource in resources.iter_mut().filter(|resource| !resource.is_deleted()) {
        resource.remember_id();
        let gvk = resource.gvk();
        let mut change = |node: &mut Node| write(node, namespace, span);
        if !gvk.is_cluster_scoped() {
            visit(&mut resource.node, &metadata_namespace, how, &mut change)?;
        }
        if matches!(gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding") {
            set_default_subjects(&mut resource.node, namespace, span)?;
        }
        for spec in specs::NAMESPACE.iter().filter(|spec| spec.selects(&gvk)) {
            // Objects of other groups may be of a kind named `Namespace` too; their names are not namespaces.
            if spec.kind == "Namespace" && gvk.api_version() != "v1" {
                continue;
            }
            let how = Visit { create: spec.create.then_some(Leaf::Scalar), ..how };
            visit(&mut resource.node, &spec.path, how, &mut change)?;
        }
    }
    refuse_conflicts(resources, span)
}

fn write(node: &mut Node, namespace: &str, span: Span) -> Result<(), RenderError> {
    if node.as_scalar().is_none() {
        let message = format!("the namespace belongs here, but this is {}", node.shape());
        return Err(RenderError::at(node.origin.span, message));
    }
    if node.as_text() != Some(namespace) {
        node.replace_scalar(Scalar::string(namespace), span, Step::Namespace);
    }
    Ok(())
}

fn set_default_subjects(node: &mut Node, namespace: &str, span: Span) -> Result<(), RenderError> {
    let is_default = |subject: &Node| subject.get("name").and_then(Node::as_text) == Some("default");
    if !node.get("subjects").and_then(Node::as_sequence).is_some_and(|subjects| subjects.iter().any(is_default)) {
        return Ok(());
    }
    let subjects = node.as_mapping_mut().and_then(|object| object.get_mut("subjects")).and_then(Node::as_sequence_mut);
    let path = ["namespace".to_owned()];
    let how = Visit { create: Some(Leaf::Scalar), span, step: Step::Namespace };
    for subject in subjects.into_iter().flatten().filter(|subject| is_default(subject)) {
        visit(subject, &path, how, &mut |node| write(node, namespace, span))?;
    }
    Ok(())
}

fn refuse_conflicts(resources: &[Resource], span: Span) -> Result<(), RenderError> {
    let mut seen = std::collections::HashMap::new();
    for resource in resources.iter().filter(|resource| !resource.is_deleted()) {
        let id = resource.id();
        let key = (id.gvk.clone(), id.name.clone(), id.effective_namespace().to_owned());
        if let Some(first) = seen.insert(key, Arc::new(resource.node.origin.span)) {
            return Err(RenderError::at(span, format!("with this namespace, {id} stands twice"))
                .help("rename or remove one of the two, or keep them in overlays of their own")
                .related(*first, "the first one")
                .related(resource.node.origin.span, "the second one"));
        }
    }
    Ok(())
}
