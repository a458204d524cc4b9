//! Files for one kustomization: found through links, kept inside the repository, noted in the closure.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::RenderError;
use super::fields::Text;
use super::kustomization::{FILE_NAMES, Kustomization};
use super::schema::{Definitions, Schemas};
use super::transformer_config::TransformerConfig;
use crate::sources::{ContentId, Entry, RepoPath, Tree};
use crate::span::{FileId, Files, Span};
use crate::yaml::{Dialect, Node, Source, Step, parse};

/// Everything that a rendering looked for, found or not. It is rendered again exactly when one of these changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure {
    paths: BTreeSet<RepoPath>,
    /// Folders whose every file counts.
    folders: BTreeSet<RepoPath>,
}

impl Closure {
    /// Whether any of the changed files was looked for.
    #[must_use]
    pub fn touches(&self, changed: &[RepoPath]) -> bool {
        changed.iter().any(|path| self.holds(path))
    }

    /// Whether this file was looked for.
    #[must_use]
    pub fn holds(&self, path: &RepoPath) -> bool {
        self.paths.contains(path) || self.folders.iter().any(|folder| path.is_within(folder))
    }

    /// The paths that were looked for, folders whose every file counts included.
    pub fn paths(&self) -> impl Iterator<Item = &RepoPath> {
        // What lies below a wanted folder need not be wanted one by one, and would hide that all of it counts.
        let inside = |path: &RepoPath| self.folders.iter().any(|folder| path.is_within(folder));
        self.paths.iter().filter(move |path| !inside(path)).chain(&self.folders)
    }

    /// Folders whose every file counts.
    pub fn folders(&self) -> impl Iterator<Item = &RepoPath> {
        self.folders.iter()
    }

    /// Notes that every file of a folder counts.
    pub(super) fn hold_folder(&mut self, folder: &RepoPath) {
        self.folders.insert(folder.clone());
    }

    /// Adds what another rendering looked for.
    pub fn extend(&mut self, other: &Self) {
        self.paths.extend(other.paths.iter().cloned());
        self.folders.extend(other.folders.iter().cloned());
    }
}

/// Files that were read and parsed in this run, shared by all revisions.
#[derive(Default)]
pub struct Parsed {
    /// The files.
    pub files: Files,
    documents: Mutex<HashMap<(FileId, bool), Documents>>,
    kustomizations: Known<Kustomization>,
    configurations: Known<TransformerConfig>,
    definitions: Known<Arc<Definitions>>,
}

/// What was made of files, each at most once.
type Known<T> = Mutex<HashMap<FileId, Arc<Result<T, RenderError>>>>;

/// What is made of a file, from the store where it is known.
fn once<T>(
    known: &Known<T>,
    file: FileId,
    read: impl FnOnce() -> Result<T, RenderError>,
) -> Arc<Result<T, RenderError>> {
    if let Some(known) = known.lock().unwrap_or_else(PoisonError::into_inner).get(&file) {
        return Arc::clone(known);
    }
    let made = Arc::new(read());
    known.lock().unwrap_or_else(PoisonError::into_inner).insert(file, Arc::clone(&made));
    made
}

type Documents = Arc<Result<Vec<Node>, RenderError>>;

/// How many parsed files are kept through a whole history.
const MOST_KEPT: usize = 8_000;

impl Parsed {
    /// Forgets parsed forms where there are very many; they are made again when they are asked for. Files stay.
    pub fn trim(&self) {
        fn clear<K, V>(known: &Mutex<HashMap<K, V>>) {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() > MOST_KEPT {
                *known = HashMap::new();
            }
        }
        clear(&self.documents);
        clear(&self.kustomizations);
    }

    /// The documents of a file, as objects or as patches.
    fn documents(&self, file: FileId, step: Step) -> Documents {
        let key = (file, step == Step::File);
        if let Some(known) = self.documents.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(known);
        }
        let source = self.files.get(file);
        let documents = parse(&Source::file(file, &source.text), step, Dialect::Resource);
        let documents = Arc::new(documents.map_err(|error| RenderError::at(error.span, error.message)));
        self.documents.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&documents));
        documents
    }

    pub(super) fn kustomization(&self, file: FileId) -> Arc<Result<Kustomization, RenderError>> {
        once(&self.kustomizations, file, || {
            let documents = self.instructions(file, Dialect::Kustomization)?;
            Kustomization::read(file, documents.first())
        })
    }

    fn instructions(&self, file: FileId, dialect: Dialect) -> Result<Vec<Node>, RenderError> {
        let source = self.files.get(file);
        let documents = parse(&Source::file(file, &source.text), Step::File, dialect);
        documents.map_err(|error| RenderError::at(error.span, error.message))
    }
}

