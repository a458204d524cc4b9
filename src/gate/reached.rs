//! What a change reaches: the overlays of both sides, those that a changed file can touch, and the cases to judge.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::trusted::Trusted;
use super::{GateError, Request, Selection};
use crate::config::Config;
use crate::facts::{Change, Context};
use crate::kustomize::{FolderScan, ParsedFiles, Scanner};
use crate::model::{Case, Checkout, Overlay, Overlays, RenderedOverlay, Unjudged, discover, reaches_deployer};
use crate::sided::Sided;
use crate::sources::{self, Listing, RepoPath};

/// What a change reaches.
pub(super) struct Reached<'a> {
    pub(super) overlays: Sided<Overlays>,
    /// Folders that a changed file can touch, before or after; all of them where all are to be judged.
    folders: BTreeSet<RepoPath>,
    scanners: Sided<Scanner<'a>>,
    checkouts: Sided<Checkout<'a>>,
    /// What the change touches and nobody judges.
    pub(super) unjudged: Unjudged,
}

/// An overlay that may have to be judged, and on which sides it is there.
pub(super) struct Candidate<'a> {
    overlay: &'a Overlay,
    exists: Sided<bool>,
}

impl<'a> Reached<'a> {
    pub(super) fn find(request: &'a Request<'_>, files: &'a ParsedFiles, trusted: &Trusted) -> Result<Self, GateError> {
        let trees = request.comparison.trees();
        let Trusted { config, change, .. } = trusted;
        let listing = sources::list(trees.base)?;
        let base_scanner = Scanner::new(files, trees.base);
        let base = discover(config, &listing, &base_scanner, None)?;
        let mut folders = reaching(request.selection, &base, &base_scanner, &listing, change)?;
        let base_checkout = Checkout::new(trees.base, files, &listing)?;
        let head_scanner = base_scanner.for_tree(trees.head, &change.files);
        let listing = listing.after(trees.head, &change.files)?;
        let head = discover(config, &listing, &head_scanner, Some(&base))?;
        let in_head = reaching(request.selection, &head, &head_scanner, &listing, change)?;
        let head_checkout = Checkout::new(trees.head, files, &listing)?;
        let is_asked =
            |path: &&RepoPath| request.selection == Selection::All || change.files.binary_search(path).is_ok();
        let changed: Vec<RepoPath> = listing.files.iter().filter(is_asked).cloned().collect();
        let unjudged = Unjudged::beside(&head, config, &in_head, &changed, &head_scanner)?;
        folders.extend(in_head);
        if base.all.is_empty() && head.all.is_empty() {
            return Err(nothing_found(config));
        }
        // Once merged, a configuration that finds nothing would refuse every change, its own correction included.
        if let Some(next) = &trusted.next
            && !head.all.is_empty()
            && discover(next, &listing, &head_scanner, None)?.all.is_empty()
        {
            return Err(GateError::NothingAfterwards);
        }
        let scanners = Sided { base: base_scanner, head: head_scanner };
        let checkouts = Sided { base: base_checkout, head: head_checkout };
        Ok(Self { overlays: Sided { base, head }, folders, scanners, checkouts, unjudged })
    }

