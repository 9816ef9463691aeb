//! Whatever somebody without a key makes up, every shipped dialect reads or refuses it; nothing is permitted.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/ringfence-wire/tests/shipped/mod.rs"]
mod shipped;

use shipped::Sent;
use shipped::attempt::{ARENAS, KEY_ID, path};

// The input: numbers of dialect and route, then query, body, media type and header values between zero bytes.
fuzz_target!(|input: (u8, u16, &[u8])| {
    let (number, route, rest) = input;
    let arena = &ARENAS[usize::from(number) % ARENAS.len()];
    let Some(route) = arena.route(usize::from(route)) else {
        return;
    };
    let Ok(rest) = std::str::from_utf8(rest) else {
        return;
    };
    let mut parts = rest.split('\0').map(str::to_owned);
    let mut part = || parts.next().unwrap_or_default();
    let (query, body) = (part(), part());
    let mut headers = vec![("content-type".to_owned(), part())];
    for (what, place) in arena.dialect.describe().unwrap().places {
        if let Some((_, name)) = place.split_once("header ") {
            let value = if what == "key" {
                KEY_ID.to_owned()
            } else {
                part()
            };
            headers.push((name.to_owned(), value));
        }
    }
    headers.sort();
    headers.dedup_by(|a, b| a.0 == b.0);
    arena.unsigned(&Sent {
        method: route.method.to_string(),
        path: path(route),
        query,
        headers,
        body,
    });
});
