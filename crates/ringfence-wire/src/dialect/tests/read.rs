//! A message is read whole, in one way, or refused with the reason.

use proptest::prelude::*;
use ringfence_core::refusal::Code;

use super::super::{Dialect, Scratch};
use super::fixture::{Sent, dialect, meaning, open};

const ORDER: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.01&price=30000&timestamp=1700000000000&signature=aa";

/// Returns an order of ours with `more` pairs behind it.
fn order_and(more: &str) -> Sent {
    Sent::order("", &format!("{ORDER}{more}"))
}

#[test]
fn query_body_and_both_are_read_alike() {
    let dialect = dialect();
    let order = |sent: Sent| {
        sent.read(&dialect, |reading| format!("{:?}", reading.orders))
            .unwrap()
    };
    let (query, body) = ORDER.split_once("&type").unwrap();
    let both = order(Sent::order(query, &format!("type{body}")));
    assert_eq!(order(Sent::order(ORDER, "")), both);
    assert_eq!(order(Sent::order("", ORDER)), both);
}

#[test]
fn the_signed_text_is_query_then_body_without_the_signature() {
    for (query, body, payload) in [
        ("", "a=1&signature=x", "a=1"),
        ("signature=x&a=1", "", "a=1"),
        ("a=1&signature=x&b=2", "", "a=1&b=2"),
        ("a=1&b=2", "c=3&signature=x", "a=1&b=2c=3"),
        ("a=1&signature=x", "c=3", "a=1c=3"),
        ("a=%20%2b%2B", "signature=x", "a=%20%2b%2B"),
    ] {
        let time = "timestamp=1";
        let query = if query.is_empty() {
            time.to_owned()
        } else {
            format!("{time}&{query}")
        };
        let expected = format!("{time}{}{payload}", if query == time { "" } else { "&" });
        let dialect = dialect_of_reads();
        let read = Sent::to("POST", "/orders", &query, body)
            .read(&dialect, |reading| reading.claim.unwrap().payload.to_vec());
        assert_eq!(String::from_utf8(read.unwrap()).unwrap(), expected);
    }
}

/// A dialect in which a read takes any parameter, also in a body.
fn dialect_of_reads() -> Dialect {
    let mut written = super::fixture::written();
    written["routes"][2]["method"] = "POST".into();
    Dialect::from_json(&written).unwrap()
}

#[test]
fn an_order_is_read_with_all_its_fields() {
    let sent = order_and("&stopPrice=1&icebergQty=2&newClientOrderId=a%20b");
    let seen = sent.read(&dialect(), |reading| {
        let order = reading.orders.one().unwrap();
        assert_eq!(
            (order.symbol, order.side, order.kind),
            ("BTCUSDT", "BUY", "LIMIT")
        );
        assert_eq!((order.quantity, order.price), (Some("0.01"), Some("30000")));
        assert_eq!(
            (order.stop_price, order.iceberg_quantity),
            (Some("1"), Some("2"))
        );
        assert_eq!(
            (order.quote_quantity, order.client_order_id),
            (None, Some("a b"))
        );
        reading.cost.orders
    });
    assert_eq!(seen, Ok(1));
}

#[test]
fn an_order_without_symbol_side_or_type_is_refused() {
    for field in ["symbol=BTCUSDT&", "side=BUY&", "type=LIMIT&"] {
        let name = field.split_once('=').unwrap().0;
        let missing = Sent::order("", &ORDER.replace(field, ""));
        let empty = Sent::order("", &ORDER.replace(field, &format!("{name}=&")));
        for sent in [missing, empty] {
            assert_eq!(
                sent.refused(&dialect()),
                Some(Code::FormParameterMissing),
                "{name}"
            );
        }
    }
}

#[test]
fn a_parameter_that_the_guard_does_not_know_is_refused() {
    for more in [
        "&pegPriceType=PRIMARY_PEG",
        "&Price=1",
        "&trailingDelta=1",
        "&price%20=1",
    ] {
        let refused = order_and(more).refused(&dialect()).unwrap();
        assert!(
            matches!(refused, Code::FormParameterUnknown | Code::FormMalformed),
            "{more}"
        );
    }
}

#[test]
fn a_parameter_that_stands_twice_is_refused() {
    let dialect = dialect();
    assert_eq!(
        order_and("&price=30000").refused(&dialect),
        Some(Code::FormDuplicate)
    );
    assert_eq!(
        order_and("&signature=aa").refused(&dialect),
        Some(Code::FormDuplicate)
    );
    assert_eq!(
        Sent::order("price=1", ORDER).refused(&dialect),
        Some(Code::FormDuplicate)
    );
    let unsigned = Sent::to("GET", "/depth", "limit=1&limit=5000", "");
    assert_eq!(unsigned.refused(&dialect), Some(Code::FormDuplicate));
}

