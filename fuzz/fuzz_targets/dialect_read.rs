//! Any message is read or refused, and what is forwarded reads as what was read.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ringfence_core::refusal::Code;
use ringfence_wire::{Dialect, Head, Reading, Route, Scratch};
use serde_json::{Value, json};

static DIALECT: LazyLock<Dialect> = LazyLock::new(|| {
    let text = include_str!("../../crates/ringfence-wire/tests/data/compact.json");
    let mut written: Value = serde_json::from_str(text).unwrap();
    for code in Code::ALL {
        written["errors"]["by_code"][code.as_str()] =
            json!({"status": 400, "code": -1, "message": "{hint}"});
    }
    Dialect::from_json(&written).unwrap()
});

// The input: the route's number, then query, body, media type and key between zero bytes.
fuzz_target!(|input: (u8, &[u8])| {
    let (number, rest) = input;
    let routes: Vec<_> = DIALECT.routes().collect();
    let route = routes[usize::from(number) % routes.len()];
    let mut parts = rest.split(|byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (query, body, content_type, key) = (part(), part(), part(), part());
    let Ok(query) = std::str::from_utf8(query) else {
        return;
    };
    let text = |bytes| {
        std::str::from_utf8(bytes)
            .ok()
            .filter(|text| !text.is_empty())
    };
    let head = Head {
        method: &route.method,
        path: &route.path,
        query,
        content_type: text(content_type),
        key: text(key),
        headers: None,
        secure: false,
        session: false,
    };
    let mut scratch = Scratch::default();
    let Ok(reading) = DIALECT.read(route, &head, body, &mut scratch) else {
        return;
    };
    let told = tell(&reading);
    let signed = reading.claim.is_some();
    again(route, &head, body, &told, signed);
});

fn tell(reading: &Reading<'_>) -> String {
    let claim = reading
        .claim
        .map(|claim| (claim.key_id, claim.payload, claim.stamp));
    format!("{claim:?} {:?} {:?}", reading.orders, reading.cost)
}

fn again(route: &Route, head: &Head<'_>, body: &[u8], told: &str, signed: bool) {
    let outgoing = DIALECT.forward(route, head, body);
    let (path, query) = outgoing
        .target
        .split_once('?')
        .unwrap_or((&outgoing.target, ""));
    let mut query = query.to_owned();
    if signed {
        let mark = if query.is_empty() { "" } else { "&" };
        query = format!("{query}{mark}signature=aa");
    }
    let head = Head {
        path,
        query: &query,
        ..*head
    };
    let mut scratch = Scratch::default();
    let reading = DIALECT
        .read(route, &head, &outgoing.body, &mut scratch)
        .unwrap();
    assert_eq!(tell(&reading), told);
}
