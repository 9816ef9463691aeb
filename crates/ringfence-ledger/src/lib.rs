//! The ledger: an append-only log of decisions, outcomes and events that nobody alters unseen.
//!
//! Entries are canonical JSON, hashed into an RFC 6962 Merkle tree; batches carry a hash chain;
//! checkpoints are C2SP signed notes. Writing is group commit by one thread; whoever must wait for
//! durability holds a [`Ticket`].
//!
//! **Invariant:** what was reported durable is in the log after any crash.
//! **Invariant:** a damaged log is refused with the place of the damage, never repaired in silence.
//! **Invariant:** verifying and recovering read a log with the same code (`audit.rs`).

mod audit;
mod binder;
pub mod canonical;
pub mod checkpoint;
mod clock;
pub mod cosignature;
mod cursor;
mod diagnose;
pub mod entry;
mod error;
mod fault;
mod flights;
mod folder;
mod format;
mod handle;
mod heartbeat;
mod inspect;
mod json;
mod key;
mod ledger;
mod log;
pub mod note;
mod personal;
pub mod policy;
mod posix;
mod prompt;
pub mod proof;
mod prove;
mod publish;
mod queue;
mod read;
mod reader;
pub mod receipt;
mod retention;
mod scan;
mod shelves;
mod store;
mod tail;
pub mod tile;
mod told;
pub mod tree;
mod usual;
mod verify;
mod vkey;
mod volume;
mod volumes;
pub mod witness;
mod writer;

pub use entry::{
    AnsweredOrder, Controls, DecisionEntry, EventEntry, Fate, OrderFields, OrderIds, OutcomeEntry,
    Saw, Value, Verdict,
};
pub use error::LedgerError;
pub use fault::{Fault, FaultKind, Part};
pub use handle::{Clock, Ledger, OnProgress};
pub use heartbeat::Heartbeats;
pub use inspect::PublishedFault;
pub use key::SigningKey;
pub use ledger::{
    Durability, LedgerConfig, Mode, Progress, QUEUE_BYTES, Recovery, Refused, Standing, Status,
    Ticket, Volumes,
};
pub use personal::{Address, Commitment, erase};
pub use posix::{PosixSource, PosixStore};
pub use prove::{find_message, prove, prove_growth};
pub use publish::{Publication, publish, release, stage};
pub use reader::Reader;
pub use retention::{Classes, classes, drop_volume};
pub use shelves::tiles_over;
pub use store::{Source, Store};
pub use usual::Usual;
pub use verify::{Report, Unfinished, VolumeReport, verify_in};
pub use vkey::{CosignerKey, VerifierKey};
pub use volume::{DROPPED, ERASED, Month, Volume, volumes};
pub use volumes::verify;
