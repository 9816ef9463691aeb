//! JSON is read in one way or refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use ringfence_core::refusal::{Code, Refusal};

use super::{append, find, parts, values};

fn read(text: &str) -> Result<Vec<(String, String)>, Code> {
    let mut all = Vec::new();
    let read = values(text, &mut |value| {
        let mut out = String::new();
        append(value.raw, &mut out)?;
        all.push((value.path.to_owned(), out));
        Ok::<_, Refusal>(())
    });
    read.map(|()| all).map_err(|refusal| refusal.code)
}

#[test]
fn values_stand_under_their_names() {
    let text = r#" {"a": 1, "b" : {"c":"x\"y","d":[true,null]} ,"e":{}, "f":[] } "#;
    let seen = read(text).unwrap();
    let seen: Vec<_> = seen.iter().map(|(k, v)| (&**k, &**v)).collect();
    let wanted = [
        ("a", "1"),
        ("b.c", "x\"y"),
        ("b.d.0", "true"),
        ("b.d.1", "null"),
        ("e", "{}"),
        ("f", "[]"),
    ];
    assert_eq!(seen, wanted);
    assert_eq!(find(text, "b.d"), Ok(Some("[true,null]")));
    assert_eq!(find(text, "b.x"), Ok(None));
}

#[test]
fn parts_are_all_values_with_objects_and_lists_behind_what_stands_in_them() {
    let mut all = Vec::new();
    parts(r#"{"a":{"b":[1]},"c":"d"}"#, &mut |part| {
        all.push((part.path.to_owned(), part.raw));
        Ok::<_, Refusal>(())
    })
    .unwrap();
    let all: Vec<_> = all.iter().map(|(path, raw)| (&**path, *raw)).collect();
    let wanted = [
        ("a.b.0", "1"),
        ("a.b", "[1]"),
        ("a", r#"{"b":[1]}"#),
        ("c", r#""d""#),
        ("", r#"{"a":{"b":[1]},"c":"d"}"#),
    ];
    assert_eq!(all, wanted);
    let twice = parts(r#"{"a":1,"a":2}"#, &mut |_| Ok(()));
    assert_eq!(twice.unwrap_err().code, Code::FormDuplicate);
}

#[test]
fn names_of_other_objects_are_no_duplicates() {
    let text = r#"{"a":{"b":1,"c":2},"b":{"a":3,"c":{"c":4}},"c":[{"a":5},{"a":6}]}"#;
    assert_eq!(read(text).unwrap().len(), 6);
    let inner = r#"{"a":{"b":1},"b":{"c":{},"a":2,"c":3}}"#;
    assert_eq!(read(inner), Err(Code::FormDuplicate));
    let outer = r#"{"a":{"b":1,"c":2},"b":3,"a":4}"#;
    assert_eq!(read(outer), Err(Code::FormDuplicate));
}

#[test]
fn what_two_parsers_could_read_differently_is_refused() {
    for (text, code) in [
        (r#"{"a":1,"a":2}"#, Code::FormDuplicate),
        (r#"{"a":{"b":1},"a":{"c":1}}"#, Code::FormDuplicate),
        (r#"{"a.b":1}"#, Code::FormMalformed),
        (r#"{"\u0061":1}"#, Code::FormMalformed),
        (r#"{"":1}"#, Code::FormMalformed),
        (r#"{"a":"\u0000"}"#, Code::FormMalformed),
        (r#"{"a":1} x"#, Code::FormMalformed),
        (r#"{"a":01}"#, Code::FormMalformed),
        (r#"{"a":1,}"#, Code::FormMalformed),
        ("[[[[[[[[[1]]]]]]]]]", Code::FormMalformed),
    ] {
        assert_eq!(read(text), Err(code), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\]{}\",:a1\\\\ ]{0,40}") {
        let _ = read(&text);
    }
}
