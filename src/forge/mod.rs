//! What the forge knows (who has approved a change, and when what landed), and what is told there. Only `tollgate review`,
//! `comment` and `recheck` come here, and nothing else in Tollgate uses the network: the gate reads what was written down
//! ([`crate::facts::review::ReviewFile`]).

use chrono::{DateTime, Utc};
use serde::Deserialize;

pub use client::{Client, ForgeError};
pub use requests::{Due, LastCheck, OpenRequest, Requests};

mod client;
pub mod github;
pub mod gitlab;
mod requests;

/// A time in RFC 3339.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct DateTimeText(DateTime<Utc>);

impl TryFrom<String> for DateTimeText {
    type Error = chrono::ParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(Self(DateTime::parse_from_rfc3339(&text)?.with_timezone(&Utc)))
    }
}
