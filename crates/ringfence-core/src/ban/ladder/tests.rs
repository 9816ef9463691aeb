//! Who goes on climbs, who stops comes down, and nobody climbs for a neighbour.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{IpAddr, Ipv6Addr};

use super::{Ladder, Offence, Rules, Step};
use crate::address::Cidr;
use crate::ban::table::{Answer, Ban, Target};
use crate::edge::Quotas;
use crate::refusal::{Code, Refusal};

const S: u64 = 1_000_000;
const DAY: u64 = 86_400;

fn rules() -> Rules {
    let wait = |seconds| Step {
        answer: Answer::Wait,
        seconds,
    };
    let ban = |seconds| Step {
        answer: Answer::Ban,
        seconds,
    };
    Rules {
        points: vec![(Code::SignatureInvalid, 10), (Code::EdgeRate, 1)],
        threshold: Quotas {
            address: 100,
            network: 8,
            block: 32,
        },
        leak_per_s: 1,
        forgive_s: 3600,
        steps: vec![wait(10), wait(60), ban(120), ban(3 * DAY)],
        exempt: vec![Cidr::parse("127.0.0.0/8").unwrap()],
        offenders: 1024,
    }
}

fn v4(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Forges until something comes of it, at most `most` times.
fn forge(ladder: &Ladder, peer: IpAddr, most: usize, now_us: u64) -> Vec<Ban> {
    let refusal = Refusal::new(Code::SignatureInvalid);
    let offence = Offence {
        peer,
        proved: None,
        refusal: &refusal,
    };
    let mut made = (0..most).map(|_| ladder.offended(&offence, 0, now_us));
    made.find(|bans| !bans.is_empty()).unwrap_or_default()
}

fn step(bans: &[Ban]) -> (Answer, u64) {
    let [ban] = bans else { panic!("{bans:?}") };
    (ban.answer, (ban.until_us - ban.since_us) / S)
}

#[test]
fn each_time_it_takes_as_many_offences_and_brings_more() {
    let ladder = Ladder::new(rules());
    let peer = v4("192.0.2.1");
    let mut now_us = S;
    for expected in [
        (Answer::Wait, 10),
        (Answer::Wait, 60),
        (Answer::Ban, 120),
        (Answer::Ban, 3 * DAY),
        (Answer::Ban, 3 * DAY),
    ] {
        assert!(forge(&ladder, peer, 9, now_us).is_empty());
        let bans = forge(&ladder, peer, 1, now_us);
        assert_eq!(step(&bans), expected);
        assert_eq!(bans[0].target, Target::parse("192.0.2.1").unwrap());
        now_us = bans[0].until_us;
    }
}

#[test]
fn who_is_banned_is_not_banned_for_longer_because_it_knocks() {
    let ladder = Ladder::new(rules());
    let peer = v4("192.0.2.1");
    let climb = |now_us| forge(&ladder, peer, 10, now_us);
    let last = [climb(S), climb(S), climb(S)].concat();
    assert_eq!(last.last().unwrap().answer, Answer::Ban);
    assert!(forge(&ladder, peer, 10_000, 100 * S).is_empty());
    assert_eq!(step(&climb(122 * S)), (Answer::Ban, 3 * DAY));
}

#[test]
fn points_leak_and_steps_are_taken_back_by_good_behaviour() {
    let ladder = Ladder::new(rules());
    let peer = v4("192.0.2.1");
    // Ten points each ten seconds never come to a hundred.
    assert!((0..1000).all(|n| forge(&ladder, peer, 1, n * 10 * S).is_empty()));
    let start_us = 20_000 * S;
    assert_eq!(
        step(&forge(&ladder, peer, 10, start_us)),
        (Answer::Wait, 10)
    );
    assert_eq!(
        step(&forge(&ladder, peer, 10, start_us)),
        (Answer::Wait, 60)
    );
    // An hour after the wait, not before, one step is gone.
    let later_us = start_us + (60 + 3600) * S;
    assert_eq!(
        step(&forge(&ladder, peer, 10, later_us)),
        (Answer::Wait, 60)
    );
    let again_us = later_us + (60 + 3599) * S;
    assert_eq!(
        step(&forge(&ladder, peer, 10, again_us)),
        (Answer::Ban, 120)
    );
    let month_us = again_us + 30 * DAY * S;
    assert_eq!(
        step(&forge(&ladder, peer, 10, month_us)),
        (Answer::Wait, 10)
    );
}

#[test]
fn being_told_to_wait_costs_nothing_and_ignoring_it_does() {
    let ladder = Ladder::new(rules());
    let peer = v4("192.0.2.1");
    let refused = |now_us: u64, after_ms| {
        let refusal = Refusal::new(Code::EdgeRate).retry_after(after_ms);
        let offence = Offence {
            peer,
            proved: None,
            refusal: &refusal,
        };
        ladder.offended(&offence, 0, now_us).len()
    };
    // Who comes back when told never climbs.
    assert_eq!((0..10_000).map(|n| refused(n * S, 1000)).sum::<usize>(), 0);
    let start_us = 20_000 * S;
    assert_eq!((0..100).map(|_| refused(start_us, 5000)).sum::<usize>(), 0);
    assert_eq!(refused(start_us, 5000), 1);
}

#[test]
fn what_is_proved_is_laid_to_the_key_and_to_no_neighbour() {
    let ladder = Ladder::new(rules());
    let peer = v4("192.0.2.1");
    let refusal = Refusal::new(Code::SignatureInvalid);
    let offence = Offence {
        peer,
        proved: Some("trader"),
        refusal: &refusal,
    };
    let mut made = (0..10).map(|_| ladder.offended(&offence, 7, S));
    let bans = made.find(|bans| !bans.is_empty()).unwrap();
    assert_eq!(bans[0].target, Target::parse("key:trader").unwrap());
    assert!(forge(&ladder, peer, 9, S).is_empty());
}

#[test]
fn ten_thousand_addresses_of_one_network_climb_for_it() {
    let ladder = Ladder::new(rules());
    let mut bans = Vec::new();
    let mut needed = 0;
    for n in 0..10_000_u128 {
        let peer = Ipv6Addr::from(0x2001_0db8_u128 << 96 | n << 64);
        bans.extend(forge(&ladder, peer.into(), 1, S));
        if bans.is_empty() {
            needed = n + 1;
        }
    }
    // Each forged once: eighty times ten points are eight hundred.
    assert_eq!(needed, 79);
    assert_eq!(bans[0].target, Target::parse("2001:db8::/48").unwrap());
    let banned = bans.iter().filter(|ban| ban.answer == Answer::Ban);
    let banned: Vec<_> = banned.map(|ban| ban.target.to_string()).collect();
    // Once it is kept out it does nothing more to its block.
    assert_eq!(banned, ["2001:db8::/48"]);
}

#[test]
fn who_is_exempt_is_never_banned_by_the_rules() {
    let ladder = Ladder::new(rules());
    assert!(forge(&ladder, v4("127.0.0.9"), 10_000, S).is_empty());
    assert!(forge(&ladder, v4("::ffff:127.0.0.9"), 10_000, S).is_empty());
}

#[test]
fn a_million_offenders_take_no_more_memory_than_the_first() {
    let ladder = Ladder::new(rules());
    let before = ladder.bytes();
    for n in 0..1_000_000_u128 {
        let peer = Ipv6Addr::from(n << 90);
        let _ = forge(&ladder, peer.into(), 1, S);
    }
    assert_eq!(ladder.bytes(), before);
}
