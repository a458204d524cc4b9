//! Gives an image other content where it is written: the least change of text, with comments and layout kept.

use std::sync::Arc;

use super::image::Image;
use super::state::UsedImage;
use crate::kustomize::split_image;
use crate::span::{FileId, Files, Span, offset};
use crate::yaml::{Dialect, Key, Kind, Mapping, Node, Source, Step, parse, resolve, resolve_yaml11};

/// Another text for a part of a file; an empty part inserts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// The part.
    pub span: Span,
    /// What it is to be.
    pub text: String,
}

/// A text with edits made; they must not overlap.
#[must_use]
pub fn edited(text: &str, edits: &[Edit]) -> String {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        out.push_str(text.get(done..edit.span.start as usize).unwrap_or_default());
        out.push_str(&edit.text);
        done = edit.span.end as usize;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

/// What to change where an image's content is written now; `None` where it is put together from several places.
#[must_use]
pub fn at_origin(files: &Files, used: &UsedImage, to: &Image) -> Option<Vec<Edit>> {
    let span = used.origin.span;
    if used.origin.step == Step::Image {
        let images = Images::read(files, span.file)?;
        if let Some(entry) = images.entries().find(|entry| holds(entry.origin.span, span)) {
            return images.pin(entry, to);
        }
    }
    let written = files.slice(span);
    let old = split_image(&used.image.reference);
    let reference = reference(old.name, (!old.tag.is_empty()).then_some(()).and(to.tag.as_deref()), to);
    let parts = [
        (used.image.reference.as_str(), Some(reference.as_str())),
        (old.digest, to.digest.as_deref()),
        (old.tag, to.tag.as_deref().filter(|_| old.digest.is_empty() && to.digest.is_none())),
    ];
    let (old, new) = parts.into_iter().find_map(|(old, new)| {
        let is_there = !old.is_empty() && written.matches(old).count() == 1;
        Some((old, new?)).filter(|_| is_there)
    })?;
    let text = if written == old { plain(new) } else { written.replacen(old, new, 1) };
    Some(vec![Edit { span, text }])
}

/// What to change in the `images` of a kustomization, so that it decides; `None` where they are written in a way that
/// a line cannot be added to.
#[must_use]
pub fn in_images(files: &Files, kustomization: FileId, used: &UsedImage, to: &Image) -> Option<Vec<Edit>> {
    let images = Images::read(files, kustomization)?;
    let name = |text: &str| split_image(text).name.to_owned();
    let mut names = vec![name(&used.image.reference)];
    let mut before = used.origin.before.as_ref();
    while let Some(node) = before {
        names.extend(node.as_text().map(name));
        before = node.origin.before.as_ref();
    }
    let is_meant = |entry: &&Node| {
        let has = |key: &str, names: &[String]| {
            entry.get(key).and_then(Node::as_text).is_some_and(|text| names.iter().any(|name| name == text))
        };
        has("name", &names) || has("newName", &names[..1])
    };
    match images.entries().rfind(is_meant) {
        Some(entry) => images.pin(entry, to),
        None => images.add(&names[0], to),
    }
}

fn holds(outer: Span, inner: Span) -> bool {
    outer.file == inner.file && outer.start <= inner.start && inner.end <= outer.end
}

fn reference(name: &str, tag: Option<&str>, to: &Image) -> String {
    let tag = if to.digest.is_some() { tag } else { to.tag.as_deref() };
    let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = to.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
    format!("{name}{tag}{digest}")
}

/// A text as a scalar: in quotes where it would mean something else without.
fn plain(text: &str) -> String {
    let is_text = resolve(text) == Kind::String && resolve_yaml11(text) == Kind::String;
    if is_text { text.to_owned() } else { format!("\"{text}\"") }
}

/// A kustomization's `images`, with the text around them.
struct Images {
    file: FileId,
    text: Arc<str>,
    root: Node,
}

impl Images {
    fn read(files: &Files, file: FileId) -> Option<Self> {
        let text = Arc::clone(&files.get(file).text);
        let mut documents = parse(&Source::file(file, &text), Step::File, Dialect::Kustomization).ok()?;
        let root = documents.pop().filter(|root| root.as_mapping().is_some() && documents.is_empty())?;
        Some(Self { file, text, root })
    }

    fn entries(&self) -> impl DoubleEndedIterator<Item = &Node> {
        self.root.get("images").and_then(Node::as_sequence).unwrap_or_default().iter()
    }

    fn edit(&self, start: usize, end: usize, text: String) -> Edit {
        Edit { span: Span { file: self.file, start: offset(start), end: offset(end) }, text }
    }

    /// The line break that the file uses.
    fn line_break(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// Where the line that holds a byte begins.
    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    fn behind_colon(&self, key: &Key) -> Option<usize> {
        let behind = key.span.end as usize;
        Some(behind + self.text.get(behind..)?.find(':')? + 1)
    }

    /// Where the next line begins.
    fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |end| at + end + 1)
    }

    fn is_flow(&self, mapping: &Node) -> bool {
        self.text[mapping.origin.span.start as usize..].starts_with('{')
    }

    /// A text in quotes where the key beside it stands in some, as in JSON.
    fn like(&self, key: &Key, text: &str) -> String {
        let is_quoted = self.text[key.span.start as usize..].starts_with('"');
        if is_quoted { format!("\"{text}\"") } else { text.to_owned() }
    }

    fn value_like(&self, key: &Key, value: &str) -> String {
        let text = self.like(key, value);
        if text == value { plain(value) } else { text }
    }

    /// Lines as they are to stand from `at` on, behind a line break where there is none yet.
    fn inserted(&self, at: usize, lines: &[String]) -> Edit {
        let mut text = String::new();
        if at > 0 && !self.text[..at].ends_with('\n') {
            text.push_str(self.line_break());
        }
        for line in lines {
            text.push_str(line);
            text.push_str(self.line_break());
        }
        self.edit(at, at, text)
    }

    /// Makes an entry give this content.
    fn pin(&self, entry: &Node, to: &Image) -> Option<Vec<Edit>> {
        let mapping = entry.as_mapping()?;
        let get = |name: &str| mapping.iter().find(|(key, _)| &*key.text == name);
        if get("tagSuffix").is_some() {
            return None;
        }
        // A tag beside a digest is told for people; where nobody wrote one, none is added.
        let tag = to.tag.as_deref().filter(|_| to.digest.is_none() || get("newTag").is_some());
        let wanted = [("digest", to.digest.as_deref()), ("newTag", tag)];
        let mut gone: Vec<_> =
            wanted.iter().filter(|(_, value)| value.is_none()).filter_map(|(name, _)| get(name)).collect();
        let mut edits = Vec::new();
        for (name, value) in wanted.iter().filter_map(|(name, value)| Some((*name, (*value)?))) {
            match get(name) {
                Some((key, old)) => edits.extend(self.set(key, old, value)),
                None => match gone.pop() {
                    Some((key, old)) => {
                        edits.push(self.edit(key.span.start as usize, key.span.end as usize, self.like(key, name)));
                        edits.extend(self.set(key, old, value));
                    }
                    None => edits.push(self.add_key(entry, mapping, name, value)?),
                },
            }
        }
        for (key, old) in gone {
            edits.push(self.remove_line(entry, key, old)?);
        }
        Some(edits)
    }

    /// Replaces a scalar in its quotes.
    fn set(&self, key: &Key, old: &Node, value: &str) -> Option<Edit> {
        let (start, end) = (old.origin.span.start as usize, old.origin.span.end as usize);
        let written = &self.text[start..end];
        if written.is_empty() {
            let at = self.behind_colon(key)?;
            return Some(self.edit(at, at, format!(" {}", plain(value))));
        }
        let text = match written.chars().next().filter(|quote| matches!(quote, '"' | '\'')) {
            Some(quote) => format!("{quote}{value}{quote}"),
            None => plain(value),
        };
        (written != text).then(|| self.edit(start, end, text))
    }

    fn add_key(&self, entry: &Node, mapping: &Mapping, name: &str, value: &str) -> Option<Edit> {
        let (first, _) = mapping.iter().next()?;
        let (_, last) = mapping.iter().last()?;
        let end = last.origin.span.end as usize;
        if self.is_flow(entry) {
            let text = format!(", {}: {}", self.like(first, name), self.value_like(first, value));
            return Some(self.edit(end, end, text));
        }
        let column = first.span.start as usize - self.line_start(first.span.start as usize);
        Some(self.inserted(self.line_end(end), &[format!("{}{name}: {}", " ".repeat(column), plain(value))]))
    }

    /// Removes a key that has a line for itself.
    fn remove_line(&self, entry: &Node, key: &Key, value: &Node) -> Option<Edit> {
        let start = self.line_start(key.span.start as usize);
        let is_alone = self.text[start..key.span.start as usize].trim().is_empty() && !self.is_flow(entry);
        is_alone.then(|| self.edit(start, self.line_end(value.origin.span.end as usize), String::new()))
    }

    /// Adds an entry behind the others, or the whole list at the end of the file.
    fn add(&self, name: &str, to: &Image) -> Option<Vec<Edit>> {
        let (key, value) = match (&to.digest, &to.tag) {
            (Some(digest), _) => ("digest", digest.as_str()),
            (None, tag) => ("newTag", tag.as_deref().unwrap_or("latest")),
        };
        let entries = [format!("  - name: {name}"), format!("    {key}: {}", plain(value))];
        let at_root = self.root.as_mapping()?.iter().find(|(key, _)| &*key.text == "images");
        let Some((images, list)) = at_root else {
            let lines = [&["images:".to_owned()], &entries[..]].concat();
            return (!self.is_flow(&self.root)).then(|| vec![self.inserted(self.text.len(), &lines)]);
        };
        let is_empty = list.is_null() || list.as_sequence().is_some_and(<[Node]>::is_empty);
        if is_empty && !self.is_flow(&self.root) {
            // Over what says that there is none.
            let from = self.behind_colon(images)?;
            let until = (list.origin.span.end as usize).max(from);
            let lines = entries.map(|line| format!("{}{line}", self.line_break()));
            return Some(vec![self.edit(from, until, lines.concat())]);
        }
        let entry = list.as_sequence().and_then(<[Node]>::last)?;
        let (first, _) = entry.as_mapping()?.iter().next()?;
        let (_, end) = entry.as_mapping()?.iter().last()?;
        if self.text[list.origin.span.start as usize..].starts_with('[') {
            let at = entry.origin.span.end as usize;
            let [name_key, key] = ["name", key].map(|key| self.like(first, key));
            let [name, value] = [name, value].map(|value| self.value_like(first, value));
            return Some(vec![self.edit(at, at, format!(", {{{name_key}: {name}, {key}: {value}}}"))]);
        }
        let value = plain(value);
        let start = entry.origin.span.start as usize;
        let line = self.line_start(start);
        let dash = line + self.text[line..start].rfind('-')?;
        let indentation = &self.text[line..dash];
        let lines = [format!("{indentation}- name: {name}"), format!("{indentation}  {key}: {value}")];
        Some(vec![self.inserted(self.line_end(end.origin.span.end as usize), &lines)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kustomize::{Options, ParsedFiles, Renderer};
    use crate::model::State;
    use crate::sources::{MemoryTree, RepoPath, Tree as _};

    const DEPLOYMENT: &str =
        "kind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: a, image: IMAGE}]}}}\n";

    /// Repins the one image of an overlay over a deployment of `image`; says what the overlay's file is then.
    fn repinned(image: &str, kustomization: &str, to: &str) -> Option<String> {
        let deployment = format!("apiVersion: apps/v1\n{}", DEPLOYMENT.replace("IMAGE", image));
        let tree = MemoryTree::new([("b/d.yaml", &*deployment), ("b/kustomization.yaml", "resources: [d.yaml]\n")])
            .with("o/kustomization.yaml", kustomization);
        let parsed = ParsedFiles::default();
        let path = RepoPath::new("o").unwrap();
        let used = |tree: &MemoryTree| {
            let rendering = Renderer::new(&parsed, tree, Options::default()).render_any(&path).unwrap();
            State::of(&rendering, &crate::config::Config::default()).images.remove(0)
        };
        let used_before = used(&tree);
        let own = path.child("kustomization.yaml");
        let (id, _) = tree.read(&own).unwrap().unwrap();
        let file = parsed.files.add(&own, id, kustomization);
        let to = Image::parse(to);
        let edits = if used_before.origin.span.file == file {
            at_origin(&parsed.files, &used_before, &to)
        } else {
            in_images(&parsed.files, file, &used_before, &to)
        };
        let text = edited(kustomization, &edits?);
        let after = used(&tree.with("o/kustomization.yaml", &text)).image;
        assert_eq!(
            (&after.digest, after.digest.as_ref().or(after.tag.as_ref())),
            (&to.digest, to.digest.as_ref().or(to.tag.as_ref())),
            "{text}"
        );
        Some(text)
    }

    #[test]
    fn one_line_changes_and_the_rest_stays() {
        let (old, new) = (format!("sha256:{}", "a".repeat(64)), format!("sha256:{}", "b".repeat(64)));
        let pinned = |key: &str, value: &str| {
            format!("resources: [../b] # base\nimages:\n- name: x/y # ours\n  {key}: {value} # why\n\n# the end\n")
        };
        let case = |from: &str, to: &str, expected: &str| {
            assert_eq!(repinned("x/y:0", from, to).as_deref(), Some(expected));
        };
        case(&pinned("digest", &old), &format!("x/y@{new}"), &pinned("digest", &new));
        case(
            &pinned("digest", &format!("\"{old}\"")),
            &format!("x/y:2@{new}"),
            &pinned("digest", &format!("\"{new}\"")),
        );
        case(&pinned("newTag", "v1"), "x/y:v2", &pinned("newTag", "v2"));
        // What would be a number is a tag all the same.
        case(&pinned("newTag", "v1"), "x/y:1.20", &pinned("newTag", "\"1.20\""));
        case(&pinned("newTag", "v1"), &format!("x/y@{new}"), &pinned("digest", &new));
        case(&pinned("digest", &old), "x/y:v2", &pinned("newTag", "v2"));
        // A tag beside a digest follows, or goes.
        let both = format!("v1\n  digest: {old}");
        case(&pinned("newTag", &both), &format!("x/y:v2@{new}"), &pinned("newTag", &format!("v2\n  digest: {new}")));
        case(&pinned("newTag", &both), &format!("x/y@{new}"), &pinned("digest", &new));
    }

    #[test]
    fn what_the_base_says_is_overruled_in_the_overlay() {
        let new = format!("sha256:{}", "b".repeat(64));
        let case = |from: &str, expected: &str| {
            assert_eq!(repinned("x/y:0", from, &format!("x/y@{new}")), Some(expected.replace("NEW", &new)), "{from}");
        };
        case("resources:\n- ../b", "resources:\n- ../b\nimages:\n  - name: x/y\n    digest: NEW\n");
        case(
            "images:\r\n  - name: z\r\n    newTag: v1 # z\r\nresources: [../b]\r\n",
            "images:\r\n  - name: z\r\n    newTag: v1 # z\r\n  - name: x/y\r\n    digest: NEW\r\nresources: [../b]\r\n",
        );
        case(
            "resources: [../b]\nimages: [{name: z, newTag: v1}]\n",
            "resources: [../b]\nimages: [{name: z, newTag: v1}, {name: x/y, digest: NEW}]\n",
        );
        // An entry that only renames decides nothing yet.
        case(
            "resources: [../b]\nimages:\n  - name: x/y\n    newName: m/y\n",
            "resources: [../b]\nimages:\n  - name: x/y\n    newName: m/y\n    digest: NEW\n",
        );
        case(
            "resources: [../b]\nimages: [{name: x/y, newName: m/y}]\n",
            "resources: [../b]\nimages: [{name: x/y, newName: m/y, digest: NEW}]\n",
        );
        case("resources: [../b]\nimages: []\n", "resources: [../b]\nimages:\n  - name: x/y\n    digest: NEW\n");
        case(
            "images: # none\nresources: [../b]\n",
            "images:\n  - name: x/y\n    digest: NEW # none\nresources: [../b]\n",
        );
        case(
            "{\"resources\": [\"../b\"], \"images\": [{\"name\": \"z\", \"newTag\": \"1\"}]}\n",
            "{\"resources\": [\"../b\"], \"images\": [{\"name\": \"z\", \"newTag\": \"1\"}, {\"name\": \"x/y\", \"digest\": \"NEW\"}]}\n",
        );
        case(
            "images:\n- {name: z}\nresources: [../b]\n",
            "images:\n- {name: z}\n- name: x/y\n  digest: NEW\nresources: [../b]\n",
        );
        case(
            "images:\n- name: x/y\n  newTag:\nresources: [../b]\n",
            "images:\n- name: x/y\n  digest: NEW\nresources: [../b]\n",
        );
    }

    #[test]
    fn a_patch_is_changed_where_it_stands() {
        let patch = |image: &str| {
            format!(
                "resources: [../b]\npatches:\n  - target: {{kind: Deployment}}\n    patch: |\n      \
                 - op: replace # here\n        path: /spec/template/spec/containers/0/image\n        value: {image}\n"
            )
        };
        assert_eq!(repinned("x/y:0", &patch("x/y:1"), "x/y:2"), Some(patch("x/y:2")));
        let new = format!("x/y@sha256:{}", "b".repeat(64));
        assert_eq!(repinned("x/y:0", &patch("x/y:1"), &new), Some(patch(&new)));
    }
}
