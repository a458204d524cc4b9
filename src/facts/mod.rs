//! What a rule is told besides renderings, one file a fact; and what facts are made from.
//!
//! Facts: [`promotions`], [`combinations`], [`versions`], [`freezes`], [`owners`], and [`state`], which describes a
//! rendering. They are made from the base branch's history ([`look_back`] as far as one question needs, [`live`] for all of
//! it), CODEOWNERS, review facts, controllers in the repository and their reports. [`context`] holds what they share.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use change::{Change, first_changed_line, is_one_of};
pub use codeowners::{CODEOWNERS_PLACES, Codeowners, OwnerRule, is_owners_file};
pub use context::{Clock, Context, ReadOnDemand};
pub use error::FactsError;
pub use handle::{Handle, Handles, Target};
pub use live::{Gap, HistorySource, ImageStay, Live, LiveHistory};
pub use look_back::{Depth, HistoryError, LandingTimes, LookBack, Stay};
pub use promotions::environments_below;
pub use reports::{Applied, Deployed, ReportError, deployed, read_applied};
pub use state::StateInput;
pub use versions::{Versions, VersionsFile, WrittenVersion, WrittenVersions, versions};

use crate::model::Case;
use crate::span::Span;
use automations::Automation;
use combinations::Combination;
use drift::Drift;
use freezes::ActiveFreeze;
use guards::Guard;
use order::OrderFault;
use owners::{FileOwners, InvalidOwners, OverlayOwners, OwnersFacts};
use planted::Planted;
use promotions::Promotion;
use removed_apis::RemovedApiInput;
use scans::{Asked, Scanned};
use schemas::{SchemaFault, Side};
use shared_paths::SharedPath;
use unjudged::UnjudgedFolder;
use unknown_apps::UnknownApp;
use unmatched::Unmatched;
use variables::MissingVariable;
use versions::VersionsFacts;
use waivers::WaiverFacts;

pub mod automations;
mod change;
mod codeowners;
pub mod combinations;
mod context;
mod controllers;
pub mod drift;
pub mod elsewhere;
mod error;
pub mod freezes;
pub mod guards;
mod handle;
mod live;
mod look_back;
pub mod neighbours;
pub mod order;
pub mod owners;
pub mod planted;
pub mod promotions;
pub mod prow;
pub mod removed_apis;
mod reports;
pub mod review;
pub mod scans;
pub mod schemas;
pub mod shared_paths;
pub mod state;
pub mod sync_windows;
pub mod unjudged;
pub mod unknown_apps;
pub mod unmatched;
pub mod variables;
pub mod versions;
pub mod waivers;

/// A fact that a rule cannot do without.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// What was live where.
    History,
    /// Who owns what.
    Owners,
    /// Who has approved.
    Review,
    /// What scanners found.
    Scans,
    /// What the Kubernetes API accepts.
    Schemas,
}

impl Need {
    /// The name that rules and reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Owners => "owners",
            Self::Review => "review",
            Self::Scans => "scans",
            Self::Schemas => "schemas",
        }
    }
}

/// Facts about one overlay, or about the change as a whole.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// Images that enter the environment, and where their content was live.
    pub promotions: Vec<Promotion>,
    /// Combinations that what enters makes with other apps.
    pub combinations: Vec<Combination>,
    /// What the committed file of versions says of the overlay; `null` where none is configured.
    pub versions: Option<VersionsFacts>,
    /// What is newly wrong with the order of controllers; only for the change as a whole.
    pub order: Vec<OrderFault>,
    /// Changed files that judge changes; only for the change as a whole.
    pub guards: Vec<Guard>,
    /// Entries of `images`, and targets of patches, that match nothing.
    pub unmatched: Vec<Unmatched>,
    /// Folders that the change touches and nobody judges; only for the change as a whole.
    pub unjudged: Vec<UnjudgedFolder>,
    /// Apps that the configuration names and nothing has; only for the change as a whole.
    pub unknown_apps: Vec<UnknownApp>,
    /// What only commits on the way of the change would run; only for the change as a whole.
    pub planted: Vec<Planted>,
    /// Who owns what, and who has approved it.
    pub owners: OwnersFacts,
    /// The minor version of Kubernetes that the configuration names.
    pub kubernetes: Option<String>,
    /// Objects whose API version Kubernetes has removed.
    pub removed_apis: Vec<RemovedApiInput>,
    /// What the Kubernetes API would refuse; only where a rule asks for it.
    pub schema_faults: Vec<SchemaFault>,
    /// Fields of workloads that differ from the environment below, because of the change.
    pub drift: Vec<Drift>,
    /// Variables that containers have in the environment below and lack here.
    pub missing_variables: Vec<MissingVariable>,
    /// Images that enter the environment, and the scans of them; only where a rule asks for them.
    pub scanned: Vec<Scanned>,
    /// Freezes of the environment that are active.
    pub freezes: Vec<ActiveFreeze>,
    /// Folders that several environments deploy as they are; only for the change as a whole.
    pub shared_paths: Vec<SharedPath>,
    /// Automation that the change lets write to environments; only for the change as a whole.
    pub automations: Vec<Automation>,
    /// Waivers that have expired, or that nothing needs; only for the change as a whole.
    pub waivers: Vec<WaiverFacts>,
}