/// Names are first compared by their length and first seven bytes.
#[test]
fn names_that_start_alike_are_told_apart() {
    let dialect = dialect();
    let alike = Sent::to(
        "GET",
        "/depth",
        "abcdefg1=1&abcdefg2=2&abcdefg=3&abcdefg11=4",
        "",
    );
    assert_eq!(alike.refused(&dialect), None);
    let twice = Sent::to("GET", "/depth", "abcdefg1=1&abcdefg2=2&abcdefg1=3", "");
    assert_eq!(twice.refused(&dialect), Some(Code::FormDuplicate));
    let unlisted = order_and("&newClientOrderIX=1");
    assert_eq!(unlisted.refused(&dialect), Some(Code::FormParameterUnknown));
}

#[test]
fn more_parameters_than_a_message_has_are_refused() {
    let query = |count| {
        (0..count)
            .map(|n| format!("p{n}=1"))
            .collect::<Vec<_>>()
            .join("&")
    };
    let read = |count| Sent::to("GET", "/depth", &query(count), "").refused(&dialect());
    assert_eq!(read(64), None);
    assert_eq!(read(65), Some(Code::FormMalformed));
}

#[test]
fn only_a_utf8_form_is_a_body() {
    let typed = |content_type: Option<&str>, body: &[u8]| {
        let mut sent = Sent::order("", ORDER);
        sent.content_type = content_type.map(str::to_owned);
        sent.body = body.to_vec();
        sent.refused(&dialect())
    };
    for taken in [
        None,
        Some("application/x-www-form-urlencoded"),
        Some("Application/X-WWW-Form-urlencoded; charset=UTF-8"),
        Some("application/x-www-form-urlencoded;charset=\"utf-8\""),
    ] {
        assert_eq!(typed(taken, ORDER.as_bytes()), None, "{taken:?}");
    }
    for refused in [
        "application/json",
        "",
        "multipart/form-data",
        "text/plain",
        "application/x-www-form-urlencoded; charset=utf-16",
        "application/x-www-form-urlencoded; charset=ibm037",
        "application/x-www-form-urlencoded; charset=utf-8; charset=ibm037",
        "application/x-www-form-urlencoded; boundary=x",
        "application/x-www-form-urlencoded, application/json",
    ] {
        assert_eq!(
            typed(Some(refused), ORDER.as_bytes()),
            Some(Code::FormMalformed),
            "{refused}"
        );
    }
    assert_eq!(typed(None, b"\xff=1"), Some(Code::FormMalformed));
}

#[test]
fn a_read_may_call_its_empty_body_json_but_have_none() {
    let query = "timestamp=1700000000000&signature=aa";
    let mut sent = Sent::to("GET", "/orders", query, "");
    sent.content_type = Some("application/json".to_owned());
    assert_eq!(sent.refused(&dialect()), None);
    let bodied = Sent::to("GET", "/orders", query, "symbol=BTCUSDT");
    assert_eq!(bodied.refused(&dialect()), Some(Code::FormMalformed));
}

#[test]
fn a_signed_route_needs_key_signature_and_time() {
    let dialect = dialect();
    for key in [None, Some(String::new())] {
        let mut keyless = Sent::order("", ORDER);
        keyless.key = key;
        assert_eq!(keyless.refused(&dialect), Some(Code::CredentialMissing));
    }
    for (removed, put, code) in [
        ("&signature=aa", "", Code::SignatureMissing),
        ("&signature=aa", "&signature=", Code::SignatureMissing),
        ("&timestamp=1700000000000", "", Code::TimeMissing),
        (
            "&timestamp=1700000000000",
            "&timestamp=",
            Code::TimeMalformed,
        ),
    ] {
        let sent = Sent::order("", &ORDER.replace(removed, put));
        assert_eq!(sent.refused(&dialect), Some(code), "{removed} -> {put:?}");
    }
}

#[test]
fn an_unsigned_route_needs_no_key_and_makes_no_claim() {
    let mut sent = Sent::to("GET", "/depth", "signature=aa&timestamp=x", "");
    sent.key = None;
    assert_eq!(
        sent.read(&dialect(), |reading| reading.claim.is_none()),
        Ok(true)
    );
}

fn stamp(time: &str, window: Option<&str>) -> Result<(u64, u64), Code> {
    let window = window
        .map(|text| format!("&recvWindow={text}"))
        .unwrap_or_default();
    let sent = Sent::order(
        "",
        &ORDER.replace("1700000000000", &format!("{time}{window}")),
    );
    sent.read(&dialect(), |reading| {
        let stamp = reading.claim.unwrap().stamp;
        (stamp.time_us, stamp.window_us)
    })
}

