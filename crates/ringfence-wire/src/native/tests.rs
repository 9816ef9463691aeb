//! What is signed natively is the whole message, and it has one reading.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use ringfence_core::refusal::Code;
use ringfence_core::session::Coverage;
use ringfence_core::sign::{
    Algorithm, Encoding, HmacForm, SignatureEncodings, SigningKey, Stamp, VerifyingKey,
};

use super::WINDOW;
use crate::dialect::{Dialect, Head, Scratch};
use crate::form;

const SEED: [u8; 32] = [7; 32];
const BODY: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.01&price=30000";
const COVERED: &str = r#"("@method" "@authority" "@path" "@query" "content-digest")"#;
const PARAMETERS: &str = r#";created=1700000000;expires=1700000005;nonce="n1";keyid="alice-key""#;

fn dialect() -> Dialect {
    let text = include_str!("../../tests/data/compact.json");
    let mut written: serde_json::Value = serde_json::from_str(text).unwrap();
    written["errors"]["by_code"]["edge_*"] = serde_json::json!({"status": 400, "code": -1});
    for code in Code::ALL {
        let answer = serde_json::json!({"status": 400, "code": -1});
        written["errors"]["by_code"][code.as_str()] = answer;
    }
    Dialect::from_json(&written).unwrap()
}

/// A message, as a client sends it.
#[derive(Clone)]
struct Sent {
    method: &'static str,
    path: &'static str,
    query: String,
    body: String,
    secure: bool,
    headers: BTreeMap<&'static str, Vec<String>>,
}

fn digest(body: &str) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    format!("sha-256=:{}:", STANDARD.encode(hash))
}

fn sign(base: &str) -> String {
    let key = SigningKey::from_parts(Algorithm::Ed25519, &SEED).unwrap();
    let encodings = SignatureEncodings {
        ecdsa: None,
        ed25519: Some(Encoding::Base64),
        hmac: None,
        rsa: None,
    };
    let signed = key.sign(base.as_bytes(), encodings, HmacForm::default());
    format!("sig1=:{}:", signed.unwrap())
}

fn public() -> VerifyingKey {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
    VerifyingKey::from_parts(Algorithm::Ed25519, pair.public_key().as_ref()).unwrap()
}

/// What the order below signs, written out by hand after RFC 9421 2.5.
fn base() -> String {
    let digest = digest(BODY);
    format!(
        "\"@method\": POST\n\"@authority\": gate.example\n\"@path\": /order\n\"@query\": ?\n\
         \"content-digest\": {digest}\n\"@signature-params\": {COVERED}{PARAMETERS}"
    )
}

fn order() -> Sent {
    let one = |text: String| vec![text];
    Sent {
        method: "POST",
        path: "/order",
        query: String::new(),
        body: BODY.to_owned(),
        secure: true,
        headers: BTreeMap::from([
            ("host", one("gate.example".to_owned())),
            ("content-digest", one(digest(BODY))),
            (
                "signature-input",
                one(format!("sig1={COVERED}{PARAMETERS}")),
            ),
            ("signature", one(sign(&base()))),
        ]),
    }
}

impl Sent {
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, vec![value.to_owned()]);
        self
    }

    fn without(mut self, name: &'static str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Changes the parameters without signing anew: what is refused for its form is never verified.
    fn parameters(self, from: &str, to: &str) -> Self {
        let changed = PARAMETERS.replace(from, to);
        assert_ne!(changed, PARAMETERS);
        self.with("signature-input", &format!("sig1={COVERED}{changed}"))
    }

    /// Reads and verifies it; returns what was signed.
    fn verified(&self) -> Result<(String, Stamp), Code> {
        let dialect = dialect();
        let mut headers = HeaderMap::new();
        for (name, values) in &self.headers {
            for value in values {
                headers.append(
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                );
            }
        }
        let key = headers.get("x-mbx-apikey").map(|key| key.to_str().unwrap());
        let head = Head {
            method: self.method,
            path: self.path,
            query: &self.query,
            content_type: None,
            key,
            headers: Some(&headers),
            secure: self.secure,
            session: false,
        };
        let route = dialect
            .route(self.method, self.path)
            .ok_or(Code::RouteUnknown)?;
        let mut scratch = Scratch::default();
        let reading = dialect.read(route, &head, self.body.as_bytes(), &mut scratch);
        let reading = reading.map_err(|refusal| refusal.code)?;
        let claim = reading.claim.ok_or(Code::SignatureMissing)?;
        assert_eq!((claim.coverage, reading.window), (Coverage::Whole, WINDOW));
        if claim.key_id != "alice-key" {
            return Err(Code::CredentialUnknown);
        }
        public().verify(&claim)?;
        let payload = String::from_utf8(claim.payload.to_vec()).unwrap();
        Ok((payload, claim.stamp))
    }

    fn refused(&self) -> Option<Code> {
        self.verified().err()
    }
}

