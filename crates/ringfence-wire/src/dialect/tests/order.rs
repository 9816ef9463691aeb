//! What an order's quantity counts is told by its message and never guessed; an amendment needs no side and type.

use ringfence_core::refusal::Code;
use serde_json::{Value, json};

use super::super::Dialect;
use super::fixture::{Sent, written};

/// Returns a dialect whose market orders count base or quote currency, on spot only.
fn venue() -> Value {
    let mut written = written();
    written["order_types"] = json!({"LIMIT": {"price": true}, "MARKET": {"quantity_unit": true}});
    written["order_fields"]["quantity_unit"] = json!({
        "parameter": "unit", "base": "coin", "quote": "money", "buy": "quote", "sell": "base",
        "only": {"category": "spot"},
    });
    written["order_fields"]["amendment"] =
        json!({"symbol": "symbol", "price": "newPrice", "quantity": "newQuantity"});
    written["routes"] = json!([
        {"method": "POST", "path": "/order", "operation": "order.place", "parameters": PARAMETERS},
        {"method": "POST", "path": "/amend", "operation": "order.amend", "parameters": PARAMETERS},
    ]);
    written
}

const PARAMETERS: [&str; 13] = [
    "timestamp",
    "recvWindow",
    "signature",
    "symbol",
    "side",
    "type",
    "quantity",
    "price",
    "unit",
    "category",
    "newPrice",
    "newQuantity",
    "orderId",
];

/// Returns (quantity, quote quantity) of a market order.
fn counted(rest: &str) -> Result<(Option<String>, Option<String>), Code> {
    let dialect = Dialect::from_json(&venue()).unwrap();
    let body = format!("symbol=BTCUSDT&type=MARKET&quantity=5&{rest}&timestamp=1&signature=00");
    Sent::order("", &body).read(&dialect, |reading| {
        let order = reading.orders.one().unwrap();
        (
            order.quantity.map(str::to_owned),
            order.quote_quantity.map(str::to_owned),
        )
    })
}

#[test]
fn a_quantity_counts_what_the_message_says_or_what_its_side_has_by_default() {
    let (base, quote) = (Ok((Some("5".into()), None)), Ok((None, Some("5".into()))));
    assert_eq!(counted("side=BUY&category=spot"), quote);
    assert_eq!(counted("side=SELL&category=spot"), base);
    assert_eq!(counted("side=BUY&category=spot&unit=coin"), base);
    assert_eq!(counted("side=SELL&category=spot&unit=money"), quote);
    assert_eq!(counted("side=SELL&category=spot&unit="), base);
}

#[test]
fn where_the_unit_means_nothing_or_is_no_word_the_order_is_refused() {
    assert_eq!(
        counted("side=BUY&unit=money"),
        Err(Code::FormParameterMissing)
    );
    assert_eq!(
        counted("side=BUY&category=linear&unit=money"),
        Err(Code::FormParameterInvalid)
    );
    assert_eq!(
        counted("side=BUY&category=spot&unit=Money"),
        Err(Code::FormParameterInvalid)
    );
}

#[test]
fn other_order_types_count_base_currency_whatever_the_unit_says() {
    let dialect = Dialect::from_json(&venue()).unwrap();
    let body =
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=5&price=1&unit=money&timestamp=1&signature=00";
    let seen = Sent::order("", body).read(&dialect, |reading| {
        let order = reading.orders.one().unwrap();
        (order.quantity == Some("5"), order.quote_quantity.is_none())
    });
    assert_eq!(seen, Ok((true, true)));
}

#[test]
fn an_amendment_carries_what_it_changes_and_names_its_instrument() {
    let dialect = Dialect::from_json(&venue()).unwrap();
    let sent = |body: &str| {
        Sent::to(
            "POST",
            "/amend",
            "",
            &format!("{body}&timestamp=1&signature=00"),
        )
    };
    let seen = sent("symbol=BTCUSDT&orderId=1&newPrice=2&newQuantity=3&price=9&side=BUY").read(
        &dialect,
        |reading| {
            let order = reading.orders.one().unwrap();
            assert!(order.amends);
            (
                order.price.map(str::to_owned),
                order.quantity.map(str::to_owned),
                order.side.to_owned(),
            )
        },
    );
    assert_eq!(
        seen,
        Ok((Some("2".into()), Some("3".into()), String::new()))
    );
    assert_eq!(
        sent("orderId=1&newPrice=2&newQuantity=3").refused(&dialect),
        Some(Code::FormParameterMissing)
    );
}

