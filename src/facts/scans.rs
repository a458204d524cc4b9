//! Scan reports of images: Trivy's and Grype's JSON, and cosign's attestations of either (`cosign attest --type vuln`).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde::Serialize;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::handle::{Handle, Handles, Target};
use super::{Context, FactsError};
use crate::model::Case;
use crate::sided::Sided;
use crate::sources::RepoPath;
use crate::words;

/// A file that is no scan report.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("cannot read the scan report `{file}`: {why}")]
#[diagnostic(help(
    "`--scans` names a folder with what `trivy image --format json`, `grype -o json` or `cosign download attestation` print, and \
     with indexes (`crane manifest IMAGE`)"
))]
pub struct ScanError {
    /// The file.
    pub file: String,
    /// What is wrong.
    pub why: String,
}

/// One scan of an image.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The file.
    file: String,
    tool: String,
    /// Digests of what was scanned.
    digests: Vec<String>,
    time: Option<DateTime<Utc>>,
    found: Vec<Vulnerability>,
    suppressed: usize,
    /// Whether the scanner recognised what the image holds: an operating system, or packages.
    is_recognised: bool,
    envelope: Option<Envelope>,
    /// What it is of, where the report says so: `linux/arm64`.
    platform: Option<String>,
}

/// Scan reports, and the indexes of images for several platforms.
#[derive(Clone, Debug, Default)]
pub struct Scans {
    reports: Vec<Scan>,
    /// By digest.
    indexes: BTreeMap<String, Vec<Platform>>,
}

/// An image of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Platform {
    /// `linux/arm64`.
    name: String,
    digest: String,
}

/// What a signature is of (<https://github.com/secure-systems-lab/dsse>).
#[derive(Clone, Debug)]
struct Envelope {
    kind: String,
    payload: Vec<u8>,
    signatures: Vec<Vec<u8>>,
}

/// A vulnerability.
#[derive(Clone, Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Vulnerability {
    /// Its id, such as `CVE-2024-3094`.
    pub id: String,
    /// `critical`, `high`, `medium`, `low`, `negligible` or `unknown`.
    pub severity: String,
}

/// An image that enters an environment, and the scans of its digest.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Scanned {
    /// Who wrote it.
    pub at: Handle,
    /// The reference with a shortened digest.
    pub short: String,
    /// Whether a digest is pinned.
    pub pinned: bool,
    /// The scans of this digest, the newest first.
    pub scans: Vec<ScanInput>,
    /// The images of all platforms, where the digest is that of an index that is known.
    pub platforms: Vec<PlatformInput>,
}

/// An image of an index, and the scans of it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlatformInput {
    /// Such as `linux/arm64`.
    pub name: String,
    /// Its digest, shortened.
    pub short: String,
    /// The scans of it, the newest first.
    pub scans: Vec<ScanInput>,
}

/// One scan of a digest.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScanInput {
    /// The file.
    pub file: String,
    /// `trivy`, `grype` or another scanner.
    pub tool: String,
    /// How old it is, in seconds; `null` where it says no time, or one after now.
    pub age: Option<i64>,
    /// The same in words.
    pub since: String,
    /// Whether the scanner recognised what the image holds.
    pub recognised: bool,
    /// `valid`, `invalid`, or `none` where it is not signed or no key is configured.
    pub signature: &'static str,
    /// What it found and nobody suppressed.
    pub found: Vec<Vulnerability>,
    /// How many findings the scan's own configuration suppressed.
    pub suppressed: usize,
}

/// How far ahead of ours a scanner's clock may be, in seconds.
const CLOCK: i64 = 300;
/// How many findings of one scan are handed to rules, the gravest first.
const MOST: usize = 500;

