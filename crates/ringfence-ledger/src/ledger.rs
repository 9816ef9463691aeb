//! The ledger as its users hold it: append entries, learn when they are durable, close.
//!
//! Shared by all threads of the gateway (`Arc<Ledger>`). One thread, `ringfence-ledger`, writes.
//! The commit point is named: an entry is recorded when [`Ledger::standing`] of its ticket is
//! [`Standing::Durable`].

use std::path::PathBuf;

use crate::key::SigningKey;

/// Bytes of entries that may wait for the writer; more are refused. Also the largest batch.
pub const QUEUE_BYTES: usize = 8 * 1024 * 1024;

/// When an entry must be on disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    /// With the next commit, which starts at once (in [`Mode::Group`]: within the group's time).
    Strict,
    /// With the next commit that happens, at most the group's time later.
    Relaxed,
}

/// When commits happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// A strict entry is committed at once; whoever appended it waits for that.
    /// Relaxed entries wait at most `group_ms` for company.
    Strict {
        /// Longest wait of a relaxed entry, in milliseconds.
        group_ms: u64,
    },
    /// Everything is committed at most this much later, and nobody waits: what a crash loses is
    /// bounded by time.
    Group {
        /// Longest wait of any entry, in milliseconds.
        ms: u64,
    },
}

/// How a ledger is divided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Volumes {
    /// One log in the directory itself.
    Whole,
    /// One log for each month (UTC) in a directory of its own.
    Monthly,
}

/// How to open a ledger.
#[derive(Debug)]
pub struct LedgerConfig {
    /// The directory; made (mode 0700) when missing.
    pub directory: PathBuf,
    /// The log's name in its checkpoints, such as `example.com/gw1`; a volume's has its month behind it.
    pub origin: String,
    /// One log for good, or one a month.
    pub volumes: Volumes,
    /// Signs the checkpoints. A log keeps its key for life.
    pub signing_key: SigningKey,
    /// When commits happen.
    pub mode: Mode,
    /// A checkpoint is signed at most this long after the first entry it covers, in milliseconds.
    pub checkpoint_ms: u64,
    /// A heartbeat is recorded this often, in milliseconds; 0 for never.
    pub heartbeat_ms: u64,
    /// Whether entries hold commitments to addresses, with the addresses beside.
    pub commit_addresses: bool,
    /// How far ahead the file is filled with zeros, so that a commit writes data only; in bytes.
    pub preallocate_bytes: u64,
}

/// What opening found and did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Recovery {
    /// Entries in the log, those written by recovery included.
    pub size: u64,
    /// Bytes of an incomplete last batch that were cut off; nobody was told they were durable.
    pub cut_bytes: u64,
    /// Intents without outcome that got an `outcome` entry with result `unknown`.
    pub unknown: u64,
}

/// Names one appended entry. Unlike an index it is never used again, even if the entry is lost.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ticket {
    /// How often the log had been reopened when the entry was appended.
    pub(crate) generation: u64,
    pub(crate) index: u64,
}

impl Ticket {
    /// The entry's number; [`crate::Ledger::indices`] tells which index that may be.
    pub const fn number(self) -> u64 {
        self.index
    }
}

/// What became of an appended entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It is on disk.
    Durable,
    /// It is not in the log and never will be; the log failed before it was written.
    Lost,
    /// Not known yet.
    Pending,
}

/// Why an entry was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// The ledger is closed.
    Closed,
    /// The log cannot be written at present.
    Failed,
    /// Too much waits to be written.
    Full,
    /// An entry has 1 to 65,535 bytes.
    Length,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Closed => "the ledger is closed",
            Self::Failed => "the ledger cannot be written",
            Self::Full => "the ledger's queue is full",
            Self::Length => "a ledger entry has 1 to 65,535 bytes",
        })
    }
}

impl std::error::Error for Refused {}

/// What the writer tells, from its own thread; the receiver must be quick.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Progress {
    /// A batch is on disk; the log has `size` durable entries. Once per batch.
    Committed {
        /// Durable entries.
        size: u64,
    },
    /// Writing failed: what was waiting is lost, strict entries are refused from now on.
    Failed {
        /// Why, for people.
        reason: String,
    },
    /// The log is whole again, and the gap is recorded in it.
    Resumed {
        /// Durable entries, the `ledger.gap` event included.
        size: u64,
        /// Entries that were lost.
        lost: u64,
    },
}

/// Numbers for status pages.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// Durable entries.
    pub size: u64,
    /// Entries that the newest checkpoint covers.
    pub signed_size: u64,
    /// Bytes of the log, or of the volume that is being written.
    pub bytes: u64,
    /// Batches committed since the ledger was opened.
    pub batches: u64,
    /// Entries lost since the ledger was opened.
    pub lost: u64,
    /// Whether entries can be written.
    pub healthy: bool,
}
