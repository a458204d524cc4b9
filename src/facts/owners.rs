//! Who owns an overlay or a changed file, and which of the owners have approved.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::codeowners::OwnerRule;
use super::handle::{Handle, Handles};
use super::review::{Review, ReviewedRequest};
use super::{Context, FactsError};
use crate::kustomize::FILE_NAMES;
use crate::model::Case;
use crate::sources::RepoPath;
use crate::span::Span;

/// Owners and approvals.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OwnersFacts {
    /// Who owns the overlay; `null` for the change as a whole.
    pub overlay: Option<OverlayOwners>,
    /// Changed files by the CODEOWNERS line that owns them; only for the change as a whole.
    pub files: Vec<FileOwners>,
    /// Lines of CODEOWNERS that the forge passes over, as the change leaves the file; only for the change as a whole.
    pub invalid: Vec<InvalidOwners>,
}

/// A line of CODEOWNERS that does not say what was meant.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InvalidOwners {
    /// The line.
    pub at: Handle,
    /// What is wrong with it.
    pub why: String,
}

impl InvalidOwners {
    /// The lines that are wrong in the file as the change leaves it.
    #[must_use]
    pub fn of_change(context: &Context<'_>, handles: &mut Handles) -> Vec<Self> {
        let lines = context.next_owners.invalid.iter();
        lines.map(|line| Self { at: handles.place(line.span), why: line.why.clone() }).collect()
    }
}

/// Who owns an overlay.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OverlayOwners {
    /// The CODEOWNERS file; `null` where there is none.
    pub file: Option<Handle>,
    /// The line that decides; `null` where none matches.
    pub at: Option<Handle>,
    /// The owners on it.
    pub owners: Vec<String>,
    /// Whether the line matches every file.
    pub catch_all: bool,
    /// How many of its owners the line itself asks for.
    pub needed: usize,
    /// Which of the owners have approved.
    #[serde(flatten)]
    pub approvals: OwnerApprovals,
}

/// Changed files of one CODEOWNERS line.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FileOwners {
    /// The line.
    pub at: Handle,
    /// The owners on it.
    pub owners: Vec<String>,
    /// How many of them the line asks for.
    pub needed: usize,
    /// The files.
    pub paths: Vec<String>,
    /// The first changed line of the first file.
    pub changed_at: Handle,
    /// Which of the owners have approved.
    #[serde(flatten)]
    pub approvals: OwnerApprovals,
}

/// Which of some owners have approved.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OwnerApprovals {
    /// Owners who approved this head.
    pub approved_by: Vec<String>,
    /// Owners who approved an older commit only.
    pub outdated: Vec<String>,
    /// Owners who approved a change that they had a hand in.
    pub contributing: Vec<String>,
    /// Teams whose members are unknown.
    pub unknown_teams: Vec<String>,
    /// Whether members of these teams may be among those who approved, and would be enough.
    pub undecided: bool,
    /// In a merge group, the pull request of which this is said: the one that lacks most.
    pub pull_request: Option<u64>,
}

impl OwnerApprovals {
    /// Who of `owners` has approved the pull requests that touch something that `touches` accepts; of several, what is said of
    /// the one with the fewest approvals.
    pub(super) fn of(
        context: &Context<'_>,
        owners: &[String],
        needed: usize,
        touches: impl Fn(&[RepoPath]) -> bool,
    ) -> Self {
        let Some(review) = context.review else { return Self::default() };
        let said = review.requests_that(touches).into_iter().map(|one| Self::of_one(review, one, owners, needed));
        said.min_by_key(|said| (said.approved_by.len(), said.undecided)).unwrap_or_default()
    }

    /// Who of `owners` has approved one pull request.
    fn of_one(review: &Review, request: &ReviewedRequest, owners: &[String], needed: usize) -> Self {
        let unknown_teams = review.unknown_teams(owners);
        let approved_by = review.members(owners, &request.approved);
        let is_short = approved_by.len() < needed;
        Self {
            undecided: !unknown_teams.is_empty() && is_short && needed <= request.approved.len(),
            approved_by,
            outdated: review.members(owners, &request.outdated),
            contributing: review.members(owners, &request.contributing),
            unknown_teams,
            pull_request: request.number.filter(|_| review.requests().len() > 1),
        }
    }
}

