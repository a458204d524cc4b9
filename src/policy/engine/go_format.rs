//! `sprintf` as OPA has it: Go's `fmt.Sprintf` (<https://pkg.go.dev/fmt>). regorus fails where Go prints what is wrong into the text,
//! and what fails is no finding.

use std::fmt::Write as _;

/// An argument: OPA hands everything but numbers over as text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Argument {
    Int(i64),
    Float(f64),
    Text(String),
}

impl Argument {
    fn type_name(&self) -> &'static str {
        match self {
            Self::Int(_) => "int64",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
        }
    }

    fn plain(&self) -> String {
        match self {
            Self::Int(value) => value.to_string(),
            Self::Float(value) => shortest(*value),
            Self::Text(text) => text.clone(),
        }
    }
}

/// What stands between `%` and the verb.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the format")]
struct Directive {
    is_left: bool,
    has_sign: bool,
    has_space: bool,
    is_alternate: bool,
    is_zeroed: bool,
    width: usize,
    precision: Option<usize>,
}

/// The widest field: wider ones only waste memory.
const WIDEST: usize = 1_000;

/// The text of a format with its arguments.
pub(super) fn format(format: &str, arguments: &[Argument]) -> String {
    let mut out = String::new();
    let mut used = 0;
    let mut rest = format.chars().peekable();
    while let Some(character) = rest.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let mut directive = Directive::default();
        while let Some(flag) = rest.next_if(|next| "-+ #0".contains(*next)) {
            match flag {
                '-' => directive.is_left = true,
                '+' => directive.has_sign = true,
                ' ' => directive.has_space = true,
                '#' => directive.is_alternate = true,
                _ => directive.is_zeroed = true,
            }
        }
        let mut number = || {
            let mut value = None;
            while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                let digit = digit.to_digit(10).unwrap_or_default() as usize;
                value = Some((value.unwrap_or(0) * 10 + digit).min(WIDEST));
            }
            value
        };
        directive.width = number().unwrap_or(0);
        if rest.next_if_eq(&'.').is_some() {
            let mut value = 0;
            while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                value = (value * 10 + digit.to_digit(10).unwrap_or_default() as usize).min(WIDEST);
            }
            directive.precision = Some(value);
        }
        match rest.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) => match arguments.get(used) {
                None => {
                    let _ = write!(out, "%!{verb}(MISSING)");
                }
                Some(argument) => {
                    used += 1;
                    out.push_str(&one(verb, argument, &directive));
                }
            },
        }
    }
    if used < arguments.len() {
        let extra = arguments[used..].iter().map(|it| format!("{}={}", it.type_name(), it.plain()));
        let _ = write!(out, "%!(EXTRA {})", extra.collect::<Vec<_>>().join(", "));
    }
    out
}

fn one(verb: char, argument: &Argument, directive: &Directive) -> String {
    let text = match (verb, argument) {
        ('v', Argument::Text(text)) if directive.is_alternate => quoted(text),
        ('v' | 's', Argument::Text(text)) => cut(text, directive.precision),
        ('q', Argument::Text(text)) => quoted(text),
        ('x' | 'X', Argument::Text(text)) => {
            let digits = crate::words::hexadecimal(text.as_bytes());
            if verb == 'X' { digits.to_uppercase() } else { digits }
        }
        ('v' | 'd', Argument::Int(value)) => {
            return padded(&signed(*value < 0, &value.unsigned_abs().to_string(), directive), directive);
        }
        ('b', Argument::Int(value)) => return radix(*value, &format!("{:b}", value.unsigned_abs()), directive),
        ('o', Argument::Int(value)) => return radix(*value, &format!("{:o}", value.unsigned_abs()), directive),
        ('x', Argument::Int(value)) => return radix(*value, &format!("{:x}", value.unsigned_abs()), directive),
        ('X', Argument::Int(value)) => return radix(*value, &format!("{:X}", value.unsigned_abs()), directive),
        ('c', Argument::Int(value)) => {
            u32::try_from(*value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER).to_string()
        }
        ('T', _) => argument.type_name().to_owned(),
        ('v' | 'g', Argument::Float(value)) => {
            return padded(&signed(*value < 0.0, shortest(value.abs()).as_str(), directive), directive);
        }
        ('f' | 'F', Argument::Float(value)) => {
            let digits = format!("{:.*}", directive.precision.unwrap_or(6), value.abs());
            return padded(&signed(*value < 0.0, &digits, directive), directive);
        }
        ('e' | 'E', Argument::Float(value)) => {
            let digits = exponent(&format!("{:.*e}", directive.precision.unwrap_or(6), value.abs()));
            let digits = if verb == 'E' { digits.to_uppercase() } else { digits };
            return padded(&signed(*value < 0.0, &digits, directive), directive);
        }
        _ => return format!("%!{verb}({}={})", argument.type_name(), argument.plain()),
    };
    padded(&text, &Directive { is_zeroed: false, ..*directive })
}

