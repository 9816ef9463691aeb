//! Signed requests and frames that were captured from unmodified clients.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfence_core::sign::{Algorithm, VerifyingKey};
use serde_json::Value;

use super::Sent;

const SUITE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/suites/dialects/vectors.json"
);
/// What the suite calls a dialect, and our name. What needs code is held to its vectors where that code is.
const DIALECTS: [(&str, &str); 27] = [
    ("binance", "binance"),
    ("binance-ed25519", "binance"),
    ("binance-rsa", "binance"),
    ("bitfinex", "bitfinex"),
    ("bitget", "bitget"),
    ("bybit-v5", "bybit"),
    ("cb-exchange", "coinbase-exchange"),
    ("coinbase-ed25519", "coinbase"),
    ("coinbase-es256", "coinbase"),
    ("deribit", "deribit"),
    ("gate", "gate"),
    ("htx", "htx"),
    ("kraken", "kraken"),
    ("krakenfutures", "kraken-futures"),
    ("kucoin", "kucoin"),
    ("mexc-contract", "mexc-contract"),
    ("mexc-spot", "mexc"),
    ("okx-v5", "okx"),
    ("ws-binance", "binance"),
    ("ws-bitfinex", "bitfinex"),
    ("ws-bitget", "bitget"),
    ("ws-bybit", "bybit"),
    ("ws-gate-api", "gate"),
    ("ws-gate-sub", "gate"),
    ("ws-krakenfutures", "kraken-futures"),
    ("ws-mexc-contract", "mexc-contract"),
    ("ws-okx", "okx"),
];

/// A captured message, and whose it is.
pub(crate) struct Captured<M> {
    pub(crate) name: String,
    pub(crate) dialect: &'static str,
    pub(crate) key: Box<dyn Fn() -> VerifyingKey>,
    pub(crate) message: M,
}

/// Returns the captured requests that may carry a signature; none, with the reason on stderr, where the suite is absent.
pub(crate) fn requests() -> Vec<Captured<Sent>> {
    of("requests", "raw", parse)
}

/// Returns the captured WebSocket messages.
pub(crate) fn frames() -> Vec<Captured<String>> {
    of("ws", "frame", str::to_owned)
}

fn of<M>(part: &str, text: &str, read: fn(&str) -> M) -> Vec<Captured<M>> {
    let Ok(suite) = std::fs::read_to_string(SUITE) else {
        eprintln!("skipped: the suite's folder is absent ({SUITE})");
        return Vec::new();
    };
    let suite: Value = serde_json::from_str(&suite).unwrap();
    let entries = suite[part].as_array().unwrap().iter().enumerate();
    let known = entries.filter_map(|(index, entry)| {
        let raw = entry[text].as_str().unwrap();
        let dialect = dialect(entry["dialect"].as_str().unwrap(), raw)?;
        Some(Captured {
            name: format!("{index} {} {}", entry["client"], entry["case"]),
            dialect,
            key: key(&suite, entry)?,
            message: read(raw),
        })
    });
    known.collect()
}

fn dialect(called: &str, raw: &str) -> Option<&'static str> {
    if raw.contains(" /fapi/") {
        return Some("binance-usdm");
    }
    let found = DIALECTS.iter().find(|(theirs, _)| *theirs == called);
    found.map(|(_, ours)| *ours)
}

/// Returns none for a published secret that is too short to be taken.
fn key(suite: &Value, entry: &Value) -> Option<Box<dyn Fn() -> VerifyingKey>> {
    let public = |name: &str| {
        let pem = suite["public_keys"][name].as_str().unwrap();
        let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        STANDARD.decode(lines).unwrap()
    };
    let (algorithm, material) = match entry["dialect"].as_str().unwrap() {
        // SubjectPublicKeyInfo of an Ed25519 key ends in the key (RFC 8410 4).
        "binance-ed25519" | "coinbase-ed25519" => {
            (Algorithm::Ed25519, public("ed25519")[12..].to_vec())
        }
        // That of a P-256 key in its uncompressed point (RFC 5480 2.2).
        "coinbase-es256" => (Algorithm::EcdsaP256Sha256, public("es256")[26..].to_vec()),
        "binance-rsa" => (Algorithm::RsaPkcs1Sha256, public("rsa")),
        _ => {
            let secret = suite["secrets"][entry["secret"].as_str().unwrap()].as_str();
            (Algorithm::HmacSha256, secret.unwrap().as_bytes().to_vec())
        }
    };
    VerifyingKey::from_parts(algorithm, &material).ok()?;
    Some(Box::new(move || {
        VerifyingKey::from_parts(algorithm, &material).unwrap()
    }))
}

fn parse(raw: &str) -> Sent {
    let raw = raw.replace("\r\n", "\n");
    let (head, body) = raw.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let mut words = lines.next().unwrap().split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let fields = lines.filter_map(|line| line.split_once(": "));
    Sent {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: fields
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: body.trim_end_matches('\n').to_owned(),
    }
}
