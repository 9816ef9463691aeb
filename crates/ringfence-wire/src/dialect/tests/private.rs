//! Private streams' tokens: where a message shows one, and what the venue sees in its place.

use ringfence_core::refusal::Code;
use serde_json::{Value, json};

use super::super::{Dialect, Head, Lending};
use super::fixture::{Sent, written};

const TOKEN: &str = "Zm9v-YmFy_0Zm9vYmFyZm9vYmFyZm9vYmFy";

fn with(routes: Value) -> Result<Dialect, String> {
    let mut dialect = written();
    let known = dialect["routes"].as_array_mut().unwrap();
    for route in routes.as_array().unwrap() {
        known.push(route.clone());
    }
    Dialect::from_json(&dialect).map_err(|error| error.to_string())
}

fn lends(change: impl FnOnce(&mut Value)) -> Value {
    let mut route = json!({
        "method": "POST", "path": "/listenKey", "operation": "stream.open",
        "parameters": ["timestamp", "recvWindow", "signature", "listenKey"],
        "lends": {
            "does": "begin", "by_name": true, "token": "listenKey", "seconds": 3600,
            "answer": "{\"listenKey\":\"{token}\"}",
        },
    });
    change(&mut route);
    json!([route])
}

fn shows(path: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut route = json!({
        "method": "GET", "path": path, "operation": "stream.open", "stream": true,
        "shows": "listenKey", "parameters": ["listenKey", "events"],
    });
    change(&mut route);
    let market = json!({
        "method": "GET", "path": "/ws/{stream}", "operation": "market.read", "stream": true,
        "signed": false,
    });
    json!([route, market])
}

fn get<'a>(path: &'a str, query: &'a str) -> Head<'a> {
    Head {
        method: "GET",
        path,
        query,
        session: true,
        ..Head::default()
    }
}

#[test]
fn a_message_that_names_its_key_and_no_more_is_read_so_where_that_is_enough() {
    let dialect = with(lends(|_| {})).unwrap();
    let read = |sent: &Sent| {
        sent.read(&dialect, |reading| {
            let named = reading.named.map(str::to_owned);
            (
                named,
                reading.claim.is_some(),
                reading.lent.map(str::to_owned),
            )
        })
    };
    let body = format!("listenKey={TOKEN}");
    let by_name = Sent::to("POST", "/listenKey", "", &body);
    let expected = (Some("key".to_owned()), false, Some(TOKEN.to_owned()));
    assert_eq!(read(&by_name), Ok(expected));
    let nobody = Sent {
        key: None,
        ..by_name.clone()
    };
    assert_eq!(read(&nobody), Err(Code::CredentialMissing));
    // A signature that is there counts, and must be whole.
    let half = Sent::to("POST", "/listenKey", "signature=00", "");
    assert_eq!(read(&half), Err(Code::TimeMissing));
    // Where the name is not enough, it is none.
    let order = Sent::to("POST", "/order", "symbol=BTCUSDT", "");
    assert!(read(&order).is_err());
    let route = dialect.route("POST", "/listenKey").unwrap();
    let outgoing = dialect.forward(route, &by_name.head(), by_name.body.as_slice());
    assert_eq!(
        (outgoing.target.as_str(), outgoing.body.len()),
        ("/listenKey", 0)
    );
}

