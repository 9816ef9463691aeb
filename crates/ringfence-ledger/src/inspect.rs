//! Verifying what was published: every tile is recomputed from the entry bundles, and the root from
//! the tiles; the checkpoint must be one of the log's own. Memory: one bundle.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::checkpoint::{Record, Records};
use crate::error::LedgerError;
use crate::fault::{FaultKind, Part};
use crate::folder::{CHECKPOINT, FOLDER, FRESH, Folder, PLACE, Place, first};
use crate::format::Frames;
use crate::note;
use crate::posix::PosixSource;
use crate::publish::Publication;
use crate::shelves::Shelves;
use crate::store::Source;
use crate::tile::{Shelf, TILE_WIDTH, Tile, tile_of};
use crate::tree::{Hash, LeafHasher};
use crate::vkey::VerifierKey;

/// What is wrong with a published file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublishedFault {
    /// The file, relative to the ledger's directory.
    pub file: String,
    /// Where in the file, in bytes from its start.
    pub offset: u64,
    /// The entry concerned, where one is.
    pub entry: Option<u64>,
    /// What fits.
    pub kind: FaultKind,
    /// The same in a sentence.
    pub sentence: String,
}

/// What an inspection found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Inspection {
    /// Entries that the published checkpoint covers; none where nothing is published.
    pub(crate) size: Option<u64>,
    /// What an interrupted publication leaves: a file, and a sentence.
    pub(crate) unfinished: Option<(String, String)>,
}

enum Found {
    Fault(Box<PublishedFault>),
    Error(LedgerError),
}

impl From<LedgerError> for Found {
    fn from(error: LedgerError) -> Self {
        if let LedgerError::Published { file, what } = error {
            fault(file, 0, None, FaultKind::FileMissing, what)
        } else {
            Self::Error(error)
        }
    }
}

fn fault(
    file: String,
    offset: u64,
    entry: Option<u64>,
    kind: FaultKind,
    sentence: String,
) -> Found {
    Found::Fault(Box::new(PublishedFault {
        file,
        offset,
        entry,
        kind,
        sentence,
    }))
}

fn within(name: impl std::fmt::Display) -> String {
    format!("{FOLDER}/{name}")
}

/// Checks what is published of the log in `directory`. `key` makes the signature count.
pub(crate) fn inspect(
    directory: &Path,
    key: Option<&VerifierKey>,
) -> Result<Result<Inspection, Box<PublishedFault>>, LedgerError> {
    let folder = Folder::of(directory);
    let inspected = if folder.path("").is_dir() {
        checked(directory, &folder, key)
    } else {
        Ok(Inspection::default())
    };
    match inspected {
        Ok(inspection) => Ok(Ok(inspection)),
        Err(Found::Fault(fault)) => Ok(Err(fault)),
        Err(Found::Error(error)) => Err(error),
    }
}

fn checked(
    directory: &Path,
    folder: &Folder,
    key: Option<&VerifierKey>,
) -> Result<Inspection, Found> {
    place(folder)?;
    let mut inspection = Inspection::default();
    let Some(note) = folder.content(CHECKPOINT)? else {
        let left = "tiles stand here without a checkpoint: their publication was interrupted, or \
                    the checkpoint was removed";
        inspection.unfinished = Some((within(CHECKPOINT), left.into()));
        return Ok(inspection);
    };
    let publication = checkpoint(directory, &note, key)?;
    let size = publication.checkpoint.size;
    tiles(folder, &publication)?;
    inspection.size = Some(size);
    inspection.unfinished = strays(folder, size)?;
    Ok(inspection)
}

fn place(folder: &Folder) -> Result<(), Found> {
    let Some(text) = folder.content(PLACE)? else {
        return Ok(());
    };
    let text = String::from_utf8(text).unwrap_or_default();
    if Place::parse(&text).is_some() {
        return Ok(());
    }
    let sentence = "the note of where publishing goes on was altered";
    Err(fault(
        within(PLACE),
        0,
        None,
        FaultKind::FrameDamaged,
        sentence.into(),
    ))
}

// The published checkpoint must be one that the log keeps, with or without cosignatures under it.
fn checkpoint(
    directory: &Path,
    bytes: &[u8],
    key: Option<&VerifierKey>,
) -> Result<Publication, Found> {
    let wrong = |kind, sentence: &str| fault(within(CHECKPOINT), 0, None, kind, sentence.into());
    let publication = Publication::parse(bytes).ok_or_else(|| {
        let sentence = "the published checkpoint is no checkpoint: it was altered";
        wrong(FaultKind::CheckpointDamaged, sentence)
    })?;
    if let Some(key) = key {
        note::verify(bytes, key).map_err(|error| {
            let sentence = format!("the published checkpoint: {error}");
            wrong(FaultKind::CheckpointSignature, &sentence)
        })?;
    }
    if kept(directory, bytes)? {
        return Ok(publication);
    }
    let sentence = "the published checkpoint is none of the log's: it was altered, or it is of a \
                    fork, or of a log that was since set back";
    Err(wrong(FaultKind::CheckpointReplaced, sentence))
}

