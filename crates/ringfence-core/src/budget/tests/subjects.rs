//! Whose a limit is, and which operations it counts.

use std::net::IpAddr;

use super::super::{Counts, Limit, Operations, Subject, Subjects, Usages};
use super::{BudgetTable, ONE, address, credentials, limit, payer, take};
use crate::credential::CredentialTable;
use crate::credential::tests::credential;
use crate::guard::OrderText;
use crate::operation::Operation;
use crate::principal::{Above, Kind, Standing};
use crate::refusal::{Code, Detail};

fn table(subject: impl Into<Subjects>, quota: u64) -> BudgetTable {
    let limit = Limit::fixed("one", subject, Counts::Orders, quota, 1000);
    let table = BudgetTable::new(vec![limit], 1000).unwrap();
    table.with_symbols(["BTCUSDT", "ETHUSDT"])
}

fn order(symbol: &str) -> OrderText<'_> {
    OrderText {
        symbol,
        ..OrderText::default()
    }
}

/// Tells whether orders in these instruments pass together.
fn place(table: &BudgetTable, who: usize, symbols: &[&str]) -> bool {
    let known = credentials();
    let orders: Vec<_> = symbols.iter().map(|symbol| order(symbol)).collect();
    let mut payer = payer(address(1), Some(&known[who]));
    payer.orders = &orders;
    let count = symbols.len() as u32;
    let cost = super::Cost {
        weight: 1,
        orders: count,
        items: count,
    };
    table.take(&payer, cost, 5, &mut Usages::default()).is_ok()
}

#[test]
fn an_account_has_a_budget_for_each_instrument() {
    let table = table(Subjects::from(Subject::Account).with(Subject::Symbol), 2);
    assert!(place(&table, 0, &["BTCUSDT", "BTCUSDT"]));
    assert!(!place(&table, 1, &["BTCUSDT"]));
    assert!(place(&table, 1, &["ETHUSDT"]));
    assert!(place(&table, 2, &["BTCUSDT"]));
}

#[test]
fn the_orders_of_a_batch_are_charged_together_or_not_at_all() {
    let table = table(Subject::Symbol, 2);
    assert!(place(&table, 0, &["BTCUSDT"]));
    // Two of the first are one too many, so nothing of the second is charged, either.
    assert!(!place(
        &table,
        0,
        &["ETHUSDT", "BTCUSDT", "ETHUSDT", "BTCUSDT"]
    ));
    assert!(place(&table, 0, &["ETHUSDT", "BTCUSDT", "ETHUSDT"]));
    assert!(!place(&table, 0, &["ETHUSDT"]));
}

#[test]
fn instruments_that_are_not_listed_share_one_budget() {
    let table = table(Subject::Symbol, 2);
    assert!(place(&table, 0, &["XRPUSDT"]));
    assert!(place(&table, 0, &["DOGEUSDT"]));
    assert!(!place(&table, 0, &["SHIBUSDT"]));
}

#[test]
fn neighbours_share_the_budget_of_their_network() {
    let table = table(Subject::Network, 1);
    let asked = |peer: &str| {
        let peer: IpAddr = peer.parse().unwrap();
        let taken = table.take(&payer(peer, None), ONE, 5, &mut Usages::default());
        taken.is_ok()
    };
    assert!(asked("192.0.2.1"));
    assert!(!asked("192.0.2.255"));
    assert!(asked("192.0.3.1"));
    assert!(asked("2001:db8:1:2::1"));
    assert!(!asked("2001:db8:1:ffff::1"));
    assert!(asked("2001:db8:2::1"));
}

#[test]
fn what_stands_under_one_organisation_shares_its_budget() {
    let known = CredentialTable::new();
    let above = |name: &str, kind| Above {
        kind,
        name: name.into(),
    };
    for (id, desk) in [("c0", "desk-a"), ("c1", "desk-b"), ("c2", "")] {
        let mut new = credential(id, &format!("account-{id}"));
        let tops = [
            above(desk, Kind::Account),
            above("firm", Kind::Organisation),
        ];
        new.standing = (!desk.is_empty()).then(|| {
            Box::new(Standing {
                kind: Kind::Account,
                above: tops.into(),
            })
            .into()
        });
        known.put(new).unwrap();
    }
    let table = table(Subject::Organisation, 1);
    let asked = |id| {
        let who = known.get(id).unwrap();
        take(&table, 1, Some(&who), ONE, 5).is_ok()
    };
    assert!(asked("c0"));
    assert!(!asked("c1"));
    assert!(asked("c2"));
}

#[test]
fn a_limit_of_some_operations_counts_no_other() {
    let limit = Limit {
        operations: Operations::default().with(Operation::OrderCancel),
        ..limit(Subject::Account, Counts::Requests, 1, 1000)
    };
    let table = BudgetTable::new(vec![limit], 10_000).unwrap();
    let who = credentials();
    let asked = |operation| {
        let mut payer = payer(address(1), Some(&who[0]));
        payer.operation = operation;
        table.take(&payer, ONE, 5, &mut Usages::default()).is_ok()
    };
    assert!(asked(Operation::OrderPlace) && asked(Operation::OrderPlace));
    assert!(asked(Operation::OrderCancel));
    assert!(!asked(Operation::OrderCancel));
    assert!(asked(Operation::OrderPlace));
}

#[test]
fn a_cancel_is_bound_only_by_a_limit_that_says_so() {
    let who = credentials();
    for (cancels, bound) in [(false, false), (true, true)] {
        let limit = Limit {
            cancels,
            ..limit(Subject::Account, Counts::Requests, 1, 1000)
        };
        let table = BudgetTable::new(vec![limit], 10_000).unwrap();
        let mut payer = payer(address(1), Some(&who[0]));
        let mut usages = Usages::default();
        assert!(table.take(&payer, ONE, 5, &mut usages).is_ok());
        payer.operation = Operation::OrderCancel;
        let taken = table.take(&payer, ONE, 5, &mut Usages::default());
        assert_eq!(taken.is_err(), bound);
    }
}

#[test]
fn an_operation_costs_what_its_limit_says() {
    let limit = Limit {
        costs: [(Operation::OrderPlace, 5)].into(),
        ..limit(Subject::Account, Counts::Weight, 10, 1000)
    };
    let table = BudgetTable::new(vec![limit], 10_000).unwrap();
    let who = credentials();
    let usages = take(&table, 1, Some(&who[0]), ONE, 5).unwrap();
    assert_eq!(usages.as_slice()[0].used, 5);
    assert!(take(&table, 1, Some(&who[0]), ONE, 5).is_ok());
    assert!(take(&table, 1, Some(&who[0]), ONE, 5).is_err());
}

#[test]
fn a_refusal_names_the_limit_and_the_kind_of_subject_and_nobody() {
    let table = table(Subjects::from(Subject::Account).with(Subject::Symbol), 0);
    let who = credentials();
    let orders = [order("BTCUSDT")];
    let mut payer = payer(address(1), Some(&who[0]));
    payer.orders = &orders;
    let taken = table.take(&payer, ONE, 5, &mut Usages::default());
    let refusal = taken.unwrap_err();
    assert_eq!(refusal.code, Code::BudgetExceeded);
    assert!(
        refusal
            .to_string()
            .ends_with(" [one: 0 orders in 1000 ms, by account+symbol]")
    );
    assert!(matches!(refusal.detail, Detail::Limit(_)));
}