/// Whether some files reach an overlay.
#[must_use]
pub fn reaches(case: &Case<'_>, files: &[RepoPath]) -> bool {
    case.scans.iter().any(|scan| scan.closure.touches(files))
}

impl OverlayOwners {
    /// Who owns the overlay of a case: whoever owns a kustomization in its folder.
    #[must_use]
    pub fn of(context: &Context<'_>, case: &Case<'_>, handles: &mut Handles) -> Self {
        let rule = owner_rule(context, case);
        let owners = rule.map(|rule| rule.owners.clone()).unwrap_or_default();
        let needed = rule.map_or(0, |rule| rule.needed);
        let must_approve = needed.max(context.config.environments[case.overlay.environment].approvals);
        Self {
            file: context.owners.file.map(|span| handles.place(span)),
            at: rule.map(|rule| handles.place(rule.span)),
            catch_all: rule.is_some_and(OwnerRule::is_catch_all),
            needed,
            approvals: OwnerApprovals::of(context, &owners, must_approve, |files| reaches(case, files)),
            owners,
        }
    }
}

/// The CODEOWNERS line whose owners must approve for the environment of an affected case.
#[must_use]
pub fn line_of_environment(context: &Context<'_>, case: &Case<'_>) -> Option<Span> {
    let environment = &context.config.environments[case.overlay.environment];
    let must_approve = case.is_affected && environment.approvals > 0;
    owner_rule(context, case).filter(|_| must_approve).map(|rule| rule.span)
}

fn owner_rule<'a>(context: &Context<'a>, case: &Case<'_>) -> Option<&'a OwnerRule> {
    context.owners.of(&case.overlay.path.child(FILE_NAMES[0]))
}

impl FileOwners {
    /// Changed files by the line that owns them, without the lines of `asked`, whose owners must approve for an
    /// environment already.
    ///
    /// # Errors
    /// When a side cannot be read.
    pub fn of_change(
        context: &Context<'_>,
        asked: &BTreeSet<Span>,
        handles: &mut Handles,
    ) -> Result<Vec<Self>, FactsError> {
        let mut by_line: BTreeMap<Span, (&OwnerRule, Vec<&RepoPath>)> = BTreeMap::new();
        for path in &context.change.files {
            for rule in context.owners.all_of(path) {
                if rule.needed > 0 && !asked.contains(&rule.span) {
                    by_line.entry(rule.span).or_insert_with(|| (rule, Vec::new())).1.push(path);
                }
            }
        }
        let mut files = Vec::new();
        for (line, (rule, paths)) in by_line {
            let OwnerRule { owners, needed, .. } = rule;
            // In a merge group each pull request needs approvals for what it changes itself.
            let group = context.review.filter(|review| review.requests().len() > 1);
            let Some(review) = group else {
                let approvals = OwnerApprovals::of(context, owners, *needed, |_| true);
                files.push(Self::of_line(context, (line, rule), &paths, approvals, handles)?);
                continue;
            };
            // What none of them is known to change may be of any.
            let names = |request: &ReviewedRequest, path: &RepoPath| {
                request.files.as_ref().is_some_and(|files| files.contains(path))
            };
            let is_named = |path: &RepoPath| review.requests().iter().any(|request| names(request, path));
            for request in review.requests() {
                let is_its = |path: &&&RepoPath| request.files.is_none() || names(request, path) || !is_named(path);
                let own: Vec<&RepoPath> = paths.iter().filter(is_its).copied().collect();
                if !own.is_empty() {
                    let approvals = OwnerApprovals::of_one(review, request, owners, *needed);
                    files.push(Self::of_line(context, (line, rule), &own, approvals, handles)?);
                }
            }
        }
        Ok(files)
    }

    fn of_line(
        context: &Context<'_>,
        (line, rule): (Span, &OwnerRule),
        paths: &[&RepoPath],
        approvals: OwnerApprovals,
        handles: &mut Handles,
    ) -> Result<Self, FactsError> {
        let mut changed = None;
        for path in paths {
            changed = context.changed_line(path)?;
            if changed.is_some() {
                break;
            }
        }
        Ok(Self {
            at: handles.place(line),
            // A file that is not text has no line; the line that owns it stands for it.
            changed_at: handles.place(changed.unwrap_or(line)),
            owners: rule.owners.clone(),
            needed: rule.needed,
            approvals,
            paths: paths.iter().map(ToString::to_string).collect(),
        })
    }
}
