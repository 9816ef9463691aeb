//! What is wrong with a log, where, and what kind of tampering fits, in words for people.

use std::fmt;

/// The files of a ledger directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// `entries.log`: the batches.
    Entries,
    /// `checkpoints`: every signed checkpoint, oldest first.
    Checkpoints,
    /// `checkpoint`: a copy of the newest one.
    Newest,
    /// `personal`: what the commitments in the entries stand for.
    Personal,
}

impl Part {
    /// The file's name in the ledger directory.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Entries => "entries.log",
            Self::Checkpoints => "checkpoints",
            Self::Newest => "checkpoint",
            Self::Personal => "personal",
        }
    }
}

/// What kind of damage or tampering fits best.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FaultKind {
    /// Bytes follow the last complete batch that no crash leaves there.
    BytesAppended,
    /// A batch is missing before this one.
    BatchDropped,
    /// A batch stands here a second time, or an older one was put here.
    BatchRepeated,
    /// A batch does not continue the chain: history before it was rewritten, or it is from
    /// another log.
    ChainBroken,
    /// A checkpoint record is malformed or was altered.
    CheckpointDamaged,
    /// The newest checkpoint was replaced by an older one, or newer ones were removed.
    CheckpointReplaced,
    /// The signature of a checkpoint is not of the log's key.
    CheckpointSignature,
    /// An entry was altered.
    EntryAltered,
    /// An entry is not in canonical form.
    EntryNotCanonical,
    /// Entries of a batch were exchanged.
    EntriesReordered,
    /// A file that must be there is not.
    FileMissing,
    /// The frame around batches or entries was altered.
    FrameDamaged,
    /// What a commitment stands for was altered.
    PersonalAltered,
    /// What commitments stand for is gone, and no entry says that it was erased.
    PersonalMissing,
    /// The entries do not fit a signed checkpoint: they were rewritten after it was signed.
    Rewritten,
    /// A published tile does not fit the published entries.
    TileAltered,
    /// Entries that a signed checkpoint covers are gone.
    Truncated,
    /// A volume does not continue the one before it as its first entry says.
    VolumeLink,
    /// A volume is gone, and no entry says that it was dropped.
    VolumeMissing,
}

impl FaultKind {
    /// A stable name in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BytesAppended => "bytes_appended",
            Self::BatchDropped => "batch_dropped",
            Self::BatchRepeated => "batch_repeated",
            Self::ChainBroken => "chain_broken",
            Self::CheckpointDamaged => "checkpoint_damaged",
            Self::CheckpointReplaced => "checkpoint_replaced",
            Self::CheckpointSignature => "checkpoint_signature",
            Self::EntryAltered => "entry_altered",
            Self::EntryNotCanonical => "entry_not_canonical",
            Self::EntriesReordered => "entries_reordered",
            Self::FileMissing => "file_missing",
            Self::FrameDamaged => "frame_damaged",
            Self::PersonalAltered => "personal_altered",
            Self::PersonalMissing => "personal_missing",
            Self::Rewritten => "rewritten",
            Self::TileAltered => "tile_altered",
            Self::Truncated => "truncated",
            Self::VolumeLink => "volume_link",
            Self::VolumeMissing => "volume_missing",
        }
    }
}

/// The first thing found wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// In which file.
    pub part: Part,
    /// Where in the file, in bytes from its start.
    pub offset: u64,
    /// The entry concerned, or the first one that can no longer be trusted; none where no entry
    /// is concerned.
    pub entry: Option<u64>,
    /// What fits.
    pub kind: FaultKind,
    /// The same in a sentence.
    pub sentence: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.part.file_name(), self.offset)?;
        if let Some(entry) = self.entry {
            write!(f, " (entry {entry})")?;
        }
        write!(f, ": {}", self.sentence)
    }
}
