//! `replicas` (`api/internal/builtins/ReplicaCountTransformer.go`).

use super::fieldspec::{FieldSpec, Leaf, Visit, visit};
use crate::kustomize::build::resource::Resource;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::kustomization::Replica;
use crate::yaml::Step;

/// Sets the count on every object with the name.
///
/// # Errors
/// When no object that has replicas bears the name.
pub(crate) fn set(resources: &mut [Resource], replica: &Replica, specs: &[FieldSpec]) -> Result<(), RenderError> {
    let mut found = false;
    for spec in specs {
        for resource in resources.iter_mut() {
            if !resource.any_id(|id| id.name == replica.name && spec.selects(&id.gvk)) {
                continue;
            }
            found = true;
            if !spec.selects(&resource.gvk()) {
                continue;
            }
            let how =
                Visit { create: spec.create.then_some(Leaf::Scalar), span: replica.count_span, step: Step::Replica };
            visit(&mut resource.node, &spec.path, how, &mut |node| {
                let Some(scalar) = node.as_scalar().map(|scalar| scalar.rewritten(&replica.count.to_string())) else {
                    let message = format!("expected a replica count, but this is {}", node.shape());
                    return Err(RenderError::at(node.origin.span, message));
                };
                node.replace_scalar(scalar, replica.count_span, Step::Replica);
                Ok(())
            })?;
        }
    }
    if found {
        return Ok(());
    }
    let names = resources.iter().map(Resource::name).collect::<Vec<_>>();
    let message = format!("no workload with replicas is named `{}`", replica.name);
    let error = RenderError::at(replica.name_span, message).unmatched();
    Err(match crate::kustomize::error::nearest(&replica.name, &names) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("name a Deployment, StatefulSet, ReplicaSet or ReplicationController that is built here"),
    })
}
