//! Ringfence's gate: listeners, TLS, HTTP, the upstream pool, and the way of a message from one to the other.
//!
//! The only async crate, and the only one that reads a clock. Installs no signal handler and never ends the process.
#![forbid(unsafe_code)]

mod attest;
mod body;
mod clock;
mod commit;
mod counters;
mod error;
mod exchange;
mod forward;
mod gate;
mod limits;
mod listen;
mod pipeline;
mod pool;
mod record;
mod shared;
pub mod snapshot;
mod tls;
mod usage;

pub use error::GateError;
pub use gate::{Gate, check};
pub use snapshot::{CredentialRecord, Snapshot};
