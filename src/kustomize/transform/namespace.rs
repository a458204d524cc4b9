//! `namespace` (`api/filters/namespace`).

use std::sync::Arc;

use super::fieldspec::{FieldSpec, Leaf, Visit, visit};
use crate::kustomize::build::resource::Resource;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::Text;
use crate::kustomize::known::specs;
use crate::span::Span;
use crate::yaml::{Node, Scalar, Step};

/// Which subjects of role bindings get the namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Subjects {
    /// Those named `default`.
    #[default]
    NamedDefault,
    /// All service accounts.
    ServiceAccounts,
    /// None.
    Untouched,
}

/// What is put where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Namespace<'a> {
    /// The namespace.
    pub name: &'a Text,
    /// Fields besides `metadata.namespace`.
    pub specs: &'a [FieldSpec],
    /// Whether a namespace that is written already stays.
    pub only_unset: bool,
    /// Which subjects of role bindings get it.
    pub subjects: Subjects,
}

/// Puts every object into the namespace.
///
/// # Errors
/// When an object has something else where the namespace belongs, or two objects become the same one.
pub(crate) fn set(resources: &mut [Resource], namespace: Namespace<'_>) -> Result<(), RenderError> {
    for resource in resources.iter_mut().filter(|resource| !resource.is_deleted() && !resource.is_of_helm()) {
        resource.remember_id();
        namespace.apply(resource)?;
    }
    refuse_conflicts(resources, namespace.name.span)
}

impl Namespace<'_> {
    /// Puts one object into the namespace.
    ///
    /// # Errors
    /// When the object has something else where the namespace belongs.
    pub(crate) fn apply(self, resource: &mut Resource) -> Result<(), RenderError> {
        let how = Visit { create: Some(Leaf::Scalar), span: self.name.span, step: Step::Namespace };
        let gvk = resource.gvk();
        let mut change = |node: &mut Node| self.write(node);
        if !resource.id().is_cluster_scoped {
            visit(&mut resource.node, &specs::NAMESPACE.map(str::to_owned), how, &mut change)?;
        }
        let is_binding = matches!(gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
        if is_binding {
            self.set_subjects(&mut resource.node)?;
        }
        for spec in self.specs.iter().filter(|spec| spec.selects(&gvk)) {
            // These are settled above; of objects named `Namespace` only Kubernetes' own are namespaces.
            let is_settled = spec.is_at(&specs::NAMESPACE)
                || spec.is_at(&specs::NAME) && gvk.api_version() != "v1"
                || is_binding && spec.is_at(&["subjects", "namespace"]) && spec.kind.kind.ends_with("RoleBinding");
            if !is_settled {
                let how = Visit { create: spec.create.then_some(Leaf::Scalar), ..how };
                visit(&mut resource.node, &spec.path, how, &mut change)?;
            }
        }
        Ok(())
    }

    fn write(self, node: &mut Node) -> Result<(), RenderError> {
        let Some(scalar) = node.as_scalar() else {
            let message = format!("expected a namespace, but this is {}", node.shape());
            return Err(RenderError::at(node.origin.span, message));
        };
        let stays = self.only_unset && !node.is_null() && !scalar.text.is_empty();
        if !stays && node.as_text() == Some(&self.name.value) {
            node.claim(self.name.span, Step::Namespace);
        } else if !stays {
            node.replace_scalar(Scalar::string(&self.name.value), self.name.span, Step::Namespace);
        }
        Ok(())
    }

    fn set_subjects(self, node: &mut Node) -> Result<(), RenderError> {
        let has = |subject: &Node, key, value| subject.get(key).and_then(Node::as_text) == Some(value);
        let gets_it = |subject: &Node| match self.subjects {
            Subjects::NamedDefault => has(subject, "name", "default"),
            Subjects::ServiceAccounts => has(subject, "kind", "ServiceAccount"),
            Subjects::Untouched => false,
        };
        if !node.get("subjects").and_then(Node::as_sequence).is_some_and(|subjects| subjects.iter().any(gets_it)) {
            return Ok(());
        }
        let subjects = node.as_mapping_mut().and_then(|object| object.get_mut("subjects"));
        let path = ["namespace".to_owned()];
        let how = Visit { create: Some(Leaf::Scalar), span: self.name.span, step: Step::Namespace };
        let subjects = subjects.and_then(Node::as_sequence_mut).into_iter().flatten();
        for subject in subjects.filter(|subject| gets_it(subject)) {
            visit(subject, &path, how, &mut |node| self.write(node))?;
        }
        Ok(())
    }
}

fn refuse_conflicts(resources: &[Resource], span: Span) -> Result<(), RenderError> {
    let mut seen = std::collections::HashMap::new();
    for resource in resources.iter().filter(|resource| !resource.is_deleted()) {
        let id = resource.id();
        let key = (id.gvk.clone(), id.name.clone(), id.effective_namespace().to_owned());
        if let Some(first) = seen.insert(key, Arc::new(resource.node.origin.span)) {
            return Err(RenderError::at(span, format!("with this namespace, {id} exists twice"))
                .help("rename or remove one of the two, or move them to separate overlays")
                .related(*first, "the first one is here")
                .related(resource.node.origin.span, "the second one is here"));
        }
    }
    Ok(())
}
