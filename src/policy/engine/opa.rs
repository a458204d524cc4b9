//! Rewrites Rego that others have written for OPA, so that regorus finds in it what OPA finds. Lines stay where they are.
//!
//! - OPA evaluates the operands of a negated call outside of the `not`: `not startswith(input.missing, "x")` is undefined there, and
//!   true in regorus. `operand = …;` in front of the `not` says the same to both. With `import future.keywords.not` or `rego.v2` OPA
//!   behaves as regorus does.
//! - A line that begins with `(` or `[` goes on with the line above in regorus, and is an expression of its own in OPA.
//! - A set rule, or a function of Rego v0, may have several bodies behind one head.

use regorus::Source;
use regorus::unstable::{BoolOp, Expr, Lexer, Literal, Parser, Query, Rule, RuleHead, TokenKind};

use super::team::{LENGTHS, Module};
use crate::policy::depth::Depth;

/// How often what stands inside of what was rewritten is looked at again.
const MOST_ROUNDS: usize = 20;
/// What the variables that are added begin with.
const PREFIX: &str = "tollgate__";

/// The text of a module as regorus is to read it.
pub(super) fn rewritten(module: &Module<'_>, is_v0: bool) -> Result<String, String> {
    let module = Module { text: module.text.trim_start_matches('\u{feff}'), ..*module };
    let tokens = tokens(&module)?;
    check_depth(&module, &tokens)?;
    let text = with_separate_lines_and_heads(&module, &tokens);
    let is_import = |line: &str| {
        let name = line.trim_start().strip_prefix("import ").and_then(|rest| rest.split_whitespace().next());
        matches!(name, Some("future.keywords.not" | "future.keywords" | "rego.v2"))
    };
    if text.lines().any(is_import) {
        return Ok(text);
    }
    with_operands_outside(module.path, text, is_v0)
}

/// Refuses a module whose expressions are nested too deep.
pub(in crate::policy) fn check_module(module: &Module<'_>) -> Result<(), String> {
    check_depth(module, &tokens(module)?)
}

fn source(path: &str, text: &str) -> Result<Source, String> {
    Source::from_contents(path.to_owned(), text.to_owned()).map_err(|error| error.to_string())
}

struct Token {
    kind: TokenKind,
    start: usize,
    end: usize,
}

fn tokens(module: &Module<'_>) -> Result<Vec<Token>, String> {
    let source = source(module.path, module.text)?;
    let mut lexer = Lexer::new(&source);
    lexer.set_max_col(LENGTHS.max_col);
    let mut found = Vec::new();
    loop {
        let token = lexer.next_token().map_err(|error| error.to_string())?;
        let (mut start, mut end) = (token.1.start as usize, token.1.end as usize);
        match token.0 {
            TokenKind::Eof => return Ok(found),
            // The span of a string leaves its quotes out.
            TokenKind::String | TokenKind::RawString => (start, end) = (start.saturating_sub(1), end + 1),
            _ => {}
        }
        found.push(Token { kind: token.0, start, end });
    }
}

/// Words that no expression ends with.
const OPEN_WORDS: [&str; 12] =
    ["not", "if", "contains", "in", "with", "as", "some", "every", "else", "default", "import", "package"];

