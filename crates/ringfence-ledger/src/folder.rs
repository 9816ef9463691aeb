//! The folder `tlog` of a ledger: its checkpoint, tiles and entry bundles as C2SP tlog-tiles names
//! them, so that any web server can serve it. Derived from `entries.log`, never read by the writer.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::LedgerError;
use crate::format::{Frames, tagged};
use crate::posix::lock_patiently;
use crate::tile::{Shelf, TILE_WIDTH, Tile, Tiles};
use crate::tree::Hash;

/// The folder's name in the ledger's directory.
pub(crate) const FOLDER: &str = "tlog";
/// The newest checkpoint that was published.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// Where publishing goes on; no part of what is served.
pub(crate) const PLACE: &str = ".place";
/// A file being written, before it gets its name.
pub(crate) const FRESH: &str = ".new";

const PLACE_CHECK: u8 = 6;

/// The folder, for reading.
pub(crate) struct Folder {
    root: PathBuf,
}

/// Where publishing goes on: behind the last full bundle.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Place {
    /// Entries in full bundles.
    pub(crate) size: u64,
    /// Where in `entries.log` the batch with the last of them starts.
    pub(crate) offset: u64,
}

impl Place {
    /// The place as text, with a check: a place that was altered must not be taken for one.
    pub(crate) fn text(self) -> String {
        let numbers = format!("{} {}", self.size, self.offset);
        let check = tagged(PLACE_CHECK, &[numbers.as_bytes()]);
        let check: String = check[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{numbers} {check}\n")
    }

    /// The place in a text; none when it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split(' ');
        let place = Self {
            size: fields.next()?.parse().ok()?,
            offset: fields.next()?.parse().ok()?,
        };
        (place.size.is_multiple_of(TILE_WIDTH) && place.text() == text).then_some(place)
    }
}

impl Folder {
    /// The folder of the ledger in `directory`; it need not exist yet.
    pub(crate) fn of(directory: &Path) -> Self {
        Self {
            root: directory.join(FOLDER),
        }
    }

    /// Where a file of it lies.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The content of a file; none when it does not exist.
    pub(crate) fn content(&self, name: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        match fs::read(self.path(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LedgerError::io("reading what was published")(error)),
        }
    }

    /// The place; none when none is noted or what is noted is no place.
    pub(crate) fn place(&self) -> Result<Option<Place>, LedgerError> {
        let text = self
            .content(PLACE)?
            .and_then(|text| String::from_utf8(text).ok());
        Ok(text.as_deref().and_then(Place::parse))
    }

    /// The content of a tile or bundle. A partial one may have given way to the full one.
    pub(crate) fn tile(&self, tile: &Tile) -> Result<Vec<u8>, LedgerError> {
        if let Some(bytes) = self.content(&tile.to_string())? {
            return Ok(bytes);
        }
        let full = Tile {
            width: TILE_WIDTH as u16,
            ..*tile
        };
        let bytes = if tile.full() {
            None
        } else {
            self.content(&full.to_string())?
        };
        bytes
            .and_then(|bytes| Some(bytes[..first(tile, &bytes)?].to_vec()))
            .ok_or_else(|| wrong(tile, "it is gone"))
    }
}

/// Bytes of the first `tile.width` hashes or entries in `bytes`.
pub(crate) fn first(tile: &Tile, bytes: &[u8]) -> Option<usize> {
    let width = usize::from(tile.width);
    let length = match tile.shelf {
        Shelf::Level(_) => width * 32,
        Shelf::Entries => {
            let (at, entry) = Frames::new(bytes).nth(width - 1)?;
            at + 2 + entry.len()
        }
    };
    (length <= bytes.len()).then_some(length)
}

/// An error that names a tile.
pub(crate) fn wrong(tile: &Tile, what: &str) -> LedgerError {
    LedgerError::Published {
        file: format!("{FOLDER}/{tile}"),
        what: what.to_owned(),
    }
}

impl Tiles for Folder {
    type Error = LedgerError;

    fn hashes(&self, tile: &Tile) -> Result<Vec<Hash>, LedgerError> {
        let bytes = self.tile(tile)?;
        if bytes.len() != usize::from(tile.width) * 32 {
            return Err(wrong(tile, "it has not the size of its hashes"));
        }
        let (hashes, _) = bytes.as_chunks::<32>();
        Ok(hashes.to_vec())
    }
}

/// The folder, for its one publisher.
pub(crate) struct Shelving {
    pub(crate) folder: Folder,
    /// Directories with new names in them, not yet synced.
    touched: BTreeSet<PathBuf>,
    /// Its lock is what makes the publisher the only one.
    _lock: File,
}

impl Shelving {
    /// Locks the folder of the ledger in `directory`, making it (mode 0700) when missing.
    pub(crate) fn open(directory: &Path) -> Result<Self, LedgerError> {
        let folder = Folder::of(directory);
        make(&folder.root).map_err(LedgerError::io("making the folder tlog"))?;
        let lock = File::open(&folder.root).map_err(LedgerError::io("opening the folder tlog"))?;
        if !lock_patiently(&lock).map_err(LedgerError::io("locking the folder tlog"))? {
            return Err(LedgerError::Publishing {
                directory: folder.root,
            });
        }
        Ok(Self {
            touched: BTreeSet::from([directory.to_owned()]),
            folder,
            _lock: lock,
        })
    }

    /// Writes a tile or bundle. A full one takes the place of its partial ones.
    pub(crate) fn shelve(&mut self, tile: &Tile, bytes: &[u8]) -> Result<(), LedgerError> {
        self.write(&tile.to_string(), bytes)?;
        if !tile.full() {
            return Ok(());
        }
        let partial = self.folder.path(&format!("{tile}.p"));
        match fs::remove_dir_all(partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(LedgerError::io("removing partial tiles")(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Writes a file under its name, whole or not at all. Its name is durable after [`Self::settle`].
    pub(crate) fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), LedgerError> {
        let path = self.folder.path(name);
        let written = self.put(&path, bytes);
        written.map_err(LedgerError::io("writing a file to publish"))
    }

    fn put(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let fresh = self.folder.path(FRESH);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        if let Some(parent) = path.parent() {
            if self.touched.insert(parent.to_owned()) {
                make(parent)?;
            }
            // A new directory is itself a new name above.
            let above = parent.ancestors().skip(1);
            let above = above.take_while(|above| above.starts_with(&self.folder.root));
            self.touched.extend(above.map(Path::to_owned));
        }
        fs::rename(&fresh, path)
    }

    /// Makes durable the names of all that was written.
    pub(crate) fn settle(&mut self) -> Result<(), LedgerError> {
        for directory in std::mem::take(&mut self.touched) {
            File::open(directory)
                .and_then(|directory| directory.sync_all())
                .map_err(LedgerError::io("syncing a folder to publish"))?;
        }
        Ok(())
    }
}

fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}
