//! Merges two commits in memory, as the forge will: without the attributes, drivers, filters and settings of this clone.

use gix::objs::Write as _;

/// How a merge ended.
pub(super) enum Merged {
    /// The merged tree.
    Tree(gix::ObjectId),
    /// The paths that conflict.
    Conflicts(Vec<String>),
}

/// Merges `theirs` into `ours`.
#[expect(clippy::default_trait_access, reason = "the types say less than the parameters' names")]
pub(super) fn merge(
    repository: &gix::Repository,
    ours: gix::ObjectId,
    theirs: gix::ObjectId,
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
    let tree_merge =
        gix::merge::plumbing::tree::Options { rewrites: Some(gix::diff::Rewrites::default()), ..Default::default() };
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
