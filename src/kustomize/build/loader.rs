//! Files for one kustomization: found through links, kept inside the repository, noted in the closure.

use std::sync::Arc;

use super::closure::Closure;
use super::opaque::{files_named, short_digest, values_files};
use super::parsed::ParsedFiles;
use super::remote;
use super::transformer_config::TransformerConfig;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::Text;
use crate::kustomize::file::kustomization::{FILE_NAMES, Kustomization};
use crate::kustomize::known::schema::{Definitions, Schemas};
use crate::kustomize::limits::{MOST_LINKS, MOST_SEGMENTS};
use crate::sources::{ContentId, Entry, RepoPath, Tree, list_below};
use crate::span::{FileId, Files, Span, offset};
use crate::yaml::{Dialect, Node, Step, to_json};

/// Which files a kustomization may read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadRestrictor {
    /// Those in or below its own folder.
    #[default]
    RootOnly,
    /// Those anywhere in the repository, as Flux renders.
    None,
}

/// The comment that makes Argo CD pass over a file in a folder of manifests (`reposerver/repository/repository.go`).
const SKIP_MARK: &str = "+argocd:skip-file-rendering";

/// Reads files on behalf of the kustomization in `root`.
pub(crate) struct Loader<'a> {
    pub(crate) tree: &'a dyn Tree,
    pub(crate) parsed: &'a ParsedFiles,
    pub(crate) restrictor: LoadRestrictor,
    pub(crate) root: RepoPath,
    pub(crate) closure: &'a mut Closure,
    /// What kinds are known to the build.
    pub(crate) schemas: Schemas,
    /// Whether a plugin names the files: nobody knows which before it runs, so that only `root` is watched for changes.
    pub(crate) is_for_plugin: bool,
    /// Whether a strategic merge was done.
    pub(crate) has_merged: bool,
    /// Whether some of what is built comes from elsewhere and is not seen.
    pub(crate) is_opaque: bool,
    /// Patches that match nothing, where they may be meant for what is not seen.
    pub(crate) unmatched: Vec<Node>,
}

/// The content of a file.
pub(crate) enum Content {
    /// It is text.
    Text(FileId),
    /// It is not UTF-8.
    Bytes(Arc<[u8]>),
}

impl Content {
    /// The bytes.
    pub(crate) fn bytes(&self, files: &Files) -> Arc<[u8]> {
        match self {
            Self::Text(file) => Arc::from(files.get(*file).text.as_bytes()),
            Self::Bytes(bytes) => Arc::clone(bytes),
        }
    }
}

