//! A signed message that somebody without the key changes is refused by every shipped dialect, or means the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/ringfence-wire/tests/shipped/mod.rs"]
mod shipped;

use shipped::attempt::ARENAS;

/// Which part is changed, where (of 65,536), how much goes, and what comes in its place.
type Edit<'a> = (u8, u16, u8, &'a str);

fn change(text: &mut String, (_, at, gone, put): Edit<'_>) {
    let from = text.len() * usize::from(at) / 65_536;
    let to = text.len().min(from + usize::from(gone % 4));
    if text.is_char_boundary(from) && text.is_char_boundary(to) {
        text.replace_range(from..to, put);
    }
}

fuzz_target!(|input: (u8, u16, Vec<Edit<'_>>)| {
    let (number, route, edits) = input;
    let arena = &ARENAS[usize::from(number) % ARENAS.len()];
    let Some((sent, meaning)) = arena.signed(usize::from(route)) else {
        return;
    };
    let mut changed = sent.clone();
    for edit in edits {
        let fields = changed.headers.len();
        match edit.0 % 5 {
            0 => change(&mut changed.method, edit),
            1 => change(&mut changed.path, edit),
            2 => change(&mut changed.query, edit),
            3 => change(&mut changed.body, edit),
            _ if fields > 0 => change(&mut changed.headers[usize::from(edit.0) % fields].1, edit),
            _ => {}
        }
    }
    arena.changed(&meaning, &sent, &changed);
});