impl Scans {
    /// Reads a file: a report, attestations, one on each line, or the index of an image as its registry has it.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), ScanError> {
        let wrong = |why: &str| ScanError { file: file.to_owned(), why: why.to_owned() };
        let documents = serde_json::Deserializer::from_str(text).into_iter::<Json>();
        let documents: Vec<Json> = documents.collect::<Result<_, _>>().map_err(|error| wrong(&error.to_string()))?;
        if let [document] = &*documents
            && let Some(platforms) = platforms(document)
        {
            // Only the very bytes of an index have its digest; a line break may have been added on the way.
            for bytes in [text, text.trim_end()] {
                let digest = format!("sha256:{}", words::hexadecimal(&Sha256::digest(bytes)));
                self.indexes.insert(digest, platforms.clone());
            }
            return Ok(());
        }
        for document in &documents {
            self.reports.push(match document.get("payload") {
                Some(_) => attested(file, document).ok_or_else(|| wrong("it is no attestation of a scan"))?,
                None => report(file, document).ok_or_else(|| wrong("it is no report of Trivy or Grype"))?,
            });
        }
        if documents.is_empty() { Err(wrong("it is empty")) } else { Ok(()) }
    }

    /// The scans that accept says something of, the newest first.
    fn of(&self, accepts: impl Fn(&Scan) -> bool) -> Vec<&Scan> {
        let mut found: Vec<&Scan> = self.reports.iter().filter(|scan| accepts(scan)).collect();
        found.sort_by_key(|scan| std::cmp::Reverse(scan.time));
        found
    }

    /// The scans of one image of the index `index`: those of its own digest, and those of the index that say that they are of this
    /// platform, or that are signed for the index as a whole.
    fn of_platform(&self, index: &str, platform: &Platform) -> Vec<&Scan> {
        self.of(|scan| {
            let is_of_platform = match &scan.platform {
                Some(name) => platform.name == *name || platform.name.starts_with(&format!("{name}/")),
                None => scan.envelope.is_some(),
            };
            scan.digests.contains(&platform.digest) || is_of_platform && scan.digests.iter().any(|it| it == index)
        })
    }
}

/// The images of an index (<https://github.com/opencontainers/image-spec/blob/main/image-index.md>), without what is attached to them.
fn platforms(document: &Json) -> Option<Vec<Platform>> {
    let manifests = document.get("manifests")?.as_array()?;
    let is_image = |manifest: &&Json| {
        let is_attached = manifest.pointer("/annotations/vnd.docker.reference.type").is_some();
        !is_attached && text(manifest, "/platform/os") != "unknown"
    };
    let platform = |manifest: &Json| {
        let parts = ["/platform/os", "/platform/architecture", "/platform/variant"].map(|part| text(manifest, part));
        let name = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        let name = if name.is_empty() { "an unnamed platform".to_owned() } else { name };
        Platform { name, digest: text(manifest, "/digest").to_owned() }
    };
    Some(manifests.iter().filter(is_image).map(platform).collect())
}

/// What a report says it is of.
fn platform_of(document: &Json, os: &str, architecture: &str) -> Option<String> {
    let (os, architecture) = (text(document, os), text(document, architecture));
    (!os.is_empty() && !architecture.is_empty()).then(|| format!("{os}/{architecture}"))
}

impl Scan {
    /// Whether one of its signatures is by a key.
    fn is_signed_by(&self, key: &[u8]) -> bool {
        let Some(Envelope { kind, payload, signatures }) = &self.envelope else { return false };
        let mut signed = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
        signed.extend(payload);
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key);
        signatures.iter().any(|signature| key.verify(&signed, signature).is_ok())
    }
}

/// The point of an elliptic curve's public key (P-256, as `cosign generate-key-pair` makes them) in PEM.
fn public_key(pem: &str) -> Option<Vec<u8>> {
    const POINT: usize = 65;
    let inner = pem.split("-----BEGIN PUBLIC KEY-----").nth(1)?.split("-----END PUBLIC KEY-----").next()?;
    let der = STANDARD.decode(inner.split_whitespace().collect::<String>()).ok()?;
    let point = der.get(der.len().checked_sub(POINT)?..)?;
    (point.first() == Some(&4)).then(|| point.to_vec())
}

fn text<'a>(node: &'a Json, pointer: &str) -> &'a str {
    node.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

fn list<'a>(node: &'a Json, pointer: &str) -> &'a [Json] {
    node.pointer(pointer).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc))
}

fn digests<'a>(references: impl Iterator<Item = &'a str>) -> Vec<String> {
    references.filter_map(|reference| Some(reference.rsplit_once('@')?.1.to_owned())).collect()
}

fn report(file: &str, document: &Json) -> Option<Scan> {
    if document.get("SchemaVersion").is_some() && document.get("ArtifactName").is_some() {
        return Some(trivy(file, document));
    }
    let is_grype = text(document, "/descriptor/name") == "grype" && document.get("matches").is_some();
    is_grype.then(|| grype(file, document))
}

