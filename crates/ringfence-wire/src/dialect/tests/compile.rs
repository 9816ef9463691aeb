//! What a dialect says wrongly is refused when it is loaded, and the error names the field.

use ringfence_core::budget::Counts;
use ringfence_core::refusal::Code;
use serde_json::{Value, json};

use super::super::Dialect;
use super::fixture::{dialect, open, written};

/// Puts `value` at `pointer` (RFC 6901) and returns the error of compiling.
fn error_with(pointer: &str, value: Value) -> String {
    let mut changed = written();
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    let place = changed.pointer_mut(parent).unwrap();
    if let Value::Array(items) = place {
        items[last.parse::<usize>().unwrap()] = value;
    } else {
        place[last] = value;
    }
    Dialect::from_json(&changed).unwrap_err().to_string()
}

fn error_without(pointer: &str) -> String {
    let mut changed = written();
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    let place = changed
        .pointer_mut(parent)
        .unwrap()
        .as_object_mut()
        .unwrap();
    place.remove(last).unwrap();
    Dialect::from_json(&changed).unwrap_err().to_string()
}

#[test]
fn unknown_fields_and_words_are_named_with_their_path() {
    for (pointer, value, expected) in [
        ("/extra", json!(1), "extra: unknown field `extra`"),
        (
            "/signing/extra",
            json!(1),
            "signing.extra: unknown field `extra`",
        ),
        (
            "/signing/time/extra",
            json!(1),
            "signing.time.extra: unknown field `extra`",
        ),
        (
            "/routes/3/extra",
            json!(1),
            "routes[3].extra: unknown field `extra`",
        ),
        (
            "/routes/3/weight",
            json!("x"),
            "routes[3].weight: invalid type: string \"x\"",
        ),
        (
            "/routes/3/operation",
            json!("order.plce"),
            "routes[3].operation: unknown operation \"order.plce\"",
        ),
        (
            "/routes/0/parameters/0",
            json!("@lost"),
            "routes[0].parameters: no list called \"lost\"",
        ),
        (
            "/signing/payload/0",
            json!("nonsense"),
            "signing.payload[0]: unknown variant `nonsense`",
        ),
        (
            "/signing/encodings/ecdsa",
            json!({"form": "ber", "encoding": "hex"}),
            "signing.encodings.ecdsa.form: unknown variant `ber`",
        ),
        (
            "/signing/encodings/hmac",
            json!("rot13"),
            "signing.encodings.hmac: unknown variant `rot13`",
        ),
        (
            "/order_types/LIMIT/prize",
            json!(true),
            "order_types.LIMIT.prize: unknown field `prize`",
        ),
        (
            "/order_fields/prize",
            json!("p"),
            "order_fields.prize: unknown field `prize`",
        ),
        (
            "/errors/by_code/internl",
            json!({"status": 400, "code": 1, "message": ""}),
            "errors.by_code: \"internl\" is no refusal code",
        ),
    ] {
        let error = error_with(pointer, value);
        assert!(error.starts_with(expected), "{pointer}: {error}");
    }
}

