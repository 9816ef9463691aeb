//! Funds leave only by a rule that names account, asset and place exactly, and at most as much as it says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{FundsRule, FundsRules, FundsText};
use crate::decimal::Decimal;
use crate::operation::Operation;
use crate::refusal::Code;

const HOME: FundsText<'_> = FundsText {
    asset: Some("BTC"),
    amount: Some("0.5"),
    to: [Some("BTC"), Some("bc1qhome"), None],
};

fn rules() -> FundsRules {
    let rule = |operation, to: [Option<&str>; 3], most| FundsRule {
        operation,
        asset: "BTC".into(),
        to: to.map(|text| text.map(Into::into)),
        max_amount: Decimal::parse(most).unwrap(),
    };
    FundsRules::new([
        (
            "alice".into(),
            rule(Operation::WithdrawCreate, HOME.to, "0.5"),
        ),
        (
            "bob".into(),
            rule(
                Operation::WithdrawCreate,
                [Some("BTC"), Some("bc1qhome"), Some("7")],
                "1",
            ),
        ),
        (
            "alice".into(),
            rule(
                Operation::TransferCreate,
                [Some("MAIN_MARGIN"), None, None],
                "2",
            ),
        ),
    ])
}

fn code(account: &str, operation: Operation, funds: FundsText<'_>) -> Option<Code> {
    let checked = rules().check(account, operation, Some(&funds));
    checked.err().map(|refusal| refusal.code)
}

#[test]
fn what_the_rule_says_may_leave() {
    assert_eq!(code("alice", Operation::WithdrawCreate, HOME), None);
    let transfer = FundsText {
        to: [Some("MAIN_MARGIN"), None, None],
        ..HOME
    };
    assert_eq!(code("alice", Operation::TransferCreate, transfer), None);
}

#[test]
fn whatever_differs_from_the_rule_stays() {
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
        let refused = code("alice", Operation::WithdrawCreate, funds);
        assert_eq!(refused, Some(Code::FundsRuleMissing), "{funds:?}");
    }
    let missing = Some(Code::FundsRuleMissing);
    assert_eq!(code("alice", Operation::TransferCreate, HOME), missing);
    assert_eq!(code("bob", Operation::WithdrawCreate, HOME), missing);
    assert_eq!(code("carol", Operation::WithdrawCreate, HOME), missing);
    let unread = rules().check("alice", Operation::WithdrawCreate, None);
    assert_eq!(unread.unwrap_err().code, Code::FundsRuleMissing);
}

#[test]
fn an_amount_is_compared_exactly() {
    let refused = |amount| {
        let funds = FundsText {
            amount: Some(amount),
            ..HOME
        };
        code("alice", Operation::WithdrawCreate, funds)
    };
    assert_eq!(refused("0.50000000"), None);
    assert_eq!(refused("0.500000000000000001"), Some(Code::FundsMax));
    assert_eq!(refused("0.5000000000000000001"), Some(Code::NumberInexact));
    assert_eq!(refused("99999999999999999999"), Some(Code::FundsMax));
    assert_eq!(refused("0"), Some(Code::QuantityInvalid));
    for odd in ["-1", "1e-1", "0,1", "", " 0.1", "+0.1", "0x1"] {
        assert_eq!(refused(odd), Some(Code::NumberInexact), "{odd:?}");
    }
}