fn radix(value: i64, digits: &str, directive: &Directive) -> String {
    padded(&signed(value < 0, digits, directive), directive)
}

fn signed(is_negative: bool, digits: &str, directive: &Directive) -> String {
    let sign = match (is_negative, directive.has_sign, directive.has_space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        _ => "",
    };
    format!("{sign}{digits}")
}

fn padded(text: &str, directive: &Directive) -> String {
    let missing = directive.width.saturating_sub(text.chars().count());
    if missing == 0 {
        return text.to_owned();
    }
    if directive.is_left {
        return format!("{text}{}", " ".repeat(missing));
    }
    if directive.is_zeroed {
        let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+', ' '])));
        return format!("{sign}{}{digits}", "0".repeat(missing));
    }
    format!("{}{text}", " ".repeat(missing))
}

fn cut(text: &str, precision: Option<usize>) -> String {
    precision.map_or_else(|| text.to_owned(), |most| text.chars().take(most).collect())
}

/// A text in Go's quotes.
fn quoted(text: &str) -> String {
    format!("{text:?}").replace("\\'", "'")
}

/// Go's `%v` of a float: the shortest digits, with an exponent below 1e-4 and from 1e21 on.
fn shortest(value: f64) -> String {
    if value != 0.0 && !(1e-4..1e21).contains(&value.abs()) {
        exponent(&format!("{value:e}"))
    } else {
        format!("{value}")
    }
}

/// Go writes a sign and two digits at least: `1e+21`.
fn exponent(text: &str) -> String {
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_gos() {
        let (int, float) = (Argument::Int, Argument::Float);
        let text = |text: &str| Argument::Text(text.to_owned());
        // What OPA 1.22 prints.
        for (given, arguments, expected) in [
            ("%v and %v", vec![text("a")], "a and %!v(MISSING)"),
            ("%s", vec![text("a"), text("b")], "a%!(EXTRA string=b)"),
            ("%d", vec![text("a")], "%!d(string=a)"),
            ("%s", vec![int(1)], "%!s(int64=1)"),
            ("%5d|%-5d|%05d|%+d", vec![int(42), int(42), int(-42), int(42)], "   42|42   |-0042|+42"),
            ("%10s|%-4s|%.2s", vec![text("ab"), text("ab"), text("abc")], "        ab|ab  |ab"),
            ("100%", vec![], "100%!(NOVERB)"),
            ("100%%", vec![], "100%"),
            ("%v %v %v", vec![float(0.5), float(1e21), float(1e-7)], "0.5 1e+21 1e-07"),
            ("%.1f %f", vec![float(2.25), float(1.5)], "2.2 1.500000"),
            ("%q %x %X", vec![text("a\"b"), int(255), int(255)], "\"a\\\"b\" ff FF"),
            ("%t %T", vec![text("true"), int(1)], "%!t(string=true) int64"),
            ("%d", vec![float(1.5)], "%!d(float64=1.5)"),
        ] {
            assert_eq!(format(given, &arguments), expected, "{given}");
        }
    }
}
