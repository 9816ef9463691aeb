//! What stands after the last sound batch: nothing, what an honest crash leaves, or something else.
//!
//! A batch is one write, and nothing is written behind it before it is synced. So a crash leaves,
//! at most, one incomplete batch: each of its sectors is either as written or still zero (or past
//! the end of the file), or only a prefix of it was written. Anything else was not us.

use std::io;

use crate::fault::{Fault, FaultKind, Part};
use crate::format::{BATCH_MAGIC, BatchHeader, HEADER, MAX_BATCH, SECTOR, TRAILER};
use crate::scan::Stop;
use crate::store::{Source, read_up_to};

/// Zeros in a row that no batch contains: entries have none, marks and hashes are random.
const ZERO_RUN: usize = 16;

/// What follows the last sound batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tail {
    /// The end of the file.
    Nothing,
    /// Zeros that were laid out for the next batches.
    Zeros { bytes: u64 },
    /// An incomplete batch, as a crash leaves it.
    Torn { bytes: u64 },
}

/// Looks at everything from `start` to `end`. `header` is what stands at `start` if it is a sound
/// batch header; `next` is the index of the first entry that is not in a sound batch.
pub(crate) fn classify(
    source: &dyn Source,
    start: u64,
    end: u64,
    header: Option<BatchHeader>,
    next: u64,
) -> Result<Tail, Stop> {
    if start >= end {
        return Ok(Tail::Nothing);
    }
    let bytes = batch_room(source, start, end)?;
    if let Some(offset) = nonzero_from(source, start + bytes.len() as u64, end)? {
        return Err(foreign(source, start, offset, next, &bytes)?.into());
    }
    let written = written(&bytes);
    if written == 0 {
        return Ok(Tail::Zeros { bytes: end - start });
    }
    let torn = match header {
        Some(header) => torn_body(&bytes, written, header),
        None if bytes[..bytes.len().min(SECTOR as usize)]
            .iter()
            .all(|byte| *byte == 0) =>
        {
            lost_first_sector(&bytes, written)
        }
        None => written < HEADER && prefix_of_header(&bytes[..written], next),
    };
    if torn {
        return Ok(Tail::Torn { bytes: end - start });
    }
    Err(foreign(source, start, start, next, &bytes)?.into())
}

/// Whether the batch with `header` at `start`, which is not sound, is one that a crash cut short.
pub(crate) fn is_torn(
    source: &dyn Source,
    start: u64,
    end: u64,
    header: BatchHeader,
) -> io::Result<bool> {
    let bytes = batch_room(source, start, end)?;
    let written = written(&bytes);
    Ok(torn_body(&bytes, written, header)
        && nonzero_from(source, start + bytes.len() as u64, end)?.is_none())
}

fn batch_room(source: &dyn Source, start: u64, end: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from((end - start).min(MAX_BATCH)).unwrap_or(usize::MAX);
    read_up_to(source, Part::Entries, start, length)
}

// Bytes up to the last one that is not zero.
fn written(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1)
}

// The header is whole: something else of the batch must be missing, and nothing follow it.
fn torn_body(bytes: &[u8], written: usize, header: BatchHeader) -> bool {
    let extent = header.extent();
    if written > extent {
        return false;
    }
    // A prefix was written: the trailer's last byte, never zero, is missing, or the file ends
    // before the zeros behind it do.
    if written < extent || (bytes.len() as u64) < header.padded() {
        return true;
    }
    let sectors = bytes[..extent].chunks(SECTOR as usize);
    sectors
        .into_iter()
        .any(|sector| sector.iter().all(|byte| *byte == 0))
}

// The first sector was not written but later ones were: each of those must look like a part of a
// batch, so that a flipped bit among the zeros is not taken for one.
fn lost_first_sector(bytes: &[u8], extent: usize) -> bool {
    let last = (extent - 1) / SECTOR as usize;
    bytes
        .chunks(SECTOR as usize)
        .enumerate()
        .take(last + 1)
        .all(|(at, sector)| {
            let used = written(sector);
            if used == 0 {
                return true;
            }
            let longest = sector[..used]
                .split(|byte| *byte != 0)
                .map(<[u8]>::len)
                .max();
            let gap = longest.is_some_and(|zeros| zeros >= ZERO_RUN);
            let ended = sector.len() - used >= ZERO_RUN;
            !gap && (!ended || (at == last && ends_in_trailer(&sector[..used])))
        })
}

// The trailer may have begun in the sector before.
fn ends_in_trailer(used: &[u8]) -> bool {
    if used.len() >= TRAILER.len() {
        used.ends_with(&TRAILER)
    } else {
        TRAILER.ends_with(used)
    }
}

// Only a part of the header was written, and nothing after it.
fn prefix_of_header(written: &[u8], next: u64) -> bool {
    let mut known = BATCH_MAGIC.to_vec();
    known.extend_from_slice(&next.to_be_bytes());
    let compared = written.len().min(known.len());
    written[..compared] == known[..compared]
}

fn nonzero_from(source: &dyn Source, from: u64, end: u64) -> io::Result<Option<u64>> {
    let mut offset = from;
    while offset < end {
        let bytes = read_up_to(source, Part::Entries, offset, MAX_BATCH as usize)?;
        if let Some(at) = bytes.iter().position(|byte| *byte != 0) {
            return Ok(Some(offset + at as u64));
        }
        if bytes.is_empty() {
            break;
        }
        offset += bytes.len() as u64;
    }
    Ok(None)
}

// Names what stands where a batch should: a damaged batch, or bytes that never were one.
fn foreign(
    source: &dyn Source,
    start: u64,
    offset: u64,
    next: u64,
    bytes: &[u8],
) -> io::Result<Fault> {
    let alike = bytes
        .iter()
        .zip(&BATCH_MAGIC)
        .filter(|(found, magic)| found == magic)
        .count();
    let batches_follow = offset != start || holds_batch(source, start + SECTOR)?;
    if alike >= 5 || batches_follow {
        return Ok(Fault {
            part: Part::Entries,
            offset: start,
            entry: Some(next),
            kind: FaultKind::FrameDamaged,
            sentence: format!(
                "the header of the batch that starts with entry {next} was altered; \
                 the entries from there on cannot be trusted"
            ),
        });
    }
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(0) as u64;
    Ok(Fault {
        part: Part::Entries,
        offset: start + first,
        entry: Some(next),
        kind: FaultKind::BytesAppended,
        sentence: format!(
            "bytes that are no part of any batch stand after the last entry ({} entries are \
             sound); no crash leaves them, somebody put them there",
            next
        ),
    })
}

fn holds_batch(source: &dyn Source, from: u64) -> io::Result<bool> {
    let bytes = read_up_to(source, Part::Entries, from, MAX_BATCH as usize)?;
    Ok(bytes
        .chunks(SECTOR as usize)
        .any(|sector| BatchHeader::decode(sector).is_some()))
}
