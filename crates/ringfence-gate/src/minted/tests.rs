#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap};
use ringfence_core::ban::Bans;
use ringfence_core::budget::BudgetTable;
use ringfence_core::credential::{CredentialTable, NewCredential, State};
use ringfence_core::edge::EdgeBudget;
use ringfence_core::funds::Withdrawals;
use ringfence_core::guard::Guard;
use ringfence_core::mode::Modes;
use ringfence_core::operation::{Scope, Scopes};
use ringfence_core::pipeline::Core;
use ringfence_core::placed::PlacedOrders;
use ringfence_core::refusal::Code;
use ringfence_core::replay::ReplayRoom;
use ringfence_core::session::{Coverage, Demands, Session};
use ringfence_core::sign::{Algorithm, VerifyingKey};
use ringfence_wire::Shown;

use super::{Minted, OF_ONE, TOKENS, hash};

const END_US: u64 = 1_000;
const LAST_US: u64 = 5_000;

/// A core that knows the keys `k0` to `kN`, all of alice.
pub(crate) fn core(keys: usize) -> Core {
    let core = Core {
        credentials: CredentialTable::new(),
        edge: EdgeBudget::new(1, 1, 1),
        bans: Bans::default(),
        budget: BudgetTable::new(Vec::new(), 1).unwrap(),
        guard: Guard::new(HashMap::new()),
        room: ReplayRoom::new(1, 1),
        shares: None,
        placed: PlacedOrders::default(),
        modes: Modes::default(),
        egress: None,
        policy: None,
        withdrawals: Withdrawals::default(),
    };
    for number in 0..keys {
        let named = credential(format!("k{number}"));
        core.credentials.put(named).unwrap();
    }
    core
}

/// A key of alice that may be used from everywhere.
pub(crate) fn credential(key_id: String) -> NewCredential {
    let key = VerifyingKey::from_parts(Algorithm::HmacSha256, &[7; 32]);
    NewCredential {
        key_id: key_id.into(),
        account: "alice".into(),
        key: key.unwrap(),
        scopes: Scopes::parse([Scope::ALL[0].as_str()]).unwrap(),
        allow: Box::default(),
        demands: Demands::default(),
        expires_us: None,
        state: State::Active,
        held: None,
        standing: None,
        shard: None,
    }
}

fn session(core: &Core, key: usize) -> Session {
    let session = core.vouch(&format!("k{key}"), Coverage::Venue, END_US, None);
    session.unwrap()
}

fn made(minted: &Minted, core: &Core, key: usize, now_us: u64) -> Result<String, Code> {
    made_for(minted, core, (key, Shown::Header), now_us)
}

fn made_for(
    minted: &Minted,
    core: &Core,
    (key, shown): (usize, Shown),
    now_us: u64,
) -> Result<String, Code> {
    let door = Arc::from("door");
    minted.mint(session(core, key), (&door, shown), LAST_US, now_us)
}

#[test]
fn all_keys_together_have_ten_thousand_tokens_and_no_more() {
    let (minted, core) = (Minted::default(), core(TOKENS / OF_ONE + 1));
    for number in 0..TOKENS {
        made(&minted, &core, number / OF_ONE, 0).unwrap();
    }
    let last = TOKENS / OF_ONE;
    assert_eq!(made(&minted, &core, last, 0), Err(Code::Overloaded));
    // Those that are over make room.
    made(&minted, &core, last, END_US).unwrap();
}

#[test]
fn one_key_has_its_own_bound_and_one_that_is_revoked_makes_room() {
    let (minted, core) = (Minted::bounded(3, 2), core(3));
    made(&minted, &core, 0, 0).unwrap();
    made(&minted, &core, 0, 0).unwrap();
    assert_eq!(made(&minted, &core, 0, 0), Err(Code::Overloaded));
    made(&minted, &core, 1, 0).unwrap();
    assert_eq!(made(&minted, &core, 2, 0), Err(Code::Overloaded));
    core.credentials
        .set_state("k0", State::Deactivated)
        .unwrap();
    made(&minted, &core, 2, 0).unwrap();
}

#[test]
fn a_token_is_good_only_where_it_was_made_for() {
    let (minted, core) = (Minted::default(), core(2));
    let text = made(&minted, &core, 0, 0).unwrap();
    let known = hash(&text);
    let (found, last_us) = minted.find(&known, "door", Shown::Header).unwrap();
    assert_eq!((found.credential().key_id(), last_us), ("k0", LAST_US));
    assert!(minted.find(&known, "another", Shown::Header).is_none());
    assert!(minted.find(&known, "door", Shown::Message).is_none());
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {text}").parse().unwrap());
    assert!(minted.carried(&headers, "door").is_some());
    assert!(minted.carried(&headers, "another").is_none());
    // Nothing that could be shown again is kept.
    assert!(!format!("{minted:?}").contains(&text));
}

