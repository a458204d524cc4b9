//! Every stay of every image in every environment, from the base branch's first commit on.
//!
//! Where [`super::LookBack`] looks back as far as one question needs, this goes forward through all commits of the
//! first-parent line and renders again only what each of them touches.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::look_back::{HistoryError, landed};
use crate::config::{Config, Mirrors};
use crate::kustomize::{
    Bump, Closure, FILE_NAMES, Options, Outline, ParsedFiles, RenderError, Renderer, Scanner, outline,
};
use crate::model::{Image, Overlay, OverlayFilter, Overlays, State, UsedImage, discover};
use crate::sources::{Commit, Difference, Listing, MovingTree, RepoPath, Repository, RepositoryError, Tree};

/// What was live, by app and by the environment's position in the configuration; oldest first.
pub type Live = BTreeMap<String, BTreeMap<usize, Vec<ImageStay>>>;

/// One uninterrupted stretch in which an image was live in an environment, in whichever of the app's overlays there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageStay {
    /// The image: its repository, and its digest or else its tag.
    pub image: Image,
    /// When it began, in seconds since 1970.
    pub from: i64,
    /// When it ended; `None` while it lasts.
    pub to: Option<i64>,
    /// The commit that brought it.
    pub commit: String,
    /// Who wrote that commit.
    pub author: String,
    /// Whether an overlay of the app did not render right before: it may have begun earlier.
    pub begins_in_gap: bool,
    /// Whether an overlay of the app did not render any more: it may have lasted longer.
    pub ends_in_gap: bool,
}

/// A stretch in which an overlay did not render, so that nothing is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The overlay's folder.
    pub overlay: RepoPath,
    /// Its app.
    pub app: String,
    /// Its environment's position in the configuration.
    pub environment: usize,
    /// When it began, in seconds since 1970.
    pub from: i64,
    /// When it ended; `None` while it lasts.
    pub to: Option<i64>,
    /// The commit that brought it.
    pub commit: String,
    /// Why it did not render in the end, and where that was.
    pub why: String,
}

/// The whole history of a base branch.
#[derive(Clone, Debug, Default)]
pub struct FullHistory {
    /// What was live.
    pub live: Live,
    /// Where nothing is known.
    pub gaps: Vec<Gap>,
    /// How many commits have a date that cannot be: it runs backwards, or lies in the future.
    pub distrusted: usize,
}

impl FullHistory {
    /// Goes through the first-parent line of the tip, whose overlays say what apps are called; renders only what is
    /// wanted.
    ///
    /// # Errors
    /// When history was cut off or cannot be read.
    pub fn read(
        repository: &Repository,
        parsed: &ParsedFiles,
        config: &Config,
        tip: (&Commit, Overlays),
        only: OverlayFilter<'_>,
        now: i64,
    ) -> Result<Self, HistoryError> {
        let (tip, known) = tip;
        let (line, is_complete) = repository.first_parent_line(tip)?;
        if !is_complete {
            let oldest = line.last().map(|commit| commit.id.short()).unwrap_or_default();
            return Err(RepositoryError::Shallow(format!("what was live before {oldest} is not known")).into());
        }
        let dates: Vec<i64> = line.iter().map(|commit| commit.time).collect();
        let landed = landed(&dates, now);
        let tree = repository.moving_tree();
        let mut sweep = Sweep {
            config,
            parsed,
            tree: &tree,
            renderer: Renderer::moving(parsed, &tree, Options::default()),
            scanner: Scanner::new(parsed, &tree),
            listing: Listing::default(),
            known,
            only,
            slots: Vec::new(),
            places: HashMap::new(),
            reading: HashMap::new(),
            holding: Vec::new(),
            unscanned: Vec::new(),
            outlines: HashMap::new(),
        };
        let mut timeline = Self::default();
        let mut open = Open::default();
        for (commit, time) in line.iter().zip(landed).rev() {
            parsed.trim();
            timeline.distrusted += usize::from(time != commit.time);
            let changed = tree.go_to(commit)?;
            let affected = sweep.step(&changed)?;
            timeline.note(&mut open, &sweep, &affected, (time, commit));
        }
        Ok(timeline)
    }

