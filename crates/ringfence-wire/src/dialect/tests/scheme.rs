//! What a scheme of another venue signs has one reading, and the order that it carries is the venue's.

use http::{HeaderMap, HeaderName, HeaderValue};
use ringfence_core::refusal::Code;
use serde_json::{Value, json};

use super::super::{BodyKind, Dialect, Head, Scratch};
use super::fixture::written;

/// Returns the compact dialect with another scheme.
fn signed(signing: &Value) -> Value {
    let mut dialect = written();
    dialect["signing"] = json!({
        "key": {"header": "X-Key"},
        "signature": {"header": "X-Sign"},
        "payload": ["timestamp", "method", "path", "question_mark", "query", "body"],
        "encodings": {"hmac": "hex", "ed25519": "base64", "rsa": "base64"},
        "time": {"parameter": {"header": "X-Time"}, "unit": "ms",
                 "window_default_ms": 5000, "window_max_ms": 5000, "ahead_ms": 1000},
    });
    for (name, value) in signing.as_object().unwrap() {
        dialect["signing"][name] = value.clone();
    }
    dialect
}

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let all = [
        ("x-key", "key"),
        ("x-sign", "ab"),
        ("x-time", "1700000000000"),
    ];
    let mut map = HeaderMap::new();
    for (name, value) in all.iter().chain(fields) {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    map
}

/// Returns both readings of what was signed.
fn payload(
    signing: &Value,
    fields: &[(&str, &str)],
    query: &str,
    body: &str,
) -> Result<(String, Option<String>), Code> {
    let dialect = Dialect::from_json(&signed(signing)).unwrap();
    let headers = headers(fields);
    let head = Head {
        method: "POST",
        path: "/a",
        query,
        content_type: None,
        key: None,
        headers: Some(&headers),
        secure: false,
        session: false,
    };
    let mut scratch = Scratch::default();
    let claim = dialect.read_claim(&head, body, BodyKind::Form, &mut scratch);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    claim
        .map(|claim| (text(claim.payload), claim.otherwise.map(text)))
        .map_err(|refusal| refusal.code)
}

#[test]
fn pieces_stand_in_order_with_nothing_between() {
    let (sent, otherwise) = payload(&json!({}), &[], "a=1", "b=2").unwrap();
    assert_eq!(sent, "1700000000000POST/a?a=1b=2");
    assert_eq!(otherwise, None);
}

#[test]
fn a_query_signed_before_it_was_escaped_has_a_second_reading() {
    let early = json!({"unescaped_query": true, "payload": ["query"]});
    let read = |query| payload(&early, &[], query, "").unwrap().1;
    assert_eq!(read("x=a%20b/c+d,e").as_deref(), Some("x=a b/c+d,e"));
    assert_eq!(read("x=a"), None);
    // Another query resolves to the same text.
    for query in ["x=a%26b", "x=%2541", "x=%2bd", "x=%2Bd", "x=%41", "x=%2c"] {
        assert_eq!(read(query), None, "{query}");
    }
}

#[test]
fn a_decoded_query_with_two_readings_is_refused() {
    let decoded = json!({"payload": ["query_decoded"]});
    let (sent, _) = payload(&decoded, &[], "x=a%20b%2Fc%2Bd%2Ce", "").unwrap();
    assert_eq!(sent, "x=a b/c+d,e");
    for query in ["x=a+b", "x=a%26b%3D1", "x=%2f", "x=%61", "x=%2541"] {
        let refused = payload(&decoded, &[], query, "");
        assert_eq!(refused, Err(Code::FormMalformed), "{query}");
    }
}

#[test]
fn a_query_that_is_not_signed_is_refused() {
    let unsigned = json!({"payload": ["path", "body"]});
    assert!(payload(&unsigned, &[], "", "b=2").is_ok());
    let refused = payload(&unsigned, &[], "price=1", "b=2");
    assert_eq!(refused, Err(Code::FormMalformed));
}

#[test]
fn where_query_and_body_are_alternatives_both_are_refused() {
    let either = json!({"query_or_body": true});
    assert!(payload(&either, &[], "a=1", "").is_ok());
    assert!(payload(&either, &[], "", "b=2").is_ok());
    let refused = payload(&either, &[], "a=1", "b=2");
    assert_eq!(refused, Err(Code::FormMalformed));
}

#[test]
fn a_field_that_says_who_signed_stands_once() {
    for name in ["x-key", "x-sign", "x-time"] {
        let refused = payload(&json!({}), &[(name, "2")], "", "");
        assert_eq!(refused, Err(Code::FormDuplicate), "{name}");
    }
}

#[test]
fn parts_of_one_field_are_told_apart_and_stand_once() {
    let part = |field| json!({"header": "Authorization", "scheme": "venue", "field": field});
    let one = json!({"key": part("id"), "signature": part("sig"), "payload": ["key"]});
    let read = |value| payload(&one, &[("authorization", value)], "", "").map(|read| read.0);
    assert_eq!(read("venue id=k,sig=ab"), Ok("k".to_owned()));
    assert_eq!(read("venue id=k,sig=ab,id=l"), Err(Code::FormDuplicate));
    assert_eq!(read("venue id=k,nothing"), Err(Code::FormMalformed));
    assert_eq!(read("Bearer id=k"), Err(Code::CredentialMissing));
    assert_eq!(read("venue sig=ab"), Err(Code::CredentialMissing));
}

#[test]
fn a_scheme_that_contradicts_itself_is_refused_with_its_field() {
    for (signing, message) in [
        (
            json!({"payload": [{"literal": "a", "json": "b"}]}),
            "signing.payload[0]: a piece is exactly one thing",
        ),
        (
            json!({"payload": [{"sha256": [{"literal": "a"}, {}]}]}),
            "signing.payload[0].sha256[1]: a piece is exactly one thing",
        ),
        (
            json!({"payload": [{"md5": []}]}),
            "signing.payload[0].md5: unknown field `md5`",
        ),
        (
            json!({"key_header": "X-Key"}),
            "signing.key: give one of `key` and `key_header`",
        ),
        (
            json!({"nonce": {"header": "X-Nonce", "query": "nonce"}}),
            "signing.nonce: give one of `header`, `query` and `body`",
        ),
        (
            json!({"nonce": {"header": "X-Nonce", "field": "n"}}),
            "signing.nonce: `scheme` and `field` go together",
        ),
        (
            json!({"signature": {"header": "X Sign"}}),
            "signing.signature.header: not the name of a header field",
        ),
    ] {
        let error = Dialect::from_json(&signed(&signing))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn a_scheme_takes_the_algorithms_that_it_names_and_says_so() {
    let described = |encodings: Value| {
        let written = signed(&json!({ "encodings": encodings }));
        let dialect = Dialect::from_json(&written).unwrap();
        dialect.describe().unwrap().algorithms
    };
    assert_eq!(
        described(json!({"ed25519": "base64url"})),
        ["Ed25519 in base64url"]
    );
    assert_eq!(
        described(json!({"ecdsa": {"form": "fixed", "encoding": "base64"}, "hmac": "hex"})),
        ["HMAC-SHA256 in hex", "ECDSA-P256-SHA256 in base64"]
    );
    assert_eq!(
        described(json!({"ecdsa": {"form": "der", "encoding": "hex"}})),
        ["ECDSA-P256-SHA256 in hex of DER"]
    );
}
