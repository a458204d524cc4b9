//! Which findings a waiver of the trusted side covers.

use std::collections::BTreeSet;

use super::judgement::Judge;
use super::{Outcome, Reached};
use crate::facts::Seen;
use crate::finding::{Finding, Severity, Waived};
use crate::policy::Scope;
use crate::span::Span;

/// Marks the findings that a waiver covers; says which waivers do, by position. What could not be decided stays undecided.
pub(super) fn waive(judge: &Judge<'_>, findings: &mut [Finding]) -> BTreeSet<usize> {
    let clock = &judge.context.clock;
    let mut used = BTreeSet::new();
    for finding in findings.iter_mut().filter(|finding| finding.severity == Severity::Error && !finding.undecided) {
        for (at, waiver) in judge.trusted.config.waivers.iter().enumerate() {
            if !waiver.covers(finding) {
                continue;
            }
            used.insert(at);
            if waiver.expires > clock.now {
                clock.changes_at(waiver.expires);
                finding.waived.get_or_insert(Waived {
                    reason: waiver.reason.clone(),
                    approved_by: waiver.approved_by.clone(),
                    expires: waiver.expires,
                    span: waiver.span,
                });
            }
        }
    }
    used
}

/// What the overlays have told, for the change as a whole.
pub(super) fn seen(
    judge: &Judge<'_>,
    reached: &Reached<'_>,
    judged: &[Outcome<'_>],
    findings: &[Finding],
    used_waivers: BTreeSet<usize>,
) -> Seen {
    let (config, request) = (&judge.trusted.config, judge.request);
    let is_whole = request.environment.is_none() && request.app.is_none() && request.rule.is_none();
    let paths: BTreeSet<_> = judged.iter().map(|outcome| &outcome.overlay.path).collect();
    let is_overlay_rule = |id: &str| {
        let rule = judge.trusted.set.rules.iter().find(|rule| rule.id == id);
        rule.is_some_and(|rule| rule.metadata.custom.scope == [Scope::Overlay])
    };
    let is_judged = |waiver: &crate::config::Waiver| {
        let mut overlays = reached
            .overlays
            .head
            .all
            .iter()
            .filter(|overlay| waiver.is_about(&overlay.app, &config.environments[overlay.environment].name));
        is_whole
            && request.shard.count == 1
            && is_overlay_rule(&waiver.rule)
            && overlays.all(|it| paths.contains(&it.path))
    };
    let waivers = config.waivers.iter().enumerate();
    Seen {
        asked_lines: asked_lines(judge, judged, findings),
        used_waivers,
        judged_waivers: waivers.filter(|(_, waiver)| is_judged(waiver)).map(|(at, _)| at).collect(),
    }
}

/// The CODEOWNERS lines whose owners must approve for an environment, so that they need not be asked for its files once more: only
/// where that closes the gate, and not in a merge group, in which each pull request stands for itself.
fn asked_lines(judge: &Judge<'_>, judged: &[Outcome<'_>], findings: &[Finding]) -> BTreeSet<Span> {
    const RULE: &str = "owners/unapproved";
    let Judge { trusted, .. } = judge;
    if trusted.review.as_ref().is_none_or(|review| review.requests().len() > 1) {
        return BTreeSet::new();
    }
    let Some(rule) = trusted.set.rules.iter().find(|rule| rule.id == RULE) else { return BTreeSet::new() };
    let closes = |outcome: &&Outcome<'_>| {
        let environment = &trusted.config.environments[outcome.overlay.environment];
        let is_error = trusted.settings.severity(rule, &trusted.config, Some(environment)) == Severity::Error;
        let mut own = findings.iter().filter(|finding| {
            let is_of = finding.place.as_ref().is_some_and(|place| place.overlay == outcome.overlay.path.to_string());
            finding.rule == RULE && is_of
        });
        is_error && own.all(Finding::closes)
    };
    judged.iter().filter(closes).filter_map(|outcome| outcome.asked_line).collect()
}