#[test]
fn a_time_is_in_milliseconds_or_microseconds_by_magnitude() {
    for (text, time_us) in [
        ("1700000000000", 1_700_000_000_000_000),
        ("1700000000000123", 1_700_000_000_000_123),
        ("99999999999999", 99_999_999_999_999_000),
        ("100000000000000", 100_000_000_000_000),
        ("0", 0),
    ] {
        assert_eq!(stamp(text, None), Ok((time_us, 5_000_000)), "{text}");
    }
    for text in [
        "-1",
        "%2B1",
        "1e3",
        "1.0",
        "0x1",
        "17000000000001234",
        "%EF%BC%91",
        "1%20",
        "x",
    ] {
        assert_eq!(stamp(text, None), Err(Code::TimeMalformed), "{text}");
    }
}

#[test]
fn a_window_has_up_to_three_decimals() {
    let window = |text| stamp("1700000000000", Some(text)).map(|(_, window_us)| window_us);
    for (text, window_us) in [
        ("5000", 5_000_000_i128),
        ("0", 0),
        ("0.001", 1),
        ("5000.125", 5_000_125),
        ("1.500", 1_500),
        ("60000.001", 60_000_001),
        ("99999999999999999", 99_999_999_999_999_999_000),
    ] {
        let expected = u64::try_from(window_us).map_err(|_| Code::TimeMalformed);
        assert_eq!(window(text), expected, "{text}");
    }
    for text in [
        "", "-1", "1e3", "%2B1", "1.%2B1", "1.5000", "0.0001", "1.", ".5", "x", "5_000",
    ] {
        assert_eq!(window(text), Err(Code::TimeMalformed), "{text}");
    }
}

#[test]
fn weight_follows_the_parameters() {
    let weight = |path: &str, query: &str| {
        let sent = Sent::to("GET", path, query, "");
        sent.read(&dialect(), |reading| reading.cost.weight)
            .unwrap()
    };
    for (query, expected) in [
        ("", 5),
        ("limit=1", 5),
        ("limit=100", 5),
        ("limit=101", 25),
        ("limit=5000", 250),
        ("limit=99999", 250),
        ("limit=", 5),
        ("limit=x", 250),
        ("limit=%2B5", 250),
        ("limit=-1", 250),
        ("limit=5.0", 250),
        ("limit=99999999999999999999", 250),
        ("symbols=[\"A\",\"B\"]", 7),
        ("symbols=[\"A\",\"B\",\"C\"]", 9),
        ("symbols=a,b,c,d", 9),
        ("symbols=a&limit=500", 25),
        ("limit=1&symbols=a,b,c", 9),
    ] {
        assert_eq!(weight("/depth", query), expected, "{query:?}");
    }
    let signed = "timestamp=1&signature=aa";
    assert_eq!(weight("/orders", signed), 80);
    assert_eq!(weight("/orders", &format!("symbol=A&{signed}")), 6);
    assert_eq!(weight("/orders", &format!("symbol=&{signed}")), 80);
}

#[test]
fn nothing_of_one_message_is_left_in_the_next() {
    let dialect = dialect();
    let mut scratch = Scratch::default();
    let first = order_and("&stopPrice=1&newClientOrderId=first");
    let second = Sent::order("", ORDER);
    let route = first.route(&dialect).unwrap();
    dialect
        .read(route, &first.head(), &first.body, &mut scratch)
        .unwrap();
    let reused = dialect.read(route, &second.head(), &second.body, &mut scratch);
    assert_eq!(
        Ok(meaning(&reused.unwrap())),
        second.read(&dialect, meaning)
    );
}

fn any_sent() -> impl Strategy<Value = Sent> {
    let method = prop_oneof![Just("GET"), Just("POST"), Just("DELETE"), Just("PUT")];
    let path = prop_oneof![Just("/order"), Just("/orders"), Just("/depth"), Just("/x")];
    let pair = "(symbol|side|type|price|limit|timestamp|recvWindow|signature|x)=[A-Z0-9.%+]{0,6}";
    let text = || {
        prop_oneof![
            prop::collection::vec(pair, 0..9).prop_map(|pairs| pairs.join("&")),
            ".{0,40}",
        ]
    };
    let body = prop_oneof![
        text().prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    let content_type = prop::option::of(prop_oneof![
        Just("application/x-www-form-urlencoded".to_owned()),
        ".{0,20}"
    ]);
    let key = prop::option::of(".{0,8}");
    (method, path, text(), content_type, key, body).prop_map(
        |(method, path, query, content_type, key, body)| Sent {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            content_type,
            key,
            body,
        },
    )
}

proptest! {
    #[test]
    fn any_message_is_read_or_refused(sent in any_sent()) {
        for dialect in [dialect(), open()] {
            if sent.read(&dialect, meaning).is_ok() {
                let route = sent.route(&dialect).unwrap();
                let outgoing = dialect.forward(route, &sent.head(), &sent.body);
                prop_assert!(outgoing.target.starts_with(&sent.path));
            }
        }
    }
}
