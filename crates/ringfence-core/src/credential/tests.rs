//! A credential's state is one value that everybody sees at once, and what is final stays final.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Credential, CredentialTable, NewCredential, State};
use crate::address::Cidr;
use crate::operation::{Operation, Scopes};
use crate::refusal::Code;
use crate::replay::{ReplayRoom, Use};
use crate::session::{Coverage, Demands};
use crate::shard::{ShardState, Shards};
use crate::sign::{
    Algorithm, Claim, Encoding, HmacForm, Nonce, SignatureEncodings, Signed, Stamp, Verified,
    VerifyingKey,
};

/// An active credential that may read and trade from anywhere in 192.0.2.0/24.
pub(crate) fn credential(key_id: &str, account: &str) -> NewCredential {
    let secret: Vec<u8> = key_id.bytes().cycle().take(32).collect();
    NewCredential {
        key_id: key_id.into(),
        account: account.into(),
        key: VerifyingKey::from_parts(Algorithm::HmacSha256, &secret).unwrap(),
        scopes: Scopes::parse(["read", "trade"]).unwrap(),
        allow: [Cidr::parse("192.0.2.0/24").unwrap()].into(),
        demands: Demands::default(),
        expires_us: None,
        state: State::Active,
        held: None,
        standing: None,
        shard: None,
    }
}

fn signed(number: u64) -> Verified<Signed> {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    Verified::for_test(Signed {
        stamp: Stamp {
            time_us: 1000,
            window_us: 1000,
        },
        nonce: Nonce::from(bytes),
    })
}

fn table() -> CredentialTable {
    let table = CredentialTable::new();
    table.put(credential("k1", "alice")).unwrap();
    table
}

#[test]
fn whoever_holds_a_credential_sees_its_state_at_once() {
    let table = table();
    let held = table.get("k1").unwrap();
    for state in [
        State::Suspended,
        State::Active,
        State::PreActive,
        State::Deactivated,
    ] {
        table.set_state("k1", state).unwrap();
        assert_eq!(held.state(), state);
    }
}

#[test]
fn a_final_state_is_left_for_another_final_one_only() {
    for last in State::ALL.into_iter().filter(|state| state.is_final()) {
        for state in State::ALL {
            let table = table();
            table.set_state("k1", last).unwrap();
            let expected = match state.is_final() {
                true => Ok(()),
                false => Err(Code::CredentialRevoked),
            };
            let again = NewCredential {
                state,
                ..credential("k1", "alice")
            };
            assert_eq!(table.put(again), expected);
            assert_eq!(table.set_state("k1", state), expected);
            assert!(table.get("k1").unwrap().state().is_final());
        }
    }
}

#[test]
fn an_account_that_is_held_has_no_active_credential_and_loses_no_state() {
    for state in State::ALL {
        let table = table();
        table.put(credential("k2", "bob")).unwrap();
        table.set_state("k1", state).unwrap();
        let found = table.get("k1").unwrap();
        table.hold(["alice"], true);
        assert_ne!(found.state(), State::Active);
        assert_eq!(table.get("k2").unwrap().state(), State::Active);
        table.hold(["alice"], false);
        assert_eq!(found.state(), state);
    }
}

#[test]
fn a_credential_that_comes_to_a_held_account_is_out_of_use() {
    let table = table();
    table.hold(["alice", "carol"], true);
    for (id, account) in [("k2", "alice"), ("k3", "carol")] {
        table.put(credential(id, account)).unwrap();
        // Not even by resuming it.
        table.set_state(id, State::Active).unwrap();
        assert_eq!(table.get(id).unwrap().state(), State::Suspended);
    }
    let held = NewCredential {
        held: Some(true),
        ..credential("k4", "dave")
    };
    table.put(held).unwrap();
    assert_eq!(table.get("k4").unwrap().state(), State::Suspended);
}

