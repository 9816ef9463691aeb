//! What policies say is what happens; what cannot be exact, or judged, is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cached;
mod cedar;
mod compile;
mod decide;
mod live;
mod standing;

use std::net::IpAddr;

use ringfence_core::operation::Scopes;
use ringfence_core::principal::Kind;

use crate::action::Action;
use crate::request::{Order, Request};
use crate::set::{Definition, PolicySet};
use crate::source::{Problem, Source};

/// 2026-11-26T10:00:00Z, a Thursday.
const NOW_US: u64 = 1_795_687_200_000_000;

fn definition(text: &str) -> Definition {
    Definition {
        files: vec![Source {
            file: "a.cedar".into(),
            text: text.into(),
        }],
    }
}

fn set(text: &str) -> PolicySet {
    PolicySet::compile(definition(text)).unwrap()
}

fn problems(text: &str) -> Vec<Problem> {
    PolicySet::compile(definition(text)).unwrap_err()
}

fn request(operation: &str) -> Request<'static> {
    let action = Action::parse(operation).unwrap();
    Request {
        kind: Kind::Account,
        principal: "alice",
        above: &[],
        action,
        instrument: action.carries_order().then_some("BTCUSDT"),
        credential: "key",
        scopes: Scopes::parse(["trade", "withdraw"]).unwrap(),
        algorithm: "ed25519",
        address: IpAddr::from([192, 0, 2, 1]),
        now_us: NOW_US,
        coverage: "venue",
        certificate: false,
        transport: "http/1.1",
        step_up: None,
        order: None,
        funds: None,
    }
}

fn order(notional: i64) -> Request<'static> {
    let order = Order {
        side: Some("BUY"),
        kind: Some("LIMIT"),
        price: Some(notional),
        quantity: Some(10_000),
        notional: Some(notional),
        amends: false,
    };
    Request {
        order: Some(order),
        ..request("order.place")
    }
}
