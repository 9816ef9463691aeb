//! What goes upstream means what was read, and carries no signature.

use proptest::prelude::*;

use super::super::{Dialect, Outgoing};
use super::fixture::{Sent, dialect, open};

fn forwarded(dialect: &Dialect, sent: &Sent) -> Outgoing {
    assert_eq!(sent.refused(dialect), None);
    dialect.forward(sent.route(dialect).unwrap(), &sent.head(), &sent.body)
}

#[test]
fn the_signature_goes_and_everything_else_stays_where_and_as_it_was() {
    let signed = "timestamp=1";
    for (query, body, target, kept) in [
        ("timestamp=1&signature=aa", "", "/order?timestamp=1", ""),
        ("signature=aa&timestamp=1", "", "/order?timestamp=1", ""),
        ("signature=aa", "timestamp=1", "/order", "timestamp=1"),
        (
            "",
            "orderId=5&signature=aa&timestamp=1",
            "/order",
            "orderId=5&timestamp=1",
        ),
        ("timestamp=1", "signature=aa", "/order?timestamp=1", ""),
        (
            "symbol=a%2Fb&timestamp=1",
            "orderId=%31&signature=aa",
            "/order?symbol=a%2Fb&timestamp=1",
            "orderId=%31",
        ),
    ] {
        let outgoing = forwarded(&dialect(), &Sent::to("DELETE", "/order", query, body));
        assert_eq!(outgoing.target, target, "{signed}");
        assert_eq!(outgoing.body, kept.as_bytes());
        let form = (!kept.is_empty()).then_some("application/x-www-form-urlencoded");
        assert_eq!(outgoing.content_type, form);
    }
}

#[test]
fn a_signature_does_not_leave_by_an_unsigned_route_either() {
    let sent = Sent::to("GET", "/depth", "symbol=a&signature=aa", "");
    assert_eq!(forwarded(&dialect(), &sent).target, "/depth?symbol=a");
}

#[test]
fn an_open_dialect_keeps_target_and_body_as_parsed() {
    let dialect = open();
    for (query, body) in [
        ("", ""),
        ("a=1&a=1&&signature=x", "\u{1}not a form"),
        ("?=%zz", "x"),
    ] {
        let outgoing = forwarded(&dialect, &Sent::to("PUT", "//a/../b", query, body));
        let mark = if query.is_empty() { "" } else { "?" };
        assert_eq!(outgoing.target, format!("//a/../b{mark}{query}"));
        assert_eq!(
            (outgoing.body.as_slice(), outgoing.content_type),
            (body.as_bytes(), None)
        );
    }
}

proptest! {
    /// Signed again by somebody with the venue's key, the forwarded message reads as the client's did.
    #[test]
    fn what_is_forwarded_is_what_was_read(
        values in prop::collection::vec("[A-Za-z0-9.]{0,4}|%20|%E2%82%AC|a\\+b", 8),
        cut in 0usize..9,
        signed_at in 0usize..9,
    ) {
        let names = ["symbol", "side", "type", "quantity", "price", "timestamp", "recvWindow", "newClientOrderId"];
        let mut pairs: Vec<_> = names.iter().zip(&values).map(|(n, v)| format!("{n}={v}")).collect();
        pairs.insert(signed_at, "signature=aa".to_owned());
        let (query, body) = pairs.split_at(cut);
        let sent = Sent::order(&query.join("&"), &body.join("&"));
        let dialect = dialect();
        let look = |sent: &Sent| sent.read(&dialect, |reading| {
            let claim = reading.claim.unwrap();
            format!("{:?} {:?} {:?} {:?}", claim.payload, claim.stamp, reading.orders, reading.cost)
        });
        if let Ok(read) = look(&sent) {
            let outgoing = forwarded(&dialect, &sent);
            let (path, query) = outgoing.target.split_once('?').unwrap_or((&outgoing.target, ""));
            prop_assert!(!outgoing.target.contains("signature"));
            let body = String::from_utf8(outgoing.body.clone()).unwrap();
            prop_assert!(!body.contains("signature"));
            let query = if query.is_empty() { "signature=aa".to_owned() } else { format!("{query}&signature=aa") };
            prop_assert_eq!(look(&Sent::to("POST", path, &query, &body)), Ok(read));
        }
    }
}