    fn note(&mut self, open: &mut Open, sweep: &Sweep<'_>, affected: &BTreeSet<usize>, (time, commit): (i64, &Commit)) {
        // By app and environment: whether a gap of one of its overlays ends here, and whether one begins.
        let mut places: BTreeMap<(String, usize), (bool, bool)> = BTreeMap::new();
        for at in affected {
            let slot = &sweep.slots[*at];
            let (app, environment) = (slot.overlay.app.clone(), slot.overlay.environment);
            let (ends, begins) = places.entry((app.clone(), environment)).or_default();
            let known = open.gaps.get(at).copied();
            match (&slot.error, known) {
                (Some(why), None) => {
                    *begins = true;
                    open.gaps.insert(*at, self.gaps.len());
                    let (overlay, commit) = (slot.overlay.path.clone(), commit.id.to_string());
                    self.gaps.push(Gap { overlay, app, environment, from: time, to: None, commit, why: why.clone() });
                }
                (Some(why), Some(gap)) => self.gaps[gap].why.clone_from(why),
                (None, Some(gap)) => {
                    *ends = true;
                    self.gaps[gap].to = Some(time);
                    open.gaps.remove(at);
                }
                (None, None) => {}
            }
        }
        for (place, (begins_in_gap, ends_in_gap)) in places {
            let slots = sweep.places.get(&place).into_iter().flatten().map(|at| &sweep.slots[*at]);
            let images: BTreeMap<Key, &Image> = slots
                .flat_map(|slot| &slot.images)
                .map(|used| (key(&used.image, &sweep.config.mirrors), &used.image))
                .collect();
            let rows = self.live.entry(place.0.clone()).or_default().entry(place.1).or_default();
            let running = open.stretches.entry(place).or_default();
            running.retain(|key, row| {
                let stays = images.contains_key(key);
                if !stays {
                    rows[*row].to = Some(time);
                    rows[*row].ends_in_gap = ends_in_gap;
                }
                stays
            });
            for (key, image) in images {
                running.entry(key).or_insert_with(|| {
                    let (commit, author) = (commit.id.to_string(), commit.author_name.clone());
                    rows.push(ImageStay {
                        image: image.clone(),
                        from: time,
                        to: None,
                        commit,
                        author,
                        begins_in_gap,
                        ends_in_gap: false,
                    });
                    rows.len() - 1
                });
            }
        }
    }
}

/// What makes two images the same.
type Key = (String, String);

fn key(image: &Image, mirrors: &Mirrors) -> Key {
    (image.original(mirrors), image.content(mirrors))
}

/// Rows that may still end.
#[derive(Default)]
struct Open {
    stretches: BTreeMap<(String, usize), BTreeMap<Key, usize>>,
    /// By overlay.
    gaps: HashMap<usize, usize>,
}

/// An overlay on its way through history.
struct Slot {
    overlay: Overlay,
    stands: bool,
    images: Vec<UsedImage>,
    /// Why it does not render, with its place.
    error: Option<String>,
    closure: Closure,
}

struct Sweep<'a> {
    config: &'a Config,
    parsed: &'a ParsedFiles,
    tree: &'a MovingTree,
    renderer: Renderer<'a>,
    scanner: Scanner<'a>,
    listing: Listing,
    /// The overlays at the tip, which say what apps are called.
    known: Overlays,
    only: OverlayFilter<'a>,
    slots: Vec<Slot>,
    /// The overlays of an app in an environment.
    places: HashMap<(String, usize), Vec<usize>>,
    /// Which overlays have looked for a path. Some may not any more.
    reading: HashMap<RepoPath, Vec<usize>>,
    /// Folders whose every file counts, and for which overlay.
    holding: Vec<(RepoPath, usize)>,
    /// What has changed since overlays were looked for.
    unscanned: Vec<RepoPath>,
    outlines: HashMap<RepoPath, Outline>,
}

