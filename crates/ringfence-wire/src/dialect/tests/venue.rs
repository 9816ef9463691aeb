//! Routes with open segments, orders in JSON, and a venue's own words for a side.

use serde_json::{Value, json};

use ringfence_core::refusal::Code;

use super::super::Dialect;
use super::fixture::{Sent, written};

fn venue() -> Value {
    let mut dialect = written();
    dialect["order_fields"]["sides"] = json!({"b": "BUY", "s": "SELL"});
    dialect["routes"] = json!([
        {"method": "POST", "path": "/json", "operation": "order.place", "body": "json",
         "parameters": ["timestamp", "recvWindow", "signature", "symbol", "side", "type",
                        "quantity", "price"]},
        {"method": "GET", "path": "/order/{id}", "operation": "order.query"},
        {"method": "GET", "path": "/order/open", "operation": "account.read"},
    ]);
    dialect
}

const SIGNED: &str = "timestamp=1700000000000&signature=ab";

fn order(body: &str) -> Result<String, Code> {
    let dialect = Dialect::from_json(&venue()).unwrap();
    let sent = Sent::to("POST", "/json", SIGNED, body);
    sent.read(&dialect, |reading| {
        let order = reading.orders.one().unwrap();
        format!("{} {} {:?}", order.side, order.symbol, order.quantity)
    })
}

#[test]
fn an_order_in_json_is_read_whether_bare_or_the_only_one_of_a_list() {
    let one = r#"{"symbol":"X","side":"b","type":"LIMIT","quantity":"1","price":2}"#;
    assert_eq!(order(one), Ok(r#"BUY X Some("1")"#.to_owned()));
    assert_eq!(order(&format!("[{one}]")), order(one));
    let two = order(&format!("[{one},{one}]"));
    assert_eq!(two, Err(Code::FormParameterUnknown));
}

#[test]
fn what_two_parsers_would_take_for_two_orders_is_refused() {
    let twice = r#"{"symbol":"X","symbol":"Y","side":"b","type":"LIMIT"}"#;
    assert_eq!(order(twice), Err(Code::FormDuplicate));
    let hidden = r#"{"symbol":"X","side":"b","type":"LIMIT","extra":{}}"#;
    assert_eq!(order(hidden), Err(Code::FormParameterUnknown));
    // Also across query and body.
    let across = r#"{"timestamp":"1","symbol":"X","side":"b","type":"LIMIT"}"#;
    assert_eq!(order(across), Err(Code::FormDuplicate));
}

#[test]
fn only_the_venue_s_words_are_sides() {
    for side in ["BUY", "SELL", "B", ""] {
        let body = format!(r#"{{"symbol":"X","side":"{side}","type":"LIMIT"}}"#);
        let read = order(&body);
        let judged = Ok(" X None".to_owned());
        let missing = Err(Code::FormParameterMissing);
        assert_eq!(read, if side.is_empty() { missing } else { judged });
    }
}

#[test]
fn an_open_segment_takes_one_plain_segment_and_a_written_one_comes_first() {
    let dialect = Dialect::from_json(&venue()).unwrap();
    let found = |path| {
        dialect
            .route("GET", path)
            .map(|route| route.operation.as_str())
    };
    assert_eq!(found("/order/12-ab_3"), Some("order.query"));
    assert_eq!(found("/order/open"), Some("account.read"));
    for path in [
        "/order/",
        "/order/1/2",
        "/order/1%2F2",
        "/order",
        "/order/..",
        "/x/1",
    ] {
        assert_eq!(found(path), None, "{path}");
    }
}

#[test]
fn a_family_of_refusals_is_answered_by_its_longest_name() {
    let mut dialect = venue();
    dialect["errors"] = json!({
        "content_type": "application/json",
        "body": "{\"error\":[{message}]}",
        "by_code": {
            "*": {"status": 400, "message": "other"},
            "time_*": {"status": 401, "message": "time"},
            "time_stale": {"status": 409, "message": "stale"},
        },
    });
    let compiled = Dialect::from_json(&dialect).unwrap();
    let said = |code: Code| String::from_utf8(compiled.render(&code.into()).body).unwrap();
    assert_eq!(said(Code::TimeStale), r#"{"error":["stale"]}"#);
    assert_eq!(said(Code::TimeAhead), r#"{"error":["time"]}"#);
    assert_eq!(said(Code::Draining), r#"{"error":["other"]}"#);
    dialect["errors"]["by_code"]["tide_*"] = json!({"status": 400});
    let error = Dialect::from_json(&dialect).unwrap_err().to_string();
    assert_eq!(error, "errors.by_code: \"tide_*\" is no refusal code");
}

#[test]
fn a_frame_is_known_by_what_it_says() {
    let mut dialect = venue();
    let mut signing = dialect["signing"].clone();
    signing["key_header"] = Value::Null;
    signing["key"] = json!("args.0");
    signing["signature"] = json!("args.2");
    signing["payload"] = json!([{"literal": "GET"}, "timestamp"]);
    signing["time"]["parameter"] = json!("args.1");
    dialect["frames"] = json!([{"name": "login", "when": {"op": "auth"}, "signing": signing}]);
    let dialect = Dialect::from_json(&dialect).unwrap();
    let read = |text: &str| {
        let mut scratch = super::super::Scratch::default();
        let claim = dialect.read_frame(text, &mut scratch);
        claim
            .map(|claim| claim.map(|(name, claim)| (name.to_owned(), claim.payload.to_vec())))
            .map_err(|refusal| refusal.code)
    };
    let login = r#"{"op":"auth","args":["k","1700000000000","ab"]}"#;
    let wanted = ("login".to_owned(), b"GET1700000000000".to_vec());
    assert_eq!(read(login), Ok(Some(wanted)));
    assert_eq!(read(r#"{"op":"ping"}"#), Ok(None));
    let twice = r#"{"op":"ping","op":"auth","args":["k","1","ab"]}"#;
    assert_eq!(read(twice), Err(Code::FormDuplicate));
    assert_eq!(read("ping"), Err(Code::FormMalformed));
    let unsigned = read(r#"{"op":"auth","args":["k","1700000000000"]}"#);
    assert_eq!(unsigned, Err(Code::SignatureMissing));
}
