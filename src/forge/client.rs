//! HTTP with a forge: pages, rate limits, retries, and no other host.

use std::cell::Cell;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::config::RedirectAuthHeaders;
use ureq::http::{HeaderMap, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

/// Why the forge does not tell.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ForgeError {
    /// No token.
    #[error("there is no token for the forge's API")]
    #[diagnostic(help("set {0}"))]
    NoToken(&'static str),
    /// It is not known what to ask about.
    #[error("it is unknown which {0}")]
    #[diagnostic(help("{1}"))]
    Unnamed(&'static str, &'static str),
    /// No answer.
    #[error("{url} does not answer: {why}")]
    #[diagnostic(help(
        "check the address, and the proxy (`HTTPS_PROXY`); `SSL_CERT_FILE` names the certificates of authorities of your own"
    ))]
    Unreachable {
        /// The address.
        url: String,
        /// What went wrong.
        why: String,
    },
    /// An answer that is a refusal.
    #[error("{url} answers with status {status}: {why}")]
    #[diagnostic(help("{}", refusal(*status)))]
    Refused {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the forge says.
        why: String,
    },
    /// Too many requests, and a long time until more are allowed.
    #[error("{url} allows no more requests until {}", .until.to_rfc3339_opts(SecondsFormat::Secs, true))]
    #[diagnostic(help("run it again after that, or with a token that has a limit of its own"))]
    RateLimited {
        /// The address.
        url: String,
        /// When more are allowed.
        until: DateTime<Utc>,
    },
    /// An answer of another form than the forge's documentation says.
    #[error("{url} answers something unexpected: {why}")]
    #[diagnostic(help("is this the address of the API? A proxy or a login page may answer in its place"))]
    Unexpected {
        /// The address.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// More than anybody has.
    #[error("{0} has more pages than are read")]
    #[diagnostic(help("so many entries are not expected here; please report it"))]
    Endless(String),
    /// A merge group of which not all pull requests are known.
    #[error("the pull requests of the merge group {0} cannot be found out: {1}")]
    #[diagnostic(help(
        "the token must be able to read contents; if the queue has moved on, its next run judges again"
    ))]
    Group(String, String),
    /// Certificates that cannot be read.
    #[error("`{path}` holds no certificate that can be read: {why}")]
    #[diagnostic(help("`SSL_CERT_FILE` names a file of PEM certificates"))]
    Certificates {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

fn refusal(status: u16) -> &'static str {
    match status {
        401 => "the token is not valid, or has expired",
        403 => "the token may not do this; see `docs/approvals.md` for the permissions that it needs",
        404 => {
            "there is no such thing, or the token may not see it; see `docs/approvals.md` for the permissions that it needs"
        }
        _ => "the forge may be disturbed: run it again later",
    }
}

/// The form of a forge's API.
pub(super) struct Api {
    /// Where it is, without a slash at its end.
    pub(super) address: String,
    /// The name and the value of the header that authorizes.
    pub(super) token: (&'static str, String),
    /// What it is asked to answer with.
    pub(super) accept: &'static str,
    /// Whether things are changed by PATCH, and not by PUT.
    pub(super) changes_by_patch: bool,
}

/// One request: its address, and its document.
enum Ask<'a> {
    Get(&'a str),
    Query(&'a str, &'a Value),
    Post(&'a str, &'a Value),
    Patch(&'a str, &'a Value),
    Put(&'a str, &'a Value),
}

impl Ask<'_> {
    fn url(&self) -> &str {
        match self {
            Self::Get(url) | Self::Query(url, _) | Self::Post(url, _) | Self::Patch(url, _) | Self::Put(url, _) => url,
        }
    }
}

/// One API, with a token.
pub struct Client {
    agent: Agent,
    api: Api,
    now: DateTime<Utc>,
    /// How long it may still wait, in seconds.
    patience: Cell<u64>,
}

/// How many entries are asked for at once.
const PAGE: usize = 100;
/// How many pages are read; GitHub tells at most 3,000 files, and 250 commits of a pull request.
const MOST_PAGES: usize = 100;
/// The largest answer that is read, in bytes.
const LARGEST: u64 = 20_000_000;
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often a request is made that does not get through.
const ATTEMPTS: u32 = 4;
/// How long all waiting together may take, in seconds.
const PATIENCE: u64 = 180;