impl Sweep<'_> {
    /// Follows a step of the tree; says which overlays run something else now, or may.
    fn step(&mut self, changed: &[(RepoPath, Difference)]) -> Result<BTreeSet<usize>, HistoryError> {
        let paths: Vec<RepoPath> = changed.iter().map(|(path, _)| path.clone()).collect();
        self.renderer.forget(&paths);
        let mut affected: BTreeSet<usize> =
            paths.iter().filter_map(|path| self.reading.get(path)).flatten().copied().collect();
        affected.extend(
            self.holding
                .iter()
                .filter(|(folder, _)| paths.iter().any(|path| path.is_within(folder)))
                .map(|(_, at)| *at),
        );
        let is_reshaped = self.is_reshaped(changed)?;
        self.unscanned.extend(paths);
        if is_reshaped {
            affected.extend(self.find_overlays()?);
        }
        for at in &affected {
            match self.bumped(*at, changed)? {
                Some(images) => self.slots[*at].images = images,
                None => self.render(*at)?,
            }
        }
        Ok(affected)
    }

    /// What an overlay runs after a step that changes nothing of it but tags and digests in its own kustomization; `None`
    /// where it has to be rendered.
    fn bumped(&self, at: usize, changed: &[(RepoPath, Difference)]) -> Result<Option<Vec<UsedImage>>, HistoryError> {
        let slot = &self.slots[at];
        let mut reaching = changed.iter().filter(|(path, _)| slot.closure.holds(path));
        let (Some((path, Difference::Modified)), None) = (reaching.next(), reaching.next()) else { return Ok(None) };
        let is_own = FILE_NAMES.contains(&path.file_name()) && path.parent().as_ref() == Some(&slot.overlay.path);
        if !is_own || !slot.stands || slot.error.is_some() {
            return Ok(None);
        }
        let files = &self.parsed.files;
        let mut places = slot.images.iter().map(|used| used.origin.span.file);
        let Some(old) = places.find(|file| files.get(*file).path == *path) else { return Ok(None) };
        let Some((id, content)) = self.tree.read(path)? else { return Ok(None) };
        let Ok(text) = std::str::from_utf8(&content) else { return Ok(None) };
        let Some(bump) = Bump::between(self.parsed, old, files.add(path, id, text)) else { return Ok(None) };
        Ok(slot.images.iter().map(|used| used.bumped(old, &bump)).collect())
    }

    /// Whether other folders may be overlays now.
    fn is_reshaped(&mut self, changed: &[(RepoPath, Difference)]) -> Result<bool, HistoryError> {
        let mut is_reshaped = false;
        for (path, difference) in changed {
            let is_kustomization = FILE_NAMES.contains(&path.file_name());
            match difference {
                // With a layout folders of manifests are overlays too.
                Difference::Replaced => is_reshaped |= is_kustomization || !self.config.layouts.is_empty(),
                Difference::Linked => is_reshaped = true,
                Difference::Modified if is_kustomization => {
                    let new = outline(self.parsed, self.tree, path).map_err(unreadable)?;
                    is_reshaped |= self.outlines.insert(path.clone(), new.clone()) != Some(new);
                }
                Difference::Modified => {}
            }
        }
        Ok(is_reshaped)
    }

    /// Looks for overlays again; says which are new or gone.
    fn find_overlays(&mut self) -> Result<Vec<usize>, HistoryError> {
        self.unscanned.sort();
        self.unscanned.dedup();
        self.listing = std::mem::take(&mut self.listing).after(self.tree, &self.unscanned)?;
        self.scanner = self.scanner.for_tree(self.tree, &self.unscanned);
        for path in self.unscanned.drain(..).filter(|path| FILE_NAMES.contains(&path.file_name())) {
            let new = outline(self.parsed, self.tree, &path).map_err(unreadable)?;
            self.outlines.insert(path, new);
        }
        let found = discover(self.config, &self.listing, &self.scanner, Some(&self.known)).map_err(unreadable)?;
        let slots: HashMap<&Overlay, usize> =
            self.slots.iter().enumerate().map(|(at, slot)| (&slot.overlay, at)).collect();
        let mut standing = vec![false; self.slots.len()];
        let mut new = Vec::new();
        for overlay in found.all {
            match slots.get(&overlay) {
                Some(at) => standing[*at] = true,
                None if self.only.accepts(&overlay) => new.push(overlay),
                None => {}
            }
        }
        let mut affected = Vec::new();
        for (at, (slot, stands)) in self.slots.iter_mut().zip(standing).enumerate() {
            if slot.stands != stands {
                slot.stands = stands;
                affected.push(at);
            }
        }
        for overlay in new {
            affected.push(self.slots.len());
            let place = (overlay.app.clone(), overlay.environment);
            self.places.entry(place).or_default().push(self.slots.len());
            self.slots.push(Slot {
                overlay,
                stands: true,
                images: Vec::new(),
                error: None,
                closure: Closure::default(),
            });
        }
        Ok(affected)
    }

    fn render(&mut self, at: usize) -> Result<(), HistoryError> {
        let slot = &mut self.slots[at];
        if !slot.stands {
            (slot.images, slot.error) = (Vec::new(), None);
            return Ok(());
        }
        let closure = match self.renderer.render_any(&slot.overlay.path) {
            Ok(rendering) => {
                slot.images = State::of(&rendering.objects).images;
                slot.error = None;
                rendering.closure
            }
            Err(failed) if failed.error.is_unreadable => return Err(unreadable(failed.error)),
            Err(failed) => {
                let place = failed.error.span.map(|span| self.parsed.files.location(span));
                let place = place.map(|place| format!("{}:{}: ", place.path, place.line)).unwrap_or_default();
                (slot.images, slot.error) = (Vec::new(), Some(place + &failed.error.message));
                failed.closure
            }
        };
        if closure != slot.closure {
            for path in closure.paths().filter(|path| !slot.closure.holds(path)) {
                self.reading.entry(path.clone()).or_default().push(at);
            }
            self.holding.extend(closure.folders().map(|folder| (folder.clone(), at)));
            slot.closure = closure;
        }
        Ok(())
    }
}

fn unreadable(error: RenderError) -> HistoryError {
    HistoryError::Unreadable(error.message)
}
