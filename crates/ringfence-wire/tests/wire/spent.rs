//! A signature that was used to change something fits no other route of its dialect, whatever the scheme leaves unsigned.

use std::collections::BTreeSet;

use crate::shipped::attempt::{KEY_ID, NOW_US, fitting, path, sign, signing};
use crate::shipped::channel::{Came, hear};
use crate::shipped::suite::{Captured, frames};
use crate::shipped::{Sent, core, dialects};
use ringfence_core::mode::Mode;
use ringfence_core::operation::Operation;
use ringfence_core::refusal::Code;
use ringfence_core::sign::SigningKey;
use ringfence_wire::{Dialect, Route, Scratch};

/// Dialects in which a signature fits a route that it was not made for: those that sign neither method nor path.
const OPEN: [&str; 5] = ["binance", "binance-usdm", "bybit", "mexc", "mexc-contract"];

/// Returns a signed message to `route` that says nothing more.
fn signed(dialect: &Dialect, route: &Route, key: &SigningKey) -> Option<Sent> {
    let draft = Sent {
        method: route.method.to_string(),
        path: path(route),
        ..Sent::default()
    };
    sign(dialect, key, &draft)
}

/// What became of a spent signature.
#[derive(Default)]
struct Became {
    /// On the route that it was made for.
    again: BTreeSet<Option<Code>>,
    /// On every other one.
    elsewhere: BTreeSet<Option<Code>>,
}

/// Sends a message to each route that changes something, and then its signature to every route.
fn replayed(dialect: &Dialect, freshness: Mode) -> Option<Became> {
    let pair = fitting(dialect)?;
    let mut became = Became::default();
    for spending in signing(dialect).filter(|route| route.operation.spends()) {
        let core = core(KEY_ID, pair.verifying(), freshness);
        let Some(sent) = signed(dialect, spending, &pair.signing()) else {
            continue;
        };
        // Where a route asks for parameters, the message is refused before it is fresh: nothing is spent.
        if sent.decide(dialect, &core, Some(NOW_US)).is_err() {
            continue;
        }
        for other in signing(dialect) {
            let moved = Sent {
                method: other.method.to_string(),
                path: path(other),
                ..sent.clone()
            };
            let refused = moved.decide(dialect, &core, Some(NOW_US)).err();
            if other.id == spending.id {
                became.again.insert(refused);
            } else {
                became.elsewhere.insert(refused);
            }
        }
    }
    Some(became)
}

#[test]
fn a_spent_signature_is_refused_on_every_route_of_its_dialect() {
    for (name, dialect) in dialects() {
        let Some(Became { again, elsewhere }) = replayed(&dialect, Mode::Enforce) else {
            continue;
        };
        assert_eq!(again, BTreeSet::from([Some(Code::ReplaySeen)]), "{name}");
        assert!(!elsewhere.contains(&None), "{name}: {elsewhere:?}");
        let fits = elsewhere.contains(&Some(Code::ReplaySeen));
        assert_eq!(fits, OPEN.contains(&&*name), "{name}: {elsewhere:?}");
    }
}

/// Nothing but the replay memory closes those holes: with it off, one signature does what it was not made for.
#[test]
fn the_replay_memory_is_what_refuses_it() {
    for (name, dialect) in dialects() {
        let Some(Became { again, elsewhere }) = replayed(&dialect, Mode::Off) else {
            continue;
        };
        assert_eq!(again, BTreeSet::from([None]), "{name}");
        assert_eq!(elsewhere.contains(&None), OPEN.contains(&&*name), "{name}");
    }
}

/// Binance signs a message's parameters and not what it asks. The suite has one that places an order.
#[test]
fn a_message_spent_on_a_channel_is_refused_under_another_name() {
    let dialect = &dialects()["binance"];
    let placed = |one: &Captured<String>| one.message.contains("order.place");
    let Some(one) = frames().into_iter().find(placed) else {
        return;
    };
    let mut scratch = Scratch::default();
    let read = dialect.read_frame(&one.message, &mut scratch).unwrap();
    let (_, claim) = read.unwrap();
    let now_us = claim.stamp.time_us;
    let renamed = one.message.replace("order.place", "order.test");
    for (mode, wanted) in [
        (Mode::Enforce, Err(Code::ReplaySeen)),
        (Mode::Off, Ok(Some(Operation::OrderTest))),
    ] {
        let core = core(claim.key_id, (one.key)(), mode);
        let operation = |text| match hear(dialect, &core, text, Some(now_us)) {
            Ok(Came::Asked(meaning)) => Ok(Some(meaning.operation)),
            Ok(Came::Session { .. } | Came::Own) => Ok(None),
            Err((code, _)) => Err(code),
        };
        assert_eq!(operation(&one.message), Ok(Some(Operation::OrderPlace)));
        assert_eq!(operation(&renamed), wanted);
    }
}
