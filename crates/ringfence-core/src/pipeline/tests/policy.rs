//! What policies refuse does not pass, and what they are asked is what the message says.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::{GOOD_ORDER, NOW_US, core, order, read};
use crate::guard::OrderText;
use crate::mode::{Control, Mode, Modes};
use crate::operation::Operation;
use crate::pipeline::{Core, Trace};
use crate::policy::{Asked, Policy, Serial, StepUp};
use crate::proof::Proof;
use crate::refusal::{Code, Detail, Refusal};

/// Forbids changes, and keeps what it was asked.
#[derive(Debug, Default)]
struct ReadOnly(Mutex<Vec<String>>, AtomicU64);

impl Policy for ReadOnly {
    fn check(&self, asked: &Asked<'_>) -> Result<Serial, Refusal> {
        let worth = asked.orders.first().map(|order| asked.guard.worth(order));
        let said = format!(
            "{} {} {} {:?} {} {worth:?}",
            asked.account,
            asked.key_id,
            asked.operation.as_str(),
            asked.peer,
            asked.transport
        );
        self.0.lock().unwrap().push(said);
        if asked.operation.changes_state() {
            let policies = Detail::Policies("forbidden by read-only".into());
            return Err(Refusal::new(Code::PolicyForbids).with(policies));
        }
        Ok(self.serial())
    }

    fn serial(&self) -> Serial {
        Serial(self.1.load(Ordering::SeqCst))
    }
}

fn guarded(mode: Mode) -> (Core, Arc<ReadOnly>) {
    let policy = Arc::new(ReadOnly::default());
    let core = Core {
        modes: Modes::default().with(Control::Authority, mode),
        policy: Some(Arc::clone(&policy) as Arc<dyn Policy>),
        ..core()
    };
    (core, policy)
}

#[test]
fn what_a_policy_forbids_passes_only_where_no_policy_is_asked() {
    let (with, policy) = guarded(Mode::Enforce);
    let refusal = order("a").refusal(&with).unwrap();
    assert_eq!(refusal.code, Code::PolicyForbids);
    // The client is not told which policies there are.
    assert!(!refusal.to_string().contains("read-only"));
    assert_eq!(read("b").code(&with), None);
    assert_eq!(policy.0.lock().unwrap().len(), 2);
    let without = Core {
        policy: None,
        ..core()
    };
    assert_eq!(order("a").code(&without), None);
}

#[test]
fn a_policy_sees_who_asks_what_from_where_and_for_how_much() {
    let (core, policy) = guarded(Mode::Enforce);
    let _ = order("a").refusal(&core);
    let asked = policy.0.lock().unwrap().remove(0);
    let worth = core.guard.worth(&GOOD_ORDER).unwrap().unwrap();
    assert!(worth > 0);
    let end = format!("http/1.1 Some(Ok(Some({worth})))");
    assert!(
        asked.starts_with("alice k1 order.place ") && asked.ends_with(&end),
        "{asked}"
    );
}

/// Forbids what nobody has stepped up for in the last minute.
#[derive(Debug)]
struct Fresh;

impl Policy for Fresh {
    fn check(&self, asked: &Asked<'_>) -> Result<Serial, Refusal> {
        match asked.step_up {
            Some(StepUp {
                age_s: 0..=60,
                strength: "totp",
            }) => Ok(self.serial()),
            Some(_) | None => Err(Code::PolicyForbids.into()),
        }
    }

    fn serial(&self) -> Serial {
        Serial(0)
    }
}

