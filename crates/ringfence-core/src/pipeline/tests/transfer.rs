//! In egress a transfer needs a rule of its account; where clients sign for the venue themselves, their scope is enough.

use std::collections::HashMap;

use super::{Draft, core, decimal, order};
use crate::credential::NewCredential;
use crate::credential::tests::credential;
use crate::egress::Egress;
use crate::funds::{FundsText, TransferRule, TransferRules};
use crate::operation::{Operation, Scopes};
use crate::pipeline::Core;
use crate::refusal::Code;

const TO: [Option<&str>; 3] = [Some("MAIN_FUNDING"), None, None];

/// Where alice's k1 may transfer at all.
fn able(core: Core) -> Core {
    let able = NewCredential {
        scopes: Scopes::parse(["transfer"]).unwrap(),
        ..credential("k1", "alice")
    };
    core.credentials.put(able).unwrap();
    core
}

/// The same in egress, with a rule of `account`.
fn ruled(account: &str) -> Core {
    let rule = TransferRule {
        asset: "USDT".into(),
        to: TO.map(|text| text.map(Into::into)),
        max_amount: decimal("100"),
    };
    let rules = TransferRules::new([(account.into(), rule)]);
    let egress = Egress::new(&HashMap::new(), Some("main"), rules);
    egress.keys().for_each(|key| key.set_ready(true));
    able(Core {
        egress: Some(egress),
        ..core()
    })
}

fn transfer<'a>(payload: &'a str, amount: &'static str) -> Draft<'a> {
    Draft {
        operation: Operation::TransferCreate,
        order: None,
        funds: Some(FundsText {
            asset: Some("USDT"),
            amount: Some(amount),
            to: TO,
        }),
        ..order(payload)
    }
}

#[test]
fn in_egress_a_transfer_goes_by_a_rule_of_its_account() {
    let core = ruled("alice");
    assert_eq!(transfer("a", "100").code(&core), None);
    assert_eq!(transfer("b", "100.1").code(&core), Some(Code::FundsMax));
    let others = ruled("bob");
    assert_eq!(
        transfer("c", "1").code(&others),
        Some(Code::FundsRuleMissing)
    );
    let unread = Draft {
        funds: None,
        ..transfer("d", "1")
    };
    assert_eq!(unread.code(&core), Some(Code::FundsRuleMissing));
}

#[test]
fn in_ingress_the_venue_judges_transfers() {
    assert_eq!(transfer("a", "100000").code(&able(core())), None);
}
