//! Prints what verifying one signed order costs by each dialect, beside the bare primitive over the same bytes.
//!
//! Reads a JSON array of requests from standard input, each `{name, dialect, method, path, query, body}` with the
//! dialect as JSON; prints a JSON line for each request and algorithm: nanoseconds of `bare` and `whole`.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(missing_docs)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ringfence_core::sign::{
    Address, Algorithm, Claim, Digest, Encoding, Recovered, SecretForm, SigningKey, VerifyingKey,
};
use ringfence_wire::http::captured;
use ringfence_wire::{BodyKind, Dialect, Draft, Head, Scratch, Seal};
use serde_json::{Value, json};

const ROUNDS: u32 = 15;
const ROUND: Duration = Duration::from_millis(8);
const NOW_US: u64 = 1_700_000_000_000_000;

/// What signs, what verifies, and what the primitive alone takes of the latter.
struct Keys {
    name: &'static str,
    /// What a description calls it, alone and in a token.
    words: [&'static str; 2],
    signing: SigningKey,
    verifying: VerifyingKey,
    bare: Bare,
}

enum Bare {
    Hmac(Vec<u8>),
    Public(ParsedPublicKey),
    Recovered,
}

fn keys() -> Vec<Keys> {
    // A secret that is base64 as well, which some venues want.
    let secret = STANDARD.encode([7; 48]).into_bytes();
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let ecdsa = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let (ecdsa_private, ecdsa_public) = (ecdsa.to_pkcs8v1().unwrap(), ecdsa.public_key().as_ref());
    let verifying = |algorithm, key: &[u8]| VerifyingKey::from_parts(algorithm, key).unwrap();
    let signing = |algorithm, key: &[u8]| SigningKey::from_parts(algorithm, key).unwrap();
    let (ed25519_public, rsa_public) = (ed25519.public_key().as_ref(), rsa.public_key().as_ref());
    let wallet = wallet(&signing(Algorithm::Secp256k1Eip712, &[7; 32]));
    vec![
        Keys {
            name: "hmac",
            words: ["hmac", "hs256"],
            signing: signing(Algorithm::HmacSha256, &secret),
            verifying: verifying(Algorithm::HmacSha256, &secret),
            bare: Bare::Hmac(secret),
        },
        Keys {
            name: "ed25519",
            words: ["ed25519", "eddsa"],
            signing: signing(Algorithm::Ed25519, ed25519.to_pkcs8v1().unwrap().as_ref()),
            verifying: verifying(Algorithm::Ed25519, ed25519_public),
            bare: Bare::Public(ParsedPublicKey::new(&ED25519, ed25519_public).unwrap()),
        },
        Keys {
            name: "ecdsa-p256",
            words: ["ecdsa", "es256"],
            signing: signing(Algorithm::EcdsaP256Sha256, ecdsa_private.as_ref()),
            verifying: verifying(Algorithm::EcdsaP256Sha256, ecdsa_public),
            bare: Bare::Public(
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, ecdsa_public).unwrap(),
            ),
        },
        Keys {
            name: "secp256k1",
            words: ["secp256k1", "eip-712"],
            signing: signing(Algorithm::Secp256k1Eip712, &[7; 32]),
            verifying: verifying(Algorithm::Secp256k1Eip712, wallet.bytes()),
            bare: Bare::Recovered,
        },
        Keys {
            name: "rsa-2048",
            words: ["rsa", "rs256"],
            signing: signing(Algorithm::RsaPkcs1Sha256, rsa.as_der().unwrap().as_ref()),
            verifying: verifying(Algorithm::RsaPkcs1Sha256, rsa_public),
            bare: Bare::Public(
                ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, rsa_public).unwrap(),
            ),
        },
    ]
}

/// Returns the address that a wallet's signatures recover to.
fn wallet(key: &SigningKey) -> Address {
    let raw = key.sign_digest(&[7; 32]).unwrap();
    let (r, s) = (
        raw[..32].try_into().unwrap(),
        raw[32..64].try_into().unwrap(),
    );
    let found = Recovered::from_signature(&[7; 32], &r, &s, raw[64]);
    found.unwrap().address()
}

fn main() {
    let requests: Vec<Value> = serde_json::from_reader(std::io::stdin()).expect("requests");
    let keys = keys();
    for request in &requests {
        let dialect = Dialect::from_json(&request["dialect"]).expect("a dialect");
        let how = dialect.describe().expect("a dialect that signs");
        let algorithms = how.algorithms.join(" ").to_lowercase();
        for keys in &keys {
            if keys.words.iter().any(|word| algorithms.contains(word)) {
                let (bare, whole) = measure(&dialect, request, keys);
                let said = json!({
                    "dialect": request["name"],
                    "algorithm": keys.name,
                    "bare_ns": bare.as_nanos() as u64,
                    "whole_ns": whole.as_nanos() as u64,
                });
                println!("{said}");
            }
        }
    }
}

