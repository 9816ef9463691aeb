//! A listener answers to its own names, and to no other spelling of another's.
#![allow(clippy::unwrap_used)]

use super::Authorities;

fn named(names: &[&str], secure: bool) -> Authorities {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    Authorities::new(&names, secure, "authorities").unwrap()
}

fn taken(names: &[&str], authorities: &[&str]) -> Vec<bool> {
    let names = named(names, true);
    let each = authorities.iter();
    each.map(|authority| names.check(authority).is_ok())
        .collect()
}

#[test]
fn a_name_without_a_port_is_good_with_any() {
    let asked = [
        "gw.example",
        "GW.example:8443",
        "gw.example:443",
        "other.example",
        "gw.example.",
        "",
    ];
    let wanted = [true, true, true, false, false, false];
    assert_eq!(taken(&["GW.example"], &asked), wanted);
}

#[test]
fn a_name_with_a_port_is_good_with_that_one_alone() {
    let asked = [
        "gw.example:8443",
        "gw.example",
        "gw.example:443",
        "gw.example:8444",
    ];
    assert_eq!(
        taken(&["gw.example:8443"], &asked),
        [true, false, false, false]
    );
    // The scheme's own need not be said.
    assert_eq!(
        taken(&["gw.example:443"], &asked),
        [false, true, true, false]
    );
    let plain = named(&["gw.example:80"], false);
    assert!(plain.check("gw.example").is_ok());
    assert!(plain.check("gw.example:443").is_err());
}

#[test]
fn a_star_is_one_label() {
    let asked = [
        "a.example",
        "a.b.example",
        "example",
        ".example",
        "aexample",
    ];
    assert_eq!(
        taken(&["*.example"], &asked),
        [true, false, false, false, false]
    );
}

#[test]
fn an_address_of_ipv6_keeps_its_brackets() {
    let asked = ["[::1]", "[::1]:8443", "::1", "[::1", "[::1]:x"];
    assert_eq!(taken(&["[::1]"], &asked), [true, true, false, false, false]);
}

#[test]
fn without_a_name_nothing_is_taken() {
    assert_eq!(taken(&[], &["gw.example", "localhost"]), [false, false]);
}

#[test]
fn what_is_no_name_is_refused_at_its_place() {
    for wrong in ["", "gw:port", "gw:", "gw:70000", "::1"] {
        let names = ["gw".to_owned(), wrong.to_owned()];
        let said = Authorities::new(&names, true, "listeners[0].authorities").unwrap_err();
        assert!(
            said.to_string().contains("listeners[0].authorities[1]"),
            "{said}"
        );
    }
}