#[test]
fn the_venue_s_token_is_found_and_ours_is_told() {
    let dialect = with(lends(|_| {})).unwrap();
    let lends = dialect
        .route("POST", "/listenKey")
        .unwrap()
        .lends()
        .unwrap();
    assert_eq!(
        (lends.does, lends.by_name, lends.seconds),
        (Lending::Begin, true, 3600)
    );
    assert_eq!(lends.answer("ours"), r#"{"listenKey":"ours"}"#);
    let found = |body: &str| lends.found(body.as_bytes()).map(|token| token.into_owned());
    assert_eq!(
        found(r#"{"a":1,"listenKey":"pqia91ma"}"#).as_deref(),
        Some("pqia91ma")
    );
    for none in [
        "{}",
        "",
        r#"{"listenKey":""}"#,
        r#"{"listenKey":5}"#,
        r#"{"listenKey":"a/b"}"#,
        r#"{"listenKey":"a","listenKey":"b"}"#,
        r#"{"listenKey":"a\u0026b"}"#,
    ] {
        assert_eq!(found(none), None, "{none}");
    }
}

#[test]
fn a_token_in_the_path_is_none_of_the_market_s_streams() {
    let dialect = with(shows("/ws/{listenKey}", |_| {})).unwrap();
    for (name, private) in [
        (TOKEN, true),
        ("btcusdt@trade", false),
        ("!bookTicker", false),
        ("0", false),
        (&TOKEN[4..], false),
    ] {
        let path = format!("/ws/{name}");
        let route = dialect.route("GET", &path).unwrap();
        assert_eq!(route.shows(), private, "{name}");
    }
    let path = format!("/ws/{TOKEN}");
    let route = dialect.route("GET", &path).unwrap();
    let head = get(&path, "");
    assert_eq!(dialect.shown(route, &head).unwrap(), TOKEN);
    assert_eq!(dialect.open(route, &head, "venue").target, "/ws/venue");
}

#[test]
fn a_token_in_the_query_is_shown_once_and_what_stands_beside_it_stays() {
    let dialect = with(shows("/private/ws", |_| {})).unwrap();
    let route = dialect.route("GET", "/private/ws").unwrap();
    let shown = |query: &str| {
        let shown = dialect.shown(route, &get("/private/ws", query));
        shown
            .map(|token| token.into_owned())
            .map_err(|refusal| refusal.code)
    };
    assert_eq!(shown("events=a&listenKey=b"), Ok("b".to_owned()));
    for (query, code) in [
        ("", Code::CredentialMissing),
        ("listenKey=", Code::CredentialMissing),
        ("listenKeys=b", Code::CredentialMissing),
        ("listenKey=b&listenKey=c", Code::FormDuplicate),
        ("listenKey=a%62", Code::TokenUnknown),
        ("listenKey=a@b", Code::TokenUnknown),
    ] {
        assert_eq!(shown(query), Err(code), "{query}");
    }
    for (query, target) in [
        ("listenKey=b", "/private/ws?listenKey=venue"),
        (
            "events=a&listenKey=b",
            "/private/ws?listenKey=venue&events=a",
        ),
    ] {
        let head = get("/private/ws", query);
        assert_eq!(dialect.open(route, &head, "venue").target, target);
    }
}

#[test]
fn what_took_a_route_s_place_is_told() {
    let route = |r: &mut Value| r["retired"] = json!("that");
    let dialect = with(lends(route)).unwrap();
    let route = dialect.route("POST", "/listenKey").unwrap();
    assert_eq!(route.retired.as_deref(), Some("that"));
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let at = with(json!([]))
        .map(|dialect| dialect.routes().count())
        .unwrap()
        - 1;
    let of_lends = |change: fn(&mut Value)| with(lends(change)).unwrap_err();
    let of_shows = |change: fn(&mut Value)| with(shows("/private/ws", change)).unwrap_err();
    for (error, wanted) in [
        (
            of_lends(|r| r["operation"] = json!("account.read")),
            "lends: a signed stream.open",
        ),
        (
            of_lends(|r| r["parameters"] = Value::Null),
            "lends: a signed stream.open",
        ),
        (
            of_lends(|r| r["stream"] = json!(true)),
            "stream: a stream is a GET",
        ),
        (
            of_lends(|r| r["lends"]["seconds"] = json!(0)),
            "lends.seconds: 1 to 86400",
        ),
        (
            of_lends(|r| r["lends"]["answer"] = json!("{}")),
            "lends.answer: JSON text",
        ),
        (
            of_lends(|r| r["lends"]["answer"] = json!("{token}}")),
            "lends.answer: JSON text",
        ),
        (
            of_shows(|r| r["stream"] = json!(false)),
            "shows: a stream for stream.open",
        ),
        (
            of_shows(|r| r["operation"] = json!("account.read")),
            "shows: a stream for stream.open",
        ),
        (
            of_shows(|r| r["method"] = json!("POST")),
            "stream: a stream is a GET",
        ),
        (
            of_shows(|r| r["shows"] = Value::Null),
            "stream: a stream is a GET",
        ),
    ] {
        let wanted = format!("routes[{at}].{wanted}");
        assert!(error.starts_with(&wanted), "{error} is not {wanted}");
    }
}
