//! The controls run in one order: mending the faults of a message from the front, one at a time,
//! shows the codes of the controls behind, one at a time.

use super::{
    Code, Draft, GOOD_ORDER, NOW_US, Operation, OrderText, Stamp, Trace, WINDOW, core, order,
};

/// Mends one fault of a draft.
type Mend = fn(&mut Draft<'static>);

/// The faults of [`worst`] from the front, and what is seen once those before are mended.
const MENDS: [(Mend, Code); 8] = [
    (|_| {}, Code::CredentialUnknown),
    (|d| d.key_id = "k1", Code::SignatureInvalid),
    (|d| d.secret = order("").secret, Code::TimeStale),
    (|d| d.stamp = order("").stamp, Code::AddressNotAllowed),
    (|d| d.peer = order("").peer, Code::BudgetExceeded),
    (|d| d.cost = order("").cost, Code::NotionalMax),
    (|d| d.order = None, Code::OrderFieldMissing),
    (
        |d| {
            d.order = Some(OrderText {
                symbol: "",
                ..GOOD_ORDER
            })
        },
        Code::InstrumentUnknown,
    ),
];

/// An order that every control would refuse.
fn worst() -> Draft<'static> {
    let mut draft = Draft {
        peer: [203, 0, 113, 1],
        key_id: "k3",
        secret: b"somebody else's secret",
        stamp: Stamp {
            time_us: NOW_US - 2 * WINDOW.default_us,
            window_us: WINDOW.default_us,
        },
        order: Some(OrderText {
            quantity: Some("9.9999"),
            ..GOOD_ORDER
        }),
        ..order("")
    };
    draft.cost.orders = 11;
    draft
}

#[test]
fn each_mended_fault_shows_the_next_control() {
    let (core, mut draft) = (core(), worst());
    // A signature that verified is spent, so that each step signs anew.
    for ((mend, code), payload) in MENDS
        .into_iter()
        .zip(["0", "1", "2", "3", "4", "5", "6", "7"])
    {
        mend(&mut draft);
        draft.payload = payload;
        let decision = draft.send(&core, NOW_US);
        assert_eq!(decision.outcome.unwrap_err().code, code);
        let trace = decision.trace;
        let refused = trace.iter().position(|seen| *seen == Trace::Refused(code));
        let refused = refused.unwrap();
        assert_eq!(
            Some(refused),
            code.control().map(|control| control as usize)
        );
        assert!(trace[..refused].iter().all(|seen| *seen == Trace::Passed));
        assert!(
            trace[refused + 1..]
                .iter()
                .all(|seen| *seen == Trace::NotReached)
        );
    }
    draft.order = Some(GOOD_ORDER);
    draft.payload = "8";
    assert_eq!(draft.code(&core), None);
}

#[test]
fn the_window_is_looked_at_before_a_claim_is_made() {
    let core = core();
    for (time_us, window_us, code) in [
        (NOW_US, WINDOW.max_us + 1, Code::WindowTooLarge),
        (NOW_US + WINDOW.ahead_us, WINDOW.default_us, Code::TimeAhead),
        (
            NOW_US - WINDOW.default_us - 1,
            WINDOW.default_us,
            Code::TimeStale,
        ),
    ] {
        let draft = Draft {
            stamp: Stamp { time_us, window_us },
            ..order("a")
        };
        assert_eq!(draft.code(&core), Some(code));
    }
    assert_eq!(core.room.taken(), 0);
    assert_eq!(order("a").code(&core), None);
}

#[test]
fn only_orders_carry_order_fields() {
    let core = core();
    for operation in [Operation::OrderCancel, Operation::OrderQuery] {
        let draft = Draft {
            operation,
            order: None,
            payload: operation.as_str(),
            ..order("")
        };
        assert_eq!(draft.code(&core), None);
    }
    for operation in [
        Operation::OrderPlace,
        Operation::OrderTest,
        Operation::OrderAmend,
    ] {
        let draft = Draft {
            operation,
            order: None,
            payload: operation.as_str(),
            ..order("")
        };
        assert_eq!(draft.code(&core), Some(Code::OrderFieldMissing));
    }
}
