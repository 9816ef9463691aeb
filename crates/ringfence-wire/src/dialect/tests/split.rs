//! Binance signs query and body with nothing between: no other cut of the same text may be taken for the message.

use ringfence_core::refusal::Code;

use super::fixture::{Sent, dialect, hmac_hex, hmac_key};

const SECRET: &[u8] = b"made up for this test only";

/// Every way to cut the signed text in two, with the signature in either part and at either end of it.
fn recut(text: &str, signature: &str) -> impl Iterator<Item = Sent> {
    let signature = format!("signature={signature}");
    let join = |a: &str, b: &str| {
        [a, b]
            .into_iter()
            .filter(|s| !s.is_empty())
            .collect::<Vec<_>>()
            .join("&")
    };
    (0..=text.len()).flat_map(move |at| {
        let (query, body) = text.split_at(at);
        [
            Sent::order(&join(query, &signature), body),
            Sent::order(&join(&signature, query), body),
            Sent::order(query, &join(body, &signature)),
            Sent::order(query, &join(&signature, body)),
        ]
    })
}

#[test]
fn a_mixed_message_is_not_taken_with_another_cut() {
    let dialect = dialect();
    let pairs = [
        "symbol=LTCBTC",
        "side=BUY",
        "type=LIMIT",
        "timeInForce=GTC",
        "quantity=1",
        "price=0.1",
        "timestamp=1499827319559",
    ];
    for mixed_at in 0..=pairs.len() {
        let (query, body) = pairs.split_at(mixed_at);
        let text = format!("{}{}", query.join("&"), body.join("&"));
        let signature = hmac_hex(SECRET, &text);
        let signed = format!("{}&signature={signature}", body.join("&"));
        let original = Sent::order(&query.join("&"), signed.trim_start_matches('&'));
        let meaning = original.verified(&dialect, &hmac_key(SECRET)).unwrap();
        let mut accepted = 0;
        for sent in recut(&text, &signature) {
            match sent.verified(&dialect, &hmac_key(SECRET)) {
                Ok(other) => {
                    accepted += 1;
                    assert_eq!(other, meaning, "{sent:?}");
                }
                Err(code) => assert!(
                    matches!(
                        code,
                        Code::FormMalformed | Code::FormParameterUnknown | Code::SignatureInvalid
                    ),
                    "{code:?} {sent:?}"
                ),
            }
        }
        // The signature's pair may stand in four places, or more when everything is in one part.
        assert!((4..=8).contains(&accepted), "{accepted} at {mixed_at}");
    }
}
