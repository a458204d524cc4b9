use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gix::bstr::ByteSlice as _;

use super::ci::CiVariables;
use super::commit::Store;
use super::merge::{Merged, merge};
use super::{CommitTree, IndexTree, MovingTree, RepoPath, Tree, WorkingTree};
use crate::sided::Sided;

/// A commit's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(gix::ObjectId);

impl fmt::Display for CommitId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

impl From<gix::ObjectId> for CommitId {
    fn from(id: gix::ObjectId) -> Self {
        Self(id)
    }
}

impl CommitId {
    pub(super) fn object(&self) -> gix::ObjectId {
        self.0
    }

    /// The first seven digits, as people quote commits.
    #[must_use]
    pub fn short(&self) -> String {
        self.0.to_hex_with_len(7).to_string()
    }
}

/// One commit, as far as the gate looks at it.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Its id.
    pub id: CommitId,
    /// When it was committed, in seconds since 1970 UTC.
    pub time: i64,
    /// The author's name.
    pub author_name: String,
    /// The author's mail address.
    pub author_email: String,
    /// Who committed it, and whoever its message names by `Co-authored-by`: names and mail addresses.
    pub others: Vec<(String, String)>,
    /// How many parents it has.
    pub parents: usize,
    /// Whether GitHub itself made it: the committer of what is merged or squashed there.
    pub is_by_forge: bool,
    pub(super) tree: gix::ObjectId,
}

/// Which two revisions are compared.
#[derive(Clone, Debug)]
pub enum Scope {
    /// Two revisions; what is absent is found from the CI's environment, else from the default branch.
    Revisions {
        /// What the change would be merged into.
        base: Option<String>,
        /// The change.
        head: Option<String>,
    },
    /// `HEAD` against what is staged.
    Staged,
    /// `HEAD` against the working tree.
    Worktree,
}

/// The two sides of a change, and who made it.
pub struct Comparison {
    /// The tip that the change would be merged into.
    pub base: Commit,
    /// The base's files.
    pub base_tree: CommitTree,
    /// The change's own tip; `None` where it is not committed.
    pub head: Option<Commit>,
    /// What would land: the merge of the change into the base.
    pub head_tree: Box<dyn Tree>,
    /// The commits that the change adds to the base, newest first.
    pub added: Vec<Commit>,
}

impl Comparison {
    /// The files of both sides.
    #[must_use]
    pub fn trees(&self) -> Sided<&dyn Tree> {
        Sided { base: &self.base_tree, head: &*self.head_tree }
    }
}

