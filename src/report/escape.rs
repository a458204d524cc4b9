//! Text from the repository, escaped for where it is printed: nothing of it is obeyed.

/// A text on one line, without control characters, which a terminal or a log would obey.
#[must_use]
pub(crate) fn printable(text: &str) -> String {
    let is_hidden = |character: char| {
        character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|character| if is_hidden(character) { '\u{fffd}' } else { character }).collect()
}

/// A text in a Markdown table: nothing of it is markup.
#[must_use]
pub(crate) fn markdown(text: &str) -> String {
    printable(text).chars().fold(String::new(), |mut out, character| {
        if "\\`*_{}[]()<>#+!|~&".contains(character) {
            out.push_str(&format!("&#{};", u32::from(character)));
        } else {
            out.push(character);
        }
        out
    })
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
    }
}
