//! A message with several orders is read order by order, or refused; there is no second way to read it.

use ringfence_core::refusal::{Code, Detail};
use serde_json::{Value, json};

use super::super::{Dialect, Scratch};
use super::fixture::{Sent, written};

const ORDER: &str =
    r#"{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","quantity":"1","price":"5"}"#;

/// Returns a dialect with a list as body, one in an object, one of ids, and one in a form.
fn venue() -> Dialect {
    let mut written = written();
    let fields = json!(["symbol", "side", "type", "quantity", "price"]);
    let ids = json!({"client_order_id": ["clientId"], "venue_order_id": ["orderId"], "symbol": ["symbol"]});
    written["order_ids"] = ids;
    written["signing"]["payload"] = json!(["body"]);
    written["signing"]["signature"] = json!({"header": "X-SIGN"});
    written["signing"]["time"]["parameter"] = json!({"header": "X-TIME"});
    written["signing"]["time"]["window_parameter"] = Value::Null;
    written["routes"] = json!([
        {"method": "POST", "path": "/list", "operation": "order.test", "signed": false, "orders": 1, "body": "json",
         "weight": 3, "parameters": [], "batch": {"most": 3, "parameters": fields}},
        {"method": "POST", "path": "/inner", "operation": "order.test", "orders": 1, "body": "json", "weight": 3,
         "parameters": ["symbol", "note"], "batch": {
             "in": "list", "most": 3, "most_by": {"note": {"few": 1}}, "weighs_each": true, "parameters": fields,
             "answer": {"venue_order_id": ["data.*.id"], "status": ["data.*.state"]}}},
        {"method": "POST", "path": "/cancel", "operation": "order.cancel", "body": "json", "parameters": ["symbol"],
         "batch": {"in": "ids", "item": "orderId", "most": 3, "parameters": ["orderId"]}},
        {"method": "POST", "path": "/form", "operation": "order.test", "orders": 1, "parameters": ["list", "note"],
         "batch": {"in": "list", "most": 3, "parameters": fields}},
    ]);
    for route in written["routes"].as_array_mut().unwrap() {
        route["signed"] = json!(true);
    }
    Dialect::from_json(&written).unwrap()
}

/// What is seen of a message: symbols and quantities, ids, weight and orders; or the code and field of its refusal.
fn seen(path: &str, body: &str) -> Result<(String, String, u32, u32), (Code, String)> {
    let dialect = venue();
    let sent = Sent::to("POST", path, "", body);
    let mut headers = http::HeaderMap::new();
    headers.insert("x-sign", "00".parse().unwrap());
    headers.insert("x-time", "1".parse().unwrap());
    let head = super::super::Head {
        headers: Some(&headers),
        ..sent.head()
    };
    let mut scratch = Scratch::default();
    let route = sent.route(&dialect).unwrap();
    // Memory that was used before changes nothing.
    let long = format!("[{ORDER},{ORDER},{ORDER}]");
    let list = dialect.route("POST", "/list").unwrap();
    let _ = dialect.read(list, &head, long.as_bytes(), &mut scratch);
    let reading = dialect.read(route, &head, body.as_bytes(), &mut scratch);
    match reading {
        Ok(reading) => {
            let orders = reading.orders.as_slice().iter();
            let orders = orders.map(|o| format!("{} {}", o.symbol, o.quantity.unwrap_or("-")));
            let about = reading.about.as_slice().iter();
            let about = about.map(|ids| ids.venue_order_id.unwrap_or("-"));
            Ok((
                orders.collect::<Vec<_>>().join(", "),
                about.collect::<Vec<_>>().join(", "),
                reading.cost.weight,
                reading.cost.orders,
            ))
        }
        Err(refusal) => match refusal.detail {
            Detail::Field(field) => Err((refusal.code, field.into())),
            Detail::None
            | Detail::Distance(_)
            | Detail::From(_)
            | Detail::Limit(_)
            | Detail::Policies(_)
            | Detail::Scope(_)
            | Detail::StepUp(_) => Err((refusal.code, String::new())),
        },
    }
}

fn refused(path: &str, body: &str, code: Code, field: &str) {
    assert_eq!(seen(path, body), Err((code, field.to_owned())), "{body}");
}

/// Returns an order with `more` in it.
fn with(more: &str) -> String {
    ORDER.replacen('}', &format!(",{more}}}"), 1)
}

