//! Hash tiles (C2SP tlog-tiles): the tree cut into files of 256 hashes, and proofs read from them.
//!
//! A proof needs a few tiles at each level, however large the log: nothing is hashed from its
//! entries again.
//!
//! Source: c2sp.org/tlog-tiles; RFC 6962 2.1 for what a proof holds.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use crate::proof::{consistency_ranges, inclusion_ranges, root};
use crate::tree::{Hash, node_hash, sha256};

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// Bits of an index that a tile spans.
const TILE_HEIGHT: u32 = 8;

/// What a file under `tile/` holds.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Shelf {
    /// Entries, each framed by its length.
    Entries,
    /// Hashes of full subtrees of 256^level leaves.
    Level(u8),
}

/// One tile or entry bundle: its place and how much of it there is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tile {
    /// Hashes of which level, or entries.
    pub shelf: Shelf,
    /// Its number on the shelf.
    pub index: u64,
    /// Hashes or entries in it, 1 to 256.
    pub width: u16,
}

impl Tile {
    /// Whether no later checkpoint can add to it.
    pub const fn full(&self) -> bool {
        self.width as u64 == TILE_WIDTH
    }

    /// The number of leaves up to the end of a full tile in its place; none when too large.
    pub(crate) fn end(&self) -> Option<u64> {
        let height = match self.shelf {
            Shelf::Entries => TILE_HEIGHT,
            Shelf::Level(level) => (u32::from(level) + 1) * TILE_HEIGHT,
        };
        let width = 1_u64.checked_shl(height)?;
        (self.index + 1).checked_mul(width)
    }

    /// The tile with a relative path as [`fmt::Display`] writes it; none when it is no such path.
    pub fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("tile/")?;
        let (shelf, rest) = rest.split_once('/')?;
        let shelf = match shelf {
            "entries" => Shelf::Entries,
            level => Shelf::Level(level.parse().ok().filter(|level| *level < 64)?),
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok()?),
            None => (rest, TILE_WIDTH as u16),
        };
        let mut index: u64 = 0;
        for group in number.split('/') {
            let digits: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
            index = index.checked_mul(1000)?.checked_add(digits)?;
        }
        let tile = Self {
            shelf,
            index,
            width,
        };
        // Writing it again catches every other spelling.
        let sound = (1..=TILE_WIDTH).contains(&u64::from(width)) && tile.to_string() == path;
        sound.then_some(tile)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shelf {
            Shelf::Entries => f.write_str("tile/entries/")?,
            Shelf::Level(level) => write!(f, "tile/{level}/")?,
        }
        let mut groups = vec![format!("{:03}", self.index % 1000)];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        groups.reverse();
        f.write_str(&groups.join("/"))?;
        if self.full() {
            Ok(())
        } else {
            write!(f, ".p/{}", self.width)
        }
    }
}

/// Hashes at `level` in a tree of `size` leaves.
pub(crate) const fn hashes_at(level: u8, size: u64) -> u64 {
    match size.checked_shr(level as u32 * TILE_HEIGHT) {
        Some(hashes) => hashes,
        None => 0,
    }
}

/// The tile that holds hash `at` of `level` in a tree of `size` leaves; none when there is none.
pub(crate) fn tile_of(shelf: Shelf, at: u64, size: u64) -> Option<Tile> {
    let hashes = match shelf {
        Shelf::Entries => size,
        Shelf::Level(level) => hashes_at(level, size),
    };
    let index = at / TILE_WIDTH;
    let width = hashes
        .checked_sub(index * TILE_WIDTH)
        .filter(|left| *left > at % TILE_WIDTH)?
        .min(TILE_WIDTH);
    Some(Tile {
        shelf,
        index,
        width: width as u16,
    })
}

/// Where tiles are read from.
pub trait Tiles {
    /// Why a tile could not be read.
    type Error;

    /// The hashes of a tile of a level; as many as its width says.
    ///
    /// # Errors
    ///
    /// The source's own.
    fn hashes(&self, tile: &Tile) -> Result<Vec<Hash>, Self::Error>;
}

/// A tree of a certain size, read from tiles; each tile is fetched once.
pub struct TileTree<'t, T: Tiles> {
    tiles: &'t T,
    size: u64,
    held: HashMap<(u8, u64), Vec<Hash>>,
}

impl<'t, T: Tiles> TileTree<'t, T> {
    /// The tree of `size` leaves that `tiles` hold.
    pub fn new(tiles: &'t T, size: u64) -> Self {
        Self {
            tiles,
            size,
            held: HashMap::new(),
        }
    }

    /// The hash of a leaf of the tree.
    pub fn leaf(&mut self, index: u64) -> Result<Hash, T::Error> {
        self.full(index, 0)
    }

    /// The root of the whole tree.
    pub fn root(&mut self) -> Result<Hash, T::Error> {
        self.over(0..self.size)
    }

    /// The root of the tree when it had `size` leaves, at most as many as it has.
    pub fn root_at(&mut self, size: u64) -> Result<Hash, T::Error> {
        self.over(0..size)
    }

    /// The inclusion proof of leaf `index`; none when the tree has no such leaf.
    pub fn prove_inclusion(&mut self, index: u64) -> Result<Option<Vec<Hash>>, T::Error> {
        self.all(inclusion_ranges(index, self.size))
    }

    /// The proof that the tree continues that of `old_size` leaves; none when it has fewer.
    pub fn prove_consistency(&mut self, old: u64) -> Result<Option<Vec<Hash>>, T::Error> {
        self.all(consistency_ranges(old, self.size))
    }

    fn all(&mut self, ranges: Option<Vec<Range<u64>>>) -> Result<Option<Vec<Hash>>, T::Error> {
        let Some(ranges) = ranges else {
            return Ok(None);
        };
        let proof: Result<_, _> = ranges.into_iter().map(|range| self.over(range)).collect();
        proof.map(Some)
    }

    // The root over a range that starts where a subtree as large as it would start.
    fn over(&mut self, range: Range<u64>) -> Result<Hash, T::Error> {
        let mut subtrees = Vec::new();
        let mut start = range.start;
        while start < range.end {
            let height = (range.end - start).ilog2();
            subtrees.push(self.full(start, height)?);
            start += 1 << height;
        }
        let mut subtrees = subtrees.into_iter().rev();
        let Some(last) = subtrees.next() else {
            return Ok(sha256(b""));
        };
        Ok(subtrees.fold(last, |right, left| node_hash(&left, &right)))
    }

    // The root of the full subtree of 2^height leaves that starts at leaf `start`.
    fn full(&mut self, start: u64, height: u32) -> Result<Hash, T::Error> {
        let (level, inner) = ((height / TILE_HEIGHT) as u8, height % TILE_HEIGHT);
        let first = start >> (u32::from(level) * TILE_HEIGHT);
        let at = (first % TILE_WIDTH) as usize;
        let hashes = self.tile(level, first)?;
        // A range of the tree lies within it, and 2^inner hashes from a multiple of that in a tile.
        Ok(root(hashes.get(at..at + (1 << inner)).unwrap_or(&[])))
    }

    fn tile(&mut self, level: u8, first: u64) -> Result<&[Hash], T::Error> {
        let place = (level, first / TILE_WIDTH);
        if !self.held.contains_key(&place)
            && let Some(tile) = tile_of(Shelf::Level(level), first, self.size)
        {
            let hashes = self.tiles.hashes(&tile)?;
            self.held.insert(place, hashes);
        }
        Ok(self.held.get(&place).map_or(&[], Vec::as_slice))
    }
}
