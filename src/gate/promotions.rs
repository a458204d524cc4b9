//! Images that enter an environment, and where their content was live. History is asked only as far as needed: the
//! environment below first, this environment's own past only where that proves nothing, lower ones only for the story.

use chrono::{DateTime, Utc};

use super::documents::{Documents, Side, target};
use super::{GateError, Subject};
use crate::config::Config;
use crate::facts::{Applied, Deployed, Depth, Stay, deployed};
use crate::model::{Image, Overlay, Overlays};
use crate::policy::{Evidence, Handles, Promotion, Running, StayInput, Tier};
use crate::words;

impl<'a> Documents<'a> {
    pub(super) fn promotions(
        &mut self,
        subject: &Subject<'_>,
        before: &Side,
        after: &Side,
        handles: &mut Handles,
    ) -> Result<Vec<Promotion>, GateError> {
        let below = below(&self.sides.config, &self.sides.base, subject.overlay);
        let Some((wanted, below)) = below else { return Ok(Vec::new()) };
        let mirrors = &self.sides.config.mirrors;
        let mut promotions = Vec::new();
        let mut seen = Vec::new();
        for used in &after.state.images {
            let content = used.image.content(mirrors);
            let runs_already = before.state.images.iter().any(|known| known.image.content(mirrors) == content);
            // Containers that get their image from one line are one case.
            let key = (used.origin.span, content.clone());
            if runs_already || seen.contains(&key) {
                continue;
            }
            seen.push(key);
            let at = handles.add(target(&used.origin, &used.object, &used.path));
            let promotion = self.promotion(subject, &used.image, &content, &below, wanted.clone(), at)?;
            promotions.push(promotion);
        }
        Ok(promotions)
    }

    fn promotion(
        &mut self,
        subject: &Subject<'_>,
        image: &Image,
        content: &str,
        below: &[usize],
        wanted: Vec<String>,
        at: usize,
    ) -> Result<Promotion, GateError> {
        let soak = self.sides.config.environments[subject.overlay.environment].soak;
        let enough = soak.unwrap_or(0);
        let mut promotion = Promotion {
            at,
            short: short_reference(image),
            pinned: image.digest.is_some(),
            wanted,
            below: Vec::new(),
            lower: Vec::new(),
            here: Vec::new(),
        };
        let mut is_proven = false;
        for environment in below {
            let depth = if soak.is_some() { Depth::Lasting(enough) } else { Depth::Any };
            let counterparts = self.sides.base.counterparts(subject.overlay, *environment);
            let (healthy, evidence) = self.evidence(&counterparts, *environment, content)?;
            // Where it is not healthy it has not proven anything, however long it was there.
            let mut stays = self.stays_in(&healthy, content, depth)?;
            let is_healthy = !stays.is_empty();
            if !is_healthy {
                stays = self.stays_in(&counterparts, content, depth)?;
            }
            let mut tier = self.tier(*environment, &stays, soak);
            tier.evidence = evidence.map(|evidence| Evidence { healthy: is_healthy, ..evidence });
            is_proven |= is_healthy && stays.iter().any(|stay| stay.seconds(self.now()) >= enough);
            promotion.below.push(tier);
        }
        if is_proven {
            return Ok(promotion);
        }
        let here = self.history()?.stays(&subject.overlay.path, content, Depth::Any, self.now())?;
        promotion.here = self.told(&here, None);
        if !promotion.here.is_empty() {
            return Ok(promotion);
        }
        for (tier, environment) in promotion.below.iter_mut().zip(below) {
            tier.current = self.running(subject.overlay, *environment, image)?;
        }
        for environment in (0..subject.overlay.environment).rev().filter(|environment| !below.contains(environment)) {
            let counterparts = self.sides.base.counterparts(subject.overlay, environment);
            let stays = self.stays_in(&counterparts, content, Depth::Latest)?;
            promotion.lower.push(self.tier(environment, &stays, None));
        }
        for stay in promotion.below.iter().flat_map(|tier| &tier.stays).filter(|stay| stay.to.is_none()) {
            if let Some(left) = soak.map(|soak| soak - stay.seconds) {
                self.valid_until_in(left);
            }
        }
        Ok(promotion)
    }

    fn valid_until_in(&mut self, seconds: i64) {
        if let Some(time) = DateTime::<Utc>::from_timestamp(self.now().saturating_add(seconds), 0) {
            self.changes_at(time);
        }
    }

    /// Stays in any of some overlays, newest first.
    fn stays_in(&self, overlays: &[&Overlay], content: &str, depth: Depth) -> Result<Vec<Stay>, GateError> {
        let mut stays = Vec::new();
        for other in overlays {
            stays.extend(self.history()?.stays(&other.path, content, depth, self.now())?);
        }
        stays.sort_by_key(|stay| (std::cmp::Reverse(stay.to.unwrap_or(i64::MAX)), std::cmp::Reverse(stay.from)));
        Ok(stays)
    }

