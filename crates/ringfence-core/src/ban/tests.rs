//! A ban keeps out strangers and spares who is known, within what is left to verify.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::IpAddr;

use super::{Answer, Ban, BanConfig, Bans, Origin, Reach, Rules, Step, Target};
use crate::ban::Offence;
use crate::edge::Quotas;
use crate::refusal::{Code, Refusal};

const S: u64 = 1_000_000;

fn config() -> BanConfig {
    BanConfig {
        rules: Some(Rules {
            points: vec![(Code::SignatureInvalid, 10)],
            threshold: Quotas {
                address: 10,
                network: 100,
                block: 100,
            },
            leak_per_s: 0,
            forgive_s: 3600,
            steps: [60, 600]
                .map(|seconds| Step {
                    answer: Answer::Ban,
                    seconds,
                })
                .to_vec(),
            exempt: Vec::new(),
            offenders: 64,
        }),
        capacity: 10,
        known_s: 100,
        known: 64,
        verifications: 3,
        unproved: Quotas {
            address: 1000,
            network: 1,
            block: 1,
        },
        window_ms: 1000,
        prefixes: 64,
    }
}

fn at(host: u8) -> IpAddr {
    [192, 0, 2, host].into()
}

fn ban(target: &str, reach: Reach) -> Ban {
    Ban {
        target: Target::parse(target).unwrap(),
        answer: Answer::Ban,
        reach,
        origin: Origin::Operator,
        step: 0,
        since_us: 0,
        until_us: 1000 * S,
        why: "test".into(),
    }
}

#[test]
fn who_is_known_is_spared_where_it_was_seen_and_as_long_as_it_is_remembered() {
    let bans = Bans::new(config());
    let (mine, other) = (bans.mark("mine"), bans.mark("other"));
    bans.note(at(1), mine, 50 * S);
    bans.apply(ban("192.0.2.0/24", Reach::Strangers), 0);
    let spared = |host, now_us| {
        let suspicion = bans.suspicion(at(host), now_us).unwrap();
        bans.may_spare(&suspicion, at(host), now_us)
    };
    assert!(spared(1, 60 * S) && !spared(2, 60 * S) && !spared(1, 150 * S));
    assert!(bans.knows(at(1), mine, 60 * S));
    assert!(!bans.knows(at(1), other, 60 * S) && !bans.knows(at(2), mine, 60 * S));
    assert!(!bans.shuts_out(at(1), Some(mine), 60 * S));
    assert!(bans.shuts_out(at(1), None, 60 * S) && bans.shuts_out(at(1), Some(other), 60 * S));
}

#[test]
fn a_ban_of_everybody_spares_nobody() {
    let bans = Bans::new(config());
    bans.note(at(1), bans.mark("mine"), 0);
    bans.apply(ban("192.0.2.1", Reach::All), 0);
    let suspicion = bans.suspicion(at(1), S).unwrap();
    assert!(!bans.may_spare(&suspicion, at(1), S));
    assert!(bans.shuts_out(at(1), Some(bans.mark("mine")), S));
}

#[test]
fn a_banned_address_has_so_many_verifications_in_a_window() {
    let bans = Bans::new(config());
    let taken = |now_us| (0..10).filter(|_| bans.may_verify(at(1), now_us)).count();
    assert_eq!((taken(0), taken(0), taken(S)), (3, 0, 3));
}

#[test]
fn a_network_whose_strangers_ask_for_too_much_has_none_served_until_the_window_ends() {
    let bans = Bans::new(config());
    for n in 0..1000_u16 {
        assert!(bans.suspicion(at(9), S).is_none());
        bans.unproved(at((n % 250) as u8), S);
    }
    bans.unproved(at(1), S);
    let suspicion = bans.suspicion(at(9), S).unwrap();
    assert_eq!(suspicion.refusal().code, Code::EdgeRate);
    assert!(bans.suspicion([198, 51, 100, 1].into(), S).is_none());
    assert!(bans.suspicion(at(9), 2 * S).is_none());
}

#[test]
fn who_is_lifted_begins_at_the_bottom_and_a_restored_ban_knows_its_step() {
    let bans = Bans::new(config());
    let refusal = Refusal::new(Code::SignatureInvalid);
    let offence = Offence {
        peer: at(1),
        proved: None,
        refusal: &refusal,
    };
    let climb = |bans: &Bans, now_us| {
        let made = bans.offended(&offence, now_us).remove(0);
        bans.apply(made.clone(), now_us);
        made
    };
    assert_eq!(climb(&bans, 0).step, 1);
    let second = climb(&bans, 60 * S);
    assert_eq!((second.step, second.until_us), (2, 660 * S));
    let other = Bans::new(config());
    other.apply(climb(&Bans::new(config()), 0), 0);
    assert_eq!(climb(&other, 60 * S).step, 2);
    assert!(bans.lift(&second.target).is_some());
    assert!(bans.suspicion(at(1), 61 * S).is_none());
    assert_eq!(climb(&bans, 61 * S).step, 1);
}

#[test]
fn what_is_remembered_of_strangers_is_bounded() {
    let bans = Bans::new(config());
    let before = bans.known.bytes();
    for n in 0..100_000_u32 {
        bans.note(
            IpAddr::from(n.to_be_bytes()),
            bans.mark("mine"),
            u64::from(n),
        );
    }
    assert_eq!(bans.known.bytes(), before);
}

/// The number that docs/bans.md states.
#[test]
fn the_ladder_and_who_is_known_take_nine_megabytes_as_shipped() {
    let shipped = BanConfig {
        rules: config().rules.map(|rules| Rules {
            offenders: 65_536,
            ..rules
        }),
        known: 65_536,
        ..config()
    };
    let bans = Bans::new(shipped);
    let ladder = bans.ladder.as_ref().map_or(0, |ladder| ladder.bytes());
    let bytes = ladder + bans.known.bytes();
    assert!((8..10).contains(&(bytes >> 20)), "{bytes}");
}
