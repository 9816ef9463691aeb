//! A venue key signs for the accounts that it is given to, never at the same time twice, and not while the venue waits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use super::{Egress, VenueKey};
use crate::budget::Cost;
use crate::funds::TransferRules;
use crate::refusal::{Code, Retry};

const READ: Cost = Cost {
    weight: 1,
    orders: 0,
    items: 1,
};
const ORDER: Cost = Cost {
    weight: 1,
    orders: 1,
    items: 1,
};

fn egress(default: Option<&str>) -> Egress {
    let accounts = [("alice", "main"), ("bob", "main"), ("carol", "other")];
    let accounts = accounts.map(|(account, key)| (account.into(), key.into()));
    Egress::new(&HashMap::from(accounts), default, TransferRules::default())
}

fn named(egress: &Egress, account: &str) -> Result<String, Code> {
    egress.key(account).map(|key| key.name().to_owned())
}

#[test]
fn an_account_has_the_key_that_it_was_given_once_that_is_there() {
    let egress = egress(None);
    assert_eq!(named(&egress, "alice"), Err(Code::VenueKeyMissing));
    egress.keys().for_each(|key| key.set_ready(true));
    assert_eq!(named(&egress, "alice"), Ok("main".to_owned()));
    assert_eq!(named(&egress, "carol"), Ok("other".to_owned()));
    assert_eq!(named(&egress, "dave"), Err(Code::VenueKeyMissing));
}

#[test]
fn others_have_a_key_only_if_a_default_is_written() {
    let egress = egress(Some("spare"));
    egress.keys().for_each(|key| key.set_ready(true));
    assert_eq!(named(&egress, "dave"), Ok("spare".to_owned()));
    assert_eq!(named(&egress, "alice"), Ok("main".to_owned()));
}

#[test]
fn times_grow_strictly_on_all_threads_and_when_the_clock_steps_back() {
    let key = VenueKey::new("main");
    let seen = Mutex::new(HashSet::new());
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (key, seen) = (&key, &seen);
            scope.spawn(move || {
                let mut last = 0;
                for n in 0..5_000 {
                    // The clock of each thread is another, and steps back.
                    let now = key.tick(1_000_000 + thread * 7 - n % 5);
                    assert!(now > last);
                    last = now;
                    assert!(seen.lock().unwrap().insert(now), "{now} twice");
                }
            });
        }
    });
    assert_eq!(key.tick(9_000_000), 9_000_000);
    assert_eq!(key.tick(1), 9_000_001);
}

#[test]
fn nothing_is_sent_while_the_venue_wants_us_to_wait() {
    let egress = egress(None);
    egress.keys().for_each(|key| key.set_ready(true));
    let (alice, carol) = (egress.key("alice").unwrap(), egress.key("carol").unwrap());
    assert!(alice.meter().hold(5_000, false, 4_000));
    let refusal = egress.check(Some(alice), READ, 4_000).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.retry),
        (Code::VenueLimited, Retry::AfterMs(1_000))
    );
    egress.check(Some(carol), ORDER, 4_000).unwrap();
    egress.check(None, READ, 4_000).unwrap();
    egress.check(Some(alice), READ, 5_000).unwrap();
    // A later word does not shorten an earlier one.
    assert!(!alice.meter().hold(4_500, false, 4_600));
    egress.check(Some(alice), READ, 4_700).unwrap_err();
    // Where only orders are too many, they can still be cancelled.
    assert!(carol.meter().hold(9_000, true, 8_000));
    egress.check(Some(carol), READ, 8_000).unwrap();
    egress.check(Some(carol), ORDER, 8_000).unwrap_err();
    // What the venue says to the gateway as a whole holds for all.
    assert!(egress.upstream().hold(20_000, false, 9_000));
    egress.check(Some(carol), READ, 10_000).unwrap_err();
    egress.check(None, READ, 10_000).unwrap_err();
}

#[test]
fn a_key_that_is_refused_is_news_once_a_minute() {
    let key = VenueKey::new("main");
    let minute = 60_000_000;
    assert!(!key.note(false, minute));
    assert!(key.note(true, 2 * minute));
    assert!(!key.note(true, 3 * minute - 1));
    assert!(!key.note(false, 3 * minute));
    assert_eq!(key.refusals(), (2, false));
    assert!(key.note(true, 3 * minute));
    assert_eq!(key.refusals(), (3, true));
}
