//! Content from elsewhere: what kustomize would fetch or let another program make. Its objects are not seen here, but its name
//! and version are.

use sha2::{Digest as _, Sha256};

use super::remote;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::{Fields, Reading, Text};
use crate::kustomize::file::kustomization::Image;
use crate::span::Span;
use crate::yaml::{Node, to_json};

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
    /// Values of a chart, as far as they are written here.
    pub values: Vec<Node>,
}

impl Opaque {
    /// An entry of `resources` that is on another machine.
    pub(crate) fn of_entry(entry: &Text) -> Self {
        let written = entry.value.clone();
        let span = entry.span;
        if let Some(remote::Address { repository, reference, .. }) = remote::Address::parse(&written) {
            let kind = OpaqueKind::Repository;
            return Self {
                kind,
                identity: repository,
                version: reference,
                written,
                span,
                is_seen: false,
                values: Vec::new(),
            };
        }
        let (identity, version) = remote::file_identity(&written);
        Self { kind: OpaqueKind::File, identity, version, written, span, is_seen: false, values: Vec::new() }
    }

    /// A chart.
    pub(crate) fn chart(repository: &str, name: &str, version: &str, span: Span) -> Self {
        let repository = repository.trim_end_matches('/');
        let place = ["oci://", "https://", "http://"]
            .iter()
            .find_map(|scheme| repository.strip_prefix(scheme))
            .unwrap_or(repository);
        let identity = if place.is_empty() { format!("charts/{name}") } else { format!("{place}/{name}") };
        let version = Some(version.to_owned()).filter(|version| !version.is_empty());
        let written = match &version {
            Some(version) => format!("{name} {version}"),
            None => name.to_owned(),
        };
        Self { kind: OpaqueKind::Chart, identity, version, written, span, is_seen: false, values: Vec::new() }
    }

    /// What configures a plugin, which is identified by all that it says.
    pub(crate) fn plugin(object: &Node) -> Self {
        let text = |path: &[&str]| object.find(path).and_then(Node::as_text).unwrap_or_default().to_owned();
        let (kind, name) = (text(&["kind"]), text(&["metadata", "name"]));
        let digest = Sha256::digest(to_json(object).to_string().as_bytes());
        let version = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        Self {
            kind: OpaqueKind::Plugin,
            identity: format!("plugin.{kind}/{name}"),
            version: Some(version),
            written: format!("{kind} {name}"),
            span: object.get("kind").unwrap_or(object).origin.span,
            is_seen: false,
            values: Vec::new(),
        }
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
        Self {
            kind: OpaqueKind::Image,
            identity: name,
            version: value(&image.digest).or_else(|| value(&image.new_tag)),
            written,
            span: place.map_or(image.span, |text| text.span),
            is_seen: false,
            values: Vec::new(),
        }
    }
}

/// The charts that a kustomization names.
///
/// # Errors
/// When an entry has another shape.
pub(crate) fn charts(fields: &Fields<'_>) -> Result<Vec<Opaque>, RenderError> {
    let mut found = Vec::new();
    for (list, [name, repository]) in
        [("helmCharts", ["name", "repo"]), ("helmChartInflationGenerator", ["chartName", "chartRepoUrl"])]
    {
        found.extend(fields.list(list, |node| {
            let known =
                ["name", "repo", "version", "chartName", "chartRepoUrl", "chartVersion", "valuesInline", "values"];
            let entry = Fields::read(node, &known, Reading::Plugin, "a chart")?;
            let text =
                |name: &str| Ok::<_, RenderError>(entry.filled(name)?.map(|text| text.value).unwrap_or_default());
            let version = if list == "helmCharts" { "version" } else { "chartVersion" };
            let span = entry.filled(version)?.or(entry.filled(name)?).map_or(entry.span(), |text| text.span);
            let values = ["valuesInline", "values"].iter().filter_map(|name| entry.get(name).cloned()).collect();
            Ok(Opaque { values, ..Opaque::chart(&text(repository)?, &text(name)?, &text(version)?, span) })
        })?);
    }
    Ok(found)
}