/// What the overlays have told, before the change as a whole is judged.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// CODEOWNERS lines whose owners must approve for an environment.
    pub asked_lines: BTreeSet<Span>,
    /// Waivers that covered a finding, by position.
    pub used_waivers: BTreeSet<usize>,
    /// Waivers of which all overlays that they may be about were judged, by position.
    pub judged_waivers: BTreeSet<usize>,
}

impl Facts {
    /// The facts about an overlay that the change affects or, with `--all`, may not affect. `own` is the line that stands
    /// for the overlay as a whole. History and scans are only read where a rule needs them;
    /// `asked` is what scans are asked for.
    ///
    /// # Errors
    /// When a fact that is needed cannot be found out.
    pub fn of_case(
        context: &Context<'_>,
        case: &Case<'_>,
        own: Handle,
        needs: &BTreeSet<Need>,
        asked: Asked<'_>,
        handles: &mut Handles,
    ) -> Result<Self, FactsError> {
        let overlay = Some(OverlayOwners::of(context, case, handles));
        let mut facts = Self { owners: OwnersFacts { overlay, ..OwnersFacts::default() }, ..Self::default() };
        facts.unmatched = Unmatched::of(&case.rendered.head, handles);
        facts.kubernetes.clone_from(&context.config.kubernetes);
        facts.removed_apis = RemovedApiInput::of(&case.rendered.head, handles);
        let side = &case.rendered.head;
        if needs.contains(&Need::Schemas) {
            facts.schema_faults = SchemaFault::of(context, case, Side::Head, handles);
        }
        facts.versions = VersionsFacts::of(context, case.overlay, side, context.comparison.trees().head, own, handles)?;
        if case.is_affected {
            facts.freezes = ActiveFreeze::of(context, case, handles)?;
            if case.rendered.head.error.is_none() {
                facts.drift = Drift::of(context, case, handles)?;
            }
            if needs.contains(&Need::Scans) {
                facts.scanned = Scanned::of(context, case, asked, handles)?;
            }
            if needs.contains(&Need::History) && case.rendered.head.error.is_none() {
                facts.promotions = Promotion::of(context, case, handles)?;
                facts.missing_variables = MissingVariable::of(context, case, handles)?;
                facts.combinations = Combination::of(context, case, &facts.promotions, handles)?;
            }
        }
        Ok(facts)
    }

    /// The facts about the base's own state of an overlay.
    ///
    /// # Errors
    /// When a fact that is needed cannot be found out.
    pub fn of_base(
        context: &Context<'_>,
        case: &Case<'_>,
        own: Handle,
        needs: &BTreeSet<Need>,
        handles: &mut Handles,
    ) -> Result<Self, FactsError> {
        let overlay = Some(OverlayOwners::of(context, case, handles));
        let side = &case.rendered.base;
        let versions = VersionsFacts::of(context, case.overlay, side, context.comparison.trees().base, own, handles)?;
        let removed_apis = RemovedApiInput::of(&case.rendered.base, handles);
        let owners = OwnersFacts { overlay, ..OwnersFacts::default() };
        let schema_faults = if needs.contains(&Need::Schemas) {
            SchemaFault::of(context, case, Side::Base, handles)
        } else {
            Vec::new()
        };
        let kubernetes = context.config.kubernetes.clone();
        let unmatched = Unmatched::of(side, handles);
        Ok(Self { versions, unmatched, owners, kubernetes, removed_apis, schema_faults, ..Self::default() })
    }

    /// The facts about the change as a whole; `seen` is what its overlays have told.
    ///
    /// # Errors
    /// When a fact that is needed cannot be found out.
    pub fn of_change(
        context: &Context<'_>,
        seen: &Seen,
        needs: &BTreeSet<Need>,
        handles: &mut Handles,
    ) -> Result<Self, FactsError> {
        let files = FileOwners::of_change(context, &seen.asked_lines, handles)?;
        let order = OrderFault::of_change(context, handles)?;
        let guards = Guard::of_change(context, handles)?;
        let unjudged = UnjudgedFolder::of_change(context, handles)?;
        let unknown_apps = UnknownApp::of_change(context, handles);
        let planted = if needs.contains(&Need::History) { Planted::of_change(context, handles)? } else { Vec::new() };
        Ok(Self {
            owners: OwnersFacts { overlay: None, files, invalid: InvalidOwners::of_change(context, handles) },
            order,
            planted,
            unknown_apps,
            guards,
            unjudged,
            shared_paths: SharedPath::of_change(context, handles),
            automations: Automation::of_change(context, handles)?,
            waivers: WaiverFacts::of_change(context, seen, handles),
            ..Self::default()
        })
    }
}
