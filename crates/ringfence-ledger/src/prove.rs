//! Making receipts: an entry and its proof from the published tiles, in O(log n) files read.

use std::path::Path;

use crate::canonical::{self, unescape};
use crate::error::LedgerError;
use crate::folder::{FOLDER, Folder, wrong};
use crate::format::Frames;
use crate::proof::verify_inclusion;
use crate::publish::{Publication, publish, published};
use crate::reader::Reader;
use crate::receipt::Receipt;
use crate::tile::{Shelf, TILE_WIDTH, TileTree, tile_of};
use crate::tree::{Hash, leaf_hash};
use crate::volume::{Volume, volume_of};

/// The receipt of entry `index` of the ledger in `directory`, with the entry in it. The index in the
/// receipt is that in the entry's volume, whose checkpoint it has.
///
/// Taken from what is published; what the log has behind that is published first where the entry
/// is not yet covered.
///
/// # Errors
///
/// [`LedgerError`]: `NotCovered` when no checkpoint covers the entry yet, `Dropped` when its volume
/// was, `Published` when a tile is not as it was published, and as [`publish`].
pub fn prove(directory: &Path, index: u64) -> Result<Receipt, LedgerError> {
    let volume = volume_of(directory, index)?;
    let Some(within) = index.checked_sub(volume.sequence) else {
        let oldest = volume.sequence;
        return Err(LedgerError::Dropped { index, oldest });
    };
    prove_in(&volume, within)
}

// Of entry `index` of the volume.
fn prove_in(volume: &Volume, index: u64) -> Result<Receipt, LedgerError> {
    let directory = volume.directory.as_path();
    let folder = Folder::of(directory);
    let publication = match published(&folder)? {
        Some(publication) if index < publication.checkpoint.size => publication,
        Some(_) | None => publish(directory)?,
    };
    let size = publication.checkpoint.size;
    let Some(bundle) = tile_of(Shelf::Entries, index, size) else {
        return Err(LedgerError::NotCovered {
            index: volume.sequence + index,
            size: volume.sequence + size,
        });
    };
    let entry = entry(&folder.tile(&bundle)?, index).ok_or_else(|| wrong(&bundle, ALTERED))?;
    let mut tree = TileTree::new(&folder, size);
    let proof = tree.prove_inclusion(index)?.unwrap_or_default();
    let leaf = leaf_hash(&entry);
    if !verify_inclusion(index, size, &leaf, &proof, &publication.checkpoint.root) {
        let sound = TileTree::new(&folder, size).root()? == publication.checkpoint.root;
        return Err(if sound {
            wrong(&bundle, ALTERED)
        } else {
            altered_tiles(index)
        });
    }
    Ok(Receipt {
        extra: Some(entry),
        index,
        proof,
        note: publication.note,
    })
}

const ALTERED: &str = "its entries are not as they were published; run verify";

fn altered_tiles(index: u64) -> LedgerError {
    LedgerError::Published {
        file: format!("{FOLDER}/tile"),
        what: format!("the tiles over entry {index} do not fit the checkpoint; run verify"),
    }
}

fn entry(bundle: &[u8], index: u64) -> Option<Vec<u8>> {
    let within = (index % TILE_WIDTH) as usize;
    let (_, entry) = Frames::new(bundle).nth(within)?;
    Some(entry.to_vec())
}

/// The proof that the published tree of the log in `directory` continues that of `old_size`
/// entries, with the publication it is for; no proof where the log had fewer.
///
/// # Errors
///
/// [`LedgerError`]: `Missing` when nothing is published, and those of reading tiles.
pub fn prove_growth(
    directory: &Path,
    old_size: u64,
    publication: &Publication,
) -> Result<Option<Vec<Hash>>, LedgerError> {
    let folder = Folder::of(directory);
    TileTree::new(&folder, publication.checkpoint.size).prove_consistency(old_size)
}

/// The indices of the entries about the message `message`: its decision, then its outcome. Reads
/// the whole ledger.
///
/// # Errors
///
/// [`LedgerError`] when the log cannot be read.
pub fn find_message(directory: &Path, message: &str) -> Result<Vec<u64>, LedgerError> {
    let mut reader = Reader::open(directory, 0)?;
    let mut found = Vec::new();
    while let Some((index, entry)) = reader.next_entry()? {
        let same = |escaped: &str| {
            escaped == message || (escaped.contains('\\') && unescape(escaped) == message)
        };
        if canonical::read(entry).is_ok_and(|fields| same(fields.message)) {
            found.push(index);
        }
    }
    Ok(found)
}
