//! What limits make of the orders that a message is about: whose instrument, how young, and that cancels pass.

use super::super::{Age, Algorithm, Counts, Limit, Operations, Subject, Subjects};
use super::{BudgetTable, Cost, Payer, Usages, address, credentials, payer};
use crate::credential::Credential;
use crate::operation::Operation;
use crate::refusal::{Code, Refusal};

const NOW_MS: u64 = 1_700_000_000_000;
const CANCEL: Cost = Cost {
    weight: 0,
    orders: 0,
    items: 1,
};

fn ages(units: &[(u64, u32)]) -> Box<[Age]> {
    let age = |(below_ms, units): &(u64, u32)| Age {
        below_ms: *below_ms,
        units: *units,
    };
    units.iter().map(age).collect()
}

/// As Kraken counts by account and pair: cancels of young orders are dear, and none is refused.
fn kraken() -> Limit {
    let (amend, cancel) = (Operation::OrderAmend, Operation::OrderCancel);
    let operations = Operations::default().with(Operation::OrderPlace);
    let pair = Subjects::from(Subject::Account).with(Subject::Symbol);
    Limit {
        algorithm: Algorithm::Drain { rate: 234 },
        operations: operations.with(amend).with(cancel),
        admits: true,
        costs: [(cancel, 0)].into(),
        ages: [
            (amend, ages(&[(5_000, 3), (10_000, 2), (15_000, 1)])),
            (
                cancel,
                ages(&[
                    (5_000, 8),
                    (10_000, 6),
                    (15_000, 5),
                    (45_000, 4),
                    (90_000, 2),
                    (300_000, 1),
                ]),
            ),
        ]
        .into(),
        ..Limit::fixed("trading", pair, Counts::Items, 125, 100_000)
    }
}

fn table() -> BudgetTable {
    let table = BudgetTable::new(vec![kraken()], 10_000).unwrap();
    table.with_symbols(["XBTUSDT", "ETHUSDT"])
}

/// Cancels orders in these instruments that have stood for so long; returns what is used then of the one with the least left.
fn cancel(
    table: &BudgetTable,
    who: &Credential,
    orders: &[(&str, Option<u64>)],
    now_ms: u64,
) -> Result<u64, Refusal> {
    let about: Vec<_> = orders
        .iter()
        .map(|(symbol, age_ms)| table.about(symbol, *age_ms, 0))
        .collect();
    let payer = Payer {
        operation: Operation::OrderCancel,
        about: &about,
        ..payer(address(1), Some(who))
    };
    let cost = Cost {
        items: orders.len() as u32,
        ..CANCEL
    };
    let mut usages = Usages::default();
    let _charged = table.take(&payer, cost, now_ms, &mut usages)?;
    Ok(usages
        .as_slice()
        .iter()
        .map(|usage| usage.used)
        .max()
        .unwrap_or(0))
}

#[test]
fn a_cancel_costs_by_the_age_of_its_order_as_kraken_publishes_it() {
    let who = credentials();
    let costs = [
        (0, 8),
        (4_999, 8),
        (5_000, 6),
        (9_999, 6),
        (10_000, 5),
        (15_000, 4),
        (44_999, 4),
        (45_000, 2),
        (90_000, 1),
        (299_999, 1),
        (300_000, 0),
    ];
    for (age_ms, units) in costs {
        let used = cancel(&table(), &who[0], &[("XBTUSDT", Some(age_ms))], NOW_MS).unwrap();
        assert_eq!(used, units, "{age_ms}");
    }
}

#[test]
fn an_order_that_is_not_known_is_taken_for_the_youngest() {
    let (table, who) = (table(), credentials());
    assert_eq!(
        cancel(&table, &who[0], &[("XBTUSDT", None)], NOW_MS).unwrap(),
        8
    );
    // Without any instrument it is one of those that are not listed.
    assert_eq!(cancel(&table, &who[0], &[("", None)], NOW_MS).unwrap(), 8);
    assert_eq!(
        cancel(&table, &who[0], &[("unlisted", Some(400_000))], NOW_MS).unwrap(),
        8
    );
}

#[test]
fn each_order_of_a_batch_counts_by_its_own_age_and_instrument() {
    let (table, who) = (table(), credentials());
    let orders = [
        ("XBTUSDT", Some(1_000)),
        ("ETHUSDT", Some(50_000)),
        ("XBTUSDT", Some(20_000)),
    ];
    assert_eq!(cancel(&table, &who[0], &orders, NOW_MS).unwrap(), 12);
    assert_eq!(
        cancel(&table, &who[0], &[("ETHUSDT", Some(400_000))], NOW_MS).unwrap(),
        2
    );
    // Another account has counters of its own.
    assert_eq!(
        cancel(&table, &who[2], &[("XBTUSDT", Some(400_000))], NOW_MS).unwrap(),
        0
    );
}

#[test]
fn cancels_pass_when_nothing_is_left_and_what_follows_waits_for_them() {
    let (table, who) = (table(), credentials());
    let young = [("XBTUSDT", Some(0))];
    for _ in 0..20 {
        assert!(cancel(&table, &who[0], &young, NOW_MS).is_ok());
    }
    let place = |now_ms| {
        let order = [super::order("XBTUSDT")];
        let payer = Payer {
            orders: &order,
            ..payer(address(1), Some(&who[0]))
        };
        let taken = table.take(&payer, super::ONE, now_ms, &mut Usages::default());
        taken.map(drop).map_err(|refusal| refusal.code)
    };
    // 160 of 125 were used, of which 2.34 come back in a second: 36 have to.
    assert_eq!(place(NOW_MS), Err(Code::BudgetExceeded));
    assert_eq!(place(NOW_MS + 15_000), Err(Code::BudgetExceeded));
    assert!(cancel(&table, &who[0], &[("XBTUSDT", None)], NOW_MS + 15_000).is_ok());
    assert_eq!(place(NOW_MS + 18_000), Err(Code::BudgetExceeded));
    assert_eq!(place(NOW_MS + 19_000), Ok(()));
}

#[test]
fn what_cancels_use_beyond_a_quota_is_remembered_up_to_another_one() {
    let (table, who) = (table(), credentials());
    for _ in 0..10_000 {
        assert!(cancel(&table, &who[0], &[("XBTUSDT", None)], NOW_MS).is_ok());
    }
    let later = |after_ms| {
        cancel(
            &table,
            &who[0],
            &[("XBTUSDT", Some(400_000))],
            NOW_MS + after_ms,
        )
    };
    // 250 units at 2.34 a second.
    assert_eq!(later(53_000).unwrap(), 125);
    assert_eq!(later(106_838).unwrap(), 0);
}

#[test]
fn limits_ask_for_orders_only_where_they_count_by_them() {
    let table = table();
    assert!(table.follows_orders());
    assert!(table.asks_about(Operation::OrderCancel) && table.asks_about(Operation::OrderAmend));
    assert!(!table.asks_about(Operation::OrderPlace) && !table.asks_about(Operation::OrderQuery));
    let pair = Subjects::from(Subject::Account).with(Subject::Symbol);
    let free = Limit {
        cancels: false,
        ..Limit::fixed("one", pair, Counts::Orders, 1, 1000)
    };
    assert!(
        !BudgetTable::new(vec![free.clone()], 1)
            .unwrap()
            .follows_orders()
    );
    let counted = Limit {
        cancels: true,
        ..free
    };
    let counted = BudgetTable::new(vec![counted], 1).unwrap();
    assert!(counted.asks_about(Operation::OrderCancel));
}