#[test]
fn what_is_signed_is_the_base_of_rfc_9421() {
    let (signed, stamp) = order().verified().unwrap();
    assert_eq!(signed, base());
    assert_eq!(
        (stamp.time_us, stamp.window_us),
        (1_700_000_000_000_000, 5_000_000)
    );
}

#[test]
fn a_message_without_a_body_needs_no_digest() {
    let covered = r#"("@method" "@authority" "@path" "@query")"#;
    let base = format!(
        "\"@method\": GET\n\"@authority\": gate.example\n\"@path\": /orders\n\
         \"@query\": ?symbol=A%20B\n\"@signature-params\": {covered}{PARAMETERS}"
    );
    let mut sent = order()
        .without("content-digest")
        .with("signature-input", &format!("sig1={covered}{PARAMETERS}"))
        .with("signature", &sign(&base));
    (sent.method, sent.path) = ("GET", "/orders");
    (sent.query, sent.body) = ("symbol=A%20B".to_owned(), String::new());
    assert_eq!(sent.verified().unwrap().0, base);
}

#[test]
fn the_authority_is_in_lower_case_and_without_its_own_port() {
    assert_eq!(order().with("host", "Gate.Example:443").refused(), None);
    assert_eq!(
        order().with("host", "gate.example:8443").refused(),
        Some(Code::SignatureInvalid)
    );
    let mut plain = order().with("host", "gate.example:80");
    plain.secure = false;
    assert_eq!(plain.refused(), None);
    // 443 is not the port of plain HTTP.
    let plain = plain.with("host", "gate.example:443");
    assert_eq!(plain.refused(), Some(Code::SignatureInvalid));
}

/// The holes of venues' schemes: each part of the message can be changed in some of them.
#[test]
fn on_another_method_path_query_host_or_body_it_is_no_signature() {
    let mut other = order();
    (other.method, other.path) = ("DELETE", "/order");
    other.body = "symbol=BTCUSDT".to_owned();
    assert_eq!(other.refused(), Some(Code::SignatureBody));
    let other = other.with("content-digest", &digest("symbol=BTCUSDT"));
    assert_eq!(other.refused(), Some(Code::SignatureInvalid));
    let mut other = order();
    other.query = "newClientOrderId=x".to_owned();
    assert_eq!(other.refused(), Some(Code::SignatureInvalid));
    let other = order().with("host", "elsewhere.example");
    assert_eq!(other.refused(), Some(Code::SignatureInvalid));
    let mut other = order();
    other.body = BODY.replace("30000", "90000");
    assert_eq!(other.refused(), Some(Code::SignatureBody));
    let other = other.clone().with("content-digest", &digest(&other.body));
    assert_eq!(other.refused(), Some(Code::SignatureInvalid));
}

#[test]
fn no_parameter_can_be_changed_behind_the_signature() {
    for (from, to) in [("1700000000", "1700000001"), ("05;", "06;"), ("n1", "n2")] {
        let changed = order().parameters(from, to);
        assert_eq!(changed.refused(), Some(Code::SignatureInvalid), "{to}");
    }
}

