//! Receipts, requests, tile paths and policies of any bytes are read or refused, never a panic; what
//! is read has one spelling.

use crate::support::{ORIGIN, key, verifier};
use proptest::prelude::*;
use ringfence_ledger::checkpoint::Checkpoint;
use ringfence_ledger::note;
use ringfence_ledger::policy::Policy;
use ringfence_ledger::receipt::Receipt;
use ringfence_ledger::tile::{Shelf, Tile};
use ringfence_ledger::witness::AddCheckpoint;

fn signed(size: u64) -> Vec<u8> {
    let (origin, root) = (ORIGIN.into(), [7; 32]);
    let checkpoint = Checkpoint { origin, size, root };
    note::sign(&checkpoint.text(), &key(), &verifier()).into_bytes()
}

fn receipts() -> impl Strategy<Value = Receipt> {
    let extra = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..80));
    let proof = proptest::collection::vec(any::<[u8; 32]>(), 0..=64);
    (extra, any::<u64>(), proof, any::<u64>()).prop_map(|(extra, index, proof, size)| Receipt {
        extra,
        index,
        proof,
        note: signed(size),
    })
}

fn altered(mut bytes: Vec<u8>, edits: &[(usize, u8)]) -> Vec<u8> {
    for (at, byte) in edits {
        let at = at % bytes.len();
        bytes[at] = *byte;
    }
    bytes
}

proptest! {
    #[test]
    fn a_receipt_comes_back_as_it_was(receipt in receipts()) {
        prop_assert_eq!(Receipt::parse(&receipt.text()), Ok(receipt));
    }

    #[test]
    fn what_is_read_of_altered_bytes_has_one_spelling(
        receipt in receipts(),
        edits in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4),
    ) {
        let bytes = altered(receipt.text(), &edits);
        if let Ok(read) = Receipt::parse(&bytes) {
            prop_assert_eq!(read.text(), bytes);
        }
        let request = [b"old 3\n\n".as_slice(), &receipt.note].concat();
        let bytes = altered(request, &edits);
        if let Ok(read) = AddCheckpoint::parse(&bytes) {
            prop_assert!(bytes.ends_with(&read.note));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Receipt::parse(&bytes);
        let _ = AddCheckpoint::parse(&bytes);
        let _ = Policy::parse(&bytes);
        let _ = Tile::parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_tile_s_path_comes_back_as_it_was(
        level in proptest::option::of(0_u8..64),
        index in any::<u64>(),
        width in 1_u16..=256,
    ) {
        let shelf = level.map_or(Shelf::Entries, Shelf::Level);
        let tile = Tile { shelf, index, width };
        prop_assert_eq!(Tile::parse(&tile.to_string()), Some(tile));
    }
}
