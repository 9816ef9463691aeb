//! A signature verifies in exactly one spelling per algorithm, and nothing else does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ecdsa;
mod forms;
mod recovered;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use aws_lc_rs::{hmac, rsa};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};

use super::{
    Algorithm, Claim, Encoding, HMAC_SECRET_MIN, HmacForm, KeyError, Nonce, SignatureEncodings,
    Stamp, VerifyingKey,
};
use crate::refusal::Code;
use crate::session::Coverage;

const BINANCE: SignatureEncodings = SignatureEncodings {
    ecdsa: None,
    ed25519: Some(Encoding::Base64),
    hmac: Some(Encoding::Hex),
    rsa: Some(Encoding::Base64),
};

fn verify(key: &VerifyingKey, payload: &str, signature: &str) -> Result<Nonce, Code> {
    let stamp = Stamp {
        time_us: 1,
        window_us: 2,
    };
    let claim = Claim {
        key_id: "k",
        payload: payload.as_bytes(),
        signature: signature.as_bytes(),
        otherwise: None,
        hmac: HmacForm::default(),
        encodings: BINANCE,
        coverage: Coverage::Venue,
        recovered: None,
        stamp,
    };
    let verified = key.verify(&claim)?;
    assert_eq!(verified.get().stamp, stamp);
    Ok(verified.get().nonce)
}

fn hmac_key(secret: &str) -> VerifyingKey {
    VerifyingKey::from_parts(Algorithm::HmacSha256, secret.as_bytes()).unwrap()
}

/// An Ed25519 key made now, and its signature of `payload`.
fn ed25519(payload: &str) -> (VerifyingKey, Vec<u8>) {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let public = pair.public_key().as_ref();
    let key = VerifyingKey::from_parts(Algorithm::Ed25519, public).unwrap();
    (key, pair.sign(payload.as_bytes()).as_ref().to_vec())
}

/// An RSA key made now, and its signature of `payload`.
fn rsa_2048(payload: &str) -> (VerifyingKey, Vec<u8>) {
    let pair = RsaKeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let key = VerifyingKey::from_parts(Algorithm::RsaPkcs1Sha256, pair.public_key().as_ref());
    let mut signature = vec![0; pair.public_modulus_len()];
    let random = SystemRandom::new();
    pair.sign(
        &RSA_PKCS1_SHA256,
        &random,
        payload.as_bytes(),
        &mut signature,
    )
    .unwrap();
    (key.unwrap(), signature)
}

const BINANCE_SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

/// Secret, payload and signature of examples that venues publish.
///
/// Source: Binance REST and WebSocket API docs, Binance futures docs, MEXC docs, BitMEX docs; each
/// was recomputed before it was written down here.
const PUBLISHED: [(&str, &str, &str); 8] = [
    (
        BINANCE_SECRET,
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000\
         &timestamp=1499827319559",
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    ),
    (
        BINANCE_SECRET,
        "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT\
         &timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
        "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
    ),
    (
        // Query and body, with nothing between.
        BINANCE_SECRET,
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTCquantity=1&price=0.1&recvWindow=5000\
         &timestamp=1499827319559",
        "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77",
    ),
    (
        BINANCE_SECRET,
        "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A\
         &price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT\
         &timeInForce=GTC&timestamp=1645423376532&type=LIMIT",
        "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
    ),
    (
        BINANCE_SECRET,
        "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A\
         &price=0.10000000&quantity=1.00000000&recvWindow=5000&side=BUY&symbol=１２３４５６\
         &timeInForce=GTC&timestamp=1645423376532&type=LIMIT",
        "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
    ),
    (
        "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9",
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC\
         &recvWindow=5000&timestamp=1591702613943",
        "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
    ),
    (
        "45d0b3c26f2644f19bfb98b07741b2f5",
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=11&recvWindow=5000\
         &timestamp=1644489390087",
        "fd3e4e8543c5188531eb7279d68ae7d26a573d0fc5ab0d18eb692451654d837a",
    ),
    (
        "chNOOS4KvNXR_Xq4k4c9qsfoKWvnDecLATCRlcBwyKDYnWgO",
        "GET/api/v1/instrument1518064236",
        "c7682d435d0cfe87c16098df34ef2eb5a549d4c5a3c2b1f0f77b8af73423bf00",
    ),
];

