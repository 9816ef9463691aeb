//! A verdict is what Cedar's own authorizer says of all policies at once, whatever is indexed, compiled or kept.

use std::net::IpAddr;
use std::sync::Arc;

use cedar_policy::{
    AuthorizationError, Authorizer, Decision, Entities, Entity, PolicySet as CedarSet,
};
use proptest::prelude::*;
use proptest::sample::select;
use ringfence_core::operation::Scopes;
use ringfence_core::policy::StepUp;
use ringfence_core::principal::{Above, Kind};

use super::{NOW_US, set};
use crate::action::{self, Action};
use crate::part::Part;
use crate::request::{Funds, Order, Request, word};
use crate::set::{PolicySet, Verdict};

/// All policies of a set, as Cedar takes them, and the actions of the schema.
fn whole(set: &PolicySet) -> (CedarSet, Entities) {
    let policies = set.policies().iter().map(|w| w.policy.clone());
    let actions = action::schema().unwrap().action_entities().unwrap();
    (CedarSet::from_policies(policies).unwrap(), actions)
}

/// Asks Cedar about every policy, with the whole context.
fn cedar((policies, actions): &(CedarSet, Entities), request: &Request<'_>) -> Verdict {
    let uid = |kind, name: &str| action::uid(word(kind), name).unwrap();
    let principal = uid(request.kind, request.principal);
    let above = request.above.iter().map(|a| uid(a.kind, &a.name));
    let own = Entity::new_no_attrs(principal.clone(), above.collect());
    let entities: Entities = actions.clone().add_entities([own], None).unwrap();
    let resource = match request.instrument {
        Some(instrument) => action::uid("Instrument", instrument).unwrap(),
        None => action::uid("Venue", "venue").unwrap(),
    };
    let context = request.context(&Part::all().collect::<Vec<_>>()).unwrap();
    let question = cedar_policy::Request::new(
        principal,
        request.action.uid().unwrap(),
        resource,
        context,
        None,
    );
    let response = Authorizer::new().is_authorized(&question.unwrap(), policies, &entities);
    let sorted = |ids: Vec<String>| {
        let mut ids: Vec<Arc<str>> = ids.into_iter().map(Arc::from).collect();
        ids.sort();
        ids
    };
    let failed = response.diagnostics().errors().map(|error| match error {
        AuthorizationError::PolicyEvaluationError(e) => e.policy_id().to_string(),
    });
    let failed = sorted(failed.collect());
    let reasons = sorted(
        response
            .diagnostics()
            .reason()
            .map(ToString::to_string)
            .collect(),
    );
    match (failed.is_empty(), response.decision(), reasons.is_empty()) {
        (false, ..) => Verdict::Failed(failed),
        (true, Decision::Allow, _) => Verdict::Permitted(reasons),
        (true, Decision::Deny, false) => Verdict::Forbidden(reasons),
        (true, Decision::Deny, true) => Verdict::Unpermitted,
    }
}

/// What heads say of each of the three, and which actions of a context that a condition needs.
const PRINCIPALS: [&str; 9] = [
    "principal",
    "principal",
    "principal == Account::\"a\"",
    "principal == Service::\"a\"",
    "principal in Organisation::\"o\"",
    "principal in Account::\"d\"",
    "principal is Account",
    "principal is Account in Organisation::\"o\"",
    "principal is Operator",
];
const ACTIONS: [&str; 5] = [
    "action",
    "action == Action::\"order.place\"",
    "action in Action::\"changes-state\"",
    "action in [Action::\"order.place\", Action::\"moves-funds\", Action::\"account.read\"]",
    "action in Action::\"reduces-risk\"",
];
const RESOURCES: [&str; 5] = [
    "resource",
    "resource",
    "resource == Instrument::\"X\"",
    "resource is Instrument",
    "resource is Venue",
];

