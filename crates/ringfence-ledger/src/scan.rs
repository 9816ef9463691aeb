//! Walks the batches of `entries.log` and checks everything that needs no key: frames, marks,
//! Merkle root and chain. Verifying and recovering are both built on it. Memory is flat: one batch.

use std::io;

use crate::diagnose;
use crate::fault::{Fault, Part};
use crate::format::{BatchHeader, FOOTER, Frames, HEADER, MARK, SECTOR, TRAILER, next_chain};
use crate::store::Source;
use crate::tail::{self, Tail};
use crate::tree::{Frontier, Hash, LeafHasher};

/// Bytes read at once.
const WINDOW: usize = 1024 * 1024;

/// A place between two batches, with all that is needed to go on from there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Position {
    /// Where the next batch starts, in bytes.
    pub(crate) offset: u64,
    /// The tree over all entries before.
    pub(crate) tree: Frontier,
    /// The chain hash of the batch before.
    pub(crate) chain: Hash,
}

/// Sees what is in a sound batch: first its entries, in order, then the tree.
pub(crate) trait Visit {
    /// An entry, and where its frame starts in the file.
    fn entry(&mut self, index: u64, offset: u64, entry: &[u8]) -> Result<(), Stop>;

    /// The next size at which it wants to see the tree.
    fn due(&self) -> Option<u64>;

    /// The tree at that size.
    fn grown(&mut self, tree: &Frontier) -> Result<(), Stop>;
}

/// One step of a scan.
pub(crate) enum Step {
    /// A batch was read and is sound.
    Batch,
    /// There are no more batches.
    End(Tail),
}

/// Why a scan stopped.
pub(crate) enum Stop {
    Fault(Box<Fault>),
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

pub(crate) struct Scanner<'s> {
    source: &'s dyn Source,
    /// The file's size when the scan began.
    end: u64,
    pub(crate) position: Position,
    window: Vec<u8>,
    window_at: u64,
    hasher: LeafHasher,
    leaves: Vec<Hash>,
}

impl<'s> Scanner<'s> {
    pub(crate) fn new(source: &'s dyn Source, end: u64, position: Position) -> Self {
        Self {
            source,
            end,
            position,
            window: Vec::new(),
            window_at: 0,
            hasher: LeafHasher::default(),
            leaves: Vec::new(),
        }
    }

    /// Reads the next batch, checks it and shows its entries.
    pub(crate) fn step(&mut self, visit: &mut dyn Visit) -> Result<Step, Stop> {
        let start = self.position.offset;
        self.fill(start, HEADER)?;
        let Some(header) = BatchHeader::decode(self.held(start)) else {
            return self.ending(None);
        };
        let expected = self.position.tree.size();
        if header.first != expected {
            return Err(diagnose::misplaced(start, header, expected).into());
        }
        let padded = usize::try_from(header.padded()).unwrap_or(usize::MAX);
        if start + header.padded() <= self.end {
            self.fill(start, padded)?;
        }
        if self.held(start).len() < padded {
            return self.ending(Some(header));
        }
        // Taken out so that the batch can be looked at while the position moves.
        let window = std::mem::take(&mut self.window);
        let at = (start - self.window_at) as usize;
        let outcome = self.read(&window[at..at + padded], header, visit);
        self.window = window;
        match outcome {
            Ok(()) => Ok(Step::Batch),
            Err(Stop::Io(error)) => Err(Stop::Io(error)),
            // What a crash in the middle of this write leaves is not damage.
            Err(Stop::Fault(_)) if tail::is_torn(self.source, start, self.end, header)? => {
                Ok(Step::End(Tail::Torn {
                    bytes: self.end - start,
                }))
            }
            Err(Stop::Fault(fault)) => Err(Stop::Fault(fault)),
        }
    }

    fn ending(&self, header: Option<BatchHeader>) -> Result<Step, Stop> {
        let (offset, next) = (self.position.offset, self.position.tree.size());
        tail::classify(self.source, offset, self.end, header, next).map(Step::End)
    }

    fn read(
        &mut self,
        batch: &[u8],
        header: BatchHeader,
        visit: &mut dyn Visit,
    ) -> Result<(), Stop> {
        let start = self.position.offset;
        let body_end = HEADER + header.body as usize;
        let marks_end = body_end + header.count as usize * MARK;
        let (body, marks) = (&batch[HEADER..body_end], &batch[body_end..marks_end]);
        let mut frames = Frames::new(body);
        self.leaves.clear();
        for (_, entry) in frames.by_ref() {
            self.leaves.push(self.hasher.hash(entry));
        }
        let framed = frames.consumed() && self.leaves.len() == header.count as usize;
        let mut pairs = self.leaves.iter().zip(marks.chunks_exact(MARK));
        let marked = framed && pairs.all(|(leaf, mark)| leaf[..MARK] == *mark);
        let before = &self.position;
        let context = diagnose::Batch {
            start,
            header,
            batch,
            before,
        };
        if !marked {
            return Err(context.entries(&self.leaves).into());
        }
        let footer = &batch[marks_end..marks_end + FOOTER];
        let padding = &batch[marks_end + FOOTER..];
        if footer[FOOTER - TRAILER.len()..] != TRAILER || padding.iter().any(|byte| *byte != 0) {
            return Err(context.trailer().into());
        }
        let tree = grow(&before.tree, &self.leaves);
        let chain = next_chain(&before.chain, &tree.root(), tree.size());
        if footer[..chain.len()] != chain {
            return Err(context.chain().into());
        }
        // Only now: what is shown of a batch that turns out to be torn would be taken for recorded.
        self.show(body, &tree, visit)?;
        let offset = start + header.padded();
        self.position = Position {
            offset,
            tree,
            chain,
        };
        Ok(())
    }

    fn show(&self, body: &[u8], tree: &Frontier, visit: &mut dyn Visit) -> Result<(), Stop> {
        let first = self.position.tree.size();
        let start = self.position.offset + HEADER as u64;
        for (index, (at, entry)) in (first..).zip(Frames::new(body)) {
            visit.entry(index, start + at as u64, entry)?;
        }
        while let Some(size) = visit.due()
            && (first..=tree.size()).contains(&size)
        {
            // Checkpoints are signed between batches, so this is the whole tree unless the log
            // was made by others.
            let within = (size - first) as usize;
            if size == tree.size() {
                visit.grown(tree)?;
            } else {
                visit.grown(&grow(&self.position.tree, &self.leaves[..within]))?;
            }
        }
        Ok(())
    }

    // Makes `length` bytes from `offset` on available in the window, or as many as there are.
    fn fill(&mut self, offset: u64, length: usize) -> io::Result<()> {
        let at = offset.wrapping_sub(self.window_at) as usize;
        if offset >= self.window_at && at + length <= self.window.len() {
            return Ok(());
        }
        let wanted = WINDOW.max(length).next_multiple_of(SECTOR as usize);
        let room = usize::try_from(self.end.saturating_sub(offset)).unwrap_or(usize::MAX);
        self.window.resize(wanted.min(room), 0);
        let got = self
            .source
            .read_at(Part::Entries, offset, &mut self.window)?;
        self.window.truncate(got);
        self.window_at = offset;
        Ok(())
    }

    fn held(&self, offset: u64) -> &[u8] {
        let at = offset.saturating_sub(self.window_at) as usize;
        self.window.get(at..).unwrap_or(&[])
    }
}

fn grow(tree: &Frontier, leaves: &[Hash]) -> Frontier {
    let mut tree = tree.clone();
    for leaf in leaves {
        tree.push(*leaf);
    }
    tree
}
