//! Every entry the encoders write is canonical JSON as an independent canonicaliser writes it, fits
//! a C2SP entry bundle and holds what it was given; every other spelling is refused.

use std::net::IpAddr;

use proptest::prelude::*;
use ringfence_ledger::canonical::check;
use ringfence_ledger::entry::{DETAIL_BYTES, DETAIL_FIELDS, NAME_BYTES, PATH_BYTES};
use ringfence_ledger::{
    AnsweredOrder, Controls, DecisionEntry, EventEntry, Fate, OrderFields, OrderIds, OutcomeEntry,
    Saw, Value, Verdict,
};
use serde_json::Value as Json;

/// RFC 8785, written from the standard and not from `json.rs`: parse, sort, write.
fn canonicalise(json: &Json) -> String {
    match json {
        Json::Null => "null".into(),
        Json::Bool(value) => value.to_string(),
        Json::Number(value) => value.to_string(),
        Json::String(text) => quote(text),
        Json::Array(items) => {
            format!(
                "[{}]",
                items.iter().map(canonicalise).collect::<Vec<_>>().join(",")
            )
        }
        Json::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| key.encode_utf16().collect::<Vec<u16>>());
            let fields: Vec<String> = fields
                .iter()
                .map(|(key, value)| format!("{}:{}", quote(key), canonicalise(value)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
    }
}

fn quote(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '"' => "\\\"".into(),
            '\\' => "\\\\".into(),
            '\u{8}' => "\\b".into(),
            '\u{9}' => "\\t".into(),
            '\u{a}' => "\\n".into(),
            '\u{c}' => "\\f".into(),
            '\u{d}' => "\\r".into(),
            c if (c as u32) < 0x20 => format!("\\u{:04x}", c as u32),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

fn parsed(entry: &[u8]) -> Json {
    assert!(entry.len() <= 65_535, "{} bytes", entry.len());
    let text = std::str::from_utf8(entry).unwrap();
    let json: Json = serde_json::from_str(text).unwrap();
    assert_eq!(canonicalise(&json), text);
    assert_eq!(check(entry), Ok(()));
    json
}

fn decision<'a>() -> DecisionEntry<'a> {
    DecisionEntry {
        about: None,
        abouts: &[],
        account: None,
        address: IpAddr::from([192, 0, 2, 7]).into(),
        claimed: None,
        controls: Controls::default(),
        credential: None,
        dialect: "binance",
        latency_us: 17,
        listener: "spot",
        message: "0badcafe-1",
        method: "GET",
        operation: None,
        order: None,
        orders: &[],
        verdict: Verdict::Permitted,
        path: "/",
        proof: None,
        route: None,
        shard: None,
        state_changing: false,
        status: None,
        time_us: 1_790_000_000_000_000,
        topics: &[],
        transport: "http/1.1",
    }
}

fn encoded(encode: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    // What an earlier entry left in the buffer must not show.
    let mut out = b"left over".to_vec();
    encode(&mut out);
    out
}

#[test]
fn a_refused_order_is_written_byte_for_byte() {
    let entry = DecisionEntry {
        abouts: &[],
        about: Some(OrderIds {
            symbol: None,
            client_order_id: Some("older"),
            venue_order_id: Some("17"),
        }),
        account: Some("alice"),
        address: "2001:db8::1".parse::<IpAddr>().unwrap().into(),
        claimed: Some("key-2"),
        controls: Controls {
            edge: Saw::Passed,
            operation: Saw::Passed,
            identity: Saw::Off,
            freshness: Saw::WouldRefuse("time_stale"),
            authority: Saw::Passed,
            budget: Saw::Passed,
            guard: Saw::Refused("price_band"),
            sequence: Saw::NotReached,
        },
        credential: Some("key-1"),
        method: "POST",
        operation: Some("order.place"),
        orders: &[],
        order: Some(OrderFields {
            symbol: "BTCUSDT",
            side: "BUY",
            kind: "LIMIT",
            price: Some("1"),
            stop_price: Some("2"),
            quantity: Some("3"),
            quote_quantity: Some("4"),
            client_order_id: Some("mine"),
            trail: Some("5"),
            whole_position: true,
        }),
        verdict: Verdict::Refused {
            blame: "client",
            code: "price_band",
            detail: Some("price 1"),
        },
        path: "/api/v3/order",
        proof: Some("native"),
        route: Some("POST /api/v3/order"),
        shard: Some(7),
        state_changing: true,
        status: Some(400),
        ..decision()
    };
    let text = concat!(
        r#"{"about":{"client_order_id":"older","venue_order_id":"17"},"#,
        r#""account":"alice","address":"2001:db8::1","claimed":"key-2","controls":{"authority":"passed","#,
        r#""budget":"passed","edge":"passed","freshness":"would_refuse:time_stale","#,
        r#""guard":"refused:price_band","identity":"off","operation":"passed"},"#,
        r#""credential":"key-1","dialect":"binance","kind":"decision","latency_us":17,"#,
        r#""listener":"spot","message":"0badcafe-1","method":"POST","operation":"order.place","#,
        r#""order":{"client_order_id":"mine","price":"1","quantity":"3","quote_quantity":"4","#,
        r#""side":"BUY","stop_price":"2","symbol":"BTCUSDT","trail":"5","type":"LIMIT","#,
        r#""whole_position":true},"outcome":"refused","#,
        r#""path":"/api/v3/order","proof":"native","refusal":{"blame":"client","code":"price_band","#,
        r#""detail":"price 1"},"route":"POST /api/v3/order","shard":7,"state_changing":true,"#,
        r#""status":400,"#,
        r#""time_us":1790000000000000,"#,
        r#""transport":"http/1.1","v":1}"#,
    );
    let bytes = encoded(|out| entry.encode(out));
    assert_eq!(std::str::from_utf8(&bytes).unwrap(), text);
    parsed(&bytes);
}

#[test]
fn outcomes_and_events_are_written_byte_for_byte() {
    let outcome = OutcomeEntry {
        latency_us: Some(5),
        message: "0badcafe-1",
        orders: &[],
        order: Some(AnsweredOrder {
            client_order_id: None,
            status: Some("NEW"),
            venue_order_id: Some("18"),
        }),
        reason: Some("timeout"),
        result: Fate::Unknown,
        status: Some(504),
        time_us: 7,
    };
    assert_eq!(
        String::from_utf8(encoded(|out| outcome.encode(out))).unwrap(),
        r#"{"kind":"outcome","latency_us":5,"message":"0badcafe-1","order":{"status":"NEW","venue_order_id":"18"},"reason":"timeout","result":"unknown","status":504,"time_us":7,"v":1}"#
    );
    let detail = [
        ("b", Value::Int(-3)),
        ("a", Value::Text("x\"y")),
        ("c", Value::Bool(true)),
        ("a", Value::Text("again")),
    ];
    let event = EventEntry {
        event: "gate.start",
        detail: &detail,
        time_us: 7,
    };
    assert_eq!(
        String::from_utf8(encoded(|out| event.encode(out))).unwrap(),
        r#"{"detail":{"a":"x\"y","b":-3,"c":true},"event":"gate.start","kind":"event","time_us":7,"v":1}"#
    );
}

#[test]
fn long_texts_are_cut_at_a_character_and_marked() {
    let path = format!("/{}", "\u{e9}".repeat(PATH_BYTES));
    let name = "n".repeat(NAME_BYTES + 1);
    let entry = DecisionEntry {
        path: &path,
        proof: None,
        account: Some(&name),
        ..decision()
    };
    let json = parsed(&encoded(|out| entry.encode(out)));
    // 512 is not a character boundary: '/' and 255 two-byte letters fit.
    assert_eq!(json["path"], format!("/{}\u{2026}", "\u{e9}".repeat(255)));
    assert_eq!(
        json["account"],
        format!("{}\u{2026}", "n".repeat(NAME_BYTES))
    );
    let exact = "n".repeat(NAME_BYTES);
    let entry = DecisionEntry {
        about: None,
        abouts: &[],
        account: Some(&exact),
        ..decision()
    };
    assert_eq!(parsed(&encoded(|out| entry.encode(out)))["account"], exact);
}

#[test]
fn the_longest_entries_fit_a_bundle() {
    let worst = "\u{1}".repeat(70_000);
    let code = worst.as_str();
    let entry = DecisionEntry {
        topics: &[],
        about: None,
        abouts: &[],
        account: Some(code),
        address: "2001:db8:1111:2222:3333:4444:5555:6666"
            .parse::<IpAddr>()
            .unwrap()
            .into(),
        claimed: Some(code),
        controls: Controls {
            edge: Saw::WouldRefuse(code),
            operation: Saw::WouldRefuse(code),
            identity: Saw::WouldRefuse(code),
            freshness: Saw::WouldRefuse(code),
            authority: Saw::WouldRefuse(code),
            budget: Saw::WouldRefuse(code),
            guard: Saw::WouldRefuse(code),
            sequence: Saw::WouldRefuse(code),
        },
        credential: Some(code),
        dialect: code,
        latency_us: u64::MAX,
        listener: code,
        message: code,
        method: code,
        operation: Some(code),
        orders: &[],
        order: Some(OrderFields {
            symbol: code,
            side: code,
            kind: code,
            price: Some(code),
            stop_price: Some(code),
            quantity: Some(code),
            quote_quantity: Some(code),
            client_order_id: Some(code),
            trail: Some(code),
            whole_position: false,
        }),
        verdict: Verdict::Refused {
            blame: code,
            code,
            detail: Some(code),
        },
        path: code,
        proof: None,
        route: Some(code),
        shard: None,
        state_changing: true,
        status: Some(u16::MAX),
        time_us: u64::MAX,
        transport: code,
    };
    let json = parsed(&encoded(|out| entry.encode(out)));
    assert_eq!(json["time_us"], 9_007_199_254_740_991_u64);
    let keys: Vec<String> = (0..50)
        .map(|n| format!("{n:02}{}", "\u{1}".repeat(62)))
        .collect();
    let detail: Vec<_> = keys
        .iter()
        .map(|key| (key.as_str(), Value::Text(code)))
        .collect();
    let event = EventEntry {
        event: code,
        detail: &detail,
        time_us: 0,
    };
    let json = parsed(&encoded(|out| event.encode(out)));
    let kept = json["detail"].as_object().unwrap();
    assert_eq!(kept.len(), DETAIL_FIELDS);
    assert!(
        kept.values()
            .all(|text| text.as_str().unwrap().len() == DETAIL_BYTES + 3)
    );
}

proptest! {
    #[test]
    fn decisions_with_any_text_are_canonical(
        texts in prop::array::uniform12(".{0,80}|[\u{0}-\u{7f}]{0,80}"),
        some in any::<bool>(),
        numbers in any::<(u64, u64, u16)>(),
        address in any::<IpAddr>(),
    ) {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = &texts;
        let maybe = |text: &'static str| some.then_some(text);
        let entry = DecisionEntry {
            topics: &[],
            abouts: &[],
            about: some.then_some(OrderIds { symbol: Some(a), client_order_id: Some(b), venue_order_id: None }),
            account: some.then_some(a),
            address: address.into(),
            claimed: some.then_some(e),
            controls: Controls { edge: Saw::Refused(b), guard: Saw::WouldRefuse(c), ..Controls::default() },
            credential: maybe("key"),
            dialect: d,
            latency_us: numbers.0,
            listener: e,
            message: f,
            method: g,
            operation: maybe("order.place"),
            orders: &[],
            order: some.then_some(OrderFields {
                symbol: h, side: i, kind: j, price: Some(k), ..OrderFields::default()
            }),
            verdict: Verdict::Refused { blame: "client", code: l, detail: some.then_some(a) },
            path: b,
            proof: None,
            route: some.then_some(c),
            shard: some.then_some(u16::MAX),
            state_changing: !some,
            status: some.then_some(numbers.2),
            time_us: numbers.1,
            transport: c,
        };
        let json = parsed(&encoded(|out| entry.encode(out)));
        if f.len() <= NAME_BYTES {
            prop_assert_eq!(&json["message"], f);
        }
    }

    #[test]
    fn events_with_any_keys_are_canonical(
        fields in prop::collection::vec((".{0,10}", any::<i64>()), 0..40),
    ) {
        let detail: Vec<_> = fields.iter().map(|(k, v)| (k.as_str(), Value::Int(*v))).collect();
        let event = EventEntry { event: "x", detail: &detail, time_us: 1 };
        parsed(&encoded(|out| event.encode(out)));
    }

    /// Whatever the checker accepts is what the canonicaliser writes: nothing has two spellings.
    #[test]
    fn altered_entries_are_refused_or_still_canonical(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), insert in any::<bool>(),
    ) {
        let detail = [("k\u{1}\"", Value::Text("\u{2}\n/\\")), ("n", Value::Int(-10))];
        let mut bytes =
            encoded(|out| EventEntry { event: "x", detail: &detail, time_us: 10 }.encode(out));
        let at = at.index(bytes.len());
        if insert { bytes.insert(at, byte) } else { bytes[at] = byte }
        if check(&bytes).is_ok() {
            parsed(&bytes);
        }
    }
}

#[test]
fn keys_outside_the_basic_plane_are_ordered_by_utf16() {
    // U+FF61 is less than U+1F600 as a character, greater as UTF-16.
    let detail = [("\u{ff61}", Value::Int(1)), ("\u{1f600}", Value::Int(2))];
    let event = EventEntry {
        event: "x",
        detail: &detail,
        time_us: 1,
    };
    let bytes = encoded(|out| event.encode(out));
    parsed(&bytes);
    assert!(
        std::str::from_utf8(&bytes)
            .unwrap()
            .starts_with("{\"detail\":{\"\u{1f600}\":2,")
    );
}

#[test]
fn other_spellings_are_refused() {
    for (text, offset) in [
        ("", 0),
        ("null", 0),
        ("[1]", 0),
        ("{", 1),
        ("{}x", 2),
        ("{} ", 2),
        (" {}", 0),
        (r#"{"a": 1}"#, 5),
        (r#"{"a":1 }"#, 6),
        (r#"{"b":1,"a":1}"#, 7),
        (r#"{"a":1,"a":1}"#, 7),
        (r#"{"a":1,}"#, 7),
        (r#"{"a"}"#, 4),
        (r#"{"a":01}"#, 5),
        (r#"{"a":-0}"#, 5),
        (r#"{"a":+1}"#, 5),
        (r#"{"a":-}"#, 5),
        (r#"{"a":1.0}"#, 6),
        (r#"{"a":1e3}"#, 6),
        (r#"{"a":9007199254740992}"#, 5),
        (r#"{"a":99999999999999999999999}"#, 5),
        (r#"{"a":"\/"}"#, 6),
        (r#"{"a":"\u0041"}"#, 6),
        (r#"{"a":"\u000a"}"#, 6),
        (r#"{"a":"\u0008"}"#, 6),
        (r#"{"a":"\u001F"}"#, 6),
        (r#"{"a":"\u00e9"}"#, 6),
        (r#"{"a":"\x"}"#, 6),
        (r#"{"a":"\"#, 6),
        ("{\"a\":\"\n\"}", 6),
        (r#"{"a":"b}"#, 8),
        (r#"{"a":tru}"#, 5),
        (r#"{"a":NaN}"#, 5),
        (r#"{"a":[1,]}"#, 8),
        (r#"{"a":[1 ]}"#, 7),
    ] {
        let wrong = check(text.as_bytes()).expect_err(text);
        assert_eq!(wrong.offset, offset, "{text}: {}", wrong.what);
    }
    assert_eq!(check(b"{\"a\":\"\xff\"}").unwrap_err().offset, 6);
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(20), "]".repeat(20));
    assert!(check(deep.as_bytes()).is_err());
    for text in [
        r#"{}"#,
        r#"{"a":[],"b":{},"c":[1,-2,null,true,false,"\u001f\t"]}"#,
    ] {
        assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
    }
}

/// An order as clients write it.
const ORDER: OrderFields<'static> = OrderFields {
    symbol: "BTC-USDT",
    side: "BUY",
    kind: "limit",
    price: Some("30000.1"),
    stop_price: None,
    quantity: Some("0.01"),
    quote_quantity: None,
    client_order_id: Some("e847386590ce4dBCc7f2a1b4c4509f82"),
    trail: None,
    whole_position: false,
};

#[test]
fn a_batch_is_listed_order_by_order() {
    let entry = DecisionEntry {
        order: None,
        orders: &[ORDER; 50],
        abouts: &[OrderIds {
            venue_order_id: Some("7"),
            ..OrderIds::default()
        }; 2],
        ..decision()
    };
    let json = parsed(&encoded(|out| entry.encode(out)));
    let orders = json["orders"].as_array().unwrap();
    assert_eq!(orders.len(), 50);
    assert_eq!(orders[49]["price"], "30000.1");
    assert_eq!(json["abouts"][1]["venue_order_id"], "7");
    assert!(json.get("orders_left_out").is_none());
}

#[test]
fn what_an_entry_has_no_room_for_is_counted_and_the_entry_fits_a_bundle() {
    let worst = "\u{1}".repeat(600);
    let order = OrderFields {
        symbol: &worst,
        side: &worst,
        kind: &worst,
        price: Some(&worst),
        stop_price: Some(&worst),
        quantity: Some(&worst),
        quote_quantity: Some(&worst),
        client_order_id: Some(&worst),
        trail: Some(&worst),
        whole_position: true,
    };
    let ids = OrderIds {
        symbol: Some(&worst),
        client_order_id: Some(&worst),
        venue_order_id: Some(&worst),
    };
    let entry = DecisionEntry {
        account: Some(&worst),
        credential: Some(&worst),
        dialect: &worst,
        listener: &worst,
        message: &worst,
        method: &worst,
        operation: Some(&worst),
        path: &worst,
        proof: Some(&worst),
        route: Some(&worst),
        order: None,
        orders: &[order; 50],
        abouts: &[ids; 50],
        ..decision()
    };
    let written = encoded(|out| entry.encode(out));
    assert!(written.len() <= 65_535, "{}", written.len());
    let json = parsed(&written);
    let kept = json["orders"].as_array().unwrap().len() as u64;
    assert!(kept > 0);
    assert_eq!(json["orders_left_out"], 50 - kept);
    let kept = json["abouts"].as_array().unwrap().len() as u64;
    assert_eq!(json["abouts_left_out"], 50 - kept);
}

#[test]
fn the_topics_of_a_subscription_are_bounded_and_the_rest_is_counted() {
    let topics: Vec<String> = (0..500)
        .map(|number| format!("book.{number}.{}", "x".repeat(200)))
        .collect();
    let entry = DecisionEntry {
        topics: &topics,
        ..decision()
    };
    let written = encoded(|out| entry.encode(out));
    let written: Json = serde_json::from_slice(&written).unwrap();
    let kept = written["topics"].as_array().unwrap().len();
    assert!((10..=32).contains(&kept), "{kept}");
    assert_eq!(written["topics_left_out"], 500 - kept);
    let longest = written["topics"][0].as_str().unwrap().len();
    assert!(
        (NAME_BYTES..=NAME_BYTES + 3).contains(&longest),
        "{longest}"
    );
}
