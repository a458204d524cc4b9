//! Overlays on their way through history: which are there, what they run, and which of them a commit touches.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rayon::prelude::*;

use super::{HistorySource, ImageKey, Place};
use crate::config::Config;
use crate::facts::HistoryError;
use crate::kustomize::{
    Bump, Closure, FILE_NAMES, Outline, ParsedFiles, RenderError, Renderer, Rendering, Scanner, Unrendered, outline,
};
use crate::model::{Candidates, Image, Overlay, OverlayFilter, Overlays, State, UsedImage, discover_among};
use crate::sources::{Commit, MovedPath, MovingTree, RepoPath, Tree};
use crate::span::FileId;

/// How many bytes of text are kept on the way; past it those that nobody needs are forgotten.
const MOST_TEXT: usize = 32 << 20;

/// Follows the overlays that are wanted from commit to commit, in either direction.
pub(super) struct Sweep<'a> {
    config: &'a Config,
    files: &'a ParsedFiles,
    tree: &'a MovingTree,
    renderer: Renderer<'a>,
    scanner: Scanner<'a>,
    candidates: Candidates,
    known: &'a Overlays,
    filter: OverlayFilter<'a>,
    pub(super) slots: Vec<Slot>,
    /// The overlays of an app in an environment.
    pub(super) places: BTreeMap<Place, Vec<usize>>,
    /// Which overlays have looked for a path.
    reading: HashMap<RepoPath, Vec<usize>>,
    /// Folders whose every file counts, and for which overlay.
    holding: Vec<(RepoPath, usize)>,
    /// Kustomizations that have changed since overlays were looked for.
    unscanned: Vec<RepoPath>,
    outlines: HashMap<RepoPath, Outline>,
    is_one_of_several: bool,
}

/// An overlay on its way through history.
pub(super) struct Slot {
    pub(super) overlay: Overlay,
    /// Whether it is there.
    exists: bool,
    /// Whether anybody still wants to know what it runs.
    is_followed: bool,
    images: Vec<UsedImage>,
    /// Why it does not render, with its place.
    pub(super) error: Option<String>,
    /// The first such reason that was met.
    pub(super) first_error: Option<String>,
    /// Whether it did not render before the last step that touched it.
    pub(super) was_in_gap: bool,
    closure: Closure,
}

impl Slot {
    pub(super) fn place(&self) -> Place {
        (self.overlay.app.clone(), self.overlay.environment)
    }
}

impl<'a> Sweep<'a> {
    /// Begins with an empty tree; `is_one_of_several` where other sweeps keep the processor's cores busy.
    pub(super) fn new(source: &HistorySource<'a>, tree: &'a MovingTree, is_one_of_several: bool) -> Self {
        let HistorySource { files, config, overlays, filter, .. } = *source;
        Self {
            config,
            files,
            tree,
            renderer: Renderer::moving(files, tree, overlays.rendering(config).for_past()),
            scanner: Scanner::moving(files, tree),
            candidates: Candidates::new(config),
            known: overlays,
            filter,
            slots: Vec::new(),
            places: BTreeMap::new(),
            reading: HashMap::new(),
            holding: Vec::new(),
            unscanned: Vec::new(),
            outlines: HashMap::new(),
            is_one_of_several,
        }
    }

    /// What an app runs in an environment.
    pub(super) fn images_in(&self, place: &Place) -> BTreeMap<ImageKey, &Image> {
        let slots = self.places.get(place).into_iter().flatten().map(|at| &self.slots[*at]);
        let images = slots.flat_map(|slot| &slot.images).map(|used| &used.image);
        images.map(|image| (ImageKey::of(image, &self.config.mirrors), image)).collect()
    }

    /// Renders no more of what an app runs in an environment.
    pub(super) fn stop_following(&mut self, place: &Place) {
        for at in self.places.get(place).into_iter().flatten() {
            self.slots[*at].is_followed = false;
        }
    }