#[test]
fn the_last_use_is_known_to_the_second() {
    let table = table();
    let found = table.get("k1").unwrap();
    assert!(table.used_since(0).is_empty());
    for now_us in [5_000_000, 5_999_999, 4_000_000] {
        found.used(now_us);
    }
    assert_eq!(table.used_since(0), [("k1".into(), 5_000_000)]);
    found.used(6_000_000);
    assert_eq!(table.used_since(6_000_000), [("k1".into(), 6_000_000)]);
    assert!(table.used_since(6_000_001).is_empty());
}

#[test]
fn an_unknown_id_is_refused() {
    let table = table();
    assert!(table.get("k2").is_none());
    assert_eq!(
        table.set_state("k2", State::Active),
        Err(Code::CredentialUnknown)
    );
}

#[test]
fn a_new_description_keeps_what_was_spent_and_what_the_state_is() {
    let (table, room) = (table(), ReplayRoom::new(10, 10));
    let old = table.get("k1").unwrap();
    assert!(old.claim(&signed(1), Use::Spend, 1000, &room).is_ok());
    table.put(credential("k1", "bob")).unwrap();
    let new = table.get("k1").unwrap();
    assert_eq!((table.len(), new.account()), (1, "bob"));
    for held in [&old, &new] {
        let again = held.claim(&signed(1), Use::Spend, 1000, &room);
        assert_eq!(again.unwrap_err().code, Code::ReplaySeen);
    }
    // What one holds back, the other cannot spend, also after the change.
    assert!(old.claim(&signed(2), Use::Spend, 1000, &room).is_ok());
    assert!(new.claim(&signed(2), Use::Spend, 1000, &room).is_err());
    table.set_state("k1", State::Deactivated).unwrap();
    assert_eq!(
        (old.state(), new.state()),
        (State::Deactivated, State::Deactivated)
    );
}

#[test]
fn an_old_description_points_at_the_one_in_force() {
    let table = table();
    let old = table.get("k1").unwrap();
    assert!(Arc::ptr_eq(old.in_force().unwrap(), &old));
    for account in ["bob", "carol"] {
        table.put(credential("k1", account)).unwrap();
    }
    assert_eq!(old.in_force().unwrap().account(), "carol");
    let rotated = NewCredential {
        key: VerifyingKey::from_parts(Algorithm::HmacSha256, &[1; 32]).unwrap(),
        ..credential("k1", "carol")
    };
    table.put(rotated).unwrap();
    assert_eq!(old.in_force().unwrap_err(), Code::CredentialRevoked);
}

#[test]
fn each_signature_is_spent_once_by_any_number_of_threads() {
    let (table, room) = (table(), ReplayRoom::new(10_000, 10_000));
    let wins: Vec<AtomicUsize> = (0..3000).map(|_| AtomicUsize::new(0)).collect();
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (table, room, wins) = (&table, &room, &wins);
            scope.spawn(move || {
                for n in 0..3000_u64 {
                    // Two threads describe the credential anew, again and again, in between.
                    if thread < 2 && n % 50 == 0 {
                        table.put(credential("k1", "alice")).unwrap();
                    }
                    let who = table.get("k1").unwrap();
                    if who.claim(&signed(n), Use::Spend, 1500, room).is_ok() {
                        wins[n as usize].fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert!(wins.iter().all(|wins| wins.load(Ordering::Relaxed) == 1));
    assert_eq!(room.taken(), 3000);
}

#[test]
fn idle_credentials_give_back_the_room_of_what_has_passed() {
    let (table, room) = (table(), ReplayRoom::new(10, 4));
    table.put(credential("k2", "bob")).unwrap();
    let idle = table.get("k2").unwrap();
    for n in 0..4 {
        assert!(idle.claim(&signed(n), Use::Read, 1000, &room).is_ok());
    }
    assert_eq!(table.reclaim(None, 2000, &room), 0);
    // In vain just now: nobody looks again so soon.
    assert_eq!(table.reclaim(None, 2001, &room), 0);
    assert_eq!(table.reclaim(None, 1_000_000, &room), 4);
    assert_eq!(room.taken(), 0);
}

#[test]
fn a_revocation_that_returned_is_seen_by_every_thread() {
    let table = Arc::new(table());
    let revoked = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let returned = revoked.load(Ordering::SeqCst) == 1;
                    let state = table.get("k1").unwrap().state();
                    if returned {
                        assert_eq!(state, State::Deactivated);
                        break;
                    }
                }
            });
        }
        table.set_state("k1", State::Deactivated).unwrap();
        revoked.store(1, Ordering::SeqCst);
    });
}

