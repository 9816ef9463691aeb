//! A withdrawal needs an address of its account that is old enough, until the moment that it is sent, and where it is
//! said a fresh step-up.

use super::{Draft, NOW_US, core, observing, order};
use crate::credential::NewCredential;
use crate::credential::tests::credential;
use crate::funds::{FundsText, WithdrawalAddress, Withdrawals};
use crate::mode::{Control, Mode};
use crate::operation::{Operation, Scopes};
use crate::pipeline::Core;
use crate::proof::Proof;
use crate::refusal::{Code, Detail, StepUpDetail};

const HOME: FundsText<'static> = FundsText {
    asset: Some("BTC"),
    amount: Some("0.5"),
    to: [Some("BTC"), Some("bc1qhome"), None],
};

fn address(usable_us: u64) -> WithdrawalAddress {
    WithdrawalAddress {
        asset: "BTC".into(),
        to: HOME.to.map(|text| text.map(Into::into)),
        max_amount: None,
        usable_us,
    }
}

/// Where alice's k1 may withdraw, and has an address from `usable_us` on.
fn where_known(core: Core, usable_us: u64) -> Core {
    let able = NewCredential {
        scopes: Scopes::parse(["withdraw"]).unwrap(),
        ..credential("k1", "alice")
    };
    core.credentials.put(able).unwrap();
    let addresses = &core.withdrawals.addresses;
    addresses.put([("alice".into(), vec![address(usable_us)])]);
    core
}

fn withdrawal(payload: &str) -> Draft<'_> {
    Draft {
        operation: Operation::WithdrawCreate,
        order: None,
        funds: Some(HOME),
        ..order(payload)
    }
}

#[test]
fn a_withdrawal_passes_once_the_lock_is_over() {
    let core = where_known(core(), NOW_US + 1);
    let sent = |payload, now_us| withdrawal(payload).send(&core, now_us).outcome.err();
    assert_eq!(sent("a", NOW_US).unwrap().code, Code::AddressLocked);
    assert_eq!(sent("b", NOW_US + 1), None);
}

#[test]
fn without_the_guard_the_lock_holds_nothing() {
    let core = where_known(observing(Control::Guard, Mode::Off), u64::MAX);
    assert_eq!(withdrawal("a").code(&core), None);
}

#[test]
fn a_withdrawal_to_somewhere_else_stays() {
    let core = where_known(core(), NOW_US);
    let elsewhere = [Some("BTC"), Some("bc1qthief"), None];
    let draft = Draft {
        funds: Some(FundsText {
            to: elsewhere,
            ..HOME
        }),
        ..withdrawal("a")
    };
    assert_eq!(draft.code(&core), Some(Code::FundsRuleMissing));
    let unread = Draft {
        funds: None,
        ..withdrawal("b")
    };
    assert_eq!(unread.code(&core), Some(Code::FundsRuleMissing));
}

#[test]
fn an_address_that_goes_while_a_withdrawal_waits_stops_it() {
    let core = where_known(core(), NOW_US);
    let permit = withdrawal("a").send(&core, NOW_US).outcome.unwrap();
    assert_eq!(core.revalidate(&permit, NOW_US), Ok(()));
    let addresses = &core.withdrawals.addresses;
    addresses.put([("alice".into(), Vec::new())]);
    let refusal = core.revalidate(&permit, NOW_US).unwrap_err();
    assert_eq!(refusal.code, Code::FundsRuleMissing);
}

#[test]
fn a_withdrawal_needs_a_step_up_that_is_fresh_where_it_is_said() {
    let asking = Core {
        withdrawals: Withdrawals {
            step_up_s: Some(60),
            ..Withdrawals::default()
        },
        ..core()
    };
    let core = where_known(asking, 0);
    let minute_us = 60_000_000;
    for (payload, account, at_us, passes) in [
        ("a", "bob", NOW_US, false),
        ("b", "alice", NOW_US - minute_us, true),
        ("c", "alice", NOW_US - minute_us - 1, false),
        // A clock that went back makes no proof.
        ("d", "alice", NOW_US + 1, false),
        ("e", "alice", NOW_US, true),
    ] {
        core.credentials.step_up(account, at_us, Proof::Passkey);
        match withdrawal(payload).refusal(&core) {
            None => assert!(passes, "{account} {at_us}"),
            Some(refusal) => {
                assert!(!passes, "{account} {at_us}");
                assert_eq!(refusal.code, Code::StepUpRequired);
                let wanted = Detail::StepUp(StepUpDetail {
                    strengths: "totp passkey".into(),
                    max_age_s: 60,
                    policies: "".into(),
                });
                assert_eq!(refusal.detail, wanted);
            }
        }
    }
    // Nothing but withdrawals is asked for it.
    let looking = Draft {
        operation: Operation::MarketRead,
        funds: None,
        ..withdrawal("f")
    };
    assert_eq!(looking.code(&core), None);
    let without = where_known(super::core(), 0);
    assert_eq!(withdrawal("g").code(&without), None);
}
