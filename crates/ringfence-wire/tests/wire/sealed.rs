//! What any shipped dialect signs with any kind of key it verifies, with that key alone.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::shipped::Sent;
use crate::shipped::attempt::{ARENAS, KEY_ID, sign};
use crate::shipped::keys::{KINDS, Pair};
use proptest::prelude::*;

/// Two keys of each algorithm.
static KEYS: LazyLock<Vec<[Pair; 2]>> = LazyLock::new(|| {
    let both = |kind| [Pair::new(kind), Pair::new(kind)];
    KINDS.iter().map(both).collect()
});

/// Returns a form of unlike names, escaped as clients do.
fn form() -> impl Strategy<Value = String> {
    let pairs = prop::collection::btree_map("[a-z]{1,6}", "[A-Za-z0-9.]{0,9}(%2C|%20)?", 0..5);
    pairs.prop_map(|pairs| {
        let pairs = pairs.iter().map(|(name, value)| format!("x{name}={value}"));
        pairs.collect::<Vec<_>>().join("&")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_signed_verifies_with_its_key_alone(text in form(), post in any::<bool>()) {
        for (arena, keys) in ARENAS.iter().flat_map(|arena| KEYS.iter().map(move |keys| (arena, keys))) {
            let (method, query, body) = match post {
                true => ("POST", String::new(), text.clone()),
                false => ("GET", text.clone(), String::new()),
            };
            let path = "/path".to_owned();
            let draft = Sent { method: method.to_owned(), path, query, body, ..Sent::default() };
            let [own, other] = keys;
            // Some take no such key, some no query, some no query whose escapes can be read in two ways.
            if let Some(sent) = sign(&arena.dialect, &own.signing(), &draft) {
                let verified = sent.verified(&arena.dialect, &own.verifying());
                prop_assert_eq!(verified.map(|(key_id, _)| key_id), Some(KEY_ID.to_owned()));
                prop_assert_eq!(sent.verified(&arena.dialect, &other.verifying()), None);
            }
        }
    }
}

/// The property above would hold of a dialect that signs nothing.
#[test]
fn every_dialect_signs_with_what_it_says_it_takes() {
    for arena in ARENAS.iter() {
        let Some(how) = arena.dialect.describe() else {
            continue;
        };
        let said = how.algorithms.join(" ").to_lowercase();
        let draft = Sent {
            method: "POST".to_owned(),
            path: "/path".to_owned(),
            body: "x=1".to_owned(),
            ..Sent::default()
        };
        let taken = |keys: &&[Pair; 2]| sign(&arena.dialect, &keys[0].signing(), &draft).is_some();
        let signs: BTreeSet<_> = KEYS
            .iter()
            .filter(taken)
            .map(|keys| keys[0].kind.words)
            .collect();
        let named = KEYS.iter().map(|keys| keys[0].kind.words);
        let named = named.filter(|words| words.iter().any(|word| said.contains(word)));
        assert_eq!(signs, named.collect(), "{}", arena.dialect.name());
    }
}
