//! What a volume holds, by how long it must be kept; and dropping one.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::canonical;
use crate::error::LedgerError;
use crate::read::VolumeReader;
use crate::volume::Month;

/// Entries of one volume by their class.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Classes {
    /// Of orders and of anything else that changes state at the venue, permitted or not, and their outcomes.
    pub trade: u64,
    /// All others: reads, refusals of what is no order, events.
    pub security: u64,
}

/// Counts what the volume in `directory` holds.
///
/// # Errors
///
/// [`LedgerError`] when it cannot be read or an entry is not as it was written.
pub fn classes(directory: &Path) -> Result<Classes, LedgerError> {
    let mut reader = VolumeReader::open(directory, 0)?;
    let mut found = Classes::default();
    while let Some((_, entry)) = reader.next_entry()? {
        // What cannot be told is kept the longer.
        let trade = canonical::read(entry).map_or(true, |fields| match fields.kind {
            "decision" => fields.state_changing || names_order(entry),
            "event" => false,
            _ => true,
        });
        match trade {
            true => found.trade += 1,
            false => found.security += 1,
        }
    }
    Ok(found)
}

// A question about orders is a record of them too.
fn names_order(entry: &[u8]) -> bool {
    const ORDER: &[u8] = b",\"operation\":\"order.";
    entry.windows(ORDER.len()).any(|window| window == ORDER)
}

/// Where a volume lies from the moment it is dropped until its last file is gone.
fn grave(month: Month) -> String {
    format!("{DROPPED}{month}")
}

const DROPPED: &str = ".dropped-";

/// Removes the volume of `month`, if one is named, from the ledger in `directory`, and what an earlier call left.
///
/// It is gone at once and for good; its files follow. Call it when the ledger says that the volume
/// was dropped: without that, `verify` misses it.
///
/// # Errors
///
/// [`LedgerError::Io`]; calling again goes on.
pub fn drop_volume(directory: &Path, month: Option<Month>) -> Result<(), LedgerError> {
    let doing = || LedgerError::io("dropping a volume");
    if let Some(month) = month {
        let (from, to) = (
            directory.join(month.to_string()),
            directory.join(grave(month)),
        );
        match fs::rename(from, to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(doing()(error)),
            Ok(()) | Err(_) => {}
        }
    }
    let synced = File::open(directory).and_then(|folder| folder.sync_all());
    synced.map_err(doing())?;
    for entry in fs::read_dir(directory).map_err(doing())? {
        let name = entry.map_err(doing())?.file_name();
        if name.to_str().is_some_and(|name| name.starts_with(DROPPED)) {
            fs::remove_dir_all(directory.join(name)).map_err(doing())?;
        }
    }
    Ok(())
}