/// Why the repository cannot be judged. All are the caller's to mend: a missing revision, a shallow clone, a conflict.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum RepositoryError {
    /// There is no repository.
    #[error("`{0}` is not in a Git repository")]
    #[diagnostic(help("run this in a clone of the config repository, or name one with `--repo`"))]
    Absent(String),
    /// There is no working tree.
    #[error("the repository at `{0}` is bare: it has no index and no working tree")]
    #[diagnostic(help("name two commits: `--base` and `--head`"))]
    Bare(String),
    /// The index holds a merge that is not finished.
    #[error("{0}")]
    #[diagnostic(help("finish the merge and stage the result, then run again"))]
    Unmerged(String),
    /// There is no commit yet.
    #[error("the repository at `{0}` has no commit yet")]
    #[diagnostic(help("commit something first: the gate compares a change with the base branch"))]
    Empty(String),
    /// A revision that nothing has.
    #[error("`{revision}` is not a commit in this clone: {why}")]
    #[diagnostic(help("`git rev-parse --verify {revision}` must print one; fetch it first (`git fetch origin`)"))]
    Revision {
        /// As it was given.
        revision: String,
        /// What Git's library said.
        why: String,
    },
    /// History is cut off before the answer.
    #[error("this clone is shallow: {0}")]
    #[diagnostic(help(
        "fetch all history: `fetch-depth: 0` in actions/checkout, `GIT_DEPTH: 0` in GitLab CI, `git fetch --unshallow` by hand"
    ))]
    Shallow(String),
    /// Objects are with a remote.
    #[error("this clone is partial: some of what is needed is only at `{remote}` ({why})")]
    #[diagnostic(help(
        "clone without `--filter` (`filter` in actions/checkout), or let git fetch what is needed: `--fetch-missing`"
    ))]
    Partial {
        /// The remote.
        remote: String,
        /// What could not be read.
        why: String,
    },
    /// Objects that are with a remote cannot be fetched.
    #[error("cannot fetch what is missing from `{remote}`: {why}")]
    #[diagnostic(help(
        "the job must be able to fetch: leave its credentials with the clone, or clone without `--filter`"
    ))]
    Fetch {
        /// The remote.
        remote: String,
        /// What git said.
        why: String,
    },
    /// Nothing says what the change is compared with.
    #[error("cannot find the base: {0}")]
    #[diagnostic(help("name it: `--base origin/main`"))]
    NoBase(String),
    /// GitLab fetches the change only.
    #[error("the target branch `{0}` was not fetched")]
    #[diagnostic(help("fetch it first: `git fetch origin +refs/heads/{0}:refs/remotes/origin/{0}`"))]
    NotFetched(String),
    /// The change does not merge.
    #[error("the change conflicts with the base in {}", .0.join(", "))]
    #[diagnostic(help("what would land is unknown; rebase the change or merge the base into it, then run again"))]
    Conflict(Vec<String>),
    /// The change merges, but not in one way only.
    #[error("it is not certain what would land: {0}")]
    #[diagnostic(help("rebase the change or merge the base into it, then run again"))]
    Ambiguity(String),
    /// The environment that a CI gave does not hold together.
    #[error("cannot read the event file `{path}`: {why}")]
    #[diagnostic(help("give the revisions instead: `--base` and `--head`"))]
    Event {
        /// The file named by `GITHUB_EVENT_PATH`.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A name that is a branch and something else.
    #[error("`{name}` is ambiguous: {}", .places.join(" and "))]
    #[diagnostic(help("write it out, such as `refs/heads/{name}`, or remove the other one"))]
    Ambiguous {
        /// As it was given.
        name: String,
        /// The full names that it may mean.
        places: Vec<String>,
    },
    /// A push that says what it changed only by its author's own word.
    #[error("the event names no two sides that can be compared")]
    #[diagnostic(help("name them: `--base origin/main --head HEAD`"))]
    NoSides,
    /// A snapshot.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tree(#[from] super::TreeError),
    /// The object database failed.
    #[error("cannot read the repository: {0}")]
    #[diagnostic(help("`git fsck` says what is damaged"))]
    Read(String),
}

/// Bytes of unpacked objects that are kept for the objects that build on them.
const PACK_CACHE: usize = 96 << 20;

/// How a repository is opened: with its own format, and nothing else that whoever made the clone can set. Replace refs would
/// show other objects than those that are deployed.
fn isolated() -> gix::open::Options {
    gix::open::Options::isolated().config_overrides(["core.useReplaceRefs=false", "core.attributesFile="])
}

fn read_error(error: impl fmt::Display) -> RepositoryError {
    RepositoryError::Read(error.to_string())
}

/// A commit and its first parent.
fn decoded(
    repository: &gix::Repository,
    id: gix::ObjectId,
) -> Result<(Commit, Option<gix::ObjectId>), RepositoryError> {
    let object = repository.find_commit(id).map_err(read_error)?;
    let decoded = object.decode().map_err(read_error)?;
    let author = decoded.author().map_err(read_error)?;
    let committer = decoded.committer().map_err(read_error)?;
    let person = |name: &[u8], email: &[u8]| (name.to_str_lossy().into_owned(), email.to_str_lossy().into_owned());
    let mut others = vec![person(committer.name, committer.email)];
    others.extend(co_authors(&decoded.message.to_str_lossy()));
    let commit = Commit {
        id: CommitId(id),
        others,
        time: committer.seconds(),
        author_name: author.name.to_str_lossy().into_owned(),
        author_email: author.email.to_str_lossy().into_owned(),
        parents: decoded.parents().count(),
        is_by_forge: committer.email == "noreply@github.com",
        tree: decoded.tree(),
    };
    Ok((commit, decoded.parents().next()))
}