#[test]
fn coverage_is_the_servers_to_fix() {
    for covered in [
        "()",
        r#"("@method" "@path" "@query" "content-digest")"#,
        r#"("@authority" "@method" "@path" "@query" "content-digest")"#,
        r#"("@method" "@authority" "@path" "@query" "content-digest" "date")"#,
        r#"("@method" "@authority" "@target-uri" "@query" "content-digest")"#,
        r#"("@method" "@authority" "@path" "@query" "content-digest";sf)"#,
        r#"("@method" "@authority" "@path" "@query" "content-digest";req)"#,
        r#"("@method"  "@authority" "@path" "@query" "content-digest")"#,
        r#"( "@method" "@authority" "@path" "@query" "content-digest" )"#,
    ] {
        let sent = order().with("signature-input", &format!("sig1={covered}{PARAMETERS}"));
        assert_eq!(sent.refused(), Some(Code::SignatureCoverage), "{covered}");
    }
    // A digest that is sent and not signed.
    let covered = r#"("@method" "@authority" "@path" "@query")"#;
    let sent = order().with("signature-input", &format!("sig1={covered}{PARAMETERS}"));
    assert_eq!(sent.refused(), Some(Code::SignatureCoverage));
}

#[test]
fn parameters_are_a_closed_list_each_once() {
    for (from, to) in [
        (";created=1700000000", ""),
        (";expires=1700000005", ""),
        (r#";nonce="n1""#, ""),
        (r#";keyid="alice-key""#, ""),
        (r#""n1""#, r#""n1";nonce="n2""#),
        (r#""n1""#, r#""""#),
        (r#""n1""#, r#""n1";tag="app""#),
        (r#""n1""#, r#""n1";alg="hmac-sha256""#),
        (r#""n1""#, "n1"),
        (r#""n1""#, "1"),
        (r#";nonce="n1""#, ";nonce"),
        ("1700000000", "\"1700000000\""),
        ("1700000000", "1700000000.0"),
        ("1700000000", "01700000000"),
        ("1700000000", "-1"),
        ("1700000000", "9700000000000000"),
        ("1700000005", "1699999999"),
        ("1700000005", "999999999999999"),
    ] {
        let sent = order().parameters(from, to);
        assert_eq!(
            sent.refused(),
            Some(Code::SignatureParameter),
            "{from} {to}"
        );
    }
    let long = format!("\"{}\"", "n".repeat(129));
    let sent = order().parameters(r#""n1""#, &long);
    assert_eq!(sent.refused(), Some(Code::SignatureParameter));
}

#[test]
fn the_algorithm_may_be_named_and_the_order_of_parameters_is_free() {
    let parameters =
        r#";keyid="alice-key";alg="ed25519";expires=1700000005;created=1700000000;nonce="!""#;
    let input = format!("sig1={COVERED}{parameters}");
    let base = base().replace(PARAMETERS, parameters);
    let sent = order()
        .with("signature-input", &input)
        .with("signature", &sign(&base));
    assert_eq!(sent.refused(), None);
}

#[test]
fn there_is_exactly_one_signature() {
    let input = format!("sig1={COVERED}{PARAMETERS}");
    let signature = sign(&base());
    for (name, value) in [
        (
            "signature-input",
            format!("{input}, sig2={COVERED}{PARAMETERS}"),
        ),
        ("signature-input", format!("{input},")),
        ("signature-input", format!("Sig1={COVERED}{PARAMETERS}")),
        ("signature-input", COVERED.to_owned()),
        ("signature-input", String::new()),
        ("signature", format!("{signature}, sig2=:AAAA:")),
        ("signature", signature.replace("sig1", "sig2")),
        ("signature", signature.replace("sig1=", "")),
        ("signature", format!("{signature};a=1")),
        ("signature", signature.replace(':', "\"")),
        ("signature", String::new()),
    ] {
        let sent = order().with(name, &value);
        assert_eq!(
            sent.refused(),
            Some(Code::SignatureField),
            "{name}: {value}"
        );
    }
    for name in ["signature-input", "signature", "content-digest", "host"] {
        let mut sent = order();
        let values = sent.headers.get_mut(name).unwrap();
        values.push(values[0].clone());
        assert_eq!(sent.refused(), Some(Code::SignatureField), "{name}");
    }
    assert_eq!(
        order().without("signature").refused(),
        Some(Code::SignatureField)
    );
    let sent = order().with("signature", "sig1=:!:");
    assert_eq!(sent.refused(), Some(Code::SignatureField));
    let sent = order().with("signature", "sig1=:AAA:");
    assert_eq!(sent.refused(), Some(Code::SignatureMalformed));
}

#[test]
fn a_body_needs_a_digest_that_is_known() {
    let covered = r#"("@method" "@authority" "@path" "@query")"#;
    let sent = order()
        .without("content-digest")
        .with("signature-input", &format!("sig1={covered}{PARAMETERS}"));
    assert_eq!(sent.refused(), Some(Code::SignatureDigest));
    assert_eq!(
        order().without("content-digest").refused(),
        Some(Code::SignatureDigest)
    );
    let good = digest(BODY);
    for wrong in [
        "md5=:AAAA:".to_owned(),
        format!("{good}, md5=:AAAA:"),
        format!("{good}, {good}"),
        format!("{good};a=1"),
        format!("{good},"),
        "sha-256=:AAAA:".to_owned(),
        "sha-256=:A:".to_owned(),
        "sha-256".to_owned(),
        good.replace(':', "\""),
        good.replace("sha-256", "sha-512"),
        good.replace("sha-256", "SHA-256"),
        String::new(),
    ] {
        let sent = order().with("content-digest", &wrong);
        assert_eq!(sent.refused(), Some(Code::SignatureDigest), "{wrong}");
    }
}

#[test]
fn both_digests_are_held_against_the_body() {
    let hash = |body: &str| {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, body.as_bytes());
        format!("sha-512=:{}:", STANDARD.encode(hash))
    };
    let with = |digests: &str| {
        let base = base().replace(&digest(BODY), digests);
        order()
            .with("content-digest", digests)
            .with("signature", &sign(&base))
    };
    assert_eq!(with(&hash(BODY)).refused(), None);
    assert_eq!(
        with(&format!("{}, {}", digest(BODY), hash(BODY))).refused(),
        None
    );
    let half = format!("{}, {}", digest(BODY), hash("another"));
    assert_eq!(with(&half).refused(), Some(Code::SignatureBody));
}

#[test]
fn nothing_of_the_venues_scheme_stands_beside_it() {
    for name in ["signature", "timestamp", "recvWindow"] {
        let mut sent = order();
        sent.query = format!("{name}=1");
        assert_eq!(sent.refused(), Some(Code::SignatureTwofold), "{name}");
        let mut sent = order();
        sent.body = format!("{BODY}&{name}=1");
        assert_eq!(sent.refused(), Some(Code::SignatureTwofold), "{name}");
    }
    let sent = order().with("x-mbx-apikey", "key");
    assert_eq!(sent.refused(), Some(Code::SignatureTwofold));
}

#[test]
fn what_a_route_takes_is_held_against_a_native_message_too() {
    let mut sent = order();
    sent.query = "foreign=1".to_owned();
    assert_eq!(sent.refused(), Some(Code::FormParameterUnknown));
    let mut sent = order();
    sent.query = "symbol=ETHUSDT".to_owned();
    assert_eq!(sent.refused(), Some(Code::FormDuplicate));
}

/// Exhaustive in a small world: each byte of each field, left out, doubled, or one of those that mean something.
#[test]
fn no_byte_of_a_field_can_be_another() {
    for name in ["signature-input", "signature", "content-digest", "host"] {
        let right = order().headers[name][0].clone();
        for at in 0..right.len() {
            let (before, rest) = right.split_at(at);
            let (byte, after) = rest.split_at(1);
            let others = [
                "", "\"", " ", ";", "=", ",", ":", "(", "0", "1", "a", "A", "\t",
            ];
            for other in others.into_iter().chain([format!("{byte}{byte}").as_str()]) {
                let changed = format!("{before}{other}{after}");
                // A host has no case; its port and what HTTP trims are not looked at here.
                let same =
                    changed == right || (name == "host" && changed.eq_ignore_ascii_case(&right));
                if !same {
                    let sent = order().with(name, &changed);
                    assert!(sent.refused().is_some(), "{name}: {changed}");
                }
            }
        }
    }
}

/// A key may sign in both ways: what it signs in one must not be a message in the other.
#[test]
fn a_signature_base_is_no_form() {
    assert!(form::pairs(&base(), None).any(|pair| pair.is_err()));
}
