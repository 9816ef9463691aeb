//! The log's files in a directory of a POSIX file system.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::LedgerError;
use crate::fault::Part;
use crate::store::{Source, Store};

/// How much of the end of the log is read anew from the disk when it is opened: more than the one
/// batch that can be in doubt.
const DOUBTFUL_BYTES: u64 = 64 * 1024 * 1024;

/// The files of a log, for reading.
pub struct PosixSource {
    directory: PathBuf,
    files: [Option<File>; 4],
}

const PARTS: [Part; 4] = [
    Part::Entries,
    Part::Checkpoints,
    Part::Newest,
    Part::Personal,
];

const fn slot(part: Part) -> usize {
    match part {
        Part::Entries => 0,
        Part::Checkpoints => 1,
        Part::Newest => 2,
        Part::Personal => 3,
    }
}

impl PosixSource {
    /// Opens what there is in `directory`.
    ///
    /// # Errors
    ///
    /// The system's error; a missing file is none.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let mut source = Self {
            directory: directory.to_owned(),
            files: [None, None, None, None],
        };
        for part in PARTS {
            source.files[slot(part)] = match File::open(source.path(part)) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
        }
        Ok(source)
    }

    fn path(&self, part: Part) -> PathBuf {
        self.directory.join(part.file_name())
    }

    fn file(&self, part: Part) -> io::Result<&File> {
        self.files[slot(part)]
            .as_ref()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Source for PosixSource {
    fn size(&self, part: Part) -> io::Result<Option<u64>> {
        let file = self.files[slot(part)].as_ref();
        file.map(|file| file.metadata().map(|metadata| metadata.len()))
            .transpose()
    }

    fn read_at(&self, part: Part, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let file = self.file(part)?;
        let mut got = 0;
        while got < buffer.len() {
            match file.read_at(&mut buffer[got..], offset + got as u64) {
                Ok(0) => break,
                Ok(read) => got += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(got)
    }
}

/// The files of a log, for its one writer. Holds a lock on the directory as long as it lives.
pub struct PosixStore {
    source: PosixSource,
    /// Its lock is the single-writer lock; also synced after renames.
    directory: File,
}

impl PosixStore {
    /// Locks `directory`, creating it (mode 0700) when missing.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Locked`] when another writer has it, [`LedgerError::Io`] otherwise.
    pub fn open(directory: &Path) -> Result<Self, LedgerError> {
        let handle = lock_directory(directory)?;
        let source = PosixSource {
            directory: directory.to_owned(),
            files: [None, None, None, None],
        };
        let mut store = Self {
            source,
            directory: handle,
        };
        for part in PARTS {
            store
                .reopen(part)
                .map_err(LedgerError::io("opening the ledger's files"))?;
        }
        Ok(store)
    }

    fn reopen(&mut self, part: Part) -> io::Result<()> {
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.source.path(part));
        self.source.files[slot(part)] = match opened {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(())
    }
}

impl Source for PosixStore {
    fn size(&self, part: Part) -> io::Result<Option<u64>> {
        self.source.size(part)
    }

    fn read_at(&self, part: Part, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read_at(part, offset, buffer)
    }
}

impl Store for PosixStore {
    fn write_at(&mut self, part: Part, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.source.file(part)?.write_all_at(bytes, offset)
    }

    fn sync(&mut self, part: Part) -> io::Result<()> {
        self.source.file(part)?.sync_data()
    }

    fn truncate(&mut self, part: Part, size: u64) -> io::Result<()> {
        let file = self.source.file(part)?;
        file.set_len(size)?;
        file.sync_all()
    }

    fn replace(&mut self, part: Part, bytes: &[u8]) -> io::Result<()> {
        let path = self.source.path(part);
        let fresh = path.with_file_name(format!("{}.new", part.file_name()));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all_at(bytes, 0)?;
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        self.directory.sync_all()?;
        let before = self.source.files[slot(part)].replace(file);
        if let (Part::Personal, Some(before)) = (part, before) {
            wipe(&before)?;
        }
        Ok(())
    }

    fn settle(&mut self) -> io::Result<()> {
        for part in PARTS {
            self.reopen(part)?;
            if let Some(file) = &self.source.files[slot(part)] {
                // First what is dirty goes to the disk, or fails; then what is clean is dropped
                // from memory, because after an earlier failed sync it may be clean there and
                // absent on the disk.
                file.sync_all()?;
                forget_end(file)?;
            }
        }
        Ok(())
    }
}

// Overwrites a file that has lost its name, so that the blocks it lay in hold nothing any more. On a
// file system or a disk that writes elsewhere, they may.
fn wipe(file: &File) -> io::Result<()> {
    let size = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    file.write_all_at(&vec![0; size], 0)?;
    file.sync_data()
}

/// Locks `directory`, creating it (mode 0700) when missing, as long as the handle lives.
pub(crate) fn lock_directory(directory: &Path) -> Result<File, LedgerError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(LedgerError::io("making the ledger directory"))?;
    let handle = File::open(directory).map_err(LedgerError::io("opening the ledger directory"))?;
    if !lock_patiently(&handle).map_err(LedgerError::io("locking the directory"))? {
        return Err(LedgerError::Locked {
            directory: directory.to_owned(),
        });
    }
    Ok(handle)
}

/// Whether a writer has the log in `directory` open at this moment.
pub(crate) fn is_live(directory: &Path) -> io::Result<bool> {
    // A shared lock, released as the handle is dropped: verifying must not keep a gateway out.
    Ok(!lock(&File::open(directory)?, libc::LOCK_SH)?)
}

// A verifier holds a shared lock for an instant to see whether a writer lives; that must not be
// taken for a second gateway.
pub(crate) fn lock_patiently(directory: &File) -> io::Result<bool> {
    for _ in 0..5 {
        if lock(directory, libc::LOCK_EX)? {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(false)
}

// True: locked. False: somebody else has it.
#[allow(unsafe_code)]
fn lock(directory: &File, how: libc::c_int) -> io::Result<bool> {
    // SAFETY: flock takes a descriptor, which `directory` keeps open, and touches no memory.
    if unsafe { libc::flock(directory.as_raw_fd(), how | libc::LOCK_NB) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::WouldBlock {
        Ok(false)
    } else {
        Err(error)
    }
}

#[allow(unsafe_code)]
fn forget_end(file: &File) -> io::Result<()> {
    let start = file.metadata()?.len().saturating_sub(DOUBTFUL_BYTES);
    let start = libc::off_t::try_from(start).map_err(io::Error::other)?;
    // SAFETY: posix_fadvise takes a descriptor, which `file` keeps open, and touches no memory.
    match unsafe { libc::posix_fadvise(file.as_raw_fd(), start, 0, libc::POSIX_FADV_DONTNEED) } {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}