/// The first-parent line of a change.
#[derive(Debug, Default)]
pub struct LineOfChange {
    /// Its own commits, newest first.
    pub commits: Vec<Commit>,
    /// The commit of the base branch's past that it comes from, where that is not the base's tip.
    pub left_out: Option<Commit>,
    /// Whether it can land without a merge.
    pub is_fast_forward: bool,
    /// Whether it does not come from the base branch at all.
    pub begins_anew: bool,
}

/// Whoever a commit's message names by `Co-authored-by: NAME <MAIL>`: names and mail addresses.
#[must_use]
pub fn co_authors(message: &str) -> Vec<(String, String)> {
    let trailer = |line: &str| {
        let (key, rest) = line.split_once(':')?;
        let (name, email) = rest.split_once('<').filter(|_| key.trim().eq_ignore_ascii_case("co-authored-by"))?;
        Some((name.trim().to_owned(), email.trim_end().trim_end_matches('>').to_owned()))
    };
    message.lines().filter_map(trailer).collect()
}

/// A Git repository, opened for reading.
pub struct Repository {
    store: Arc<Store>,
    root: PathBuf,
}

impl Repository {
    /// Finds the repository that holds `folder`; `None` where there is none.
    ///
    /// # Errors
    /// When a repository is there but cannot be opened.
    pub fn discover(folder: &Path) -> Result<Option<Self>, RepositoryError> {
        let holds = |folder: &Path| {
            folder.join(".git").exists() || folder.join("HEAD").is_file() && folder.join("objects").is_dir()
        };
        let Ok(absolute) = folder.canonicalize() else { return Ok(None) };
        if !absolute.ancestors().any(holds) {
            return Ok(None);
        }
        let mut repository = gix::discover_opts(&absolute, gix::discover::upwards::Options::default(), isolated())
            .map_err(read_error)?
            .with_object_memory();
        repository.object_cache_size(32 << 20);
        // Trees of neighbouring commits are stored as differences of each other; without their bases at hand each one
        // is put together from the beginning of its chain.
        repository
            .objects
            .set_pack_cache(|| Box::new(gix::odb::pack::cache::lru::MemoryCappedHashmap::new(PACK_CACHE)));
        let root = repository.workdir().map_or(absolute.clone(), Path::to_owned);
        let root = root.canonicalize().unwrap_or(root);
        Ok(Some(Self { store: Arc::new(Store::new(repository)), root }))
    }

    /// Where the working tree stands.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The working tree, as a tree.
    #[must_use]
    pub fn working_tree(&self) -> WorkingTree {
        WorkingTree::with_hash(&self.root, self.store.with(gix::Repository::object_hash))
    }

    /// The files of a commit.
    #[must_use]
    pub fn tree(&self, commit: &Commit) -> CommitTree {
        CommitTree::new(Arc::clone(&self.store), commit.tree, &commit.id.short())
    }

    /// A snapshot that can go from commit to commit; it begins with nothing.
    #[must_use]
    pub fn moving_tree(&self) -> MovingTree {
        MovingTree::new(Arc::clone(&self.store))
    }

    /// Resolves a revision as `git rev-parse` does.
    ///
    /// # Errors
    /// When it names no commit, or history is missing.
    pub fn commit(&self, revision: &str) -> Result<Commit, RepositoryError> {
        self.refuse_ambiguous(revision)?;
        let id = self.store.with(|repository| {
            let spec = format!("{revision}^{{commit}}");
            repository.rev_parse_single(spec.as_str()).map(gix::Id::detach).map_err(|error| error.to_string())
        });
        match id {
            Ok(id) => self.read_commit(id),
            Err(_) if self.is_shallow()? => Err(RepositoryError::Shallow(format!("`{revision}` was not fetched"))),
            Err(why) => Err(RepositoryError::Revision { revision: revision.to_owned(), why }),
        }
    }

