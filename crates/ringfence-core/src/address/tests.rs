//! An address is in a network exactly when its leading bits are, and IPv4 is never IPv6.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::{Cidr, Prefix};

fn contains(network: &str, address: &str) -> bool {
    Cidr::parse(network)
        .unwrap()
        .contains(address.parse().unwrap())
}

#[test]
fn networks_contain_what_their_prefix_covers() {
    for (network, address, inside) in [
        ("192.0.2.0/24", "192.0.2.255", true),
        ("192.0.2.0/24", "192.0.3.0", false),
        ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7/32", "192.0.2.8", false),
        ("0.0.0.0/0", "255.255.255.255", true),
        ("127.0.0.0/8", "127.9.9.9", true),
        ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::", false),
        ("2001:db8::1", "2001:db8::1", true),
        ("2001:db8::1/128", "2001:db8::2", false),
        ("::/0", "2001:db8::1", true),
        ("::1", "::1", true),
    ] {
        assert_eq!(contains(network, address), inside, "{address} in {network}");
    }
}

#[test]
fn a_mapped_address_is_its_ipv4_address() {
    for (network, address, inside) in [
        ("192.0.2.0/24", "::ffff:192.0.2.9", true),
        ("192.0.2.0/24", "::ffff:192.0.3.9", false),
        ("::ffff:192.0.2.0/120", "192.0.2.9", true),
        ("0.0.0.0/0", "::ffff:8.8.8.8", true),
        // ::/96 was "IPv4-compatible" (RFC 4291, deprecated): those are not IPv4 addresses.
        ("192.0.2.0/24", "::192.0.2.9", false),
    ] {
        assert_eq!(contains(network, address), inside, "{address} in {network}");
    }
}

#[test]
fn a_network_of_one_family_allows_nobody_of_the_other() {
    for network in ["::/0", "::/1", "::/64", "::/80"] {
        assert!(!contains(network, "192.0.2.1"), "{network}");
        assert!(!contains(network, "::ffff:192.0.2.1"), "{network}");
        assert!(contains(network, "::1"), "{network}");
    }
    assert!(!contains("0.0.0.0/0", "2001:db8::1"));
    assert!(!contains("0.0.0.0/0", "::1"));
}

#[test]
fn what_is_no_network_is_refused() {
    for text in [
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/08",
        "10.0.0.0/8 ",
        " 10.0.0.0/8",
        "10.0.0.0/8/8",
        "10.0.0.1/8",
        "10.0.0/8",
        "010.0.0.0/8",
        "10.0.0.0/0x8",
        "2001:db8::/129",
        "2001:db8::1/32",
        "::/256",
        "fe80::1%eth0",
        "[::1]",
        "example.com",
        "10.0.0.0/٨",
    ] {
        assert!(Cidr::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn prefixes_read_as_what_they_count() {
    let prefix = |text: &str| Prefix::of(text.parse().unwrap()).to_string();
    assert_eq!(prefix("192.0.2.1"), "192.0.2.1");
    assert_eq!(prefix("::ffff:192.0.2.1"), "192.0.2.1");
    assert_eq!(prefix("2001:db8:0:1:2:3:4:5"), "2001:db8:0:1::/64");
    assert_eq!(prefix("::1"), "::/64");
    assert_eq!(Prefix::OTHERS.to_string(), "others");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn containment_is_equality_of_leading_bits(a: u32, b: u32, bits in 0..=32_u32) {
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        let network = Cidr::parse(&format!("{}/{bits}", Ipv4Addr::from(a & mask))).unwrap();
        prop_assert_eq!(network.contains(Ipv4Addr::from(b).into()), a & mask == b & mask);
        prop_assert!(network.contains(Ipv4Addr::from(a).into()));
    }

    #[test]
    fn containment_is_equality_of_leading_bits_in_v6(a: u128, b: u128, bits in 0..=128_u32) {
        let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
        let network = Cidr::parse(&format!("{}/{bits}", Ipv6Addr::from(a & mask))).unwrap();
        // Random 128-bit numbers are never v4-mapped in any test run that will be seen.
        prop_assert_eq!(network.contains(Ipv6Addr::from(b).into()), a & mask == b & mask);
        prop_assert!(network.contains(Ipv6Addr::from(a).into()));
    }

    #[test]
    fn any_text_is_a_network_or_refused(text in "[0-9a-f:./ ]{0,24}") {
        if let Ok(network) = Cidr::parse(&text) {
            let address = text.split('/').next().unwrap().parse::<IpAddr>().unwrap();
            prop_assert!(network.contains(address) || network.bits == 0);
        }
    }
}

#[test]
fn a_network_binds_unless_it_is_half_the_world() {
    for (network, binds) in [
        ("0.0.0.0/0", false),
        ("128.0.0.0/1", false),
        ("10.0.0.0/7", false),
        ("10.0.0.0/8", true),
        ("192.0.2.7", true),
        ("::/0", false),
        ("2001:db8::/31", false),
        ("2001:db8::/32", true),
        ("::1", true),
        // All of IPv4, however it is written; see above for who is in the others.
        ("::ffff:0.0.0.0/96", false),
        ("::ffff:10.0.0.0/104", true),
    ] {
        assert_eq!(Cidr::parse(network).unwrap().binds(), binds, "{network}");
    }
}
