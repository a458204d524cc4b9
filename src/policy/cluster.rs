//! Policies that a cluster has as objects, whatever language they are in.

use super::admission::Admission;
use super::gatekeeper::Gatekeeper;
use super::review::{PolicyObject, Review, text};
use super::team_finding::TeamFinding;

/// The policies of one folder.
#[derive(Default)]
pub struct ClusterPolicies {
    gatekeeper: Gatekeeper,
    admission: Admission,
}

/// The API groups of objects that are policies of other kinds.
const OTHERS: [(&str, &str); 3] =
    [("policies.kyverno.io/", ""), ("kyverno.io/", ""), ("admissionregistration.k8s.io/", "MutatingAdmissionPolicy")];

impl ClusterPolicies {
    /// Takes up an object of the folder, if it is a policy.
    ///
    /// # Errors
    /// What is wrong with it, or why it cannot be asked.
    pub fn add(&mut self, object: &PolicyObject) -> Result<(), String> {
        if self.gatekeeper.add(object)? || self.admission.add(object)? {
            return Ok(());
        }
        let (api_version, kind) = (text(&object.json, "/apiVersion"), text(&object.json, "/kind"));
        let is_other = |(group, prefix): &(&str, &str)| api_version.starts_with(group) && kind.starts_with(prefix);
        if OTHERS.iter().any(is_other) {
            let PolicyObject { path, line, .. } = object;
            return Err(format!("{path}:{line}: policies of the kind `{kind}` ({api_version}) are not evaluated"));
        }
        Ok(())
    }

    /// Says what is missing.
    ///
    /// # Errors
    /// When a part of the policies refers to one that is not there.
    pub fn complete(&self) -> Result<(), String> {
        self.gatekeeper.complete()?;
        self.admission.complete()
    }

    /// The ids of all rules.
    pub fn ids(&self) -> impl Iterator<Item = String> {
        self.gatekeeper.ids().chain(self.admission.ids())
    }

    /// Whether there is nothing to ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids().next().is_none()
    }

    /// What the policies find in an object.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn judge(&self, review: &Review<'_>) -> Result<Vec<TeamFinding>, String> {
        let mut found = self.gatekeeper.judge(review)?;
        found.extend(self.admission.judge(review)?);
        Ok(found)
    }
}
