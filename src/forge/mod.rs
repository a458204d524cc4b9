//! What the forge knows: who has approved a change, and when what landed. Only `tollgate review` comes here, and nothing else in
//! Tollgate uses the network: the gate reads what was written down ([`crate::facts::review::ReviewFile`]).

pub use client::{Client, ForgeError};

mod client;
pub mod github;
pub mod gitlab;