impl Loader<'_> {
    /// Follows links from `path` to what is really there; `None` where nothing does.
    pub(crate) fn resolve(
        &mut self,
        path: &RepoPath,
        span: Option<Span>,
    ) -> Result<Option<(RepoPath, Entry)>, RenderError> {
        let mut pending: Vec<String> = path.segments().rev().map(str::to_owned).collect();
        if pending.len() > MOST_SEGMENTS {
            return Err(RenderError::placed(span, format!("a path of more than {MOST_SEGMENTS} folders")));
        }
        let mut here = RepoPath::root();
        let mut links = 0;
        let mut entry = Entry::Folder(None);
        while let Some(segment) = pending.pop() {
            let next = here.child(&segment);
            self.closure.look_for(self.parsed.files.share(next.clone()));
            let Some(found) = self.tree.entry(&next).map_err(|error| RenderError::tree(&error))? else {
                // Whatever comes to stand there may be a folder.
                self.closure.hold_folder(&next);
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
                if pending.len() > MOST_SEGMENTS {
                    return Err(RenderError::placed(span, format!("`{next}` leads on through too many folders")));
                }
                here = RepoPath::root();
                entry = Entry::Folder(None);
                continue;
            }
            if found == Entry::Submodule {
                let message = format!("`{next}` is a submodule, whose files are in another repository");
                return Err(RenderError::placed(span, message).help("copy the files into this repository"));
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
    pub(crate) fn entry(&mut self, relative: &str, span: Span) -> Result<Option<(RepoPath, Entry)>, RenderError> {
        let path = self.locate(relative, span)?;
        self.resolve(&path, Some(span))
    }

    /// A file's content.
    pub(crate) fn content(&mut self, relative: &str, span: Span) -> Result<Content, RenderError> {
        if remote::is_remote_file(relative) {
            return Err(remote::refuse(relative, span));
        }
        let named = self.locate(relative, span)?;
        let (path, id) = match self.resolve(&named, Some(span))? {
            Some((path, Entry::File(id))) => (path, id),
            Some(_) => {
                return Err(RenderError::at(span, format!("`{relative}` is a folder, but a file is needed here")));
            }
            None => return Err(self.missing(relative, &named, span)?),
        };
        let is_beyond_root = !path.is_within(&self.root) || self.is_for_plugin && !named.is_within(&self.root);
        if self.restrictor == LoadRestrictor::RootOnly && is_beyond_root {
            let message = format!("`{relative}` is outside of `{}`, the folder of this kustomization", self.root);
            return Err(RenderError::at(span, message).help(
                "move the file below this folder, or make its folder a kustomization and list that; \
                 `--load-restrictor LoadRestrictionsNone` renders as Flux does",
            ));
        }
        if let Some(file) = id.and_then(|id| self.parsed.files.find(&path, id)) {
            return Ok(Content::Text(file));
        }
        self.read(&path, span)
    }

    fn read(&self, path: &RepoPath, span: Span) -> Result<Content, RenderError> {
        let read =
            self.tree.read(path).map_err(|error| RenderError { span: Some(span), ..RenderError::tree(&error) })?;
        let Some((id, content)) = read else { return Err(RenderError::at(span, format!("`{path}` cannot be read"))) };
        Ok(self.register(path, id, &content).map_or(Content::Bytes(content), Content::Text))
    }

    fn register(&self, path: &RepoPath, id: ContentId, content: &[u8]) -> Option<FileId> {
        Some(self.parsed.files.add(path, id, std::str::from_utf8(content).ok()?))
    }

    fn missing(&mut self, relative: &str, path: &RepoPath, span: Span) -> Result<RenderError, RenderError> {
        let error = RenderError::at(span, format!("`{relative}` does not exist"));
        let folder = path.parent().unwrap_or_else(RepoPath::root);
        let siblings = self.tree.children(&folder).map_err(|error| RenderError::tree(&error))?;
        let names: Vec<&str> = siblings.iter().map(|(name, _)| name.as_str()).collect();
        Ok(match crate::kustomize::error::nearest(path.file_name(), &names) {
            Some(near) => error.help(format!("did you mean `{near}`, in `{folder}`?")),
            None => error.help(format!("paths are relative to the kustomization; it was looked for at `{path}`")),
        })
    }

    /// The documents of a text file that the kustomization names.
    pub(crate) fn documents(&mut self, relative: &str, span: Span, step: Step) -> Result<Vec<Node>, RenderError> {
        let file = self.text_file(&Text { value: relative.to_owned(), span })?;
        match &*self.parsed.documents(file, step) {
            Ok(documents) => Ok(documents.clone()),
            Err(error) => Err(error.clone().related(span, "listed here")),
        }
    }

    /// A file that must be text.
    pub(crate) fn text_file(&mut self, path: &Text) -> Result<FileId, RenderError> {
        match self.content(&path.value, path.span)? {
            Content::Text(file) => Ok(file),
            Content::Bytes(_) => Err(RenderError::at(path.span, format!("`{}` is not UTF-8", path.value))
                .help("YAML is written in UTF-8; convert the file")),
        }
    }

    /// A digest of what configures a plugin, and of the files below its folder that it names.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub(crate) fn made_from(&mut self, configuration: &Node) -> Result<String, RenderError> {
        let mut parts = vec![Arc::from(to_json(configuration).to_string().as_bytes())];
        for name in files_named(configuration) {
            if !self.root.join(&name.value).is_some_and(|path| path.is_within(&self.root)) {
                continue;
            }
            match self.entry(&name.value, name.span) {
                Ok(Some((path, Entry::File(_)))) => {
                    let read = self.tree.read(&path).map_err(|error| RenderError::tree(&error))?;
                    parts.extend(read.map(|(_, content)| Arc::from(&*content)));
                }
                Err(error) if error.is_unreadable => return Err(error),
                _ => {}
            }
        }
        Ok(short_digest(&parts.iter().map(|part: &Arc<[u8]>| &**part).collect::<Vec<_>>()))
    }

    /// A digest of the files of a folder; `None` where there is none.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub(crate) fn digest_of_folder(&mut self, relative: &str) -> Result<Option<String>, RenderError> {
        let Some(folder) = self.root.join(relative) else { return Ok(None) };
        self.closure.hold_folder(&folder);
        if !matches!(self.tree.entry(&folder), Ok(Some(Entry::Folder(_)))) {
            return Ok(None);
        }
        let listing =
            list_below(self.tree, std::slice::from_ref(&folder)).map_err(|error| RenderError::tree(&error))?;
        let mut parts: Vec<Arc<[u8]>> = Vec::new();
        for path in &listing.files {
            if let Some((_, content)) = self.tree.read(path).map_err(|error| RenderError::tree(&error))? {
                parts.push(Arc::from(path.as_str().as_bytes()));
                parts.push(Arc::from(&*content));
            }
        }
        Ok(Some(short_digest(&parts.iter().map(|part| &**part).collect::<Vec<_>>())))
    }

    /// The values that an entry of `helmCharts` takes from files.
    ///
    /// # Errors
    /// When a file is missing or cannot be read.
    pub(crate) fn values_of_chart(&mut self, entry: &Node) -> Result<Vec<Node>, RenderError> {
        let mut values = Vec::new();
        for name in values_files(entry) {
            values.extend(self.documents(&name.value, name.span, Step::File)?);
        }
        Ok(values)
    }

    /// The documents of a file of instructions, such as replacements.
    pub(crate) fn instructions(&mut self, path: &Text, dialect: Dialect) -> Result<Vec<Node>, RenderError> {
        let file = self.text_file(path)?;
        self.parsed.instructions(file, dialect).map_err(|error| error.related(path.span, "listed here"))
    }

    /// A file of `configurations`.
    pub(crate) fn configuration(&mut self, path: &Text) -> Result<TransformerConfig, RenderError> {
        let file = self.text_file(path)?;
        let read = self.parsed.configuration(file);
        (*read).clone().map_err(|error| error.related(path.span, "listed here"))
    }

    /// The file that `openapi` names.
    pub(crate) fn definitions(&mut self, path: &Text) -> Result<(FileId, Arc<Definitions>), RenderError> {
        let file = self.text_file(path)?;
        let read = self.parsed.definitions(file);
        let definitions = (*read).clone().map_err(|error| error.related(path.span, "listed here"))?;
        Ok((file, definitions))
    }

    /// The kustomization in the loader's own folder; `None` where there is none.
    pub(crate) fn kustomization(
        &mut self,
        span: Option<Span>,
    ) -> Result<Option<Arc<Result<Kustomization, RenderError>>>, RenderError> {
        let mut found = Vec::new();
        for name in FILE_NAMES {
            let path = self.root.child(name);
            self.closure.look_for(self.parsed.files.share(path.clone()));
            match self.tree.entry(&path).map_err(|error| RenderError::tree(&error))? {
                None | Some(Entry::Folder(_)) => {}
                Some(Entry::File(id)) => found.push((name, path, id)),
                Some(Entry::Link(_) | Entry::Submodule) => {
                    // A link that leads nowhere is passed over, as if it were not there.
                    let Some((real, Entry::File(id))) = self.resolve(&path, span)? else { continue };
                    if self.restrictor == LoadRestrictor::RootOnly && !real.is_within(&self.root) {
                        let message = format!("`{path}` is a symbolic link out of its folder, to `{real}`");
                        let help = "kustomize reads only what is in or below the folder; put the file there";
                        return Err(RenderError::placed(span, message).help(help));
                    }
                    found.push((name, real, id));
                }
            }
        }
        if let [(first, ..), (second, ..), ..] = found[..] {
            let message = format!("`{}` has both `{first}` and `{second}`", self.root);
            let error = RenderError::nowhere(message).help("keep one of the two");
            return Err(match span {
                Some(span) => error.through(span, "listed here"),
                None => error,
            });
        }
        let Some((_, path, id)) = found.pop() else { return Ok(None) };
        if let Some(file) = id.and_then(|id| self.parsed.files.find(&path, id)) {
            return Ok(Some(self.parsed.kustomization(file)));
        }
        let read = self.tree.read(&path).map_err(|error| RenderError::tree(&error))?;
        let Some((id, content)) = read else { return Ok(None) };
        let Some(file) = self.register(&path, id, &content) else {
            let file = self.parsed.files.add(&path, ContentId::of(b""), "");
            let error = RenderError::at(Span::start_of(file), format!("`{path}` is not UTF-8"));
            return Err(error.help("YAML is written in UTF-8; convert the file"));
        };
        Ok(Some(self.parsed.kustomization(file)))
    }

    /// Enters the folder that the loader's root really is, should links lead there.
    pub(crate) fn enter(&mut self) -> Result<(), RenderError> {
        let root = self.root.clone();
        match self.resolve(&root, None)? {
            Some((real, Entry::Folder(_))) => {
                self.root = real;
                Ok(())
            }
            Some(_) => {
                Err(RenderError::nowhere(format!("`{root}` is not a folder"))
                    .help("name the folder of a kustomization"))
            }
            None => {
                Err(RenderError::nowhere(format!("`{root}` does not exist")).help("name a folder of the repository"))
            }
        }
    }

    /// The manifests of a folder without a kustomization, as an Argo CD directory source reads them: not recursively.
    pub(crate) fn manifests(&mut self) -> Result<Vec<Node>, RenderError> {
        self.closure.hold_folder(&self.root);
        let mut documents = Vec::new();
        for path in self.manifest_files()? {
            let Some((id, content)) = self.tree.read(&path).map_err(|error| RenderError::tree(&error))? else {
                continue;
            };
            let Some(file) = self.register(&path, id, &content) else {
                let file = self.parsed.files.add(&path, ContentId::of(b""), "");
                return Err(RenderError::at(Span::start_of(file), format!("`{path}` is not UTF-8")));
            };
            let text = Arc::clone(&self.parsed.files.get(file).text);
            if let Some(at) = text.find(SKIP_MARK) {
                let span = Span { file, start: offset(at), end: offset(at + SKIP_MARK.len()) };
                return Err(RenderError::at(span, format!("Argo CD passes over `{path}` because of this comment"))
                    .help("remove the file from this folder, or the comment from the file"));
            }
            if path.file_name().ends_with(".jsonnet") {
                return Err(RenderError::at(Span::start_of(file), format!("Argo CD runs `{path}` as Jsonnet"))
                    .help("render it, and put the manifests that it makes into this folder in its place"));
            }
            documents.extend((*self.parsed.documents(file, Step::File)).clone()?);
        }
        // The cluster names what asks for that, which kustomize does not take.
        for (at, document) in documents.iter_mut().enumerate() {
            let asks =
                document.find(&["metadata", "generateName"]).filter(|_| document.find(&["metadata", "name"]).is_none());
            if let Some(asked) = asks.cloned() {
                let name = format!("{}{at}", asked.as_text().unwrap_or_default());
                let metadata = document.as_mapping_mut().and_then(|object| object.get_mut("metadata"));
                let named = Node::string(&name, asked.origin.span, Step::File);
                metadata.and_then(Node::as_mapping_mut).into_iter().for_each(|it| it.set("name", named.clone()));
            }
        }
        Ok(documents)
    }

    /// The files that are read from a folder without a kustomization, links followed.
    pub(crate) fn manifest_files(&mut self) -> Result<Vec<RepoPath>, RenderError> {
        let children = self.tree.children(&self.root).map_err(|error| RenderError::tree(&error))?;
        let mut files = Vec::new();
        for (name, entry) in children {
            let is_read = [".yaml", ".yml", ".json", ".jsonnet"].iter().any(|ending| name.ends_with(ending));
            if !is_read || matches!(entry, Entry::Folder(_)) {
                continue;
            }
            let path = self.root.child(&name);
            if let Some((path, Entry::File(_))) = self.resolve(&path, None)? {
                files.push(path);
            }
        }
        Ok(files)
    }
}

