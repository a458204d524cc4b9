//! Policies that a cluster has as objects, whatever language they are in.

use std::collections::BTreeSet;

use super::admission::Admission;
use super::gatekeeper::Gatekeeper;
use super::kyverno::Kyverno;
use super::review::{PolicyObject, Review, text};
use super::team_finding::{TeamFinding, TeamRule};

/// The policies of one folder.
#[derive(Default)]
pub struct ClusterPolicies {
    off: Off,
    gatekeeper: Gatekeeper,
    admission: Admission,
    kyverno: Kyverno,
}

/// Rules that are not asked, so that it does not matter what they use.
#[derive(Default)]
pub(super) struct Off {
    ids: BTreeSet<String>,
    /// Those that are there.
    seen: BTreeSet<String>,
}

impl Off {
    #[cfg(test)]
    pub(super) fn of(id: &str) -> Self {
        Self { ids: BTreeSet::from([id.to_owned()]), seen: BTreeSet::new() }
    }

    /// Whether a rule that is there is not asked.
    pub(super) fn takes(&mut self, id: &str) -> bool {
        let is_off = self.ids.contains(id);
        if is_off {
            self.seen.insert(id.to_owned());
        }
        is_off
    }
}

impl ClusterPolicies {
    /// Policies of which the rules in `off` are not asked.
    #[must_use]
    pub fn without(off: BTreeSet<String>) -> Self {
        Self { off: Off { ids: off, seen: BTreeSet::new() }, ..Self::default() }
    }

    /// Takes up an object of the folder, if it is a policy.
    ///
    /// # Errors
    /// What is wrong with it, or why it cannot be asked.
    pub fn add(&mut self, object: &PolicyObject) -> Result<(), String> {
        let Self { off, gatekeeper, admission, kyverno } = self;
        let is_mutation = text(&object.json, "/kind").starts_with("MutatingAdmissionPolicy");
        let is_taken = is_mutation || gatekeeper.add(object, off) || admission.add(object, off)?;
        if !is_taken {
            kyverno.add(object, off)?;
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

    /// All rules but those that are off.
    pub fn rules(&self) -> impl Iterator<Item = TeamRule> {
        self.gatekeeper.rules().chain(self.admission.rules()).chain(self.kyverno.rules())
    }

    /// Whether there is a rule of this id that is off.
    #[must_use]
    pub fn has_off(&self, id: &str) -> bool {
        self.off.seen.contains(id)
    }

    /// The ids of the rules that are asked.
    pub fn ids(&self) -> impl Iterator<Item = String> {
        self.rules().filter(|rule| rule.judges).map(|rule| rule.id)
    }

    /// Whether there is nothing to ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules().next().is_none() && self.off.seen.is_empty()
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