#[test]
fn a_policy_sees_how_long_ago_somebody_stepped_up_for_the_account() {
    let core = Core {
        policy: Some(Arc::new(Fresh)),
        ..core()
    };
    let minute_us = 60_000_000;
    let (totp, passkey) = (Proof::Totp, Proof::Passkey);
    for (number, (account, proof, at_us, wanted)) in [
        ("alice", totp, 0, Some(Code::PolicyForbids)),
        ("alice", passkey, 0, Some(Code::PolicyForbids)),
        ("bob", totp, NOW_US, Some(Code::PolicyForbids)),
        ("alice", totp, NOW_US - minute_us, None),
        (
            "alice",
            totp,
            NOW_US - minute_us - 1,
            Some(Code::PolicyForbids),
        ),
        // A clock that went back makes no proof.
        ("alice", totp, NOW_US + 1, Some(Code::PolicyForbids)),
        ("alice", totp, NOW_US, None),
        // This policy asks for another proof.
        ("alice", passkey, NOW_US, Some(Code::PolicyForbids)),
    ]
    .into_iter()
    .enumerate()
    {
        core.credentials.step_up(account, at_us, proof);
        let draft = order(["a", "b", "c", "d", "e", "f", "g", "h"][number]);
        assert_eq!(draft.code(&core), wanted, "{account} {at_us}");
    }
}

#[test]
fn scopes_come_first() {
    let (core, policy) = guarded(Mode::Enforce);
    let withdrawal = super::Draft {
        operation: Operation::WithdrawCreate,
        order: None,
        ..order("a")
    };
    assert_eq!(withdrawal.code(&core), Some(Code::ScopeMissing));
    assert!(policy.0.lock().unwrap().is_empty());
}

#[test]
fn an_observed_policy_is_recorded_and_refuses_nothing() {
    let (core, _) = guarded(Mode::Observe);
    let decision = order("a").send(&core, NOW_US);
    assert!(decision.outcome.is_ok());
    let seen = decision.trace[Control::Authority as usize];
    assert_eq!(seen, Trace::WouldRefuse(Code::PolicyForbids));
}

/// Forbids one instrument.
#[derive(Debug)]
struct NotThis(&'static str);

impl Policy for NotThis {
    fn check(&self, asked: &Asked<'_>) -> Result<Serial, Refusal> {
        match asked.orders.iter().any(|order| order.symbol == self.0) {
            true => Err(Code::PolicyForbids.into()),
            false => Ok(self.serial()),
        }
    }

    fn serial(&self) -> Serial {
        Serial(0)
    }
}

#[test]
fn a_policy_sees_every_order_of_a_batch() {
    let core = Core {
        policy: Some(Arc::new(NotThis("ELSE"))),
        ..core()
    };
    let other = OrderText {
        symbol: "ELSE",
        ..GOOD_ORDER
    };
    for (payload, batch, wanted) in [
        ("a", [GOOD_ORDER, GOOD_ORDER], None),
        ("b", [other, GOOD_ORDER], Some(Code::PolicyForbids)),
        ("c", [GOOD_ORDER, other], Some(Code::PolicyForbids)),
    ] {
        let draft = super::Draft {
            batch: &batch,
            ..order(payload)
        };
        assert_eq!(draft.code(&core), wanted, "{payload}");
    }
}

#[test]
fn what_other_policies_permitted_is_not_forwarded_once_these_are_in_force() {
    let (core, policy) = guarded(Mode::Enforce);
    let permit = read("a").send(&core, NOW_US).outcome.unwrap();
    assert_eq!(core.revalidate(&permit, NOW_US), Ok(()));
    policy.1.fetch_add(1, Ordering::SeqCst);
    let refusal = core.revalidate(&permit, NOW_US).unwrap_err();
    assert_eq!(refusal.code, Code::PolicyForbids);
    let permit = read("b").send(&core, NOW_US).outcome.unwrap();
    assert_eq!(core.revalidate(&permit, NOW_US), Ok(()));
}

#[test]
fn one_bad_order_of_a_batch_refuses_all() {
    let core = core();
    let fat = OrderText {
        quantity: Some("9.9999"),
        ..GOOD_ORDER
    };
    let draft = super::Draft {
        batch: &[GOOD_ORDER, fat],
        ..order("a")
    };
    let refusal = draft.refusal(&core).unwrap();
    assert_eq!(refusal.code, Code::NotionalMax);
    assert_eq!(refusal.detail, Detail::Field("1.notional".into()));
}
