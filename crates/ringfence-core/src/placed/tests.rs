//! An order is known to the account that placed it, to nobody else, and only while there is room.
#![allow(clippy::unwrap_used)]

use super::{EARLY, EARLY_ACCOUNTS, Filled, ID_BYTES, PlacedOrders, Told};
use crate::budget::{BudgetTable, Payer, Stakes};
use crate::decimal::Decimal;
use crate::operation::Operation;

fn knows(orders: &PlacedOrders, account: &str, ids: std::ops::Range<usize>) -> Vec<usize> {
    ids.filter(|id| orders.instrument(account, &id.to_string()).is_some())
        .collect()
}

#[test]
fn an_order_is_known_to_its_account_alone() {
    let orders = PlacedOrders::default();
    orders.learn("alice", "7", "BTCUSDT", 0);
    assert_eq!(orders.instrument("alice", "7").as_deref(), Some("BTCUSDT"));
    assert_eq!(orders.instrument("bob", "7"), None);
    assert_eq!(orders.instrument("alice", "8"), None);
}

#[test]
fn of_two_orders_with_one_id_the_later_counts() {
    let orders = PlacedOrders::default();
    orders.learn("alice", "7", "BTCUSDT", 0);
    orders.learn("alice", "7", "ETHUSDT", 0);
    assert_eq!(orders.instrument("alice", "7").as_deref(), Some("ETHUSDT"));
    assert_eq!(orders.known().line.len(), 1);
}

#[test]
fn an_order_stands_since_it_was_placed_or_changed_last() {
    let orders = PlacedOrders::default();
    orders.learn("alice", "7", "BTCUSDT", 50);
    let since = |account| orders.of(account, "7").map(|placed| placed.since_ms);
    assert_eq!(since("alice"), Some(50));
    orders.touch("alice", "7", 90);
    assert_eq!(since("alice"), Some(90));
    // No clock makes it older than it is, and nobody else makes it younger.
    orders.touch("alice", "7", 60);
    orders.touch("bob", "7", 100);
    orders.touch("alice", "8", 100);
    assert_eq!((since("alice"), since("bob")), (Some(90), None));
}

#[test]
fn an_account_s_oldest_orders_give_way_to_its_own() {
    let orders = PlacedOrders::new(3, 100);
    orders.learn("bob", "0", "BTCUSDT", 0);
    for id in 0..10 {
        orders.learn("alice", &id.to_string(), "BTCUSDT", 0);
    }
    assert_eq!(knows(&orders, "alice", 0..10), [7, 8, 9]);
    assert_eq!(knows(&orders, "bob", 0..10), [0]);
}

#[test]
fn in_all_the_oldest_give_way_and_the_memory_does_not_grow() {
    let orders = PlacedOrders::new(3, 5);
    for id in 0..1000 {
        let account = ["alice", "bob", "carol"][id % 3];
        orders.learn(account, &id.to_string(), "BTCUSDT", 0);
    }
    let kept = ["alice", "bob", "carol"].map(|who| knows(&orders, who, 0..1000));
    assert_eq!(kept, [vec![996, 999], vec![997], vec![995, 998]]);
    // An account without orders leaves nothing behind.
    for id in 0..100 {
        orders.learn(&format!("account {id}"), "1", "BTCUSDT", 0);
    }
    let known = orders.known();
    assert_eq!((known.accounts.len(), known.line.len()), (5, 5));
    let held = known.accounts.values();
    assert_eq!(held.map(|held| held.orders.len()).sum::<usize>(), 5);
}

#[test]
fn what_no_venue_would_call_an_order_is_not_remembered() {
    let orders = PlacedOrders::default();
    let long = "7".repeat(ID_BYTES + 1);
    for (id, instrument) in [
        ("", "BTCUSDT"),
        ("7", ""),
        (&*long, "BTCUSDT"),
        ("7", &*long),
    ] {
        orders.learn("alice", id, instrument, 0);
        assert_eq!(orders.instrument("alice", id), None);
    }
    let none = PlacedOrders::new(3, 0);
    none.learn("alice", "7", "BTCUSDT", 0);
    assert_eq!(none.instrument("alice", "7"), None);
}

