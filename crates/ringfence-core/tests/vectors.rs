//! Others' vectors: Wycheproof and CCTV say which signatures fit, captures what clients send.
//!
//! The suites lie beside the repository; where they do not, these tests say so and prove nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfence_core::refusal::Code;
use ringfence_core::session::Coverage;
use ringfence_core::sign::{
    Address, Algorithm, Claim, Digest, EcdsaForm, Encoding, HmacForm, KeyError, Recovered,
    SignatureEncodings, Stamp, VerifyingKey, keccak256,
};
use serde_json::Value;

const BINANCE: SignatureEncodings = SignatureEncodings {
    ecdsa: Some((Encoding::Base64, EcdsaForm::Der)),
    ed25519: Some(Encoding::Base64),
    hmac: Some(Encoding::Hex),
    rsa: Some(Encoding::Base64),
};

fn suite(path: &str) -> Option<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/suites");
    let Ok(text) = std::fs::read_to_string(root.join(path)) else {
        eprintln!("skipped: the suites are not beside the repository ({path})");
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn fits(key: &VerifyingKey, payload: &[u8], signature: &str) -> bool {
    fits_as(key, payload, signature, BINANCE)
}

fn fits_as(
    key: &VerifyingKey,
    payload: &[u8],
    signature: &str,
    encodings: SignatureEncodings,
) -> bool {
    let claim = Claim {
        key_id: "k",
        payload,
        signature: signature.as_bytes(),
        otherwise: None,
        hmac: HmacForm::default(),
        encodings,
        coverage: Coverage::Venue,
        recovered: None,
        stamp: Stamp {
            time_us: 0,
            window_us: 0,
        },
    };
    match key.verify(&claim) {
        Ok(_) => true,
        Err(code) => {
            let expected = [Code::SignatureInvalid, Code::SignatureMalformed];
            assert!(expected.contains(&code));
            false
        }
    }
}

fn wycheproof(file: &str, key_field: &[&str], algorithm: Algorithm) {
    let Some(suite) = suite(&format!("crypto/wycheproof/{file}")) else {
        return;
    };
    let mut judged = 0;
    for group in list(&suite["testGroups"]) {
        let material = key_field.iter().fold(group, |value, name| &value[*name]);
        let key = VerifyingKey::from_parts(algorithm, &unhex(material)).unwrap();
        for test in list(&group["tests"]) {
            let signature = STANDARD.encode(unhex(&test["sig"]));
            let fits = fits(&key, &unhex(&test["msg"]), &signature);
            match test["result"].as_str().unwrap() {
                "valid" => assert!(fits, "{test}"),
                "invalid" => assert!(!fits, "{test}"),
                // "acceptable" is a DigestInfo without its NULL: either answer is sound.
                _ => {}
            }
            judged += 1;
        }
    }
    assert_eq!(Some(judged), suite["numberOfTests"].as_u64());
}

#[test]
fn ed25519_is_judged_as_by_wycheproof() {
    wycheproof(
        "ed25519_test.json",
        &["publicKey", "pk"],
        Algorithm::Ed25519,
    );
}

#[test]
fn ecdsa_is_judged_as_by_wycheproof() {
    let key = &["publicKey", "uncompressed"];
    wycheproof(
        "ecdsa_secp256r1_sha256_test.json",
        key,
        Algorithm::EcdsaP256Sha256,
    );
}

#[test]
fn ecdsa_with_numbers_end_to_end_is_judged_as_by_wycheproof() {
    let Some(suite) = suite("crypto/wycheproof/ecdsa_secp256r1_sha256_p1363_test.json") else {
        return;
    };
    for group in list(&suite["testGroups"]) {
        let material = unhex(&group["publicKey"]["uncompressed"]);
        let key = VerifyingKey::from_parts(Algorithm::EcdsaP256Sha256, &material).unwrap();
        for test in list(&group["tests"]) {
            let signature = STANDARD.encode(unhex(&test["sig"]));
            let encodings = SignatureEncodings {
                ecdsa: Some((Encoding::Base64, EcdsaForm::Fixed)),
                ..BINANCE
            };
            let fits = fits_as(&key, &unhex(&test["msg"]), &signature, encodings);
            assert_eq!(fits, test["result"] == "valid", "{test}");
        }
    }
}

#[test]
fn rsa_is_judged_as_by_wycheproof() {
    let file = "rsa_signature_2048_sha256_test.json";
    wycheproof(file, &["publicKeyDer"], Algorithm::RsaPkcs1Sha256);
    wycheproof(file, &["publicKeyAsn"], Algorithm::RsaPkcs1Sha256);
}

#[test]
fn hmac_is_judged_as_by_wycheproof_except_that_tags_may_not_be_cut() {
    let Some(suite) = suite("crypto/wycheproof/hmac_sha256_test.json") else {
        return;
    };
    for group in list(&suite["testGroups"]) {
        for test in list(&group["tests"]) {
            let Ok(key) = VerifyingKey::from_parts(Algorithm::HmacSha256, &unhex(&test["key"]))
            else {
                assert!(unhex(&test["key"]).len() < 16);
                continue;
            };
            let valid = test["result"] == "valid" && group["tagSize"] == 256;
            let fits = fits(&key, &unhex(&test["msg"]), test["tag"].as_str().unwrap());
            assert_eq!(fits, valid, "{test}");
        }
    }
}

/// CCTV's keys and points of small order: a key of small order is refused when it is loaded, and a
/// signature is accepted only if the equation holds without multiplying by the cofactor, over
/// the bytes as they were sent.
#[test]
fn ed25519_has_no_weak_key_and_no_loose_equation() {
    let Some(suite) = suite("crypto/vectors/cctv_ed25519.json") else {
        return;
    };
    let (mut weak, mut accepted) = (0, 0);
    for test in list(&suite) {
        let flags: Vec<&str> = list(&test["flags"])
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let key = VerifyingKey::from_parts(Algorithm::Ed25519, &unhex(&test["key"]));
        assert_eq!(key.is_err(), flags.contains(&"low_order_A"), "{test}");
        let Ok(key) = key else {
            assert_eq!(key.err(), Some(KeyError::Ed25519Weak));
            weak += 1;
            continue;
        };
        let signature = STANDARD.encode(unhex(&test["sig"]));
        let loose = ["low_order_residue", "non_canonical_R", "reencoded_k"];
        let strict = !flags.iter().any(|flag| loose.contains(flag));
        let fits = fits(&key, test["msg"].as_str().unwrap().as_bytes(), &signature);
        assert!(!fits || strict, "{test}");
        accepted += u32::from(fits);
    }
    assert!(
        weak > 500 && accepted > 50,
        "{weak} weak, {accepted} accepted"
    );
}

/// Requests that unmodified clients sent, cut into payload and signature as Binance does.
#[test]
fn captured_requests_of_binance_clients_verify() {
    let Some(suite) = suite("dialects/vectors.json") else {
        return;
    };
    let mut verified = 0;
    for request in list(&suite["requests"]) {
        let raw = request["raw"].as_str().unwrap();
        let key = match request["dialect"].as_str().unwrap() {
            "binance" => {
                let secret = &suite["secrets"][request["secret"].as_str().unwrap()];
                let secret = secret.as_str().unwrap().as_bytes();
                VerifyingKey::from_parts(Algorithm::HmacSha256, secret)
            }
            "binance-ed25519" => {
                // The key is the last 32 bytes of its SubjectPublicKeyInfo.
                let der = pem(&suite["public_keys"]["ed25519"]);
                VerifyingKey::from_parts(Algorithm::Ed25519, &der[der.len() - 32..])
            }
            "binance-rsa" => {
                let der = pem(&suite["public_keys"]["rsa"]);
                VerifyingKey::from_parts(Algorithm::RsaPkcs1Sha256, &der)
            }
            _ => continue,
        };
        let (head, body) = raw.split_once("\r\n\r\n").unwrap();
        let target = head.split(' ').nth(1).unwrap();
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let mut signature = None;
        let mut payload = String::new();
        for part in [query, body] {
            let kept = part.split('&').filter(|pair| {
                let found = pair.strip_prefix("signature=");
                signature = found.or(signature);
                found.is_none()
            });
            payload.push_str(&kept.collect::<Vec<_>>().join("&"));
        }
        let signature = signature
            .unwrap()
            .replace("%2B", "+")
            .replace("%2F", "/")
            .replace("%3D", "=");
        assert!(
            fits(&key.unwrap(), payload.as_bytes(), &signature),
            "{request}"
        );
        verified += 1;
    }
    assert!(verified >= 15, "{verified}");
}

fn pem(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    let body: String = text
        .lines()
        .filter(|line| !line.starts_with("---"))
        .collect();
    STANDARD.decode(body).unwrap()
}

/// Half the order of secp256k1, rounded down (SEC 2, 2.4.1).
const HALF: &str = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0";

#[test]
fn a_signer_is_recovered_where_wycheproof_verifies_a_low_s() {
    let Some(suite) = suite("crypto/wycheproof/ecdsa_secp256k1_sha256_p1363_test.json") else {
        return;
    };
    let half = unhex(&Value::from(HALF));
    let mut recovered = 0;
    for group in list(&suite["testGroups"]) {
        let point = unhex(&group["publicKey"]["uncompressed"]);
        let hash = keccak256(&point[1..]);
        let address = Address::from(*hash.last_chunk::<20>().unwrap());
        for test in list(&group["tests"]) {
            let mut digest = unhex(&test["msg"]);
            Digest::Sha256.replace(&mut digest, 0);
            let digest: [u8; 32] = digest.try_into().unwrap();
            let raw = unhex(&test["sig"]);
            let Ok(raw) = <[u8; 64]>::try_from(raw) else {
                assert_eq!(test["result"], "invalid");
                continue;
            };
            let (r, s) = (*raw.first_chunk().unwrap(), *raw.last_chunk().unwrap());
            let found = [27, 28].iter().any(|v| {
                let found = Recovered::from_signature(&digest, &r, &s, *v);
                found.is_some_and(|found| found.address() == address)
            });
            let low = s.as_slice() <= half.as_slice();
            // An r that was reduced cannot be recovered from: nobody signs so but once in 2^127 signatures.
            let wanted = test["result"] == "valid" && low;
            let reduced = test["comment"].as_str().unwrap().contains("r");
            assert!(found == wanted || (wanted && reduced), "{test}");
            recovered += usize::from(found);
        }
    }
    assert!(recovered > 80, "{recovered}");
}
