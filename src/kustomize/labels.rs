//! `labels`, `commonLabels` and `commonAnnotations` (`api/filters/labels`, `api/filters/annotations`).

use super::error::RenderError;
use super::fields::Pair;
use super::fieldspec::{FieldSpec, Leaf, Visit, visit};
use super::resource::Resource;
use crate::yaml::{Node, Step};

/// Sets every pair in every field that the specs name.
///
/// # Errors
/// When something other than a mapping stands where labels belong.
pub(super) fn set(
    resources: &mut [Resource],
    pairs: &[Pair],
    specs: &[FieldSpec],
    step: Step,
) -> Result<(), RenderError> {
    for resource in resources.iter_mut().filter(|resource| !resource.is_deleted()) {
        let gvk = resource.gvk();
        for spec in specs.iter().filter(|spec| spec.selects(&gvk)) {
            for pair in pairs {
                let how = Visit { create: spec.create.then_some(Leaf::Mapping), span: pair.span, step };
                visit(&mut resource.node, &spec.path, how, &mut |node| write(node, pair, step))?;
            }
        }
    }
    Ok(())
}

fn write(node: &mut Node, pair: &Pair, step: Step) -> Result<(), RenderError> {
    let (span, shape) = (node.origin.span, node.shape());
    let Some(mapping) = node.as_mapping_mut() else {
        let message = format!("`{}` is to be set here, but this is {shape}", pair.key);
        return Err(RenderError::at(span, message).help("labels, selectors and annotations are mappings"));
    };
    let mut value = Node::string(&pair.value, pair.span, step);
    if let Some(before) = mapping.get(&pair.key) {
        value.remember(before.clone());
    }
    mapping.set(&pair.key, value);
    Ok(())
}
