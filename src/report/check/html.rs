//! `--format html`: one file that needs nothing else: no script, no request, light and dark.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::detail::{BoardRow, Detail};
use super::{Report, Verdict};
use crate::difference::groups;
use crate::facts::ImageStay;
use crate::finding::{Finding, Waived};
use crate::report::diff::{ObjectDifference, objects};
use crate::report::escape::{html as escaped, html_prose as prose};
use crate::report::mask::Mask;
use crate::span::{FileId, Files, Span};
use crate::words::{self, count};

/// How many findings are told with their lines, and how many objects with their differences.
const MOST_FINDINGS: usize = 2_000;
const MOST_OBJECTS: usize = 200;
/// How many lines of one object's difference are shown.
const MOST_LINES: usize = 2_000;
/// The board shows so many days, in seconds.
const BOARD: i64 = 60 * 86_400;

const STYLE: &str = include_str!("html.css");

/// Writes the page.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(report: &Report, detail: &Detail, files: &Files, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page { report, files, masks: BTreeMap::new(), text: String::new() };
    page.head();
    page.findings();
    page.entering();
    page.board(detail);
    page.freezes(detail);
    page.differences(detail);
    page.foot();
    out.write_all(page.text.as_bytes())
}

struct Page<'a> {
    report: &'a Report,
    files: &'a Files,
    masks: BTreeMap<FileId, Mask>,
    text: String,
}