/// Whose budgets nobody's are.
fn stakes() -> Stakes {
    let table = BudgetTable::new(Vec::new(), 1).unwrap();
    let payer = Payer {
        peer: [192, 0, 2, 1].into(),
        operation: Operation::OrderPlace,
        orders: &[],
        about: &[],
        credential: None,
        upstream: None,
        venue: None,
    };
    table.stakes(&payer, 0)
}

fn told(filled: &str, last: Option<(&str, u64)>) -> Told {
    let number = |text| Decimal::parse(text).unwrap();
    Told {
        filled: number(filled),
        last: last.map(|(last, at_ms)| (number(last), at_ms)),
    }
}

fn news(filled: Option<Filled>) -> Option<(bool, Option<u64>)> {
    filled.map(|filled| (filled.first, filled.first_ms))
}

fn placed() -> PlacedOrders {
    let orders = PlacedOrders::default();
    orders.learn("alice", "7", "BTCUSDT", 0);
    assert!(orders.stake("alice", "7", 0, stakes()).is_none());
    orders
}

#[test]
fn a_fill_is_news_once_however_often_and_in_whatever_order_it_is_told() {
    let orders = placed();
    let fill = |filled, last| news(orders.fill("alice", "7", told(filled, last)));
    assert_eq!(fill("0", None), None);
    assert_eq!(fill("0.30", Some(("0.3", 50))), Some((true, Some(50))));
    assert_eq!(fill("0.3", None), None);
    assert_eq!(fill("0.5", Some(("0.2", 60))), Some((false, None)));
    assert_eq!(fill("0.4", Some(("0.4", 55))), None);
    // Changed, it stays filled.
    orders.learn("alice", "7", "BTCUSDT", 90);
    assert!(orders.stake("alice", "7", 0, stakes()).is_none());
    assert_eq!(fill("0.5", None), None);
    assert_eq!(fill("0.6", None), Some((false, None)));
    assert_eq!(news(orders.fill("bob", "7", told("1", None))), None);
}

#[test]
fn when_an_order_was_first_filled_only_its_first_fill_says() {
    let orders = placed();
    let later = told("0.5", Some(("0.2", 60)));
    assert_eq!(news(orders.fill("alice", "7", later)), Some((true, None)));
}

#[test]
fn a_fill_that_is_heard_before_its_order_counts_when_that_is_known() {
    let orders = PlacedOrders::default();
    for (filled, at_ms) in [("0.1", 40), ("0.1", 45)] {
        let early = told(filled, Some((filled, at_ms)));
        assert!(orders.fill("alice", "7", early).is_none());
    }
    orders.learn("bob", "7", "BTCUSDT", 50);
    assert!(orders.stake("bob", "7", 0, stakes()).is_none());
    orders.learn("alice", "7", "BTCUSDT", 50);
    let first = orders.stake("alice", "7", 0, stakes());
    assert_eq!(news(first), Some((true, Some(40))));
    assert!(orders.known().early.is_empty());
}

#[test]
fn what_is_remembered_of_unknown_orders_does_not_grow() {
    let orders = PlacedOrders::default();
    for id in 0..EARLY * 2 {
        orders.fill("alice", &id.to_string(), told("1", None));
    }
    for account in 0..EARLY_ACCOUNTS * 2 {
        orders.fill(&account.to_string(), "7", told("1", None));
    }
    orders.fill("alice", &"7".repeat(ID_BYTES + 1), told("1", None));
    let known = orders.known();
    assert_eq!(
        (known.early.len(), known.early["alice"].len()),
        (EARLY_ACCOUNTS, EARLY)
    );
    assert_eq!(&*known.early["alice"][0].id, EARLY.to_string());
}