fn kept(directory: &Path, published: &[u8]) -> Result<bool, LedgerError> {
    let reading = "reading the checkpoints";
    let source = PosixSource::open(directory).map_err(LedgerError::io(reading))?;
    let end = source
        .size(Part::Checkpoints)
        .map_err(LedgerError::io(reading))?;
    let mut records = Records::new(&source, end.unwrap_or(0));
    loop {
        match records.next().map_err(LedgerError::io(reading))? {
            Record::Note(_, note) if published.starts_with(&note) => return Ok(true),
            Record::Note(..) => {}
            Record::End | Record::Broken => return Ok(false),
        }
    }
}

fn tiles(folder: &Folder, publication: &Publication) -> Result<(), Found> {
    let size = publication.checkpoint.size;
    let (mut shelves, mut hasher) = (Shelves::default(), LeafHasher::default());
    while let Some(tile) = tile_of(Shelf::Entries, shelves.size(), size) {
        let bundle = folder.tile(&tile)?;
        let mut frames = Frames::new(&bundle);
        let mut count = 0;
        for (_, entry) in frames.by_ref() {
            shelves.push(hasher.hash(entry), &mut |tile, hashes| {
                fits(folder, &tile, hashes)
            })?;
            count += 1;
        }
        if count != tile.width || !frames.consumed() {
            let sentence = format!(
                "a bundle of {} entries does not divide into as many",
                tile.width
            );
            let entry = Some(tile.index * TILE_WIDTH);
            return Err(fault(
                within(tile),
                0,
                entry,
                FaultKind::FrameDamaged,
                sentence,
            ));
        }
    }
    for (tile, hashes) in shelves.edge() {
        fits(folder, &tile, hashes)?;
    }
    if shelves.root() == publication.checkpoint.root {
        return Ok(());
    }
    let sentence = "the published entries and tiles are not those of the checkpoint: they were \
                    exchanged for others"
        .into();
    Err(fault(
        within("tile"),
        0,
        None,
        FaultKind::Rewritten,
        sentence,
    ))
}

fn fits(folder: &Folder, tile: &Tile, hashes: &[Hash]) -> Result<(), Found> {
    let found = folder.tile(tile)?;
    let expected = hashes.as_flattened();
    if found == expected {
        return Ok(());
    }
    let same = found
        .iter()
        .zip(expected)
        .take_while(|(f, e)| f == e)
        .count();
    let entry = match tile.shelf {
        Shelf::Level(0) => Some(tile.index * TILE_WIDTH + same as u64 / 32),
        Shelf::Level(_) | Shelf::Entries => None,
    };
    let sentence = "the tile is not what the entries make: it or the bundle of entries was altered";
    let kind = FaultKind::TileAltered;
    Err(fault(
        within(tile),
        same as u64,
        entry,
        kind,
        sentence.into(),
    ))
}

// Looks at every file for what the pass over the tiles does not see: partial tiles of earlier
// checkpoints, tiles behind the checkpoint, and what is no tile at all.
fn strays(folder: &Folder, size: u64) -> Result<Option<(String, String)>, Found> {
    let root = folder.path("");
    let (mut open, mut behind) = (vec![root.clone()], None);
    while let Some(directory) = open.pop() {
        for path in listed(&directory).map_err(LedgerError::io("listing what was published"))? {
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy();
            if [CHECKPOINT, PLACE, FRESH].contains(&name.as_ref()) {
                continue;
            }
            let Some(tile) = Tile::parse(&name) else {
                let sentence = "this is no file of a published log: somebody put it here".into();
                let kind = FaultKind::BytesAppended;
                return Err(fault(within(name), 0, None, kind, sentence));
            };
            if !earlier(folder, &tile, size)? {
                behind = Some(within(tile));
            }
        }
    }
    let left = "tiles stand behind the published checkpoint: a publication was interrupted, or the \
                checkpoint was replaced by an older one";
    Ok(behind.map(|file| (file, left.into())))
}

fn listed(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect(),
        // Partial tiles give way to the full one while we look.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

// Whether the tile belongs to the published log. One of an earlier checkpoint must be the beginning
// of what it grew into.
fn earlier(folder: &Folder, tile: &Tile, size: u64) -> Result<bool, Found> {
    let grown = tile
        .index
        .checked_mul(TILE_WIDTH)
        .and_then(|at| tile_of(tile.shelf, at, size))
        .filter(|grown| grown.width >= tile.width);
    let Some(grown) = grown else { return Ok(false) };
    if grown == *tile {
        return Ok(true);
    }
    // It may have given way to the full tile since it was listed.
    let Some(old) = folder.content(&tile.to_string())? else {
        return Ok(true);
    };
    let new = folder.tile(&grown)?;
    if first(tile, &new).is_some_and(|length| old == new[..length]) {
        return Ok(true);
    }
    let sentence = "a tile of an earlier checkpoint is not the beginning of what it grew into";
    let kind = FaultKind::TileAltered;
    Err(fault(within(tile), 0, None, kind, sentence.into()))
}
