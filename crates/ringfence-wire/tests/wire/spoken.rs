//! A message of a trading channel is the request that it stands for, and nothing else can be made of it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::shipped::attempt::{ARENAS, KEY_ID};
use crate::shipped::channel::{Came, hear, path, request};
use crate::shipped::{core, dialects, suite};
use proptest::prelude::*;
use ringfence_core::mode::Mode;
use ringfence_core::pipeline::Core;
use ringfence_core::refusal::Code;
use ringfence_core::sign::{Algorithm, VerifyingKey};
use ringfence_wire::{Dialect, Heading, Said, Spoke};
use serde_json::{Value, json};

static DIALECTS: LazyLock<BTreeMap<String, Dialect>> = LazyLock::new(dialects);

fn shipped_request(dialect: &str, text: &str) -> Result<(String, String, String), Code> {
    request(&DIALECTS[dialect], text)
}

fn asks(dialect: &str, text: &str, method: &str, target: &str, body: &str) {
    let wanted = (method.to_owned(), target.to_owned(), body.to_owned());
    assert_eq!(shipped_request(dialect, text), Ok(wanted), "{text}");
}

#[test]
fn a_logon_weighs_what_it_does_by_request() {
    let deribit = &DIALECTS["deribit"];
    let route = deribit.route("GET", "/api/v2/public/auth").unwrap();
    assert_eq!(deribit.session_weight("/ws/api/v2"), route.weight);
    assert_eq!(route.weight, 500);
    // What no route does weighs what the venue says.
    assert_eq!(DIALECTS["binance"].session_weight("/ws-api/v3"), 2);
    assert_eq!(DIALECTS["okx"].session_weight("/ws/v5/private"), 1);
}

