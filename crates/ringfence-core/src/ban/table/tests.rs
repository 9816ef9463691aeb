//! The strictest ban counts until it ends, and an operator's word counts before the rules'.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::IpAddr;

use super::{Answer, Applied, Ban, BanTable, Origin, Reach, Target};
use crate::refusal::{Code, Retry};

fn ban(target: &str, origin: Origin, until_us: u64) -> Ban {
    Ban {
        target: Target::parse(target).unwrap(),
        answer: Answer::Ban,
        reach: Reach::Strangers,
        origin,
        step: 0,
        since_us: 0,
        until_us,
        why: "test".into(),
    }
}

fn at(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_ban_holds_for_its_network_until_it_ends() {
    let table = BanTable::new(10);
    for target in ["192.0.2.0/24", "2001:db8::/48", "10.1.2.3"] {
        assert_eq!(
            table.apply(ban(target, Origin::Ladder, 50), 0),
            Applied::Taken
        );
    }
    for (address, held) in [
        ("192.0.2.77", true),
        ("::ffff:192.0.2.77", true),
        ("192.0.3.77", false),
        ("2001:db8:0:ffff::1", true),
        ("2001:db8:1::1", false),
        ("10.1.2.3", true),
        ("10.1.2.4", false),
    ] {
        assert_eq!(
            table.of_address(at(address), 49).is_some(),
            held,
            "{address}"
        );
        assert!(table.of_address(at(address), 50).is_none());
    }
    assert_eq!(table.all(49).len(), 3);
    assert_eq!(table.take_expired(49).len(), 0);
    assert_eq!(table.take_expired(50).len(), 3);
    assert_eq!(table.all(0).len(), 0);
}

#[test]
fn a_credential_is_banned_by_its_name_alone() {
    let table = BanTable::new(10);
    table.apply(ban("key:trader", Origin::Operator, 50), 0);
    assert!(table.of_credential("trader", 49).is_some());
    assert!(table.of_credential("trader", 50).is_none());
    assert!(table.of_credential("other", 0).is_none());
    assert!(table.lift(&Target::parse("key:trader").unwrap()).is_some());
    assert!(table.of_credential("trader", 0).is_none());
}

#[test]
fn rules_neither_shorten_a_ban_nor_replace_an_operators() {
    let table = BanTable::new(10);
    let apply = |origin, until_us| table.apply(ban("10.0.0.1", origin, until_us), 0);
    assert_eq!(apply(Origin::Ladder, 50), Applied::Taken);
    assert_eq!(apply(Origin::Peer, 40), Applied::Kept);
    assert_eq!(apply(Origin::Peer, 60), Applied::Taken);
    assert_eq!(apply(Origin::Operator, 10), Applied::Taken);
    assert_eq!(apply(Origin::Ladder, 90), Applied::Kept);
    assert_eq!(table.of_address(at("10.0.0.1"), 9).unwrap().until_us, 10);
    let later = ban("10.0.0.1", Origin::Ladder, 90);
    assert_eq!(table.apply(later, 10), Applied::Taken);
}

#[test]
fn the_strictest_of_several_counts() {
    let table = BanTable::new(10);
    table.apply(ban("10.0.0.1", Origin::Ladder, 90), 0);
    let all = Ban {
        reach: Reach::All,
        ..ban("10.0.0.0/16", Origin::Operator, 50)
    };
    table.apply(all, 0);
    let found = |now_us| table.of_address(at("10.0.0.1"), now_us).unwrap().reach;
    assert_eq!(found(49), Reach::All);
    assert_eq!(found(50), Reach::Strangers);
}

#[test]
fn a_full_table_takes_operators_bans_and_no_others() {
    let table = BanTable::new(1);
    assert_eq!(
        table.apply(ban("10.0.0.1", Origin::Ladder, 50), 0),
        Applied::Taken
    );
    assert_eq!(
        table.apply(ban("10.0.0.2", Origin::Ladder, 50), 0),
        Applied::Full
    );
    assert_eq!(
        table.apply(ban("10.0.0.3", Origin::Operator, 50), 0),
        Applied::Taken
    );
    assert_eq!(
        table.apply(ban("10.0.0.1", Origin::Ladder, 60), 0),
        Applied::Taken
    );
}

#[test]
fn what_is_banned_is_told_until_when() {
    let one = ban("10.0.0.1", Origin::Ladder, 5_000_000);
    let refusal = one.refusal(4_000_001);
    assert_eq!(
        (refusal.code, refusal.retry),
        (Code::Banned, Retry::AfterMs(1000))
    );
    let wait = Ban {
        answer: Answer::Wait,
        ..one
    };
    assert_eq!(wait.refusal(0).code, Code::EdgeRate);
}

#[test]
fn what_half_the_world_is_in_is_no_target() {
    for text in [
        "0.0.0.0/0",
        "10.0.0.0/7",
        "2000::/16",
        "",
        "key:",
        "10.0.0.1/24",
        "somebody",
    ] {
        assert_eq!(Target::parse(text), None, "{text}");
    }
    let one = |text| Target::parse(text).unwrap().to_string();
    assert_eq!(one("10.0.0.0/8"), "10.0.0.0/8");
    assert_eq!(one("10.0.0.9"), "10.0.0.9");
    assert_eq!(one("2001:db8::1"), "2001:db8::/64");
    assert_eq!(one("2001:db8:1::/48"), "2001:db8:1::/48");
    assert_eq!(one("key:trader"), "key:trader");
}