/// Conditions that every action has the parts for.
const ATOMS: [&str; 44] = [
    "true",
    "false",
    "context.certificate",
    "context.certificate == true",
    "context.certificate == (context.hour == 3)",
    "context.coverage == \"native\"",
    "\"venue\" == context.coverage",
    "context.coverage != context.transport",
    "[\"venue\", \"other\"].contains(context.coverage)",
    "context.transport like \"http*\"",
    "context.transport like \"*/?\"",
    "context.credential == Credential::\"k1\"",
    "[Credential::\"k1\", Credential::\"k2\"].contains(context.credential)",
    "context.algorithm == \"ed25519\"",
    "context.scopes.contains(\"trade\")",
    "context.scopes.contains(\"nothing\")",
    "context.scopes.containsAll([\"trade\", \"withdraw\"])",
    "context.scopes.containsAny([\"withdraw\", \"nothing\"])",
    "context.scopes == [\"trade\"]",
    "context.scopes.isEmpty()",
    "context.hour < 8",
    "8 <= context.hour",
    "context.hour > context.day",
    "[1, 4].contains(context.day)",
    "context.day == 4",
    "context.time - 1 < 1795687200000000",
    "context.time * 6 > 0",
    "-context.hour < -(3)",
    "context.time + 9223372036854775807 > context.hour",
    "context.address.isInRange(ip(\"10.0.0.0/8\"))",
    "context.address.isInRange(ip(\"10.1.255.255/9\"))",
    "context.address.isInRange(ip(\"::/0\"))",
    "context.address == ip(\"10.1.1.1\")",
    "context.address == ip(\"10.1.1.1/8\")",
    "context.address.isIpv4()",
    "context.address.isLoopback()",
    "context.address.isMulticast()",
    "principal == Account::\"a\"",
    "principal in [Organisation::\"p\", Organisation::\"o\"]",
    "principal is Service",
    "action == Action::\"order.place\"",
    "action in [Action::\"carries-order\", Action::\"account.read\"]",
    "context has stepUp && context.stepUp.age < 60",
    "context has stepUp.strength && context.stepUp.strength == \"totp\"",
];
/// Conditions of orders, with which the head asks for them; and of funds.
const ORDERS: [&str; 9] = [
    "context has order",
    "context has order && context.order.amends",
    "context has order.side && context.order.side == \"BUY\"",
    "context has order && context.order has side && [\"BUY\", \"SELL\"].contains(context.order.side)",
    "context has order && context.order has notional && context.order.notional.greaterThan(decimal(\"2.5\"))",
    "context has order.price && context.order.price.lessThanOrEqual(decimal(\"2.5\"))",
    "context has order.price && decimal(\"2.5\").lessThan(context.order.price)",
    "resource in [Instrument::\"X\", Instrument::\"Y\"]",
    "resource == Instrument::\"Y\"",
];
const FUNDS: [&str; 3] = [
    "context has funds && context.funds has asset && context.funds.asset == \"BTC\"",
    "context has funds.amount && !context.funds.amount.greaterThan(decimal(\"1.0\"))",
    "resource == Venue::\"venue\"",
];

fn condition(atoms: Vec<&'static str>) -> impl Strategy<Value = String> {
    let atom = select(atoms).prop_map(str::to_owned);
    atom.prop_recursive(3, 8, 3, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            3 => pair.clone().prop_map(|(a, b)| format!("({a}) && ({b})")),
            2 => pair.clone().prop_map(|(a, b)| format!("({a}) || ({b})")),
            1 => inner.clone().prop_map(|a| format!("!({a})")),
            1 => (inner.clone(), pair).prop_map(|(a, (b, c))| format!("if {a} then {b} else {c}")),
        ]
    })
}

