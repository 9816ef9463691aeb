//! An amendment that names its order alone is judged by that order's instrument, and only the account's own.

use std::sync::{Arc, Mutex};

use super::{Draft, GOOD_ORDER, NOW_US, core, observing, order};
use crate::guard::OrderText;
use crate::mode::{Control, Mode};
use crate::operation::Operation;
use crate::pipeline::Core;
use crate::policy::{Asked, Policy, Serial};
use crate::refusal::{Code, Detail, Refusal};

/// An amendment of order 7, inside the bounds of its instrument.
const AMENDMENT: OrderText<'static> = OrderText {
    symbol: "",
    side: "",
    kind: "",
    client_order_id: None,
    venue_order_id: Some("7"),
    amends: true,
    ..GOOD_ORDER
};

fn amendment<'a>(payload: &'a str, change: OrderText<'static>) -> Draft<'a> {
    Draft {
        operation: Operation::OrderAmend,
        order: Some(change),
        ..order(payload)
    }
}

/// Returns a core in which order 7 is `account`'s.
fn where_placed_by(account: &str) -> Core {
    let core = core();
    core.placed.learn(account, "7", GOOD_ORDER.symbol, 0);
    core
}

#[test]
fn it_is_judged_by_the_order_s_instrument() {
    let core = where_placed_by("alice");
    let decision = amendment("a", AMENDMENT).send(&core, NOW_US);
    assert!(decision.outcome.is_ok());
    assert_eq!(decision.instrument.as_deref(), Some("BTCUSDT"));
    let far = OrderText {
        price: Some("100001"),
        ..AMENDMENT
    };
    assert_eq!(amendment("b", far).code(&core), Some(Code::PriceBand));
}

#[test]
fn an_order_that_nobody_placed_here_is_refused() {
    let refusal = amendment("a", AMENDMENT).refusal(&core()).unwrap();
    assert_eq!(refusal.code, Code::OrderUnknown);
    assert_eq!(refusal.detail, Detail::Field("orderId".into()));
}

#[test]
fn another_account_s_order_is_refused_like_one_that_is_not_there() {
    let core = where_placed_by("bob");
    let theirs = amendment("a", AMENDMENT).refusal(&core).unwrap();
    let nobody_s = amendment("a", AMENDMENT).refusal(&super::core()).unwrap();
    assert_eq!(
        (theirs.code, theirs.detail),
        (nobody_s.code, nobody_s.detail)
    );
}

#[test]
fn either_of_authority_and_guard_refuses_what_is_unknown_without_the_other() {
    for open in [Control::Authority, Control::Guard] {
        for mode in [Mode::Off, Mode::Observe] {
            let core = observing(open, mode);
            assert_eq!(
                amendment("a", AMENDMENT).code(&core),
                Some(Code::OrderUnknown),
                "{open:?} {mode:?}"
            );
        }
    }
}

/// Remembers the instruments that it was asked about.
#[derive(Debug, Default)]
struct Listening(Mutex<Vec<String>>);

impl Policy for Listening {
    fn check(&self, asked: &Asked<'_>) -> Result<Serial, Refusal> {
        let symbol = asked.orders.first().map_or("none", |order| order.symbol);
        self.0.lock().unwrap().push(symbol.to_owned());
        Ok(self.serial())
    }

    fn serial(&self) -> Serial {
        Serial(0)
    }
}

#[test]
fn a_policy_is_asked_about_the_order_s_instrument_and_never_about_none() {
    let policy = Arc::new(Listening::default());
    let core = Core {
        policy: Some(policy.clone()),
        ..where_placed_by("alice")
    };
    assert_eq!(amendment("a", AMENDMENT).code(&core), None);
    let unknown = OrderText {
        venue_order_id: Some("8"),
        ..AMENDMENT
    };
    let code = amendment("b", unknown).code(&core);
    assert_eq!(code, Some(Code::OrderUnknown));
    assert_eq!(*policy.0.lock().unwrap(), ["BTCUSDT"]);
}
