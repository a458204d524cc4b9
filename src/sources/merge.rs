//! Merges two commits in memory, as the forge will: without the attributes, drivers, filters and settings of this clone.

use std::collections::{BTreeMap, HashMap};

use gix::objs::Write as _;

/// How a merge ended.
pub(super) enum Merged {
    /// The merged tree.
    Tree(gix::ObjectId),
    /// The paths that conflict.
    Conflicts(Vec<String>),
    /// Why two programs may come to two results.
    Ambiguous(String),
}

/// Merges `theirs` into `ours`. Where it matters how texts are compared, or which of several files an old one became, two
/// programs may merge in two ways, so that nobody knows what would land.
pub(super) fn merge(
    repository: &gix::Repository,
    ours: gix::ObjectId,
    theirs: gix::ObjectId,
) -> Result<Merged, gix::Error> {
    use gix::diff::blob::Algorithm;
    let usual = merge_as(repository, ours, theirs, Algorithm::Histogram, true)?;
    let Merged::Tree(tree) = &usual else { return Ok(usual) };
    let is_same = |other: &Merged| matches!(other, Merged::Tree(other) if other == tree);
    if !is_same(&merge_as(repository, ours, theirs, Algorithm::Myers, true)?) {
        return Ok(Merged::Ambiguous("texts that repeat themselves can be merged in several ways".to_owned()));
    }
    let plain = merge_as(repository, ours, theirs, Algorithm::Histogram, false)?;
    if !is_same(&plain) && !renames_are_certain(repository, ours, theirs)? {
        return Ok(Merged::Ambiguous("a file was moved, and it is not certain where to".to_owned()));
    }
    Ok(usual)
}

/// Whether each file that one side took away has the content of exactly one file that it added.
fn renames_are_certain(
    repository: &gix::Repository,
    ours: gix::ObjectId,
    theirs: gix::ObjectId,
) -> Result<bool, gix::Error> {
    let Some(ancestor) = repository.merge_base(ours, theirs)?.map(gix::Id::detach) else { return Ok(false) };
    let before = files_of(repository, ancestor)?;
    for side in [ours, theirs] {
        let after = files_of(repository, side)?;
        let mut added: HashMap<gix::ObjectId, usize> = HashMap::new();
        for (path, id) in &after {
            if !before.contains_key(path) {
                *added.entry(*id).or_default() += 1;
            }
        }
        let removed = before.iter().filter(|(path, _)| !after.contains_key(*path));
        // Without anything new, nothing was moved.
        if !added.is_empty() && removed.into_iter().any(|(_, id)| added.get(id) != Some(&1)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Every file of a commit, and its content.
fn files_of(
    repository: &gix::Repository,
    commit: gix::ObjectId,
) -> Result<BTreeMap<gix::bstr::BString, gix::ObjectId>, gix::Error> {
    let tree = repository.find_commit(commit)?.tree()?;
    let entries = tree.traverse().breadthfirst.files()?;
    Ok(entries.into_iter().map(|entry| (entry.filepath, entry.oid)).collect())
}

#[expect(clippy::default_trait_access, reason = "the types say less than the parameters' names")]
fn merge_as(
    repository: &gix::Repository,
    ours: gix::ObjectId,
    theirs: gix::ObjectId,
    algorithm: gix::diff::blob::Algorithm,
    follows_renames: bool,
) -> Result<Merged, gix::Error> {
    use gix::diff::blob::{Platform as Differ, pipeline as differ};
    use gix::merge::blob::{Platform as Merger, pipeline as merger};
    let (hash, root) = (repository.object_hash(), repository.git_dir());
    let filter = || gix::filter::plumbing::Pipeline::new(gix::command::Context::default(), hash, Default::default());
    // A stack without any source of attributes.
    let attributes = || {
        let state = gix::worktree::stack::State::AttributesStack(gix::worktree::stack::state::Attributes::default());
        gix::worktree::Stack::new(root, state, gix::glob::pattern::Case::Sensitive, Vec::new(), Vec::new())
    };
    let pipeline = differ::WorktreeRoots::default();
    let pipeline = gix::diff::blob::Pipeline::new(pipeline, filter(), Vec::new(), Default::default());
    let mut differ = Differ::new(Default::default(), pipeline, differ::Mode::ToGit, attributes());
    let pipeline = gix::merge::blob::Pipeline::new(merger::WorktreeRoots::default(), filter(), Default::default());
    let mut merger = Merger::new(pipeline, merger::Mode::ToGit, attributes(), Vec::new(), Default::default());
    let mut tree_merge = gix::merge::plumbing::tree::Options {
        rewrites: follows_renames.then(gix::diff::Rewrites::default),
        ..Default::default()
    };
    tree_merge.blob_merge.text.diff_algorithm = algorithm;
    let outcome = gix::merge::plumbing::commit(
        ours,
        theirs,
        gix::merge::blob::builtin_driver::text::Labels::default(),
        &mut repository.revision_graph(None),
        &mut differ,
        &mut merger,
        repository,
        &mut |id| id.to_string(),
        gix::merge::plumbing::commit::Options { tree_merge, ..Default::default() },
    )?;
    let how = gix::merge::tree::TreatAsUnresolved::default();
    let conflicts = outcome.tree_merge.conflicts.iter().filter(|conflict| conflict.is_unresolved(how));
    let mut paths: Vec<String> = conflicts.map(|conflict| format!("`{}`", conflict.ours.location())).collect();
    if !paths.is_empty() {
        paths.sort();
        paths.dedup();
        return Ok(Merged::Conflicts(paths));
    }
    let mut tree = outcome.tree_merge.tree;
    Ok(Merged::Tree(tree.write(|tree| repository.write(tree))?))
}
