//! The README's picture of a report: what a terminal shows, as SVG.

use std::fmt::Write as _;
use std::fs;

use chrono::DateTime;
use clap::Parser as _;
use tollgate::cli::Cli;
use tollgate::commands::{self, Invocation};
use tollgate::report::story::Style;

use crate::support::root;

/// What a command prints in colour at a fixed time.
fn printed(arguments: &[&str]) -> String {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut invocation = Invocation {
        out: &mut out,
        err: &mut err,
        variables: &|_| None,
        now: DateTime::from_timestamp(1_793_600_000, 0).unwrap(),
        style: Style::Coloured,
        progress: tollgate::progress::Progress::silent(),
    };
    let cli = Cli::parse_from([&["tollgate"], arguments].concat());
    commands::run(&cli, &mut invocation).unwrap();
    String::from_utf8(out).unwrap()
}

/// Text with terminal colours as a picture.
fn svg(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let height = lines.len() * 18 + 32;
    let plain = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    let width = lines.iter().map(|line| plain.replace_all(line, "").chars().count()).max().unwrap() * 8 + 16;
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"A report of tollgate check\">\n\
         <style>text{{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#d8dee9;white-space:pre}}\
         .b{{font-weight:bold}}.c31{{fill:#ff7b72}}.c33{{fill:#e3b341}}.c32{{fill:#7ee787}}.c34,.c36{{fill:#79c0ff}}.c35{{fill:#d2a8ff}}.d{{opacity:.6}}</style>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#0d1117\"/>\n"
    );
    for (number, line) in lines.iter().enumerate() {
        write!(picture, "<text x=\"16\" y=\"{}\" xml:space=\"preserve\">", number * 18 + 28).unwrap();
        let mut parts = line.split("\u{1b}[");
        let mut classes: Vec<String> = Vec::new();
        let mut put = |text: &str, classes: &[String]| {
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            match (text.is_empty(), classes.is_empty()) {
                (true, _) => {}
                (false, true) => picture.push_str(&text),
                (false, false) => write!(picture, "<tspan class=\"{}\">{text}</tspan>", classes.join(" ")).unwrap(),
            }
        };
        put(parts.next().unwrap(), &classes);
        for part in parts {
            let (codes, text) = part.split_once('m').unwrap();
            for code in codes.split(';') {
                match code {
                    "" | "0" => classes.clear(),
                    "1" => classes.push("b".to_owned()),
                    "2" => classes.push("d".to_owned()),
                    "39" => classes.retain(|class| !class.starts_with('c')),
                    colour if colour.starts_with('3') => classes.push(format!("c{colour}")),
                    _ => {}
                }
            }
            put(text, &classes);
        }
        picture.push_str("</text>\n");
    }
    picture + "</svg>\n"
}

#[test]
fn the_picture_shows_what_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let demo = folder.path().join("demo");
    printed(&["demo", demo.to_str().unwrap()]);
    let change = ["--base", "main", "--head", "promote-to-production"];
    let check = ["check", "--repo", demo.to_str().unwrap(), "--rule", "promotion/unproven", "--app", "api"];
    let report = printed(&[&check[..], &change].concat());
    // The first finding, and the verdict.
    let (first, rest) = report.split_once("\n\n").unwrap();
    let verdict = rest.lines().find(|line| line.contains("refused")).unwrap();
    let picture = svg(&format!("$ tollgate check\n\n{first}\n\n{verdict}\n"));
    let file = root().join("docs/report.svg");
    if std::env::var("UPDATE").is_ok() {
        fs::write(&file, &picture).unwrap();
    }
    let drawn = fs::read_to_string(&file).unwrap_or_default();
    assert!(drawn == picture, "docs/report.svg is stale: `UPDATE=1 cargo test` draws it again");
}
