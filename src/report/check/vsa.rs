//! `--format vsa`: an in-toto statement with SLSA's verification summary (<https://slsa.dev/spec/v1.1/verification_summary>), for
//! `cosign attest` or a forge's attestations, so that a cluster's admission can ask whether the gate passed what enters.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde::Serialize;

use super::{Report, Verdict};
use crate::model::Image;
use crate::words;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Statement<'a> {
    #[serde(rename = "_type")]
    kind: &'static str,
    subject: Vec<Descriptor>,
    predicate_type: &'static str,
    predicate: Summary<'a>,
}

#[derive(Serialize)]
struct Descriptor {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    digest: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    verifier: Verifier,
    time_verified: String,
    resource_uri: String,
    policy: Descriptor,
    verification_result: &'static str,
    verified_levels: [&'a str; 0],
}

#[derive(Serialize)]
struct Verifier {
    id: &'static str,
    version: BTreeMap<&'static str, &'static str>,
}

/// Writes the statement. Its subjects are the digests that enter, and the commit.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let repository = report.forge.as_ref().map_or("repository", |forge| &forge.repository);
    let commit = report.head.as_deref().unwrap_or(&report.base);
    let resource = format!("git+{repository}@{commit}");
    // By name and digest: several overlays may get the same.
    let mut entering: BTreeSet<(String, String)> = BTreeSet::new();
    for artifact in &report.entering {
        let image = Image::parse(&artifact.reference);
        entering.extend(image.digest.map(|digest| (image.repository, digest)));
    }
    let mut subject = Vec::new();
    for (name, digest) in entering {
        let (algorithm, value) = match digest.split_once(':') {
            Some(("sha512", value)) => ("sha512", value),
            Some((_, value)) => ("sha256", value),
            None => continue,
        };
        let digest = BTreeMap::from([(algorithm, value.to_owned())]);
        subject.push(Descriptor { name: Some(name), uri: None, digest });
    }
    subject.push(Descriptor {
        name: Some(repository.to_owned()),
        uri: None,
        digest: BTreeMap::from([("gitCommit", commit.to_owned())]),
    });
    let statement = Statement {
        kind: "https://in-toto.io/Statement/v1",
        subject,
        predicate_type: "https://slsa.dev/verification_summary/v1",
        predicate: Summary {
            verifier: Verifier {
                id: "urn:tollgate",
                version: BTreeMap::from([("tollgate", env!("CARGO_PKG_VERSION"))]),
            },
            time_verified: words::rfc3339(report.now.timestamp()),
            resource_uri: resource,
            policy: Descriptor {
                name: None,
                uri: Some(format!("git+{repository}@{}", report.base)),
                digest: BTreeMap::from([("sha256", report.policy_digest.clone())]),
            },
            verification_result: if report.verdict() == Verdict::Pass { "PASSED" } else { "FAILED" },
            verified_levels: [],
        },
    };
    serde_json::to_writer_pretty(&mut *out, &statement)?;
    writeln!(out)
}
