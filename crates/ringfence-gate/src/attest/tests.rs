//! An attestation binds account and request; whoever lacks the key cannot make or move one.
#![allow(clippy::unwrap_used)]

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{Attested, Attestor};
use crate::snapshot::{AttestationAlgorithm, AttestationConfig};

fn attestor(algorithm: AttestationAlgorithm, key: &str) -> Result<Attestor, crate::GateError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("attestation.key");
    std::fs::write(&path, key).unwrap();
    Attestor::open(&AttestationConfig {
        algorithm,
        key: path,
        issuer: "gw\"1".into(),
    })
}

fn attest(attestor: &Attestor) -> String {
    let token = attestor.attest(&Attested {
        account: Some("ali\"ce"),
        credential: Some("key"),
        operation: "order.place",
        message: "boot-1",
        method: "POST",
        target: "/api/v3/order?a=\"b\"",
        body: b"quantity=1",
        now_us: 1_700_000_000_999_999,
    });
    String::from_utf8(token).unwrap()
}

fn claims(token: &str) -> serde_json::Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[test]
fn hs256_verifies_with_the_shared_key_and_says_what_was_asked() {
    let mut secret = [0; 32];
    rand::fill(&mut secret).unwrap();
    let token = attest(&attestor(AttestationAlgorithm::Hs256, &STANDARD.encode(secret)).unwrap());
    let (signed, mac) = token.rsplit_once('.').unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    hmac::verify(
        &key,
        signed.as_bytes(),
        &URL_SAFE_NO_PAD.decode(mac).unwrap(),
    )
    .unwrap();
    let claims = claims(&token);
    assert_eq!(claims["iss"], "gw\"1");
    assert_eq!(claims["sub"], "ali\"ce");
    assert_eq!(claims["htu"], "/api/v3/order?a=\"b\"");
    assert_eq!(claims["iat"], 1_700_000_000);
    assert_eq!(claims["exp"], 1_700_000_030);
    // printf 'quantity=1' | sha256sum, in base64url
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"quantity=1");
    assert_eq!(claims["bsha"], URL_SAFE_NO_PAD.encode(digest));
}

#[test]
fn eddsa_verifies_with_the_public_key() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let der = pair.to_pkcs8().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let token = attest(&attestor(AttestationAlgorithm::EdDsa, &pem).unwrap());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref())
        .verify(
            signed.as_bytes(),
            &URL_SAFE_NO_PAD.decode(signature).unwrap(),
        )
        .unwrap();
}

#[test]
fn a_short_or_unreadable_key_is_refused() {
    for (key, what) in [
        (STANDARD.encode([1; 31]), "32 bytes"),
        ("no base64!".into(), "base64"),
    ] {
        let Err(refusal) = attestor(AttestationAlgorithm::Hs256, &key) else {
            unreachable!("{what} was taken")
        };
        assert!(refusal.to_string().contains(what), "{refusal}");
    }
}
