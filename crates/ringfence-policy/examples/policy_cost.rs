//! Prints what a decision of the policies costs, kept and not, by how many policies there are and how they are written.
//!
//! `cargo run --release -p ringfence-policy --example policy_cost [-- --json]`

#![allow(clippy::unwrap_used)]
#![allow(missing_docs)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::IpAddr;
use std::time::Instant;

use ringfence_core::operation::Scopes;
use ringfence_core::principal::Kind;
use ringfence_policy::action::Action;
use ringfence_policy::request::{Order, Request};
use ringfence_policy::set::{Definition, PolicySet};
use ringfence_policy::source::Source;

const ROUNDS: usize = 20_000;
const SHAPES: [&str; 5] = [
    "instrument in the head",
    "account in the head",
    "a name in `when`",
    "no name at all",
    "sums of the time",
];

/// How `count` policies may be written.
fn text(shape: &str, count: usize) -> String {
    let mut text = String::from("permit(principal, action, resource);\n");
    for n in 1..count {
        let _ = match shape {
            // A bound for each of so many instruments: one of them is about a request.
            "instrument in the head" => writeln!(
                text,
                "forbid(principal, action in Action::\"carries-order\", resource == Instrument::\"I{n}\") unless \
                 {{ context has order.notional && context.order.notional.lessThanOrEqual(decimal(\"{n}000.0\")) }};"
            ),
            // Addresses of each of so many accounts.
            "account in the head" => writeln!(
                text,
                "forbid(principal == Account::\"a{n}\", action, resource) unless \
                 {{ context.address.isInRange(ip(\"10.0.0.0/8\")) }};"
            ),
            // A name in the condition.
            "a name in `when`" => writeln!(
                text,
                "forbid(principal, action, resource) when {{ context.hour < 12 && \
                 context.credential == Credential::\"k{n}\" }};"
            ),
            // Nothing tells them apart: each is asked, all of it.
            "no name at all" => writeln!(
                text,
                "forbid(principal, action, resource) unless {{ context.hour < 24 && context.coverage != \"c{n}\" && \
                 context.address.isInRange(ip(\"10.0.0.0/8\")) }};"
            ),
            // What is reckoned with, and so never kept.
            _ => writeln!(
                text,
                "forbid(principal, action, resource) when {{ context.time + {n} < 1000000 }};"
            ),
        };
    }
    text
}

fn set(shape: &str, count: usize) -> PolicySet {
    PolicySet::compile(Definition {
        files: vec![Source {
            file: "cost.cedar".into(),
            text: text(shape, count),
        }],
    })
    .unwrap()
}

fn request(n: usize) -> Request<'static> {
    let notional = 10_000 * n as i64;
    Request {
        kind: Kind::Account,
        principal: "a7",
        above: &[],
        action: Action::parse("order.place").unwrap(),
        instrument: Some("I7"),
        credential: "somebody",
        scopes: Scopes::parse(["trade"]).unwrap(),
        algorithm: "ed25519",
        address: IpAddr::from([10, 0, 0, 1]),
        now_us: 1_795_687_200_000_000 + n as u64,
        coverage: "venue",
        certificate: false,
        transport: "http/1.1",
        step_up: None,
        order: Some(Order {
            side: Some("BUY"),
            kind: Some("LIMIT"),
            price: Some(notional),
            quantity: Some(10_000),
            notional: Some(notional % 70_000_000),
            amends: false,
        }),
        funds: None,
    }
}

/// Returns the median and the 99th percentile in nanoseconds.
fn measure(mut ask: impl FnMut(&Request<'_>)) -> (u128, u128) {
    let mut spent: Vec<_> = (0..ROUNDS)
        .map(|n| {
            let request = request(n);
            let start = Instant::now();
            ask(black_box(&request));
            start.elapsed().as_nanos()
        })
        .collect();
    spent.sort_unstable();
    (spent[ROUNDS / 2], spent[ROUNDS * 99 / 100])
}

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    for shape in SHAPES {
        for count in [10, 100, 1000] {
            let set = set(shape, count);
            let fresh = measure(|request| drop(black_box(set.evaluate(request))));
            let kept = measure(|request| drop(black_box(set.decide(request))));
            if json {
                println!(
                    "{{\"shape\": \"{shape}\", \"policies\": {count}, \"fresh_p50_ns\": {}, \"fresh_p99_ns\": {}, \
                     \"kept_p50_ns\": {}, \"kept_p99_ns\": {}, \"kept\": {}}}",
                    fresh.0,
                    fresh.1,
                    kept.0,
                    kept.1,
                    !set.cache().is_empty()
                );
            } else {
                println!(
                    "{count:5} policies, {shape:22} evaluated p50 {:7} ns p99 {:7} ns; kept p50 {:5} ns p99 {:5} ns",
                    fresh.0, fresh.1, kept.0, kept.1
                );
            }
        }
    }
}