/// The engine walks expressions by recursion, and reads the first element of a list, a set or an object twice: it may be the head of a
/// comprehension.
fn check_depth(module: &Module<'_>, tokens: &[Token]) -> Result<(), String> {
    const OPERATORS: [&str; 18] =
        [".", "+", "-", "*", "/", "%", "&", "|", "==", "!=", "<", ">", "<=", ">=", "=", ":=", ":", "@"];
    const WORDS: [&str; 5] = ["not", "in", "with", "else", "if"];
    /// How many tokens the engine may have to read.
    const MOST_READ: u64 = 1 << 19;
    let mut depth = Depth::new();
    let mut before: Option<&Token> = None;
    let mut was_link = false;
    // Of each open bracket: whether its first element, which is read twice, goes on.
    let mut is_read_twice: Vec<bool> = Vec::new();
    let mut read = 0u64;
    for token in tokens {
        let word = module.text.get(token.start..token.end).unwrap_or_default();
        let is_symbol = token.kind == TokenKind::Symbol;
        let is_link = if is_symbol { OPERATORS.contains(&word) } else { WORDS.contains(&word) };
        let gap = before.and_then(|before| module.text.get(before.end..token.start)).unwrap_or_default();
        if gap.contains('\n') && !is_link && !was_link {
            depth.separate();
        }
        match word {
            "(" | "[" | "{" if is_symbol => {
                // It may be an argument or an index of what is before it.
                depth.link();
                depth.open();
                let is_body = before.is_some_and(|before| {
                    let word = module.text.get(before.start..before.end).unwrap_or_default();
                    let is_operand = before.kind != TokenKind::Symbol || matches!(word, ")" | "]" | "}");
                    matches!(word, "if" | "else") || is_operand && !OPEN_WORDS.contains(&word)
                });
                is_read_twice.push(word != "(" && !is_body);
            }
            ")" | "]" | "}" if is_symbol => {
                depth.close();
                is_read_twice.pop();
            }
            "," | ";" if is_symbol => {
                depth.separate();
                if let Some(first) = is_read_twice.last_mut() {
                    *first = false;
                }
            }
            _ if is_link => depth.link(),
            _ => {}
        }
        let on_line = |why: String| {
            let above = module.text.get(..token.start).unwrap_or_default();
            format!("line {}: {why}", above.matches('\n').count() + 1)
        };
        depth.check().map_err(on_line)?;
        read = read.saturating_add(1 << is_read_twice.iter().filter(|it| **it).count().min(60));
        if read > MOST_READ {
            return Err(on_line("lists, sets and objects are nested too deep".to_owned()));
        }
        (before, was_link) = (Some(token), is_link);
    }
    Ok(())
}

fn with_separate_lines_and_heads(module: &Module<'_>, tokens: &[Token]) -> String {
    let text = module.text;
    let word = |at: usize| text.get(tokens[at].start..tokens[at].end).unwrap_or_default();
    let mut inserted: Vec<(usize, String)> = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    // Where the head of the rule begins and ends, and whether a body of it has just ended.
    let (mut head_start, mut head_end, mut has_body) = (None, None, false);
    for at in 0..tokens.len() {
        let here = word(at);
        let before = at.checked_sub(1).map(word).unwrap_or_default();
        let begins_line =
            at > 0 && text.get(tokens[at - 1].end..tokens[at].start).is_some_and(|gap| gap.contains('\n'));
        let is_symbol = tokens[at].kind == TokenKind::Symbol;
        let follows_operand = at > 0
            && if tokens[at - 1].kind == TokenKind::Symbol {
                matches!(before, ")" | "]" | "}")
            } else {
                !OPEN_WORDS.contains(&before)
            };
        if is_symbol && matches!(here, "(" | "[") && begins_line && follows_operand && open.last() == Some(&"{") {
            inserted.push((tokens[at].start, "; ".to_owned()));
        }
        if open.is_empty() {
            if here == "{" && is_symbol && before == "}" && has_body {
                if let Some(head) = head_start.zip(head_end).and_then(|(start, end)| text.get(start..end)) {
                    let head: Vec<&str> = head.lines().map(|line| line.split('#').next().unwrap_or_default()).collect();
                    inserted.push((tokens[at].start, format!("{} ", head.join(" "))));
                }
                open.push("{");
                continue;
            }
            let is_value = matches!(before, "=" | ":=" | "|" | "contains" | "==" | "in");
            if here == "{" && is_symbol && at > 0 && !is_value {
                if head_end.is_none() || !has_body {
                    head_end.get_or_insert(tokens[at].start);
                }
            } else if (begins_line || at == 0) && here != "else" {
                (head_start, head_end, has_body) = (Some(tokens[at].start), None, false);
            }
            if here == "else" {
                head_start = None;
            }
        }
        if is_symbol {
            match here {
                "{" | "(" | "[" => open.push(here),
                "}" | ")" | "]" => {
                    open.pop();
                    has_body |= open.is_empty() && here == "}" && head_end.is_some();
                }
                _ => {}
            }
        }
    }
    let mut text = text.to_owned();
    for (place, more) in inserted.into_iter().rev() {
        text.insert_str(place, &more);
    }
    text
}

/// Where something begins and ends in the text.
type Range = (usize, usize);

