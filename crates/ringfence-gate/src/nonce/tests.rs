//! A nonce is good in the period that it was given out in and in the next, where it was given out.

#![allow(clippy::unwrap_used)]

use super::{Code, Nonces};

const PERIOD_US: u64 = 30_000_000;
/// The beginning of a period.
const NOW_US: u64 = 1_700_000_010_000_000;

fn nonces() -> Nonces {
    Nonces::new(30, "dpop_nonce_s").unwrap()
}

fn good(nonces: &Nonces, shown: &str, now_us: u64) -> bool {
    let checked = nonces.check(Some(shown), now_us);
    assert!(checked.is_ok() || checked.unwrap_err().code == Code::SignatureNonce);
    nonces.check(Some(shown), now_us).is_ok()
}

#[test]
fn a_nonce_is_good_for_a_period_and_for_less_than_two() {
    let nonces = nonces();
    for given_us in [NOW_US, NOW_US + PERIOD_US - 1] {
        let given = nonces.given(given_us);
        let given = given.to_str().unwrap();
        assert!(good(&nonces, given, given_us));
        assert!(good(&nonces, given, given_us + PERIOD_US));
        assert!(good(&nonces, given, NOW_US + 2 * PERIOD_US - 1));
        assert!(!good(&nonces, given, NOW_US + 2 * PERIOD_US));
        // Nobody makes one for later.
        assert!(!good(&nonces, given, NOW_US - 1));
    }
}

#[test]
fn nothing_and_what_another_listener_gave_out_is_no_nonce() {
    let nonces = nonces();
    assert!(nonces.check(None, NOW_US).is_err());
    let given = nonces.given(NOW_US);
    let given = given.to_str().unwrap();
    for shown in ["", &given[1..], &format!("{given}A")] {
        assert!(!good(&nonces, shown, NOW_US), "{shown}");
    }
    let other = Nonces::new(30, "dpop_nonce_s").unwrap();
    assert!(!good(&other, given, NOW_US));
    assert!(Nonces::new(0, "dpop_nonce_s").is_err());
}
