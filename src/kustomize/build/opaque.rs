//! Content from elsewhere: what kustomize would fetch or let another program make. Its objects are not seen here, but its name
//! and version are.

use sha2::{Digest as _, Sha256};

use super::remote;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::{Fields, Reading, Text};
use crate::kustomize::file::kustomization::Image;
use crate::span::Span;
use crate::yaml::{Node, Value, same, to_json};

/// How many texts of a plugin's configuration are looked up as files.
const MOST_NAMED: usize = 1000;

/// What kind of content it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpaqueKind {
    /// A folder of a Git repository.
    Repository,
    /// A file from the web.
    File,
    /// A Helm chart.
    Chart,
    /// What a plugin or a function makes.
    Plugin,
    /// An image that an entry of `images` names, and nothing that is seen runs.
    Image,
}

/// One piece of content from elsewhere.
#[derive(Clone, Debug)]
pub struct Opaque {
    /// What kind of content it is.
    pub kind: OpaqueKind,
    /// What it is, without its version: a repository without the path in it and the transport, a chart with its repository.
    pub identity: String,
    /// Its version; `None` where none is asked for.
    pub version: Option<String>,
    /// As written.
    pub written: String,
    /// Where.
    pub span: Span,
    /// Whether its objects are seen after all: the caller has brought a clone.
    pub is_seen: bool,
    /// What is written here for it: values of a chart, and patches that match nothing that is seen.
    pub given: Vec<Node>,
    /// What else decides what it makes, as a digest: the entry that names it, the files that the entry names, and what
    /// kustomizations do to its objects. Empty where there is nothing of that kind.
    pub made_from: String,
}

/// The identity of a chart: its repository without the transport, and its name.
#[must_use]
pub fn chart_identity(repository: &str, name: &str) -> String {
    let place = repository.split_once("://").map_or(repository, |(_, place)| place).trim_end_matches('/');
    if place.is_empty() { format!("charts/{name}") } else { format!("{place}/{name}") }
}

impl Opaque {
    /// Content of which nothing is seen, and to which nothing is given yet.
    pub(crate) fn new(
        kind: OpaqueKind,
        identity: String,
        version: Option<String>,
        written: String,
        span: Span,
    ) -> Self {
        let (given, made_from) = (Vec::new(), String::new());
        Self { kind, identity, version, written, span, is_seen: false, given, made_from }
    }

    /// Whether both make the same, as far as that can be known here.
    #[must_use]
    pub fn makes_same_as(&self, other: &Self) -> bool {
        let known = |it: &Self| (it.identity.clone(), it.version.clone(), it.made_from.clone());
        known(self) == known(other)
            && self.given.len() == other.given.len()
            && self.given.iter().zip(&other.given).all(|(one, other)| same(one, other))
    }

    /// An entry of `resources` that is on another machine.
    pub(crate) fn of_entry(entry: &Text) -> Self {
        let written = entry.value.clone();
        let span = entry.span;
        if let Some(remote::Address { repository, reference, .. }) = remote::Address::parse(&written) {
            return Self::new(OpaqueKind::Repository, repository, reference, written, span);
        }
        let (identity, version) = remote::file_identity(&written);
        Self::new(OpaqueKind::File, identity, version, written, span)
    }

    /// A chart.
    pub(crate) fn chart(repository: &str, name: &str, version: &str, span: Span) -> Self {
        let version = Some(version.to_owned()).filter(|version| !version.is_empty());
        let written = match &version {
            Some(version) => format!("{name} {version}"),
            None => name.to_owned(),
        };
        Self::new(OpaqueKind::Chart, chart_identity(repository, name), version, written, span)
    }

    /// What configures a plugin, which is identified by all that it says.
    pub(crate) fn plugin(object: &Node) -> Self {
        let text = |path: &[&str]| object.find(path).and_then(Node::as_text).unwrap_or_default().to_owned();
        let (kind, name) = (text(&["kind"]), text(&["metadata", "name"]));
        let version = short_digest(&[to_json(object).to_string().as_bytes()]);
        let span = object.get("kind").unwrap_or(object).origin.span;
        Self::new(OpaqueKind::Plugin, format!("plugin.{kind}/{name}"), Some(version), format!("{kind} {name}"), span)
    }

