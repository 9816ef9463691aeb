//! Who watches sees what is nearest to its edge, by name where there is one, and changes nothing.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::sync::Arc;

use super::{Known, Near, RECORDS_MAX, Survey, Surveyed};
use crate::budget::tests::payer;
use crate::budget::{BudgetTable, Cost, Counts, Limit, Meter, Payer, Subject, Subjects, Usages};
use crate::credential::tests::credential;
use crate::credential::{Credential, CredentialTable};
use crate::guard::OrderText;

const NOW_MS: u64 = 1_000_000;

fn limit(name: &str, subject: impl Into<Subjects>, quota: u64) -> Limit {
    Limit::fixed(name, subject, Counts::Requests, quota, 60_000)
}

fn who(name: &str, account: &str) -> Arc<Credential> {
    let table = CredentialTable::new();
    table.put(credential(name, account)).unwrap();
    table.get(name).unwrap()
}

fn address(number: u32) -> IpAddr {
    IpAddr::from((0x0a00_0000 + number).to_be_bytes())
}

fn take(table: &BudgetTable, payer: &Payer<'_>, times: u64) {
    for _ in 0..times {
        let charged = table.take(payer, Cost::default(), NOW_MS, &mut Usages::default());
        drop(charged.unwrap());
    }
}

fn look(table: &BudgetTable, survey: &mut Survey, most: usize, known: Known) -> Surveyed {
    table.survey(survey, most, NOW_MS, || Arc::new(known))
}

fn said(near: &Near) -> String {
    let words = near.whose.iter().flat_map(|whose| whose.iter());
    let words: Vec<_> = words
        .map(|(subject, name)| format!("{}={name}", subject.as_str()))
        .collect();
    words.join(" ")
}

#[test]
fn the_nearest_come_first_by_what_part_of_their_quota_is_used() {
    let limits = vec![
        limit("wide", Subject::Account, 100),
        limit("narrow", Subject::Address, 10),
    ];
    let table = BudgetTable::new(limits, 1000).unwrap();
    let (alice, bob) = (who("k1", "alice"), who("k2", "bob"));
    take(&table, &payer(address(1), Some(&alice)), 5);
    take(&table, &payer(address(2), Some(&bob)), 9);
    let known = Known {
        credentials: vec![alice, bob],
        addresses: vec![address(2)],
        venues: Vec::new(),
    };
    let found = look(&table, &mut Survey::default(), 3, known);
    assert_eq!((found.looked_at, found.subjects), (4, 4));
    let rows: Vec<_> = found
        .near
        .iter()
        .map(|n| (n.limit, n.used, n.left, said(n)))
        .collect();
    assert_eq!(
        rows,
        [
            (1, 9, 1, "address=10.0.0.2".to_owned()),
            // Nobody knows the name, but it is told apart.
            (1, 5, 5, String::new()),
            (0, 9, 91, "account=bob".to_owned()),
        ]
    );
    assert_eq!(found.near[0].reset_ms, 60_000 - NOW_MS % 60_000);
    assert_ne!(found.near[1].mark, found.near[0].mark);
    assert!(found.near[1].whose.is_none());
}

#[test]
fn every_word_of_a_combination_is_named() {
    let desk = Subjects::from(Subject::Account)
        .with(Subject::Symbol)
        .with(Subject::Operation);
    let limits = vec![
        limit("desk", desk, 10),
        limit("key", Subject::Credential, 20),
        limit("site", Subject::Network, 30),
        limit("top", Subject::Organisation, 40),
        limit("venue", Subject::Venue, 50),
        limit("all", Subject::Global, 60),
    ];
    let table = BudgetTable::new(limits, 1000)
        .unwrap()
        .with_symbols(["BTCUSDT", "ETHUSDT"]);
    let (alice, meter) = (who("k1", "alice"), Arc::new(Meter::new("main")));
    let order = OrderText {
        symbol: "ETHUSDT",
        ..OrderText::default()
    };
    let asks = Payer {
        orders: &[order],
        venue: Some(&meter),
        ..payer(address(7), Some(&alice))
    };
    take(&table, &asks, 1);
    let known = Known {
        credentials: vec![who("k0", "other"), Arc::clone(&alice)],
        addresses: vec![address(9), address(7)],
        venues: vec![Arc::new(Meter::new("spare")), Arc::clone(&meter)],
    };
    let mut survey = Survey::default();
    let found = look(&table, &mut survey, 10, known);
    let rows: Vec<_> = found.near.iter().map(said).collect();
    assert_eq!(
        rows,
        [
            "account=alice operation=order.place symbol=ETHUSDT",
            "credential=k1",
            "network=10.0.0.0/24",
            "organisation=alice",
            "venue=main",
            "",
        ]
    );
    // Everybody's has a name, which is empty; and what was named once is not asked for again.
    assert_eq!(found.near[5].whose.as_deref(), Some(&[][..]));
    let again = table.survey(&mut survey, 10, NOW_MS, || unreachable!("all have names"));
    assert_eq!(again.near, found.near);
}

#[test]
fn what_was_nearest_is_looked_at_each_time_and_the_others_in_turn() {
    let table = BudgetTable::new(vec![limit("a", Subject::Address, 1000)], 400_000).unwrap();
    let many = u32::try_from(RECORDS_MAX + RECORDS_MAX / 2).unwrap();
    for number in 0..many {
        take(&table, &payer(address(number), None), 1);
    }
    let last = address(many + 1);
    take(&table, &payer(last, None), 900);
    let mut survey = Survey::default();
    let mut seen = 0;
    for _ in 0..2 {
        let found = look(&table, &mut survey, 1, Known::default());
        assert!(found.looked_at <= RECORDS_MAX + 32, "{}", found.looked_at);
        assert_eq!(found.subjects, many as usize + 1);
        seen += found.looked_at;
    }
    assert!(seen > many as usize);
    // It is kept from now on, wherever the walk is, as it stands then.
    take(&table, &payer(last, None), 50);
    for _ in 0..3 {
        let known = Known {
            addresses: vec![last],
            ..Known::default()
        };
        let found = look(&table, &mut survey, 1, known);
        assert_eq!(
            (found.near[0].used, said(&found.near[0])),
            (950, format!("address={last}"))
        );
    }
}

#[test]
fn watching_keeps_nobody_from_being_forgotten() {
    let table = BudgetTable::in_parts(vec![limit("a", Subject::Address, 1)], 4, 1).unwrap();
    for number in 0..3 {
        take(&table, &payer(address(number), None), 1);
    }
    let mut survey = Survey::default();
    let later_ms = NOW_MS + 120_000;
    let found = table.survey(&mut survey, 10, later_ms, Arc::default);
    assert_eq!((found.near.len(), found.subjects), (0, 3));
    // All has come back, so there is room for others, though somebody has looked.
    for number in 3..6 {
        let asks = payer(address(number), None);
        let taken = table.take(&asks, Cost::default(), later_ms, &mut Usages::default());
        assert!(taken.is_ok(), "{number}");
    }
}
