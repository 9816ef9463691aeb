//! Hashes, proofs, notes and checkpoints agree with the public vectors: transparency-dev's 196
//! Merkle proofs and what Go's `sumdb/note` and `sumdb/tlog` write, byte for byte.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ringfence_ledger::checkpoint::Checkpoint;
use ringfence_ledger::note::{self, NoteError};
use ringfence_ledger::proof::{
    prove_consistency, prove_inclusion, verify_consistency, verify_inclusion,
};
use ringfence_ledger::tree::{Frontier, Hash, leaf_hash, node_hash};
use ringfence_ledger::{SigningKey, VerifierKey};
use serde_json::Value as Json;

/// The suites beside the repository; none, with the reason printed, where they are not.
fn suite(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/suites/crypto/vectors");
    let found = root.join(path);
    if !found.exists() {
        eprintln!("skipped: the suites are not beside the repository ({path})");
        return None;
    }
    Some(found)
}

fn hash(json: &Json) -> Option<Hash> {
    STANDARD
        .decode(json.as_str().unwrap_or(""))
        .ok()?
        .try_into()
        .ok()
}

// Some cases compare roots that are no hashes ("don't care"): filled up, they compare alike.
fn root(json: &Json) -> Option<Hash> {
    let mut bytes = STANDARD.decode(json.as_str().unwrap_or("")).ok()?;
    bytes.resize(bytes.len().max(32), 0);
    bytes.try_into().ok()
}

// None where a hash does not have 32 bytes: such a proof is refused before it is verified.
fn hashes(json: &Json) -> Option<Vec<Hash>> {
    json.as_array()
        .map_or(Some(Vec::new()), |all| all.iter().map(hash).collect())
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found)
        } else {
            found.push(path)
        }
    }
}

fn holds(case: &Json) -> Option<bool> {
    let number = |name: &str| case[name].as_u64();
    let proof = hashes(&case["proof"])?;
    Some(if case.get("leafIdx").is_some() {
        let (index, size) = (number("leafIdx")?, number("treeSize")?);
        let (leaf, root) = (hash(&case["leafHash"])?, root(&case["root"])?);
        verify_inclusion(index, size, &leaf, &proof, &root)
    } else {
        let (old, new) = (number("size1")?, number("size2")?);
        let (old_root, new_root) = (root(&case["root1"])?, root(&case["root2"])?);
        verify_consistency(old, new, &old_root, &new_root, &proof)
    })
}

#[test]
fn all_public_merkle_proofs_are_judged_as_published() {
    let Some(directory) = suite("merkle") else {
        return;
    };
    let mut paths = Vec::new();
    files(&directory, &mut paths);
    for path in &paths {
        let case: Json = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let refused = case["wantErr"].as_bool().unwrap();
        assert_eq!(
            holds(&case).unwrap_or(false),
            !refused,
            "{}",
            path.display()
        );
    }
    assert_eq!(paths.len(), 196);
}