    /// Refuses a name that more than one kind of reference has: a tag may be called like a branch.
    fn refuse_ambiguous(&self, revision: &str) -> Result<(), RepositoryError> {
        let name = revision.split(['^', '~', '@', ':']).next().unwrap_or_default();
        let places = ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"].map(|place| format!("{place}{name}"));
        let found: Vec<String> = self.store.with(|repository| {
            let stands = |place: &String| {
                let found = repository.try_find_reference(place.as_str()).ok().flatten();
                found.is_some_and(|found| found.name().as_bstr() == place.as_bytes())
            };
            places.into_iter().filter(|place| place.starts_with("refs/") || *place == "HEAD").filter(stands).collect()
        });
        if found.len() > 1 {
            return Err(RepositoryError::Ambiguous { name: name.to_owned(), places: found });
        }
        Ok(())
    }

    /// Whether history was cut off when the repository was cloned.
    ///
    /// # Errors
    /// When the list of cut-off commits cannot be read.
    pub fn is_shallow(&self) -> Result<bool, RepositoryError> {
        self.store.reading(gix::Repository::is_shallow).map_err(read_error)
    }

    fn read_commit(&self, id: gix::ObjectId) -> Result<Commit, RepositoryError> {
        self.store.reading(|repository| decoded(repository, id)).map(|(commit, _)| commit)
    }

    /// The first-parent line of a commit, newest first: on the base branch, the order in which changes landed.
    /// The flag says whether the line reaches its root; in a shallow clone it may not.
    ///
    /// # Errors
    /// When a commit cannot be read.
    pub fn first_parent_line(&self, from: &Commit) -> Result<(Vec<Commit>, bool), RepositoryError> {
        let cut_off: HashSet<gix::ObjectId> = self.store.reading(|repository| {
            let commits = repository.shallow_commits().map_err(read_error)?;
            Ok::<_, RepositoryError>(commits.map(|commits| commits.iter().copied().collect()).unwrap_or_default())
        })?;
        self.store.reading(|repository| {
            let mut line = Vec::new();
            let mut next = Some(from.id.0);
            while let Some(id) = next {
                let (commit, parent) = decoded(repository, id)?;
                line.push(commit);
                if cut_off.contains(&id) && parent.is_some() {
                    return Ok((line, false));
                }
                next = parent;
            }
            Ok((line, true))
        })
    }

    /// The change's own first-parent line: the states that it goes through on its way to the head. With a fast-forward they
    /// become states of the base branch.
    ///
    /// # Errors
    /// When a commit cannot be read.
    pub fn line_of_change(&self, comparison: &Comparison) -> Result<LineOfChange, RepositoryError> {
        let added: HashSet<gix::ObjectId> = comparison.added.iter().map(|commit| commit.id.0).collect();
        let base = comparison.base.id.0;
        self.store.reading(|repository| {
            let mut line = LineOfChange::default();
            let mut next = comparison.head.as_ref().map(|head| head.id.0);
            while let Some(id) = next.filter(|id| added.contains(id)) {
                let (commit, parent) = decoded(repository, id)?;
                line.commits.push(commit);
                line.begins_anew = parent.is_none();
                next = parent;
            }
            if let Some(fork) = next.filter(|fork| *fork != base && !line.commits.is_empty()) {
                line.left_out = Some(decoded(repository, fork)?.0);
            }
            let head = comparison.head.as_ref().map(|head| head.id.0);
            line.is_fast_forward = head.is_some_and(|head| {
                repository.merge_base(base, head).is_ok_and(|found| found.map(gix::Id::detach) == Some(base))
            });
            Ok(line)
        })
    }