fn trivy(file: &str, document: &Json) -> Scan {
    let results = list(document, "/Results");
    let found = results.iter().flat_map(|result| list(result, "/Vulnerabilities")).map(|one| Vulnerability {
        id: text(one, "/VulnerabilityID").to_owned(),
        severity: text(one, "/Severity").to_lowercase(),
    });
    let references = list(document, "/Metadata/RepoDigests").iter().filter_map(Json::as_str);
    let family = text(document, "/Metadata/OS/Family");
    let suppressed = results.iter().map(|result| list(result, "/ExperimentalModifiedFindings").len()).sum();
    Scan {
        file: file.to_owned(),
        tool: "trivy".to_owned(),
        digests: digests(references.chain([text(document, "/ArtifactName")])),
        time: time(text(document, "/CreatedAt")),
        found: found.collect(),
        suppressed,
        is_recognised: !matches!(family, "" | "none") || !results.is_empty(),
        envelope: None,
        platform: platform_of(document, "/Metadata/ImageConfig/os", "/Metadata/ImageConfig/architecture"),
    }
}

fn grype(file: &str, document: &Json) -> Scan {
    let found = list(document, "/matches").iter().map(|one| Vulnerability {
        id: text(one, "/vulnerability/id").to_owned(),
        severity: text(one, "/vulnerability/severity").to_lowercase(),
    });
    let target = "/source/target";
    let references = list(document, &format!("{target}/repoDigests")).iter().filter_map(Json::as_str);
    let manifest = text(document, &format!("{target}/manifestDigest"));
    let named = [text(document, &format!("{target}/userInput"))];
    let mut known = digests(references.chain(named));
    known.extend(Some(manifest).filter(|digest| !digest.is_empty()).map(str::to_owned));
    Scan {
        file: file.to_owned(),
        tool: "grype".to_owned(),
        digests: known,
        time: time(text(document, "/descriptor/timestamp")),
        found: found.collect(),
        suppressed: list(document, "/ignoredMatches").len(),
        is_recognised: !text(document, "/distro/name").is_empty() || !list(document, "/matches").is_empty(),
        envelope: None,
        platform: platform_of(document, "/source/target/os", "/source/target/architecture"),
    }
}

/// A scan in an in-toto statement, in an envelope. What it is of is the statement's subject.
fn attested(file: &str, document: &Json) -> Option<Scan> {
    let decode = |text: &str| STANDARD.decode(text).ok();
    let payload = decode(text(document, "/payload"))?;
    let statement: Json = serde_json::from_slice(&payload).ok()?;
    if !text(&statement, "/predicateType").starts_with("https://cosign.sigstore.dev/attestation/vuln/") {
        return None;
    }
    let result = statement.pointer("/predicate/scanner/result")?;
    let mut scan = report(file, result).unwrap_or_else(|| Scan {
        file: file.to_owned(),
        tool: text(&statement, "/predicate/scanner/uri").to_owned(),
        digests: Vec::new(),
        time: None,
        found: Vec::new(),
        suppressed: 0,
        is_recognised: false,
        envelope: None,
        platform: None,
    });
    let subjects = list(&statement, "/subject").iter().map(|subject| text(subject, "/digest/sha256"));
    scan.digests = subjects.filter(|digest| !digest.is_empty()).map(|digest| format!("sha256:{digest}")).collect();
    scan.time = time(text(&statement, "/predicate/metadata/scanFinishedOn")).or(scan.time);
    let signatures = list(document, "/signatures").iter().filter_map(|signature| decode(text(signature, "/sig")));
    scan.envelope =
        Some(Envelope { kind: text(document, "/payloadType").to_owned(), signatures: signatures.collect(), payload });
    Some(scan)
}

/// What `evidence/unscanned` is configured to ask for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The path of the key that scans must be signed with; empty where none is.
    pub key: &'a str,
    /// How old a scan may be, in seconds.
    pub oldest: Option<i64>,
}

impl Scanned {
    /// The images that enter the environment of a case.
    ///
    /// # Errors
    /// When no scans were given, or the key that the base names cannot be read.
    pub fn of(
        context: &Context<'_>,
        case: &Case<'_>,
        asked: Asked<'_>,
        handles: &mut Handles,
    ) -> Result<Vec<Self>, FactsError> {
        let Some(scans) = context.scans else { return Err(FactsError::NoScans) };
        let key = if asked.key.is_empty() { None } else { Some(read_key(context, asked.key)?) };
        let mirrors = &context.config.mirrors;
        let Sided { base, head } = case.rendered.as_ref().map(|side| &side.state.images);
        let mut entering: BTreeMap<String, Self> = BTreeMap::new();
        for used in head.iter().filter(|used| used.role.is_image()) {
            let content = used.image.content(mirrors);
            if base.iter().any(|known| known.image.content(mirrors) == content) || entering.contains_key(&content) {
                continue;
            }
            let told = |scans: Vec<&Scan>| {
                let told: Vec<ScanInput> = scans.into_iter().map(|scan| scan.input(context, key.as_deref())).collect();
                for (oldest, age) in told.iter().filter_map(|scan| asked.oldest.zip(scan.age)) {
                    context.clock.changes_in(oldest - age);
                }
                told
            };
            let digest = used.image.digest.as_deref().unwrap_or_default();
            let platforms = scans.indexes.get(digest).into_iter().flatten().map(|platform| PlatformInput {
                name: platform.name.clone(),
                short: super::promotions::short_digest(&platform.digest),
                scans: told(scans.of_platform(digest, platform)),
            });
            let platforms = platforms.collect();
            let scans = told(scans.of(|scan| scan.digests.iter().any(|known| known == digest)));
            let at = handles.add(Target::of_value(&used.origin, &used.object, &used.path));
            let short = super::promotions::short_reference(&used.image);
            entering.insert(content, Self { at, short, pinned: !digest.is_empty(), scans, platforms });
        }
        Ok(entering.into_values().collect())
    }
}

