//! Inputs that nobody would write: every rendering ends soon, in an output or an error, and never in a panic; and what it
//! looks for is known without rendering.

use std::time::{Duration, Instant};

use rayon::prelude::*;
use tollgate::kustomize::{Closure, FILE_NAMES, Options, ParsedFiles, Renderer, Scanner};
use tollgate::sources::{MemoryTree, RepoPath, list};

use crate::support::{Files, Numbers, kustomize_cases};

const MUTATIONS: u64 = 10_000;
/// What one rendering may take on a busy machine, unoptimised.
const LONGEST: Duration = Duration::from_secs(20);

const FRAGMENTS: [&str; 28] = [
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "<<: ",
    "|\n",
    ">-\n",
    "\t",
    "\u{feff}",
    "\0",
    "!!binary ",
    "!!int ",
    "---\n",
    "~",
    "\"",
    "'",
    "$patch: delete\n",
    "$(A)",
    "../",
    "0x",
    "1e999",
    ".inf",
    "kind: List\nitems:\n",
    "\u{85}",
];

fn mutate(text: &str, other: &str, numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=numbers.below(2) {
        let at = numbers.below(bytes.len() + 1);
        match numbers.below(12) {
            0 => bytes.truncate(at),
            1 => {
                let from = numbers.below(other.len() + 1);
                bytes.splice(at..at, other.as_bytes()[from..].iter().copied().take(300));
            }
            2 => {
                let end = (at + numbers.below(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => {
                let byte = u8::try_from(numbers.below(256)).unwrap();
                bytes.insert(at, byte);
            }
            4 => {
                let fragment = FRAGMENTS[numbers.below(FRAGMENTS.len())];
                bytes.splice(at..at, fragment.bytes());
            }
            5 => {
                let fragment = FRAGMENTS[numbers.below(FRAGMENTS.len())].repeat(1 + numbers.below(400));
                bytes.splice(at..at, fragment.bytes());
            }
            6 => {
                // A line goes elsewhere.
                let mut lines: Vec<Vec<u8>> =
                    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
                if !lines.is_empty() {
                    let line = lines.remove(numbers.below(lines.len()));
                    lines.insert(numbers.below(lines.len() + 1), line);
                }
                bytes = lines.concat();
            }
            7 => {
                let copy = bytes.clone();
                bytes.extend(copy.into_iter().take(4000));
            }
            8..=10 => {
                // One word takes the place of another.
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let old: Vec<&str> = text.split_whitespace().collect();
                let new: Vec<&str> = other.split_whitespace().collect();
                if !old.is_empty() && !new.is_empty() {
                    let (old, new) = (old[numbers.below(old.len())], new[numbers.below(new.len())]);
                    bytes = text.replacen(old, new, 1 + numbers.below(2)).into_bytes();
                }
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = byte.wrapping_add(1);
                }
            }
        }
    }
    bytes
}

#[test]
fn mutated_inputs_end_in_an_output_or_an_error() {
    let cases: Vec<Files> = kustomize_cases().into_iter().map(|case| case.files).collect();
    let overlay = RepoPath::new("overlay").unwrap();
    let seeds: Vec<u64> = (1..=MUTATIONS).collect();
    let ended = seeds.par_iter().map(|seed| {
        let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let case = &cases[numbers.below(cases.len())];
        let (paths, texts): (Vec<_>, Vec<_>) = case.iter().unzip();
        let (changed, other) = (numbers.below(paths.len()), numbers.below(texts.len()));
        let mutated = mutate(texts[changed], texts[other], &mut numbers);
        let files = case.iter().map(|(path, text)| {
            let content = if path == paths[changed] { mutated.clone() } else { text.as_bytes().to_vec() };
            (path.clone(), content)
        });
        let tree = MemoryTree::from_contents(files);
        let parsed = ParsedFiles::default();
        let reach = Scanner::new(&parsed, &tree).scan(&overlay).unwrap();
        let listing = list(&tree).unwrap();
        let is_kustomization = |path: &&RepoPath| FILE_NAMES.contains(&path.file_name());
        let folders = listing.files.iter().filter(is_kustomization).filter_map(RepoPath::parent);
        let folders: Vec<RepoPath> = folders.chain([overlay.clone()]).collect();
        let looked_for: Vec<&RepoPath> = reach.closure.paths().collect();
        for _ in 0..3 {
            let path = looked_for[numbers.below(looked_for.len())].clone();
            let found = Scanner::new(&parsed, &tree).reaching(&folders, &listing, std::slice::from_ref(&path)).unwrap();
            assert!(found.contains(&overlay), "seed {seed}: a change of {path} would be missed");
        }
        let is_watched = |closure: &Closure| closure.paths().all(|path| reach.closure.holds(path));
        let start = Instant::now();
        let rendering = Renderer::new(&parsed, &tree, Options::default()).render(&overlay);
        let rendered = match rendering {
            Ok(rendering) => {
                assert!(is_watched(&rendering.closure), "seed {seed}: a change of a file that is read would be missed");
                rendering.to_yaml().is_ok()
            }
            Err(failed) => {
                assert!(is_watched(&failed.closure), "seed {seed}: a change that mends it would be missed");
                let error = failed.error;
                assert!(!error.message.is_empty() && (error.span.is_some() || error.help.is_some()), "seed {seed}");
                false
            }
        };
        assert!(start.elapsed() < LONGEST, "seed {seed} took {:?}", start.elapsed());
        rendered
    });
    let ended: Vec<bool> = ended.collect();
    let rendered = ended.iter().filter(|rendered| **rendered).count();
    assert!(rendered > 500 && ended.len() - rendered > 500, "only {rendered} rendered: the mutations are too rough");
}