/// Returns the same, whose amendments name an order alone.
fn by_order() -> Value {
    let mut venue = venue();
    venue["order_fields"]["amendment"] =
        json!({"order": "orderId", "price": "newPrice", "quantity": "newQuantity"});
    venue["order_ids"] = json!({"answer": {"venue_order_id": ["id"]}});
    venue
}

#[test]
fn an_amendment_that_names_its_order_alone_says_which_and_no_instrument() {
    let dialect = Dialect::from_json(&by_order()).unwrap();
    assert!(dialect.amends_by_order());
    assert!(!Dialect::from_json(&venue()).unwrap().amends_by_order());
    let sent = |body: &str| {
        let body = format!("{body}&timestamp=1&signature=00");
        Sent::to("POST", "/amend", "", &body)
    };
    // An instrument beside it need not be the order's: it is not read.
    let named = sent("orderId=7&symbol=ETHUSDT&newPrice=2&newQuantity=3");
    let seen = named.read(&dialect, |reading| {
        let order = reading.orders.one().unwrap();
        (order.symbol.is_empty(), order.venue_order_id == Some("7"))
    });
    assert_eq!(seen, Ok((true, true)));
    for nameless in [
        "newPrice=2&newQuantity=3",
        "orderId=&newPrice=2&newQuantity=3",
    ] {
        let refused = sent(nameless).refused(&dialect);
        assert_eq!(refused, Some(Code::FormParameterMissing));
    }
}

#[test]
fn a_route_can_have_an_amendment_of_its_own() {
    let mut venue = venue();
    venue["order_ids"] = by_order()["order_ids"].clone();
    venue["routes"][1]["amendment"] = by_order()["order_fields"]["amendment"].clone();
    let dialect = Dialect::from_json(&venue).unwrap();
    assert!(dialect.amends_by_order());
    let body = "orderId=7&newPrice=2&newQuantity=3&timestamp=1&signature=00";
    let seen = Sent::to("POST", "/amend", "", body).read(&dialect, |reading| {
        reading.orders.one().unwrap().venue_order_id == Some("7")
    });
    assert_eq!(seen, Ok(true));
}

#[test]
fn an_amendment_of_nothing_or_of_two_things_is_a_mistake() {
    let error = |venue: &Value| Dialect::from_json(venue).unwrap_err().to_string();
    let mut both = by_order();
    both["order_fields"]["amendment"]["symbol"] = json!("symbol");
    let mut neither = by_order();
    neither["order_fields"]["amendment"]["order"] = Value::Null;
    for venue in [both, neither] {
        let wanted = "order_fields.amendment: give one of `symbol` and `order`";
        assert_eq!(error(&venue), wanted);
    }
    let mut elsewhere = venue();
    elsewhere["routes"][0]["amendment"] = by_order()["order_fields"]["amendment"].clone();
    let wanted = "routes[0].amendment: it is of a route that amends, without `order_in`";
    assert_eq!(error(&elsewhere), wanted);
    let mut deaf = by_order();
    deaf["order_ids"] = json!({});
    assert!(error(&deaf).starts_with("order_ids.answer.venue_order_id: amendments name"));
}

#[test]
fn a_unit_without_an_order_type_that_has_one_is_a_mistake() {
    let mut unused = venue();
    unused["order_types"]["MARKET"] = json!({});
    assert!(
        Dialect::from_json(&unused)
            .unwrap_err()
            .to_string()
            .contains("order_fields.quantity_unit")
    );
    let mut missing = venue();
    missing["order_fields"]["quantity_unit"] = Value::Null;
    assert!(Dialect::from_json(&missing).is_err());
}

#[test]
fn a_stream_takes_a_message_only_when_every_field_that_it_knows_says_something_known() {
    let mut written = written();
    written["stream_messages"] = json!({"fields": {"method": ["subscribe"], "event": ["subscribe", "ping"]}, "texts": ["ping"]});
    let dialect = Dialect::from_json(&written).unwrap();
    for text in [
        "ping",
        r#"{"method":"subscribe"}"#,
        r#"{"event":"ping","x":1}"#,
    ] {
        assert!(dialect.stream_takes(text), "{text}");
    }
    for text in [
        "pong",
        "ping ",
        "",
        r#""ping""#,
        r#"{"method":"ping"}"#,
        r#"{"method":1}"#,
        r#"{"x":"subscribe"}"#,
        r#"{"event":"subscribe","method":"add_order"}"#,
        r#"{"method":"subscribe","method":"add_order"}"#,
    ] {
        assert!(!dialect.stream_takes(text), "{text}");
    }
}

#[test]
fn an_empty_price_is_none() {
    let dialect = Dialect::from_json(&venue()).unwrap();
    let body = "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=5&price=&category=spot&timestamp=1&signature=00";
    let seen = Sent::order("", body).read(&dialect, |reading| {
        reading.orders.one().unwrap().price.is_none()
    });
    assert_eq!(seen, Ok(true));
}

