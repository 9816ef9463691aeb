//! A signed note and a checkpoint are read or refused; a checkpoint that is read writes itself again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringfence_ledger::checkpoint::Checkpoint;
use ringfence_ledger::{VerifierKey, note};

fuzz_target!(|bytes: &[u8]| {
    let text = note::text(bytes);
    let key = VerifierKey::new("fuzz", [7; 32]).unwrap();
    // Nobody here can sign.
    assert!(note::verify(bytes, &key).is_err());
    if let Ok(text) = text
        && let Some(checkpoint) = Checkpoint::parse(text)
    {
        assert_eq!(checkpoint.text(), text);
    }
});