impl Scan {
    fn input(&self, context: &Context<'_>, key: Option<&[u8]>) -> ScanInput {
        let age = self.time.map(|time| context.clock.seconds() - time.timestamp()).filter(|age| *age >= -CLOCK);
        let grades = ["critical", "high", "medium", "low", "negligible"];
        let grade =
            |one: &Vulnerability| grades.iter().position(|grade| *grade == one.severity).unwrap_or(grades.len());
        let mut found = self.found.clone();
        found.sort_by(|one, other| (grade(one), one).cmp(&(grade(other), other)));
        found.dedup();
        found.truncate(MOST);
        ScanInput {
            file: self.file.clone(),
            tool: self.tool.clone(),
            age: age.map(|age| age.max(0)),
            since: self.time.map_or_else(|| "an unknown time".to_owned(), |time| words::moment(time.timestamp())),
            recognised: self.is_recognised,
            signature: match (key, &self.envelope) {
                (Some(key), Some(_)) if self.is_signed_by(key) => "valid",
                (Some(_), Some(_)) => "invalid",
                _ => "none",
            },
            found,
            suppressed: self.suppressed,
        }
    }
}

/// The key that the configuration names, as the base has it.
fn read_key(context: &Context<'_>, name: &str) -> Result<Vec<u8>, FactsError> {
    let missing = || FactsError::NoKey(name.to_owned());
    let path = RepoPath::new(name).ok_or_else(missing)?;
    let (_, content) = context.comparison.trees().base.read(&path)?.ok_or_else(missing)?;
    public_key(&String::from_utf8_lossy(&content)).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMQ+lTspWeCl2FhKczyNBnwmaRDOx\nz3aWdvXGrVkEQgYfOnt65p2eIPE4/hp28kiIqDIs7L+eQlFR9brYYuZ7kQ==\n-----END PUBLIC KEY-----";
    /// Signed with its other half (`openssl dgst -sha256 -sign`).
    const ATTESTED: &str = r#"{"payloadType": "application/vnd.in-toto+json", "payload": "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjAuMSIsInByZWRpY2F0ZVR5cGUiOiJodHRwczovL2Nvc2lnbi5zaWdzdG9yZS5kZXYvYXR0ZXN0YXRpb24vdnVsbi92MSIsInN1YmplY3QiOlt7Im5hbWUiOiJnaGNyLmlvL2V4YW1wbGUvYXBpIiwiZGlnZXN0Ijp7InNoYTI1NiI6ImFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWEifX1dLCJwcmVkaWNhdGUiOnsic2Nhbm5lciI6eyJ1cmkiOiJwa2c6dHJpdnkiLCJyZXN1bHQiOnsiU2NoZW1hVmVyc2lvbiI6MiwiQXJ0aWZhY3ROYW1lIjoieCIsIk1ldGFkYXRhIjp7Ik9TIjp7IkZhbWlseSI6ImFscGluZSJ9fSwiUmVzdWx0cyI6W119fSwibWV0YWRhdGEiOnsic2NhbkZpbmlzaGVkT24iOiIyMDI2LTAxLTA5VDAwOjAwOjAwWiJ9fX0=", "signatures": [{"keyid": "", "sig": "MEUCIQCFgMQac22cTCHW85tLN2jdVeCpsj8Z8YYe8yaLU+f1oAIgQSO2PGuX1HRl//+19x/gcRw6JpdjN5/1MorjSVFId0g="}]}"#;

    fn read(text: &str) -> Scan {
        let mut scans = Scans::default();
        scans.add("a.json", text).unwrap();
        scans.reports.remove(0)
    }

    #[test]
    fn attestations_are_of_their_subject_and_signed() {
        let scan = read(ATTESTED);
        assert_eq!(scan.digests, [format!("sha256:{}", "a".repeat(64))]);
        assert_eq!(scan.time, time("2026-01-09T00:00:00Z"));
        assert!(scan.is_recognised && scan.tool == "trivy");
        let key = public_key(KEY).unwrap();
        assert!(scan.is_signed_by(&key));
        let mut forged = scan.clone();
        forged.envelope.as_mut().unwrap().payload.push(b' ');
        assert!(!forged.is_signed_by(&key));
        let mut other = key.clone();
        other[10] ^= 1;
        assert!(!scan.is_signed_by(&other));
        assert!(public_key("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----").is_none());
        let mut scans = Scans::default();
        scans.add("a.json", &format!("{ATTESTED}\n{ATTESTED}")).unwrap();
        assert_eq!(scans.reports.len(), 2);
        assert!(scans.add("a.json", "{}").is_err() && scans.add("a.json", "").is_err());
    }

    #[test]
    fn an_index_is_known_by_its_bytes() {
        let index = r#"{"schemaVersion":2,"manifests":[
            {"digest":"sha256:aa","platform":{"os":"linux","architecture":"amd64"}},
            {"digest":"sha256:bb","platform":{"os":"linux","architecture":"arm64","variant":"v8"}},
            {"digest":"sha256:cc","platform":{"os":"unknown","architecture":"unknown"}},{"digest":"sha256:dd"}]}"#;
        let digest = format!("sha256:{}", words::hexadecimal(&Sha256::digest(index)));
        let mut scans = Scans::default();
        scans.add("index.json", &format!("{index}\n")).unwrap();
        let names: Vec<&str> = scans.indexes[&digest].iter().map(|platform| platform.name.as_str()).collect();
        assert_eq!(names, ["linux/amd64", "linux/arm64/v8", "an unnamed platform"]);
        let trivy = |image: &str, architecture: &str| {
            format!(
                r#"{{"SchemaVersion": 2, "ArtifactName": "x@{image}", "Metadata": {{"OS": {{"Family": "alpine"}},
                    "ImageConfig": {{"os": "linux", "architecture": "{architecture}"}}}}}}"#
            )
        };
        scans.add("a.json", &trivy(&digest, "arm64")).unwrap();
        scans.add("b.json", &trivy("sha256:aa", "amd64")).unwrap();
        let files = |at: usize| -> Vec<&str> {
            scans.of_platform(&digest, &scans.indexes[&digest][at]).iter().map(|scan| scan.file.as_str()).collect()
        };
        assert_eq!((files(0), files(1)), (vec!["b.json"], vec!["a.json"]));
    }

    #[test]
    fn reports_of_trivy_and_grype_are_read() {
        let trivy = read(
            r#"{"SchemaVersion": 2, "CreatedAt": "2026-01-09T00:00:00.5Z", "ArtifactName": "ghcr.io/example/api:v1", "ArtifactType":
                "container_image", "Metadata": {"OS": {"Family": "debian"}, "RepoDigests": ["ghcr.io/example/api@sha256:aa"]}, "Results":
                [{"Target": "x", "Vulnerabilities": [{"VulnerabilityID": "CVE-1", "Severity": "HIGH"}],
                  "ExperimentalModifiedFindings": [{"Type": "vulnerability", "Status": "ignored"}]}]}"#,
        );
        assert_eq!((&*trivy.digests[0], trivy.suppressed, trivy.found[0].severity.as_str()), ("sha256:aa", 1, "high"));
        let grype = read(
            r#"{"matches": [{"vulnerability": {"id": "CVE-2", "severity": "Critical"}}], "ignoredMatches": [{}, {}], "distro": {"name":
                "alpine"}, "source": {"type": "image", "target": {"userInput": "api:v1", "manifestDigest": "sha256:bb", "repoDigests":
                ["ghcr.io/example/api@sha256:cc"]}}, "descriptor": {"name": "grype", "timestamp": "2026-01-09T00:00:00Z"}}"#,
        );
        assert_eq!((grype.digests, grype.suppressed), (vec!["sha256:cc".to_owned(), "sha256:bb".to_owned()], 2));
        let empty =
            read(r#"{"SchemaVersion": 2, "ArtifactName": "x@sha256:aa", "Metadata": {"OS": {"Family": "none"}}}"#);
        assert!(!empty.is_recognised && empty.digests == ["sha256:aa"]);
    }
}