/// Which files a kustomization may read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadRestrictor {
    /// Those in or below its own folder.
    #[default]
    RootOnly,
    /// Those anywhere in the repository, as Flux renders.
    None,
}

/// Reads files on behalf of the kustomization in `root`.
pub(super) struct Loader<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) parsed: &'a Parsed,
    pub(super) restrictor: LoadRestrictor,
    pub(super) root: RepoPath,
    pub(super) closure: &'a mut Closure,
    /// What kinds are known to the build.
    pub(super) schemas: Schemas,
    /// Whether a plugin names the files: nobody knows which before it runs, so that only `root` is watched for changes.
    pub(super) is_for_plugin: bool,
    /// Whether a strategic merge was done.
    pub(super) has_merged: bool,
}

/// Links that may be followed on the way to one file.
const MOST_LINKS: usize = 40;

impl Loader<'_> {
    /// Follows links from `path` to what really stands there; `None` where nothing does.
    pub(super) fn resolve(
        &mut self,
        path: &RepoPath,
        span: Option<Span>,
    ) -> Result<Option<(RepoPath, Entry)>, RenderError> {
        let mut pending: Vec<String> = path.segments().rev().map(str::to_owned).collect();
        let mut here = RepoPath::root();
        let mut links = 0;
        let mut entry = Entry::Folder(None);
        while let Some(segment) = pending.pop() {
            let next = here.child(&segment);
            self.closure.paths.insert(next.clone());
            let Some(found) = self.tree.entry(&next).map_err(|error| RenderError::tree(&error))? else {
                return Ok(None);
            };
            if let Entry::Link(target) = &found {
                links += 1;
                if links > MOST_LINKS {
                    return Err(RenderError::placed(span, format!("`{path}` goes through too many symbolic links")));
                }
                let Some(resolved) = here.join(target) else {
                    let message = format!("`{next}` is a symbolic link out of the repository, to `{target}`");
                    return Err(RenderError::placed(span, message).help("only files of the repository itself are read"));
                };
                pending.extend(resolved.segments().rev().map(str::to_owned));
                here = RepoPath::root();
                entry = Entry::Folder(None);
                continue;
            }
            if found == Entry::Submodule {
                let message = format!("`{next}` is a submodule, whose files are in another repository");
                return Err(RenderError::placed(span, message).help("copy what is needed into this repository"));
            }
            here = next;
            entry = found;
        }
        Ok(Some((here, entry)))
    }

    fn locate(&self, relative: &str, span: Span) -> Result<RepoPath, RenderError> {
        self.root.join(relative).ok_or_else(|| {
            RenderError::at(span, format!("`{relative}` is outside of the repository"))
                .help("only files of the repository itself are read; copy the file into it")
        })
    }

    /// What stands at a path that the kustomization names.
    pub(super) fn entry(&mut self, relative: &str, span: Span) -> Result<Option<(RepoPath, Entry)>, RenderError> {
        let path = self.locate(relative, span)?;
        self.resolve(&path, Some(span))
    }

    /// A file's content, and its id where it is text.
    pub(super) fn content(&mut self, relative: &str, span: Span) -> Result<(Arc<[u8]>, Option<FileId>), RenderError> {
        if is_remote(relative) {
            return Err(remote(relative, span));
        }
        let named = self.locate(relative, span)?;
        let path = match self.resolve(&named, Some(span))? {
            Some((path, Entry::File(_))) => path,
            Some(_) => return Err(RenderError::at(span, format!("`{relative}` is a folder, a file belongs here"))),
            None => return Err(self.missing(relative, &named, span)?),
        };
        let is_outside = !path.is_within(&self.root) || self.is_for_plugin && !named.is_within(&self.root);
        if self.restrictor == LoadRestrictor::RootOnly && is_outside {
            let message = format!("`{relative}` is outside of `{}`, the folder of this kustomization", self.root);
            return Err(RenderError::at(span, message).help(
                "move the file below this folder, or make its folder a kustomization and list that; \
                 `--load-restrictor LoadRestrictionsNone` renders as Flux does",
            ));
        }
        self.read(&path, span)
    }

    fn read(&self, path: &RepoPath, span: Span) -> Result<(Arc<[u8]>, Option<FileId>), RenderError> {
        let read =
            self.tree.read(path).map_err(|error| RenderError { span: Some(span), ..RenderError::tree(&error) })?;
        let Some((id, content)) = read else { return Err(RenderError::at(span, format!("`{path}` cannot be read"))) };
        Ok((Arc::clone(&content), self.register(path, id, &content)))
    }

    fn register(&self, path: &RepoPath, id: ContentId, content: &[u8]) -> Option<FileId> {
        Some(self.parsed.files.add(path, id, std::str::from_utf8(content).ok()?))
    }

    fn missing(&mut self, relative: &str, path: &RepoPath, span: Span) -> Result<RenderError, RenderError> {
        let error = RenderError::at(span, format!("`{relative}` does not exist"));
        let folder = path.parent().unwrap_or_else(RepoPath::root);
        let siblings = self.tree.children(&folder).map_err(|error| RenderError::tree(&error))?;
        let names: Vec<&str> = siblings.iter().map(|(name, _)| name.as_str()).collect();
        Ok(match super::error::nearest(path.file_name(), &names) {
            Some(near) => error.help(format!("did you mean `{near}`, in `{folder}`?")),
            None => error.help(format!("paths are relative to the kustomization; it was looked for at `{path}`")),
        })
    }

    /// The documents of a text file that the kustomization names.
    pub(super) fn documents(&mut self, relative: &str, span: Span, step: Step) -> Result<Vec<Node>, RenderError> {
        let file = self.text_file(&Text { value: relative.to_owned(), span })?;
        match &*self.parsed.documents(file, step) {
            Ok(documents) => Ok(documents.clone()),
            Err(error) => Err(error.clone().related(span, "listed here")),
        }
    }

    fn text_file(&mut self, path: &Text) -> Result<FileId, RenderError> {
        let (_, file) = self.content(&path.value, path.span)?;
        file.ok_or_else(|| {
            RenderError::at(path.span, format!("`{}` is not UTF-8", path.value))
                .help("YAML is written in UTF-8; convert the file")
        })
    }

    /// The documents of a file of instructions, such as replacements.
    pub(super) fn instructions(&mut self, path: &Text, dialect: Dialect) -> Result<Vec<Node>, RenderError> {
        let file = self.text_file(path)?;
        self.parsed.instructions(file, dialect).map_err(|error| error.related(path.span, "listed here"))
    }

    /// A file of `configurations`.
    pub(super) fn configuration(&mut self, path: &Text) -> Result<TransformerConfig, RenderError> {
        let file = self.text_file(path)?;
        let read = once(&self.parsed.configurations, file, || {
            let documents = self.parsed.instructions(file, Dialect::Configuration)?;
            documents.first().map_or_else(|| Ok(TransformerConfig::default()), TransformerConfig::read)
        });
        (*read).clone().map_err(|error| error.related(path.span, "listed here"))
    }

    /// The file that `openapi` names.
    pub(super) fn definitions(&mut self, path: &Text) -> Result<(FileId, Arc<Definitions>), RenderError> {
        let file = self.text_file(path)?;
        let read = once(&self.parsed.definitions, file, || {
            let documents = self.parsed.instructions(file, Dialect::Kustomization)?;
            let document = documents.first().filter(|document| document.as_mapping().is_some());
            let document = document.ok_or_else(|| {
                RenderError::at(Span::start_of(file), "this is no description of kinds")
                    .help("an OpenAPI document is a mapping with `definitions`")
            })?;
            Ok(Arc::new(Definitions::read(document)))
        });
        let definitions = (*read).clone().map_err(|error| error.related(path.span, "listed here"))?;
        Ok((file, definitions))
    }

    /// The kustomization in the loader's own folder; `None` where there is none.
    pub(super) fn kustomization(
        &mut self,
        span: Option<Span>,
    ) -> Result<Option<Arc<Result<Kustomization, RenderError>>>, RenderError> {
        let mut found = Vec::new();
        for name in FILE_NAMES {
            let path = self.root.child(name);
            self.closure.paths.insert(path.clone());
            match self.tree.entry(&path).map_err(|error| RenderError::tree(&error))? {
                None | Some(Entry::Folder(_)) => {}
                Some(Entry::File(_)) => found.push((name, path)),
                Some(Entry::Link(_) | Entry::Submodule) => {
                    let Some((real, Entry::File(_))) = self.resolve(&path, span)? else {
                        let message = format!("`{path}` is a symbolic link that leads to no file");
                        let error = RenderError::placed(span, message);
                        return Err(error.help("correct the link, or replace it by the file"));
                    };
                    found.push((name, real));
                }
            }
        }
        if let [(first, _), (second, _), ..] = found[..] {
            let message = format!("`{}` has both `{first}` and `{second}`", self.root);
            let error = RenderError::nowhere(message).help("keep one of the two");
            return Err(match span {
                Some(span) => error.through(span, "listed here"),
                None => error,
            });
        }
        let Some((_, path)) = found.pop() else { return Ok(None) };
        let read = self.tree.read(&path).map_err(|error| RenderError::tree(&error))?;
        let Some((id, content)) = read else { return Ok(None) };
        let Some(file) = self.register(&path, id, &content) else {
            let file = self.parsed.files.add(&path, id, "");
            let error = RenderError::at(Span::start_of(file), format!("`{path}` is not UTF-8"));
            return Err(error.help("YAML is written in UTF-8; convert the file"));
        };
        Ok(Some(self.parsed.kustomization(file)))
    }

    /// Enters the folder that the loader's root really is, should links lead there.
    pub(super) fn enter(&mut self) -> Result<(), RenderError> {
        let root = self.root.clone();
        match self.resolve(&root, None)? {
            Some((real, Entry::Folder(_))) => {
                self.root = real;
                Ok(())
            }
            Some(_) => Err(RenderError::nowhere(format!("`{root}` is no folder")).help("an overlay is a folder")),
            None => {
                Err(RenderError::nowhere(format!("`{root}` does not exist")).help("name a folder of the repository"))
            }
        }
    }

    /// The manifests of a folder without a kustomization, as an Argo CD directory source reads them: not recursively.
    pub(super) fn manifests(&mut self) -> Result<Vec<Node>, RenderError> {
        self.closure.hold_folder(&self.root);
        let children = self.tree.children(&self.root).map_err(|error| RenderError::tree(&error))?;
        let mut documents = Vec::new();
        for (name, entry) in children {
            let is_manifest = [".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending));
            if !is_manifest || matches!(entry, Entry::Folder(_)) {
                continue;
            }
            let path = self.root.child(&name);
            let Some((path, Entry::File(_))) = self.resolve(&path, None)? else { continue };
            let Some((id, content)) = self.tree.read(&path).map_err(|error| RenderError::tree(&error))? else {
                continue;
            };
            let Some(file) = self.register(&path, id, &content) else {
                let file = self.parsed.files.add(&path, id, "");
                return Err(RenderError::at(Span::start_of(file), format!("`{path}` is not UTF-8")));
            };
            documents.extend((*self.parsed.documents(file, Step::File)).clone()?);
        }
        Ok(documents)
    }
}

