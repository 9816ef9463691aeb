//! Ringfence's gate: listeners, TLS, HTTP, the upstream pool, and the way of a message from one to the other.
//!
//! The only async crate, and the only one that reads a clock. Installs no signal handler and never ends the process.
#![forbid(unsafe_code)]

mod admin;
mod admission;
mod attest;
mod authority;
mod bans;
mod body;
mod brownout;
mod budget;
mod carry;
mod certificate;
mod channel;
mod client;
mod clock;
mod cluster;
mod commit;
mod counters;
mod deadline;
mod egress;
mod engine;
mod error;
mod exchange;
mod fills;
mod flood;
mod forward;
mod framing;
mod gate;
mod gauges;
mod heard;
mod hosts;
mod http1;
mod http2;
mod issuers;
mod judge;
mod lane;
mod lease;
mod lending;
mod lent;
mod limits;
mod listen;
mod looks;
mod masks;
mod minted;
mod nonce;
mod ongoing;
mod open;
mod outbox;
mod pipeline;
mod placing;
mod pool;
mod proxied;
mod pushing;
mod receipts;
mod record;
mod refuse;
mod relay;
mod roll;
mod scratches;
mod serve;
mod shards;
mod shared;
pub mod snapshot;
mod socket;
mod stream;
mod tls;
mod token;
mod top;
mod traffic;
mod turns;
mod usage;
mod watch;

pub use error::GateError;
pub use gate::{Gate, StateChange, check};
pub use open::record_alone;
pub use roll::Roll;
pub use snapshot::{
    AddressBook, BanRecord, CredentialRecord, IssuerConfig, OverloadConfig, ShardKeys, Snapshot,
    VenueKeyRecord, WaitsConfig,
};