/// A part of the text that is replaced.
struct Edit {
    start: usize,
    end: usize,
    text: String,
}

fn with_operands_outside(path: &str, mut text: String, is_v0: bool) -> Result<String, String> {
    let mut variables = 0;
    for _ in 0..MOST_ROUNDS {
        let source = source(path, &text)?;
        let mut parser = Parser::new(&source).map_err(|error| error.to_string())?;
        parser.set_max_col(LENGTHS.max_col);
        if !is_v0 {
            parser.enable_rego_v1().map_err(|error| error.to_string())?;
        }
        let module = parser.parse().map_err(|error| format!("{error:#}"))?;
        let mut negations = Negations { text: &text, variables, edits: Vec::new() };
        for rule in &module.policy {
            let Rule::Spec { head, bodies, .. } = &**rule else { continue };
            match head {
                RuleHead::Compr { assign: Some(assign), .. } | RuleHead::Func { assign: Some(assign), .. } => {
                    negations.expression(&assign.value);
                }
                RuleHead::Set { key: Some(key), .. } => negations.expression(key),
                _ => {}
            }
            for body in bodies {
                if let Some(assign) = &body.assign {
                    negations.expression(&assign.value);
                }
                negations.query(&body.query);
            }
        }
        let mut edits = negations.edits;
        variables = negations.variables;
        if edits.is_empty() {
            break;
        }
        edits.sort_by_key(|edit| std::cmp::Reverse((edit.start, edit.end)));
        for Edit { start, end, text: new } in edits {
            if text.is_char_boundary(start) && text.is_char_boundary(end) && start <= end {
                text.replace_range(start..end, &new);
            }
        }
    }
    Ok(text)
}

/// Where an expression is written. The span of what is put together may be narrower than its parts, and that of a string leaves its
/// quotes out.
fn range(expression: &Expr) -> Range {
    let span = expression.span();
    let (mut start, mut end) = (span.start as usize, span.end as usize);
    let mut include = |part: &Expr| {
        let (from, to) = range(part);
        (start, end) = (start.min(from), end.max(to));
    };
    match expression {
        Expr::String { .. } | Expr::RawString { .. } => return (start.saturating_sub(1), end + 1),
        Expr::Call { fcn, params, .. } => {
            include(fcn);
            for parameter in params {
                include(parameter);
            }
        }
        Expr::RefDot { refr, .. } => include(refr),
        Expr::RefBrack { refr, index, .. } => {
            include(refr);
            include(index);
        }
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => {
            include(lhs);
            include(rhs);
        }
        Expr::Membership { key, value, collection, .. } => {
            if let Some(key) = key {
                include(key);
            }
            include(value);
            include(collection);
        }
        _ => {}
    }
    (start, end)
}

/// Finds negated expressions, the innermost first.
struct Negations<'a> {
    text: &'a str,
    variables: usize,
    edits: Vec<Edit>,
}

