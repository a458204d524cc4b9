use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::shared::{CommandError, explain_error};
use super::{Exit, Invocation};
use crate::cli::MergeArguments;
use crate::gate::Shard;
use crate::kustomize::ParsedFiles;
use crate::report::escape::{self, printable};
use crate::sources::{read_argument_file, write_argument_file};
use crate::words::{count, quoted};

pub(super) fn run(arguments: &MergeArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let merged = merge(arguments).and_then(|merged| {
        if let Some(path) = &arguments.output {
            let text = escape::json(&format!("{merged:#}\n"));
            let error = |error| CommandError::Write { path: path.clone(), error };
            write_argument_file(path, text.as_bytes()).map_err(error)?;
        }
        Ok(merged)
    });
    match merged {
        Ok(merged) => tell(&merged, invocation),
        Err(error) => {
            explain_error(&error, &ParsedFiles::default(), invocation)?;
            Ok(Exit::Undecided)
        }
    }
}

fn tell(merged: &Value, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let text = |value: &Value| printable(value.as_str().unwrap_or_default());
    let findings = merged["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    for finding in findings {
        let place = &finding["location"];
        writeln!(
            invocation.out,
            "{}[{}]: {}\n  at {}:{}:{}",
            text(&finding["severity"]),
            text(&finding["rule"]),
            text(&finding["message"]),
            text(&place["file"]),
            place["line"],
            place["column"]
        )?;
        if finding["help"].is_string() {
            writeln!(invocation.out, "  help: {}", text(&finding["help"]))?;
        }
    }
    let closing = findings.iter().filter(|finding| finding["severity"] == "error").count();
    let (verdict, exit) = match merged["verdict"].as_str() {
        Some("pass") => ("allowed", Exit::Allowed),
        Some("fail") => ("refused", Exit::Refused),
        _ => ("could not decide", Exit::Undecided),
    };
    writeln!(
        invocation.out,
        "{verdict}: {}, {} · {} of {} overlays affected",
        count(closing, "error"),
        count(findings.len() - closing, "warning"),
        merged["overlays"]["affected"],
        merged["overlays"]["total"]
    )?;
    for left_out in merged["notJudged"].as_array().into_iter().flatten() {
        writeln!(invocation.out, "not judged: {}", text(left_out))?;
    }
    Ok(exit)
}

/// How many shards there may be.
const MOST_SHARDS: u32 = 1_000;

/// One report of all parts: each must be there, once, and of the same change.
fn merge(arguments: &MergeArguments) -> Result<Value, CommandError> {
    let mut reports = Vec::new();
    for path in &arguments.reports {
        reports.push((path.as_path(), read(path)?));
    }
    let Some((first_path, first)) = reports.first() else {
        return Err(CommandError::Shards("there is no report".to_owned()));
    };
    let parts = shard_of(first).count;
    if parts > MOST_SHARDS {
        return Err(CommandError::Shards(format!("`{}` is one of {parts} shards", first_path.display())));
    }
    let mut seen = BTreeSet::new();
    for (path, report) in &reports {
        let same = |field: &str| report[field] == first[field];
        if !same("base") || !same("head") || shard_of(report).count != parts {
            let why = format!("`{}` and `{}` are not of the same change", first_path.display(), path.display());
            return Err(CommandError::Shards(why));
        }
        let index = shard_of(report).index;
        if !(1..=parts).contains(&index) {
            let why = format!("`{}` says that it is shard {index}/{parts}", path.display());
            return Err(CommandError::Shards(why));
        }
        if !seen.insert(index) {
            return Err(CommandError::Shards(format!("shard {index}/{parts} is there twice")));
        }
    }
    let missing: Vec<String> =
        (1..=parts).filter(|index| !seen.contains(index)).map(|index| format!("{index}/{parts}")).collect();
    if !missing.is_empty() {
        return Err(CommandError::Shards(format!("no report of shard {} is there", quoted(&missing))));
    }
    let all = || reports.iter().map(|(_, report)| report);
    let verdict =
        ["undecided", "fail", "pass"].into_iter().find(|verdict| all().any(|report| report["verdict"] == *verdict));
    let mut findings: Vec<&Value> = all().filter_map(|report| report["findings"].as_array()).flatten().collect();
    findings.sort_by_key(|finding| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let place = &finding["location"];
        (
            text(&place["file"]),
            place["line"].as_u64(),
            place["column"].as_u64(),
            text(&finding["rule"]),
            text(&finding["overlay"]),
        )
    });
    let left_out: BTreeSet<&str> =
        all().filter_map(|report| report["notJudged"].as_array()).flatten().filter_map(Value::as_str).collect();
    let of_shards: Vec<String> = (1..=parts).map(|index| Shard { index, count: parts }.leaves_out()).collect();
    let left_out: Vec<&str> =
        left_out.into_iter().filter(|line| of_shards.iter().all(|of_shard| of_shard != line)).collect();
    let sum = |field: &str| all().filter_map(|report| report["overlays"][field].as_u64()).sum::<u64>();
    let until = all().filter_map(|report| report["validUntil"].as_str()).min();
    Ok(json!({
        "schema": first["schema"], "verdict": verdict.unwrap_or("undecided"), "base": first["base"], "head": first["head"],
        "now": all().filter_map(|report| report["now"].as_str()).min(), "validUntil": until,
        "overlays": {"total": first["overlays"]["total"], "affected": sum("affected"), "judged": sum("judged")},
        "notJudged": left_out, "findings": findings,
    }))
}

/// The part that a report is of; one without is the only one.
fn shard_of(report: &Value) -> Shard {
    let number = |field: &str| u32::try_from(report["shard"][field].as_u64().unwrap_or(1)).unwrap_or(u32::MAX);
    Shard { index: number("index"), count: number("count") }
}

fn read(path: &Path) -> Result<Value, CommandError> {
    const HELP: &str = "name a file that `tollgate check --output json=FILE` wrote";
    let unreadable = |error: io::Error| CommandError::Read { path: path.to_owned(), error, help: HELP };
    let text = read_argument_file(path).map_err(unreadable)?;
    let report: Value = serde_json::from_str(&text).map_err(|error| unreadable(error.into()))?;
    let is_report = report["schema"] == "tollgate.report/1"
        && matches!(report["verdict"].as_str(), Some("pass" | "fail" | "undecided"))
        && report["findings"].is_array();
    if is_report {
        Ok(report)
    } else {
        Err(unreadable(io::Error::other("it is not a report of the form `tollgate.report/1`")))
    }
}