/// What stands for itself in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

impl Client {
    pub(super) fn new(api: Api, certificates: Option<(&str, &str)>, now: DateTime<Utc>) -> Result<Self, ForgeError> {
        let roots = certificates.map(|(path, text)| roots(path, text)).transpose()?.unwrap_or(RootCerts::WebPki);
        let config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build();
        Ok(Self { agent: config.into(), api, now, patience: Cell::new(PATIENCE) })
    }

    /// What is at a path of the API.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ForgeError> {
        let url = format!("{}{path}", self.api.address);
        parse(&url, self.send(&Ask::Get(&url))?)
    }

    /// What is at a path of the API, where there is something and the token may see it.
    pub(super) fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ForgeError> {
        found(self.get(path))
    }

    /// What an address answers to a document; asking twice does no harm.
    pub(super) fn query<T: DeserializeOwned>(&self, url: &str, body: &Value) -> Result<T, ForgeError> {
        parse(url, self.send(&Ask::Query(url, body))?)
    }

    /// Makes something at a path of the API. It is not tried again where it may have been done.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<(), ForgeError> {
        self.send(&Ask::Post(&format!("{}{path}", self.api.address), body)).map(drop)
    }

    /// Changes what is at a path of the API, with the verb that this API has for it.
    pub(super) fn change(&self, path: &str, body: &Value) -> Result<(), ForgeError> {
        let url = format!("{}{path}", self.api.address);
        let ask = if self.api.changes_by_patch { Ask::Patch(&url, body) } else { Ask::Put(&url, body) };
        self.send(&ask).map(drop)
    }

    /// All entries of a list; `path` has a query. With `most`, of a long one only that many pages.
    pub(super) fn list<T: DeserializeOwned>(&self, path: &str, most: Option<usize>) -> Result<Vec<T>, ForgeError> {
        let mut url = format!("{}{path}&per_page={PAGE}", self.api.address);
        let mut all = Vec::new();
        for _ in 0..most.unwrap_or(MOST_PAGES) {
            let response = self.send(&Ask::Get(&url))?;
            let next = next_page(response.headers());
            all.append(&mut parse(&url, response)?);
            match next {
                None => return Ok(all),
                // The token goes nowhere else.
                Some(next) if next.strip_prefix(&self.api.address).is_some_and(|rest| rest.starts_with('/')) => {
                    url = next;
                }
                Some(next) => {
                    let why = format!("its next page is at {next}, which is another place");
                    return Err(ForgeError::Unexpected { url, why });
                }
            }
        }
        if most.is_some() { Ok(all) } else { Err(ForgeError::Endless(url)) }
    }

    /// The same where there may be nothing, or nothing that the token may see.
    pub(super) fn find_list<T: DeserializeOwned>(&self, path: &str) -> Result<Option<Vec<T>>, ForgeError> {
        found(self.list(path, None))
    }

    fn send(&self, ask: &Ask<'_>) -> Result<Response<Body>, ForgeError> {
        let url = ask.url();
        let is_once = matches!(ask, Ask::Post(..));
        let mut attempt = 1;
        loop {
            let answer = self.send_once(ask);
            let pause = match &answer {
                Ok(response) => match self.pause_before_next(url, response)? {
                    Some(pause) => pause,
                    None if matches!(response.status().as_u16(), 500 | 502..=504) && !is_once => 1 << (attempt - 1),
                    None => break self.accepted(url, answer),
                },
                Err(_) if is_once => break self.accepted(url, answer),
                Err(_) => 1 << (attempt - 1),
            };
            if attempt == ATTEMPTS || pause > self.patience.get() {
                break self.accepted(url, answer);
            }
            self.patience.set(self.patience.get() - pause);
            std::thread::sleep(Duration::from_secs(pause));
            attempt += 1;
        }
    }

    fn send_once(&self, ask: &Ask<'_>) -> Result<Response<Body>, ureq::Error> {
        let (name, token) = &self.api.token;
        let (request, body) = match ask {
            Ask::Get(url) => {
                return self.agent.get(*url).header("Accept", self.api.accept).header(*name, token).call();
            }
            Ask::Query(url, body) | Ask::Post(url, body) => (self.agent.post(*url), body),
            Ask::Patch(url, body) => (self.agent.patch(*url), body),
            Ask::Put(url, body) => (self.agent.put(*url), body),
        };
        request.header("Accept", self.api.accept).header(*name, token).send_json(body)
    }

    /// How many seconds a forge asks to wait that allows no more requests for now (GitHub's and GitLab's documentation of their
    /// rate limits).
    fn pause_before_next(&self, url: &str, response: &Response<Body>) -> Result<Option<u64>, ForgeError> {
        let number = |name: &str| -> Option<i64> { response.headers().get(name)?.to_str().ok()?.trim().parse().ok() };
        let status = response.status().as_u16();
        let remaining = number("x-ratelimit-remaining").or_else(|| number("ratelimit-remaining"));
        let is_limited = status == 429
            || status == 403 && (number("retry-after").is_some() || remaining.is_some_and(|remaining| remaining <= 0));
        if !is_limited {
            return Ok(None);
        }
        let now = self.now.timestamp();
        let reset = number("x-ratelimit-reset").or_else(|| number("ratelimit-reset")).map(|reset| reset - now);
        let pause = number("retry-after").or(reset).unwrap_or(60).max(0).unsigned_abs();
        if pause <= self.patience.get() {
            return Ok(Some(pause));
        }
        let until = DateTime::from_timestamp(now.saturating_add_unsigned(pause), 0).unwrap_or(self.now);
        Err(ForgeError::RateLimited { url: url.to_owned(), until })
    }

    fn accepted(&self, url: &str, answer: Result<Response<Body>, ureq::Error>) -> Result<Response<Body>, ForgeError> {
        let url = url.to_owned();
        let mut response =
            answer.map_err(|error| ForgeError::Unreachable { url: url.clone(), why: self.without_token(&error) })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let said = response.body_mut().with_config().limit(LARGEST).read_to_string().unwrap_or_default();
        let said: Value = serde_json::from_str(&said).unwrap_or_default();
        let said = ["message", "error_description", "error"].iter().find_map(|key| said.get(key)?.as_str());
        let why = said.or_else(|| status.canonical_reason()).unwrap_or("no reason is given").to_owned();
        Err(ForgeError::Refused { url, status: status.as_u16(), why })
    }

    fn without_token(&self, error: &ureq::Error) -> String {
        error.to_string().replace(&self.api.token.1, "***")
    }
}

