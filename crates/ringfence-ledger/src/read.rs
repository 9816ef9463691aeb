//! Reading entries back, also while the log grows.

use std::fs;
use std::path::Path;

use crate::error::LedgerError;
use crate::fault::Part;

/// Reads the entries of a log in order. Proves nothing: that is what `verify` is for.
pub struct Reader {
    bytes: Vec<u8>,
    at: usize,
    index: u64,
    from: u64,
}

impl Reader {
    /// Opens the log in `directory`, to read from entry `from` on.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when there is no log or it cannot be read.
    pub fn open(directory: &Path, from: u64) -> Result<Self, LedgerError> {
        let bytes = fs::read(directory.join(Part::Entries.file_name()))
            .map_err(LedgerError::io("reading entries.log"))?;
        Ok(Self {
            bytes,
            at: 0,
            index: 0,
            from,
        })
    }

    /// The next entry and its index; `None` when there is none yet: ask again later to follow.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the log cannot be read or is damaged here.
    pub fn next_entry(&mut self) -> Result<Option<(u64, &[u8])>, LedgerError> {
        loop {
            let Some(&[high, low]) = self.bytes.get(self.at..self.at + 2) else {
                return Ok(None);
            };
            let start = self.at + 2;
            self.at = start + usize::from(u16::from_be_bytes([high, low]));
            let index = self.index;
            self.index += 1;
            if index >= self.from {
                return Ok(self.bytes.get(start..self.at).map(|entry| (index, entry)));
            }
        }
    }
}
