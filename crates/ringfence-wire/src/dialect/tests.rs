//! A dialect reads what was signed, whole and in one way, and forwards exactly what it read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod about;
mod batch;
mod captured;
mod code;
mod compile;
mod fills;
pub(super) mod fixture;
mod forward;
mod order;
mod private;
mod read;
mod render;
mod scheme;
mod split;
mod unsigned;
mod venue;