#[test]
fn published_examples_verify() {
    for (secret, payload, signature) in PUBLISHED {
        let key = hmac_key(secret);
        assert!(verify(&key, payload, signature).is_ok(), "{payload}");
        let upper = signature.to_uppercase();
        assert_eq!(
            verify(&key, payload, &upper),
            verify(&key, payload, signature)
        );
        let refused = verify(&key, &format!("{payload}0"), signature);
        assert_eq!(refused, Err(Code::SignatureInvalid));
    }
}

#[test]
fn every_algorithm_accepts_its_own_signature_and_no_changed_one() {
    let payload = "symbol=BTCUSDT&timestamp=1";
    for (key, raw) in [ed25519(payload), rsa_2048(payload)] {
        let text = STANDARD.encode(&raw);
        let nonce = verify(&key, payload, &text).unwrap();
        assert_eq!(nonce, Nonce::from(*raw.first_chunk().unwrap()));
        assert_eq!(
            verify(&key, "symbol=BTCUSDT&timestamp=2", &text),
            Err(Code::SignatureInvalid)
        );
        for at in 0..raw.len() {
            let mut changed = raw.clone();
            changed[at] ^= 1;
            let refused = verify(&key, payload, &STANDARD.encode(&changed));
            assert_eq!(refused, Err(Code::SignatureInvalid), "{key:?} byte {at}");
        }
        for cut in [0, 1, 16, raw.len() - 1] {
            assert!(verify(&key, payload, &STANDARD.encode(&raw[..cut])).is_err());
            assert!(verify(&key, payload, &STANDARD.encode(&raw[raw.len() - cut..])).is_err());
        }
        let longer = [&raw[..], &[0]].concat();
        assert!(verify(&key, payload, &STANDARD.encode(longer)).is_err());
    }
}

#[test]
fn each_bit_of_an_hmac_counts_and_none_may_be_missing() {
    let (secret, payload) = ("a secret of twenty-some bytes", "timestamp=1");
    let key = hmac_key(secret);
    let tag = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
        payload.as_bytes(),
    );
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert!(verify(&key, payload, &hex(tag.as_ref())).is_ok());
    for bit in 0..256 {
        let mut changed = tag.as_ref().to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            verify(&key, payload, &hex(&changed)),
            Err(Code::SignatureInvalid)
        );
    }
    for length in 1..32 {
        let cut = hex(&tag.as_ref()[..length]);
        assert_eq!(
            verify(&key, payload, &cut),
            Err(Code::SignatureInvalid),
            "{length}"
        );
    }
    assert!(verify(&key, payload, &(hex(tag.as_ref()) + "00")).is_err());
}

#[test]
fn text_in_another_encoding_is_malformed() {
    let payload = "timestamp=1";
    let (key, raw) = ed25519(payload);
    let text = STANDARD.encode(&raw);
    for wrong in [
        String::new(),
        STANDARD_NO_PAD.encode(&raw),
        format!("{text}="),
        format!("{text}\n"),
        format!(" {text}"),
        format!("{}\n{}", &text[..40], &text[40..]),
        text.replace('=', "%3D"),
        "=".repeat(88),
        "A".repeat(100_000),
    ] {
        assert_eq!(
            verify(&key, payload, &wrong),
            Err(Code::SignatureMalformed),
            "{wrong:.90}"
        );
    }
    // Base64url differs where + and / stand; bits past the end must be zero.
    let url = URL_SAFE.encode([0xfb; 64]);
    assert_eq!(verify(&key, payload, &url), Err(Code::SignatureMalformed));
    let loose = format!("{}B==", &text[..text.len() - 3]);
    assert_eq!(verify(&key, payload, &loose), Err(Code::SignatureMalformed));

    let hmac = hmac_key("a secret of twenty-some bytes");
    for wrong in [
        "",
        "0",
        "0g",
        "0x00",
        "００",
        "+1",
        " 00",
        &"0".repeat(63),
        &"0".repeat(2000),
    ] {
        assert_eq!(
            verify(&hmac, payload, wrong),
            Err(Code::SignatureMalformed),
            "{wrong:.70}"
        );
    }
}

