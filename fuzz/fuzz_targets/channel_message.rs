//! Whatever is said on a trading channel is answered in JSON, and without a key nothing that needs one is permitted.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/ringfence-wire/tests/shipped/mod.rs"]
mod shipped;

use shipped::attempt::ARENAS;

fuzz_target!(|input: (u8, &str)| {
    let (number, text) = input;
    let channels: Vec<_> = ARENAS.iter().filter(|arena| arena.has_channel()).collect();
    channels[usize::from(number) % channels.len()].frame(text);
});
