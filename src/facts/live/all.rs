use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;

use super::sweep::Sweep;
use super::{AHEAD, FirstParents, Gap, HistorySource, ImageKey, ImageStay, LiveHistory, Place};
use crate::facts::HistoryError;
use crate::kustomize::ParsedFiles;
use crate::model::Overlay;
use crate::sources::Commit;

/// How many sections of a line are gone through at once; each holds a tree of its own in memory.
const AT_ONCE: usize = 2;

/// How many commits a section has at least for each overlay: it begins with all of them to render.
const COMMITS_FOR_EACH_OVERLAY: usize = 4;

impl LiveHistory {
    /// Every stay, from the first commit on.
    ///
    /// # Errors
    /// When history was cut off or cannot be read.
    pub fn all(source: &HistorySource<'_>) -> Result<Self, HistoryError> {
        let shortest = COMMITS_FOR_EACH_OVERLAY * source.overlays.all.len().max(1);
        Self::in_sections(source, |commits| (commits / shortest).clamp(1, 4 * AT_ONCE))
    }

    /// The same in as many sections as `count` says for a number of commits.
    ///
    /// # Errors
    /// As [`LiveHistory::all`].
    pub fn in_sections(source: &HistorySource<'_>, count: impl Fn(usize) -> usize) -> Result<Self, HistoryError> {
        let line = source.line()?;
        if !line.is_complete {
            return Err(line.cut_off());
        }
        let sections = sections(line.commits.len(), count(line.commits.len()));
        source.progress.begin("reading commits", line.commits.len());
        let at_once = AT_ONCE.min(sections.len());
        let are_cores_busy = at_once >= rayon::current_num_threads();
        let (next, read) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    // The newest ones, in which most overlays are, take longest; they come first.
                    let next_one = || sections.len().checked_sub(1 + next.fetch_add(1, Ordering::Relaxed));
                    while let Some((at, section)) = next_one().and_then(|at| Some((at, sections.get(at)?))) {
                        let section = Section::read(source, &line, section.clone(), are_cores_busy);
                        read.lock().insert(at, section);
                    }
                });
            }
        });
        source.progress.end();
        let mut whole: Option<Section> = None;
        for section in read.into_inner().into_values() {
            let section = section?;
            whole = Some(match whole {
                Some(older) => older.followed_by(section),
                None => section,
            });
        }
        let mut history = whole.unwrap_or_default().history;
        history.distrusted =
            line.commits.iter().zip(&line.landed).filter(|(commit, time)| commit.time != **time).count();
        history.gaps.sort_by(|one, other| (one.from, &one.overlay).cmp(&(other.from, &other.overlay)));
        Ok(history)
    }
}

/// Positions on a line, newest first, in sections that share their ends; the oldest section first.
fn sections(commits: usize, count: usize) -> Vec<RangeInclusive<usize>> {
    let Some(last) = commits.checked_sub(1) else { return Vec::new() };
    let count = count.clamp(1, last.max(1));
    let end = |at: usize| last - last * at / count;
    (0..count).map(|at| end(at + 1)..=end(at)).collect()
}

/// What was live in a section of history, as if nothing had been before it.
#[derive(Default)]
struct Section {
    history: LiveHistory,
    /// Rows that its first commit began.
    initial: Open,
    /// Rows that have not ended.
    open: Open,
}

impl Section {
    /// Goes through a section, the oldest commit first.
    fn read(
        source: &HistorySource<'_>,
        line: &FirstParents,
        section: RangeInclusive<usize>,
        is_one_of_several: bool,
    ) -> Result<Self, HistoryError> {
        let files = ParsedFiles::default();
        let tree = source.repository.moving_tree();
        let mut sweep = Sweep::new(&HistorySource { files: &files, ..*source }, &tree, is_one_of_several);
        let mut read = Self::default();
        let (newest, oldest) = (*section.start(), *section.end());
        for at in section.rev() {
            let commit = &line.commits[at];
            if (oldest - at) % AHEAD == 0 {
                let ahead: Vec<Commit> =
                    line.commits[newest.max(at.saturating_sub(AHEAD))..=at].iter().rev().cloned().collect();
                tree.plan(&ahead)?;
            }
            let affected = sweep.go_to(commit)?;
            source.progress.advance();
            read.note(&sweep, &affected, Landing { time: line.landed[at], commit });
            if at == oldest {
                read.initial = read.open.clone();
            }
        }
        source.files.files.hide_as(&files.files);
        Ok(read)
    }