#[test]
fn a_route_s_order_may_have_names_of_its_own() {
    let with = |change: fn(&mut Value)| {
        let mut dialect = written();
        let route = json!({
            "method": "POST", "path": "/stop", "operation": "order.place",
            "parameters": ["@signed", "symbol", "side", "type", "quantity", "price", "trigger", "name"],
            "order_fields": {"stop_price": "trigger", "client_order_id": "name"},
        });
        dialect["order_types"]["STOP"] = json!({"price": true, "stop_price": true});
        let routes = dialect["routes"].as_array_mut().unwrap();
        routes.insert(0, route);
        change(&mut routes[0]);
        Dialect::from_json(&dialect)
    };
    let dialect = with(|_| {}).unwrap();
    let body = "symbol=BTCUSDT&side=BUY&type=STOP&quantity=5&price=7&trigger=6&name=n&timestamp=1&signature=00";
    let seen = Sent::to("POST", "/stop", "", body).read(&dialect, |reading| {
        let order = reading.orders.one().unwrap();
        (
            order.price.map(str::to_owned),
            order.stop_price.map(str::to_owned),
            order.client_order_id.map(str::to_owned),
        )
    });
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(seen, Ok((text("7"), text("6"), text("n"))));
    for change in [
        (|r| r["order_in"] = json!("inside")) as fn(&mut Value),
        |r| r["operation"] = json!("order.cancel"),
    ] {
        let error = with(change).unwrap_err().to_string();
        assert!(error.starts_with("routes[0].order_fields: "), "{error}");
    }
}

/// Returns whether an order of this type needs a price and a stop price, if the dialect has the type.
fn needs(dialect: &Dialect, kind: &str) -> Option<(bool, bool)> {
    let body =
        format!("symbol=BTCUSDT&side=BUY&type={kind}&quantity=5&price=7&timestamp=1&signature=00");
    let terms = Sent::order("", &body).read(dialect, |reading| reading.orders.one().unwrap().terms);
    terms
        .unwrap()
        .map(|terms| (terms.needs_price, terms.needs_stop_price))
}

#[test]
fn what_a_type_must_carry_is_said_by_the_message_s_own_dialect() {
    let other = |types: Value| {
        let mut written = written();
        written["order_types"] = types;
        Dialect::from_json(&written).unwrap()
    };
    let spot = other(json!({"TAKE_PROFIT": {"stop_price": true}, "LIMIT": {"price": true}}));
    let futures = other(json!({"TAKE_PROFIT": {"price": true, "stop_price": true}}));
    assert_eq!(needs(&spot, "TAKE_PROFIT"), Some((false, true)));
    assert_eq!(needs(&futures, "TAKE_PROFIT"), Some((true, true)));
    assert_eq!(needs(&futures, "LIMIT"), None);
    for kind in ["limit", "TRAILING_STOP", "LIMIT%20"] {
        assert_eq!(needs(&spot, kind), None, "{kind}");
    }
}

/// Returns the instrument of an order, or of an amendment, that says `rest` of it.
fn instrument(path: &str, rest: &str) -> Result<String, Code> {
    let mut written = venue();
    written["order_fields"]["symbol_code"] = json!("number");
    for route in written["routes"].as_array_mut().unwrap() {
        route["parameters"]
            .as_array_mut()
            .unwrap()
            .push(json!("number"));
    }
    let codes = [("7".into(), "BTCUSDT".into())];
    let dialect = Dialect::from_json(&written)
        .unwrap()
        .with_codes(codes.into());
    let order = "side=BUY&type=LIMIT&quantity=5&price=7&newPrice=7&newQuantity=5";
    let body = format!("{rest}&{order}&timestamp=1&signature=00");
    Sent::to("POST", path, "", &body).read(&dialect, |reading| {
        reading.orders.one().unwrap().symbol.to_owned()
    })
}

#[test]
fn an_instrument_s_number_is_its_name_and_never_says_another() {
    for path in ["/order", "/amend"] {
        let name = Ok("BTCUSDT".to_owned());
        assert_eq!(instrument(path, "symbol=BTCUSDT"), name);
        assert_eq!(instrument(path, "number=7"), name);
        assert_eq!(instrument(path, "symbol=&number=7"), name);
        assert_eq!(instrument(path, "symbol=BTCUSDT&number="), name);
        assert_eq!(instrument(path, "symbol=BTCUSDT&number=7"), name);
        for (rest, code) in [
            ("symbol=ETHUSDT&number=7", Code::FormParameterInvalid),
            ("symbol=BTCUSDT&number=8", Code::InstrumentUnknown),
            ("number=8", Code::InstrumentUnknown),
            ("number=", Code::FormParameterMissing),
        ] {
            assert_eq!(instrument(path, rest), Err(code), "{path} {rest}");
        }
    }
}

