//! Requests captured from unmodified clients verify, and no other request does with their signatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfence_core::sign::{Algorithm, VerifyingKey};
use serde_json::Value;

use super::super::Dialect;
use super::fixture::{Sent, hmac_key, written};

const SUITE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/suites/dialects/vectors.json"
);

struct Captured {
    name: String,
    sent: Sent,
    key: VerifyingKey,
}

/// Returns the captured spot requests; none, with the reason on stderr, when the suite's folder is absent.
fn captured() -> Vec<Captured> {
    let Ok(text) = std::fs::read_to_string(SUITE) else {
        eprintln!("skipped: the suite's folder is absent ({SUITE})");
        return Vec::new();
    };
    let suite: Value = serde_json::from_str(&text).unwrap();
    let requests = suite["requests"].as_array().unwrap().iter();
    let spot = requests.filter(|request| {
        let raw = request["raw"].as_str().unwrap();
        request["dialect"].as_str().unwrap().starts_with("binance") && raw.contains(" /api/v3/")
    });
    let all: Vec<_> = spot
        .map(|request| Captured {
            name: format!("{} {}", request["client"], request["case"]),
            sent: parse(request["raw"].as_str().unwrap()),
            key: key(&suite, request),
        })
        .collect();
    assert!(
        all.len() >= 11,
        "the suite has lost requests: {}",
        all.len()
    );
    all
}

fn key(suite: &Value, request: &Value) -> VerifyingKey {
    let der = |name: &str| {
        let pem = suite["public_keys"][name].as_str().unwrap();
        let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        STANDARD.decode(lines).unwrap()
    };
    match request["dialect"].as_str().unwrap() {
        // SubjectPublicKeyInfo of an Ed25519 key ends in the key (RFC 8410 4).
        "binance-ed25519" => VerifyingKey::from_parts(Algorithm::Ed25519, &der("ed25519")[12..]),
        "binance-rsa" => VerifyingKey::from_parts(Algorithm::RsaPkcs1Sha256, &der("rsa")),
        _ => {
            let secret = suite["secrets"][request["secret"].as_str().unwrap()].as_str();
            VerifyingKey::from_parts(Algorithm::HmacSha256, secret.unwrap().as_bytes())
        }
    }
    .unwrap()
}

fn parse(raw: &str) -> Sent {
    let raw = raw.replace("\r\n", "\n");
    let (head, body) = raw.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let mut words = lines.next().unwrap().split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let field = |wanted: &str| {
        let mut pairs = head.lines().filter_map(|line| line.split_once(": "));
        let found = pairs.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.to_owned())
    };
    Sent {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        content_type: field("content-type"),
        key: field("x-mbx-apikey"),
        body: body.trim_end_matches('\n').into(),
    }
}

/// The compact dialect with its routes at Binance's paths.
fn dialect() -> Dialect {
    let mut written = written();
    for (index, path) in ["order", "order", "openOrders"].into_iter().enumerate() {
        written["routes"][index]["path"] = format!("/api/v3/{path}").into();
    }
    let mut account = written["routes"][2].clone();
    account["path"] = "/api/v3/account".into();
    written["routes"].as_array_mut().unwrap().push(account);
    Dialect::from_json(&written).unwrap()
}

#[test]
fn every_captured_request_verifies_and_with_a_wrong_secret_none() {
    let dialect = dialect();
    for Captured { name, sent, key } in captured() {
        assert!(sent.verified(&dialect, &key).is_ok(), "{name}: {sent:?}");
        let other = hmac_key(b"not the secret of any of them");
        assert!(sent.verified(&dialect, &other).is_err(), "{name}");
    }
}

/// Flips every bit of query and body: whatever still verifies must mean the same. (Hexadecimal digits of a signature
/// and of an escape in it may change case.)
#[test]
fn no_flipped_bit_is_taken_with_another_meaning() {
    let dialect = dialect();
    for Captured { name, sent, key } in captured() {
        let meaning = sent.verified(&dialect, &key).unwrap();
        let taken = |changed: &Sent| {
            if let Ok(other) = changed.verified(&dialect, &key) {
                assert_eq!(other, meaning, "{name}: {changed:?}");
            }
        };
        for bit in 0..sent.query.len() * 8 {
            let mut query = sent.query.clone().into_bytes();
            query[bit / 8] ^= 1 << (bit % 8);
            if let Ok(query) = String::from_utf8(query) {
                taken(&Sent {
                    query,
                    ..sent.clone()
                });
            }
        }
        for bit in 0..sent.body.len() * 8 {
            let mut changed = sent.clone();
            changed.body[bit / 8] ^= 1 << (bit % 8);
            taken(&changed);
        }
    }
}

/// Inserting, dropping or doubling a byte of an HMAC request leaves nothing that verifies with another meaning.
#[test]
fn no_inserted_or_dropped_byte_is_taken_with_another_meaning() {
    let dialect = dialect();
    for Captured { name, sent, key } in captured()
        .into_iter()
        .filter(|c| c.key.algorithm() == Algorithm::HmacSha256)
    {
        let meaning = sent.verified(&dialect, &key).unwrap();
        for at in 0..sent.body.len() {
            for edit in 0..5 {
                let mut changed = sent.clone();
                match edit {
                    0 => drop(changed.body.remove(at)),
                    1 => changed.body.insert(at, sent.body[at]),
                    2 => changed.body.insert(at, b'&'),
                    3 => changed.body.insert(at, b'='),
                    _ => changed.body.insert(at, b'%'),
                }
                if let Ok(other) = changed.verified(&dialect, &key) {
                    assert_eq!(other, meaning, "{name}: {changed:?}");
                }
            }
        }
    }
}
