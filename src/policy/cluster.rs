//! Policies that a cluster has as objects, whatever language they are in.

use super::admission::Admission;
use super::gatekeeper::Gatekeeper;
use super::kyverno::Kyverno;
use super::review::{PolicyObject, Review, text};
use super::team_finding::TeamFinding;

/// The policies of one folder.
#[derive(Default)]
pub struct ClusterPolicies {
    gatekeeper: Gatekeeper,
    admission: Admission,
    kyverno: Kyverno,
}

impl ClusterPolicies {
    /// Takes up an object of the folder, if it is a policy.
    ///
    /// # Errors
    /// What is wrong with it, or why it cannot be asked.
    pub fn add(&mut self, object: &PolicyObject) -> Result<(), String> {
        let is_mutation = text(&object.json, "/kind").starts_with("MutatingAdmissionPolicy");
        let _ =
            is_mutation || self.gatekeeper.add(object)? || self.admission.add(object)? || self.kyverno.add(object)?;
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
        self.gatekeeper.ids().chain(self.admission.ids()).chain(self.kyverno.ids())
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
        found.extend(self.kyverno.judge(review)?);
        Ok(found)
    }
}
