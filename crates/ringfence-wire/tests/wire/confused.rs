//! A signature that was made for a request is no logon on a channel, and the other way round.

use crate::shipped::attempt::{KEY_ID, NOW_US, sign};
use crate::shipped::channel::hear;
use crate::shipped::{Sent, core, dialects};
use aws_lc_rs::hmac;
use ringfence_core::mode::Mode;
use ringfence_core::refusal::Code;
use ringfence_core::sign::{Algorithm, SigningKey, VerifyingKey};
use serde_json::json;

const SECRET: &[u8] = b"made up for this test, of some length";

/// Deribit signs `time, nonce, data` in a logon and `time, nonce, method, target, body` in a request, line by line.
fn logon(nonce: &str, data: &str, signature: &str) -> Result<(), Code> {
    let dialect = &dialects()["deribit"];
    let key = VerifyingKey::from_parts(Algorithm::HmacSha256, SECRET).unwrap();
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "public/auth",
        "params": {
            "grant_type": "client_signature", "client_id": KEY_ID, "timestamp": NOW_US / 1000,
            "nonce": nonce, "data": data, "signature": signature,
        },
    });
    let core = core(KEY_ID, key, Mode::Enforce);
    let heard = hear(dialect, &core, &message.to_string(), Some(NOW_US));
    heard.map(drop).map_err(|(code, _)| code)
}

fn hex(text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let tag = hmac::sign(&key, text.as_bytes());
    tag.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn a_logon_signed_as_one_is_taken() {
    let signed = format!("{}\nn\nd", NOW_US / 1000);
    assert_eq!(logon("n", "d", &hex(&signed)), Ok(()));
}

#[test]
fn a_signature_made_for_a_request_is_no_logon() {
    let dialect = &dialects()["deribit"];
    let key = SigningKey::from_parts(Algorithm::HmacSha256, SECRET).unwrap();
    let path = "/api/v2/private/get_account_summary".to_owned();
    let draft = Sent {
        method: "GET".to_owned(),
        path: path.clone(),
        query: "currency=BTC".to_owned(),
        ..Sent::default()
    };
    let sent = sign(dialect, &key, &draft).unwrap();
    let field = sent.header("authorization").unwrap();
    let part = |name: &str| {
        let mut parts = field.split([' ', ',']);
        let found = parts.find_map(|part| part.strip_prefix(name));
        found.unwrap().to_owned()
    };
    let (nonce, signature) = (part("nonce="), part("sig="));
    let request = format!("GET\n{path}?currency=BTC\n\n");
    assert_eq!(
        logon(&nonce, &request, &signature),
        Err(Code::FormMalformed)
    );
    // Nor where the border between the two stands elsewhere.
    let (nonce, data) = (format!("{nonce}\nGET"), &request[4..]);
    assert_eq!(logon(&nonce, data, &signature), Err(Code::FormMalformed));
}