/// What an entry of `resources` or `components` turned out to be.
pub(super) enum Listed {
    /// A file.
    File,
    /// A folder.
    Folder(RepoPath),
}

impl Loader<'_> {
    /// Finds out what an entry of `resources` or `components` is.
    pub(super) fn entry_of(&mut self, entry: &Text) -> Result<Listed, RenderError> {
        if entry.value.is_empty() {
            return Err(
                RenderError::at(entry.span, "an empty entry").help("name a file or a folder, or remove the line")
            );
        }
        let found = if entry.value.contains("://") { None } else { self.entry(&entry.value, entry.span)? };
        match found {
            Some((_, Entry::File(_))) => Ok(Listed::File),
            Some((path, _)) => Ok(Listed::Folder(path)),
            None if is_remote(&entry.value) => Err(remote(&entry.value, entry.span)),
            None => match self.content(&entry.value, entry.span) {
                Err(error) => Err(error),
                Ok(_) => Ok(Listed::File),
            },
        }
    }
}

/// Whether a path names something on another machine (`api/internal/git/repospec.go`).
fn is_remote(path: &str) -> bool {
    path.contains("://")
        || path.starts_with("git@")
        || path.starts_with("github.com/")
        || path.starts_with("github.com:")
        || path.contains("?ref=")
        || path.contains(".git//")
}

/// Says why something on another machine is refused.
fn remote(path: &str, span: Span) -> RenderError {
    RenderError::at(span, format!("`{path}` is on another machine"))
        .help("a gate must not depend on the network: copy the base into this repository (vendor it) and list the copy")
}
