//! Whatever is said on a trading channel is answered in JSON, and without a key nothing that needs one is permitted.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/ringfence-wire/tests/shipped/mod.rs"]
mod shipped;

use shipped::attempt::ARENAS;
use shipped::channel::{Came, hear};

fuzz_target!(|input: (u8, &str)| {
    let (number, text) = input;
    let mut channels: Vec<_> = ARENAS.iter().collect();
    channels.retain(|arena| arena.dialect.routes().any(|route| route.channel));
    let arena = channels[usize::from(number) % channels.len()];
    match hear(&arena.dialect, &arena.core, text) {
        Ok(Came::Asked(meaning)) => assert!(!meaning.operation.needs_credential()),
        Ok(Came::Session(key)) => panic!("a session of {key} that nobody signed"),
        Ok(Came::Own) | Err(_) => {}
    }
});