/// `None` where there is nothing, or nothing that the token may see.
fn found<T>(answer: Result<T, ForgeError>) -> Result<Option<T>, ForgeError> {
    match answer {
        Ok(it) => Ok(Some(it)),
        Err(ForgeError::Refused { status: 403 | 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse<T: DeserializeOwned>(url: &str, mut response: Response<Body>) -> Result<T, ForgeError> {
    let unexpected = |why: String| ForgeError::Unexpected { url: url.to_owned(), why };
    let text = response.body_mut().with_config().limit(LARGEST).read_to_string();
    let text = text.map_err(|error| unexpected(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| unexpected(error.to_string()))
}

/// The address of the next page (RFC 8288).
fn next_page(headers: &HeaderMap) -> Option<String> {
    let links = headers.get("link")?.to_str().ok()?;
    let is_next = |parameter: &str| parameter.trim() == r#"rel="next""#;
    links.split(',').find_map(|link| {
        let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        parameters.split(';').any(is_next).then(|| address.to_owned())
    })
}

fn roots(path: &str, text: &str) -> Result<RootCerts, ForgeError> {
    let unreadable = |why: String| ForgeError::Certificates { path: path.to_owned(), why };
    let mut found: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(text.as_bytes()) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| unreadable(error.to_string()))? {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(unreadable("it has none".to_owned()));
    }
    Ok(RootCerts::new_with_certs(&found))
}