fn measure(dialect: &Dialect, request: &Value, keys: &Keys) -> (Duration, Duration) {
    let text = |name: &str| request[name].as_str().expect("a text");
    let draft = Draft {
        method: text("method"),
        path: text("path"),
        query: text("query"),
        headers: &captured(&[]).unwrap(),
        body: text("body"),
    };
    let seal = Seal {
        key_id: "a-key-id-as-long-as-they-are",
        key: &keys.signing,
        passphrase: Some("phrase"),
        now_us: NOW_US,
        nonce: "1700000000000",
    };
    let signed = dialect
        .sign(&draft, &seal)
        .expect("it signs what it verifies");
    let head = Head {
        method: draft.method,
        path: draft.path,
        query: &signed.query,
        content_type: None,
        key: None,
        headers: Some(&signed.headers),
        secure: false,
        session: false,
    };
    let kind = match signed.body.as_bytes() {
        [b'{' | b'[', ..] => BodyKind::Json,
        _ => BodyKind::Form,
    };
    let mut scratch = Scratch::default();
    let claim = dialect
        .read_claim(&head, &signed.body, kind, &mut scratch)
        .unwrap();
    let (payload, raw) = (claim.payload.to_vec(), decoded(&claim, keys));
    let mut bare: Box<dyn FnMut()> = match &keys.bare {
        Bare::Hmac(secret) => {
            let key = hmac_key(&claim, secret);
            Box::new(move || hmac::verify(&key, black_box(&payload), &raw).unwrap())
        }
        Bare::Public(key) => Box::new(move || key.verify_sig(black_box(&payload), &raw).unwrap()),
        Bare::Recovered => {
            let digest: [u8; 32] = payload.try_into().unwrap();
            let (r, s) = (*raw.first_chunk().unwrap(), raw[32..64].try_into().unwrap());
            Box::new(move || {
                let found = Recovered::from_signature(black_box(&digest), &r, &s, raw[64]);
                black_box(found.unwrap());
            })
        }
    };
    let mut scratch = Scratch::default();
    let mut whole = || {
        let claim = dialect.read_claim(black_box(&head), &signed.body, kind, &mut scratch);
        black_box(keys.verifying.verify(&claim.unwrap()).unwrap());
    };
    // In turns, so that what slows the machine down for a while slows both. Anything else that runs only adds, so the
    // quickest round counts.
    let rounds = (0..ROUNDS).map(|_| (time(&mut *bare), time(&mut whole)));
    let (bare, whole): (Vec<_>, Vec<_>) = rounds.unzip();
    (
        bare.into_iter().min().unwrap(),
        whole.into_iter().min().unwrap(),
    )
}

fn hmac_key(claim: &Claim<'_>, secret: &[u8]) -> hmac::Key {
    let digest = match claim.hmac.digest {
        Digest::Sha256 => hmac::HMAC_SHA256,
        Digest::Sha384 => hmac::HMAC_SHA384,
        Digest::Sha512 => hmac::HMAC_SHA512,
    };
    match claim.hmac.secret {
        SecretForm::Base64 => hmac::Key::new(digest, &STANDARD.decode(secret).unwrap()),
        SecretForm::Text => hmac::Key::new(digest, secret),
    }
}

fn decoded(claim: &Claim<'_>, keys: &Keys) -> Vec<u8> {
    let encoding = match keys.signing.algorithm() {
        Algorithm::EcdsaP256Sha256 => claim.encodings.ecdsa.map(|(encoding, _)| encoding),
        Algorithm::HmacSha256 => claim.encodings.hmac,
        Algorithm::Ed25519 => claim.encodings.ed25519,
        Algorithm::RsaPkcs1Sha256 => claim.encodings.rsa,
        Algorithm::Secp256k1Eip712 => {
            let digest = claim.payload.try_into().unwrap();
            return keys.signing.sign_digest(digest).unwrap().to_vec();
        }
        Algorithm::X509 => None,
    };
    let nibble = |digit: &u8| char::from(*digit).to_digit(16).unwrap() as u8;
    match encoding.unwrap() {
        Encoding::Base64Url => URL_SAFE_NO_PAD.decode(claim.signature).unwrap(),
        Encoding::Base64 => STANDARD.decode(claim.signature).unwrap(),
        Encoding::Hex => {
            let pairs = claim.signature.chunks(2);
            pairs
                .map(|pair| nibble(&pair[0]) << 4 | nibble(&pair[1]))
                .collect()
        }
    }
}

fn time(work: &mut dyn FnMut()) -> Duration {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < ROUND {
        (0..16).for_each(|_| work());
        count += 16;
    }
    start.elapsed() / count
}
