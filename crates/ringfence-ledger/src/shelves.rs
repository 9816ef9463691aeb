//! The right edge of a tree as tiles: what is not yet a full tile, at each level.
//!
//! Publishing and verifying tiles are both built on it. Memory: 256 hashes a level.

use std::convert::Infallible;

use crate::proof::root;
use crate::tile::{Shelf, TILE_WIDTH, Tile, Tiles, hashes_at};
use crate::tree::{Hash, leaf_hash, node_hash, sha256};

/// Grows tiles from leaf hashes.
#[derive(Default)]
pub(crate) struct Shelves {
    size: u64,
    /// Hashes behind the last full tile, by level.
    pending: Vec<Vec<Hash>>,
}

impl Shelves {
    /// The edge of a tree of `size` leaves, a multiple of 256, from its full tiles.
    pub(crate) fn resume<T: Tiles>(size: u64, tiles: &T) -> Result<Self, T::Error> {
        let mut pending = vec![Vec::new()];
        for level in 1..=u8::MAX {
            let hashes = hashes_at(level, size);
            if hashes == 0 {
                break;
            }
            let mut edge = Vec::new();
            for index in hashes - hashes % TILE_WIDTH..hashes {
                edge.push(root(&tiles.hashes(&full(level - 1, index))?));
            }
            pending.push(edge);
        }
        Ok(Self { size, pending })
    }

    /// Leaves so far.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf; `filled` is shown each tile that became full by it.
    pub(crate) fn push<E>(
        &mut self,
        leaf: Hash,
        filled: &mut impl FnMut(Tile, &[Hash]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.size += 1;
        let (mut hash, mut level) = (leaf, 0_u8);
        loop {
            if self.pending.len() == usize::from(level) {
                self.pending.push(Vec::new());
            }
            let edge = &mut self.pending[usize::from(level)];
            edge.push(hash);
            if (edge.len() as u64) < TILE_WIDTH {
                return Ok(());
            }
            let index = hashes_at(level, self.size).div_ceil(TILE_WIDTH) - 1;
            filled(full(level, index), edge)?;
            hash = root(edge);
            edge.clear();
            level += 1;
        }
    }

    /// The tiles that are not full.
    pub(crate) fn edge(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        (0_u8..)
            .zip(&self.pending)
            .filter(|(_, edge)| !edge.is_empty())
            .map(|(level, edge)| {
                let tile = Tile {
                    shelf: Shelf::Level(level),
                    index: hashes_at(level, self.size) / TILE_WIDTH,
                    width: edge.len() as u16,
                };
                (tile, edge.as_slice())
            })
    }

    /// The root over all leaves so far.
    pub(crate) fn root(&self) -> Hash {
        let mut right: Option<Hash> = None;
        for edge in &self.pending {
            let mut end = edge.len();
            while end > 0 {
                // The smallest full subtree stands at the end.
                let start = end - (1 << end.trailing_zeros());
                let left = root(&edge[start..end]);
                right = Some(right.map_or(left, |right| node_hash(&left, &right)));
                end = start;
            }
        }
        right.unwrap_or_else(|| sha256(b""))
    }
}

fn full(level: u8, index: u64) -> Tile {
    Tile {
        shelf: Shelf::Level(level),
        index,
        width: TILE_WIDTH as u16,
    }
}

/// All tiles of the tree over `entries`, as C2SP tlog-tiles lays them out, and its root.
pub fn tiles_over<'e>(entries: impl Iterator<Item = &'e [u8]>) -> (Vec<(Tile, Vec<u8>)>, Hash) {
    let (mut shelves, mut tiles) = (Shelves::default(), Vec::new());
    for entry in entries {
        let kept: Result<(), Infallible> = shelves.push(leaf_hash(entry), &mut |tile, hashes| {
            tiles.push((tile, hashes.as_flattened().to_vec()));
            Ok(())
        });
        match kept {
            Ok(()) => {}
        }
    }
    let edge = shelves.edge();
    tiles.extend(edge.map(|(tile, hashes)| (tile, hashes.as_flattened().to_vec())));
    (tiles, shelves.root())
}
