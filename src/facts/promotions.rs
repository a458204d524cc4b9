//! Images that enter an environment, and where their content was live. History is asked only as far as needed: the
//! environment below first, this environment's own past only where that proves nothing, lower ones only for the notes.

use serde::Serialize;

use super::handle::{Handle, Handles, Target};
use super::look_back::{Depth, Stay};
use super::reports::Deployed;
use super::{Context, FactsError};
use crate::config::Config;
use crate::model::{Case, Image, Overlay, Overlays, State};
use crate::sided::Sided;
use crate::span::Span;
use crate::words;

/// An image that enters an environment.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Promotion {
    /// Who wrote it.
    pub at: Handle,
    /// The reference.
    pub reference: String,
    /// The reference with a shortened digest.
    pub short: String,
    /// `image`, `chart`, `source`, `operator` or `plugin`.
    pub content: &'static str,
    /// Whether it is written in the overlay's own folder, and not in one that others use too.
    pub own: bool,
    /// Whether a digest is pinned.
    pub pinned: bool,
    /// The environments below that get it by the same change.
    pub together: Vec<String>,
    /// The lower environment in whose folder it is written; `null` where it is written elsewhere.
    pub written_in: Option<String>,
    /// Names of the environments that could prove it.
    pub wanted: Vec<String>,
    /// Environments below in which the app has an overlay.
    pub below: Vec<Tier>,
    /// Lower environments that do not prove anything, for the story.
    pub lower: Vec<Tier>,
    /// Earlier stays in this very environment.
    pub here: Vec<StayInput>,
}

/// What is known of a content in one environment.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tier {
    /// The environment.
    pub environment: String,
    /// Its stays there, newest first.
    pub stays: Vec<StayInput>,
    /// What runs there now in its place.
    pub current: Vec<Running>,
    /// Whether it is healthy there; `null` where nobody asks.
    pub evidence: Option<Evidence>,
}

/// What a controller reports of a content in one environment.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Evidence {
    /// `Argo CD` or `Flux`.
    pub controller: &'static str,
    /// Whether any report says that it is healthy.
    pub healthy: bool,
    /// What each report says, for people.
    pub reports: Vec<String>,
}

/// What runs somewhere.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Running {
    /// The content, shortened.
    pub content: String,
    /// Since when, for people.
    pub since: String,
    /// The commit that brought it, shortened.
    pub commit: String,
}

/// One stay.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StayInput {
    /// Since when, for people.
    pub from: String,
    /// Until when; `null` while it lasts.
    pub to: Option<String>,
    /// How long, in seconds.
    pub seconds: i64,
    /// How long, in words.
    pub lasted: String,
    /// When the environment's soak is reached if it lasts on.
    pub ripe: Option<String>,
    /// The commit that brought it, shortened.
    pub commit: String,
}

impl Promotion {
    /// Every image that enters the environment of a case.
    ///
    /// # Errors
    /// When history that is needed is missing or cannot be read.
    pub fn of(context: &Context<'_>, case: &Case<'_>, handles: &mut Handles) -> Result<Vec<Self>, FactsError> {
        let below = environments_below(context.config, &|at| context.overlays_of(at), case.overlay);
        let Some(below) = below else { return Ok(Vec::new()) };
        let mirrors = &context.config.mirrors;
        let Sided { base, head } = case.rendered.as_ref().map(|side| &side.state.images);
        let mut promotions = Vec::new();
        let mut seen = Vec::new();
        let moved = if case.rendered.base.exists { Vec::new() } else { contents_of_gone(context, case.overlay) };
        for used in head {
            let content = used.image.content(mirrors);
            let runs_already =
                moved.contains(&content) || base.iter().any(|known| known.image.content(mirrors) == content);
            // Containers that get their image from one line are one promotion.
            let key = (used.origin.span, content.clone());
            if runs_already || seen.contains(&key) {
                continue;
            }
            seen.push(key);
            let target = Target::of_value(&used.origin, &used.object, &used.path);
            let at = match redirected(context, case.overlay) {
                Some(span) => handles.add(Target { span, ..target }),
                None => handles.add(target),
            };
            let entering = Entering { context, overlay: case.overlay, image: &used.image, content: &content };
            let mut promotion = entering.promotion(&below, at)?;
            promotion.content = used.role.kind();
            promotion.pinned |= !used.role.is_image();
            if promotion.here.is_empty() && promotion.below.iter().all(|tier| tier.stays.is_empty()) {
                promotion.together = entering.together(&below);
            }
            let file = context.files.files.get(used.origin.span.file);
            promotion.own = file.path.is_within(&case.overlay.path);
            let holds_file = |environment: &&usize| {
                let lower = context.overlays.base.same_app(case.overlay, **environment);
                lower.iter().any(|lower| file.path.is_within(&lower.path))
            };
            let written_in = below.environments.iter().find(holds_file);
            promotion.written_in = written_in.map(|at| context.config.environments[*at].name.clone());
            promotions.push(promotion);
        }
        Ok(promotions)
    }
}

