//! Receipts, policies and witness requests are read or refused; what is read has one spelling.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringfence_ledger::policy::Policy;
use ringfence_ledger::receipt::Receipt;
use ringfence_ledger::tile::Tile;
use ringfence_ledger::witness::AddCheckpoint;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(receipt) = Receipt::parse(bytes) {
        assert_eq!(receipt.text(), bytes);
    }
    if let Ok(request) = AddCheckpoint::parse(bytes) {
        assert!(bytes.ends_with(&request.note));
        assert!(request.text.starts_with(&request.checkpoint.text()));
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(tile) = Tile::parse(text)
    {
        assert_eq!(tile.to_string(), text);
    }
    let _ = Policy::parse(bytes);
});
