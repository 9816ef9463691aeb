//! A form is read or refused; what is read and written again reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringfence_wire::form::{decode, pairs, without};

fuzz_target!(|text: &str| {
    let read: Result<Vec<_>, _> = pairs(text, Some("signature")).collect();
    let Ok(read) = read else { return };
    let mut rest = String::new();
    without(text, "signature", &mut rest);
    let kept: Vec<_> = pairs(&rest, None).map(Result::unwrap).collect();
    let expected = read.iter().filter(|pair| pair.name != "signature");
    assert!(kept.iter().eq(expected));
    for pair in read {
        let mut decoded = String::new();
        if decode(pair.value, &mut decoded).is_ok() {
            assert!(pair.escaped || decoded == pair.value);
            assert!(!decoded.chars().any(char::is_control));
        }
    }
});
