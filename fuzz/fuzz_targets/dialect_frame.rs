//! Whatever WebSocket message somebody without a key makes up, no shipped dialect takes it for a logon.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/ringfence-wire/tests/shipped/mod.rs"]
mod shipped;

use shipped::attempt::ARENAS;

fuzz_target!(|input: (u8, &str)| {
    let (number, text) = input;
    ARENAS[usize::from(number) % ARENAS.len()].frame(text);
});