#[test]
fn what_clients_send_is_the_request_with_the_same_parameters() {
    asks(
        "binance",
        r#"{"id":"1","method":"order.place","params":{"price":"30000","quantity":0.0100,"side":"BUY","symbol":"BTCUSDT","timeInForce":"GTC","timestamp":1700000000000,"type":"LIMIT","returnRateLimits":false}}"#,
        "POST",
        "/api/v3/order",
        "price=30000&quantity=0.0100&side=BUY&symbol=BTCUSDT&timeInForce=GTC&timestamp=1700000000000&type=LIMIT",
    );
    asks(
        "binance",
        r#"{"id":1,"method":"order.cancel","params":{"symbol":"BTCUSDT","orderId":12345678901234567890,"timestamp":1}}"#,
        "DELETE",
        "/api/v3/order?symbol=BTCUSDT&orderId=12345678901234567890&timestamp=1",
        "",
    );
    asks(
        "binance",
        r#"{"id":1,"method":"time"}"#,
        "GET",
        "/api/v3/time",
        "",
    );
    asks(
        "binance",
        r#"{"id":1,"method":"time","params":{}}"#,
        "GET",
        "/api/v3/time",
        "",
    );
    let order = r#"{"category":"spot","symbol":"BTCUSDT","side":"Buy","orderType":"Limit","qty":"0.010", "price":"30000.0"}"#;
    asks(
        "bybit",
        &format!(
            r#"{{"op":"order.create","reqId":"1","args":[{order}],"header":{{"X-BAPI-TIMESTAMP":"1","X-BAPI-RECV-WINDOW":"5000"}}}}"#
        ),
        "POST",
        "/v5/order/create",
        order,
    );
    let order = r#"{"instId":"BTC-USDT","tdMode":"cash","side":"buy","ordType":"limit","sz":"0.01","px":30000.10}"#;
    asks(
        "okx",
        &format!(r#"{{"id":"1","op":"order","args":[{order}]}}"#),
        "POST",
        "/api/v5/trade/order",
        order,
    );
    asks(
        "okx",
        &format!(r#"{{"id":"1","op":"batch-orders","args":[{order}]}}"#),
        "POST",
        "/api/v5/trade/batch-orders",
        &format!("[{order}]"),
    );
    asks(
        "deribit",
        r#"{"jsonrpc":"2.0","id":5,"method":"private/buy","params":{"instrument_name":"BTC-PERPETUAL","amount":40,"type":"limit","price":30000.50,"post_only":true,"label":"a b&c"}}"#
            .replace("&c", "/c")
            .as_str(),
        "GET",
        "/api/v2/private/buy?instrument_name=BTC-PERPETUAL&amount=40&type=limit&price=30000.50&post_only=true&label=a%20b%2Fc",
        "",
    );
}

#[test]
fn what_is_not_the_request_s_is_refused() {
    let unknown = Err(Code::FormParameterUnknown);
    let invalid = Err(Code::FormParameterInvalid);
    let one =
        r#"{"instId":"BTC-USDT","tdMode":"cash","side":"buy","ordType":"limit","sz":"1","px":"1"}"#;
    for (dialect, text, wanted) in [
        // Two orders, of which the guard would see one.
        (
            "okx",
            format!(r#"{{"id":"1","op":"order","args":[{one},{one}]}}"#),
            unknown,
        ),
        (
            "okx",
            format!(r#"{{"id":"1","op":"batch-orders","args":[{one},{one}]}}"#),
            Ok(()),
        ),
        (
            "okx",
            format!(
                r#"{{"id":"1","op":"batch-orders","args":[{one}{}]}}"#,
                format!(",{one}").repeat(20)
            ),
            Err(Code::FormBatchTooLong),
        ),
        (
            "okx",
            format!(r#"{{"id":"1","op":"order","expTime":"1","args":[{one}]}}"#),
            unknown,
        ),
        (
            "okx",
            r#"{"id":"1","op":"order","args":[]}"#.to_owned(),
            unknown,
        ),
        (
            "okx",
            r#"{"id":"1","op":"order"}"#.to_owned(),
            Err(Code::FormParameterMissing),
        ),
        (
            "binance",
            r#"{"id":1,"method":"time","params":{"a":null}}"#.to_owned(),
            invalid,
        ),
        (
            "binance",
            r#"{"id":1,"method":"time","params":{"a":{}}}"#.to_owned(),
            invalid,
        ),
        (
            "binance",
            r#"{"id":1,"method":"time","params":{"a":[]}}"#.to_owned(),
            invalid,
        ),
        (
            "binance",
            r#"{"id":1,"method":"time","params":{"a":["b"]}}"#.to_owned(),
            invalid,
        ),
        (
            "binance",
            r#"{"id":1,"method":"time","params":["b"]}"#.to_owned(),
            Ok(()),
        ),
        (
            "binance",
            r#"{"id":1,"method":"time","params":"b"}"#.to_owned(),
            unknown,
        ),
        (
            "binance",
            r#"{"id":1,"method":"time","extra":1}"#.to_owned(),
            unknown,
        ),
        (
            "deribit",
            r#"{"id":1,"method":"private/cancel","params":{"order_id":"1","access_token":"x"}}"#
                .to_owned(),
            Ok(()),
        ),
        (
            "deribit",
            r#"{"id":1,"method":"private/cancel","params":{"order_id":"1","scope":"x"}}"#
                .to_owned(),
            unknown,
        ),
        (
            "deribit",
            r#"{"id":1,"method":"private/withdraw","params":{}}"#.to_owned(),
            Err(Code::RouteUnknown),
        ),
    ] {
        let read = shipped_request(dialect, &text).map(drop);
        assert_eq!(read, wanted, "{text}");
    }
}

#[test]
fn answers_have_the_venue_s_form_and_the_message_s_id() {
    let said = |status, body| Said {
        status,
        body,
        connection: "c1",
        trace: "m1",
        key: Some("key"),
        since_ms: Some(3),
        connected_ms: 2,
        now_ms: 4,
        ..Said::default()
    };
    let spoken = |dialect: &str, id: &str, method: &str, status, body| -> Value {
        let heading = Heading {
            id: id.into(),
            method: method.into(),
            limits: true,
            ..Heading::default()
        };
        let dialect = &DIALECTS[dialect];
        let texts = dialect
            .speak(path(dialect), &heading, &said(status, body))
            .unwrap();
        assert_eq!(texts.len(), 1);
        serde_json::from_str(&texts[0]).unwrap()
    };
    assert_eq!(
        spoken("binance", "\"a\"", "order.place", 200, r#"{"orderId":1}"#),
        json!({"id": "a", "status": 200, "result": {"orderId": 1}, "rateLimits": []})
    );
    assert_eq!(
        spoken(
            "binance",
            "7",
            "order.place",
            400,
            r#"{"code":-2010,"msg":"no"}"#
        ),
        json!({"id": 7, "status": 400, "error": {"code": -2010, "msg": "no"}, "rateLimits": []})
    );
    assert_eq!(
        spoken(
            "bybit",
            "\"1\"",
            "order.create",
            200,
            r#"{"retCode":0,"retMsg":"OK","result":{"orderId":"o"},"time":1}"#
        ),
        json!({"reqId": "1", "retCode": 0, "retMsg": "OK", "op": "order.create", "data": {"orderId": "o"},
               "header": {"Timenow": "4", "Traceid": "m1"}, "connId": "c1"})
    );
    assert_eq!(
        spoken(
            "okx",
            "\"1\"",
            "order",
            200,
            r#"{"code":"0","msg":"","data":[{"ordId":"o","sCode":"0"}]}"#
        ),
        json!({"id": "1", "op": "order", "code": "0", "msg": "", "data": [{"ordId": "o", "sCode": "0"}]})
    );
    assert_eq!(
        spoken(
            "deribit",
            "5",
            "private/buy",
            200,
            r#"{"jsonrpc":"2.0","result":{"order":{}}}"#
        ),
        json!({"jsonrpc": "2.0", "id": 5, "result": {"order": {}}})
    );
    assert_eq!(
        spoken(
            "deribit",
            "5",
            "private/buy",
            400,
            r#"{"jsonrpc":"2.0","error":{"code":1}}"#
        ),
        json!({"jsonrpc": "2.0", "id": 5, "error": {"code": 1}})
    );
    let login = Heading {
        id: "\"\"".into(),
        method: "login".into(),
        ..Heading::default()
    };
    let private = "/ws/v5/private";
    let okx = &DIALECTS["okx"];
    let text = okx
        .speak_own(private, Spoke::Logon, &login, &said(200, ""))
        .unwrap();
    assert_eq!(
        text,
        r#"{"event":"login","code":"0","msg":"","connId":"c1"}"#
    );
    let (text, status) = okx.speak_refusal(
        private,
        Some(&login),
        &Code::SignatureInvalid.into(),
        &said(0, ""),
    );
    assert!(
        text.starts_with(r#"{"event":"error","code":"50113","msg":""#) && status == 401,
        "{text}"
    );
    let (text, _) = okx.speak_refusal(private, None, &Code::FormMalformed.into(), &said(0, ""));
    assert!(
        text.starts_with(r#"{"event":"error","code":"60012","msg":""#),
        "{text}"
    );
    // What is no JSON is no answer.
    assert_eq!(okx.speak(private, &login, &said(200, "<html>")), None);
    assert_eq!(okx.channel_text(private, "ping"), Some("pong"));
}

/// A core that knows one key, and messages signed by it.
struct Signer {
    core: Core,
    secret: Vec<u8>,
}

static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let mut secret = vec![0; 48];
    aws_lc_rs::rand::fill(&mut secret).unwrap();
    let key = VerifyingKey::from_parts(Algorithm::HmacSha256, &secret).unwrap();
    Signer {
        core: core(KEY_ID, key, Mode::Off),
        secret,
    }
});

impl Signer {
    fn sign(&self, method: &str, params: &Value) -> String {
        let mut params = params.as_object().unwrap().clone();
        params.insert("apiKey".into(), KEY_ID.into());
        params.insert("timestamp".into(), 1_700_000_000_000_u64.into());
        let pairs = params.iter().map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name}={text}"),
            None => format!("{name}={value}"),
        });
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort();
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &self.secret);
        let tag = aws_lc_rs::hmac::sign(&key, pairs.join("&").as_bytes());
        let hex: String = tag.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        params.insert("signature".into(), hex.into());
        json!({"id": 1, "method": method, "params": params}).to_string()
    }
}

fn order() -> Value {
    json!({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01",
           "price": "30000", "recvWindow": 10000, "returnRateLimits": false, "clientOrderId": "a",
           "newClientOrderId": "a"})
}

#[test]
fn no_byte_of_a_signed_order_can_be_changed_to_another_meaning() {
    let binance = &DIALECTS["binance"];
    let text = SIGNER.sign("order.place", &order());
    let meant = hear(binance, &SIGNER.core, &text, None).unwrap();
    let bytes = text.as_bytes();
    for at in 0..bytes.len() {
        for put in [b"0".as_slice(), b"9", b"A", b"\"", b"&", b",", b" ", b""] {
            let changed = [&bytes[..at], put, &bytes[at + 1..]].concat();
            let changed = String::from_utf8(changed).unwrap();
            if let Ok(came) = hear(binance, &SIGNER.core, &changed, None) {
                // The id is not signed, and neither is how the JSON is written.
                assert_eq!(came, meant, "{changed}");
            }
        }
    }
}

#[test]
fn values_that_would_sign_alike_are_not_taken_for_each_other() {
    let binance = &DIALECTS["binance"];
    let text = SIGNER.sign("order.place", &order());
    assert!(hear(binance, &SIGNER.core, &text, None).is_ok());
    for (from, to) in [
        // Each signs as the original does.
        (
            r#""clientOrderId":"a","newClientOrderId":"a","#,
            r#""clientOrderId":"a&newClientOrderId=a","#,
        ),
        (
            r#""quantity":"0.01","price":"30000","#,
            r#""price":"30000&quantity=0.01","#,
        ),
        (
            r#""recvWindow":10000,"returnRateLimits":false,"#,
            r#""recvWindow":"10000&returnRateLimits=false","#,
        ),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        let (code, answer) = hear(binance, &SIGNER.core, &changed, None).unwrap_err();
        let malformed = [Code::FormParameterInvalid, Code::TimeMalformed];
        assert!(malformed.contains(&code), "{code:?} {answer}");
    }
}

#[test]
fn captured_messages_of_clients_are_permitted() {
    for captured in suite::frames() {
        let dialect = &DIALECTS[captured.dialect];
        if !dialect.routes().any(|route| route.channel) {
            continue;
        }
        let key_id = "gwtestkey0000000000000000000000000000000000000000000000000000key1";
        let core = core(key_id, (captured.key)(), Mode::Off);
        let came = hear(dialect, &core, &captured.message, None);
        match (captured.dialect, came) {
            ("binance", Ok(Came::Asked(meaning))) => {
                assert_eq!(meaning.operation.as_str(), "order.place");
                assert_eq!(meaning.outgoing.target, "/api/v3/order");
            }
            (_, Ok(Came::Session { key_id: by, .. })) => assert_eq!(by, key_id),
            (_, other) => panic!("{}: {other:?}", captured.name),
        }
    }
}

/// Words that mean something to some channel, between any other text.
fn text() -> impl Strategy<Value = String> {
    let words = "(id|reqId|method|op|params|args|header|order.place|order|private/buy|auth|login|ping|null|symbol|apiKey|signature|timestamp)";
    let marks = r#"["\{\}\[\]:,&=%/ +.-]"#;
    let piece = prop_oneof![
        3 => words.prop_map(|word| format!("\"{word}\"")),
        4 => marks.prop_map(|mark| mark.to_owned()),
        1 => "[0-9]{1,22}".prop_map(|digits| digits),
        1 => "\\PC{0,3}".prop_map(|any| any),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// A message with the right frame and anything in it.
fn message() -> impl Strategy<Value = String> {
    let names =
        "(id|reqId|method|op|symbol|side|price|qty|apiKey|signature|timestamp|instId|a|jsonrpc)";
    let leaf = prop_oneof![
        "[ -~]{0,8}".prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    let value = leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(names, inner, 0..6).prop_map(|map| json!(map)),
        ]
    });
    let methods = "(order.place|order.cancel|time|order.create|auth|order|login|private/buy|public/auth|session.logon|session.status)";
    (value.clone(), value, methods).prop_map(|(id, parameters, method)| {
        json!({"id": id, "reqId": id, "method": method, "op": method, "params": parameters, "args": [parameters]})
            .to_string()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_said_is_answered_in_json_and_never_permitted(text in prop_oneof![text(), message()]) {
        for arena in ARENAS.iter().filter(|arena| arena.has_channel()) {
            arena.frame(&text);
        }
    }
}
