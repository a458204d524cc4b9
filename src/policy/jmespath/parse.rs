//! Reads `JMESPath` (<https://jmespath.org/specification.html#grammar>).

use std::iter::Peekable;
use std::str::CharIndices;

use serde_json::Value as Json;

use crate::policy::depth::Depth;

/// A part of an expression.
#[derive(Debug)]
pub(super) enum Node {
    Current,
    Literal(Json),
    Field(String),
    Index(i64),
    Slice(Option<i64>, Option<i64>, Option<i64>),
    Sub(Box<Node>, Box<Node>),
    Pipe(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    List(Vec<Node>),
    Hash(Vec<(String, Node)>),
    Flatten(Box<Node>),
    Projection(Box<Node>, Box<Node>),
    Values(Box<Node>, Box<Node>),
    Filter { left: Box<Node>, condition: Box<Node>, right: Box<Node> },
    Function(String, Vec<Node>),
    Reference(Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Node {
    /// What it is made of.
    pub(super) fn parts(&self) -> Vec<&Node> {
        match self {
            Self::Current | Self::Literal(_) | Self::Field(_) | Self::Index(_) | Self::Slice(..) => Vec::new(),
            Self::Not(inner) | Self::Flatten(inner) | Self::Reference(inner) => vec![inner],
            Self::Sub(left, right)
            | Self::Pipe(left, right)
            | Self::Or(left, right)
            | Self::And(left, right)
            | Self::Compare(_, left, right)
            | Self::Projection(left, right)
            | Self::Values(left, right) => vec![left, right],
            Self::Filter { left, condition, right } => vec![left, condition, right],
            Self::List(parts) | Self::Function(_, parts) => parts.iter().collect(),
            Self::Hash(parts) => parts.iter().map(|(_, part)| part).collect(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Quoted(String),
    Literal(Json),
    Number(i64),
    Symbol(&'static str),
}

/// The symbols, the longer ones first.
const SYMBOLS: [&str; 23] = [
    "[?", "[]", "||", "&&", "==", "!=", "<=", ">=", "<", ">", "!", "|", "&", ".", "*", "@", "(", ")", "[", "]", "{",
    "}", ",",
];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut depth = Depth::new();
    let mut characters = text.char_indices().peekable();
    while let Some(&(at, character)) = characters.peek() {
        let rest = text.get(at..).unwrap_or_default();
        let token = match character {
            _ if character.is_whitespace() => {
                characters.next();
                continue;
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                Token::Name(taken(&mut characters, |it| it.is_ascii_alphanumeric() || it == '_'))
            }
            '0'..='9' | '-' => {
                characters.next();
                let digits = taken(&mut characters, |it| it.is_ascii_digit());
                let number = format!("{character}{digits}");
                Token::Number(number.parse().map_err(|_| format!("`{number}` is not a number"))?)
            }
            '"' => {
                let quoted = delimited(&mut characters, '"')?;
                let name = serde_json::from_str(&format!("\"{quoted}\""));
                Token::Quoted(name.map_err(|_| format!("`\"{quoted}\"` is not a name"))?)
            }
            '\'' => Token::Literal(Json::String(delimited(&mut characters, '\'')?.replace("\\'", "'"))),
            '`' => {
                let literal = delimited(&mut characters, '`')?.replace("\\`", "`");
                let literal = literal.trim();
                // What is not JSON was a text in older versions, and still is in Go.
                let value = serde_json::from_str(literal).or_else(|_| serde_json::from_str(&format!("\"{literal}\"")));
                Token::Literal(value.map_err(|_| format!("`{literal}` is not JSON"))?)
            }
            ':' => {
                characters.next();
                Token::Symbol(":")
            }
            _ => {
                let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
                let symbol = symbol.ok_or_else(|| format!("`{character}` is not expected"))?;
                for _ in 0..symbol.len() {
                    characters.next();
                }
                Token::Symbol(symbol)
            }
        };
        if let Token::Symbol(symbol) = token {
            match symbol {
                "(" | "[" | "[?" | "{" => {
                    depth.link();
                    depth.open();
                }
                ")" | "]" | "}" => depth.close(),
                "," => depth.separate(),
                _ => depth.link(),
            }
            depth.check()?;
        }
        found.push(token);
    }
    Ok(found)
}

fn taken(characters: &mut Peekable<CharIndices<'_>>, is_part: impl Fn(char) -> bool) -> String {
    let mut taken = String::new();
    while let Some(&(_, character)) = characters.peek()
        && is_part(character)
    {
        taken.push(character);
        characters.next();
    }
    taken
}

/// What is between two delimiters, escapes as they are written.
fn delimited(characters: &mut Peekable<CharIndices<'_>>, delimiter: char) -> Result<String, String> {
    characters.next();
    let mut inner = String::new();
    while let Some((_, character)) = characters.next() {
        match character {
            _ if character == delimiter => return Ok(inner),
            '\\' => {
                inner.push(character);
                inner.extend(characters.next().map(|(_, escaped)| escaped));
            }
            _ => inner.push(character),
        }
    }
    Err(format!("there is no closing {delimiter}"))
}

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let node = parser.expression(0)?;
    match parser.peek() {
        None => Ok(node),
        Some(token) => Err(format!("{} is not expected", describe(token))),
    }
}

fn describe(token: &Token) -> String {
    match token {
        Token::Name(name) | Token::Quoted(name) => format!("`{name}`"),
        Token::Literal(literal) => format!("`{literal}`"),
        Token::Number(number) => format!("`{number}`"),
        Token::Symbol(symbol) => format!("`{symbol}`"),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

/// How strongly a symbol binds what is before it.
fn power(token: Option<&Token>) -> u8 {
    match token {
        Some(Token::Symbol(symbol)) => match *symbol {
            "|" => 1,
            "||" => 2,
            "&&" => 3,
            "==" | "!=" | "<" | "<=" | ">" | ">=" => 5,
            "[]" => 9,
            "*" => 20,
            "[?" => 21,
            "." => 40,
            "!" => 45,
            "{" => 50,
            "[" => 55,
            "(" => 60,
            _ => 0,
        },
        _ => 0,
    }
}

/// Below this, a symbol ends a projection.
const PROJECTION_ENDS: u8 = 10;

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol)
    }

    fn expect(&mut self, symbol: &str) -> Result<(), String> {
        match self.next() {
            Some(Token::Symbol(found)) if found == symbol => Ok(()),
            Some(token) => Err(format!("{} is not expected, but `{symbol}`", describe(&token))),
            None => Err(format!("`{symbol}` is expected at the end")),
        }
    }

    fn expression(&mut self, lowest: u8) -> Result<Node, String> {
        let mut left = self.first()?;
        while lowest < power(self.peek()) {
            left = self.following(left)?;
        }
        Ok(left)
    }

    fn boxed(&mut self, lowest: u8) -> Result<Box<Node>, String> {
        self.expression(lowest).map(Box::new)
    }

    /// What an expression can begin with.
    fn first(&mut self) -> Result<Node, String> {
        let token = self.next().ok_or("it ends too early")?;
        match token {
            Token::Literal(literal) => Ok(Node::Literal(literal)),
            Token::Name(name) if self.is("(") => self.function(name),
            Token::Name(name) | Token::Quoted(name) => Ok(Node::Field(name)),
            Token::Number(_) => Err(format!("{} is not expected", describe(&token))),
            Token::Symbol(symbol) => match symbol {
                "@" => Ok(Node::Current),
                "*" => {
                    let right = if self.is("]") { Node::Current } else { self.projection(power(Some(&token)))? };
                    Ok(Node::Values(Box::new(Node::Current), Box::new(right)))
                }
                "[?" => self.filter(Node::Current),
                "[]" => {
                    let right = self.projection(power(Some(&token)))?;
                    Ok(Node::Projection(Box::new(Node::Flatten(Box::new(Node::Current))), Box::new(right)))
                }
                "[" => self.bracket_at_start(),
                "{" => self.hash(),
                "!" => Ok(Node::Not(self.boxed(power(Some(&token)))?)),
                "&" => Ok(Node::Reference(self.boxed(0)?)),
                "(" => {
                    let inner = self.expression(0)?;
                    self.expect(")")?;
                    Ok(inner)
                }
                _ => Err(format!("`{symbol}` is not expected")),
            },
        }
    }

    /// What an expression goes on with.
    fn following(&mut self, left: Node) -> Result<Node, String> {
        let token = self.next().ok_or("it ends too early")?;
        let Token::Symbol(symbol) = token else { return Err(format!("{} is not expected", describe(&token))) };
        let binds = power(Some(&token));
        let left_box = |left| Box::new(left);
        Ok(match symbol {
            "." => {
                if self.is("*") {
                    self.next();
                    let right = self.projection(power(Some(&Token::Symbol("."))))?;
                    return Ok(Node::Values(Box::new(left), Box::new(right)));
                }
                Node::Sub(left_box(left), Box::new(self.after_dot(binds)?))
            }
            "|" => Node::Pipe(left_box(left), self.boxed(binds)?),
            "||" => Node::Or(left_box(left), self.boxed(binds)?),
            "&&" => Node::And(left_box(left), self.boxed(binds)?),
            "==" => Node::Compare(Comparison::Equal, left_box(left), self.boxed(binds)?),
            "!=" => Node::Compare(Comparison::NotEqual, left_box(left), self.boxed(binds)?),
            "<" => Node::Compare(Comparison::Less, left_box(left), self.boxed(binds)?),
            "<=" => Node::Compare(Comparison::LessOrEqual, left_box(left), self.boxed(binds)?),
            ">" => Node::Compare(Comparison::Greater, left_box(left), self.boxed(binds)?),
            ">=" => Node::Compare(Comparison::GreaterOrEqual, left_box(left), self.boxed(binds)?),
            "[?" => self.filter(left)?,
            "[]" => {
                let right = self.projection(binds)?;
                Node::Projection(Box::new(Node::Flatten(Box::new(left))), Box::new(right))
            }
            "[" => match self.peek() {
                Some(Token::Number(_) | Token::Symbol(":")) => self.index(left)?,
                Some(Token::Symbol("*")) => {
                    self.next();
                    self.expect("]")?;
                    let right = self.projection(power(Some(&Token::Symbol("*"))))?;
                    Node::Projection(Box::new(left), Box::new(right))
                }
                _ => return Err("`[` is not followed by an index, a slice, `*` or a filter".to_owned()),
            },
            _ => return Err(format!("`{symbol}` is not expected")),
        })
    }

    fn function(&mut self, name: String) -> Result<Node, String> {
        self.expect("(")?;
        let mut arguments = Vec::new();
        while !self.is(")") {
            arguments.push(self.expression(0)?);
            if !self.is(")") {
                self.expect(",")?;
            }
        }
        self.expect(")")?;
        Ok(Node::Function(name, arguments))
    }

    fn filter(&mut self, left: Node) -> Result<Node, String> {
        let condition = self.boxed(0)?;
        self.expect("]")?;
        let right = if self.is("[]") { Node::Current } else { self.projection(power(Some(&Token::Symbol("[?"))))? };
        Ok(Node::Filter { left: Box::new(left), condition, right: Box::new(right) })
    }

    fn bracket_at_start(&mut self) -> Result<Node, String> {
        match self.peek() {
            Some(Token::Number(_) | Token::Symbol(":")) => self.index(Node::Current),
            Some(Token::Symbol("*")) if self.tokens.get(self.at + 1) == Some(&Token::Symbol("]")) => {
                self.at += 2;
                let right = self.projection(power(Some(&Token::Symbol("*"))))?;
                Ok(Node::Projection(Box::new(Node::Current), Box::new(right)))
            }
            _ => self.list(),
        }
    }

    /// `0]`, or a slice.
    fn index(&mut self, left: Node) -> Result<Node, String> {
        let mut parts = [None; 3];
        let mut colons = 0;
        loop {
            match self.next() {
                Some(Token::Symbol("]")) => break,
                Some(Token::Symbol(":")) if colons < 2 => colons += 1,
                Some(Token::Number(number)) if parts[colons].is_none() => parts[colons] = Some(number),
                Some(token) => return Err(format!("{} is not expected in an index", describe(&token))),
                None => return Err("it ends in an index".to_owned()),
            }
        }
        if colons == 0 {
            let index = parts[0].ok_or("an index is empty")?;
            return Ok(Node::Sub(Box::new(left), Box::new(Node::Index(index))));
        }
        let sliced = Node::Sub(Box::new(left), Box::new(Node::Slice(parts[0], parts[1], parts[2])));
        let right = self.projection(power(Some(&Token::Symbol("*"))))?;
        Ok(Node::Projection(Box::new(sliced), Box::new(right)))
    }

    fn list(&mut self) -> Result<Node, String> {
        let mut parts = Vec::new();
        loop {
            parts.push(self.expression(0)?);
            if self.is("]") {
                self.next();
                return Ok(Node::List(parts));
            }
            self.expect(",")?;
        }
    }

    fn hash(&mut self) -> Result<Node, String> {
        let mut parts = Vec::new();
        loop {
            let key = match self.next() {
                Some(Token::Name(name) | Token::Quoted(name)) => name,
                Some(token) => return Err(format!("{} is not a key", describe(&token))),
                None => return Err("it ends in `{`".to_owned()),
            };
            self.expect(":")?;
            parts.push((key, self.expression(0)?));
            if self.is("}") {
                self.next();
                return Ok(Node::Hash(parts));
            }
            self.expect(",")?;
        }
    }

    /// What is done to each item of a projection.
    fn projection(&mut self, binds: u8) -> Result<Node, String> {
        let next = self.peek();
        if power(next) < PROJECTION_ENDS {
            return Ok(Node::Current);
        }
        match next {
            Some(Token::Symbol(".")) => {
                self.next();
                self.after_dot(binds)
            }
            Some(Token::Symbol("[" | "[?")) => self.expression(binds),
            Some(token) => Err(format!("{} is not expected", describe(token))),
            None => Ok(Node::Current),
        }
    }

    fn after_dot(&mut self, binds: u8) -> Result<Node, String> {
        match self.peek() {
            Some(Token::Name(_) | Token::Quoted(_) | Token::Symbol("*")) => self.expression(binds),
            Some(Token::Symbol("[")) => {
                self.next();
                self.list()
            }
            Some(Token::Symbol("{")) => {
                self.next();
                self.hash()
            }
            Some(token) => Err(format!("{} is not expected after `.`", describe(token))),
            None => Err("it ends with `.`".to_owned()),
        }
    }
}