/// Where the change makes a controller deploy another folder in the place of an overlay's; `None` where it does not.
fn redirected(context: &Context<'_>, overlay: &Overlay) -> Option<Span> {
    let Sided { base, head } = context.overlays.map(|side| side.deployer(&overlay.path));
    let (base, head) = (base?, head?);
    (base.folder != head.folder).then_some(head.folder_span)
}

/// What overlays of the same environment run that are not there any more after the change: one that comes may be one of them
/// under another name.
fn contents_of_gone(context: &Context<'_>, overlay: &Overlay) -> Vec<String> {
    let Sided { base, head } = context.overlays;
    let is_gone = |other: &&Overlay| other.environment == overlay.environment && head.at(&other.path).is_none();
    let rendered =
        base.all.iter().filter(is_gone).filter_map(|gone| context.renderers.base.render_any(&gone.path).ok());
    let images = rendered.flat_map(|rendering| State::of(&rendering, context.config).images);
    images.map(|used| used.image.content(&context.config.mirrors)).collect()
}

/// One image on its way into an environment.
pub(super) struct Entering<'a, 'c> {
    pub(super) context: &'a Context<'c>,
    pub(super) overlay: &'a Overlay,
    pub(super) image: &'a Image,
    pub(super) content: &'a str,
}

/// Where a controller reports a content as healthy, as far as the environment asks for that.
struct Health<'o> {
    /// The overlays in which it is; all where nobody asks.
    healthy: Vec<&'o Overlay>,
    /// What the controller says; `None` where nobody asks.
    evidence: Option<Evidence>,
}

impl Entering<'_, '_> {
    pub(super) fn promotion(&self, below: &Below, at: Handle) -> Result<Promotion, FactsError> {
        let context = self.context;
        let soak = context.config.environments[self.overlay.environment].soak;
        let enough = soak.unwrap_or(0);
        let mut promotion = Promotion {
            at,
            reference: self.image.reference.clone(),
            short: short_reference(self.image),
            content: "image",
            own: true,
            written_in: None,
            pinned: self.image.digest.is_some(),
            together: Vec::new(),
            wanted: below.wanted.clone(),
            below: Vec::new(),
            lower: Vec::new(),
            here: Vec::new(),
        };
        let mut is_proven = false;
        for environment in &below.environments {
            let depth = if soak.is_some() { Depth::Lasting(enough) } else { Depth::Any };
            let counterparts = context.overlays_of(*environment).counterparts(self.overlay, *environment);
            // Any cluster proves for all of them, unless all are asked for.
            let proving = context.overlays_of(*environment).same_app(self.overlay, *environment);
            let health = self.health(&proving, *environment)?;
            // Where it is not healthy it has not proven anything, however long it was there.
            let mut stays = self.stays_in(&health.healthy, depth)?;
            if context.config.all_clusters_prove {
                for other in &proving {
                    let own = self.stays_in(std::slice::from_ref(other), depth)?;
                    if !own.iter().any(|stay| stay.seconds(context.clock.seconds()) >= enough) {
                        stays = own;
                        break;
                    }
                }
            }
            let is_healthy = !stays.is_empty();
            if !is_healthy {
                stays = self.stays_in(&counterparts, depth)?;
            }
            let mut tier = self.tier(*environment, &stays, soak);
            tier.evidence = health.evidence.map(|evidence| Evidence { healthy: is_healthy, ..evidence });
            is_proven |= is_healthy && stays.iter().any(|stay| stay.seconds(context.clock.seconds()) >= enough);
            promotion.below.push(tier);
        }
        if is_proven {
            return Ok(promotion);
        }
        // What this environment runs, or ran, in any of its clusters is nothing new to it.
        let here = self.earlier_here()?;
        promotion.here = self.described(&here, None);
        if !promotion.here.is_empty() {
            return Ok(promotion);
        }
        for (tier, environment) in promotion.below.iter_mut().zip(&below.environments) {
            tier.current = self.running(*environment)?;
        }
        let is_lower = |environment: &usize| !below.environments.contains(environment);
        for environment in (0..self.overlay.environment).rev().filter(is_lower) {
            let counterparts = context.overlays_of(environment).counterparts(self.overlay, environment);
            let stays = self.stays_in(&counterparts, Depth::Latest)?;
            promotion.lower.push(self.tier(environment, &stays, None));
        }
        for stay in promotion.below.iter().flat_map(|tier| &tier.stays).filter(|stay| stay.to.is_none()) {
            if let Some(left) = soak.map(|soak| soak - stay.seconds) {
                context.clock.changes_in(left);
            }
        }
        Ok(promotion)
    }