#[test]
fn a_signature_of_another_algorithm_does_not_fit() {
    let payload = "timestamp=1";
    let (_, raw) = ed25519(payload);
    let (rsa, _) = rsa_2048(payload);
    assert_eq!(
        verify(&rsa, payload, &STANDARD.encode(raw)),
        Err(Code::SignatureInvalid)
    );
}

#[test]
fn material_that_does_not_fit_the_algorithm_is_refused() {
    let refused = |algorithm, material: &[u8]| VerifyingKey::from_parts(algorithm, material).err();
    let short = vec![7; HMAC_SECRET_MIN - 1];
    assert_eq!(
        refused(Algorithm::HmacSha256, &short),
        Some(KeyError::HmacTooShort)
    );
    assert_eq!(
        refused(Algorithm::HmacSha256, &[]),
        Some(KeyError::HmacTooShort)
    );
    for length in [0, 31, 33, 44] {
        let material = vec![7; length];
        assert_eq!(
            refused(Algorithm::Ed25519, &material),
            Some(KeyError::Ed25519Length)
        );
    }
    for material in [&[][..], &[0x30, 0], b"-----BEGIN PUBLIC KEY-----"] {
        assert_eq!(
            refused(Algorithm::RsaPkcs1Sha256, material),
            Some(KeyError::RsaMalformed)
        );
    }
    let mut one = [0; 32];
    one[0] = 1;
    assert_eq!(
        refused(Algorithm::Ed25519, &one),
        Some(KeyError::Ed25519Weak)
    );
}

#[test]
fn an_rsa_key_of_1024_bits_is_refused() {
    // PKCS#1: SEQUENCE { INTEGER modulus of 1024 bits, INTEGER 65537 }
    let mut der = vec![0x30, 0x81, 0x89, 0x02, 0x81, 0x81, 0x00, 0xc3];
    der.extend(std::iter::repeat_n(0x5b, 127));
    der.extend([0x02, 0x03, 0x01, 0x00, 0x01]);
    let refused = VerifyingKey::from_parts(Algorithm::RsaPkcs1Sha256, &der);
    assert_eq!(refused.err(), Some(KeyError::RsaMalformed));
}

#[test]
fn keys_are_the_same_exactly_when_algorithm_and_material_are() {
    let one = hmac_key("a secret of twenty-some bytes");
    assert!(one.is_same(&hmac_key("a secret of twenty-some bytes")));
    assert!(!one.is_same(&hmac_key("a secret of twenty-some byteS")));
    let raw = [7; 32];
    let hmac = VerifyingKey::from_parts(Algorithm::HmacSha256, &raw).unwrap();
    let ed25519 = VerifyingKey::from_parts(Algorithm::Ed25519, &raw).unwrap();
    assert!(!hmac.is_same(&ed25519));
}

#[test]
fn algorithms_have_one_name_each() {
    let parse = Algorithm::parse;
    assert_eq!(parse("hmac-sha256"), Some(Algorithm::HmacSha256));
    assert_eq!(parse("ecdsa-p256-sha256"), Some(Algorithm::EcdsaP256Sha256));
    assert_eq!(parse("ed25519"), Some(Algorithm::Ed25519));
    assert_eq!(parse("rsa-pkcs1-sha256"), Some(Algorithm::RsaPkcs1Sha256));
    assert_eq!(parse("secp256k1-eip712"), Some(Algorithm::Secp256k1Eip712));
    assert!(
        ["", "HMAC-SHA256", "none", "rsa"]
            .iter()
            .all(|t| parse(t).is_none())
    );
}
