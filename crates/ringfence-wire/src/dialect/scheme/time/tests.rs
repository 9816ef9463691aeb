//! A time is read as the venue reads it, or not at all.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::{Unit, read, write};

#[test]
fn every_unit_reads_its_own_spelling() {
    let us = 1_700_000_000_123_000;
    for (unit, text) in [
        (Unit::Digits, "1700000000123"),
        (Unit::Digits, "1700000000123000"),
        (Unit::Digits, "170000000012300000"),
        (Unit::Iso8601, "2023-11-14T22:13:20.123Z"),
        (Unit::Ms, "1700000000123"),
        (Unit::MsOrUs, "1700000000123"),
        (Unit::MsOrUs, "1700000000123000"),
        (Unit::Ns, "1700000000123000000"),
        (Unit::S, "1700000000.123"),
        (Unit::Us, "1700000000123000"),
    ] {
        assert_eq!(read(unit, text), Some(us), "{unit:?} {text}");
    }
    let seconds = Some(1_700_000_000_000_000);
    assert_eq!(read(Unit::Iso8601Seconds, "2023-11-14T22:13:20"), seconds);
    assert_eq!(read(Unit::S, "1700000000"), seconds);
}

#[test]
fn what_is_no_time_is_refused() {
    for (unit, text) in [
        (Unit::Digits, "1"),
        (Unit::Digits, "17000000001x"),
        (Unit::Iso8601, "2023-02-29T22:13:20.123Z"),
        (Unit::Iso8601, "2023-11-14T24:13:20.123Z"),
        (Unit::Iso8601, "2023-11-14 22:13:20.123Z"),
        (Unit::Iso8601, "2023-11-14T22:13:20.123"),
        (Unit::Iso8601, "2023-11-14T22:13:20.Z"),
        (Unit::Iso8601, "+023-11-14T22:13:20Z"),
        (Unit::Iso8601, "2023-00-14T22:13:20Z"),
        (Unit::Iso8601Seconds, "2023-11-14T22:13:20.1"),
        (Unit::Ms, "-1"),
        (Unit::Ms, "+1"),
        (Unit::Ms, "1.0"),
        (Unit::S, "1700000000."),
        (Unit::S, ""),
    ] {
        assert_eq!(read(unit, text), None, "{unit:?} {text}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(seconds in 1_000_000_000_u64..10_000_000_000, ms in 0_u64..1000) {
        let us = seconds * 1_000_000 + ms * 1000;
        for unit in [Unit::Digits, Unit::Iso8601, Unit::Ms, Unit::MsOrUs, Unit::Ns, Unit::Us] {
            prop_assert_eq!(read(unit, &write(unit, us)), Some(us), "{:?}", unit);
        }
        for unit in [Unit::Iso8601Seconds, Unit::S] {
            prop_assert_eq!(read(unit, &write(unit, us)), Some(seconds * 1_000_000), "{:?}", unit);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,30}") {
        for unit in [Unit::Digits, Unit::Iso8601, Unit::Iso8601Seconds, Unit::S] {
            let _ = read(unit, &text);
        }
    }
}
