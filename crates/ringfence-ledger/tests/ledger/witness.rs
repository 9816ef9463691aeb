//! A witness cosigns what continues the last checkpoint it cosigned and nothing else; a policy
//! accepts what its logs signed and its quorum cosigned and nothing else.

use crate::support::{ORIGIN, key, verifier};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ringfence_ledger::checkpoint::Checkpoint;
use ringfence_ledger::note::{self, NoteError};
use ringfence_ledger::policy::{Policy, PolicyError};
use ringfence_ledger::proof::prove_consistency;
use ringfence_ledger::tree::{Frontier, Hash, leaf_hash};
use ringfence_ledger::witness::{AddCheckpoint, NotCosigned, Seen};
use ringfence_ledger::{CosignerKey, SigningKey, cosignature};

/// A witness key of a network in use, as its operator publishes it.
const PUBLIC_WITNESS: &str = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";

fn leaves(fork: u8, size: usize) -> Vec<Hash> {
    (0..size as u8).map(|at| leaf_hash(&[at, fork])).collect()
}

fn checkpoint(leaves: &[Hash]) -> Checkpoint {
    let mut tree = Frontier::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    Checkpoint {
        origin: ORIGIN.into(),
        size: tree.size(),
        root: tree.root(),
    }
}

fn signed(checkpoint: &Checkpoint) -> String {
    note::sign(&checkpoint.text(), &key(), &verifier())
}

fn seen(leaves: &[Hash]) -> Option<Seen> {
    let Checkpoint { size, root, .. } = checkpoint(leaves);
    Some(Seen { size, root })
}

fn body(old: u64, proof: &[Hash], note: &str) -> Vec<u8> {
    let lines: String = proof
        .iter()
        .map(|hash| STANDARD.encode(hash) + "\n")
        .collect();
    format!("old {old}\n{lines}\n{note}").into_bytes()
}

fn judged(body: &[u8], seen: Option<Seen>) -> Result<(), NotCosigned> {
    AddCheckpoint::parse(body)?.judge(&[verifier()], seen)
}

#[test]
fn every_growth_with_its_proof_is_cosigned() {
    let all = leaves(0, 20);
    for old in 1..=20 {
        for new in old..=20 {
            let proof = prove_consistency(old, &all[..new]).unwrap();
            let request = body(old as u64, &proof, &signed(&checkpoint(&all[..new])));
            assert_eq!(
                judged(&request, seen(&all[..old])),
                Ok(()),
                "{old} to {new}"
            );
        }
    }
    for first in [0, 1, 7] {
        let request = body(0, &[], &signed(&checkpoint(&all[..first])));
        assert_eq!(judged(&request, None), Ok(()));
        assert_eq!(judged(&request, seen(&[])), Ok(()));
    }
}

#[test]
fn a_fork_is_refused_whatever_proof_comes_with_it() {
    let (ours, theirs) = (leaves(0, 12), leaves(1, 12));
    for old in 1..=8 {
        for new in old..=12 {
            for base in [&ours, &theirs] {
                let proof = prove_consistency(old, &base[..new]).unwrap();
                let request = body(old as u64, &proof, &signed(&checkpoint(&theirs[..new])));
                let refused = judged(&request, seen(&ours[..old])).unwrap_err();
                assert_eq!(refused.status(), 422, "{old} to {new}");
            }
        }
    }
}

#[test]
fn a_log_that_was_set_back_is_refused() {
    let all = leaves(0, 12);
    let proof = prove_consistency(4, &all[..8]).unwrap();
    let request = body(4, &proof, &signed(&checkpoint(&all[..8])));
    let conflict = Err(NotCosigned::Conflict { size: 12 });
    assert_eq!(judged(&request, seen(&all)), conflict);
    let request = body(12, &[], &signed(&checkpoint(&all[..8])));
    let refused = judged(&request, seen(&all)).unwrap_err();
    assert_eq!(refused.status(), 400);
    let request = body(0, &[], &signed(&checkpoint(&all[..8])));
    assert_eq!(judged(&request, seen(&all)), conflict);
}

