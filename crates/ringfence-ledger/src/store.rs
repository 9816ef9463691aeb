//! What the log asks of a disk. `posix.rs` is the real one; tests have one that fails at will.

use std::io;

use crate::fault::Part;

/// Reading a log's files.
pub trait Source {
    /// Size of a file in bytes; none when it does not exist.
    ///
    /// # Errors
    ///
    /// The system's error.
    fn size(&self, part: Part) -> io::Result<Option<u64>>;

    /// Reads into `buffer` from `offset` on; fewer bytes than asked for means the file ends there.
    ///
    /// # Errors
    ///
    /// The system's error; also when the file does not exist.
    fn read_at(&self, part: Part, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// Writing a log's files. After an error nothing is known about what reached the disk.
pub trait Store: Source + Send {
    /// Writes all of `bytes` at `offset`. Not durable before [`Store::sync`].
    ///
    /// # Errors
    ///
    /// The system's error; a prefix of `bytes` may have been written.
    fn write_at(&mut self, part: Part, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes all that was written to `part` durable (fdatasync).
    ///
    /// # Errors
    ///
    /// The system's error; what was written since the last sync may be lost, and the page cache
    /// may nevertheless show it.
    fn sync(&mut self, part: Part) -> io::Result<()>;

    /// Cuts a file to `size` bytes, durably.
    ///
    /// # Errors
    ///
    /// The system's error.
    fn truncate(&mut self, part: Part, size: u64) -> io::Result<()>;

    /// Makes `bytes` the whole content of `part`, atomically and durably, creating it if need be.
    ///
    /// # Errors
    ///
    /// The system's error; the file then has its old content or the new one.
    fn replace(&mut self, part: Part, bytes: &[u8]) -> io::Result<()>;

    /// Makes sure that reading shows what is on the disk, not what a failed sync left in memory.
    ///
    /// # Errors
    ///
    /// The system's error.
    fn settle(&mut self) -> io::Result<()>;
}

/// Reads `length` bytes at `offset`, or as many as there are.
pub(crate) fn read_up_to(
    source: &dyn Source,
    part: Part,
    offset: u64,
    length: usize,
) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let got = source.read_at(part, offset, &mut bytes)?;
    bytes.truncate(got);
    Ok(bytes)
}