/// What an entry of `resources` or `components` turned out to be.
pub(crate) enum Listed {
    /// A file.
    File,
    /// A folder.
    Folder(RepoPath),
    /// A file or a folder on another machine.
    Elsewhere,
}

impl Loader<'_> {
    /// Finds out what an entry of `resources` or `components` is.
    pub(crate) fn entry_of(&mut self, entry: &Text) -> Result<Listed, RenderError> {
        if entry.value.is_empty() {
            return Err(
                RenderError::at(entry.span, "this entry is empty").help("name a file or a folder, or remove the line")
            );
        }
        if remote::is_remote_file(&entry.value) {
            return Ok(Listed::Elsewhere);
        }
        let is_repository = remote::is_repository(&entry.value);
        // A repository's address need not be a path at all.
        let found = match self.entry(&entry.value, entry.span) {
            Err(error) if is_repository && !error.is_unreadable => None,
            found => found?,
        };
        match found {
            Some((_, Entry::File(_))) => Ok(Listed::File),
            _ if is_repository => Ok(Listed::Elsewhere),
            Some((path, _)) => Ok(Listed::Folder(path)),
            None => match self.content(&entry.value, entry.span) {
                Err(error) => Err(error),
                Ok(_) => Ok(Listed::File),
            },
        }
    }
}
