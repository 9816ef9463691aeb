//! How much of an order is filled is read where each shipped dialect's venue says it, and nowhere else.

use ringfence_core::decimal::Decimal;
use ringfence_core::placed::Told;

use crate::dialect::{Dialect, ToldFill};

macro_rules! shipped {
    ($name:literal) => {
        include_str!(concat!(
            "../../../../../src/ringfence/dialects/",
            $name,
            ".yaml"
        ))
    };
}

fn dialect(yaml: &str) -> Dialect {
    let written: serde_json::Value = serde_norway::from_str(yaml).unwrap();
    Dialect::from_json(&written).unwrap()
}

fn fill(id: &str, filled: &str, last: Option<(&str, u64)>) -> ToldFill {
    let number = |text| Decimal::parse(text).unwrap();
    ToldFill {
        venue_order_id: id.into(),
        told: Told {
            filled: number(filled),
            last: last.map(|(last, at_ms)| (number(last), at_ms)),
        },
    }
}

/// A message as the venue's documentation has it, and what it says.
type Pushed = (&'static str, &'static str, Vec<ToldFill>);

fn pushed() -> Vec<Pushed> {
    let (binance, usdm) = (shipped!("binance"), shipped!("binance-usdm"));
    let traded = r#"{"e":"executionReport","E":1,"s":"ETHBTC","i":4293153,"x":"TRADE","l":"0.50000000","z":"0.50000000","T":1499405658657}"#;
    let gone = r#"{"e":"executionReport","s":"ETHBTC","i":4293153,"x":"CANCELED","l":"0.00000000","z":"0.50000000","T":1499405658999}"#;
    let first = || vec![fill("4293153", "0.5", Some(("0.5", 1_499_405_658_657)))];
    vec![
        (binance, traded, first()),
        (binance, gone, vec![fill("4293153", "0.5", None)]),
        (
            binance,
            r#"{"stream":"a","data":{"e":"executionReport","i":4293153,"l":"0.5","z":"0.5","T":1499405658657}}"#,
            first(),
        ),
        (
            binance,
            r#"{"subscriptionId":0,"event":{"e":"executionReport","i":4293153,"l":"0.5","z":"0.5","T":1499405658657}}"#,
            first(),
        ),
        (
            binance,
            r#"{"e":"executionReport","i":7,"l":"0.0","z":"0.00000000","T":1}"#,
            vec![],
        ),
        (
            binance,
            r#"{"e":"trade","i":4293153,"l":"0.5","z":"0.5","T":1}"#,
            vec![],
        ),
        (binance, r#"{"e":"executionReport","i":7,"z":"0.5""#, vec![]),
        (
            usdm,
            r#"{"e":"ORDER_TRADE_UPDATE","E":1,"T":2,"o":{"s":"BTCUSDT","i":8886774,"l":"1","z":"3","T":1568879465650}}"#,
            vec![fill("8886774", "3", Some(("1", 1_568_879_465_650)))],
        ),
        (
            shipped!("bybit"),
            r#"{"topic":"order","data":[{"orderId":"5cf98598","cumExecQty":"1"},{"orderId":"b","cumExecQty":"0"},{"orderId":"c","cumExecQty":"2.5"}]}"#,
            vec![fill("5cf98598", "1", None), fill("c", "2.5", None)],
        ),
        (
            shipped!("okx"),
            r#"{"arg":{"channel":"orders","instType":"ANY","uid":"1"},"data":[{"ordId":"312269865356374016","accFillSz":"0.323","fillSz":"0.3","fillTime":"1597026383085"}]}"#,
            vec![fill(
                "312269865356374016",
                "0.323",
                Some(("0.3", 1_597_026_383_085)),
            )],
        ),
        (
            shipped!("kraken"),
            r#"{"channel":"executions","type":"update","data":[{"order_id":"O5RCAD-MFWPG-CL4HUF","exec_type":"trade","cum_qty":0.25,"last_qty":0.25,"timestamp":"2023-09-22T10:33:05.709Z"}]}"#,
            vec![fill(
                "O5RCAD-MFWPG-CL4HUF",
                "0.25",
                Some(("0.25", 1_695_378_785_709)),
            )],
        ),
        (
            shipped!("deribit"),
            r#"{"jsonrpc":"2.0","method":"subscription","params":{"channel":"user.changes.any.any.raw","data":{"orders":[{"order_id":"ETH-1","filled_amount":2.0}],"trades":[]}}}"#,
            vec![fill("ETH-1", "2", None)],
        ),
        (
            shipped!("kucoin"),
            r#"{"topic":"/spotMarket/tradeOrdersV2","subject":"orderChange","data":{"orderId":"5c35","type":"match","filledSize":"0.1","matchSize":"0.1","ts":1670329987311000000}}"#,
            vec![fill("5c35", "0.1", Some(("0.1", 1_670_329_987_311)))],
        ),
    ]
}

#[test]
fn what_each_venue_pushes_is_read_as_it_documents_it() {
    for (yaml, text, expected) in pushed() {
        let dialect = dialect(yaml);
        assert_eq!(dialect.fills_pushed(text), expected, "{text}");
    }
}

#[test]
fn what_each_venue_answers_is_read_as_it_documents_it() {
    let answers = [
        (
            shipped!("binance"),
            r#"{"symbol":"BTCUSDT","orderId":28,"executedQty":"10.00000000","status":"FILLED","fills":[{"qty":"1","tradeId":56}]}"#,
            vec![fill("28", "10", None)],
        ),
        (
            shipped!("binance"),
            r#"[{"orderId":1,"executedQty":"0.1"},{"orderId":2,"executedQty":"0.0"},{"orderId":3,"executedQty":"0.3"}]"#,
            vec![fill("1", "0.1", None), fill("3", "0.3", None)],
        ),
        (
            shipped!("binance"),
            r#"{"cancelResult":"SUCCESS","cancelResponse":{"orderId":9,"executedQty":"0.2"},"newOrderResponse":{"orderId":10,"executedQty":"0.1"}}"#,
            vec![fill("10", "0.1", None), fill("9", "0.2", None)],
        ),
        (
            shipped!("bybit"),
            r#"{"retCode":0,"result":{"list":[{"orderId":"fd4300ae","cumExecQty":"0.01"}]}}"#,
            vec![fill("fd4300ae", "0.01", None)],
        ),
        (
            shipped!("okx"),
            r#"{"code":"0","data":[{"ordId":"680800019749904384","accFillSz":"0.00192834"}]}"#,
            vec![fill("680800019749904384", "0.00192834", None)],
        ),
        (
            shipped!("deribit"),
            r#"{"result":{"trades":[],"order":{"order_id":"ETH-2","filled_amount":40}}}"#,
            vec![fill("ETH-2", "40", None)],
        ),
        (
            shipped!("kucoin"),
            r#"{"code":"200000","data":{"items":[{"id":"5c35","dealSize":"0.166"}]}}"#,
            vec![fill("5c35", "0.166", None)],
        ),
    ];
    for (yaml, body, expected) in answers {
        assert_eq!(
            dialect(yaml).fills_answered(body.as_bytes()),
            expected,
            "{body}"
        );
    }
    assert_eq!(dialect(shipped!("binance")).fills_answered(b"\xff"), []);
}

#[test]
fn when_a_fill_was_is_said_with_how_much_it_was_or_not_at_all() {
    let yaml = shipped!("binance").replace("last: l, at: T", "at: T");
    let written: serde_json::Value = serde_norway::from_str(&yaml).unwrap();
    let error = Dialect::from_json(&written).unwrap_err();
    let said = "fills.pushed[0].at: `last` and `at` say together how much was filled, and when";
    assert_eq!(error.to_string(), said);
}
