//! What a ledger keeps, proves and publishes, over real files. One program: each would be linked by itself.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod entries;
mod heartbeat;
mod ledger;
mod parsers;
mod personal;
mod receipts;
mod tamper;
mod tamper_published;
mod tiles;
mod vectors;
mod volumes;
mod witness;
