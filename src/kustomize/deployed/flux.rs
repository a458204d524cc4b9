//! Flux's `Kustomization` (`kustomize-controller`; what it does to a folder's kustomization: `fluxcd/pkg/kustomize`).

use super::{Deployer, Identity, Need, folder, kind_of, text};
use crate::config::Controller;
use crate::yaml::Node;

const GROUP: &str = "kustomize.toolkit.fluxcd.io";

/// Fields that change the folder's kustomization, and what they are called there.
const CHANGES: [(&str, &str); 6] = [
    ("targetNamespace", "namespace"),
    ("namePrefix", "namePrefix"),
    ("nameSuffix", "nameSuffix"),
    ("components", "components"),
    ("patches", "patches"),
    ("images", "images"),
];

/// Fields of versions that Flux does not serve any more.
const UNFOLLOWED: [&str; 2] = ["patchesStrategicMerge", "patchesJson6902"];

/// What an object deploys; `None` where it is no such object.
pub(super) fn deployer(node: &Node) -> Option<Deployer> {
    if kind_of(node) != ("Kustomization".to_owned(), GROUP.to_owned()) {
        return None;
    }
    let spec = node.get("spec")?;
    let identity = Identity::of(node)?;
    let mut deployer = identity.deployer(Controller::Flux, folder(spec.get("path")?)?);
    deployer.source = text(spec, &["sourceRef", "name"]);
    deployer.changes.take(spec, &CHANGES);
    deployer.changes.is_recursive = true;
    let post_build = spec.get("postBuild").filter(|node| super::says_something(node));
    deployer.changes.post_build = post_build.cloned();
    for field in UNFOLLOWED {
        deployer.changes.unfollowed.extend(spec.get(field).cloned().map(|node| (field, node)));
    }
    deployer.destination.extend([text(spec, &["kubeConfig", "secretRef", "name"]), text(spec, &["targetNamespace"])]);
    for need in spec.get("dependsOn").and_then(Node::as_sequence).unwrap_or_default() {
        let Some(name) = need.get("name").and_then(Node::as_text) else { continue };
        let namespace = need.get("namespace").and_then(Node::as_text).unwrap_or(&identity.namespace);
        deployer.needs.push(Need { namespace: namespace.to_owned(), name: name.to_owned(), span: need.origin.span });
    }
    Some(deployer)
}
