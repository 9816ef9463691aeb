//! Cancels and changes are charged by the orders that they are about, as far as those are known.

use super::*;
use crate::budget::{Age, Subjects};
use crate::placed::Told;

const LATER_US: u64 = 10_000_000;

fn account_core() -> Core {
    let mut core = core();
    let pair = Subjects::from(Subject::Account).with(Subject::Symbol);
    let age = |below_ms, units| Age { below_ms, units };
    let young: Box<[Age]> = Box::from([age(5_000, 8), age(60_000, 3)]);
    let operations = [Operation::OrderAmend, Operation::OrderCancel];
    let limit = Limit {
        ages: operations.map(|named| (named, young.clone())).into(),
        costs: operations.map(|named| (named, 0)).into(),
        ..Limit::fixed("trading", pair, Counts::Items, 1000, 86_400_000)
    };
    let table = BudgetTable::new(vec![limit], 10_000).unwrap();
    core.budget = table.with_symbols([GOOD_ORDER.symbol]);
    core
}

fn ids(id: &str) -> OrderIds<'_> {
    OrderIds {
        venue_order_id: Some(id),
        ..OrderIds::default()
    }
}

fn cancel<'a>(payload: &'a str, about: &'a [OrderIds<'a>]) -> Draft<'a> {
    Draft {
        operation: Operation::OrderCancel,
        order: None,
        about,
        cost: Cost {
            weight: 0,
            orders: 0,
            items: about.len() as u32,
        },
        ..order(payload)
    }
}

#[test]
fn a_cancel_is_charged_to_the_instrument_of_the_order_that_it_names_by_its_age() {
    let core = account_core();
    core.placed
        .learn("alice", "7", GOOD_ORDER.symbol, NOW_US / 1000 - 4_000);
    core.placed
        .learn("alice", "8", GOOD_ORDER.symbol, NOW_US / 1000 - 30_000);
    core.placed
        .learn("bob", "9", GOOD_ORDER.symbol, NOW_US / 1000 - 70_000);
    // Whatever it says of the order itself.
    let elsewhere = OrderIds {
        symbol: Some("elsewhere"),
        ..ids("7")
    };
    let decision = cancel("a", &[elsewhere, ids("8")]).send(&core, NOW_US);
    assert!(decision.outcome.is_ok());
    assert_eq!(used(&decision, 0), 11);
    // An order of another account is one that nobody knows, in no instrument.
    assert_eq!(used(&cancel("b", &[ids("9")]).send(&core, NOW_US), 0), 8);
    // That of one that says its instrument itself.
    let said = OrderIds {
        symbol: Some(GOOD_ORDER.symbol),
        ..OrderIds::default()
    };
    assert_eq!(used(&cancel("c", &[said]).send(&core, NOW_US), 0), 19);
}

#[test]
fn a_change_makes_an_order_young_again_as_soon_as_it_is_permitted() {
    let core = account_core();
    core.placed.learn("alice", "7", GOOD_ORDER.symbol, 0);
    let about = [ids("7")];
    let change = |payload| Draft {
        operation: Operation::OrderAmend,
        order: Some(OrderText {
            amends: true,
            ..GOOD_ORDER
        }),
        about: &about,
        ..order(payload)
    };
    assert!(change("a").send(&core, NOW_US).outcome.is_ok());
    assert_eq!(used(&change("b").send(&core, NOW_US), 0), 8);
    let later_us = NOW_US + LATER_US;
    let later = Draft {
        stamp: Stamp {
            time_us: later_us,
            window_us: WINDOW.default_us,
        },
        ..cancel("c", &about)
    };
    let later = later.send(&core, later_us);
    assert_eq!(used(&later, 0), 11);
    // One that is refused changes nothing.
    core.placed.learn("alice", "7", GOOD_ORDER.symbol, 0);
    let bad = Draft {
        order: Some(OrderText {
            price: Some("0.001"),
            amends: true,
            ..GOOD_ORDER
        }),
        ..change("d")
    };
    assert!(bad.send(&core, NOW_US).outcome.is_err());
    assert_eq!(core.placed.of("alice", "7").unwrap().since_ms, 0);
}

/// One order that is not filled, in a day.
fn unfilled_core() -> Core {
    let mut core = core();
    let limit = Limit::fixed(
        "unfilled",
        Subject::Account,
        Counts::Unfilled,
        1,
        86_400_000,
    );
    core.budget = BudgetTable::new(vec![limit], 10_000).unwrap();
    core
}

fn told(filled: &str) -> Told {
    Told {
        filled: Decimal::parse(filled).unwrap(),
        last: None,
    }
}

#[test]
fn an_order_that_is_filled_makes_room_for_another() {
    let core = unfilled_core();
    let (account, now_ms) = ("alice", NOW_US / 1000);
    let permit = order("a").send(&core, NOW_US).outcome.unwrap();
    core.learn(&permit, "7", &GOOD_ORDER, now_ms);
    assert_eq!(order("b").code(&core), Some(Code::BudgetExceeded));
    for (who, id) in [("bob", "7"), (account, "8")] {
        core.hear_fill(who, id, told("0.1"), now_ms);
    }
    assert_eq!(order("c").code(&core), Some(Code::BudgetExceeded));
    core.hear_fill(account, "7", told("0.1"), now_ms);
    let permit = order("d").send(&core, NOW_US).outcome.unwrap();
    core.hear_fill(account, "7", told("0.2"), now_ms);
    assert_eq!(order("e").code(&core), Some(Code::BudgetExceeded));
    // A fill that is heard before the answer.
    core.hear_fill(account, "9", told("0.1"), now_ms);
    assert_eq!(order("f").code(&core), Some(Code::BudgetExceeded));
    core.learn(&permit, "9", &GOOD_ORDER, now_ms);
    assert_eq!(order("g").code(&core), None);
}

#[test]
fn what_was_permitted_without_being_charged_gives_nothing_back() {
    let mut core = unfilled_core();
    let now_ms = NOW_US / 1000;
    assert_eq!(order("a").code(&core), None);
    core.modes = core.modes.with(Control::Budget, Mode::Observe);
    let permit = order("b").send(&core, NOW_US).outcome.unwrap();
    core.learn(&permit, "7", &GOOD_ORDER, now_ms);
    core.hear_fill("alice", "7", told("0.1"), now_ms);
    core.modes = core.modes.with(Control::Budget, Mode::Enforce);
    assert_eq!(order("c").code(&core), Some(Code::BudgetExceeded));
}
