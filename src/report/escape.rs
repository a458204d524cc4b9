//! Text from the repository, escaped for where it is printed: nothing of it is obeyed.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::words::is_hidden;

/// A text on one line that a terminal, a log or a forge's runner shows and does not obey: no control or format characters,
/// and no commands of GitHub Actions (`::…`, also indented, and `##[…]`) or Azure Pipelines (`##vso[…]`).
#[must_use]
pub(crate) fn printable(text: &str) -> String {
    let shown: String =
        text.chars().map(|character| if is_hidden(character) { '\u{fffd}' } else { character }).collect();
    let shown = if shown.contains("##") { shown.replace("##[", "## [").replace("##vso[", "##vso [") } else { shown };
    if shown.trim_start().starts_with("::") { shown.replacen("::", ": :", 1) } else { shown }
}

/// JSON in which no character outside of ASCII is obeyed by whoever prints it. Those only occur in strings.
#[must_use]
pub(crate) fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() || !is_hidden(character) {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// A text in Markdown, also in a table: nothing of it is markup, and nobody is notified. A forge notifies whoever is named by `@name` in
/// one piece of text; a comment in between makes two of it.
#[must_use]
pub(crate) fn markdown(text: &str) -> String {
    printable(text).chars().fold(String::new(), |mut out, character| {
        if character == '@' {
            out.push_str("@<!-- -->");
        } else if "\\`*_{}[]()<>#+!|~&".contains(character) {
            out.push_str(&format!("&#{};", u32::from(character)));
        } else {
            out.push(character);
        }
        out
    })
}

/// The same for a sentence, in which what stands between backticks is code.
#[must_use]
pub(crate) fn markdown_prose(text: &str) -> String {
    with_code(text, markdown)
}

/// The same in HTML.
#[must_use]
pub(crate) fn html_prose(text: &str) -> String {
    with_code(text, html)
}

fn with_code(text: &str, escaped: fn(&str) -> String) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return escaped(text);
    }
    let part = |(at, part): (usize, &&str)| match at % 2 {
        1 => format!("<code>{}</code>", escaped(part)),
        _ => escaped(part),
    };
    parts.iter().enumerate().map(part).collect()
}

/// A text in HTML, also between quotes: nothing of it is markup.
#[must_use]
pub(crate) fn html(text: &str) -> String {
    printable(text).chars().fold(String::new(), |mut out, character| {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
        out
    })
}

/// How a text may stand in any output.
#[must_use]
pub(crate) fn forms(text: &str) -> Vec<String> {
    let xml = printable(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&apos;")
        .replace('"', "&quot;");
    let in_json = serde_json::to_string(text).unwrap_or_default();
    let in_json = in_json.trim_matches('"').to_owned();
    vec![
        text.to_owned(),
        text.escape_default().to_string(),
        printable(text),
        json(&in_json),
        in_json,
        html(text),
        markdown(text),
        workflow_data(text),
        workflow_property(text),
        xml,
    ]
}

/// A text as one segment of the path of an address.
#[must_use]
pub(crate) fn url_segment(text: &str) -> String {
    const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A message of a workflow command of GitHub Actions: a percent sign would garble the command, and a line break, which is not printable, end it.
#[must_use]
pub(crate) fn workflow_data(text: &str) -> String {
    printable(text).replace('%', "%25")
}

/// A property of a workflow command, in which colons and commas separate.
#[must_use]
pub(crate) fn workflow_property(text: &str) -> String {
    workflow_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_the_repository_cannot_write_commands() {
        assert_eq!(workflow_data("a%\n::error::b\u{1b}[31m"), "a%25\u{fffd}::error::b\u{fffd}[31m");
        assert_eq!(workflow_property("a:b,c"), "a%3Ab%2Cc");
        assert_eq!(printable("  ::error::a ##[add-mask]b ##vso[x]"), "  : :error::a ## [add-mask]b ##vso [x]");
        assert_eq!(printable("a\u{9b}b\u{61c}c\u{2028}d"), "a\u{fffd}b\u{fffd}c\u{fffd}d");
        assert_eq!(html("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
        assert_eq!(markdown_prose("a `b*` @c"), "a <code>b&#42;</code> @<!-- -->c");
        assert_eq!(html_prose("a `<b>"), "a `&lt;b&gt;");
        assert_eq!(url_segment("a b/ä"), "a%20b%2F%C3%A4");
        let secret = "a&b_<c>%\"'";
        for form in [html(secret), markdown(secret), workflow_data(secret), "a&amp;b_&lt;c&gt;%&quot;&apos;".to_owned()]
        {
            assert!(forms(secret).contains(&form), "{form}");
        }
        assert_eq!(json("\"\u{202e}\u{e0041}é\""), "\"\\u202e\\udb40\\udc41é\"");
    }
}