#[test]
fn hashes_are_those_of_rfc_6962() {
    let hex = |hash: Hash| {
        hash.iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    assert_eq!(
        hex(Frontier::default().root()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(
        hex(leaf_hash(b"L123456")),
        "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    );
    // The two halves of RFC 6962's example are shorter than a hash; a node takes whole hashes.
    let (left, right) = (leaf_hash(b"a"), leaf_hash(b"b"));
    let mut tree = Frontier::default();
    tree.push(left);
    tree.push(right);
    assert_eq!(tree.root(), node_hash(&left, &right));
}

#[test]
fn proofs_we_make_verify_and_nothing_else_does() {
    let leaves: Vec<Hash> = (0..40_u8).map(|number| leaf_hash(&[number])).collect();
    let root = |size: usize| {
        let mut tree = Frontier::default();
        leaves[..size].iter().for_each(|leaf| tree.push(*leaf));
        tree.root()
    };
    for size in 1..=leaves.len() {
        for index in 0..size {
            let proof = prove_inclusion(index, &leaves[..size]).unwrap();
            let (at, of, leaf) = (index as u64, size as u64, &leaves[index]);
            assert!(
                verify_inclusion(at, of, leaf, &proof, &root(size)),
                "{index} of {size}"
            );
            assert!(!verify_inclusion(at + 1, of, leaf, &proof, &root(size)));
            assert!(!verify_inclusion(
                at,
                of,
                &leaf_hash(b"x"),
                &proof,
                &root(size)
            ));
            let old = prove_consistency(index + 1, &leaves[..size]).unwrap();
            let (before, after) = (root(index + 1), root(size));
            assert!(
                verify_consistency(at + 1, of, &before, &after, &old),
                "{index} of {size}"
            );
            assert!(!verify_consistency(
                at + 1,
                of,
                &leaf_hash(b"x"),
                &after,
                &old
            ));
            assert!(!verify_consistency(
                at + 1,
                of,
                &before,
                &leaf_hash(b"x"),
                &old
            ));
        }
    }
    assert_eq!(prove_inclusion(3, &leaves[..3]), None);
    assert_eq!(prove_consistency(0, &leaves), None);
    assert!(!verify_consistency(0, 3, &root(1), &root(3), &[]));
}

// Go's signer key: PRIVATE+KEY+name+id+base64(type || seed).
fn signer(text: &str) -> (SigningKey, String) {
    let fields: Vec<&str> = text.splitn(5, '+').collect();
    let typed = STANDARD.decode(fields[4]).unwrap();
    assert_eq!(typed[0], 1);
    (
        SigningKey::from_seed(&typed[1..]).unwrap(),
        fields[2].to_owned(),
    )
}

#[test]
fn checkpoints_and_proofs_are_those_of_go() {
    let Some(path) = suite("tlog_go.json") else {
        return;
    };
    let vectors: Json = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let vkey = vectors["vkey"].as_str().unwrap();
    let verifier = VerifierKey::parse(vkey).unwrap();
    assert_eq!(verifier.to_string(), vkey);
    let (key, name) = signer(vectors["skey"].as_str().unwrap());
    assert_eq!(key.verifier(&name).unwrap(), verifier);
    let trees = vectors["trees"].as_array().unwrap();
    let largest = trees
        .iter()
        .map(|tree| tree["size"].as_u64().unwrap())
        .max()
        .unwrap();
    let leaves: Vec<Hash> = (0..largest)
        .map(|number| leaf_hash(format!("record {number}").as_bytes()))
        .collect();
    for tree in trees {
        check_tree(tree, &leaves, &key, &verifier);
    }
}

fn check_tree(tree: &Json, leaves: &[Hash], key: &SigningKey, verifier: &VerifierKey) {
    let size = tree["size"].as_u64().unwrap();
    let leaves = &leaves[..usize::try_from(size).unwrap()];
    let mut frontier = Frontier::default();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    assert_eq!(Some(frontier.root()), hash(&tree["root"]), "size {size}");
    let note = tree["checkpoint"].as_str().unwrap();
    let text = note::verify(note.as_bytes(), verifier).unwrap();
    let checkpoint = Checkpoint::parse(text).unwrap();
    assert_eq!((checkpoint.size, checkpoint.root), (size, frontier.root()));
    assert_eq!(
        note::sign(&checkpoint.text(), key, verifier),
        note,
        "size {size}"
    );
    for (index, proof) in tree["inclusion"].as_object().unwrap() {
        let index: usize = index.parse().unwrap();
        let proof = hashes(proof).unwrap();
        assert_eq!(
            prove_inclusion(index, leaves).unwrap(),
            proof,
            "{index} of {size}"
        );
        let (at, root) = (index as u64, frontier.root());
        assert!(verify_inclusion(at, size, &leaves[index], &proof, &root));
    }
    for (old, proof) in tree["consistency_from"].as_object().unwrap() {
        let old: usize = old.parse().unwrap();
        assert_eq!(
            prove_consistency(old, leaves).unwrap(),
            hashes(proof).unwrap()
        );
    }
}

/// The note of C2SP's and Go's documentation.
const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fn signed() -> (String, VerifierKey) {
    let (key, name) =
        signer("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz");
    let verifier = key.verifier(&name).unwrap();
    assert_eq!(verifier.to_string(), GO_KEY);
    let text = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n";
    (note::sign(text, &key, &verifier), verifier)
}

#[test]
fn the_note_of_go_s_documentation_is_signed_byte_for_byte() {
    let (note, verifier) = signed();
    let line = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2p\
                ZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    assert!(note.ends_with(line), "{note}");
    assert!(note::verify(note.as_bytes(), &verifier).is_ok());
}

#[test]
fn spoiled_notes_are_refused() {
    let (note, key) = signed();
    let malformed = |note: &str| {
        matches!(
            note::verify(note.as_bytes(), &key),
            Err(NoteError::Malformed(_))
        )
    };
    assert!(malformed(&note.replace("\n\n", "\n")));
    assert!(malformed(note.strip_suffix('\n').unwrap()));
    assert!(malformed(&note.replace('\n', "\r\n")));
    assert!(malformed(&note.replace("problem", "prob\u{1}lem")));
    assert!(malformed(&note.replace('\u{2014}', "-")));
    assert!(malformed(&note.replace("JnAM=", "JnAM")));
    assert!(
        malformed(&note.replace("JnAM=", "JnAN=")),
        "spare bits of the base64"
    );
    assert!(malformed(&format!("{note}\n")));
    let (text, line) = note.split_once("\n\n").unwrap();
    assert!(malformed(&format!("{text}\n\n{}", line.repeat(101))));
    assert!(note::verify(format!("{text}\n\n{}", line.repeat(100)).as_bytes(), &key).is_ok());
    let changed = note.replace("answer", "Answer");
    assert_eq!(
        note::verify(changed.as_bytes(), &key),
        Err(NoteError::WrongSignature)
    );
    let unknown = "\u{2014} Other x08go/ZJkuBS\n";
    let both = format!("{note}{unknown}");
    assert!(
        note::verify(both.as_bytes(), &key).is_ok(),
        "lines of others are ignored"
    );
    let alone = format!("{text}\n\n{unknown}");
    assert_eq!(
        note::verify(alone.as_bytes(), &key),
        Err(NoteError::NoSignature)
    );
    let mut raw = note.clone().into_bytes();
    raw[0] = 0xff;
    assert!(matches!(
        note::verify(&raw, &key),
        Err(NoteError::Malformed(_))
    ));
}

#[test]
fn spoiled_verifier_keys_are_refused() {
    assert!(VerifierKey::parse(GO_KEY).is_ok());
    for wrong in [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        &GO_KEY.replace("c74f20a3", "c74f20a4"),
        &GO_KEY.replace("c74f20a3", "C74F20A3"),
        &GO_KEY.replace("PeterNeumann", "Peter Neumann"),
        &GO_KEY.replace("PeterNeumann", ""),
        &GO_KEY.replace("+ARpc", "+AhpC"),
        &GO_KEY.replace("10TW", "10T"),
        &format!("{GO_KEY}=="),
        &format!("{GO_KEY}AAAA"),
    ] {
        assert!(VerifierKey::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn checkpoints_have_one_spelling() {
    let text = "example.com/log\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    assert_eq!(Checkpoint::parse(text).unwrap().text(), text);
    for wrong in [
        text.replace("\n7\n", "\n07\n"),
        text.replace("\n7\n", "\n+7\n"),
        text.replace("\n7\n", "\n-7\n"),
        text.replace("\n7\n", "\n18446744073709551616\n"),
        text.replace("\n7\n", "\n\n"),
        text.replace("example.com/log", ""),
        text.replace("example.com/log", "evil\n9"),
        text.replace("AAA=", "AAB="),
        text.replace("AAA=", "AA"),
        text.replace('\n', "\r\n"),
        format!("{text}extension\n"),
        text.trim_end().to_owned(),
    ] {
        assert_eq!(Checkpoint::parse(&wrong), None, "{wrong:?}");
    }
}

#[test]
fn an_origin_that_could_be_taken_for_more_is_refused() {
    for origin in [
        "",
        "a b",
        "a+b",
        "evil\n999",
        "tab\t",
        "nul\0",
        &"x".repeat(256),
    ] {
        assert!(
            SigningKey::from_seed(&[1; 32])
                .unwrap()
                .verifier(origin)
                .is_err(),
            "{origin:?}"
        );
    }
}
