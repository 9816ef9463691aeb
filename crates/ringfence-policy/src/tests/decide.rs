//! Decisions, part by part of a request.

use std::sync::Arc;

use super::{NOW_US, order, request, set};
use crate::request::{Request, day, hour};
use crate::set::Verdict;
use ringfence_core::policy::StepUp;
use ringfence_core::principal::{Above, Kind};

fn ids(ids: &[&str]) -> Vec<Arc<str>> {
    ids.iter().map(|id| Arc::from(*id)).collect()
}

#[test]
fn nothing_is_permitted_that_no_policy_permits() {
    let set =
        set("@id(\"reads\") permit(principal, action == Action::\"account.read\", resource);");
    assert_eq!(
        set.evaluate(&request("account.read")),
        Verdict::Permitted(ids(&["reads"]))
    );
    assert_eq!(set.evaluate(&order(1)), Verdict::Unpermitted);
}

#[test]
fn forbid_wins_wherever_the_policies_are_indexed() {
    let all = "@id(\"all\") permit(principal, action, resource);";
    let forbids = [
        "@id(\"no\") forbid(principal == Account::\"alice\", action, resource);",
        "@id(\"no\") forbid(principal in Organisation::\"acme\", action, resource);",
        "@id(\"no\") forbid(principal is Account in Organisation::\"acme\", action, resource);",
        "@id(\"no\") forbid(principal is Account, action, resource);",
        "@id(\"no\") forbid(principal, action in Action::\"changes-state\", resource);",
        "@id(\"no\") forbid(principal, action in [Action::\"order.place\"], resource);",
        "@id(\"no\") forbid(principal, action, resource == Instrument::\"BTCUSDT\");",
        "@id(\"no\") forbid(principal, action, resource is Instrument in Instrument::\"BTCUSDT\");",
        "@id(\"no\") forbid(principal, action, resource is Instrument);",
        "@id(\"no\") forbid(principal, action, resource) when { principal in Organisation::\"acme\" };",
    ];
    for forbid in forbids {
        let set = set(&format!("{all}\n{forbid}"));
        let above = [Above {
            kind: Kind::Organisation,
            name: "acme".into(),
        }];
        let alice = Request {
            above: &above,
            ..order(1)
        };
        assert_eq!(
            set.evaluate(&alice),
            Verdict::Forbidden(ids(&["no"])),
            "{forbid}"
        );
        let other = Request {
            principal: "bob",
            kind: Kind::Operator,
            ..request("account.read")
        };
        assert_eq!(
            set.evaluate(&other),
            Verdict::Permitted(ids(&["all"])),
            "{forbid}"
        );
    }
}

#[test]
fn a_policy_that_cannot_be_evaluated_permits_nothing() {
    let set = set("permit(principal, action, resource);\n\
         @id(\"sum\") forbid(principal, action, resource) when { context.time + 9223372036854775807 == 0 };");
    assert_eq!(set.evaluate(&order(1)), Verdict::Failed(ids(&["sum"])));
}

/// A name that is asked for behind what fails is not looked up: the failure comes first.
#[test]
fn a_policy_that_fails_before_it_asks_for_a_name_fails_for_every_name() {
    let set = set("permit(principal, action, resource);\n\
         @id(\"sum\") forbid(principal, action, resource) when { context.time + 9223372036854775807 == 0 && \
         context.credential == Credential::\"other\" };");
    assert_eq!(set.evaluate(&order(1)), Verdict::Failed(ids(&["sum"])));
}

/// Each part of the context decides, and its opposite does not.
#[test]
fn each_part_of_the_context_is_what_the_request_says() {
    let conditions = [
        "context.address.isInRange(ip(\"192.0.2.0/24\"))",
        "context.time == 1795687200000000",
        "context.hour == 10 && context.day == 4",
        "context.coverage == \"venue\" && !context.certificate",
        "context.transport == \"http/1.1\"",
        "context.credential == Credential::\"key\"",
        "context.scopes.contains(\"trade\") && !context.scopes.contains(\"keys\")",
        "context.algorithm == \"ed25519\"",
        "!(context has stepUp)",
        "context has order && context.order has side && context.order.side == \"BUY\"",
        "context has order.type && context.order.type == \"LIMIT\" && !context.order.amends",
        "context has order.price && context.order.price.lessThanOrEqual(decimal(\"2.5\"))",
        "context has order.quantity && context.order.quantity.lessThanOrEqual(decimal(\"1.0\"))",
        "context has order.notional && !context.order.notional.greaterThan(decimal(\"2.5\"))",
    ];
    for condition in conditions {
        let scope = "permit(principal, action == Action::\"order.place\", resource)";
        let yes = set(&format!("{scope} when {{ {condition} }};"));
        let no = set(&format!("{scope} unless {{ {condition} }};"));
        assert!(
            matches!(yes.evaluate(&order(25_000)), Verdict::Permitted(_)),
            "{condition}"
        );
        assert_eq!(
            no.evaluate(&order(25_000)),
            Verdict::Unpermitted,
            "{condition}"
        );
    }
}

#[test]
fn a_fresh_strong_proof_opens_what_asks_for_it() {
    let set = set(
        "permit(principal is Operator, action == Action::\"key.create\", resource) when { context has stepUp && \
         context.stepUp.strength == \"passkey\" && context.stepUp.age < 300 };",
    );
    let ask = |step_up| Request {
        kind: Kind::Operator,
        step_up,
        ..request("key.create")
    };
    let proof = |age_s, strength| Some(StepUp { age_s, strength });
    let permits = |step_up| matches!(&*set.decide(&ask(step_up)), Verdict::Permitted(_));
    assert!(permits(proof(299, "passkey")));
    assert!(!permits(proof(300, "passkey")));
    assert!(!permits(proof(299, "otp")));
    assert!(!permits(None));
}

#[test]
fn hours_and_days_are_those_of_the_calendar_in_utc() {
    assert_eq!((hour(NOW_US), day(NOW_US)), (10, 4));
    assert_eq!((hour(0), day(0)), (0, 4));
    let monday_us = NOW_US + (3 * 24 + 14) * 3_600_000_000 - 1;
    assert_eq!((hour(monday_us), day(monday_us)), (23, 7));
    assert_eq!((hour(monday_us + 1), day(monday_us + 1)), (0, 1));
}