#[test]
fn states_have_one_word_each() {
    for state in State::ALL {
        assert_eq!(State::parse(state.as_str()), Some(state));
    }
    assert_eq!(State::parse("Active"), None);
}

#[test]
fn what_was_destroyed_or_replaced_verifies_nothing_whoever_holds_it() {
    let signed = Signing::new("k1");
    let table = table();
    let first = table.get("k1").unwrap();
    table.put(credential("k1", "alice")).unwrap();
    let same = table.get("k1").unwrap();
    assert!(signed.fits(&first).is_ok() && signed.fits(&same).is_ok());
    assert!(first.in_force().is_ok());

    let other = NewCredential {
        key: credential("k2", "alice").key,
        ..credential("k1", "alice")
    };
    table.put(other).unwrap();
    assert_eq!(signed.fits(&first), Err(Code::CredentialRevoked));
    assert_eq!(first.in_force().err(), Some(Code::CredentialRevoked));
    let replaced = table.get("k1").unwrap();
    let signed = Signing::new("k2");
    assert!(signed.fits(&replaced).is_ok());

    table.set_state("k1", State::Destroyed).unwrap();
    for held in [&first, &same, &replaced] {
        assert_eq!(signed.fits(held), Err(Code::CredentialRevoked));
    }
    // Nothing brings it back.
    table.set_state("k1", State::Compromised).unwrap();
    let again = NewCredential {
        state: State::Compromised,
        ..credential("k1", "alice")
    };
    table.put(again).unwrap();
    let again = table.get("k1").unwrap();
    assert_eq!(
        Signing::new("k1").fits(&again),
        Err(Code::CredentialRevoked)
    );
}

/// What the secret of the credential that [`credential`] calls so signs.
struct Signing(String);

impl Signing {
    fn new(of: &str) -> Self {
        let secret: Vec<u8> = of.bytes().cycle().take(32).collect();
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
        let tag = aws_lc_rs::hmac::sign(&key, b"payload");
        Self(tag.as_ref().iter().map(|b| format!("{b:02x}")).collect())
    }

    fn fits(&self, held: &Credential) -> Result<(), Code> {
        let claim = Claim {
            key_id: held.key_id(),
            payload: b"payload",
            otherwise: None,
            signature: self.0.as_bytes(),
            hmac: HmacForm::default(),
            encodings: SignatureEncodings {
                ecdsa: None,
                ed25519: None,
                hmac: Some(Encoding::Hex),
                rsa: None,
            },
            coverage: Coverage::Venue,
            recovered: None,
            stamp: Stamp {
                time_us: 1000,
                window_us: 1000,
            },
        };
        held.verify(&claim).map(drop)
    }
}

#[test]
fn debug_output_holds_no_secret() {
    let table = table();
    let text = format!(
        "{:?} {:?}",
        table.get("k1").unwrap(),
        credential("k1", "alice")
    );
    assert!(text.contains("HmacSha256"));
    assert!(
        !text.contains("k1k1") && !text.contains("107, 49"),
        "{text}"
    );
    assert!(!format!("{table:?}").contains("107, 49"));
}

#[test]
fn operations_need_the_scope_that_the_table_says() {
    let unscoped: Vec<_> = Operation::ALL
        .into_iter()
        .filter(|o| o.scope().is_none())
        .collect();
    assert_eq!(unscoped, [Operation::MarketRead, Operation::SessionLogon]);
}

