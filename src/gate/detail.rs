//! What the longer reports tell besides findings: rendered differences, what ran where, freezes.

use std::collections::BTreeSet;

use chrono::Duration;

use super::{GateError, Request, of_change, overlays_at};
use crate::facts::{HistorySource, LiveHistory};
use crate::kustomize::ParsedFiles;
use crate::model::OverlayFilter;
use crate::report::check::Report;
use crate::report::check::detail::{BoardRow, Detail, FreezeRow};

/// Of how many affected apps is told what ran where.
const MOST_APPS: usize = 12;
/// How far ahead freezes are told, in days.
const AHEAD: i64 = 60;

/// Finds out what a report tells at length.
///
/// # Errors
/// When a side or the history cannot be read.
pub fn detail(request: &Request<'_>, files: &ParsedFiles, report: &Report) -> Result<Detail, GateError> {
    let Request { repository, comparison, app, environment, now, .. } = request;
    let differences = of_change(comparison, files, *app, *environment)?;
    let (config, overlays) = overlays_at(repository, &comparison.base, files)?;
    let apps: BTreeSet<&str> = report.affected.iter().map(|overlay| overlay.app.as_str()).collect();
    let mut board = Vec::new();
    for app in apps.iter().take(MOST_APPS) {
        let filter = OverlayFilter { app: Some(app), environment: None };
        let source = HistorySource {
            repository,
            files,
            config: &config,
            tip: &comparison.base,
            overlays: &overlays,
            filter,
            now: now.timestamp(),
            progress: request.progress,
        };
        let history = LiveHistory::all(&source)?;
        let rows = history
            .live
            .into_iter()
            .flat_map(|(app, environments)| environments.into_iter().map(move |(at, stays)| (app.clone(), at, stays)));
        board.extend(rows.map(|(app, at, stays)| BoardRow {
            app,
            environment: config.environments[at].name.clone(),
            stays,
        }));
    }
    let affected: BTreeSet<&str> = report.affected.iter().map(|overlay| overlay.environment.as_str()).collect();
    let mut freezes = Vec::new();
    for freeze in &config.freezes {
        for environment in freeze.environments.iter().filter(|name| affected.contains(name.as_str())) {
            let windows = freeze.windows(*now, *now + Duration::days(AHEAD));
            freezes.extend(windows.into_iter().map(|window| FreezeRow {
                environment: environment.clone(),
                name: freeze.name.clone(),
                from: window.from,
                until: window.until,
            }));
        }
    }
    freezes.sort_by(|one, other| (one.from, &one.environment).cmp(&(other.from, &other.environment)));
    Ok(Detail { differences, board, freezes })
}