    /// An entry of `images` that matches nothing that is seen.
    pub(crate) fn image(image: &Image) -> Self {
        let value = |text: &Option<Text>| text.as_ref().map(|text| text.value.clone());
        let name = value(&image.new_name).unwrap_or_else(|| image.name.clone());
        let mut written = name.clone();
        for (mark, part) in [(':', value(&image.new_tag)), ('@', value(&image.digest))] {
            if let Some(part) = part {
                written.push(mark);
                written.push_str(&part);
            }
        }
        let place = [&image.digest, &image.new_tag, &image.new_name].into_iter().flatten().next();
        let version = value(&image.digest).or_else(|| value(&image.new_tag));
        Self::new(OpaqueKind::Image, name, version, written, place.map_or(image.span, |text| text.span))
    }
}

/// The beginning of the digest of some texts.
pub(super) fn short_digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// An entry that names a chart, with all that it says.
#[derive(Clone, Debug)]
pub struct ChartEntry {
    /// The chart.
    pub(crate) chart: Opaque,
    /// The entry.
    pub(crate) entry: Node,
    /// Its folder, as written, where it is one of this repository.
    pub(crate) folder: String,
}

/// The charts that a kustomization names (`helmCharts`; a chart that `chartHome`, else `charts`, holds is not fetched).
///
/// # Errors
/// When an entry has another shape.
pub(crate) fn charts(fields: &Fields<'_>) -> Result<Vec<ChartEntry>, RenderError> {
    let mut found = Vec::new();
    let home = fields.get("helmGlobals").and_then(|globals| globals.get("chartHome")).and_then(Node::as_text);
    for (list, [name, repository]) in
        [("helmCharts", ["name", "repo"]), ("helmChartInflationGenerator", ["chartName", "chartRepoUrl"])]
    {
        found.extend(fields.list(list, |node| {
            let known = [
                "name",
                "repo",
                "version",
                "chartName",
                "chartRepoUrl",
                "chartVersion",
                "valuesInline",
                "values",
                "chartHome",
            ];
            let entry = Fields::read(node, &known, Reading::Plugin, "a chart")?;
            let text =
                |name: &str| Ok::<_, RenderError>(entry.filled(name)?.map(|text| text.value).unwrap_or_default());
            let version = if list == "helmCharts" { "version" } else { "chartVersion" };
            let span = entry.filled(version)?.or(entry.filled(name)?).map_or(entry.span(), |text| text.span);
            let inline = ["valuesInline", "values"].iter().filter_map(|name| entry.get(name));
            let given = inline.filter(|values| values.as_mapping().is_some()).cloned().collect();
            let name = text(name)?;
            let own_home = text("chartHome")?;
            let home = if own_home.is_empty() { home.unwrap_or("charts") } else { &own_home };
            Ok(ChartEntry {
                folder: format!("{home}/{name}"),
                entry: node.clone(),
                chart: Opaque { given, ..Opaque::chart(&text(repository)?, &name, &text(version)?, span) },
            })
        })?);
    }
    Ok(found)
}

/// The files that an entry which names a chart takes values from.
pub(crate) fn values_files(entry: &Node) -> Vec<Text> {
    let further = entry.get("additionalValuesFiles").and_then(Node::as_sequence).unwrap_or_default();
    let named = entry.get("valuesFile").into_iter().chain(further);
    let text = |node: &Node| Some(Text { value: node.as_text()?.to_owned(), span: node.origin.span });
    named.filter_map(text).filter(|text| !text.value.is_empty() && !remote::is_remote_file(&text.value)).collect()
}

/// The texts in the configuration of a plugin that may be names of files.
pub(crate) fn files_named(configuration: &Node) -> Vec<Text> {
    let mut found = Vec::new();
    let mut pending = vec![configuration];
    while let Some(node) = pending.pop() {
        match &node.value {
            Value::Scalar(scalar) => {
                let text = &*scalar.text;
                let may_be_path = !text.is_empty() && text.len() < 256 && !text.contains([' ', '\n', ':', '\\']);
                if found.len() == MOST_NAMED {
                    break;
                }
                found.extend(may_be_path.then(|| Text { value: text.to_owned(), span: node.origin.span }));
            }
            Value::Sequence(items) => pending.extend(items.iter()),
            Value::Mapping(mapping) => pending.extend(mapping.iter().map(|(_, node)| node)),
        }
    }
    found
}