/// A table of three shards, with k1 of alice in the first and k2 of bob in the second.
fn sharded() -> CredentialTable {
    let table = CredentialTable::in_shards(Shards::new(3));
    for (number, (key_id, account)) in (0..).zip([("k1", "alice"), ("k2", "bob")]) {
        let shard = table.shards().shard(number);
        let new = NewCredential {
            shard,
            ..credential(key_id, account)
        };
        table.put(new).unwrap();
    }
    table
}

#[test]
fn whoever_holds_a_credential_sees_its_account_move_to_another_shard_at_once() {
    let table = sharded();
    let held = table.get("k1").unwrap();
    assert_eq!(table.by_shard(), [(1, 1), (1, 1), (0, 0)]);
    table.place(["alice"], table.shards().shard(2));
    assert_eq!(held.shard(), table.shards().shard(2));
    assert_eq!(table.by_shard(), [(0, 0), (1, 1), (1, 1)]);
    table.place(["alice"], None);
    assert_eq!(
        (held.shard(), held.shard_state()),
        (None, ShardState::Serving)
    );
}

#[test]
fn nobody_in_an_isolated_shard_is_good_for_anything_and_everybody_else_is() {
    let table = sharded();
    let (held, other) = (table.get("k1").unwrap(), table.get("k2").unwrap());
    let first = table.shards().shard(0).unwrap();
    table.shards().set(first, ShardState::Isolated);
    assert_eq!(
        (held.state(), other.state()),
        (State::Suspended, State::Active)
    );
    // What is out of use for ever is so in whatever shard.
    table.set_state("k1", State::Deactivated).unwrap();
    assert_eq!(held.state(), State::Deactivated);
    table.shards().set(first, ShardState::Serving);
    assert_eq!(
        (held.state(), other.state()),
        (State::Deactivated, State::Active)
    );
}

#[test]
fn a_shard_that_fills_its_replay_room_takes_none_of_another_s() {
    let (table, room) = (sharded(), ReplayRoom::in_shards(100, 16, 3));
    let (flooding, other) = (table.get("k1").unwrap(), table.get("k2").unwrap());
    let claim = |who: &Credential, n| who.claim(&signed(n), Use::Spend, 1000, &room).is_ok();
    let passed = (0..50).filter(|n| claim(&flooding, *n)).count();
    assert_eq!((passed, room.taken()), (4, 4));
    assert!((100..104).all(|n| claim(&other, n)));
    assert!(!claim(&other, 104));
}

#[test]
fn what_an_account_used_moves_along_with_it() {
    let (table, room) = (sharded(), ReplayRoom::in_shards(100, 16, 3));
    let [first, _, third] = [0, 1, 2].map(|number| table.shards().shard(number));
    let held = table.get("k1").unwrap();
    assert!(held.claim(&signed(1), Use::Spend, 1000, &room).is_ok());
    assert!(held.claim(&signed(2), Use::Spend, 1000, &room).is_ok());
    table.place(["alice"], third);
    let again = held.claim(&signed(1), Use::Spend, 1000, &room);
    assert_eq!(again.unwrap_err().code, Code::ReplaySeen);
    assert_eq!((room.taken_by(first).0, room.taken_by(third).0), (0, 2));
    // What has passed is given back where it stands now.
    assert_eq!(table.reclaim(first, 1_000_000, &room), 0);
    assert_eq!(table.reclaim(third, 1_000_000, &room), 2);
    assert_eq!(room.taken(), 0);
}

#[test]
fn a_shard_in_which_nothing_has_passed_keeps_no_other_from_looking() {
    let (table, room) = (sharded(), ReplayRoom::in_shards(100, 16, 3));
    let shards = [0, 1].map(|number| table.shards().shard(number));
    let other = table.get("k2").unwrap();
    assert!(other.claim(&signed(1), Use::Spend, 1000, &room).is_ok());
    assert_eq!(table.reclaim(shards[0], 1_000_000, &room), 0);
    assert_eq!(table.reclaim(shards[1], 1_000_000, &room), 1);
}
