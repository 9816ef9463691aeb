//! A whole gate on loopback, with raw sockets on both sides of it. One program: each is linked by itself, which takes longer than
//! most of them run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;

mod admission;
mod bans;
mod certificates;
mod channels;
mod clients;
mod cluster;
mod doorway;
mod egress;
mod exchange;
mod faults;
mod hosts;
mod http2;
mod http2_smuggle;
mod minted;
mod minted_channel;
mod native;
mod overload;
mod private_streams;
mod proxied;
mod pushes;
mod races;
mod smuggle;
mod tls;
