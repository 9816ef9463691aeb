//! Names what is wrong with a batch that is not sound, as exactly as its bytes allow.

use crate::canonical;
use crate::fault::{Fault, FaultKind, Part};
use crate::format::{BatchHeader, FOOTER, Frames, HEADER, MARK, TRAILER, next_chain};
use crate::scan::Position;
use crate::tree::Hash;

/// A batch of another place stands at `start`, where entry `expected` should begin.
pub(crate) fn misplaced(start: u64, header: BatchHeader, expected: u64) -> Fault {
    let found = header.first;
    let (kind, sentence) = if found > expected {
        let missing = found - expected;
        (
            FaultKind::BatchDropped,
            format!(
                "entry {expected} should follow here but the next batch starts with entry {found}: \
                 {missing} entries were taken out"
            ),
        )
    } else {
        (
            FaultKind::BatchRepeated,
            format!(
                "entry {expected} should follow here but a batch that starts with entry {found} \
                 stands here again: an older batch was put in, or batches were exchanged"
            ),
        )
    };
    Fault {
        part: Part::Entries,
        offset: start,
        entry: Some(expected),
        kind,
        sentence,
    }
}

/// A batch that is not sound.
pub(crate) struct Batch<'b> {
    pub(crate) start: u64,
    pub(crate) header: BatchHeader,
    /// Header to padding.
    pub(crate) batch: &'b [u8],
    /// The place before it.
    pub(crate) before: &'b Position,
}

impl Batch<'_> {
    fn fault(&self, at: usize, entry: Option<u64>, kind: FaultKind, sentence: String) -> Fault {
        Fault {
            part: Part::Entries,
            offset: self.start + at as u64,
            entry,
            kind,
            sentence,
        }
    }

    fn marks(&self) -> &[u8] {
        let start = HEADER + self.header.body as usize;
        &self.batch[start..start + self.header.count as usize * MARK]
    }

    fn stored_chain(&self) -> &[u8] {
        let start = self.header.extent() - FOOTER;
        &self.batch[start..start + FOOTER - TRAILER.len()]
    }

    fn body(&self) -> &[u8] {
        &self.batch[HEADER..HEADER + self.header.body as usize]
    }

    /// Entries or marks do not agree; `leaves` are the hashes of the entries as they stand.
    pub(crate) fn entries(&self, leaves: &[Hash]) -> Fault {
        let stored: Vec<&[u8]> = self.marks().chunks_exact(MARK).collect();
        let found: Vec<&[u8]> = leaves.iter().map(|leaf| &leaf[..MARK]).collect();
        let first = stored
            .iter()
            .zip(&found)
            .take_while(|(s, f)| s == f)
            .count();
        if found.len() == stored.len() && self.chain_fits(leaves) {
            return self.mark(first);
        }
        let entry = self.header.first + first as u64;
        let mut frames = Frames::new(self.body());
        let Some((at, bytes)) = frames.nth(first) else {
            return self.frame(entry);
        };
        let offset = HEADER + at;
        let (mut stored, mut found) = (stored, found);
        stored.sort_unstable();
        found.sort_unstable();
        if stored == found {
            return self.fault(
                offset,
                Some(entry),
                FaultKind::EntriesReordered,
                format!(
                    "entry {entry} and others of its batch stand in another order than written"
                ),
            );
        }
        // Where the text is no longer canonical, the altered byte is that one or shortly before.
        let exact = canonical::check(bytes).err();
        let (within, detail) = exact.map_or((0, String::new()), |wrong| {
            let detail = format!("; its text breaks at byte {}: {}", wrong.offset, wrong.what);
            (2 + wrong.offset, detail)
        });
        self.fault(
            offset + within,
            Some(entry),
            FaultKind::EntryAltered,
            format!("entry {entry}, or its length, was altered after it was written{detail}"),
        )
    }

    fn frame(&self, entry: u64) -> Fault {
        self.fault(
            HEADER,
            Some(entry),
            FaultKind::FrameDamaged,
            format!(
                "the batch of entries {} to {} does not divide into that many entries: lengths \
                 were altered, or entries taken out or put in",
                self.header.first,
                self.header.first + u64::from(self.header.count) - 1
            ),
        )
    }

    fn mark(&self, at: usize) -> Fault {
        let entry = self.header.first + at as u64;
        self.fault(
            HEADER + self.header.body as usize + at * MARK,
            Some(entry),
            FaultKind::FrameDamaged,
            format!("the mark of entry {entry} was altered; the entry itself is as written"),
        )
    }

    /// The trailer or the zeros behind it were altered.
    pub(crate) fn trailer(&self) -> Fault {
        let end = self.header.extent();
        let trailer = &self.batch[end - TRAILER.len()..end];
        let inside = trailer
            .iter()
            .zip(&TRAILER)
            .position(|(found, want)| found != want);
        let behind = || {
            self.batch[end..]
                .iter()
                .position(|byte| *byte != 0)
                .unwrap_or(0)
        };
        let at = inside.map_or_else(|| end + behind(), |at| end - TRAILER.len() + at);
        self.fault(
            at,
            None,
            FaultKind::FrameDamaged,
            format!(
                "the bytes that end the batch of entries {} to {} were altered",
                self.header.first,
                self.header.first + u64::from(self.header.count) - 1
            ),
        )
    }

    /// Entries and marks agree, but the chain hash is another.
    pub(crate) fn chain(&self) -> Fault {
        let first = self.header.first;
        self.fault(
            self.header.extent() - FOOTER,
            Some(first),
            FaultKind::ChainBroken,
            format!(
                "the batch that starts with entry {first} does not continue the log before it: \
                 its chain hash was altered, or its entries or earlier ones were exchanged, taken \
                 out or put in and their batches written anew"
            ),
        )
    }

    fn chain_fits(&self, leaves: &[Hash]) -> bool {
        let mut tree = self.before.tree.clone();
        for leaf in leaves {
            tree.push(*leaf);
        }
        next_chain(&self.before.chain, &tree.root(), tree.size())[..] == *self.stored_chain()
    }
}
