//! Asks the rules about one document, and turns what they hand back into findings.

use std::collections::{BTreeSet, HashSet};

use super::teams::Asked;
use super::trusted::Trusted;
use super::{GateError, Request};
use crate::config::{Environment, parse_duration};
use crate::facts::promotions::{Promotion, Tier};
use crate::facts::scans;
use crate::facts::{Context, Facts, Handles, Need, Seen, StateInput, Target, elsewhere};
use crate::finding::{Finding, Label, Place, Severity};
use crate::model::{Case, RenderedOverlay};
use crate::policy::{Engine, Places, Rule, RuleFinding, RuleInput, RuleSet, Scope};
use crate::report::check::{Entering, Proof};
use crate::sided::Sided;
use crate::words::{self, count};

/// How many findings of one rule about one overlay are told. Nobody reads more, and what makes them may be hostile.
const MOST_FINDINGS: usize = 200;

/// Judges cases, and the change as a whole.
pub(super) struct Judge<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) trusted: &'a Trusted,
    pub(super) context: &'a Context<'a>,
    pub(super) engine: Engine,
}

/// A document and the places of its handles.
pub(super) struct Document {
    pub(super) input: RuleInput,
    handles: Handles,
}

impl<'a> Judge<'a> {
    /// What the rules find in a case, and what enters its environment. What the base has already is marked.
    pub(super) fn judge(&self, case: &Case<'_>) -> Result<(Vec<Finding>, Vec<Entering>), GateError> {
        let rules = self.rules_for(Scope::Overlay, Some(self.environment(case)));
        let document = self.document(case)?;
        let mut findings = self.ask(&rules, &document, Some(case))?;
        findings.extend(self.ask_teams(case, &case.rendered.head, Some(&case.rendered.base))?);
        let entering = self.entering(case, &document.input);
        for finding in &mut findings {
            finding.is_strict = self.trusted.settings.is_strict(&finding.rule);
        }
        if findings.is_empty() || !case.rendered.base.exists {
            return Ok((findings, entering));
        }
        // What does not render hides what it would run: a change to it is never what the base has already.
        if case.rendered.head.error.is_some() && case.is_affected {
            return Ok((findings, entering));
        }
        let mut in_base = self.ask(&rules, &self.document_of_base(case)?, Some(case))?;
        in_base.extend(self.ask_teams(case, &case.rendered.base, None)?);
        let known: HashSet<_> = in_base.iter().map(Finding::identity).collect();
        for finding in &mut findings {
            finding.existing |= known.contains(&finding.identity());
        }
        Ok((findings, entering))
    }

    /// What enters an environment, and what speaks for it, as the rules have seen it.
    fn entering(&self, case: &Case<'_>, input: &RuleInput) -> Vec<Entering> {
        let environment = self.environment(case);
        let owners = input.facts.owners.overlay.as_ref().filter(|_| self.trusted.review.is_some());
        let approvals =
            owners.map(|owners| (environment.approvals.max(owners.needed), owners.approvals.approved_by.clone()));
        let proofs = |promotion: &Promotion| {
            let longest = |tier: &Tier| {
                let stay = tier.stays.iter().max_by_key(|stay| stay.seconds)?;
                let (since, lasted, commit) = (stay.from.clone(), stay.lasted.clone(), stay.commit.clone());
                Some(Proof { environment: tier.environment.clone(), since, lasted, commit })
            };
            promotion.below.iter().filter_map(longest).collect()
        };
        let promotions = input.facts.promotions.iter().map(|promotion| Entering {
            app: case.overlay.app.clone(),
            environment: environment.name.clone(),
            overlay: case.overlay.path.to_string(),
            kind: promotion.content,
            reference: promotion.reference.clone(),
            proofs: proofs(promotion),
            is_back: !promotion.here.is_empty(),
            soak: environment.soak.map(words::duration),
            approvals: approvals.clone().filter(|(needed, _)| *needed > 0),
            freezes: input.facts.freezes.iter().map(|freeze| freeze.name.clone()).collect(),
        });
        promotions.collect()
    }

    /// What the rules find in the change as a whole. `seen` is what the overlays have told.
    pub(super) fn judge_change(&self, seen: &Seen) -> Result<Vec<Finding>, GateError> {
        self.ask(&self.rules_for(Scope::Change, None), &self.document_of_change(seen)?, None)
    }

    /// The rules that have a say about an environment, or about the change as a whole.
    pub(super) fn rules_for(&self, scope: Scope, environment: Option<&Environment>) -> Vec<(&'static Rule, Severity)> {
        let Trusted { set: RuleSet { rules, .. }, settings, config, .. } = self.trusted;
        let is_asked = |rule: &&Rule| {
            self.request.rule.is_none_or(|only| only == rule.id)
                && rule.metadata.custom.scope.contains(&scope)
                && self.trusted.has_facts_for(rule)
        };
        let weighed = rules.iter().filter(is_asked).map(|rule| (rule, settings.severity(rule, config, environment)));
        weighed.filter(|(_, severity)| *severity != Severity::Off).collect()
    }

    /// The facts that these rules cannot do without.
    fn needs(&self, scope: Scope, environment: Option<&Environment>) -> BTreeSet<Need> {
        let rules = self.rules_for(scope, environment);
        rules.iter().flat_map(|(rule, _)| &rule.metadata.custom.needs).copied().collect()
    }