    fn note(&mut self, sweep: &Sweep<'_>, affected: &BTreeSet<usize>, landing: Landing<'_>) {
        let Landing { time, commit } = landing;
        let Self { history, open, .. } = self;
        let mut places: BTreeMap<Place, GapEdges> = BTreeMap::new();
        for at in affected {
            let slot = &sweep.slots[*at];
            let (app, environment) = slot.place();
            let edges = places.entry((app.clone(), environment)).or_default();
            let known = open.gaps.get(&slot.overlay).copied();
            match (&slot.error, known) {
                (Some(why), None) => {
                    edges.has_begun = true;
                    let (overlay, commit) = (slot.overlay.path.clone(), commit.id.to_string());
                    open.gaps.insert(slot.overlay.clone(), history.gaps.len());
                    history.gaps.push(Gap {
                        overlay,
                        app,
                        environment,
                        from: time,
                        to: None,
                        commit,
                        why: why.clone(),
                    });
                }
                (Some(why), Some(gap)) => history.gaps[gap].why.clone_from(why),
                (None, Some(gap)) => {
                    edges.has_ended = true;
                    history.gaps[gap].to = Some(time);
                    open.gaps.remove(&slot.overlay);
                }
                (None, None) => {}
            }
        }
        for (place, edges) in places {
            let images = sweep.images_in(&place);
            let rows = history.live.entry(place.0.clone()).or_default().entry(place.1).or_default();
            let running = open.stays.entry(place).or_default();
            running.retain(|key, row| {
                let stays = images.contains_key(key);
                if !stays {
                    rows[*row].to = Some(time);
                    rows[*row].ends_in_gap = edges.has_begun;
                }
                stays
            });
            for (key, image) in images {
                running.entry(key).or_insert_with(|| {
                    rows.push(ImageStay {
                        image: image.clone(),
                        from: time,
                        to: None,
                        commit: commit.id.to_string(),
                        author: commit.author_name.clone(),
                        begins_in_gap: edges.has_ended,
                        ends_in_gap: false,
                    });
                    rows.len() - 1
                });
            }
        }
    }

    /// Both sections as one. The newer one begins with the commit that this one ends with: what is open here is what it
    /// began with.
    fn followed_by(mut self, newer: Self) -> Self {
        let Self { history: LiveHistory { live, gaps, .. }, initial, open } = newer;
        let mut whole = Open::default();
        for (app, environments) in live {
            let known = self.history.live.entry(app.clone()).or_default();
            for (environment, rows) in environments {
                let place = (app.clone(), environment);
                let known = known.entry(environment).or_default();
                let continued = self.open.stays.remove(&place).unwrap_or_default();
                let began_with = initial.by_row(&place);
                let ends_with = open.by_row(&place);
                for (at, row) in rows.into_iter().enumerate() {
                    let earlier = began_with.get(&at).and_then(|key| continued.get(*key)).copied();
                    let here = earlier.unwrap_or(known.len());
                    if let Some(earlier) = earlier {
                        (known[earlier].to, known[earlier].ends_in_gap) = (row.to, row.ends_in_gap);
                    } else {
                        known.push(row);
                    }
                    if let Some(key) = ends_with.get(&at) {
                        whole.stays.entry(place.clone()).or_default().insert((*key).clone(), here);
                    }
                }
            }
        }
        let began_with: HashMap<usize, &Overlay> = initial.gaps.iter().map(|(overlay, at)| (*at, overlay)).collect();
        let ends_with: HashMap<usize, &Overlay> = open.gaps.iter().map(|(overlay, at)| (*at, overlay)).collect();
        for (at, gap) in gaps.into_iter().enumerate() {
            let known = &mut self.history.gaps;
            let earlier = began_with.get(&at).and_then(|overlay| self.open.gaps.get(*overlay)).copied();
            let here = earlier.unwrap_or(known.len());
            if let Some(earlier) = earlier {
                (known[earlier].to, known[earlier].why) = (gap.to, gap.why);
            } else {
                known.push(gap);
            }
            if let Some(overlay) = ends_with.get(&at) {
                whole.gaps.insert((*overlay).clone(), here);
            }
        }
        self.open = whole;
        self
    }
}

/// A commit and when it landed.
#[derive(Clone, Copy)]
struct Landing<'a> {
    time: i64,
    commit: &'a Commit,
}

/// What a commit does to the gaps of an app in an environment.
#[derive(Clone, Copy, Default)]
struct GapEdges {
    has_begun: bool,
    has_ended: bool,
}

/// Rows that may still end.
#[derive(Clone, Default)]
struct Open {
    stays: BTreeMap<Place, BTreeMap<ImageKey, usize>>,
    gaps: HashMap<Overlay, usize>,
}

impl Open {
    /// The images of a place by their rows.
    fn by_row<'a>(&'a self, place: &Place) -> HashMap<usize, &'a ImageKey> {
        self.stays.get(place).into_iter().flatten().map(|(key, row)| (*row, key)).collect()
    }
}
