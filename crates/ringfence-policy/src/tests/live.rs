//! Policies change between two messages, never within one.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ringfence_core::guard::{Guard, OrderText};
use ringfence_core::operation::{Operation, Scopes};
use ringfence_core::policy::{Asked, Policy, StepUp};
use ringfence_core::principal::ALONE;
use ringfence_core::refusal::{Code, Detail, StepUpDetail};
use ringfence_core::session::Coverage;

use super::{NOW_US, set};
use crate::live::Live;

fn asked<'a>(orders: &'a [OrderText<'a>], guard: &'a Guard) -> Asked<'a> {
    Asked {
        account: "alice",
        standing: &ALONE,
        key_id: "key",
        scopes: Scopes::parse(["trade"]).unwrap(),
        algorithm: "ed25519",
        operation: Operation::OrderPlace,
        peer: IpAddr::from([192, 0, 2, 1]),
        now_us: NOW_US,
        coverage: Coverage::Venue,
        certificate: false,
        transport: "http/1.1",
        step_up: None,
        orders,
        funds: None,
        guard,
    }
}

fn order(symbol: &'static str) -> OrderText<'static> {
    OrderText {
        symbol,
        ..OrderText::default()
    }
}

const ONLY_A: &str = "permit(principal, action, resource == Instrument::\"A\");";
const ONLY_B: &str = "permit(principal, action, resource == Instrument::\"B\");";

/// Each set permits one of the two orders, so that neither permits the batch; halves of both would.
#[test]
fn no_message_is_judged_by_parts_of_two_sets() {
    let live = Live::new(Arc::new(set(ONLY_A)));
    let (a, b) = (Arc::new(set(ONLY_A)), Arc::new(set(ONLY_B)));
    let guard = Guard::new(HashMap::new());
    let batch = [order("A"), order("B"), order("A"), order("B")];
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..20_000 {
                live.put(Arc::clone(&b));
                live.put(Arc::clone(&a));
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            assert!(live.check(&asked(&batch, &guard)).is_err());
        }
    });
}

#[test]
fn another_set_decides_the_next_message_and_nothing_that_was_kept_does() {
    let live = Live::new(Arc::new(set(ONLY_A)));
    let guard = Guard::new(HashMap::new());
    let one = [order("A")];
    let first = live.check(&asked(&one, &guard)).unwrap();
    assert_eq!(live.set().cache().len(), 1);
    live.put(Arc::new(set(ONLY_B)));
    assert!(live.set().cache().is_empty());
    assert!(live.check(&asked(&one, &guard)).is_err());
    assert_ne!(live.serial(), first);
}

const FRESH_ONLY: &str = r#"@id("all") permit(principal, action, resource);
    @id("fresh") forbid(principal, action, resource)
    unless { context has stepUp && context.stepUp.strength == "totp" && context.stepUp.age < 300 };
    @id("never") forbid(principal, action, resource == Instrument::"B");"#;

#[test]
fn what_only_lacks_a_step_up_is_refused_for_want_of_one() {
    let live = Live::new(Arc::new(set(FRESH_ONLY)));
    let guard = Guard::new(HashMap::new());
    let refused = |symbol, age_s: Option<u64>| {
        let orders = [order(symbol)];
        let step_up = age_s.map(|age_s| StepUp {
            age_s,
            strength: "totp",
        });
        let asked = Asked {
            step_up,
            ..asked(&orders, &guard)
        };
        let refusal = live.check(&asked).err();
        refusal.map(|refusal| (refusal.code, refusal.detail))
    };
    let because = |code, said: &str| Some((code, Detail::Policies(said.into())));
    let fresher = Detail::StepUp(StepUpDetail {
        strengths: "totp".into(),
        max_age_s: 299,
        policies: "forbidden by fresh".into(),
    });
    let wanted = Some((Code::StepUpRequired, fresher));
    assert_eq!(refused("A", None), wanted);
    assert_eq!(refused("A", Some(300)), wanted);
    assert_eq!(refused("A", Some(299)), None);
    // A step-up would not help.
    assert_eq!(
        refused("B", None),
        because(Code::PolicyForbids, "forbidden by fresh, never")
    );
    assert_eq!(
        refused("B", Some(1)),
        because(Code::PolicyForbids, "forbidden by never")
    );
}
