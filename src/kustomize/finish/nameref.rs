//! Fixes references to objects whose names have changed (`api/filters/nameref`).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::kustomize::build::id::ResourceId;
use crate::kustomize::build::resource::Resource;
use crate::kustomize::build::transformer_config::NameReferences;
use crate::kustomize::error::RenderError;
use crate::kustomize::transform::fieldspec::{FieldSpec, KindPattern, Visit, refuse_scalars, visit};
use crate::span::Span;
use crate::yaml::{Node, Scalar, Step};

/// Follows every reference to a renamed object.
///
/// # Errors
/// When a reference could mean several objects with different names.
pub(crate) fn fix(resources: &mut [Resource], references: &[NameReferences]) -> Result<(), RenderError> {
    let candidates: Vec<Candidate> =
        resources.iter().filter(|resource| !resource.is_deleted()).map(Candidate::of).collect();
    let mut renamed: HashMap<&str, Vec<&Candidate>> = HashMap::new();
    for candidate in &candidates {
        let names: BTreeSet<&str> = candidate.previous.iter().map(|id| id.name.as_str()).collect();
        for name in names {
            renamed.entry(name).or_default().push(candidate);
        }
    }
    for resource in resources.iter().filter(|resource| resource.kind() == "RoleBinding") {
        refuse_blank_namespace(&resource.node)?;
    }
    if renamed.is_empty() {
        return refuse_scalars_on_the_way(resources, references);
    }
    for resource in resources.iter_mut().filter(|resource| !resource.is_deleted()) {
        let original = resource.original_id().gvk;
        let referrer = Referrer::of(resource);
        let how = Visit { create: None, span: resource.node.origin.span, step: Step::NameReference };
        for NameReferences { referent, fields } in references {
            for field in fields.iter().filter(|field| field.selects(&original)) {
                let search =
                    Search { referrer: &referrer, referent, field, candidates: &candidates, renamed: &renamed };
                visit(&mut resource.node, &field.path, how, &mut |node| update(node, &search))?;
            }
        }
    }
    Ok(())
}

/// To kustomize a namespace that is written must be one (`api/resmap/reswrangler.go`).
fn refuse_blank_namespace(binding: &Node) -> Result<(), RenderError> {
    let is_account = |subject: &&Node| subject.get("kind").and_then(Node::as_text) == Some("ServiceAccount");
    let subjects = binding.get("subjects").and_then(Node::as_sequence).unwrap_or_default();
    for namespace in subjects.iter().filter(is_account).filter_map(|subject| subject.get("namespace")) {
        if namespace.is_null() {
            return Err(RenderError::at(namespace.origin.span, "the namespace of this subject is blank")
                .help("write the service account's namespace, or remove the line"));
        }
    }
    Ok(())
}

/// Also where nothing was renamed kustomize looks at every field that may hold a name.
fn refuse_scalars_on_the_way(resources: &[Resource], references: &[NameReferences]) -> Result<(), RenderError> {
    for resource in resources.iter().filter(|resource| !resource.is_deleted()) {
        let original = resource.original_id().gvk;
        for field in references.iter().flat_map(|references| &references.fields) {
            if field.selects(&original) {
                refuse_scalars(&resource.node, &field.path)?;
            }
        }
    }
    Ok(())
}

struct Candidate {
    id: ResourceId,
    original: ResourceId,
    previous: Vec<ResourceId>,
    prefixes: Vec<Arc<str>>,
    suffixes: Vec<Arc<str>>,
    /// What gave it its present name.
    name_span: Span,
    /// What put it into its namespace.
    namespace_span: Span,
    /// Whether that is a later step than the object itself.
    is_moved: bool,
}

impl Candidate {
    fn of(resource: &Resource) -> Self {
        let name = resource.node.find(&["metadata", "name"]);
        let namespace = resource.node.find(&["metadata", "namespace"]);
        Self {
            id: resource.id(),
            original: resource.original_id(),
            previous: resource.previous_ids().collect(),
            prefixes: resource.prefixes.clone(),
            suffixes: resource.suffixes.clone(),
            is_moved: namespace.is_some_and(|node| node.origin.step == Step::Namespace),
            name_span: name.unwrap_or(&resource.node).origin.span,
            namespace_span: namespace.or(name).unwrap_or(&resource.node).origin.span,
        }
    }

    fn was(&self, kind: &KindPattern) -> bool {
        self.previous.iter().any(|id| kind.selects(&id.gvk))
    }
}

