use std::collections::{BTreeMap, BTreeSet};

use super::sweep::Sweep;
use super::{AHEAD, FirstParents, Gap, HistorySource, ImageKey, ImageStay, LiveHistory, Place};
use crate::facts::HistoryError;
use crate::model::Image;

impl LiveHistory {
    /// The stays and gaps that lasted at a time, in seconds since 1970. Looks back only to where they began, and renders an
    /// overlay only until that is known of all that it runs.
    ///
    /// # Errors
    /// When history that is needed was cut off, or cannot be read.
    pub fn at_time(source: &HistorySource<'_>, time: i64) -> Result<Self, HistoryError> {
        let line = source.line()?;
        let mut history = Self::default();
        let Some(first) = line.landed.iter().position(|landed| *landed <= time) else {
            return if line.is_complete { Ok(history) } else { Err(line.cut_off()) };
        };
        let tree = source.repository.moving_tree();
        let mut sweep = Sweep::new(source, &tree, false);
        sweep.go_to(&line.commits[first])?;
        let mut pending = Pending::at_start(&sweep);
        for (older, commit) in line.commits.iter().enumerate().skip(first + 1) {
            if pending.is_empty() {
                break;
            }
            if (older - first - 1) % AHEAD == 0 {
                let end = (older + AHEAD).min(line.commits.len());
                tree.plan(&line.commits[older - 1..end])?;
            }
            let affected = sweep.go_to(commit)?;
            pending.settle(&mut history, &mut sweep, &affected, Boundary { line: &line, newer: older - 1 });
        }
        if !pending.is_empty() {
            if !line.is_complete {
                return Err(line.cut_off());
            }
            let root = Boundary { line: &line, newer: line.commits.len() - 1 };
            pending.end_at_root(&mut history, &sweep, root);
        }
        history.gaps.sort_by(|one, other| (one.from, &one.overlay).cmp(&(other.from, &other.overlay)));
        Ok(history)
    }
}

/// What is not known from its beginning yet.
struct Pending {
    stays: BTreeMap<Place, BTreeMap<ImageKey, Image>>,
    /// Overlays that do not render.
    gaps: BTreeMap<Place, BTreeSet<usize>>,
}

/// Between two neighbouring commits, on the way back.
#[derive(Clone, Copy)]
struct Boundary<'a> {
    line: &'a FirstParents,
    /// The newer one's position.
    newer: usize,
}

impl Boundary<'_> {
    fn stay(&self, image: Image, begins_in_gap: bool) -> ImageStay {
        let commit = &self.line.commits[self.newer];
        ImageStay {
            image,
            from: self.line.landed[self.newer],
            to: None,
            commit: commit.id.to_string(),
            author: commit.author_name.clone(),
            begins_in_gap,
            ends_in_gap: false,
        }
    }
}

impl Pending {
    fn at_start(sweep: &Sweep<'_>) -> Self {
        let mut pending = Self { stays: BTreeMap::new(), gaps: BTreeMap::new() };
        for (place, slots) in &sweep.places {
            let images = sweep.images_in(place).into_iter().map(|(key, image)| (key, image.clone())).collect();
            pending.stays.insert(place.clone(), images);
            let in_gap = slots.iter().copied().filter(|at| sweep.slots[*at].error.is_some());
            pending.gaps.insert(place.clone(), in_gap.collect());
        }
        pending.stays.retain(|_, images| !images.is_empty());
        pending.gaps.retain(|_, slots| !slots.is_empty());
        pending
    }

    fn is_empty(&self) -> bool {
        self.stays.is_empty() && self.gaps.is_empty()
    }

    /// Settles what began at the newer commit of a boundary, since the older one does not have it.
    fn settle(
        &mut self,
        history: &mut LiveHistory,
        sweep: &mut Sweep<'_>,
        affected: &BTreeSet<usize>,
        boundary: Boundary<'_>,
    ) {
        let mut places: BTreeMap<Place, bool> = BTreeMap::new();
        for at in affected {
            let slot = &sweep.slots[*at];
            let comes_out_of_gap = slot.error.is_some() && !slot.was_in_gap;
            *places.entry(slot.place()).or_default() |= comes_out_of_gap;
            let Some(slots) = self.gaps.get_mut(&slot.place()) else { continue };
            if slot.error.is_none() && slots.remove(at) {
                history.gaps.push(gap(sweep, *at, boundary));
            }
        }
        for (place, begins_in_gap) in places {
            let images = sweep.images_in(&place);
            if let Some(pending) = self.stays.get_mut(&place) {
                let begun: Vec<ImageKey> = pending.keys().filter(|key| !images.contains_key(key)).cloned().collect();
                for key in begun {
                    let Some(image) = pending.remove(&key) else { continue };
                    let stays = history.live.entry(place.0.clone()).or_default().entry(place.1).or_default();
                    stays.push(boundary.stay(image, begins_in_gap));
                }
                if pending.is_empty() {
                    self.stays.remove(&place);
                }
            }
            if self.gaps.get(&place).is_some_and(BTreeSet::is_empty) {
                self.gaps.remove(&place);
            }
            if !self.stays.contains_key(&place) && !self.gaps.contains_key(&place) {
                sweep.stop_following(&place);
            }
        }
    }

    /// What is still pending at the root began there.
    fn end_at_root(self, history: &mut LiveHistory, sweep: &Sweep<'_>, root: Boundary<'_>) {
        for ((app, environment), images) in self.stays {
            let stays = history.live.entry(app).or_default().entry(environment).or_default();
            stays.extend(images.into_values().map(|image| root.stay(image, false)));
        }
        for at in self.gaps.into_values().flatten() {
            history.gaps.push(gap(sweep, at, root));
        }
    }
}

fn gap(sweep: &Sweep<'_>, at: usize, boundary: Boundary<'_>) -> Gap {
    let slot = &sweep.slots[at];
    Gap {
        overlay: slot.overlay.path.clone(),
        app: slot.overlay.app.clone(),
        environment: slot.overlay.environment,
        from: boundary.line.landed[boundary.newer],
        to: None,
        commit: boundary.line.commits[boundary.newer].id.to_string(),
        why: slot.first_error.clone().unwrap_or_default(),
    }
}
