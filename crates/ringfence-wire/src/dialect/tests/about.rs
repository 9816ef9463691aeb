//! The order that a message is about is named for the record, and nothing else of an answer is.

use serde_json::json;

use super::super::{AnsweredOrder, Dialect};
use super::fixture::{self, Sent};

fn dialect() -> Dialect {
    let mut written = fixture::written();
    written["order_ids"] = json!({
        "symbol": ["symbol"],
        "client_order_id": ["origClientOrderId", "other"],
        "venue_order_id": ["orderId", "{id}"],
        "answer": {
            "client_order_id": ["clientOrderId"],
            "status": ["status", "new.status"],
            "venue_order_id": ["orderId", "data.0.id"],
        },
    });
    let routes = written["routes"].as_array_mut().unwrap();
    routes.push(json!({"method": "GET", "path": "/orders/{id}/state", "operation": "order.query"}));
    routes.push(json!({"method": "GET", "path": "/known", "operation": "order.query"}));
    Dialect::from_json(&written).unwrap()
}

fn about(path: &str, query: &str) -> String {
    let query = format!("timestamp=1&signature=aa&{query}");
    let sent = Sent::to("GET", path, &query, "");
    let said = sent.read(&dialect(), |reading| {
        reading.about.one().map_or(String::from("-"), |ids| {
            let ids = [ids.symbol, ids.client_order_id, ids.venue_order_id];
            ids.map(Option::unwrap_or_default).join("|")
        })
    });
    said.unwrap()
}

#[test]
fn the_first_place_that_says_something_counts() {
    assert_eq!(about("/known", "symbol=BTCUSDT&orderId=7"), "BTCUSDT||7");
    assert_eq!(
        about("/known", "origClientOrderId=mine&other=not"),
        "|mine|"
    );
    assert_eq!(about("/known", "origClientOrderId=&other=mine"), "|mine|");
    assert_eq!(about("/known", "limit=5"), "-");
}

#[test]
fn an_id_in_the_path_is_found() {
    assert_eq!(about("/orders/a-7/state", "symbol=X"), "X||a-7");
    assert_eq!(about("/orders/a-7/state", "orderId=8"), "||8");
}

fn answered(body: &str) -> [Option<String>; 3] {
    let AnsweredOrder {
        client_order_id,
        status,
        venue_order_id,
    } = dialect().answered_one(body.as_bytes());
    [client_order_id, status, venue_order_id]
}

#[test]
fn an_answer_names_the_order_in_its_own_words() {
    let some = |text: &str| Some(text.to_owned());
    let whole =
        r#"{"orderId":28457,"clientOrderId":"a\u0062","status":"FILLED","fills":[{"x":1}]}"#;
    assert_eq!(answered(whole), [some("ab"), some("FILLED"), some("28457")]);
    // Longer than a float can count.
    let inside = r#"{"data":[{"id":92233720368547758079}],"new":{"status":"NEW"}}"#;
    assert_eq!(
        answered(inside),
        [None, some("NEW"), some("92233720368547758079")]
    );
    assert_eq!(
        answered(r#"{"orderId":null,"status":{},"data":[]}"#),
        [None, None, None]
    );
}

#[test]
fn an_answer_that_cannot_be_read_says_nothing() {
    for body in ["", "{", "[]", "\"orderId\"", r#"{"orderId":1,"#, "\u{1}"] {
        assert_eq!(answered(body), [None, None, None], "{body}");
    }
    assert_eq!(
        dialect().answered_one(b"{\"orderId\":\"\xff\"}"),
        AnsweredOrder::default()
    );
    // A name twice may mean two things; what came before it was read is kept out as well.
    assert_eq!(answered(r#"{"x":1,"x":2,"orderId":3}"#), [None, None, None]);
}