#[test]
fn a_number_goes_on_as_the_name_and_what_is_not_certain_as_it_came() {
    let mut written = venue();
    written["order_fields"]["symbol_code"] = json!("number");
    let dialect = Dialect::from_json(&written).unwrap();
    let dialect = dialect.with_codes([("7".into(), "BTCUSDT".into())].into());
    let names = dialect.order_names.as_ref().unwrap();
    let named = r#"[{"q":"1","symbol":"BTCUSDT"}]"#;
    for (sent, wanted) in [
        (r#"[{"number":7,"q":"1"}]"#, named),
        (r#"[{"number":"7","q":"1"}]"#, named),
        (r#"{"number":7}"#, r#"{"symbol":"BTCUSDT"}"#),
    ] {
        assert_eq!(names.renamed(sent.to_owned(), &dialect.words), wanted);
    }
    for same in [
        r#"{"number":8}"#,
        r#"{"number":7,"symbol":"ETHUSDT"}"#,
        r#"{"number":7,"q":0.10}"#,
        r#"{"number":7"#,
    ] {
        assert_eq!(names.renamed(same.to_owned(), &dialect.words), same);
    }
}

/// A venue with triggers that follow the market and orders that close the position.
fn with_variants() -> Value {
    let mut dialect = written();
    dialect["order_types"]["TRAIL"] = json!({"trails": true});
    dialect["order_types"]["STOP"] = json!({"stop_price": true, "whole_position": true});
    dialect["order_fields"]["stop_price"] = json!("trigger");
    dialect["order_fields"]["trailing"] = json!({"price": "from", "distance": "rate"});
    dialect["order_fields"]["whole_position"] = json!("close");
    let route = json!({
        "method": "POST", "path": "/algo", "operation": "order.place",
        "parameters": ["@signed", "symbol", "side", "type", "quantity", "trigger", "from", "rate", "close"],
    });
    dialect["routes"].as_array_mut().unwrap().insert(0, route);
    dialect
}

#[test]
fn a_trigger_that_follows_and_a_whole_position_are_read_where_their_type_has_them() {
    let dialect = Dialect::from_json(&with_variants()).unwrap();
    let read = |rest: &str| {
        let body = format!("symbol=BTCUSDT&side=BUY&{rest}&timestamp=1&signature=00");
        let text = |text: Option<&str>| text.map(str::to_owned);
        Sent::to("POST", "/algo", "", &body).read(&dialect, |reading| {
            let order = reading.orders.one().unwrap();
            (
                text(order.stop_price),
                text(order.trail),
                order.whole_position,
            )
        })
    };
    let said = |text: &str| Some(text.to_owned());
    assert_eq!(
        read("type=TRAIL&from=6&rate=1"),
        Ok((said("6"), said("1"), false))
    );
    assert_eq!(read("type=TRAIL&rate=1"), Ok((None, said("1"), false)));
    assert_eq!(
        read("type=STOP&trigger=6&close=true"),
        Ok((said("6"), None, true))
    );
    assert_eq!(
        read("type=STOP&trigger=6&close=True"),
        Ok((said("6"), None, true))
    );
    assert_eq!(
        read("type=STOP&trigger=6&close=false"),
        Ok((said("6"), None, false))
    );
    for two_readings in [
        "type=TRAIL&trigger=6&rate=1",
        "type=TRAIL&trigger=6&from=6&rate=1",
        "type=STOP&trigger=6&from=6",
        "type=STOP&trigger=6&rate=1",
        "type=STOP&trigger=6&close=TRUE",
        "type=STOP&trigger=6&close=1",
        "type=NONE&rate=1",
    ] {
        assert_eq!(
            read(two_readings),
            Err(Code::FormParameterInvalid),
            "{two_readings}"
        );
    }
}

#[test]
fn variants_stand_with_the_types_that_have_them() {
    for change in [
        (|d| d["order_types"]["TRAIL"] = json!({})) as fn(&mut Value),
        |d| d["order_types"]["STOP"] = json!({"stop_price": true}),
        |d| d["order_fields"]["trailing"] = Value::Null,
        |d| d["order_fields"]["whole_position"] = Value::Null,
    ] {
        let mut dialect = with_variants();
        change(&mut dialect);
        let error = Dialect::from_json(&dialect).unwrap_err().to_string();
        assert!(
            error.contains("it goes with order types that say so"),
            "{error}"
        );
    }
}
