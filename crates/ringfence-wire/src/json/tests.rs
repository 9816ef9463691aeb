//! JSON is read in one way or refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use ringfence_core::refusal::{Code, Refusal};

use super::{append, find, values};

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
