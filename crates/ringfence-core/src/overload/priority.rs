//! How urgent a message is, by what it does and never by what its sender says of that.

use crate::guard::OrderText;
use crate::operation::Operation;

/// Classes of messages. A more urgent one is the greater.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Priority {
    /// Public data.
    MarketRead,
    /// Looks at an account, or opens what pushes it.
    AccountRead,
    /// Puts something at risk: orders, changes of orders, funds that move, logons.
    Order,
    /// Can only lower risk: cancels, and orders that can only make a position smaller. And what administers: who ends
    /// a flood must not wait behind it.
    RiskReducing,
}

/// Where a message waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// More urgent ones go first.
    pub priority: Priority,
    /// Lanes of one class take turns, however much waits in one of them. Those who share a fate share a lane: each
    /// shard has one, and whoever stands in none is in lane 0.
    pub lane: u16,
}

impl Priority {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// All of them, the least urgent first.
    pub const ALL: [Self; Self::COUNT] = [
        Self::MarketRead,
        Self::AccountRead,
        Self::Order,
        Self::RiskReducing,
    ];

    /// Returns the word used in configuration, status and ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MarketRead => "market_read",
            Self::AccountRead => "account_read",
            Self::Order => "order",
            Self::RiskReducing => "risk_reducing",
        }
    }

    /// Returns how urgent a message of `operation` is that carries `orders`.
    pub fn of(operation: Operation, orders: &[OrderText<'_>]) -> Self {
        let reduces = |order: &OrderText<'_>| order.reduces_position();
        let places = operation == Operation::OrderPlace;
        if places && !orders.is_empty() && orders.iter().all(reduces) {
            return Self::RiskReducing;
        }
        Self::of_operation(operation)
    }

    /// Returns how urgent a message of `operation` is whose orders nobody has read. It is never less urgent than this.
    pub const fn of_operation(operation: Operation) -> Self {
        match operation {
            Operation::MarketRead => Self::MarketRead,
            Operation::AccountRead
            | Operation::KeyRead
            | Operation::OrderQuery
            | Operation::OrderTest
            | Operation::ReceiptRead
            | Operation::StreamOpen
            | Operation::WithdrawQuery => Self::AccountRead,
            Operation::OrderAmend
            | Operation::OrderPlace
            | Operation::SessionLogon
            | Operation::TransferCreate
            | Operation::WithdrawCreate => Self::Order,
            Operation::AdminChange
            | Operation::AdminProve
            | Operation::AdminRead
            | Operation::OrderCancel => Self::RiskReducing,
        }
    }
}

#[cfg(test)]
mod tests {
    //! What can only lower risk is most urgent, and nothing else is.

    use super::*;

    const QUOTE: OrderText<'static> = OrderText {
        symbol: "BTCUSDT",
        side: "BUY",
        kind: "LIMIT",
        terms: None,
        price: Some("1"),
        stop_price: None,
        trail: None,
        quantity: Some("1"),
        iceberg_quantity: None,
        quote_quantity: None,
        whole_position: false,
        reduce_only: false,
        client_order_id: None,
        venue_order_id: None,
        amends: false,
    };

    #[test]
    fn cancels_and_orders_that_only_reduce_are_the_most_urgent() {
        let reducing = OrderText {
            reduce_only: true,
            ..QUOTE
        };
        let closing = OrderText {
            whole_position: true,
            quantity: None,
            ..QUOTE
        };
        let place = Operation::OrderPlace;
        assert_eq!(
            Priority::of(Operation::OrderCancel, &[]),
            Priority::RiskReducing
        );
        assert_eq!(
            Priority::of(place, &[reducing, closing]),
            Priority::RiskReducing
        );
        assert_eq!(Priority::of(place, &[reducing, QUOTE]), Priority::Order);
        assert_eq!(Priority::of(place, &[]), Priority::Order);
        // What an amendment says of that changes nothing of the order that is there.
        assert_eq!(
            Priority::of(Operation::OrderAmend, &[reducing]),
            Priority::Order
        );
        // Nor is a test of one any help to anybody.
        assert_eq!(
            Priority::of(Operation::OrderTest, &[reducing]),
            Priority::AccountRead
        );
    }

    #[test]
    fn what_changes_something_goes_before_what_looks_and_markets_come_last() {
        for operation in Operation::ALL {
            let priority = Priority::of_operation(operation);
            assert!(priority <= Priority::of(operation, &[QUOTE]));
            let changes = operation.changes_state() || operation == Operation::SessionLogon;
            assert_eq!(
                changes || operation.administers(),
                priority >= Priority::Order,
                "{operation:?}"
            );
            assert_eq!(
                operation == Operation::MarketRead,
                priority == Priority::MarketRead
            );
        }
    }

    #[test]
    fn each_class_has_a_place_of_its_own_in_tables() {
        for (index, priority) in Priority::ALL.into_iter().enumerate() {
            assert_eq!(priority as usize, index);
        }
    }
}
