//! What is remembered of an order when the venue has taken it: in which instrument it is, for amendments that do not say,
//! and since when it stands, for limits that ask.

use ringfence_core::guard::OrderText;
use ringfence_core::operation::Operation;
use ringfence_core::pipeline::{Core, Permit};
use ringfence_wire::{AnsweredOrder, Dialect};

use crate::clock::now_us;
use crate::pipeline::Asking;

/// The instruments of the orders that a message places, or changes where it names them, as they stand in it. Empty, and
/// nothing is allocated, where the dialect's amendments name theirs and no limit asks for orders.
#[derive(Debug, Default)]
pub(crate) struct Placing(Vec<Order>);

/// An order's instrument, and how much it is.
#[derive(Debug)]
struct Order {
    symbol: Box<str>,
    quantity: Option<Box<str>>,
}

impl Placing {
    pub(crate) fn of(asking: &Asking<'_>, core: &Core, dialect: &Dialect) -> Self {
        // A changed order may have a new id.
        let places = matches!(
            asking.operation,
            Operation::OrderPlace | Operation::OrderAmend
        );
        let wanted = dialect.amends_by_order() || core.budget.follows_orders();
        if !places || !wanted {
            return Self::default();
        }
        let orders = asking.reading.orders.as_slice().iter();
        let kept = |order: &OrderText<'_>| Order {
            symbol: order.symbol.into(),
            quantity: order.quantity.map(Into::into),
        };
        Self(orders.map(kept).collect())
    }

    /// Remembers those that the venue's answer has an id for.
    pub(crate) fn learn(&self, core: &Core, permit: &Permit, answered: &[AnsweredOrder]) {
        let now_ms = now_us() / 1000;
        for (placed, order) in self.0.iter().zip(answered) {
            if let Some(id) = &order.venue_order_id {
                let text = OrderText {
                    symbol: &placed.symbol,
                    quantity: placed.quantity.as_deref(),
                    ..OrderText::default()
                };
                core.learn(permit, id, &text, now_ms);
            }
        }
    }
}
