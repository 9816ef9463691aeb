//! A header of the PROXY protocol is read alike whole and byte by byte, and nothing behind it is taken.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringfence_wire::proxy::{Parsed, parse};

fuzz_target!(|bytes: &[u8]| {
    let mut found = None;
    for taken in 0..=bytes.len() {
        match parse(&bytes[..taken]) {
            Ok(Parsed::Partial(missing)) => assert!(missing > 0 && found.is_none()),
            said => {
                if let Ok(Parsed::Whole { length, .. }) = said {
                    assert!(length <= taken);
                }
                assert_eq!(*found.get_or_insert(said), said);
            }
        }
    }
});