    /// Those of an environment's overlays in which a content is healthy, as far as the environment asks for that, and what
    /// its controller says.
    fn evidence<'o>(
        &self,
        overlays: &[&'o Overlay],
        environment: usize,
        content: &str,
    ) -> Result<(Vec<&'o Overlay>, Option<Evidence>), GateError> {
        let environment = &self.sides.config.environments[environment];
        let Some(controller) = environment.evidence else { return Ok((overlays.to_vec(), None)) };
        let Some(applied) = self.request.applied else {
            return Err(GateError::Unfit {
                message: format!("{} asks for evidence by {}, but there is none", environment.name, controller.name()),
                help: format!("give it with `--{} FILE`; see the README for what prints it", controller.option()),
            });
        };
        let mut healthy = Vec::new();
        let mut reports = Vec::new();
        for overlay in overlays {
            let is_asked = |deployed: &&Deployed<'_>| {
                deployed.applied.controller == controller && deployed.overlay.path == overlay.path
            };
            let mut verdicts = Vec::new();
            for deployed in self.deployed(applied)?.iter().filter(is_asked) {
                let applied = deployed.applied;
                let is_this = |image: &Image| image.content(&self.sides.config.mirrors) == content;
                let images = applied.images(self.request.repository, self.sides.parsed);
                let runs = images.map(|images| images.iter().any(is_this));
                let what = match &runs {
                    Err(why) => why.clone(),
                    Ok(runs) => {
                        let revision = words::short_commit(&applied.revision);
                        let what = if *runs { "this" } else { "something else" };
                        format!("runs {what}, by commit {revision}: {}", applied.state)
                    }
                };
                reports.push(format!("`{}` {what}", applied.name));
                verdicts.push(applied.is_healthy && runs == Ok(true));
            }
            // Of several that deploy one overlay all must be well.
            if !verdicts.is_empty() && verdicts.iter().all(|well| *well) {
                healthy.push(*overlay);
            }
        }
        if reports.is_empty() {
            reports.push(format!("nothing about {}", environment.name));
        }
        Ok((healthy, Some(Evidence { controller: controller.name(), healthy: false, reports })))
    }

    fn deployed(&self, applied: &'a [Applied]) -> Result<&[Deployed<'a>], GateError> {
        if let Some(deployed) = self.deployed.get() {
            return Ok(deployed);
        }
        let tree = &self.sides.judged.base_tree;
        let found = deployed(self.sides.parsed, tree, &self.sides.base.all, applied).map_err(GateError::Unreadable)?;
        Ok(self.deployed.get_or_init(|| found))
    }

    fn tier(&self, environment: usize, stays: &[Stay], soak: Option<i64>) -> Tier {
        let name = self.sides.config.environments[environment].name.clone();
        Tier { environment: name, stays: self.told(stays, soak), current: Vec::new(), evidence: None }
    }

    fn told(&self, stays: &[Stay], soak: Option<i64>) -> Vec<StayInput> {
        let now = self.now();
        let told = |stay: &Stay| StayInput {
            from: words::moment(stay.from),
            to: stay.to.map(words::moment),
            seconds: stay.seconds(now),
            lasted: words::duration(stay.seconds(now)),
            ripe: soak.filter(|_| stay.to.is_none()).map(|soak| words::moment(stay.from.saturating_add(soak))),
            commit: words::short_commit(&stay.commit),
        };
        stays.iter().map(told).collect()
    }

    /// What an environment runs now of the image's repository.
    fn running(&self, overlay: &Overlay, environment: usize, image: &Image) -> Result<Vec<Running>, GateError> {
        let mirrors = &self.sides.config.mirrors;
        let mut running = Vec::new();
        for other in self.sides.base.counterparts(overlay, environment) {
            for current in self.history()?.current(&other.path)? {
                if current.original(mirrors) != image.original(mirrors) {
                    continue;
                }
                let stays = self.history()?.stays(&other.path, &current.content(mirrors), Depth::Latest, self.now())?;
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

/// The environments that could prove a promotion, by name and as far as the app has overlays there; `None` where none is
/// asked for.
pub(super) fn below(config: &Config, overlays: &Overlays, overlay: &Overlay) -> Option<(Vec<String>, Vec<usize>)> {
    let environment = &config.environments[overlay.environment];
    let has_app = |at: &usize| !overlays.counterparts(overlay, *at).is_empty();
    match &environment.promotes_from {
        Some(names) if names.is_empty() => None,
        Some(names) => {
            let known = names.iter().filter_map(|name| config.environment(name));
            Some((names.clone(), known.filter(has_app).collect()))
        }
        // Without a configuration the highest environment below that the app has counts; only a protected environment
        // must have one.
        None => match (0..overlay.environment).rev().find(has_app) {
            Some(at) => Some((vec![config.environments[at].name.clone()], vec![at])),
            None if environment.protected && overlay.environment > 0 => {
                Some((vec![config.environments[overlay.environment - 1].name.clone()], Vec::new()))
            }
            None => None,
        },
    }
}

fn short_digest(digest: &str) -> String {
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
