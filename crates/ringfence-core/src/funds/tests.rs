//! Funds are transferred only by a rule that names account, asset and place exactly, and at most as much as it says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{FundsText, TransferRule, TransferRules};
use crate::decimal::Decimal;
use crate::refusal::Code;

const INWARDS: FundsText<'_> = FundsText {
    asset: Some("BTC"),
    amount: Some("0.5"),
    to: [Some("MAIN"), Some("MARGIN"), None],
};

fn rules() -> TransferRules {
    let rule = |to: [Option<&str>; 3], most| TransferRule {
        asset: "BTC".into(),
        to: to.map(|text| text.map(Into::into)),
        max_amount: Decimal::parse(most).unwrap(),
    };
    TransferRules::new([
        ("alice".into(), rule(INWARDS.to, "0.5")),
        (
            "bob".into(),
            rule([Some("MAIN"), Some("MARGIN"), Some("7")], "1"),
        ),
    ])
}

fn code(account: &str, funds: FundsText<'_>) -> Option<Code> {
    let checked = rules().check(account, Some(&funds));
    checked.err().map(|refusal| refusal.code)
}

#[test]
fn what_differs_from_the_rule_stays() {
    assert_eq!(code("alice", INWARDS), None);
    let to = |to| FundsText { to, ..INWARDS };
    let asset = |asset| FundsText { asset, ..INWARDS };
    for funds in [
        to([Some("MAIN"), Some("MARGIN "), None]),
        to([Some("main"), Some("MARGIN"), None]),
        to([Some("MAIN"), Some("MARGIN"), Some("7")]),
        to([Some("MAIN"), Some("MARGIN"), Some("")]),
        to([None, Some("MARGIN"), None]),
        to([None, None, None]),
        asset(Some("btc")),
        asset(None),
        FundsText {
            amount: None,
            ..INWARDS
        },
    ] {
        let refused = code("alice", funds);
        assert_eq!(refused, Some(Code::FundsRuleMissing), "{funds:?}");
    }
    for account in ["bob", "carol"] {
        assert_eq!(code(account, INWARDS), Some(Code::FundsRuleMissing));
    }
    let unread = rules().check("alice", None);
    assert_eq!(unread.unwrap_err().code, Code::FundsRuleMissing);
}

#[test]
fn an_amount_is_compared_exactly() {
    let refused = |amount| {
        let funds = FundsText {
            amount: Some(amount),
            ..INWARDS
        };
        code("alice", funds)
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
