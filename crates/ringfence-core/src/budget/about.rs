//! What limits look at of the orders that a message is about.

use super::latch::Latch;
use super::table::Table;
use crate::operation::Operation;

/// An order that a message is about. [`Table::about`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The number of its instrument.
    pub(super) symbol: u32,
    /// For how long it has stood as it does; none where that is not known.
    pub(super) age_ms: Option<u64>,
    /// How much it is, in lots; 0 where that is not known.
    pub(super) lots: u64,
}

impl<L: Latch> Table<L> {
    /// Tells whether limits on `operation` have to know of the orders that it is about.
    pub fn asks_about(&self, operation: Operation) -> bool {
        self.plan(operation).about
    }

    /// Tells whether some limit has to know which orders stand.
    pub const fn follows_orders(&self) -> bool {
        self.follows
    }

    /// Makes what limits look at of an order in the instrument called `symbol`, which has stood for so long, where that is
    /// known, and is so many lots; 0 where that is not.
    pub fn about(&self, symbol: &str, age_ms: Option<u64>, lots: u64) -> About {
        About {
            symbol: self.symbol(symbol),
            age_ms,
            lots,
        }
    }
}
