//! Cells of those who come without a key: each network has a few of many, as good as nobody the same as another.
//!
//! So what strangers use is bounded by all cells together, and who floods from one network uses up its own few; another
//! network shares all of them with it as rarely as two hands of cards are the same (shuffle sharding).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;

use crate::address::Prefix;

/// Most cells that may be open to one network.
const EACH_MAX: usize = 4;

/// How many cells there are, and how many of them are open to each network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Strangers {
    cells: u16,
    each: u8,
}

impl Default for Strangers {
    fn default() -> Self {
        Self { cells: 64, each: 2 }
    }
}

impl Strangers {
    /// Makes so many cells, of which each network has `each`: 1 to 4, and no more than there are.
    pub const fn new(cells: u16, each: u8) -> Option<Self> {
        let fits = each > 0 && each as usize <= EACH_MAX && each as u16 <= cells;
        if fits {
            Some(Self { cells, each })
        } else {
            None
        }
    }

    /// Returns the cells that are open to the network of `peer`, all different. Every choice of them is as likely as every other, and
    /// nobody outside knows which one it is.
    pub(super) fn of(self, random: &RandomState, peer: IpAddr) -> impl Iterator<Item = u16> {
        let network = Prefix::of(peer).wider();
        let (mut taken, mut count) = ([0_u16; EACH_MAX], 0);
        (0..self.each).map(move |nth| {
            let mut hasher = random.build_hasher();
            hasher.write_u8(2);
            hasher.write_u8(nth);
            std::hash::Hash::hash(&network, &mut hasher);
            let left = u64::from(self.cells) - u64::from(nth);
            let mut cell = u16::try_from(hasher.finish() % left).unwrap_or_default();
            // The cell-th of those that are not taken; what is taken stands in ascending order.
            let mut place = 0;
            while place < count && taken[place] <= cell {
                cell += 1;
                place += 1;
            }
            taken[place..=count].rotate_right(1);
            taken[place] = cell;
            count += 1;
            cell
        })
    }
}