#[test]
fn contradictions_are_refused() {
    for (pointer, value, expected) in [
        ("/name", json!(""), "name: it is empty"),
        (
            "/signing/encodings",
            json!({}),
            "signing.encodings: without an algorithm nobody can sign",
        ),
        (
            "/routes",
            json!([]),
            "routes: without routes everything is refused",
        ),
        (
            "/routes/2/path",
            json!("orders"),
            "routes[2].path: it is a path",
        ),
        (
            "/routes/2/path",
            json!("/orders?a=1"),
            "routes[2].path: it is a path",
        ),
        (
            "/routes/2/path",
            json!("/a/*"),
            "routes[2].path: it is a path",
        ),
        (
            "/routes/2/path",
            json!("/**"),
            "routes[2].path: only an unsigned route that anybody may use",
        ),
        (
            "/routes/2/method",
            json!("*"),
            "routes[2].path: only an unsigned route that anybody may use",
        ),
        (
            "/routes/2/method",
            json!("get"),
            "routes[2].method: it is a method in capital letters",
        ),
        (
            "/routes/2/signed",
            json!(false),
            "routes[2].signed: order.query must be signed",
        ),
        (
            "/routes/1/method",
            json!("POST"),
            "routes[1]: POST /order stands twice",
        ),
        (
            "/routes/0/parameters",
            Value::Null,
            "routes[0].parameters: order.place needs a closed list",
        ),
        (
            "/routes/1/parameters",
            Value::Null,
            "routes[1].parameters: order.cancel needs a closed list",
        ),
        (
            "/routes/1/parameters",
            json!(["symbol"]),
            "routes[1].parameters: a signed route takes \"signature\" too",
        ),
        (
            "/routes/3/weight_by/0",
            json!({"parameter": "limit"}),
            "routes[3].weight_by[0]: give one of",
        ),
        (
            "/routes/3/weight_by/0",
            json!({"parameter": "limit", "present": 1, "up_to": [[1, 1]]}),
            "routes[3].weight_by[0]: give one of",
        ),
        (
            "/routes/3/weight_by/0",
            json!({"parameter": "limit", "up_to": []}),
            "routes[3].weight_by[0]: steps ascend",
        ),
        (
            "/routes/3/weight_by/0",
            json!({"parameter": "limit", "up_to": [[2, 1], [2, 2]]}),
            "routes[3].weight_by[0]: steps ascend",
        ),
        (
            "/signing",
            Value::Null,
            "routes[0].signed: the dialect has no `signing`",
        ),
        (
            "/signing/key_header",
            json!("X MBX"),
            "signing.key_header: not the name of a header field",
        ),
        (
            "/signing/payload",
            json!([]),
            "signing.payload: a signature must cover something",
        ),
        (
            "/signing/time/parameter",
            json!("signature"),
            "signing.time.parameter: it is empty or names another's",
        ),
        (
            "/signing/signature",
            json!(""),
            "signing.signature: it is empty or names another's",
        ),
        (
            "/signing/time/window_default_ms",
            json!(60001),
            "signing.time.window_default_ms: it is more than 60000",
        ),
        (
            "/signing/time/window_max_ms",
            json!(u64::MAX),
            "signing.time.window_max_ms: it is more than 86400000",
        ),
        (
            "/signing/time/ahead_ms",
            json!(u64::MAX),
            "signing.time.ahead_ms: it is more than 86400000",
        ),
        (
            "/order_fields",
            Value::Null,
            "order_fields: the guard needs them",
        ),
        (
            "/order_types",
            json!({}),
            "order_types: without order types every order is refused",
        ),
        (
            "/usage_headers/weight",
            json!("X-WEIGHT"),
            "usage_headers.weight: not the name of a header field",
        ),
        (
            "/usage_headers/orders",
            json!("X ORDERS {window}"),
            "usage_headers.orders: not the name of a header field",
        ),
        (
            "/errors/body",
            json!("{\"msg\":{message}}"),
            "errors.body: it needs {code} and {message}",
        ),
        (
            "/errors/body",
            json!("{\"code\":{code}}"),
            "errors.body: it needs {code} and {message}",
        ),
        (
            "/errors/body",
            json!("{\"code\":{code},{message}}"),
            "errors.body: it makes no JSON",
        ),
        (
            "/errors/by_code/internal/status",
            json!(302),
            "errors.by_code.internal.status: a refusal is 200 or 400 to 599",
        ),
        (
            "/errors/by_code/internal/status",
            json!(418),
            "errors.by_code.internal.status: a refusal is 200 or 400 to 599",
        ),
        (
            "/errors/by_code/internal/message",
            json!("{hnt}"),
            "errors.by_code.internal.message: unknown placeholder \"hnt\"",
        ),
        (
            "/errors/by_code/internal/message",
            json!("{hint"),
            "errors.by_code.internal.message: a `{` is not closed",
        ),
    ] {
        let error = error_with(pointer, value);
        assert!(error.starts_with(expected), "{pointer}: {error}");
    }
}

