//! Why the ledger could not be opened, written, read or closed.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::fault::Fault;

/// What went wrong with a ledger as a whole. None of it carries key material.
#[derive(Debug)]
pub enum LedgerError {
    /// The log is damaged; nothing was changed on disk.
    Damaged(Box<Fault>),
    /// The operating system failed us.
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// The signing key, or a verifier key text, cannot be used.
    Key(&'static str),
    /// The log in the directory belongs to another origin or was signed by another key.
    Foreign {
        /// What does not fit.
        what: &'static str,
        /// What stands in the log.
        found: String,
        /// What the configuration says.
        wanted: String,
    },
    /// Another process has this ledger open.
    Locked {
        /// The ledger's directory.
        directory: PathBuf,
    },
    /// No checkpoint covers the entry.
    NotCovered {
        /// The entry asked for.
        index: u64,
        /// Entries that the newest checkpoint covers.
        size: u64,
    },
    /// What was published of the log is not as it was published, or is no longer all there.
    Published {
        /// The file, relative to the ledger's directory.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// Another process publishes this ledger at the moment.
    Publishing {
        /// The folder it publishes to.
        directory: PathBuf,
    },
    /// A setting is outside its bounds.
    Setting(&'static str),
    /// An entry went with its volume.
    Dropped {
        /// The entry asked for.
        index: u64,
        /// The oldest entry that is there.
        oldest: u64,
    },
    /// One of a ledger's volumes cannot be used.
    Volume {
        /// The volume, such as `2026-11`.
        volume: String,
        /// Why.
        source: Box<Self>,
    },
    /// The directory holds no ledger.
    Missing {
        /// The directory.
        directory: PathBuf,
    },
}

impl LedgerError {
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }

    /// Whether the log is not as it was written, whatever the reason that it cannot be opened.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Volume { source, .. } => source.is_damage(),
            Self::Io { .. }
            | Self::Key(_)
            | Self::Foreign { .. }
            | Self::Locked { .. }
            | Self::NotCovered { .. }
            | Self::Published { .. }
            | Self::Publishing { .. }
            | Self::Setting(_)
            | Self::Dropped { .. }
            | Self::Missing { .. } => false,
        }
    }

    /// This error, with the volume in which it came up.
    pub(crate) fn in_volume(self, volume: impl fmt::Display) -> Self {
        Self::Volume {
            volume: volume.to_string(),
            source: Box::new(self),
        }
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(fault) => write!(f, "the ledger is damaged: {fault}"),
            Self::Io { doing, source } => write!(f, "ledger: {doing} failed: {source}"),
            Self::Key(what) => write!(f, "ledger key: {what}"),
            Self::Foreign {
                what,
                found,
                wanted,
            } => write!(
                f,
                "the ledger in this directory has another {what}: found {found}, configured {wanted}; \
                 use the right key and origin or another directory"
            ),
            Self::Locked { directory } => write!(
                f,
                "the ledger in {} is in use by another process; one gateway per ledger directory",
                directory.display()
            ),
            Self::NotCovered { index, size } => write!(
                f,
                "entry {index} is covered by no checkpoint: the newest covers {size} entries, \
                 counted from 0"
            ),
            Self::Published { file, what } => write!(
                f,
                "{file}: {what}; it can be made anew from entries.log once it is removed"
            ),
            Self::Publishing { directory } => write!(
                f,
                "another process is publishing to {}; try again when it is done",
                directory.display()
            ),
            Self::Setting(what) => write!(f, "ledger setting: {what}"),
            Self::Dropped { index, oldest } => write!(
                f,
                "entry {index} was dropped with its volume: the oldest entry here is {oldest}"
            ),
            Self::Volume { volume, source } => write!(f, "volume {volume}: {source}"),
            Self::Missing { directory } => {
                write!(f, "there is no ledger in {}", directory.display())
            }
        }
    }
}

impl std::error::Error for LedgerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Volume { source, .. } => Some(source.as_ref()),
            Self::Damaged(_)
            | Self::Dropped { .. }
            | Self::Key(_)
            | Self::Foreign { .. }
            | Self::Locked { .. }
            | Self::NotCovered { .. }
            | Self::Published { .. }
            | Self::Publishing { .. }
            | Self::Setting(_)
            | Self::Missing { .. } => None,
        }
    }
}