    /// Which of the environments below run the content once the change has landed.
    fn together(&self, below: &Below) -> Vec<String> {
        let context = self.context;
        let runs = |overlay: &&Overlay| {
            let rendering = context.renderers.head.render_any(&overlay.path);
            let images = rendering.map(|rendering| State::of(&rendering, context.config).images).unwrap_or_default();
            images.iter().any(|used| used.image.content(&context.config.mirrors) == self.content)
        };
        let gets = |environment: &&usize| context.overlays.head.same_app(self.overlay, **environment).iter().any(runs);
        let named = below.environments.iter().filter(gets);
        named.map(|environment| context.config.environments[*environment].name.clone()).collect()
    }

    /// Stays in any of some overlays, newest first.
    /// The stays in this environment itself, in any of its clusters.
    pub(super) fn earlier_here(&self) -> Result<Vec<Stay>, FactsError> {
        let overlays = self.context.overlays.base.same_app(self.overlay, self.overlay.environment);
        self.stays_in(&overlays, Depth::Any)
    }

    fn stays_in(&self, overlays: &[&Overlay], depth: Depth) -> Result<Vec<Stay>, FactsError> {
        let mut stays = Vec::new();
        for other in overlays {
            let now = self.context.clock.seconds();
            stays.extend(self.context.history_of(other.environment)?.stays(&other.path, self.content, depth, now)?);
        }
        stays.sort_by_key(|stay| (std::cmp::Reverse(stay.to.unwrap_or(i64::MAX)), std::cmp::Reverse(stay.from)));
        Ok(stays)
    }

    /// In which of an environment's overlays the content is healthy.
    fn health<'o>(&self, overlays: &[&'o Overlay], environment: usize) -> Result<Health<'o>, FactsError> {
        let context = self.context;
        let environment = &context.config.environments[environment];
        let Some(controller) = environment.evidence else {
            return Ok(Health { healthy: overlays.to_vec(), evidence: None });
        };
        let Some(reports) = context.reports else {
            return Err(FactsError::NoReport { environment: environment.name.clone(), controller });
        };
        let mut healthy = Vec::new();
        let mut sentences = Vec::new();
        for overlay in overlays {
            let is_about = |deployed: &&Deployed<'_>| {
                deployed.applied.controller == controller && deployed.overlay.path == overlay.path
            };
            let mut verdicts = Vec::new();
            for deployed in context.deployed(reports)?.iter().filter(is_about) {
                let applied = deployed.applied;
                let is_this = |image: &Image| image.content(&context.config.mirrors) == self.content;
                let images = applied.images(context.repository, context.files, context.config, context.overlays.base);
                let runs = images.map(|images| images.iter().any(is_this));
                let what = match &runs {
                    Err(why) => why.clone(),
                    Ok(runs) => {
                        let revision = words::short_commit(&applied.revision);
                        let what = if *runs { "this" } else { "something else" };
                        format!("runs {what}, by commit {revision}: {}", applied.state)
                    }
                };
                sentences.push(format!("`{}` {what}", applied.name));
                verdicts.push(applied.is_healthy && runs == Ok(true));
            }
            // Of several that deploy one overlay all must be well.
            if !verdicts.is_empty() && verdicts.iter().all(|well| *well) {
                healthy.push(*overlay);
            }
        }
        if sentences.is_empty() {
            sentences.push(format!("nothing about {}", environment.name));
        }
        let evidence = Evidence { controller: controller.name(), healthy: false, reports: sentences };
        Ok(Health { healthy, evidence: Some(evidence) })
    }

    fn tier(&self, environment: usize, stays: &[Stay], soak: Option<i64>) -> Tier {
        let name = self.context.config.environments[environment].name.clone();
        Tier { environment: name, stays: self.described(stays, soak), current: Vec::new(), evidence: None }
    }

    fn described(&self, stays: &[Stay], soak: Option<i64>) -> Vec<StayInput> {
        let now = self.context.clock.seconds();
        let described = |stay: &Stay| StayInput {
            from: words::moment(stay.from),
            to: stay.to.map(words::moment),
            seconds: stay.seconds(now),
            lasted: words::duration(stay.seconds(now)),
            ripe: soak.filter(|_| stay.to.is_none()).map(|soak| words::moment(stay.from.saturating_add(soak))),
            commit: words::short_commit(&stay.commit),
        };
        stays.iter().map(described).collect()
    }

    /// What an environment runs now of the image's repository.
    fn running(&self, environment: usize) -> Result<Vec<Running>, FactsError> {
        let context = self.context;
        let history = context.history_of(environment)?;
        let mirrors = &context.config.mirrors;
        let mut running = Vec::new();
        for other in context.overlays_of(environment).counterparts(self.overlay, environment) {
            for current in history.current(&other.path)? {
                if current.original(mirrors) != self.image.original(mirrors) {
                    continue;
                }
                let now = context.clock.seconds();
                let stays = history.stays(&other.path, &current.content(mirrors), Depth::Latest, now)?;
                let Some(stay) = stays.first() else { continue };
                running.push(Running {
                    content: short_content(&current),
                    since: words::moment(stay.from),
                    commit: words::short_commit(&stay.commit),
                });
            }
        }
        running.sort_by(|one, other| one.content.cmp(&other.content));
        running.dedup_by(|one, other| one.content == other.content);
        Ok(running)
    }
}