    /// Every overlay of either side; the head's view counts where both have it.
    pub(super) fn candidates(&self) -> Vec<Candidate<'_>> {
        let Sided { base, head } = &self.overlays;
        let gone = base.all.iter().filter(|overlay| head.at(&overlay.path).is_none());
        let mut all: Vec<&Overlay> = head.all.iter().chain(gone).collect();
        all.sort();
        let paths = self.overlays.as_ref().map(|side| side.all.iter().map(|overlay| &overlay.path).collect());
        let paths: Sided<HashSet<&RepoPath>> = paths;
        // What an object deploys can be rendered by it on both sides, whatever else is an overlay there.
        let exists = |overlay: &Overlay| {
            let sides = paths.as_ref().zip(self.overlays.as_ref());
            sides.map(|(paths, side)| paths.contains(&overlay.path) || side.deployer(&overlay.path).is_some())
        };
        all.into_iter().map(|overlay| Candidate { overlay, exists: exists(overlay) }).collect()
    }

    /// The candidates that the command line asks for.
    pub(super) fn asked_for(&self, request: &Request<'_>, config: &Config) -> Result<Vec<Candidate<'_>>, GateError> {
        let filter = request.filter(request.environment.and_then(|name| config.environment(name)));
        let mut candidates = self.candidates();
        candidates.retain(|candidate| filter.accepts(candidate.overlay));
        if candidates.is_empty() {
            let app = request.app.map(|app| format!("app `{app}`"));
            let environment = request.environment.map(|name| format!("environment `{name}`"));
            let wanted: Vec<String> = app.into_iter().chain(environment).collect();
            return Err(GateError::NoMatch(wanted.join(" in ")));
        }
        candidates.retain(|candidate| request.shard.holds(&candidate.overlay.app));
        Ok(candidates)
    }

    /// The case of a candidate, rendered before and after; `None` where it need not be judged: the change cannot reach it,
    /// or does not alter what it renders to.
    pub(super) fn case<'b>(
        &self,
        candidate: &Candidate<'b>,
        context: &Context<'_>,
        selection: Selection,
    ) -> Result<Option<Case<'b>>, GateError> {
        let path = &candidate.overlay.path;
        let changed = &context.change.files;
        let may_reach_deployer = changed.iter().any(|path| path.file_name().starts_with('.'));
        if !self.folders.contains(path) && !may_reach_deployer {
            return Ok(None);
        }
        let scans: Sided<Arc<FolderScan>> = self.scanners.as_ref().try_map(|scanner| scanner.scan(path))?;
        let reaches = |scan: &Arc<FolderScan>| may_reach_deployer && reaches_deployer(changed, path, &scan.closure);
        let is_touched = scans.iter().any(|scan| scan.closure.touches(changed) || reaches(scan));
        if !is_touched && selection == Selection::Affected {
            return Ok(None);
        }
        let render = |exists: bool, renderer, checkout: &Checkout<'_>| -> Result<_, GateError> {
            if !exists {
                return Ok(RenderedOverlay::default());
            }
            let mut rendered = RenderedOverlay::render(path, renderer, context.config)?;
            if let Some(rendering) = rendered.rendering.as_ref().filter(|_| rendered.error.is_none()) {
                rendered.error = checkout.flaw(path, &rendering.closure)?;
            }
            Ok(rendered)
        };
        let base = render(candidate.exists.base, &context.renderers.base, &self.checkouts.base)?;
        // Where all are asked for, whatever the scan says is not relied upon.
        let head = if changed.is_empty() {
            base.clone()
        } else {
            render(candidate.exists.head, &context.renderers.head, &self.checkouts.head)?
        };
        let is_affected = !base.deploys_same_as(&head) || base.error.is_some() != head.error.is_some();
        if !is_affected && selection == Selection::Affected {
            return Ok(None);
        }
        Ok(Some(Case { overlay: candidate.overlay, rendered: Sided { base, head }, scans, is_affected }))
    }
}

/// The folders of one side that the change can reach, or all.
fn reaching(
    selection: Selection,
    overlays: &Overlays,
    scanner: &Scanner<'_>,
    listing: &Listing,
    change: &Change,
) -> Result<BTreeSet<RepoPath>, GateError> {
    let folders: Vec<RepoPath> = overlays.folders.iter().cloned().collect();
    if selection == Selection::All {
        // Every one of them is looked at later.
        for scanned in folders.par_iter().map(|folder| scanner.scan(folder)).collect::<Vec<_>>() {
            scanned?;
        }
        return Ok(overlays.folders.clone());
    }
    Ok(scanner.reaching(&folders, listing, &change.files)?.into_iter().collect())
}

/// Says how an overlay is found, where none was.
pub(super) fn nothing_found(config: &Config) -> GateError {
    let branches: Vec<String> =
        config.environments.iter().filter_map(|environment| environment.branch.clone()).collect();
    if config.environment.is_none() && !branches.is_empty() {
        GateError::NoEnvironmentOfBranch(branches)
    } else if config.layouts.is_empty() {
        GateError::NoOverlay
    } else {
        GateError::NothingInLayout
    }
}
