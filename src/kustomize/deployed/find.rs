//! Finds the objects that deploy folders, anywhere in a tree: in what kustomizations render to, in files that no kustomization
//! lists, and in what such objects deploy themselves.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::Controlled;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::kustomization::FILE_NAMES;
use crate::kustomize::limits::DEEPEST_DEPLOYMENT;
use crate::kustomize::scan::{Marked, Scanner};
use crate::sources::{Listing, RepoPath};

/// Whether a file may hold an object that deploys.
fn may_deploy(content: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(content) else { return false };
    let is_of_argo = || text.contains("Application") || text.contains("syncWindows") && has_project(text);
    text.contains("kustomize.toolkit.fluxcd.io/") || text.contains("argoproj.io/") && is_of_argo()
}

/// Whether a file may hold a `CustomResourceDefinition`.
fn may_define(content: &[u8]) -> bool {
    std::str::from_utf8(content)
        .is_ok_and(|text| text.contains("CustomResourceDefinition") && text.contains("openAPIV3Schema"))
}

/// Whether a text has an `AppProject`, and not only the definition of what that is.
fn has_project(text: &str) -> bool {
    let is_head = |line: &str| line.starts_with("kind:") || line.starts_with('{');
    let names_it = |line: &str| is_head(line) && line.contains("AppProject");
    text.contains("AppProject") && (text.contains("kind: List") || text.lines().any(names_it))
}

impl Scanner<'_> {
    /// Every object of controllers whose files are in some folders; in all of them where none is named.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn controlled(&self, listing: &Listing, within: &[RepoPath]) -> Result<Controlled, RenderError> {
        let is_yaml = |path: &RepoPath| matches!(path.ending(), "yaml" | "yml");
        let is_asked = |path: &RepoPath| within.is_empty() || within.iter().any(|folder| path.is_within(folder));
        let read = |path: &RepoPath| match self.tree.read(path) {
            Ok(Some((_, content))) => Ok((may_deploy(&content), may_define(&content))),
            Ok(None) => Ok((false, false)),
            Err(error) if error.is_too_large() => Ok((false, false)),
            Err(error) => Err(RenderError::tree(&error)),
        };
        let known = self.marked.read().clone();
        let (mut marked, mut definitions, unread) = match &known {
            Some(known) => (known.files.clone(), known.definitions.clone(), &known.unread),
            None => (BTreeSet::new(), BTreeSet::new(), &listing.files),
        };
        let unread: Vec<&RepoPath> = unread.iter().filter(|path| is_yaml(path)).collect();
        let read = unread.par_iter().map(|path| read(path)).collect::<Vec<_>>();
        for (path, is_marked) in unread.into_iter().zip(read) {
            let (deploys, defines) = is_marked?;
            if deploys {
                marked.insert(path.clone());
            }
            if defines {
                definitions.insert(path.clone());
            }
        }
        let mut files: BTreeSet<&RepoPath> = marked.iter().filter(|path| is_asked(path)).collect();
        let defined: Vec<RepoPath> = definitions.iter().cloned().collect();
        *self.marked.write() = Some(Marked { files: marked.clone(), definitions, unread: Vec::new() });
        if files.is_empty() {
            return Ok(Controlled { definitions: defined, ..Controlled::default() });
        }
        let mut holders = self.kustomizations_over(listing, &files, &is_asked)?;
        for holder in &holders {
            let scan = self.scan(holder)?;
            files.retain(|path| !scan.closure.holds(path));
        }
        holders.extend(files.iter().filter(|path| !FILE_NAMES.contains(&path.file_name())).copied().cloned());
        Ok(Controlled { definitions: defined, ..self.deployed_by(holders)? })
    }

    /// The kustomizations that reach any of some files, and that no other one of them lists.
    fn kustomizations_over(
        &self,
        listing: &Listing,
        files: &BTreeSet<&RepoPath>,
        is_asked: &dyn Fn(&RepoPath) -> bool,
    ) -> Result<BTreeSet<RepoPath>, RenderError> {
        let is_kustomization = |path: &&RepoPath| FILE_NAMES.contains(&path.file_name());
        let folders: BTreeSet<RepoPath> =
            listing.files.iter().filter(is_kustomization).filter_map(RepoPath::parent).collect();
        let folders: Vec<RepoPath> = folders.into_iter().filter(|folder| is_asked(folder)).collect();
        let scans = folders.par_iter().map(|folder| self.scan(folder)).collect::<Vec<_>>();
        let mut over = BTreeSet::new();
        let mut listed: HashSet<RepoPath> = HashSet::new();
        for (folder, scan) in folders.into_iter().zip(scans) {
            let scan = scan?;
            if !scan.is_component && files.iter().any(|path| scan.closure.holds(path)) {
                listed.extend(scan.roots.iter().filter(|root| **root != folder).cloned());
                over.insert(folder);
            }
        }
        over.retain(|folder| !listed.contains(folder));
        Ok(over)
    }

    /// What is deployed by the objects of some holders, and by what these deploy.
    fn deployed_by(&self, holders: BTreeSet<RepoPath>) -> Result<Controlled, RenderError> {
        let mut by_holder: BTreeMap<RepoPath, Arc<Controlled>> = BTreeMap::new();
        let mut pending: Vec<RepoPath> = holders.into_iter().collect();
        for _ in 0..DEEPEST_DEPLOYMENT {
            // What a holder that does not render deploys is not known. Whatever reaches an environment by its path is judged as such.
            let read = pending.par_iter().map(|holder| self.holder(holder)).collect::<Vec<_>>();
            let mut found = Vec::new();
            for (holder, read) in pending.drain(..).zip(read) {
                let objects = read?.objects;
                found.extend(objects.deployers.iter().cloned());
                by_holder.insert(holder, objects);
            }
            // What deploys a holder in another form than it has says what its objects are.
            for deployer in found.iter().filter(|deployer| !deployer.changes.is_empty()) {
                let folder = &deployer.folder;
                let reach = self.scan(folder)?;
                let is_deployed = |holder: &&RepoPath| {
                    let is_listed = reach.roots.contains(*holder) || reach.closure.holds(holder);
                    let is_below = reach.file.is_none() && deployer.changes.is_recursive && holder.is_within(folder);
                    let is_other = holder.as_deployed().is_none() && **holder != deployer.holder;
                    is_other && (*holder == folder || is_listed || is_below)
                };
                let replaced: Vec<RepoPath> = by_holder.keys().filter(is_deployed).cloned().collect();
                if !replaced.is_empty() {
                    by_holder.retain(|holder, _| !replaced.contains(holder));
                    pending.push(deployer.path.clone());
                }
            }
            if pending.is_empty() {
                break;
            }
        }
        let mut all = Controlled::default();
        for objects in by_holder.values() {
            all.deployers.extend(objects.deployers.iter().cloned());
            all.projects.extend(objects.projects.iter().cloned());
        }
        Ok(all)
    }
}
