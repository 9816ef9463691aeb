//! Publishing a log as C2SP tlog-tiles: [`stage`] reads what was committed since the last time, up
//! to the newest checkpoint, and lays out its tiles; [`release`] puts the checkpoint before them.
//!
//! Needs no key and runs beside the writer, in any process. Memory: one batch and one bundle.
//! **Invariant:** a checkpoint is published after the tiles and bundles it needs are durable.
//! **Invariant:** a published checkpoint continues the one before it.
//! **Invariant:** a full tile or bundle that a published checkpoint covers is never written again.
//!
//! Decision: docs/adr/0011.

use std::path::Path;

use crate::checkpoint::Checkpoint;
use crate::error::LedgerError;
use crate::fault::{Fault, FaultKind, Part};
use crate::folder::{CHECKPOINT, FOLDER, Folder, PLACE, Place, Shelving, wrong};
use crate::note;
use crate::posix::PosixSource;
use crate::read::VolumeReader;
use crate::shelves::Shelves;
use crate::store::{Source, read_up_to};
use crate::tile::{Shelf, TILE_WIDTH, Tile, TileTree};
use crate::tree::Hash;

/// A checkpoint of a log, as a note and read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Publication {
    /// The note, as it is served.
    pub note: Vec<u8>,
    /// What it says.
    pub checkpoint: Checkpoint,
}

impl Publication {
    /// Reads a note; none when it is no checkpoint. Looks at no signature.
    pub fn parse(note: &[u8]) -> Option<Self> {
        let checkpoint = Checkpoint::parse(note::text(note).ok()?)?;
        Some(Self {
            note: note.to_vec(),
            checkpoint,
        })
    }
}

/// Stages and releases the newest checkpoint of the log in `directory`. Cosignatures that it has
/// already are kept.
///
/// # Errors
///
/// As [`stage`] and [`release`].
pub fn publish(directory: &Path) -> Result<Publication, LedgerError> {
    let staged = stage(directory)?;
    release(directory, &staged.note)
}

/// Lays out the tiles and bundles that the newest checkpoint needs, and returns that checkpoint; as
/// published where it is already.
///
/// # Errors
///
/// [`LedgerError`]: `Missing` when there is no log or no checkpoint yet, `Publishing` when
/// another process does, `Damaged` or `Published` when log and tiles do not fit each other.
pub fn stage(directory: &Path) -> Result<Publication, LedgerError> {
    let newest = newest(directory)?;
    let mut shelving = Shelving::open(directory)?;
    let before = published(&shelving.folder)?;
    let covered = before.as_ref().map_or(0, |old| old.checkpoint.size);
    match before {
        Some(old) if old.checkpoint == newest.checkpoint => return Ok(old),
        Some(_) if covered > newest.checkpoint.size => return Err(set_back(covered, &newest)),
        Some(_) | None => {}
    }
    let place = shelve(directory, &mut shelving, &newest.checkpoint, covered)?;
    shelving.settle()?;
    shelving.write(PLACE, place.text().as_bytes())?;
    shelving.settle()?;
    Ok(newest)
}

/// Publishes `note`, a checkpoint whose tiles are staged, with whatever cosignatures it has.
///
/// # Errors
///
/// [`LedgerError::Published`] when the note is no checkpoint, does not fit the tiles or does not
/// continue what was published.
pub fn release(directory: &Path, note: &[u8]) -> Result<Publication, LedgerError> {
    let mut shelving = Shelving::open(directory)?;
    let published = published(&shelving.folder)?;
    let publication =
        Publication::parse(note).ok_or_else(|| not_released("it is no checkpoint"))?;
    let size = publication.checkpoint.size;
    let mut tree = TileTree::new(&shelving.folder, size);
    if tree.root()? != publication.checkpoint.root {
        return Err(not_released("it does not fit the tiles"));
    }
    if let Some(old) = &published {
        let old = &old.checkpoint;
        let continues = old.size <= size && old.origin == publication.checkpoint.origin;
        if !continues || tree.root_at(old.size)? != old.root {
            return Err(not_released(
                "what is to take its place does not continue it: the log was forked or set back",
            ));
        }
    }
    if published.is_none_or(|old| old.note != note) {
        shelving.write(CHECKPOINT, note)?;
        shelving.settle()?;
    }
    Ok(publication)
}

/// The checkpoint that is published; none when none is.
pub(crate) fn published(folder: &Folder) -> Result<Option<Publication>, LedgerError> {
    let Some(note) = folder.content(CHECKPOINT)? else {
        return Ok(None);
    };
    Publication::parse(&note)
        .map(Some)
        .ok_or_else(|| not_released("it is no checkpoint"))
}

fn not_released(what: &str) -> LedgerError {
    LedgerError::Published {
        file: format!("{FOLDER}/{CHECKPOINT}"),
        what: what.to_owned(),
    }
}

