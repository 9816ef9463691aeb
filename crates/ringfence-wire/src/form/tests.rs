//! A form has one reading or none: whatever a second parser could see in it, we see too or refuse.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use ringfence_core::refusal::Code;

use super::{Pair, decode, pairs, percent_valid, without};

fn read(text: &str) -> Result<Vec<(String, String)>, Code> {
    pairs(text, Some("signature"))
        .map(|pair| {
            let Pair {
                name,
                value,
                escaped,
            } = pair?;
            let mut decoded = String::new();
            decode(value, &mut decoded)?;
            assert!(escaped || decoded == value, "{value:?}");
            Ok((name.to_owned(), decoded))
        })
        .collect::<Result<_, ringfence_core::refusal::Refusal>>()
        .map_err(|refusal| refusal.code)
}

fn one(name: &str, value: &str) -> Result<Vec<(String, String)>, Code> {
    Ok(vec![(name.to_owned(), value.to_owned())])
}

#[test]
fn plain_pairs_keep_their_order() {
    let expected = [("b", "1"), ("a", "2")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(read("b=1&a=2"), Ok(expected.to_vec()));
    assert_eq!(read(""), Ok(vec![]));
}

#[test]
fn values_are_decoded_as_forms_are() {
    assert_eq!(read("x=a%20b%2Fc%2Bd%2Ce"), one("x", "a b/c+d,e"));
    assert_eq!(read("x=a+b"), one("x", "a b"));
    assert_eq!(read("x="), one("x", ""));
    assert_eq!(read("x=%EF%BC%91%f0%9f%a6%80"), one("x", "１🦀"));
    assert_eq!(
        read(r#"x=[{"symbol":"BTCUSDT"}]"#),
        one("x", r#"[{"symbol":"BTCUSDT"}]"#)
    );
}

#[test]
fn only_a_signature_may_hold_more_equals_signs() {
    assert_eq!(read("signature=YQ=="), one("signature", "YQ=="));
    assert_eq!(read("price=1=2"), Err(Code::FormMalformed));
}

#[test]
fn what_two_parsers_read_in_two_ways_is_refused() {
    for text in [
        "&",
        "a",
        "=1",
        "a=1&",
        "&a=1",
        "a=1&&b=2", // empty pairs, names, and pairs without `=`
        "a=1;b=2",
        "a=1;b", // HTML 4 separated by `;`
        "%61=1",
        "a+b=1",
        "a%=1", // a name in a second spelling
        "a=%",
        "a=%4",
        "a=%4g",
        "a=%%41",
        "a=%u0041", // escapes cut short
        "a=1#b",
        "a=1 b",
        "a=\t",
        "a=\0",
        "a=é", // bytes that do not belong on the wire
        "a=%00",
        "a=%0a",
        "a=%7f",
        "a=%c2%85", // control characters
        "a=%ff",
        "a=%c0%af",
        "a=%c3",
        "a=%c3%28",
        "a=%ed%a0%80",
        "a=%f4%90%80%80", // no UTF-8
    ] {
        assert_eq!(read(text), Err(Code::FormMalformed), "{text:?}");
    }
}

#[test]
fn percent_encoding_needs_two_digits_each() {
    for (text, valid) in [
        ("", true),
        ("%41%ff", true),
        ("%", false),
        ("%4", false),
        ("a%zz", false),
    ] {
        assert_eq!(percent_valid(text.as_bytes()), valid, "{text:?}");
    }
}

#[test]
fn a_pair_is_taken_out_with_its_ampersand_wherever_it_stands() {
    for (text, rest) in [
        ("signature=x&a=1&b=2", "a=1&b=2"),
        ("a=1&signature=x&b=2", "a=1&b=2"),
        ("a=1&b=2&signature=x", "a=1&b=2"),
        ("signature=x", ""),
        ("", ""),
        ("signatures=1&xsignature=2", "signatures=1&xsignature=2"),
    ] {
        let mut out = String::from("before|");
        without(text, "signature", &mut out);
        assert_eq!(out, format!("before|{rest}"), "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,60}") {
        let _ = read(&text);
    }

    #[test]
    fn what_is_encoded_is_decoded_again(value in "[^\\p{Cc}]{0,20}") {
        let escaped: String = value.bytes().map(|b| format!("%{b:02X}")).collect();
        prop_assert_eq!(read(&format!("x={escaped}")), one("x", &value));
    }

    /// The scheme signs query and body with nothing between, so a text that is cut elsewhere must not be read.
    #[test]
    fn a_glued_query_and_body_are_no_form(query in "[a-c]=[x-z]{0,2}", body in "[a-c]=[x-z]{0,2}") {
        prop_assert_eq!(read(&format!("{query}{body}")), Err(Code::FormMalformed));
    }
}
