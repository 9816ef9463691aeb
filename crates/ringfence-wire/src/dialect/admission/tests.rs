#![allow(clippy::unwrap_used)]

use super::{Admission, VenueAdmission};
use crate::dialect::definition::AdmissionDefinition;

fn admission() -> Admission {
    let written: AdmissionDefinition = serde_json::from_value(serde_json::json!({
        "path": "/ws", "token": "token", "id": "name", "beside": ["more"], "over": "{\"id\":{id}}",
        "venue": {"token": "data.token", "endpoint": "data.at.0", "hosts": ["ws.venue.example", "*.push.venue.example"]},
    }))
    .unwrap();
    Admission::compile(&written, "opens").unwrap()
}

fn venue(admission: &Admission) -> &VenueAdmission {
    admission.venue.as_ref().unwrap()
}

fn answer(endpoint: &str) -> String {
    serde_json::json!({"data": {"token": "a+b/c=", "at": [endpoint]}}).to_string()
}

#[test]
fn a_handshake_shows_its_token_and_goes_on_without_it() {
    let admission = admission();
    let query = "name=me%20too&token=abc&more=1";
    assert_eq!(admission.token(query), Some("abc"));
    assert_eq!(admission.token("tokens=abc"), None);
    let mut rest = String::new();
    admission.without_token(query, &mut rest);
    assert_eq!(rest, "name=me%20too&more=1");
    let over = |query| admission.over(&admission.heading(query, "gw-1")).unwrap();
    assert_eq!(over(query), r#"{"id":"me too"}"#);
    assert_eq!(over("token=abc"), r#"{"id":"gw-1"}"#);
    // What cannot be read, or would be repeated at length, is not repeated.
    assert_eq!(over("name=%ff"), r#"{"id":"gw-1"}"#);
    assert_eq!(
        over(&format!("name={}", "x".repeat(65))),
        r#"{"id":"gw-1"}"#
    );
}

#[test]
fn the_venue_s_way_is_an_address_for_a_websocket_and_its_token_is_escaped() {
    let admission = admission();
    let way = |endpoint: &str| venue(&admission).way(&answer(endpoint), "gw-1");
    let found = way("wss://ws.venue.example:8443/end/point").unwrap();
    assert_eq!(found.target, "/end/point?token=a%2Bb%2Fc%3D&name=gw-1");
    assert_eq!(
        (&*found.authority, found.port),
        ("ws.venue.example:8443", Some(8443))
    );
    assert!(found.secure);
    for wrong in [
        "http://a.example/",
        "a.example",
        "wss://a@b.example/",
        "wss://a.example/?b=c",
        "",
    ] {
        assert_eq!(way(wrong), None, "{wrong}");
    }
    for wrong in [
        "",
        "{}",
        r#"{"data":{"token":"","at":["wss://a.example/"]}}"#,
        r#"{"data":{"token":1,"at":["wss://a.example/"]}}"#,
    ] {
        assert_eq!(venue(&admission).way(wrong, "gw-1"), None, "{wrong}");
    }
}

#[test]
fn the_venue_s_hosts_are_those_that_are_listed_by_tls() {
    let admission = admission();
    let may = |endpoint: &str| {
        let way = venue(&admission).way(&answer(endpoint), "gw-1").unwrap();
        venue(&admission).may_be(&way)
    };
    assert!(may("wss://ws.venue.example/") && may("wss://WS.venue.example:9443/"));
    assert!(may("wss://a.push.venue.example/"));
    for elsewhere in [
        "ws://ws.venue.example/",
        "wss://venue.example/",
        "wss://push.venue.example/",
        "wss://a.b.push.venue.example/",
        "wss://.push.venue.example/",
        "wss://ws.venue.example.evil.example/",
        "wss://127.0.0.1/",
    ] {
        assert!(!may(elsewhere), "{elsewhere}");
    }
}