    /// What a commit itself changes: what differs from each of its parents, so that a merge without conflicts changes nothing.
    ///
    /// # Errors
    /// When a commit cannot be read.
    pub fn own_changes(&self, commit: &Commit) -> Result<Vec<RepoPath>, RepositoryError> {
        let parents = self.store.reading(|repository| {
            let parents = repository.find_commit(commit.id.0).map_err(read_error)?;
            let parents: Vec<gix::ObjectId> = parents.parent_ids().map(gix::Id::detach).collect();
            parents
                .into_iter()
                .map(|id| decoded(repository, id).map(|(commit, _)| commit))
                .collect::<Result<Vec<_>, _>>()
        })?;
        let tree = self.tree(commit);
        let mut changed: Option<Vec<RepoPath>> = None;
        for parent in &parents {
            let from = super::changed(&self.tree(parent), &tree)?;
            changed = Some(match changed {
                Some(known) => known.into_iter().filter(|path| from.binary_search(path).is_ok()).collect(),
                None => from,
            });
        }
        match changed {
            Some(changed) => Ok(changed),
            None => Ok(super::list(&tree)?.files),
        }
    }

    /// Whether one commit, merged into the base, gives the files of another one: a merge queue makes such commits.
    ///
    /// # Errors
    /// When a commit cannot be read, or the two conflict.
    pub fn merges_to(&self, base: &Commit, change: &str, result: &Commit) -> Result<bool, RepositoryError> {
        let change = self.commit(change)?;
        let merged = self.merged(base, &change)?;
        Ok(super::changed(&*merged, &self.tree(result))?.is_empty())
    }

    /// Finds both sides of the change.
    ///
    /// # Errors
    /// When a side cannot be found, history that is needed is missing, or the change conflicts with the base.
    pub fn comparison(&self, scope: &Scope, variables: &CiVariables<'_>) -> Result<Comparison, RepositoryError> {
        let place = self.root.display().to_string();
        let tip = self.store.with(|repository| repository.head().map(|head| head.is_unborn())).map_err(read_error)?;
        if tip {
            return Err(RepositoryError::Empty(place));
        }
        match scope {
            Scope::Staged | Scope::Worktree => {
                if self.store.with(|repository| repository.workdir().is_none()) {
                    return Err(RepositoryError::Bare(place));
                }
                let base = self.commit("HEAD")?;
                let head_tree: Box<dyn Tree> = match scope {
                    Scope::Staged => {
                        Box::new(IndexTree::new(Arc::clone(&self.store)).map_err(RepositoryError::Unmerged)?)
                    }
                    _ => Box::new(self.working_tree()),
                };
                Ok(Comparison { base_tree: self.tree(&base), base, head: None, head_tree, added: Vec::new() })
            }
            Scope::Revisions { base, head } => {
                let (base, head) = self.revisions(base.as_deref(), head.as_deref(), variables)?;
                let head_tree = self.merged(&base, &head)?;
                let added = self.added(&base, &head)?;
                Ok(Comparison { base_tree: self.tree(&base), base, head: Some(head), head_tree, added })
            }
        }
    }

    /// The remote that has what a partial clone (`git clone --filter`) leaves out; `None` where this is none.
    #[must_use]
    pub fn promisor(&self) -> Option<String> {
        self.store.with(|repository| {
            let config = repository.config_snapshot();
            let is_promisor = |name: &str| config.boolean(&format!("remote.{name}.promisor")) == Some(true);
            let mut names = repository.remote_names().into_iter().map(|name| name.to_string());
            let named = config.string("extensions.partialClone").map(|name| name.to_string());
            names.find(|name| is_promisor(name)).or(named)
        })
    }

    /// The two commits that a scope compares; of what is not committed yet, the one that it is built on.
    ///
    /// # Errors
    /// When a revision is unknown.
    pub fn sides(&self, scope: &Scope, variables: &CiVariables<'_>) -> Result<(Commit, Commit), RepositoryError> {
        match scope {
            Scope::Revisions { base, head } => self.revisions(base.as_deref(), head.as_deref(), variables),
            Scope::Staged | Scope::Worktree => {
                let head = self.commit("HEAD")?;
                Ok((head.clone(), head))
            }
        }
    }