    /// Goes to a commit; says which overlays run something else there, or may.
    pub(super) fn go_to(&mut self, commit: &Commit) -> Result<BTreeSet<usize>, HistoryError> {
        self.forget_texts();
        let moved = self.tree.go_to(commit)?;
        let paths: Vec<RepoPath> = moved.iter().map(|moved| moved.path.clone()).collect();
        self.renderer.forget(&paths);
        self.scanner.forget(&paths);
        let mut affected: BTreeSet<usize> =
            paths.iter().filter_map(|path| self.reading.get(path)).flatten().copied().collect();
        let is_inside = |(folder, _): &&(RepoPath, usize)| paths.iter().any(|path| path.is_within(folder));
        affected.extend(self.holding.iter().filter(is_inside).map(|(_, at)| *at));
        if self.is_reshaped(&moved)? {
            affected.extend(self.find_overlays()?);
        }
        affected.retain(|at| self.slots[*at].is_followed);
        let mut to_render = Vec::new();
        for at in &affected {
            match self.bumped(*at, &moved)? {
                Some(images) => {
                    self.slots[*at].images = images;
                    self.slots[*at].was_in_gap = false;
                }
                None => to_render.push(*at),
            }
        }
        self.render(&to_render)?;
        Ok(affected)
    }

    /// Forgets the texts of files that no image comes from, where there are many.
    fn forget_texts(&mut self) {
        if self.files.files.bytes() < MOST_TEXT {
            return;
        }
        let mut kept: HashSet<FileId> = HashSet::new();
        for used in self.slots.iter().flat_map(|slot| &slot.images) {
            let earlier = std::iter::successors(used.origin.before.as_deref(), |node| node.origin.before.as_deref());
            kept.extend(earlier.map(|node| node.origin.span.file).chain([used.origin.span.file]));
        }
        self.renderer.forget_all();
        self.scanner.clear();
        self.files.keep_only(&kept);
    }