struct Referrer {
    id: ResourceId,
    prefixes: Vec<Arc<str>>,
    suffixes: Vec<Arc<str>>,
    /// What `roleRef` names.
    role: Option<KindPattern>,
    /// Namespaces of the service accounts that a `RoleBinding` binds.
    bound_namespaces: HashSet<String>,
}

impl Referrer {
    fn of(resource: &Resource) -> Self {
        let text = |node: &Node, key: &str| node.get(key).and_then(Node::as_text).map(str::to_owned);
        let role = resource.node.get("roleRef");
        let subjects = resource.node.get("subjects").and_then(Node::as_sequence).unwrap_or_default();
        let accounts = subjects.iter().filter(|subject| text(subject, "kind").as_deref() == Some("ServiceAccount"));
        let is_binding = resource.kind() == "RoleBinding";
        Self {
            id: resource.id(),
            prefixes: resource.prefixes.clone(),
            suffixes: resource.suffixes.clone(),
            role: role.and_then(|role| {
                let (group, kind) = (text(role, "apiGroup")?, text(role, "kind")?);
                Some(KindPattern { group: group.into(), kind: kind.into(), ..KindPattern::default() })
            }),
            bound_namespaces: accounts
                .filter(|_| is_binding)
                .filter_map(|subject| text(subject, "namespace"))
                .collect(),
        }
    }

    /// Whether an object can be meant at all: same namespace, none, or that of a bound service account.
    fn may_mean(&self, candidate: &Candidate) -> bool {
        self.id.is_cluster_scoped
            || candidate.id.is_cluster_scoped
            || candidate.id.effective_namespace() == self.id.effective_namespace()
            || self.bound_namespaces.contains(&candidate.id.namespace)
    }
}

struct Search<'a> {
    referrer: &'a Referrer,
    referent: &'a KindPattern,
    field: &'a FieldSpec,
    candidates: &'a [Candidate],
    /// The candidates by their earlier names.
    renamed: &'a HashMap<&'a str, Vec<&'a Candidate>>,
}

impl<'a> Search<'a> {
    /// The object that a name means; `None` where it means nothing that is built here.
    /// Where the reference is a mapping, which names a namespace too, the namespace must be certain as well.
    fn find(
        &self,
        name: &Node,
        namespace: Option<&str>,
        is_mapping: bool,
    ) -> Result<Option<&'a Candidate>, RenderError> {
        let Some(text) = name.as_scalar().map(|scalar| &*scalar.text) else { return Ok(None) };
        let role =
            self.referrer.role.as_ref().filter(|_| self.field.path.ends_with(&["roleRef".into(), "name".into()]));
        let Some(named) = self.renamed.get(text) else { return Ok(None) };
        let mut found: Vec<&Candidate> = named
            .iter()
            .copied()
            .filter(|candidate| self.referrer.may_mean(candidate))
            .filter(|candidate| candidate.was(self.referent))
            .filter(|candidate| role.is_none_or(|role| candidate.was(role)))
            .filter(|candidate| self.in_namespace(candidate))
            .collect();
        if let Some(namespace) = namespace {
            let originally = |candidate: &&Candidate| candidate.original.effective_namespace() == namespace;
            let known = self
                .candidates
                .iter()
                .filter(|candidate| self.referrer.may_mean(candidate))
                .any(|one| originally(&one));
            found.retain(
                |candidate| {
                    if known { originally(candidate) } else { candidate.id.effective_namespace() == namespace }
                },
            );
        }
        if found.len() > 1 {
            found.retain(|candidate| self.same_affixes(candidate, true));
        }
        if found.len() > 1 {
            found.retain(|candidate| self.same_affixes(candidate, false));
        }
        let Some(first) = found.first() else { return Ok(None) };
        let same = |other: &&Candidate| {
            other.id.name == first.id.name && (!is_mapping || other.id.namespace == first.id.namespace)
        };
        if found.iter().all(same) {
            return Ok(Some(first));
        }
        let mut error =
            RenderError::at(name.origin.span, format!("`{text}` could mean any of {} objects here", found.len()))
                .help("give the objects different names, or rename them in one place");
        for candidate in found {
            error = error.related(candidate.name_span, format!("{}", candidate.id));
        }
        Err(error)
    }

    fn in_namespace(&self, candidate: &Candidate) -> bool {
        self.referrer.id.is_cluster_scoped
            || candidate.id.is_cluster_scoped
            || candidate.id.gvk.kind == "ServiceAccount"
            || candidate.id.effective_namespace() == self.referrer.id.effective_namespace()
    }

    fn same_affixes(&self, candidate: &Candidate, allow_empty: bool) -> bool {
        let same = |one: &[Arc<str>], other: &[Arc<str>]| {
            if one.is_empty() || other.is_empty() {
                return allow_empty || one.is_empty() && other.is_empty();
            }
            one.ends_with(other) || other.ends_with(one)
        };
        same(&candidate.prefixes, &self.referrer.prefixes) && same(&candidate.suffixes, &self.referrer.suffixes)
    }
}

