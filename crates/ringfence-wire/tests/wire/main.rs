//! What is read of requests, by the dialects that are shipped and by suites of others. One program: each would be linked by itself.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "../shipped/mod.rs"]
mod shipped;

mod confused;
mod extractors;
mod mutated;
mod rfc9421;
mod sealed;
mod spent;
mod spoken;
mod structured_fields;