#[test]
fn a_token_for_both_places_renews_nothing_and_is_good_until_it_is_forgotten() {
    let (minted, core) = (Minted::default(), core(1));
    let text = made_for(&minted, &core, (0, Shown::Both), 0).unwrap();
    let known = hash(&text);
    let found = |shown| minted.find(&known, "door", shown).is_some();
    assert!(found(Shown::Header) && found(Shown::Message));
    assert!(!found(Shown::Refresh));
    assert!(minted.renews(&known, "door").is_none());
    minted.forget(&known);
    assert!(!found(Shown::Header) && !found(Shown::Message));
}

#[test]
fn no_two_tokens_are_alike_and_another_s_is_not_found() {
    let (minted, core) = (Minted::default(), core(1));
    let (one, two) = (made(&minted, &core, 0, 0), made(&minted, &core, 0, 0));
    assert_ne!(one.unwrap(), two.unwrap());
    let other = made(&Minted::default(), &core, 0, 0).unwrap();
    assert!(minted.find(&hash(&other), "door", Shown::Header).is_none());
}

#[test]
fn a_key_s_oldest_refresh_token_gives_way_and_another_s_does_not() {
    let (minted, core) = (Minted::bounded(3, 2), core(3));
    let door = Arc::from("door");
    let renewal = |key, until_us| {
        let session = core.vouch(&format!("k{key}"), Coverage::Venue, until_us, None);
        minted.lasting(session.unwrap(), (&door, Shown::Refresh), 0)
    };
    let known = |text: &str| minted.renews(&hash(text), "door").is_some();
    let (old, new) = (renewal(0, 10).unwrap(), renewal(0, 20).unwrap());
    let newest = renewal(0, 30).unwrap();
    assert_eq!(
        (known(&old), known(&new), known(&newest)),
        (false, true, true)
    );
    let other = renewal(1, 10).unwrap();
    assert_eq!(renewal(2, 30), Err(Code::Overloaded));
    assert!(known(&other));
    // Good on its listener, and once.
    assert!(minted.renews(&hash(&other), "window").is_none());
    assert!(minted.use_up(&hash(&other)));
    assert!(!minted.use_up(&hash(&other)));
}

#[test]
fn a_key_s_oldest_token_of_a_handshake_gives_way_and_none_of_another_kind() {
    let (minted, core) = (Minted::bounded(9, 2), core(1));
    let door = Arc::from("door");
    let made = |shown, until_us| {
        let session = core.vouch("k0", Coverage::Venue, until_us, None);
        minted.lasting(session.unwrap(), (&door, shown), 0).unwrap()
    };
    let admits = |text: &str| minted.admits(&hash(text), "door").is_some();
    let renews = |text: &str| minted.renews(&hash(text), "door").is_some();
    let next = made(Shown::Refresh, 5);
    let texts = [10, 20, 30].map(|until_us| made(Shown::Handshake, until_us));
    assert_eq!(
        texts.each_ref().map(|text| admits(text)),
        [false, true, true]
    );
    assert!(renews(&next) && !admits(&next) && !renews(&texts[2]));
    assert!(minted.admits(&hash(&texts[2]), "window").is_none());
    assert!(
        minted
            .find(&hash(&texts[2]), "door", Shown::Handshake)
            .is_none()
    );
}

#[test]
fn nobody_s_token_is_one_for_all_on_its_listener_until_its_time_has_passed_twice() {
    let minted = Minted::default();
    let (seconds, start_us) = (10, 1_000_000_000);
    let made = |at_us| minted.nobody_s("door", seconds, at_us).unwrap();
    let text = made(start_us);
    assert_eq!(made(start_us + 9_999_999), text);
    let good = |text: &str, door, at_us| minted.is_nobody_s(text, door, seconds, at_us);
    assert!(good(&text, "door", start_us) && good(&text, "door", start_us + 19_999_999));
    assert!(!good(&text, "door", start_us + 20_000_000));
    assert!(!good(&text, "door", start_us - 1));
    assert!(!good(&text, "window", start_us) && !good("", "door", start_us));
    let other = Minted::default();
    assert!(!other.is_nobody_s(&text, "door", seconds, start_us));
    assert_eq!(minted.all_lasting().len(), 0);
}
