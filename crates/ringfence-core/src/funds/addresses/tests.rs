//! A withdrawal goes to an address of its own account, once that is old enough, and nowhere else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Unlisted, WithdrawalAddress, WithdrawalAddresses};
use crate::decimal::Decimal;
use crate::funds::FundsText;
use crate::refusal::{Code, Detail, Retry};

const USABLE_US: u64 = 1_800_000_000_000_000;
const HOME: FundsText<'_> = FundsText {
    asset: Some("BTC"),
    amount: Some("0.5"),
    to: [Some("BTC"), Some("bc1qhome"), None],
};

fn address(to: [Option<&str>; 3], most: Option<&str>) -> WithdrawalAddress {
    WithdrawalAddress {
        asset: "BTC".into(),
        to: to.map(|text| text.map(Into::into)),
        max_amount: most.map(|text| Decimal::parse(text).unwrap()),
        usable_us: USABLE_US,
    }
}

fn known() -> WithdrawalAddresses {
    let all = WithdrawalAddresses::default();
    let tagged = address([Some("BTC"), Some("bc1qhome"), Some("7")], None);
    all.put([
        ("alice".into(), vec![address(HOME.to, Some("0.5"))]),
        ("bob".into(), vec![tagged]),
    ]);
    all
}

fn code(all: &WithdrawalAddresses, account: &str, funds: FundsText<'_>, at: u64) -> Option<Code> {
    let checked = all.check(account, Some(&funds), at);
    checked.err().map(|refusal| refusal.code)
}

#[test]
fn a_new_address_is_locked_until_its_time_to_the_microsecond() {
    let all = known();
    assert_eq!(code(&all, "alice", HOME, USABLE_US), None);
    assert_eq!(code(&all, "alice", HOME, u64::MAX), None);
    for early in [1, 1_000, USABLE_US] {
        let refusal = all.check("alice", Some(&HOME), USABLE_US - early);
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal.code, Code::AddressLocked);
        assert_eq!(refusal.detail, Detail::From(USABLE_US));
        assert_eq!(refusal.retry, Retry::AfterMs(early.div_ceil(1000)));
        assert!(
            refusal.to_string().ends_with("[from 2027-01-15T08:00:00Z]"),
            "{refusal}"
        );
    }
}

#[test]
fn whatever_differs_from_the_address_stays() {
    let to = |to| FundsText { to, ..HOME };
    let asset = |asset| FundsText { asset, ..HOME };
    for funds in [
        to([Some("BTC"), Some("bc1qHome"), None]),
        to([Some("BTC"), Some("bc1qhome "), None]),
        to([Some("ETH"), Some("bc1qhome"), None]),
        to([Some("BTC"), Some("bc1qhome"), Some("7")]),
        to([Some("BTC"), Some("bc1qhome"), Some("")]),
        to([None, Some("bc1qhome"), None]),
        to([None, None, None]),
        asset(Some("btc")),
        asset(Some("ETH")),
        asset(None),
        FundsText {
            amount: None,
            ..HOME
        },
    ] {
        let refused = code(&known(), "alice", funds, USABLE_US);
        assert_eq!(refused, Some(Code::FundsRuleMissing), "{funds:?}");
    }
    for account in ["bob", "carol", ""] {
        let refused = code(&known(), account, HOME, USABLE_US);
        assert_eq!(refused, Some(Code::FundsRuleMissing));
    }
    let unread = known().check("alice", None, USABLE_US);
    assert_eq!(unread.unwrap_err().code, Code::FundsRuleMissing);
}

#[test]
fn what_was_removed_is_unknown_at_once() {
    let all = known();
    all.put([("alice".into(), Vec::new())]);
    let refused = code(&all, "alice", HOME, USABLE_US);
    assert_eq!(refused, Some(Code::FundsRuleMissing));
}

#[test]
fn an_account_that_never_had_an_address_withdraws_nothing_where_one_is_required() {
    let all = WithdrawalAddresses::new(Unlisted::Refuse);
    let refused = code(&all, "alice", HOME, USABLE_US);
    assert_eq!(refused, Some(Code::FundsRuleMissing));
}

#[test]
fn an_account_that_never_had_an_address_is_free_only_where_that_is_said() {
    let open = WithdrawalAddresses::new(Unlisted::Pass);
    assert_eq!(code(&open, "alice", HOME, 0), None);
    open.put([("alice".into(), vec![address(HOME.to, None)])]);
    assert_eq!(code(&open, "bob", HOME, 0), None);
    assert_eq!(code(&open, "alice", HOME, 0), Some(Code::AddressLocked));
    // The last one that goes leaves the account shut.
    open.put([("alice".into(), Vec::new())]);
    assert_eq!(code(&open, "alice", HOME, 0), Some(Code::FundsRuleMissing));
}

#[test]
fn an_amount_is_one_and_within_what_the_address_takes() {
    let refused = |account, to, amount| {
        let funds = FundsText {
            amount: Some(amount),
            to,
            ..HOME
        };
        code(&known(), account, funds, USABLE_US)
    };
    let tagged = [Some("BTC"), Some("bc1qhome"), Some("7")];
    assert_eq!(
        refused("alice", HOME.to, "0.50000001"),
        Some(Code::FundsMax)
    );
    assert_eq!(refused("bob", tagged, "99999999999"), None);
    assert_eq!(refused("bob", tagged, "0"), Some(Code::QuantityInvalid));
    assert_eq!(refused("bob", tagged, "all"), Some(Code::NumberInexact));
}