fn update(node: &mut Node, search: &Search<'_>) -> Result<(), RenderError> {
    if let Some(scalar) = node.as_scalar() {
        if !search.renamed.contains_key(&*scalar.text) || node.is_null() {
            return Ok(());
        }
        if let Some(candidate) = search.find(node, None, false)? {
            write(node, &candidate.id.name, candidate.name_span);
        }
        return Ok(());
    }
    if node.as_sequence().is_some() {
        return node.as_sequence_mut().into_iter().flatten().try_for_each(|item| update(item, search));
    }
    let namespace = node.get("namespace").and_then(Node::as_scalar).map(|scalar| scalar.text.to_string());
    let Some(name) = node.get("name") else {
        return Err(RenderError::at(node.origin.span, "a reference to another object has no `name`"));
    };
    let Some(candidate) = search.find(name, namespace.as_deref(), true)? else { return Ok(()) };
    // Where the object is found by where it was at first, the reference goes where the object goes.
    let is_followed =
        candidate.is_moved && namespace.is_some_and(|namespace| candidate.original.effective_namespace() == namespace);
    let Some(mapping) = node.as_mapping_mut() else { return Ok(()) };
    let written = [
        ("name", &candidate.id.name, candidate.name_span),
        ("namespace", &candidate.id.namespace, candidate.namespace_span),
    ];
    for (field, value, span) in written {
        match mapping.get_mut(field) {
            _ if value.is_empty() => {}
            Some(found) if is_followed && field == "namespace" && found.as_text() == Some(value) => {
                found.claim(span, Step::NameReference);
            }
            Some(found) => write(found, value, span),
            None => mapping.set(field, Node::string(value, span, Step::NameReference)),
        }
    }
    Ok(())
}

fn write(node: &mut Node, text: &str, span: Span) {
    if node.as_text() != Some(text) {
        node.replace_scalar(Scalar::string(text), span, Step::NameReference);
    }
}

#[cfg(test)]
mod tests {
    use crate::kustomize::testing::{Row, hold};

    const ROWS: &[Row<'_>] = &[
        (
            "namePrefix: p-
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, envFrom: [{configMapRef: {name: c}}, {secretRef: {name: c}}]}
",
            "apiVersion: v1
kind: ConfigMap
metadata:
  name: p-c
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: p-d
spec:
  template:
    spec:
      containers:
      - envFrom:
        - configMapRef:
            name: p-c
        - secretRef:
            name: c
        name: a
",
        ),
        (
            "nameSuffix: -s
",
            "apiVersion: v1
kind: Service
metadata: {name: s}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i}
spec: {rules: [{http: {paths: [{backend: {service: {name: s}}}]}}]}
",
            "apiVersion: v1
kind: Service
metadata:
  name: s-s
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: i-s
spec:
  rules:
  - http:
      paths:
      - backend:
          service:
            name: s-s
",
        ),
        (
            "configMapGenerator:
- {name: g, literals: [a=b]}
",
            "apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, envFrom: [{configMapRef: {name: g}}]}
",
            "apiVersion: v1
data:
  a: b
kind: ConfigMap
metadata:
  name: g-4h2mbtbbt6
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: d
spec:
  template:
    spec:
      containers:
      - envFrom:
        - configMapRef:
            name: g-4h2mbtbbt6
        name: a
",
        ),
        (
            "namespace: ns
",
            "apiVersion: v1
kind: ServiceAccount
metadata: {name: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: b}
roleRef: {kind: Role, name: r, apiGroup: rbac.authorization.k8s.io}
subjects: [{kind: ServiceAccount, name: default, namespace: other}]
",
            "apiVersion: v1
kind: ServiceAccount
metadata:
  name: default
  namespace: ns
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: b
  namespace: ns
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: r
subjects:
- kind: ServiceAccount
  name: default
  namespace: ns
",
        ),
    ];

    #[test]
    fn references_follow_the_names_that_they_mean() {
        hold(ROWS);
    }
}
