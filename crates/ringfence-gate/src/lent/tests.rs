//! A token stands for what the venue handed out to its key, on its listener, in its time, and never comes back.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use ringfence_core::credential::State;
use ringfence_core::pipeline::Core;
use ringfence_core::refusal::Code;
use ringfence_core::session::{Coverage, Session};

use super::{GRACE_US, Handed, Lent};
use crate::minted::hash;
use crate::minted::tests::core;

const END_US: u64 = 1_000;

fn session(core: &Core, key: usize) -> Session {
    let session = core.vouch(&format!("k{key}"), Coverage::Name, u64::MAX, None);
    session.unwrap()
}

fn door() -> Arc<str> {
    "main".into()
}

const fn handed(token: &str, until_us: u64) -> Handed<'_> {
    Handed {
        token,
        key: None,
        until_us,
    }
}

#[test]
fn asking_again_prolongs_the_token_that_there_is() {
    let (core, lent) = (core(2), Lent::new().unwrap());
    let lend = |key, token, until_us, now_us| {
        let handed = handed(token, until_us);
        lent.lend(session(&core, key), &door(), &handed, now_us)
            .unwrap()
    };
    let token = lend(0, "venue's", END_US, 0);
    assert_eq!(lend(0, "venue's", 2 * END_US, END_US - 1), token);
    assert!(lent.find(&token, "main", 2 * END_US - 1).is_some());
    // Another key of the same account has one of its own.
    assert_ne!(lend(1, "venue's", END_US, 0), token);
    // What is over, or stands for something else, is another one.
    let next = lend(0, "venue's", 3 * END_US, 2 * END_US);
    assert_ne!(next, token);
    let last = lend(0, "another", 3 * END_US, 2 * END_US);
    assert!(![&token, &next].contains(&&last));
    for over in [&token, &next] {
        assert!(lent.find(over, "main", 2 * END_US).is_none());
    }
    assert_eq!(
        *lent.find(&last, "main", 2 * END_US).unwrap().venue,
        "another"
    );
}

#[test]
fn a_token_is_good_on_its_listener_until_its_end() {
    let (core, lent) = (core(1), Lent::new().unwrap());
    let handed = handed("venue's", END_US);
    let token = lent.lend(session(&core, 0), &door(), &handed, 0).unwrap();
    let loan = lent.find(&token, "main", END_US - 1).unwrap();
    assert!(lent.find(&token, "main", END_US).is_none());
    assert!(lent.find(&token, "other", 0).is_none());
    assert!(lent.find("venue's", "main", 0).is_none());
    // A stream goes on a little, so that the venue's own word still comes.
    let last_us = END_US + GRACE_US;
    assert!(loan.goes_on(last_us - 1) && !loan.goes_on(last_us));
    assert!(!lent.sweep(last_us - 1) && lent.sweep(last_us) && !lent.sweep(last_us));
}

#[test]
fn what_was_ended_ends_its_streams_at_once_and_no_other() {
    let (core, lent) = (core(2), Lent::new().unwrap());
    let handed = handed("venue's", END_US);
    let [mine, other] = [0, 1].map(|key| {
        let token = lent.lend(session(&core, key), &door(), &handed, 0).unwrap();
        lent.find(&token, "main", 0).unwrap()
    });
    lent.end(&mine);
    assert!(!mine.goes_on(0) && other.goes_on(0));
    // What is ended late ends nothing that came after it.
    let next = lent.lend(session(&core, 0), &door(), &handed, 0).unwrap();
    lent.end(&mine);
    assert!(lent.find(&next, "main", 0).is_some());
}

#[test]
fn one_s_own_is_found_by_who_asks_and_not_by_another_s_token() {
    let (core, lent) = (core(2), Lent::new().unwrap());
    let handed = handed("venue's", END_US);
    let [mine, other] = [0, 1].map(|key| {
        let token = lent.lend(session(&core, key), &door(), &handed, 0).unwrap();
        hash(&token)
    });
    let of = |shown: Option<&_>| lent.of(&session(&core, 0), &door(), shown, 0).is_some();
    assert!(of(None) && of(Some(&mine)) && !of(Some(&other)));
}

#[test]
fn a_key_that_was_out_of_use_has_lost_its_token() {
    let (core, lent) = (core(1), Lent::new().unwrap());
    let handed = handed("venue's", END_US);
    let token = lent.lend(session(&core, 0), &door(), &handed, 0).unwrap();
    core.credentials.set_state("k0", State::Suspended).unwrap();
    assert!(lent.find(&token, "main", 0).is_none());
    assert!(lent.sweep(0));
    core.credentials.set_state("k0", State::Active).unwrap();
    assert!(lent.find(&token, "main", 0).is_none());
}

#[test]
fn a_full_table_refuses_until_something_is_over() {
    let (core, lent) = (core(3), Lent::bounded(2).unwrap());
    let lend = |key, now_us| {
        let handed = handed("venue's", now_us + 1);
        lent.lend(session(&core, key), &door(), &handed, now_us)
    };
    assert!(lend(0, 0).is_ok() && lend(1, 0).is_ok());
    assert_eq!(lend(2, 0), Err(Code::Overloaded));
    assert!(lend(1, 0).is_ok());
    assert!(lend(2, 1 + GRACE_US).is_ok());
}