#[test]
fn who_is_asked_wrongly_says_what_is_wrong() {
    let all = leaves(0, 5);
    let (three, five) = (checkpoint(&all[..3]), checkpoint(&all));
    let proof = prove_consistency(3, &all).unwrap();
    let status = |body: &[u8], seen| judged(body, seen).unwrap_err().status();
    // An old size of 0 takes no proof; an empty log has one root only.
    assert_eq!(status(&body(0, &proof, &signed(&five)), None), 422);
    let hollow = Checkpoint {
        size: 0,
        ..five.clone()
    };
    assert_eq!(status(&body(0, &[], &signed(&hollow)), None), 422);
    // A proof for a checkpoint that stands already.
    assert_eq!(
        status(&body(3, &proof, &signed(&three)), seen(&all[..3])),
        422
    );
    let stranger = SigningKey::from_seed(&[3; 32]).unwrap();
    let unsigned = note::sign(&five.text(), &stranger, &stranger.verifier(ORIGIN).unwrap());
    assert_eq!(status(&body(0, &[], &unsigned), None), 403);
    let elsewhere = Checkpoint {
        origin: "example.com/x".into(),
        ..five.clone()
    };
    assert_eq!(status(&body(0, &[], &signed(&elsewhere)), None), 404);
    let good = signed(&five);
    for malformed in [
        "",
        "old 0\n",
        &good,
        &format!("old 00\n\n{good}"),
        &format!("old -1\n\n{good}"),
        &format!("old +0\n\n{good}"),
        &format!("size 0\n\n{good}"),
        &format!("old 0\n{good}"),
        &format!("old 0\r\n\r\n{good}"),
        &format!("old 3\nAAAA\n\n{good}"),
        &format!(
            "old 3\n{}\n{good}",
            format!("{}\n", STANDARD.encode([0; 32])).repeat(64)
        ),
        &format!("old 0\n\n{}", good.replace("\n5\n", "\n05\n")),
        &format!("old 0\n\n{}", good.trim_end()),
    ] {
        assert_eq!(status(malformed.as_bytes(), None), 400, "{malformed:?}");
    }
}

fn witness(seed: u8) -> (SigningKey, CosignerKey) {
    let key = SigningKey::from_seed(&[seed; 32]).unwrap();
    let cosigner = key.cosigner(&format!("witness.example/{seed}")).unwrap();
    (key, cosigner)
}

fn cosigned(note: &str, seed: u8, time_s: u64) -> String {
    let (key, cosigner) = witness(seed);
    let text = note::text(note.as_bytes()).unwrap();
    format!(
        "{note}{}",
        cosignature::cosign(text, time_s, &key, &cosigner)
    )
}

#[test]
fn a_cosignature_holds_for_its_text_time_and_key_only() {
    let note = cosigned(&signed(&checkpoint(&leaves(0, 3))), 1, 1_679_315_147);
    let (_, ours) = witness(1);
    assert_eq!(
        cosignature::verify(note.as_bytes(), &ours),
        Ok(Some(1_679_315_147))
    );
    assert_eq!(
        cosignature::verify(note.as_bytes(), &witness(2).1),
        Ok(None)
    );
    let (text, lines) = note.split_once("\n\n").unwrap();
    let line = lines.lines().last().unwrap();
    let blob = STANDARD.decode(line.rsplit(' ').next().unwrap()).unwrap();
    for at in 4..blob.len() {
        let mut flipped = blob.clone();
        flipped[at] ^= 1;
        let line = format!("\u{2014} {} {}\n", ours.name(), STANDARD.encode(&flipped));
        let note = format!("{text}\n\n{line}");
        let wrong = Err(NoteError::WrongSignature);
        assert_eq!(
            cosignature::verify(note.as_bytes(), &ours),
            wrong,
            "byte {at}"
        );
    }
    // The log still vouches for the note, whoever cosigned it.
    assert!(note::verify(note.as_bytes(), &verifier()).is_ok());
}

#[test]
fn a_witness_key_is_no_log_key_and_the_reverse() {
    let (key, cosigner) = witness(1);
    assert_eq!(CosignerKey::parse(&cosigner.to_string()).unwrap(), cosigner);
    assert!(ringfence_ledger::VerifierKey::parse(&cosigner.to_string()).is_err());
    let log = key.verifier("witness.example/1").unwrap();
    assert!(CosignerKey::parse(&log.to_string()).is_err());
    assert_ne!(log.id(), cosigner.id());
    assert_eq!(
        CosignerKey::parse(PUBLIC_WITNESS).unwrap().to_string(),
        PUBLIC_WITNESS
    );
}

#[test]
fn an_answer_adds_only_what_the_asked_witness_signed() {
    let note = signed(&checkpoint(&leaves(0, 3)));
    let answer = cosigned(&note, 1, 7)
        .strip_prefix(&note)
        .unwrap()
        .to_owned();
    let (_, ours) = witness(1);
    let noise = format!("\u{2014} other AAAAAAAA\n{answer}nonsense\n");
    let attached = cosignature::attach(note.as_bytes(), noise.as_bytes(), &ours).unwrap();
    assert_eq!(attached, format!("{note}{answer}").into_bytes());
    // A later one takes the earlier one's place.
    let later = cosigned(&note, 1, 8)
        .strip_prefix(&note)
        .unwrap()
        .to_owned();
    let attached = cosignature::attach(&attached, later.as_bytes(), &ours).unwrap();
    assert_eq!(attached, format!("{note}{later}").into_bytes());
    let other = signed(&checkpoint(&leaves(1, 3)));
    for (note, answer) in [(&note, ""), (&note, "nonsense"), (&other, answer.as_str())] {
        assert!(cosignature::attach(note.as_bytes(), answer.as_bytes(), &ours).is_err());
    }
}

