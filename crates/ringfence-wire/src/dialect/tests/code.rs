//! A scheme in code is written down as strictly as any other.

use ringfence_core::refusal::Code;
use serde_json::{Value, json};

use super::super::{BodyKind, Dialect, Head, Scratch};
use super::fixture::written;

fn coded(signing: &Value) -> Value {
    let mut dialect = written();
    dialect["signing"] = json!({
        "code": "coinbase-cdp-jwt",
        "hosts": ["api.example"],
        "issuers": ["cdp"],
        "audiences": [],
        "time": {"window_default_ms": 120_000, "window_max_ms": 120_000, "ahead_ms": 1000},
    });
    for (name, value) in signing.as_object().unwrap() {
        dialect["signing"][name] = value.clone();
    }
    dialect
}

#[test]
fn what_is_wrong_with_it_is_named() {
    assert!(Dialect::from_json(&coded(&json!({}))).is_ok());
    for (signing, expected) in [
        (
            json!({"code": "rot13"}),
            "signing.code: unknown code \"rot13\"",
        ),
        (json!({"code": 1}), "signing.code: unknown code 1"),
        (
            json!({"payload": []}),
            "signing.payload: unknown field `payload`",
        ),
        (json!({"hosts": []}), "signing.hosts: it is empty"),
        (json!({"issuers": []}), "signing.issuers: it is empty"),
        (json!({"hosts": [1]}), "signing.hosts[0]: invalid type"),
        (
            json!({"time": {"window_default_ms": 2, "window_max_ms": 1, "ahead_ms": 0}}),
            "signing.time.window_default_ms: it is more than 1",
        ),
        (
            json!({"time": {"window_default_ms": 1, "window_max_ms": 1, "ahead_ms": 0, "unit": "s"}}),
            "signing.time.unit: unknown field `unit`",
        ),
    ] {
        let error = Dialect::from_json(&coded(&signing)).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn its_time_rule_and_its_holes_are_the_dialect_s() {
    let dialect = Dialect::from_json(&coded(&json!({}))).unwrap();
    assert_eq!(dialect.window().max_us, 120_000_000);
    assert_eq!(dialect.holes(), ["query", "body"]);
    assert_eq!(dialect.key_header(), None);
}

#[test]
fn nothing_of_one_token_is_left_in_the_next_reading() {
    let dialect = Dialect::from_json(&coded(&json!({}))).unwrap();
    let mut scratch = Scratch::default();
    let head = |headers| Head {
        method: "GET",
        path: "/a",
        headers: Some(headers),
        ..Head::default()
    };
    let part = |text: &str| crate::jws::encode(text.as_bytes());
    let token = format!(
        "Bearer {}.{}.AAAA",
        part(r#"{"alg":"ES256","kid":"k","nonce":"1"}"#),
        part(r#"{"sub":"k","iss":"cdp","nbf":1,"exp":2,"uri":"GET api.example/a"}"#)
    );
    let headers = crate::http::captured(&[("authorization".to_owned(), token)]).unwrap();
    let head = (head)(&headers);
    let claim = dialect.read_claim(&head, "", BodyKind::Form, &mut scratch);
    assert_eq!(claim.unwrap().key_id, "k");
    let none = crate::http::captured(&[]).unwrap();
    let empty = Head {
        headers: Some(&none),
        ..head
    };
    let claim = dialect.read_claim(&empty, "", BodyKind::Form, &mut scratch);
    assert!(claim.is_err());
}

#[test]
fn the_body_says_which_of_two_routes_is_meant() {
    let mut dialect = written();
    let route = |when: Value| {
        json!({"method": "POST", "path": "/do", "when": when, "operation": "market.read",
               "body": "json", "signed": false})
    };
    dialect["routes"] = json!([
        route(json!({"a.type": "x"})),
        route(json!({"a.type": "y", "b": ""})),
    ]);
    let dialect = Dialect::from_json(&dialect).unwrap();
    let first = dialect.route("POST", "/do").unwrap();
    let mut scratch = Scratch::default();
    let mut settled = |body: &str| {
        let found = dialect.settle(first, body.as_bytes(), &mut scratch);
        found
            .map(|route| route.id)
            .map_err(|refusal| refusal.code.as_str())
    };
    assert_eq!(settled(r#"{"a":{"type":"x"}}"#), Ok(0));
    assert_eq!(settled(r#"{"a":{"type":"y"},"b":1}"#), Ok(1));
    assert_eq!(settled(r#"{"a":{"type":"y"}}"#), Err("route_unknown"));
    assert_eq!(settled(r#"{"a":{"type":"z"}}"#), Err("route_unknown"));
    assert_eq!(settled("{}"), Err("route_unknown"));
    assert_eq!(settled(""), Err("form_malformed"));
    let twice = r#"{"a":{"type":"x","type":"y"},"b":1}"#;
    assert_eq!(settled(twice), Err("form_duplicate"));
}

#[test]
fn routes_that_the_body_does_not_tell_apart_are_refused() {
    let route = |when: Value| {
        json!({"method": "POST", "path": "/do", "when": when, "operation": "market.read",
               "body": "json", "signed": false})
    };
    for (one, other) in [
        (json!({}), json!({})),
        (json!({"a": "x"}), json!({})),
        (json!({}), json!({"a": "x"})),
        (json!({"a": "x"}), json!({"a": "x"})),
    ] {
        let mut dialect = written();
        dialect["routes"] = json!([route(one), route(other)]);
        let error = Dialect::from_json(&dialect).unwrap_err().to_string();
        assert_eq!(error, "routes[1]: POST /do stands twice");
    }
    let mut dialect = written();
    dialect["routes"] = json!([route(json!({"a": "x"}))]);
    dialect["routes"][0]["body"] = json!("form");
    let error = Dialect::from_json(&dialect).unwrap_err().to_string();
    assert_eq!(error, "routes[0].when: only JSON says it");
}

/// Returns the compact dialect with one route that hands out tokens, changed by `change`.
fn minting(change: impl FnOnce(&mut Value)) -> Value {
    let mut dialect = written();
    dialect["routes"] = json!([{
        "method": "GET", "path": "/auth", "operation": "session.logon",
        "parameters": ["grant", "id", "time", "sig", "apiKey", "signature", "timestamp", "recvWindow"],
        "mints": {
            "only": {"grant": "signature"}, "seconds": 900, "answer": "{\"token\":\"{token}\"}",
            "signing": {
                "key": "id", "signature": "sig", "payload": ["timestamp"],
                "encodings": {"hmac": "hex"},
                "time": {"parameter": "time", "unit": "ms", "window_default_ms": 1,
                         "window_max_ms": 1, "ahead_ms": 1},
            },
        },
    }]);
    change(&mut dialect["routes"][0]);
    dialect
}

#[test]
fn a_token_is_handed_out_for_a_logon_that_is_signed_and_for_nothing_else() {
    let dialect = Dialect::from_json(&minting(|_| {})).unwrap();
    let route = dialect.route("GET", "/auth").unwrap();
    let mints = route.mints().unwrap();
    assert_eq!(mints.seconds, 900);
    assert_eq!(mints.answer("x", "", ""), r#"{"token":"x"}"#);
    let mut scratch = Scratch::default();
    let mut read = |query: &str| {
        let head = Head {
            method: "GET",
            path: "/auth",
            query,
            ..Head::default()
        };
        let read = dialect.read(route, &head, b"", &mut scratch);
        read.map(|reading| reading.claim.unwrap().payload.to_vec())
            .map_err(|refusal| refusal.code.as_str())
    };
    let good = "grant=signature&id=k&time=5&sig=ab";
    assert_eq!(read(good), Ok(b"5".to_vec()));
    for (query, code) in [
        ("grant=secret&id=k&time=5&sig=ab", "form_parameter_invalid"),
        ("id=k&time=5&sig=ab", "form_parameter_invalid"),
        ("grant=signature&id=k&time=5", "signature_missing"),
        (
            "grant=signature&id=k&time=5&sig=ab&secret=x",
            "form_parameter_unknown",
        ),
    ] {
        assert_eq!(read(query), Err(code), "{query}");
    }
}

#[test]
fn what_no_token_may_be_is_refused() {
    let place = "routes[0].mints: a signed session.logon with a closed list";
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 12] = [
        (|r| r["operation"] = json!("account.read"), place),
        (|r| r["signed"] = json!(false), place),
        (|r| r["mints"] = Value::Null, place),
        (
            |r| drop(r.as_object_mut().unwrap().remove("parameters")),
            place,
        ),
        (
            |r| r["mints"]["seconds"] = json!(0),
            "routes[0].mints.seconds: 1 to 86400",
        ),
        (
            |r| r["mints"]["seconds"] = json!(86_401),
            "routes[0].mints.seconds: 1 to 86400",
        ),
        (
            |r| r["mints"]["answer"] = json!("{}"),
            "routes[0].mints.answer: JSON text",
        ),
        (
            |r| r["mints"]["answer"] = json!("{token}{"),
            "routes[0].mints.answer: JSON text",
        ),
        (
            |r| r["mints"]["answer"] = json!("{\"a\":\"{token}\",\"b\":\"{refresh}\"}"),
            "routes[0].mints.answer: JSON text",
        ),
        (
            |r| r["mints"]["refresh"] = json!({"only": {"grant": "r"}, "token": "t", "seconds": 9}),
            "routes[0].mints.answer: JSON text",
        ),
        (
            |r| {
                r["mints"]["refresh"] = json!({"only": {}, "token": "t", "seconds": 9});
                r["mints"]["answer"] = json!("[\"{token}\",\"{refresh}\"]");
            },
            "routes[0].mints.refresh.only: without it",
        ),
        (
            |r| r["mints"]["signing"]["payload"] = json!([]),
            "routes[0].mints.signing.payload: a signature must cover something",
        ),
    ];
    for (change, expected) in changes {
        let error = Dialect::from_json(&minting(change))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

/// The compact dialect with a token that opens a stream, changed by `change`.
fn opening(change: impl FnOnce(&mut Value)) -> Value {
    let mut dialect = minting(|route| {
        route["mints"]["shown"] = json!("handshake");
        route["mints"]["answer"] = json!("[\"{token}\",\"{endpoint}\"]");
        route["mints"]["opens"] = json!({"path": "/ws", "token": "token", "id": "name"});
    });
    let stream = json!({"method": "GET", "path": "/ws", "operation": "market.read", "signed": false, "stream": true});
    dialect["routes"].as_array_mut().unwrap().push(stream);
    change(&mut dialect);
    dialect
}

#[test]
fn a_token_of_a_handshake_opens_one_websocket_that_there_is() {
    let dialect = Dialect::from_json(&opening(|_| {})).unwrap();
    let route = dialect.route("GET", "/ws").unwrap();
    let (admission, minting) = dialect.admission(route).unwrap();
    assert_eq!((&*admission.path, &*minting.path), ("/ws", "/auth"));
    let mut scratch = Scratch::default();
    let mut read = |query| {
        let head = Head {
            method: "GET",
            path: "/ws",
            query,
            ..Head::default()
        };
        let read = dialect.read(route, &head, b"", &mut scratch);
        let sent = dialect.forward(route, &head, b"").target;
        read.map(|_| sent)
            .map_err(|refusal| refusal.code.as_str().to_owned())
    };
    assert_eq!(read("token=abc&name=me"), Ok("/ws?name=me".to_owned()));
    assert_eq!(read("token=abc"), Ok("/ws".to_owned()));
    assert_eq!(read("token=a&token=b"), Err("form_duplicate".to_owned()));
    let unknown = read("token=abc&key=1");
    assert_eq!(unknown, Err("form_parameter_unknown".to_owned()));
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 7] = [
        (
            |d| d["routes"][0]["mints"]["opens"]["path"] = json!("/auth"),
            "routes[0].mints.opens: its path",
        ),
        (
            |d| drop(d["routes"].as_array_mut().unwrap().pop()),
            "routes[0].mints.opens: its path",
        ),
        (
            |d| {
                let mut other = d["routes"][0].clone();
                other["path"] = json!("/other");
                d["routes"].as_array_mut().unwrap().push(other);
            },
            "routes[2].mints.opens: its path",
        ),
        (
            |d| d["routes"][0]["mints"]["shown"] = json!("message"),
            "routes[0].mints.opens: what is shown in a handshake",
        ),
        (
            |d| d["routes"][0]["mints"]["answer"] = json!("\"{token}\""),
            "routes[0].mints.answer: JSON text",
        ),
        (
            |d| d["routes"][0]["mints"]["opens"]["beside"] = json!(["token"]),
            "routes[0].mints.opens: one parameter means two things",
        ),
        (
            |d| {
                d["routes"][0]["mints"]["opens"]["venue"] =
                    json!({"token": "t", "endpoint": "e", "hosts": ["*"]});
            },
            "routes[0].mints.opens.venue.hosts: a host is",
        ),
    ];
    for (change, expected) in changes {
        let error = Dialect::from_json(&opening(change))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_dialect_without_a_scheme_of_its_own_takes_no_signature_but_the_native_one() {
    let mut value = written();
    value["signing"] = json!({"code": "native"});
    let dialect = Dialect::from_json(&value).unwrap();
    assert!(dialect.holes().is_empty());
    let route = dialect.routes().find(|route| route.signed).unwrap();
    let head = Head {
        method: &route.method,
        path: &route.path,
        ..Head::default()
    };
    let mut scratch = Scratch::default();
    let refused = dialect.read(route, &head, b"", &mut scratch);
    assert_eq!(refused.unwrap_err().code, Code::SignatureMissing);
    value["signing"]["hosts"] = json!([]);
    let error = Dialect::from_json(&value).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("signing.hosts: unknown field"),
        "{error}"
    );
}

#[test]
fn a_refusal_s_own_code_can_stand_in_its_body() {
    let mut value = written();
    value["errors"] = json!({
        "content_type": "application/json",
        "body": r#"{"code":"{refusal}","message":{message}}"#,
        "by_code": {"*": {"status": 400}},
    });
    let dialect = Dialect::from_json(&value).unwrap();
    let body = dialect.render(&Code::ReplaySeen.into()).body;
    assert!(body.starts_with(br#"{"code":"replay_seen","message":"#));
}
