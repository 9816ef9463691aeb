//! A receipt proves one entry with nothing but the log's public key; a changed one proves nothing.

use std::fs;
use std::path::Path;

use crate::support::{ORIGIN, Running, answered, intent, verifier};
use ringfence_ledger::policy::Policy;
use ringfence_ledger::receipt::{Receipt, ReceiptError};
use ringfence_ledger::{
    Durability, LedgerError, SigningKey, find_message, note, proof, prove, prove_growth, publish,
};

/// Orders and their outcomes, `count` of each.
fn log(directory: &Path, count: usize) {
    let running = Running::open(directory);
    let mut last = None;
    for at in 0..count {
        let message = format!("0badcafe-{at}");
        for entry in [intent(&message), answered(&message)] {
            last = Some(running.ledger.append(&entry, Durability::Relaxed).unwrap());
        }
    }
    running.settled(last.unwrap());
    running.ledger.close().unwrap();
}

#[test]
fn every_entry_has_a_receipt_that_verifies_offline() {
    let directory = tempfile::tempdir().unwrap();
    log(directory.path(), 300);
    for index in (0..600).step_by(7).chain([255, 256, 511, 512, 599]) {
        let receipt = prove(directory.path(), index).unwrap();
        let text = receipt.text();
        let parsed = Receipt::parse(&text).unwrap();
        assert_eq!(parsed, receipt);
        let proven = parsed.verify(&verifier(), None).unwrap();
        assert_eq!((proven.index, proven.checkpoint.size), (index, 600));
        let message = format!("0badcafe-{}", index / 2);
        let entry = String::from_utf8(proven.entry).unwrap();
        assert!(entry.contains(&message), "{entry}");
        // The entry may also come from elsewhere.
        let bare = Receipt {
            extra: None,
            ..parsed
        };
        assert_eq!(bare.verify(&verifier(), None), Err(ReceiptError::NoEntry));
        assert!(bare.verify(&verifier(), Some(entry.as_bytes())).is_ok());
        let other = entry.replace("cafe", "beef");
        let refused = bare.verify(&verifier(), Some(other.as_bytes()));
        assert_eq!(refused, Err(ReceiptError::NotIncluded));
    }
    assert!(matches!(
        prove(directory.path(), 600),
        Err(LedgerError::NotCovered {
            index: 600,
            size: 600
        })
    ));
}

#[test]
fn a_message_s_decision_and_outcome_are_found() {
    let directory = tempfile::tempdir().unwrap();
    log(directory.path(), 20);
    assert_eq!(
        find_message(directory.path(), "0badcafe-7").unwrap(),
        [14, 15]
    );
    assert_eq!(find_message(directory.path(), "0badcafe-").unwrap(), [0; 0]);
}

#[test]
fn every_flipped_bit_of_a_receipt_is_found() {
    let directory = tempfile::tempdir().unwrap();
    log(directory.path(), 10);
    let receipt = prove(directory.path(), 7).unwrap();
    let text = receipt.text();
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut flipped = text.clone();
            flipped[at] ^= 1 << bit;
            let judged = Receipt::parse(&flipped).and_then(|r| r.verify(&verifier(), None));
            assert!(judged.is_err(), "byte {at} bit {bit}");
        }
        assert!(Receipt::parse(&text[..at]).is_err(), "cut at {at}");
    }
    let more = [text.as_slice(), b"\n"].concat();
    assert!(Receipt::parse(&more).is_err());
}

#[test]
fn a_receipt_of_another_key_or_origin_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    log(directory.path(), 3);
    let receipt = prove(directory.path(), 0).unwrap();
    let stranger = SigningKey::from_seed(&[3; 32]).unwrap();
    let refused = receipt.verify(&stranger.verifier(ORIGIN).unwrap(), None);
    assert!(matches!(refused, Err(ReceiptError::Checkpoint(_))));
    // Signed by the right key under the right name, but of another log.
    let mut moved = receipt.clone();
    let text = note::text(&receipt.note)
        .unwrap()
        .replace(ORIGIN, "example.com/other");
    moved.note = note::sign(&text, &crate::support::key(), &verifier()).into_bytes();
    assert!(matches!(
        moved.verify(&verifier(), None),
        Err(ReceiptError::Malformed(_))
    ));
}