    fn environment(&self, case: &Case<'_>) -> &'a Environment {
        &self.trusted.config.environments[case.overlay.environment]
    }

    /// The document of a case: before and after.
    pub(super) fn document(&self, case: &Case<'_>) -> Result<Document, GateError> {
        let context = self.context;
        let mut handles = Handles::default();
        let own = handles.place(context.own_line(case)?);
        let changed = if case.is_affected { context.first_change(case)? } else { None };
        let changed = changed.map_or(own, |span| handles.place(span));
        let Sided { base, head } = &case.rendered;
        let mut head = StateInput::of(head, &mut handles, own);
        elsewhere::add(context, case, &mut head, &mut handles);
        let base = StateInput::of(base, &mut handles, own);
        let needs = self.needs(Scope::Overlay, Some(self.environment(case)));
        let parameter = |name: &str| {
            let parameters = self.trusted.settings.parameters.get("evidence/unscanned");
            parameters.and_then(|own| own.get(name)?.as_str()).unwrap_or_default()
        };
        let asked = scans::Asked { key: parameter("key"), oldest: parse_duration(parameter("maxAge")) };
        let facts = Facts::of_case(context, case, own, &needs, asked, &mut handles)?;
        let places = Places { own, changed, is_affected: case.is_affected };
        let parameters = &self.trusted.settings.parameters;
        let input = RuleInput::of_case(context, parameters, case, &places, Sided { base, head }, facts);
        Ok(Document { input, handles })
    }

    /// The document of the base against itself, to know what it has already.
    fn document_of_base(&self, case: &Case<'_>) -> Result<Document, GateError> {
        let context = self.context;
        let mut handles = Handles::default();
        let own = handles.place(context.own_line_in_base(case)?);
        let mut state = StateInput::of(&case.rendered.base, &mut handles, own);
        elsewhere::add(context, case, &mut state, &mut handles);
        let needs = self.needs(Scope::Overlay, Some(self.environment(case)));
        let facts = Facts::of_base(context, case, own, &needs, &mut handles)?;
        let places = Places { own, changed: own, is_affected: false };
        let parameters = &self.trusted.settings.parameters;
        let states = Sided { base: state.clone(), head: state };
        Ok(Document { input: RuleInput::of_case(context, parameters, case, &places, states, facts), handles })
    }

    /// The document of the change as a whole.
    pub(super) fn document_of_change(&self, seen: &Seen) -> Result<Document, GateError> {
        let mut handles = Handles::default();
        let needs = self.needs(Scope::Change, None);
        let facts = Facts::of_change(self.context, seen, &needs, &mut handles)?;
        let changed = match self.context.change.files.first() {
            Some(path) => self.context.changed_line(path)?,
            None => None,
        };
        let changed = changed.map(|span| handles.place(span));
        let input = RuleInput::of_change(self.context, &self.trusted.settings.parameters, changed, facts);
        Ok(Document { input, handles })
    }

    /// What the repository's own policies find in one side of a case.
    fn ask_teams(
        &self,
        case: &Case<'_>,
        side: &RenderedOverlay,
        before: Option<&RenderedOverlay>,
    ) -> Result<Vec<Finding>, GateError> {
        let place = self.place(case);
        let own = self.context.own_line(case)?;
        let asked = Asked { place: &place, own, files: self.context.files };
        let mut findings = self.trusted.teams.judge(side, before, &asked, self.request.rule)?;
        findings.retain_mut(|finding| {
            let configured = self.trusted.settings.configured(&finding.rule, Some(&place.environment));
            finding.severity = configured.unwrap_or(finding.severity);
            finding.severity != Severity::Off
        });
        Ok(findings)
    }

    fn place(&self, case: &Case<'_>) -> Place {
        Place {
            app: case.overlay.app.clone(),
            environment: self.environment(case).name.clone(),
            overlay: case.overlay.path.to_string(),
        }
    }

    fn ask(
        &self,
        rules: &[(&'static Rule, Severity)],
        document: &Document,
        case: Option<&Case<'_>>,
    ) -> Result<Vec<Finding>, GateError> {
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let mut evaluation = self.engine.load(&document.input)?;
        let place = case.map(|case| self.place(case));
        let mut findings = Vec::new();
        for (rule, severity) in rules {
            let found = evaluation.run(rule)?;
            let more = found.len().saturating_sub(MOST_FINDINGS);
            for found in found.into_iter().take(MOST_FINDINGS) {
                findings.push(finding(rule, *severity, found, &document.handles, place.clone())?);
            }
            if let Some(last) = findings.last_mut().filter(|_| more > 0) {
                last.notes.push(format!("{} of this rule here are not listed", count(more, "more finding")));
            }
        }
        Ok(findings)
    }
}

fn finding(
    rule: &Rule,
    severity: Severity,
    found: RuleFinding,
    handles: &Handles,
    place: Option<Place>,
) -> Result<Finding, GateError> {
    let resolve = |handle: usize| -> Result<&Target, GateError> {
        handles.get(handle).ok_or(GateError::Handle { rule: rule.id.to_owned(), handle })
    };
    let target = resolve(found.at)?;
    let mut related = Vec::new();
    for place in &found.related {
        related.push(Label { span: resolve(place.at)?.span, text: place.message.clone() });
    }
    related.extend(target.history.iter().cloned());
    related.retain(|label| label.span != target.span);
    Ok(Finding {
        rule: rule.id.to_owned(),
        severity: found.severity.map_or(severity, |own| own.min(severity)),
        message: found.message,
        primary: Label { span: target.span, text: found.label.unwrap_or_default() },
        related,
        notes: found.notes,
        help: Some(found.help.unwrap_or_else(|| rule.metadata.custom.help.clone())),
        place,
        object: target.object.clone(),
        path: target.path.clone(),
        subject: found.subject,
        existing: found.existing,
        is_strict: false,
        waived: None,
        undecided: found.undecided,
    })
}
