use std::fmt;

use crate::kustomize::known::kinds;
use crate::yaml::Node;

/// Group, version and kind of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gvk {
    /// The API group; empty for the core group.
    pub group: String,
    /// The API version.
    pub version: String,
    /// The kind.
    pub kind: String,
}

/// Identifies an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// Group, version and kind.
    pub gvk: Gvk,
    /// The name.
    pub name: String,
    /// The namespace; empty where none is written.
    pub namespace: String,
    /// Whether the kind is known to stand outside of namespaces.
    pub is_cluster_scoped: bool,
}

/// What kustomize puts in the place of a namespace for kinds that have none.
const NO_NAMESPACE: &str = "_non_namespaceable_";

impl Gvk {
    /// What an object says it is.
    #[must_use]
    pub fn of(node: &Node) -> Self {
        let text = |key| node.get(key).and_then(Node::as_scalar).map_or("", |scalar| &scalar.text);
        Self::new(text("apiVersion"), text("kind"))
    }

    /// Splits an `apiVersion`.
    #[must_use]
    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
    }

    /// The `apiVersion` that this is written as.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether the kind is known to stand outside of namespaces.
    #[must_use]
    pub fn is_cluster_scoped(&self) -> bool {
        kinds::is_cluster_scoped(&self.group, &self.version, &self.kind)
    }
}

impl ResourceId {
    /// The namespace as kustomize compares it: `default` where none is written.
    #[must_use]
    pub fn effective_namespace(&self) -> &str {
        if self.is_cluster_scoped {
            NO_NAMESPACE
        } else if self.namespace.is_empty() {
            "default"
        } else {
            &self.namespace
        }
    }

    /// Whether both name the same object.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.name == other.name && self.gvk == other.gvk && self.effective_namespace() == other.effective_namespace()
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} `{}`", self.gvk.kind, self.name)?;
        if !self.namespace.is_empty() {
            write!(out, " in namespace `{}`", self.namespace)?;
        }
        Ok(())
    }
}
