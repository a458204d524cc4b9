//! The built-in rules, embedded from one sorted list.

use std::sync::LazyLock;

use super::metadata::Metadata;

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its id, such as `image/unpinned`.
    pub id: &'static str,
    /// Its Rego text.
    pub policy: &'static str,
    /// A case that the tests run: a change that it finds something in, and the same after its help was followed. Empty where a repository
    /// has the rule.
    pub example: &'static str,
    /// The file of a repository that it is in; `None` for a built-in one.
    pub file: Option<&'static str>,
    /// What it says about itself.
    pub metadata: Metadata,
}

impl Rule {
    /// Where it is written, as errors name it.
    #[must_use]
    pub fn path(&self) -> String {
        self.file.map_or_else(|| format!("{}.rego", self.id), str::to_owned)
    }

    /// The path of the rule's findings in Rego.
    #[must_use]
    pub fn deny_path(&self) -> String {
        format!("data.tollgate.{}.deny", self.id.replace('/', "."))
    }
}

macro_rules! catalog {
    ($($id:literal,)*) => {
        const POLICIES: &[(&str, &str, &str)] = &[$((
            $id,
            include_str!(concat!("../../policies/", $id, ".rego")),
            include_str!(concat!("../../testdata/", $id, "/example.txt")),
        ),)*];
    };
}

catalog! {
    "config/missing",
    "config/missing_variable",
    "config/unknown_app",
    "drift/unexplained",
    "evidence/unscanned",
    "freeze/active",
    "gate/tampered",
    "image/unpinned",
    "layout/shared_path",
    "layout/unrecognised",
    "owners/bot_write",
    "owners/invalid",
    "owners/unapproved",
    "owners/unowned",
    "promotion/automated",
    "promotion/planted",
    "promotion/pulled_back",
    "promotion/short_soak",
    "promotion/unproven",
    "promotion/untested_set",
    "promotion/wrong_order",
    "render/failed",
    "render/incomplete",
    "render/unmatched",
    "resources/missing_limits",
    "resources/removed_limits",
    "schema/invalid",
    "schema/removed_version",
    "secret/missing",
    "source/unpinned",
    "status/stale",
    "waiver/expired",
    "waiver/unused",
}

/// Rego that rules share.
pub(super) const LIBRARIES: &[(&str, &str)] = &[
    ("lib/combinations", include_str!("../../policies/lib/combinations.rego")),
    ("lib/references", include_str!("../../policies/lib/references.rego")),
    ("lib/resources", include_str!("../../policies/lib/resources.rego")),
];

static CATALOG: LazyLock<Result<Vec<Rule>, String>> = LazyLock::new(|| {
    let rule = |(id, policy, example): &(&'static str, &'static str, &'static str)| {
        let metadata = Metadata::read(policy).map_err(|why| format!("policies/{id}.rego: {why}"))?;
        Ok(Rule { id, policy, example, file: None, metadata })
    };
    POLICIES.iter().map(rule).collect()
});

/// Every rule, by id.
///
/// # Errors
/// When a rule's metadata is broken, which is a mistake in this program.
pub fn catalog() -> Result<&'static [Rule], String> {
    CATALOG.as_ref().map(Vec::as_slice).map_err(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_every_file_is_on_it() {
        let rules = catalog().unwrap();
        assert!(rules.is_sorted_by_key(|rule| rule.id));
        for rule in rules {
            let package = format!("package tollgate.{}\n", rule.id.replace('/', "."));
            assert!(rule.policy.contains(&package), "{}", rule.id);
        }
    }
}
