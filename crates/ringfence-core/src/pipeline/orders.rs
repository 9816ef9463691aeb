//! What the venue says of orders: that it took them, and that they are filled.

use super::charging::payer;
use super::{Core, Permit};
use crate::budget::Fill;
use crate::guard::OrderText;
use crate::placed::{Filled, Told};

impl Core {
    /// Remembers that the venue took an order of a permitted message, as it answered at `now_ms`, and called it `id`. Of the
    /// order, its instrument and quantity count.
    pub fn learn(&self, permit: &Permit, id: &str, order: &OrderText<'_>, now_ms: u64) {
        let Some(who) = &permit.credential else {
            return;
        };
        self.placed.learn(who.account(), id, order.symbol, now_ms);
        // What was not charged is not given back.
        let charged_ms = permit.charged_ms.filter(|_| self.budget.follows_fills());
        let Some(charged_ms) = charged_ms else { return };
        let lots = self.guard.lots(order);
        let order = [*order];
        let asked = (permit.act.peer, permit.act.operation);
        let payer = payer(self, asked, &order, (Some(who), permit.venue_key.as_ref()));
        let stakes = self.budget.stakes(&payer, charged_ms);
        if let Some(early) = self.placed.stake(who.account(), id, lots, stakes) {
            self.give_back(&early, now_ms);
        }
    }

    /// Takes what the venue says, as we hear it at `now_ms`, of `account`'s order `id`. Of an order that is not known, nothing
    /// comes back.
    pub fn hear_fill(&self, account: &str, id: &str, told: Told, now_ms: u64) {
        if let Some(news) = self.placed.fill(account, id, told) {
            self.give_back(&news, now_ms);
        }
    }

    fn give_back(&self, filled: &Filled, now_ms: u64) {
        let fill = Fill {
            first: filled.first,
            first_ms: filled.first_ms,
            last_ms: filled.last_ms,
            // Of an order whose volume was not counted, its trades' is not either.
            lots: match filled.lots {
                0 => 0,
                _ => self.guard.whole_lots(&filled.instrument, filled.more),
            },
            now_ms,
        };
        self.budget.filled(&filled.stakes, &fill);
    }
}