/// The environments that could prove a promotion.
pub struct Below {
    /// Their names.
    pub wanted: Vec<String>,
    /// Those in which the app has an overlay, by position in the configuration.
    pub environments: Vec<usize>,
}

/// The environments that could prove what enters an overlay; `None` where none is asked for.
#[must_use]
pub fn environments_below<'a>(
    config: &Config,
    overlays_of: &dyn Fn(usize) -> &'a Overlays,
    overlay: &Overlay,
) -> Option<Below> {
    let environment = &config.environments[overlay.environment];
    let has_app = |at: &usize| !overlays_of(*at).counterparts(overlay, *at).is_empty();
    match &environment.promotes_from {
        Some(names) if names.is_empty() => None,
        Some(names) => {
            let known = names.iter().filter_map(|name| config.environment(name));
            Some(Below { wanted: names.clone(), environments: known.filter(has_app).collect() })
        }
        // Without a configuration the highest environment below that the app has counts; only a protected environment
        // must have one.
        None => {
            let at = (0..overlay.environment).rev().find(has_app);
            let right_below = overlay.environment.checked_sub(1).filter(|_| environment.protected);
            let wanted = vec![config.environments[at.or(right_below)?].name.clone()];
            Some(Below { wanted, environments: at.into_iter().collect() })
        }
    }
}

/// The counterpart of an overlay in each environment below that this side's trees hold, with the environment's position in
/// the configuration. What is on another branch or in another repository is not rendered by them.
pub(super) fn counterparts_here<'a>(context: &Context<'a>, overlay: &Overlay) -> Vec<(usize, &'a Overlay)> {
    let Some(below) = environments_below(context.config, &|at| context.overlays_of(at), overlay) else {
        return Vec::new();
    };
    let here = context.overlays.base;
    let is_here = |at: &usize| std::ptr::eq(context.overlays_of(*at), here);
    let environments = below.environments.into_iter().filter(is_here);
    environments.filter_map(|at| Some((at, *here.counterparts(overlay, at).first()?))).collect()
}

pub(super) fn short_digest(digest: &str) -> String {
    let (algorithm, hex) = digest.split_once(':').unwrap_or(("", digest));
    format!("{algorithm}:{}…", hex.get(..8).unwrap_or(hex))
}

pub(super) fn short_content(image: &Image) -> String {
    match (&image.digest, &image.tag) {
        (Some(digest), _) => short_digest(digest),
        (None, tag) => tag.clone().unwrap_or_else(|| "latest".to_owned()),
    }
}

/// A reference with a shortened digest, as written besides.
pub(super) fn short_reference(image: &Image) -> String {
    match &image.digest {
        Some(digest) => image.reference.replace(digest, &short_digest(digest)),
        None => image.reference.clone(),
    }
}
