//! The cross-check of FACTS 2: an independent parser must see the same values in the same places of the structure.

use std::fmt::Write as _;

use tollgate::sources::{ContentId, RepoPath};
use tollgate::span::Files;
use tollgate::yaml::{Dialect, Node, Source, Step, Value, parse};
use yaml_rust2::parser::{Event, Parser};

use crate::support::{files_in, kustomize_cases, root};

fn ours(text: &str) -> String {
    let files = Files::default();
    let file = files.add(&RepoPath::new("x.yaml").unwrap(), ContentId::of(text.as_bytes()), text);
    let documents = parse(&Source::file(file, text), Step::File, Dialect::Kustomization).unwrap();
    let mut shape = String::new();
    for document in &documents {
        describe(document, &mut shape);
    }
    shape
}

fn describe(node: &Node, shape: &mut String) {
    match &node.value {
        Value::Scalar(scalar) => write!(shape, "={:?}", scalar.text).unwrap(),
        Value::Sequence(items) => {
            shape.push('[');
            for item in items.iter() {
                describe(item, shape);
            }
            shape.push(']');
        }
        Value::Mapping(mapping) => {
            shape.push('{');
            for (key, value) in mapping.iter() {
                write!(shape, "={:?}", key.text).unwrap();
                describe(value, shape);
            }
            shape.push('}');
        }
    }
}

/// The events of the other parser, in the same notation. Files with anchors are left to other tests.
fn theirs(text: &str) -> String {
    let mut parser = Parser::new_from_str(text);
    let mut shape = String::new();
    loop {
        match parser.next_token().unwrap().0 {
            Event::StreamEnd => return shape,
            Event::Scalar(text, style, ..) => {
                // An empty plain value is reported as `~`.
                let is_empty = text == "~" && style == yaml_rust2::scanner::TScalarStyle::Plain;
                write!(shape, "={:?}", if is_empty { "" } else { &text }).unwrap();
            }
            Event::SequenceStart(..) => shape.push('['),
            Event::SequenceEnd => shape.push(']'),
            Event::MappingStart(..) => shape.push('{'),
            Event::MappingEnd => shape.push('}'),
            _ => {}
        }
    }
}

#[test]
fn two_parsers_see_the_same() {
    let mut compared = 0;
    let cases = kustomize_cases().into_iter().flat_map(|case| case.files);
    for (path, text) in files_in(&root().join("testdata")).into_iter().chain(cases) {
        let is_yaml = matches!(path.file_name().rsplit_once('.'), Some((_, "yaml" | "yml")));
        if !is_yaml || ["<<:", " ~", "!!binary"].iter().any(|special| text.contains(special)) {
            continue;
        }
        assert_eq!(ours(&text), theirs(&text), "{path}");
        compared += 1;
    }
    assert!(compared > 40, "only {compared} files were compared");
}