#[test]
fn what_is_missing_is_named() {
    assert!(error_without("/routes").contains("missing field `routes`"));
    assert!(error_without("/order_fields/stop_price").contains("missing field `stop_price`"));
    for code in Code::ALL {
        let error = error_without(&format!("/errors/by_code/{}", code.as_str()));
        assert_eq!(
            error,
            format!("errors.by_code: {} is missing", code.as_str())
        );
    }
}

#[test]
fn a_route_is_found_by_method_and_exact_path_only() {
    let dialect = dialect();
    let found = |method, path| {
        dialect
            .route(method, path)
            .map(|route| route.operation.as_str())
    };
    assert_eq!(found("POST", "/order"), Some("order.place"));
    assert_eq!(found("DELETE", "/order"), Some("order.cancel"));
    for (method, path) in [
        ("GET", "/order"),
        ("post", "/order"),
        ("POST", "/order/"),
        ("POST", "/Order"),
        ("POST", "//order"),
        ("POST", "/x/../order"),
        ("POST", "/%6frder"),
        ("POST", "/order;a"),
        ("POST", ""),
        ("POST", "/**"),
    ] {
        assert_eq!(found(method, path), None, "{method} {path}");
    }
}

#[test]
fn a_wildcard_takes_every_method_and_path() {
    let dialect = open();
    for (method, path) in [("GET", "/"), ("PATCH", "//a/../b"), ("X", "/%41")] {
        assert!(
            dialect
                .route(method, path)
                .is_some_and(|route| route.is_wildcard())
        );
    }
}

#[test]
fn holes_are_what_no_atom_covers() {
    assert_eq!(dialect().holes(), ["method", "path", "host"]);
    assert_eq!(open().holes(), [""; 0]);
    let mut bodiless = written();
    bodiless["signing"]["payload"] = json!(["query_without_signature"]);
    let bodiless = Dialect::from_json(&bodiless).unwrap();
    assert_eq!(bodiless.holes(), ["method", "path", "host", "body"]);
}

#[test]
fn usage_headers_are_named_as_the_venue_does() {
    let dialect = dialect();
    let name = |counts, window_ms| dialect.usage_header(counts, window_ms);
    assert_eq!(name(Counts::Weight, 60_000).as_deref(), Some("X-WEIGHT-1M"));
    assert_eq!(
        name(Counts::Orders, 10_000).as_deref(),
        Some("X-ORDERS-10S")
    );
    assert_eq!(
        name(Counts::Orders, 86_400_000).as_deref(),
        Some("X-ORDERS-1D")
    );
    assert_eq!(
        name(Counts::Weight, 7_200_000).as_deref(),
        Some("X-WEIGHT-2H")
    );
    assert_eq!(
        name(Counts::Weight, 90_000).as_deref(),
        Some("X-WEIGHT-90S")
    );
    assert_eq!(name(Counts::Weight, 100), None);
    assert_eq!(name(Counts::Weight, 0), None);
    assert_eq!(name(Counts::Requests, 60_000), None);
}

#[test]
fn the_window_rule_is_in_microseconds() {
    let window = dialect().window();
    assert_eq!(
        (window.default_us, window.max_us, window.ahead_us),
        (5_000_000, 60_000_000, 1_000_000)
    );
    assert_eq!(open().window().max_us, 0);
}

#[test]
fn a_stream_takes_anything_only_where_the_dialect_says_so() {
    let mut written = written();
    let listed = json!({"fields": {"method": ["SUBSCRIBE"]}});
    for (said, text, binary) in [(json!({}), false, false), (listed, false, false)] {
        written["stream_messages"] = said;
        let dialect = Dialect::from_json(&written).unwrap();
        assert_eq!(dialect.stream_takes("hello"), text);
        assert_eq!(dialect.stream_takes_binary(), binary);
    }
    written["stream_messages"] = json!({"any": true});
    let dialect = Dialect::from_json(&written).unwrap();
    assert!(dialect.stream_takes("hello") && dialect.stream_takes_binary());
    let both = json!({"any": true, "fields": {"method": ["SUBSCRIBE"]}});
    let error = error_with("/stream_messages", both);
    assert_eq!(error, "stream_messages: either anything, or one of a list");
}