fn set_back(covered: u64, newest: &Publication) -> LedgerError {
    not_released(&format!(
        "it covers {covered} entries but the log's newest checkpoint {}: the log was set back",
        newest.checkpoint.size
    ))
}

// The newest checkpoint of the log itself.
pub(crate) fn newest(directory: &Path) -> Result<Publication, LedgerError> {
    let doing = "reading the newest checkpoint";
    let source = PosixSource::open(directory).map_err(LedgerError::io("opening the ledger"))?;
    let size = source.size(Part::Newest).map_err(LedgerError::io(doing))?;
    let Some(size) = size else {
        return Err(LedgerError::Missing {
            directory: directory.to_owned(),
        });
    };
    let length = size.min(65_535) as usize;
    let note = read_up_to(&source, Part::Newest, 0, length).map_err(LedgerError::io(doing))?;
    Publication::parse(&note).ok_or_else(|| {
        let sentence = "the newest checkpoint is no checkpoint: it was altered; run verify";
        damaged(
            Part::Newest,
            FaultKind::CheckpointDamaged,
            None,
            sentence.into(),
        )
    })
}

fn damaged(part: Part, kind: FaultKind, entry: Option<u64>, sentence: String) -> LedgerError {
    LedgerError::Damaged(Box::new(Fault {
        part,
        offset: 0,
        entry,
        kind,
        sentence,
    }))
}

/// Shelves being filled, and the bundle behind the last full one.
struct Filling<'s> {
    shelving: &'s mut Shelving,
    /// Entries that the published checkpoint covers.
    covered: u64,
    bundle: Vec<u8>,
}

fn shelve(
    directory: &Path,
    shelving: &mut Shelving,
    checkpoint: &Checkpoint,
    covered: u64,
) -> Result<Place, LedgerError> {
    let noted = shelving.folder.place()?;
    // A place behind the checkpoint is one of another log, or of one that was set back.
    let mut place = noted
        .filter(|place| place.size <= checkpoint.size)
        .unwrap_or_default();
    let mut shelves = Shelves::resume(place.size, &shelving.folder)?;
    let mut reader = VolumeReader::resume(directory, place.size, place.offset)?;
    let mut filling = Filling {
        shelving,
        covered,
        bundle: Vec::new(),
    };
    while shelves.size() < checkpoint.size {
        let Some((_, entry)) = reader.next_entry()? else {
            return Err(cut(shelves.size(), checkpoint.size));
        };
        // Entries of a log have at most 65,535 bytes.
        filling
            .bundle
            .extend_from_slice(&(entry.len() as u16).to_be_bytes());
        filling.bundle.extend_from_slice(entry);
        let Some(leaf) = reader.leaf() else { break };
        shelves.push(leaf, &mut |tile, hashes| filling.hashes(&tile, hashes))?;
        if shelves.size().is_multiple_of(TILE_WIDTH) {
            filling.entries(shelves.size() / TILE_WIDTH - 1, TILE_WIDTH)?;
            place = Place {
                size: shelves.size(),
                offset: reader.batch(),
            };
        }
    }
    for (tile, hashes) in shelves.edge() {
        filling.hashes(&tile, hashes)?;
    }
    let left = shelves.size() % TILE_WIDTH;
    if left > 0 {
        filling.entries(shelves.size() / TILE_WIDTH, left)?;
    }
    if shelves.root() == checkpoint.root {
        return Ok(place);
    }
    let sentence = format!(
        "the checkpoint over {} entries does not fit them, or the published tiles; run verify",
        checkpoint.size
    );
    Err(damaged(Part::Newest, FaultKind::Rewritten, None, sentence))
}

fn cut(have: u64, signed: u64) -> LedgerError {
    let sentence =
        format!("the log ends after {have} entries but its checkpoint covers {signed}; run verify");
    damaged(Part::Entries, FaultKind::Truncated, Some(have), sentence)
}

impl Filling<'_> {
    fn hashes(&mut self, tile: &Tile, hashes: &[Hash]) -> Result<(), LedgerError> {
        self.shelve(tile, hashes.as_flattened())
    }

    fn entries(&mut self, index: u64, width: u64) -> Result<(), LedgerError> {
        let tile = Tile {
            shelf: Shelf::Entries,
            index,
            width: width as u16,
        };
        let bundle = std::mem::take(&mut self.bundle);
        let shelved = self.shelve(&tile, &bundle);
        self.bundle = bundle;
        self.bundle.clear();
        shelved
    }

    fn shelve(&mut self, tile: &Tile, bytes: &[u8]) -> Result<(), LedgerError> {
        let published = tile.full() && tile.end().is_some_and(|end| end <= self.covered);
        if published && let Some(found) = self.shelving.folder.content(&tile.to_string())? {
            if found == bytes {
                return Ok(());
            }
            return Err(wrong(tile, "it is not what the log's entries make"));
        }
        self.shelving.shelve(tile, bytes)
    }
}
