//! Reading the entries of a ledger back, volume after volume, also while it grows.

use std::path::{Path, PathBuf};

use crate::error::LedgerError;
use crate::read::VolumeReader;
use crate::volume::{Month, Volume, months, volume, volume_of};

/// Reads the entries of a ledger in order.
///
/// Checks each entry against its mark, so that it never shows a half-written one; proves nothing
/// more, which is what `verify` is for. A batch is shown once it is complete in the file. In the
/// process that writes, ask for no index beyond [`crate::Ledger::committed`]: the last batch may
/// not be durable yet, and is cut again if it never becomes so.
pub struct Reader {
    directory: PathBuf,
    volume: Volume,
    entries: VolumeReader,
}

impl Reader {
    /// Opens the ledger in `directory`, to read from entry `from` on; from the oldest there is
    /// where that one was dropped with its volume.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when there is no ledger or it cannot be read.
    pub fn open(directory: &Path, from: u64) -> Result<Self, LedgerError> {
        let volume = volume_of(directory, from)?;
        let within = from.saturating_sub(volume.sequence);
        Ok(Self {
            directory: directory.to_owned(),
            entries: VolumeReader::open(&volume.directory, within)?,
            volume,
        })
    }

    /// The next entry and its index, counted over all volumes; `None` when there is none yet: ask
    /// again later to follow.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read or an entry is not as it was written.
    pub fn next_entry(&mut self) -> Result<Option<(u64, &[u8])>, LedgerError> {
        while !self.entries.more()? {
            let Some(next) = self.following()? else {
                return Ok(None);
            };
            // What came between the two looks was written before the next volume began.
            if !self.entries.more()? {
                self.entries = VolumeReader::open(&next.directory, 0)?;
                self.volume = next;
            }
        }
        let before = self.volume.sequence;
        let entry = self.entries.next_entry()?;
        Ok(entry.map(|(index, entry)| (before + index, entry)))
    }

    fn following(&self) -> Result<Option<Volume>, LedgerError> {
        if self.volume.month.is_none() {
            return Ok(None);
        }
        let later = |month: &Month| Some(*month) > self.volume.month;
        let next = months(&self.directory)?.into_iter().find(later);
        next.map(|month| volume(&self.directory, month)).transpose()
    }
}