    fn revisions(
        &self,
        base: Option<&str>,
        head: Option<&str>,
        variables: &CiVariables<'_>,
    ) -> Result<(Commit, Commit), RepositoryError> {
        if let Some(base) = base {
            return Ok((self.commit(base)?, self.commit(head.unwrap_or("HEAD"))?));
        }
        if head.is_none()
            && let Some((base, head)) = self.named_by_environment(variables)?
        {
            return Ok((base, head));
        }
        let head = self.commit(head.unwrap_or("HEAD"))?;
        Ok((self.default_branch()?, head))
    }

    /// The base branch where no CI says which: what `origin/HEAD` points to, else a branch with a usual name.
    ///
    /// # Errors
    /// When there is none.
    pub fn default_branch(&self) -> Result<Commit, RepositoryError> {
        for name in [
            "refs/remotes/origin/HEAD",
            "refs/remotes/origin/main",
            "refs/remotes/origin/master",
            "refs/heads/main",
            "refs/heads/master",
        ] {
            let known = self.store.with(|repository| repository.rev_parse_single(name).map(gix::Id::detach).ok());
            if let Some(id) = known {
                return self.read_commit(id);
            }
        }
        Err(RepositoryError::NoBase("there is no `origin/HEAD`, `main` or `master`".to_owned()))
    }

    /// The tip of a branch: as it was fetched, else as it is here.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn branch(&self, name: &str) -> Result<Commit, RepositoryError> {
        let tip = ["refs/remotes/origin/", "refs/heads/"]
            .iter()
            .find_map(|place| self.commit(&format!("{place}{name}")).ok());
        tip.ok_or_else(|| RepositoryError::NotFetched(name.to_owned()))
    }

    /// What would land. A change that already contains the base's tip lands as it is; else the two are merged in memory.
    fn merged(&self, base: &Commit, head: &Commit) -> Result<Box<dyn Tree>, RepositoryError> {
        let shallow = self.is_shallow()?;
        let ancestor = self.store.with(|repository| {
            repository.merge_base(base.id.0, head.id.0).map(|base| base.map(gix::Id::detach)).map_err(read_error)
        });
        let ancestor = match ancestor {
            Ok(Some(ancestor)) => ancestor,
            Ok(None) | Err(_) if shallow => {
                let sides =
                    format!("the common ancestor of {} and {} was not fetched", base.id.short(), head.id.short());
                return Err(RepositoryError::Shallow(sides));
            }
            Ok(None) => {
                let why = format!("{} and {} have no common history", base.id.short(), head.id.short());
                return Err(RepositoryError::NoBase(why));
            }
            Err(error) => return Err(error),
        };
        if ancestor == base.id.0 {
            return Ok(Box::new(self.tree(head)));
        }
        // What a merge makes of odd names is not what a checkout of the change shows.
        super::changed(&self.tree(&self.read_commit(ancestor)?), &self.tree(head))?;
        let name = format!("the merge of {} into {}", head.id.short(), base.id.short());
        let merged = self.store.with(|repository| merge(repository, base.id.0, head.id.0)).map_err(read_error)?;
        let merged = match merged {
            Merged::Tree(tree) => tree,
            Merged::Conflicts(paths) => return Err(RepositoryError::Conflict(paths)),
            Merged::Ambiguous(why) => return Err(RepositoryError::Ambiguity(why)),
        };
        Ok(Box::new(CommitTree::new(Arc::clone(&self.store), merged, &name)))
    }

    /// Whether a commit is another, or comes from it.
    pub(super) fn contains(&self, tip: &Commit, known: &Commit) -> bool {
        let common = self
            .store
            .with(|repository| repository.merge_base(known.id.0, tip.id.0).ok().flatten().map(gix::Id::detach));
        common == Some(known.id.0)
    }

    fn added(&self, base: &Commit, head: &Commit) -> Result<Vec<Commit>, RepositoryError> {
        let ids = self.store.with(|repository| {
            let walk = repository.rev_walk([head.id.0]).with_hidden([base.id.0]).all().map_err(read_error)?;
            walk.map(|info| info.map(|info| info.id).map_err(read_error)).collect::<Result<Vec<_>, _>>()
        })?;
        ids.into_iter().map(|id| self.read_commit(id)).collect()
    }
}
