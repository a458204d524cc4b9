//! Every image, chart, source and operator that the overlays of a snapshot name, with the line that says so.

use std::io::{self, Write};

use serde::Serialize;

use super::escape::printable;
use crate::model::{Role, UsedImage};
use crate::span::Files;
use crate::words::count;

/// What one overlay names.
pub struct Census {
    /// The app.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// The overlay's folder.
    pub overlay: String,
    /// What it names; why it does not render.
    pub images: Result<Vec<UsedImage>, String>,
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Container | Role::InitContainer | Role::EphemeralContainer => "container",
        Role::Volume => "volume",
        Role::Field => "field",
        Role::Value => "value",
        Role::Unseen => "images entry",
        Role::Source => "source",
        Role::Chart => "chart",
        Role::Plugin => "plugin",
        Role::Operator => "operator",
    }
}

/// Writes a line for each, overlay by overlay.
///
/// # Errors
/// When `out` cannot be written to.
pub fn human(census: &[Census], files: &Files, out: &mut dyn Write) -> io::Result<()> {
    let mut total = 0;
    for one in census {
        writeln!(out, "{} in {} ({})", printable(&one.app), printable(&one.environment), printable(&one.overlay))?;
        match &one.images {
            Err(why) => writeln!(out, "  does not render: {}", printable(why))?,
            Ok(images) => {
                total += images.len();
                for used in images {
                    let place = files.location(used.origin.span);
                    let (path, reference) = (printable(place.path.as_str()), printable(&used.image.reference));
                    writeln!(out, "  {:12}  {reference}  {path}:{}", word(used.role), place.line)?;
                }
            }
        }
    }
    writeln!(out, "\n{} in {}", count(total, "artifact"), count(census.len(), "overlay"))
}

#[derive(Serialize)]
struct CensusJson<'a> {
    schema: &'static str,
    overlays: Vec<OverlayJson<'a>>,
}

#[derive(Serialize)]
struct OverlayJson<'a> {
    app: &'a str,
    environment: &'a str,
    overlay: &'a str,
    error: Option<&'a str>,
    artifacts: Vec<ArtifactJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactJson<'a> {
    role: Role,
    reference: &'a str,
    repository: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
    object: String,
    path: &'a str,
    file: String,
    line: usize,
}

/// Writes them as `tollgate.images/1`.
///
/// # Errors
/// When `out` cannot be written to.
pub fn json(census: &[Census], files: &Files, out: &mut dyn Write) -> io::Result<()> {
    let artifact = |used: &'_ UsedImage| files.location(used.origin.span);
    let overlays = census.iter().map(|one| OverlayJson {
        app: &one.app,
        environment: &one.environment,
        overlay: &one.overlay,
        error: one.images.as_ref().err().map(String::as_str),
        artifacts: one
            .images
            .iter()
            .flatten()
            .map(|used| {
                let place = artifact(used);
                ArtifactJson {
                    role: used.role,
                    reference: &used.image.reference,
                    repository: &used.image.repository,
                    tag: used.image.tag.as_deref(),
                    digest: used.image.digest.as_deref(),
                    object: format!("{}/{}", used.object.kind, used.object.name),
                    path: &used.path,
                    file: place.path.to_string(),
                    line: place.line,
                }
            })
            .collect(),
    });
    let document = CensusJson { schema: "tollgate.images/1", overlays: overlays.collect() };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}