impl Negations<'_> {
    /// What OPA evaluates outside of a `not` of an operand.
    fn operand(expression: &Expr, outside: &mut Vec<Range>) {
        match expression {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::ArrayCompr { .. }
            | Expr::SetCompr { .. }
            | Expr::ObjectCompr { .. } => {}
            Expr::Var { value, .. } => {
                let name = value.as_string().map(ToString::to_string).unwrap_or_default();
                if name != "_" && !name.starts_with(PREFIX) {
                    outside.push(range(expression));
                }
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } if items.is_empty() => {}
            Expr::Object { fields, .. } if fields.is_empty() => {}
            _ => outside.push(range(expression)),
        }
    }

    /// The same for a reference, which itself stays: its indices.
    fn indices(expression: &Expr, outside: &mut Vec<Range>) {
        match expression {
            Expr::RefDot { refr, .. } => Self::indices(refr, outside),
            Expr::RefBrack { refr, index, .. } => {
                Self::indices(refr, outside);
                if !matches!(**index, Expr::Var { .. }) {
                    Self::operand(index, outside);
                }
            }
            Expr::Var { .. } => {}
            _ => Self::operand(expression, outside),
        }
    }

    fn outside(expression: &Expr) -> Vec<Range> {
        let mut outside = Vec::new();
        match expression {
            Expr::Call { params, .. } => {
                for it in params {
                    Self::operand(it, &mut outside);
                }
            }
            Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. } | Expr::AssignExpr { lhs, rhs, .. } => {
                Self::indices(lhs, &mut outside);
                Self::indices(rhs, &mut outside);
            }
            Expr::BoolExpr { lhs, rhs, .. } | Expr::ArithExpr { lhs, rhs, .. } | Expr::BinExpr { lhs, rhs, .. } => {
                Self::operand(lhs, &mut outside);
                Self::operand(rhs, &mut outside);
            }
            Expr::Membership { key, value, collection, .. } => {
                if let Some(key) = key {
                    Self::operand(key, &mut outside);
                }
                Self::operand(value, &mut outside);
                Self::operand(collection, &mut outside);
            }
            Expr::RefDot { .. } | Expr::RefBrack { .. } => Self::indices(expression, &mut outside),
            _ => {}
        }
        outside.sort_unstable();
        outside
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                for item in items {
                    self.expression(item);
                }
            }
            Expr::Object { fields, .. } => fields.iter().for_each(|(_, key, value)| {
                self.expression(key);
                self.expression(value);
            }),
            Expr::ArrayCompr { query, term, .. } | Expr::SetCompr { query, term, .. } => {
                self.expression(term);
                self.query(query);
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                self.expression(key);
                self.expression(value);
                self.query(query);
            }
            Expr::Call { params, .. } => {
                for parameter in params {
                    self.expression(parameter);
                }
            }
            Expr::UnaryExpr { expr, .. } => self.expression(expr),
            Expr::RefDot { refr, .. } => self.expression(refr),
            Expr::RefBrack { refr, index, .. } => {
                self.expression(refr);
                self.expression(index);
            }
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => {
                self.expression(lhs);
                self.expression(rhs);
            }
            Expr::Membership { value, collection, .. } => {
                self.expression(value);
                self.expression(collection);
            }
            _ => {}
        }
    }

    fn query(&mut self, query: &Query) {
        for statement in &query.stmts {
            let before = self.edits.len();
            match &statement.literal {
                Literal::SomeIn { collection, value, .. } => {
                    self.expression(value);
                    self.expression(collection);
                }
                Literal::Expr { expr, .. } => self.expression(expr),
                Literal::Every { domain, query, .. } => {
                    self.expression(domain);
                    self.query(query);
                }
                Literal::SomeVars { .. } => {}
                Literal::NotExpr { span, expr } => {
                    self.expression(expr);
                    // What stands inside comes first; the next round sees this one.
                    if self.edits.len() == before {
                        let withs: Vec<(Range, Range)> =
                            statement.with_mods.iter().map(|it| (range(&it.refr), range(&it.r#as))).collect();
                        self.negation(span.start as usize, (span.end as usize).max(range(expr).1), expr, &withs);
                    }
                }
            }
            for modifier in &statement.with_mods {
                self.expression(&modifier.r#as);
            }
        }
    }

    fn negation(&mut self, start: usize, end: usize, expression: &Expr, withs: &[(Range, Range)]) {
        let outside = Self::outside(expression);
        if outside.is_empty() {
            return;
        }
        let text = |(from, to): Range| self.text.get(from..to).unwrap_or_default();
        let mut modifiers = String::new();
        for (name, with) in withs {
            modifiers.push_str(&format!(" with {} as {}", text(*name), text(*with)));
        }
        let mut assigned = String::new();
        let mut edits = Vec::new();
        for (from, to) in outside {
            let name = format!("{PREFIX}{}", self.variables);
            self.variables += 1;
            assigned.push_str(&format!("{name} = {}{modifiers}; ", text((from, to))));
            edits.push(Edit { start: from, end: to, text: name });
        }
        let above = self.text.get(..start).unwrap_or_default().trim_end();
        let is_after_if = above.strip_suffix("if").is_some_and(|rest| {
            !rest.ends_with(|character: char| character.is_alphanumeric() || matches!(character, '_' | '.'))
        });
        if is_after_if {
            assigned.insert_str(0, "{ ");
            let end = withs.last().map_or(end, |(_, with)| with.1);
            edits.push(Edit { start: end, end, text: " }".to_owned() });
        }
        edits.push(Edit { start, end: start, text: assigned });
        self.edits.append(&mut edits);
    }
}