fn policy(quorum: &str) -> String {
    let mut text = format!(
        "# who must have seen it\nlog {} https://log.example/\n\n",
        verifier()
    );
    for seed in 1..=5 {
        text += &format!("witness w{seed}\t{}\n", witness(seed).1);
    }
    text + "group a 2 w1 w2 w3\n group b any w4 w5\ngroup both all a b\n" + quorum + "\n"
}

#[test]
fn a_quorum_holds_exactly_when_its_groups_do() {
    let note = signed(&checkpoint(&leaves(0, 3)));
    let both = Policy::parse(policy("quorum both").as_bytes()).unwrap();
    let single = Policy::parse(policy("quorum w3").as_bytes()).unwrap();
    let none = Policy::parse(policy("quorum none").as_bytes()).unwrap();
    for set in 0_u8..32 {
        let has = |seed: u8| set & (1 << (seed - 1)) != 0;
        let note = (1..=5)
            .filter(|seed| has(*seed))
            .fold(note.clone(), |note, seed| {
                cosigned(&note, seed, u64::from(seed))
            });
        let (a, b) = ((1..=3).filter(|s| has(*s)).count() >= 2, has(4) || has(5));
        let accepts = |policy: &Policy| policy.accept(note.as_bytes()).is_ok();
        assert_eq!(accepts(&both), a && b, "{set:05b}");
        assert_eq!(accepts(&single), has(3), "{set:05b}");
        assert!(accepts(&none));
    }
}

#[test]
fn a_policy_refuses_what_is_forged_or_of_another_log() {
    let note = cosigned(&signed(&checkpoint(&leaves(0, 3))), 3, 9);
    let policy = Policy::parse(policy("quorum w3").as_bytes()).unwrap();
    let accepted = policy.accept(note.as_bytes()).unwrap();
    assert_eq!(accepted.witnesses, [("w3".to_owned(), 9)]);
    let forged = note.replace("\n3\n", "\n4\n");
    assert!(matches!(
        policy.accept(forged.as_bytes()),
        Err(PolicyError::Log(_))
    ));
    let (_, own) = note.split_once("\n\n").unwrap();
    let unsigned = note.replacen(own.lines().next().unwrap(), "\u{2014} x AAAAAAAA", 1);
    let missing = Err(PolicyError::Log(NoteError::NoSignature));
    assert_eq!(policy.accept(unsigned.as_bytes()), missing);
    let other = cosigned(&signed(&checkpoint(&leaves(1, 3))), 3, 9);
    let line = other.lines().last().unwrap();
    let moved = note.replace(note.lines().last().unwrap(), line);
    let name = "w3".into();
    assert_eq!(
        policy.accept(moved.as_bytes()),
        Err(PolicyError::Witness { name })
    );
}

#[test]
fn a_policy_that_is_not_clear_is_refused_with_its_line() {
    let (log, one, two) = (verifier(), witness(1).1, witness(2).1);
    let renamed = witness(1).0.cosigner("other.example").unwrap();
    for (wrong, line) in [
        (String::new(), 0),
        (format!("log {log}\n"), 0),
        ("quorum w1\n".into(), 1),
        ("quorum none\nquorum none\n".into(), 2),
        (format!("log {one}\nquorum none\n"), 1),
        (format!("witness w1 {log}\nquorum none\n"), 1),
        (format!("log {log}\nlog {log}\nquorum none\n"), 2),
        (
            format!("witness w1 {one}\nwitness w2 {renamed}\nquorum none\n"),
            2,
        ),
        (
            format!("witness w1 {one}\nwitness w1 {two}\nquorum none\n"),
            2,
        ),
        (format!("witness none {one}\nquorum none\n"), 1),
        (format!("witness w1 {one}\ngroup g 2 w1\nquorum g\n"), 2),
        (format!("witness w1 {one}\ngroup g 0 w1\nquorum g\n"), 2),
        (format!("witness w1 {one}\ngroup g +1 w1\nquorum g\n"), 2),
        (format!("witness w1 {one}\ngroup g any\nquorum g\n"), 2),
        (
            format!("witness w1 {one}\ngroup g any w1 w1\nquorum g\n"),
            2,
        ),
        (
            format!("witness w1 {one}\ngroup g any w1\ngroup h any w1\nquorum g\n"),
            3,
        ),
        ("group g any g\nquorum g\n".into(), 1),
        ("group g any none\nquorum g\n".into(), 1),
        ("quorum none # none\n".into(), 1),
        ("quorum none\r\n".into(), 1),
        ("watch w1\nquorum none\n".into(), 1),
    ] {
        match Policy::parse(wrong.as_bytes()) {
            Err(PolicyError::Line { number, .. }) => assert_eq!(number, line, "{wrong:?}"),
            other => panic!("{wrong:?}: {other:?}"),
        }
    }
}