fn policy() -> impl Strategy<Value = String> {
    let with = |more: &[&'static str]| [&ATOMS[..], more].concat();
    let body = prop_oneof![
        2 => (select(&ACTIONS[..]), select(&RESOURCES[..]), condition(with(&[]))),
        2 => (Just("action in Action::\"carries-order\""), select(&RESOURCES[..4]), condition(with(&ORDERS))),
        1 => (Just("action in Action::\"moves-funds\""), Just("resource"), condition(with(&FUNDS))),
    ];
    let clause = select(vec!["when", "when", "unless"]);
    let effect = select(vec!["permit", "forbid"]);
    (effect, select(&PRINCIPALS[..]), body, clause).prop_map(
        |(effect, principal, (action, resource, condition), clause)| {
            format!("{effect}({principal}, {action}, {resource}) {clause} {{ {condition} }};")
        },
    )
}

#[derive(Clone, Debug)]
struct Asked {
    operation: &'static str,
    kind: Kind,
    names: [&'static str; 4],
    above: Vec<Above>,
    scopes: Vec<&'static str>,
    address: &'static str,
    now_us: u64,
    certificate: bool,
    coverage: &'static str,
    step_up: Option<(u64, &'static str)>,
    parts: [Option<i64>; 2],
    side: Option<&'static str>,
    is_there: bool,
}

fn asked() -> impl Strategy<Value = Asked> {
    let operation = select(vec![
        "order.place",
        "order.amend",
        "order.cancel",
        "withdraw.create",
        "account.read",
        "key.create",
    ]);
    let above = |kind, name: &str| Above {
        kind,
        name: name.into(),
    };
    let standing = select(vec![
        vec![],
        vec![above(Kind::Organisation, "o")],
        vec![above(Kind::Account, "d"), above(Kind::Organisation, "p")],
        vec![above(Kind::Account, "d"), above(Kind::Organisation, "o")],
    ]);
    let names = (
        select(vec!["a", "b"]),
        select(vec!["X", "Y", "Z"]),
        select(vec!["k1", "k2", "k3"]),
        select(vec!["http/1.1", "h2", "native"]),
    );
    let time = select(vec![
        0,
        NOW_US,
        NOW_US + 1,
        NOW_US + 50 * 3_600_000_000,
        NOW_US - 7 * 3_600_000_000,
    ]);
    let number = || select(vec![None, Some(0), Some(25_000), Some(25_001)]);
    (
        (
            operation,
            select(vec![Kind::Account, Kind::Service, Kind::Operator]),
            names,
            standing,
        ),
        (
            select(vec![vec![], vec!["trade"], vec!["trade", "withdraw"]]),
            select(vec![
                "10.1.1.1",
                "10.200.0.1",
                "127.0.0.1",
                "224.0.0.1",
                "::1",
                "::ffff:10.1.1.1",
                "2001:db8::1",
            ]),
        ),
        (
            time,
            any::<bool>(),
            select(vec!["venue", "native"]),
            select(vec![None, Some((59, "totp")), Some((60, "passkey"))]),
        ),
        (
            [number(), number()],
            select(vec![None, Some("BUY"), Some("BTC")]),
            any::<bool>(),
        ),
    )
        .prop_map(
            |(
                (operation, kind, names, above),
                (scopes, address),
                (now_us, certificate, coverage, step_up),
                (parts, side, is_there),
            )| Asked {
                operation,
                kind,
                names: names.into(),
                above,
                scopes,
                address,
                now_us,
                certificate,
                coverage,
                step_up,
                parts,
                side,
                is_there,
            },
        )
}

impl Asked {
    fn request(&self) -> Request<'_> {
        let action = Action::parse(self.operation).unwrap();
        let [principal, instrument, credential, transport] = self.names;
        let [price, notional] = self.parts;
        let order = Order {
            side: self.side,
            price,
            notional,
            amends: self.certificate,
            ..Order::default()
        };
        let funds = Funds {
            asset: self.side,
            amount: price,
            ..Funds::default()
        };
        Request {
            kind: self.kind,
            principal,
            above: &self.above,
            action,
            instrument: action.carries_order().then_some(instrument),
            credential,
            scopes: Scopes::parse(self.scopes.iter().copied()).unwrap(),
            algorithm: "ed25519",
            address: self.address.parse::<IpAddr>().unwrap(),
            now_us: self.now_us,
            coverage: self.coverage,
            certificate: self.certificate,
            transport,
            step_up: self
                .step_up
                .map(|(age_s, strength)| StepUp { age_s, strength }),
            order: (self.is_there && action.carries_order()).then_some(order),
            funds: (self.is_there && action.moves_funds()).then_some(funds),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_verdict_is_what_cedar_says_of_all_policies(
        texts in prop::collection::vec(policy(), 1..12),
        asked in prop::collection::vec(asked(), 24),
    ) {
        let set = set(&format!("permit(principal, action, resource);\n{}", texts.join("\n")));
        let whole = whole(&set);
        for asked in &asked {
            let request = asked.request();
            let wanted = cedar(&whole, &request);
            prop_assert_eq!(&set.evaluate(&request), &wanted, "evaluated: {:?}", request);
            prop_assert_eq!(&*set.decide(&request), &wanted, "kept: {:?}", request);
        }
    }
}

/// `RINGFENCE_CASES` asks for more than the quick form.
fn cases() -> u32 {
    let said = std::env::var("RINGFENCE_CASES");
    said.map_or(64, |cases| cases.parse().unwrap())
}
