//! `labels`, `commonLabels` and `commonAnnotations` (`api/filters/labels`, `api/filters/annotations`).

use super::fieldspec::{FieldSpec, Leaf, Visit, visit};
use crate::kustomize::build::resource::Resource;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::Pair;
use crate::yaml::{Key, Node, Step, Value};

/// Sets every pair in every field that the specs name. The places to which a key is added hold one and the same value
/// from then on: who changes one of them later changes all.
///
/// # Errors
/// When something other than a mapping stands where labels belong.
pub(crate) fn set(
    resources: &mut [Resource],
    pairs: &[Pair],
    specs: &[FieldSpec],
    step: Step,
) -> Result<(), RenderError> {
    for resource in resources.iter_mut().filter(|resource| !resource.is_deleted()) {
        let gvk = resource.gvk();
        for pair in pairs {
            let shared = resource.next_shared();
            let mut added = 0;
            for spec in specs.iter().filter(|spec| spec.selects(&gvk)) {
                let how = Visit { create: spec.create.then_some(Leaf::Mapping), span: pair.span, step };
                visit(&mut resource.node, &spec.path, how, &mut |node| write(node, pair, step, shared, &mut added))?;
            }
            if added > 0 {
                resource.share(Node::string(&pair.value, pair.span, step));
            }
        }
        resource.propagate_shared();
    }
    Ok(())
}

fn write(node: &mut Node, pair: &Pair, step: Step, shared: u16, added: &mut usize) -> Result<(), RenderError> {
    let (span, shape) = (node.origin.span, node.shape());
    if node.is_null() {
        // kustomize hangs the entry below the scalar, where nobody finds it.
        return Ok(());
    }
    let Some(mapping) = node.as_mapping_mut() else {
        let message = format!("cannot set `{}` here: this is {shape}", pair.key);
        return Err(RenderError::at(span, message).help("labels, selectors and annotations must be mappings"));
    };
    let mut value = Node::string(&pair.value, pair.span, step);
    if let Some(found) = mapping.get_mut(&pair.key) {
        if let (Value::Scalar(new), Some(old)) = (&mut value.value, found.as_scalar()) {
            new.plain = old.plain;
        }
        value.remember(found.clone());
        *found = value;
    } else {
        *added += 1;
        value.origin.shared = shared;
        mapping.push(Key::plain(&pair.key, pair.span), value);
    }
    Ok(())
}