#[test]
fn a_policy_judges_a_receipt_too() {
    let directory = tempfile::tempdir().unwrap();
    log(directory.path(), 3);
    let receipt = prove(directory.path(), 5).unwrap();
    let key = SigningKey::from_seed(&[1; 32]).unwrap();
    let witness = key.cosigner("witness.example/1").unwrap();
    let alone = format!("log {}\nquorum none\n", verifier());
    let seen = format!("log {}\nwitness w {witness}\nquorum w\n", verifier());
    let policy = |text: &str| Policy::parse(text.as_bytes()).unwrap();
    assert!(receipt.verify_by(&policy(&alone), None).is_ok());
    let refused = receipt.verify_by(&policy(&seen), None);
    assert!(
        matches!(refused, Err(ReceiptError::Policy(_))),
        "{refused:?}"
    );
}

#[test]
fn spoiled_receipts_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    log(directory.path(), 3);
    let receipt = prove(directory.path(), 4).unwrap();
    let text = String::from_utf8(receipt.text()).unwrap();
    let first_hash = text.lines().nth(3).unwrap().to_owned();
    for wrong in [
        text.replace("@v1", "@v2"),
        text.replace("index 4", "index 04"),
        text.replace("index 4", "index -4"),
        text.replace("index 4", "index 18446744073709551616"),
        text.replace("index 4", "index"),
        text.replace("extra ", "extra"),
        text.replace("extra ", "index "),
        text.replace('\n', "\r\n"),
        text.replace("\n\n", "\n"),
        text.replace(&first_hash, &first_hash[1..]),
        text.replace(&first_hash, ""),
        text.replace(
            &format!("{first_hash}\n"),
            &format!("{first_hash}\n").repeat(65),
        ),
    ] {
        let judged = Receipt::parse(wrong.as_bytes()).and_then(|r| r.verify(&verifier(), None));
        assert!(matches!(
            judged,
            Err(ReceiptError::Malformed(_) | ReceiptError::Checkpoint(_))
        ));
    }
    // Well formed, and yet no proof.
    for wrong in [
        text.replace("index 4", "index 3"),
        text.replace(&format!("{first_hash}\n"), ""),
        text.replace(
            &format!("{first_hash}\n"),
            &format!("{first_hash}\n").repeat(2),
        ),
    ] {
        let judged = Receipt::parse(wrong.as_bytes())
            .unwrap()
            .verify(&verifier(), None);
        assert_eq!(judged, Err(ReceiptError::NotIncluded));
    }
}

#[test]
fn an_altered_tile_or_bundle_yields_no_receipt() {
    let directory = tempfile::tempdir().unwrap();
    log(directory.path(), 300);
    publish(directory.path()).unwrap();
    for name in [
        "tlog/tile/entries/000",
        "tlog/tile/0/000",
        "tlog/tile/1/000.p/2",
    ] {
        let path = directory.path().join(name);
        let sound = fs::read(&path).unwrap();
        // Entry 300 is in other tiles, but its proof needs the first hash of level 1.
        let (index, at) = if name.contains("/1/") {
            (300, 5)
        } else {
            (0, 40)
        };
        let mut altered = sound.clone();
        altered[at] ^= 1;
        fs::write(&path, &altered).unwrap();
        let error = prove(directory.path(), index).unwrap_err();
        assert!(error.to_string().contains("tlog/tile"), "{error}");
        fs::remove_file(&path).unwrap();
        assert!(prove(directory.path(), index).is_err());
        fs::write(&path, sound).unwrap();
        assert!(prove(directory.path(), index).is_ok());
    }
}

#[test]
fn growth_since_any_size_is_proven() {
    let directory = tempfile::tempdir().unwrap();
    log(directory.path(), 150);
    let old = publish(directory.path()).unwrap().checkpoint;
    log(directory.path(), 150);
    let new = publish(directory.path()).unwrap();
    let proof = prove_growth(directory.path(), old.size, &new)
        .unwrap()
        .unwrap();
    let (size, root) = (new.checkpoint.size, new.checkpoint.root);
    assert!(proof::verify_consistency(
        old.size, size, &old.root, &root, &proof
    ));
    assert_eq!(prove_growth(directory.path(), 601, &new).unwrap(), None);
}