#[test]
fn every_order_of_a_list_is_read_and_counted() {
    let eth = ORDER
        .replace("BTCUSDT", "ETHUSDT")
        .replace(":\"1\"", ":\"7\"");
    let two = seen("/list", &format!("[{ORDER}, {eth}]"));
    assert_eq!(
        two,
        Ok(("BTCUSDT 1, ETHUSDT 7".into(), String::new(), 3, 2))
    );
    let one = seen("/list", &format!("[{ORDER}]"));
    assert_eq!(one, Ok(("BTCUSDT 1".into(), String::new(), 3, 1)));
}

#[test]
fn what_stands_beside_the_list_holds_for_each_order_and_each_order_weighs() {
    let bare = ORDER.replace(r#""symbol":"BTCUSDT","#, "");
    for body in [
        format!(r#"{{"symbol":"ETHUSDT","list":[{bare},{bare}]}}"#),
        format!(r#"{{"list":[{bare},{bare}],"symbol":"ETHUSDT"}}"#),
    ] {
        let expected = Ok(("ETHUSDT 1, ETHUSDT 1".into(), String::new(), 6, 2));
        assert_eq!(seen("/inner", &body), expected, "{body}");
    }
    let both = format!(r#"{{"symbol":"ETHUSDT","list":[{bare},{ORDER}]}}"#);
    refused("/inner", &both, Code::FormDuplicate, "1.symbol");
}

#[test]
fn ids_stand_for_orders() {
    let seen = seen("/cancel", r#"{"symbol":"BTCUSDT","ids":["a",2]}"#);
    assert_eq!(seen, Ok((String::new(), "a, 2".into(), 1, 0)));
}

#[test]
fn a_form_has_its_orders_as_json_in_one_parameter() {
    let list = format!("list=[{ORDER},{ORDER}]&note=x");
    let expected = Ok(("BTCUSDT 1, BTCUSDT 1".into(), String::new(), 1, 2));
    assert_eq!(seen("/form", &list), expected);
    refused("/form", "note=x", Code::FormParameterMissing, "list");
    refused("/form", "list=5", Code::FormMalformed, "list");
    let twice = with(r#""price":"6""#);
    refused(
        "/form",
        &format!("list=[{twice}]"),
        Code::FormDuplicate,
        "price",
    );
    refused(
        "/form",
        &format!("list={{\"0\":{ORDER}}}"),
        Code::FormMalformed,
        "list",
    );
    refused(
        "/form",
        &format!("list={{\"a\":{ORDER}}}"),
        Code::FormMalformed,
        "list",
    );
}

#[test]
fn a_list_that_is_empty_or_too_long_is_refused() {
    refused("/list", "[]", Code::FormParameterMissing, "body");
    refused(
        "/inner",
        r#"{"note":"x"}"#,
        Code::FormParameterMissing,
        "list",
    );
    refused(
        "/inner",
        r#"{"list":[]}"#,
        Code::FormParameterMissing,
        "list",
    );
    let four = [ORDER; 4].join(",");
    refused(
        "/list",
        &format!("[{four}]"),
        Code::FormBatchTooLong,
        "body",
    );
    refused(
        "/cancel",
        r#"{"ids":[1,2,3,4]}"#,
        Code::FormBatchTooLong,
        "ids",
    );
}

#[test]
fn what_stands_beside_the_list_can_make_it_shorter() {
    let body = |note: &str, count: usize| {
        let list = [ORDER].repeat(count).join(",");
        format!(r#"{{"list":[{list}],"note":"{note}"}}"#)
    };
    assert!(seen("/inner", &body("many", 3)).is_ok());
    assert!(seen("/inner", &body("few", 1)).is_ok());
    refused("/inner", &body("few", 2), Code::FormBatchTooLong, "list");
}

#[test]
fn a_fault_names_its_order() {
    let fee = with(r#""fee":"1""#);
    refused(
        "/list",
        &format!("[{ORDER},{fee}]"),
        Code::FormParameterUnknown,
        "1.fee",
    );
    let nameless = ORDER.replace("symbol", "note");
    refused(
        "/list",
        &format!("[{ORDER},{nameless}]"),
        Code::FormParameterUnknown,
        "1.note",
    );
    let sideless = ORDER.replace(r#""side":"BUY","#, "");
    refused(
        "/list",
        &format!("[{ORDER},{sideless}]"),
        Code::FormParameterMissing,
        "1.side",
    );
    refused(
        "/list",
        &format!("[{ORDER},5]"),
        Code::FormParameterUnknown,
        "1",
    );
    refused(
        "/list",
        &format!("[{ORDER},{{}}]"),
        Code::FormParameterUnknown,
        "1",
    );
    refused(
        "/list",
        &format!("[[{ORDER}]]"),
        Code::FormParameterUnknown,
        "0.0.symbol",
    );
    refused(
        "/cancel",
        r#"{"ids":[1,{}]}"#,
        Code::FormParameterUnknown,
        "1",
    );
}

#[test]
fn what_is_no_list_is_not_read_as_one() {
    refused("/list", ORDER, Code::FormMalformed, "body");
    refused(
        "/list",
        &format!("{{\"0\":{ORDER}}}"),
        Code::FormMalformed,
        "body",
    );
    refused("/list", "", Code::FormMalformed, "");
    refused(
        "/inner",
        &format!(r#"{{"list":{{"0":{ORDER}}}}}"#),
        Code::FormMalformed,
        "list",
    );
    refused(
        "/inner",
        &format!(r#"{{"list":{ORDER}}}"#),
        Code::FormMalformed,
        "list",
    );
    // No order beside the list, either.
    let beside = format!(r#"{{"list":[{ORDER}],"side":"SELL"}}"#);
    refused("/inner", &beside, Code::FormParameterUnknown, "side");
}

#[test]
fn an_answer_is_heard_order_by_order() {
    let dialect = venue();
    let route = dialect.route("POST", "/inner").unwrap().id;
    let heard = |body: &str| {
        let each = dialect.answered(route, body.as_bytes());
        let said = each.as_slice().iter();
        let said = said.map(|one| format!("{:?} {:?}", one.venue_order_id, one.status));
        said.collect::<Vec<_>>().join(", ")
    };
    let both = r#"{"data":[{"id":7,"state":"new"},{"id":"","state":"bad"}]}"#;
    assert_eq!(heard(both), r#"Some("7") Some("new"), None Some("bad")"#);
    assert_eq!(heard(r#"{"data":[{"id":7}]}"#), r#"Some("7") None"#);
    assert_eq!(heard("no"), "");
    // More than were asked for are nobody's.
    let many = format!(r#"{{"data":[{}]}}"#, [r#"{"id":1}"#; 9].join(","));
    assert_eq!(heard(&many).matches("Some").count(), 3);
}

#[test]
fn a_batch_that_cannot_be_is_refused_when_it_is_loaded() {
    let error = |route: Value| {
        let mut written = written();
        written["routes"] = json!([route]);
        Dialect::from_json(&written).unwrap_err().to_string()
    };
    let route = |more: Value| {
        let mut route = json!({"method": "POST", "path": "/x", "operation": "order.place", "body": "json",
            "parameters": ["timestamp", "recvWindow", "signature"], "batch": {"most": 3, "parameters": ["symbol"]}});
        for (name, value) in more.as_object().unwrap() {
            route[name] = value.clone();
        }
        route
    };
    let batch = |more: Value| route(json!({"batch": more}));
    assert_eq!(
        error(batch(json!({"most": 0, "parameters": []}))),
        "routes[0].batch.most: 1 to 50"
    );
    assert_eq!(
        error(batch(json!({"most": 51, "parameters": []}))),
        "routes[0].batch.most: 1 to 50"
    );
    assert_eq!(
        error(batch(json!({"most": 3, "parameters": ["@lost"]}))),
        "routes[0].batch.parameters: no list called \"lost\""
    );
    for most in [0, 3] {
        let fewer = json!({"note": {"few": most}});
        assert_eq!(
            error(batch(
                json!({"most": 3, "parameters": [], "most_by": fewer})
            )),
            "routes[0].batch.most_by.note.few: at least 1, and fewer than `most`"
        );
    }
    let answer = json!({"venue_order_id": ["id"]});
    assert_eq!(
        error(batch(
            json!({"most": 3, "parameters": [], "answer": answer})
        )),
        "routes[0].batch.answer: `*` stands once for the place in the list"
    );
    assert_eq!(
        error(route(json!({"body": "form"}))),
        "routes[0].batch: a form has its orders in a parameter, and `order_in` is of one order"
    );
    assert_eq!(
        error(route(json!({"operation": "order.query"}))),
        "routes[0].batch: it is of orders that are placed, changed or cancelled"
    );
}