impl Page<'_> {
    fn add(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn head(&mut self) {
        let report = self.report;
        let (class, title) = match report.verdict() {
            Verdict::Pass if report.affected.is_empty() && report.judged == 0 => ("pass", "Nothing is affected"),
            Verdict::Pass => ("pass", "Allowed"),
            Verdict::Fail => ("fail", "Refused"),
            Verdict::Undecided => ("fail", "Could not decide"),
        };
        let closing = report.findings.iter().filter(|finding| finding.closes()).count();
        self.add("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">");
        self.add("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
        self.add("<meta name=\"color-scheme\" content=\"light dark\">");
        self.add(&format!("<title>Tollgate: {title}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>{STYLE}</style>\n</head>\n<body>"));
        self.add(&format!("<header class=\"{class}\"><p>Tollgate</p><h1>{title}</h1>"));
        let facts = [
            count(closing, "error"),
            count(report.findings.len() - closing, "warning"),
            format!("{} of {} overlays affected", report.affected.len(), report.overlays),
            count(report.rules, "rule"),
            format!("base {}, head {}", words::short_commit(&report.base), report.head_name),
        ];
        self.add(&format!("<p>{}</p>", escaped(&facts.join(" · "))));
        if let Some(time) = report.valid_until {
            let until = words::moment(time.timestamp());
            self.add(&format!("<p>Valid until {until}, unless the repository changes.</p>"));
        }
        self.add("</header>\n<main>");
        if !report.not_judged.is_empty() {
            self.add("<section><h2>Not judged</h2><ul>");
            for left_out in &report.not_judged {
                self.add(&format!("<li>{}</li>", prose(left_out)));
            }
            self.add("</ul></section>");
        }
    }

    fn findings(&mut self) {
        let findings = self.report.worst_first();
        if findings.is_empty() {
            return;
        }
        self.add("<section><h2>Findings</h2>");
        for finding in findings.iter().take(MOST_FINDINGS) {
            self.finding(finding);
        }
        if findings.len() > MOST_FINDINGS {
            let more = count(findings.len() - MOST_FINDINGS, "more finding");
            self.add(&format!("<p>{more} left out here; the JSON report has all of them.</p>"));
        }
        self.add("</section>");
    }

    fn finding(&mut self, finding: &Finding) {
        let class = if finding.closes() { "error" } else { "warning" };
        let place = finding.place.as_ref().map(|place| format!("{} in {}", place.app, place.environment));
        self.add(&format!("<article class=\"{class}\"><h3>{}</h3>", prose(&finding.message)));
        let existing = if finding.existing { " · already in the base" } else { "" };
        self.add(&format!(
            "<p class=\"meta\"><code>{}</code> {class}{existing} {}</p>",
            escaped(&finding.rule),
            escaped(&place.unwrap_or_default())
        ));
        self.excerpt(finding.primary.span, &finding.primary.text);
        for label in &finding.related {
            self.excerpt(label.span, &label.text);
        }
        for note in finding.notes.iter().cloned().chain(finding.waived.as_ref().map(Waived::in_words)) {
            self.add(&format!("<p>note: {}</p>", prose(&note)));
        }
        if let Some(help) = &finding.help {
            self.add(&format!("<p class=\"help\"><strong>help:</strong> {}</p>", prose(help)));
        }
        self.add("</article>");
    }

    /// The lines around a place, as far as they may be shown.
    fn excerpt(&mut self, span: Span, label: &str) {
        let files = self.files;
        let mask = self.masks.entry(span.file).or_insert_with(|| Mask::of(files, span.file));
        let file = files.get(span.file);
        let place = files.location(span);
        let (first, last) = (place.line.saturating_sub(3), (place.line + 2).min(file.line_starts().len()));
        let mut rows = String::new();
        for line in first..last {
            let start = file.line_starts()[line] as usize;
            let end = file.line_starts().get(line + 1).map_or(file.text.len(), |next| *next as usize);
            let content = file.text[start..end].trim_end_matches(['\n', '\r']);
            let shown: String = mask.shown(line, content).replace('\t', "  ").chars().take(400).collect();
            let class = if line + 1 == place.line { " class=\"hit\"" } else { "" };
            let _ = writeln!(rows, "<tr{class}><th>{}</th><td>{}</td></tr>", line + 1, escaped(&shown));
        }
        let name = escaped(&format!("{}:{}", place.path, place.line));
        let name = match &self.report.forge {
            Some(forge) => {
                format!("<a href=\"{}\">{name}</a>", escaped(&forge.line(place.path.as_str(), place.line)))
            }
            None => name,
        };
        let label = if label.is_empty() { String::new() } else { format!(": {}", prose(label)) };
        self.add(&format!(
            "<figure><figcaption>{name}{label}</figcaption><table class=\"code\">{rows}</table></figure>"
        ));
    }

    fn entering(&mut self) {
        if self.report.entering.is_empty() {
            return;
        }
        self.add("<section><h2>What enters</h2><div class=\"wide\"><table><thead><tr><th>app</th><th>environment</th><th>artifact</th><th>live below</th><th>soak</th><th>approvals</th><th>freeze</th></tr></thead><tbody>");
        for entering in &self.report.entering {
            let cells = entering.cells().map(|cell| format!("<td>{}</td>", escaped(&cell))).concat();
            self.add(&format!("<tr>{cells}</tr>"));
        }
        self.add("</tbody></table></div></section>");
    }

    /// Apps by environments, with what ran there as a bar.
    fn board(&mut self, detail: &Detail) {
        if detail.board.is_empty() {
            return;
        }
        let now = self.report.now.timestamp();
        let begin = now - BOARD;
        self.add("<section><h2>Promotion board</h2>");
        self.add(&format!(
            "<p>What ran where, from {} to now. The same colour is the same content.</p>",
            words::minute(begin)
        ));
        self.add("<div class=\"wide\"><table class=\"board\"><thead><tr><th>app</th><th>environment</th><th>now</th><th>stays</th></tr></thead><tbody>");
        let mut last = "";
        for row in &detail.board {
            let app = if row.app == last { String::new() } else { escaped(&row.app) };
            last = &row.app;
            let current: Vec<String> =
                row.stays.iter().filter(|stay| stay.to.is_none()).map(|stay| escaped(&short(stay))).collect();
            self.add(&format!(
                "<tr><th>{app}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
                escaped(&row.environment),
                current.join("<br>"),
                timeline(row, begin, now)
            ));
        }
        self.add("</tbody></table></div></section>");
    }

    fn freezes(&mut self, detail: &Detail) {
        if detail.freezes.is_empty() {
            return;
        }
        self.add("<section><h2>Freezes</h2><div class=\"wide\"><table><thead><tr><th>environment</th><th>freeze</th><th>from</th><th>until</th></tr></thead><tbody>");
        for freeze in &detail.freezes {
            let is_active = freeze.from <= self.report.now && self.report.now < freeze.until;
            self.add(&format!(
                "<tr{}><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                if is_active { " class=\"active\"" } else { "" },
                escaped(&freeze.environment),
                escaped(&freeze.name),
                words::moment(freeze.from.timestamp()),
                words::moment(freeze.until.timestamp())
            ));
        }
        self.add("</tbody></table></div></section>");
    }

    fn differences(&mut self, detail: &Detail) {
        let objects = objects(&detail.differences);
        if objects.is_empty() {
            return;
        }
        self.add("<section><h2>Rendered differences</h2>");
        for object in objects.iter().take(MOST_OBJECTS) {
            self.add(&side_by_side(object));
        }
        if objects.len() > MOST_OBJECTS {
            let more = count(objects.len() - MOST_OBJECTS, "more object");
            self.add(&format!("<p>{more} left out; <code>tollgate diff</code> shows all of them.</p>"));
        }
        self.add("</section>");
    }

    fn foot(&mut self) {
        let now = words::moment(self.report.now.timestamp());
        self.add(&format!(
            "</main>\n<footer>Judged {now} by tollgate {}.</footer>\n</body>\n</html>",
            env!("CARGO_PKG_VERSION")
        ));
    }
}

/// A content, shortened.
fn short(stay: &ImageStay) -> String {
    let name = stay.image.repository.rsplit('/').next().unwrap_or_default();
    match (&stay.image.digest, &stay.image.tag) {
        (Some(digest), _) => format!("{name}@{}", digest.chars().take("sha256:".len() + 8).collect::<String>()),
        (None, tag) => format!("{name}:{}", tag.as_deref().unwrap_or("latest")),
    }
}

/// The stays of a row as parts of a bar for each image.
fn timeline(row: &BoardRow, begin: i64, now: i64) -> String {
    let mut by_image: BTreeMap<&str, Vec<&ImageStay>> = BTreeMap::new();
    for stay in row.stays.iter().filter(|stay| stay.to.is_none_or(|to| to > begin)) {
        by_image.entry(&stay.image.repository).or_default().push(stay);
    }
    let mut bars = String::new();
    for stays in by_image.values() {
        bars.push_str("<div class=\"bar\">");
        for stay in stays {
            let (from, to) = (stay.from.max(begin), stay.to.unwrap_or(now).min(now));
            let part = |seconds: i64| seconds.max(0) * 10_000 / (now - begin).max(1);
            let (left, width) = (part(from - begin), part(to - from).max(40));
            let until = stay.to.map_or_else(|| "now".to_owned(), words::minute);
            let told = format!("{} from {} to {until}", short(stay), words::minute(stay.from));
            let _ = write!(
                bars,
                "<span style=\"left:{}.{:02}%;width:{}.{:02}%;--hue:{}\" title=\"{}\"></span>",
                left / 100,
                left % 100,
                width / 100,
                width % 100,
                hue(stay),
                escaped(&told)
            );
        }
        bars.push_str("</div>");
    }
    bars
}

/// A colour of a content, in degrees.
fn hue(stay: &ImageStay) -> u32 {
    let content = stay.image.digest.as_ref().or(stay.image.tag.as_ref()).map_or("", String::as_str);
    content.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 360
}

fn side_by_side(object: &ObjectDifference) -> String {
    let [old, new] = &object.texts;
    let mut rows = String::new();
    let mut shown = 0;
    for (_, group) in groups(old, new) {
        for lines in group {
            let cells = |lines: &[&str], class: &str| -> Vec<String> {
                lines.iter().map(|line| format!("<td{class}>{}</td>", escaped(line.trim_end_matches('\n')))).collect()
            };
            let (old_class, new_class) = if lines.is_equal { ("", "") } else { (" class=\"old\"", " class=\"new\"") };
            let (left, right) = (cells(&lines.old, old_class), cells(&lines.new, new_class));
            for at in 0..left.len().max(right.len()) {
                let cell = |side: &[String]| side.get(at).cloned().unwrap_or_else(|| "<td></td>".to_owned());
                let _ = writeln!(rows, "<tr>{}{}</tr>", cell(&left), cell(&right));
            }
            shown += left.len().max(right.len());
        }
        rows.push_str("<tr class=\"gap\"><td colspan=\"2\"></td></tr>\n");
        if shown > MOST_LINES {
            rows.push_str("<tr><td colspan=\"2\">the rest is left out</td></tr>\n");
            break;
        }
    }
    let [old_name, new_name] = object.names.each_ref().map(|name| escaped(name));
    format!(
        "<details><summary>{} {}</summary><div class=\"wide\"><table class=\"code sides\"><thead><tr><th>{old_name}</th><th>{new_name}</th></tr></thead><tbody>{rows}</tbody></table></div></details>",
        escaped(&object.app),
        escaped(&object.object)
    )
}