    /// What an overlay runs after a step that changes nothing of it but tags and digests in its own kustomization; `None`
    /// where it has to be rendered.
    fn bumped(&self, at: usize, moved: &[MovedPath]) -> Result<Option<Vec<UsedImage>>, HistoryError> {
        let slot = &self.slots[at];
        let mut reaching = moved.iter().filter(|moved| slot.closure.holds(&moved.path));
        let (Some(moved), None) = (reaching.next(), reaching.next()) else { return Ok(None) };
        let path = &moved.path;
        let is_own = FILE_NAMES.contains(&path.file_name()) && path.parent().as_ref() == Some(&slot.overlay.path);
        if !moved.is_modified_file() || !is_own || !slot.exists || slot.error.is_some() {
            return Ok(None);
        }
        let files = &self.files.files;
        let mut places = slot.images.iter().map(|used| used.origin.span.file);
        let Some(old) = places.find(|file| files.get(*file).path == *path) else { return Ok(None) };
        let (id, content) = match self.tree.read(path) {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(None),
            Err(error) if error.is_too_large() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Ok(text) = std::str::from_utf8(&content) else { return Ok(None) };
        let Some(bump) = Bump::between(self.files, old, files.add(path, id, text)) else { return Ok(None) };
        Ok(slot.images.iter().map(|used| used.bumped(old, &bump)).collect())
    }

    /// Whether other folders may be overlays now.
    fn is_reshaped(&mut self, moved: &[MovedPath]) -> Result<bool, HistoryError> {
        let mut is_reshaped = false;
        for moved in moved {
            is_reshaped |= self.candidates.follow(moved);
            if !FILE_NAMES.contains(&moved.path.file_name()) {
                continue;
            }
            self.unscanned.push(moved.path.clone());
            if moved.is_modified_file() && !self.is_out_of_interest(&moved.path) {
                let new = outline(self.files, self.tree, &moved.path).map_err(unreadable)?;
                is_reshaped |= self.outlines.get(&moved.path) != Some(&new);
            }
        }
        Ok(is_reshaped)
    }

    /// Whether a kustomization is that of an overlay which nobody follows any more, and nothing else is made from it: whatever
    /// it lists only matters to that overlay's own place.
    fn is_out_of_interest(&self, kustomization: &RepoPath) -> bool {
        let is_unfollowed = |at: &usize| !self.slots[*at].is_followed;
        let readers = self.reading.get(kustomization).into_iter().flatten();
        let is_own = |at: &usize| kustomization.parent().as_ref() == Some(&self.slots[*at].overlay.path);
        readers.clone().any(is_own) && readers.clone().all(is_unfollowed)
    }

    /// Looks for overlays again; says which are new or gone.
    fn find_overlays(&mut self) -> Result<Vec<usize>, HistoryError> {
        for path in std::mem::take(&mut self.unscanned) {
            let new = outline(self.files, self.tree, &path).map_err(unreadable)?;
            self.outlines.insert(path, new);
        }
        let found = discover_among(self.config, &self.candidates, &self.scanner, Some(self.known));
        let slots: HashMap<&Overlay, usize> =
            self.slots.iter().enumerate().map(|(at, slot)| (&slot.overlay, at)).collect();
        let mut existing = vec![false; self.slots.len()];
        let mut new = Vec::new();
        for overlay in found.map_err(unreadable)?.all {
            match slots.get(&overlay) {
                Some(at) => existing[*at] = true,
                None if self.filter.accepts(&overlay) => new.push(overlay),
                None => {}
            }
        }
        let mut affected = Vec::new();
        for (at, (slot, exists)) in self.slots.iter_mut().zip(existing).enumerate() {
            if slot.exists != exists {
                slot.exists = exists;
                affected.push(at);
            }
        }
        for overlay in new {
            affected.push(self.slots.len());
            let place = (overlay.app.clone(), overlay.environment);
            let beside = self.places.entry(place).or_default();
            // What belongs to a place of which nobody wants to know more is not followed either.
            let is_followed = beside.iter().all(|at| self.slots[*at].is_followed);
            beside.push(self.slots.len());
            self.slots.push(Slot {
                overlay,
                exists: true,
                is_followed,
                images: Vec::new(),
                error: None,
                first_error: None,
                was_in_gap: false,
                closure: Closure::default(),
            });
        }
        Ok(affected)
    }

    fn render(&mut self, to_render: &[usize]) -> Result<(), HistoryError> {
        let (renderer, slots, config) = (&self.renderer, &self.slots, self.config);
        let render = |at: &usize| {
            let slot = &slots[*at];
            slot.exists.then(|| renderer.render_any(&slot.overlay.path).map(|rendering| Running::of(rendering, config)))
        };
        let rendered: Vec<Option<Result<Running, Box<Unrendered>>>> = if self.is_one_of_several || to_render.len() == 1
        {
            to_render.iter().map(render).collect()
        } else {
            to_render.par_iter().map(render).collect()
        };
        for (at, rendered) in to_render.iter().zip(rendered) {
            self.take(*at, rendered)?;
        }
        Ok(())
    }

    /// Takes what an overlay renders to; nothing where it is not there.
    fn take(&mut self, at: usize, rendered: Option<Result<Running, Box<Unrendered>>>) -> Result<(), HistoryError> {
        let slot = &mut self.slots[at];
        slot.was_in_gap = slot.error.is_some();
        let closure = match rendered {
            None => {
                (slot.images, slot.error) = (Vec::new(), None);
                return Ok(());
            }
            Some(Ok(running)) => {
                (slot.images, slot.error) = (running.images, None);
                running.closure
            }
            Some(Err(failed)) if failed.error.is_unreadable => return Err(unreadable(failed.error)),
            Some(Err(failed)) => {
                let place = failed.error.span.map(|span| self.files.files.location(span));
                let place = place.map(|place| format!("{}:{}: ", place.path, place.line)).unwrap_or_default();
                let why = place + &failed.error.message;
                slot.first_error.get_or_insert_with(|| why.clone());
                (slot.images, slot.error) = (Vec::new(), Some(why));
                failed.closure
            }
        };
        if closure != slot.closure {
            for path in slot.closure.paths().filter(|path| !closure.holds(path)) {
                if let Some(readers) = self.reading.get_mut(path) {
                    readers.retain(|reader| *reader != at);
                }
            }
            for path in closure.paths() {
                let readers = self.reading.entry(path.clone()).or_default();
                if !readers.contains(&at) {
                    readers.push(at);
                }
            }
            self.holding.retain(|(_, holder)| *holder != at);
            self.holding.extend(closure.folders().map(|folder| (folder.clone(), at)));
            slot.closure = closure;
        }
        Ok(())
    }
}

/// What a rendering says about an overlay on its way.
struct Running {
    images: Vec<UsedImage>,
    closure: Closure,
}

impl Running {
    fn of(rendering: Rendering, config: &Config) -> Self {
        Self { images: State::of(&rendering, config).images, closure: rendering.closure }
    }
}

fn unreadable(error: RenderError) -> HistoryError {
    HistoryError::Unreadable(error.message)
}
