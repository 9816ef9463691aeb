//! An entry is canonical JSON or refused; whatever is canonical is JSON to others too, and has one spelling.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringfence_ledger::canonical::check;
use serde_json::Value;

fuzz_target!(|entry: &[u8]| {
    if check(entry).is_ok() {
        let value: Value = serde_json::from_slice(entry).unwrap();
        // serde_json sorts keys by UTF-8 and RFC 8785 by UTF-16: they agree below U+E000.
        let text = std::str::from_utf8(entry).unwrap();
        if text.chars().all(|c| c < '\u{e000}') {
            assert_eq!(serde_json::to_vec(&value).unwrap(), entry);
        }
    }
});
