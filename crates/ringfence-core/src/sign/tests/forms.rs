//! A secret signs and verifies in every form that a dialect may name, and in no other.

use super::super::{
    Algorithm, Claim, Digest, Encoding, HmacForm, SecretForm, SignatureEncodings, SigningKey,
    Stamp, VerifyingKey,
};
use crate::refusal::Code;
use crate::session::Coverage;

const SECRET: &[u8] = b"Z3d0ZXN0LXNlY3JldC0zMi1ieXRlcy1hYWFhYWFhYWE=";
const STAMP: Stamp = Stamp {
    time_us: 1,
    window_us: 1,
};

fn forms() -> Vec<HmacForm> {
    let mut all = Vec::new();
    for digest in [Digest::Sha256, Digest::Sha384, Digest::Sha512] {
        for secret in [SecretForm::Base64, SecretForm::Text] {
            all.push(HmacForm { digest, secret });
        }
    }
    all
}

fn verify(key: &VerifyingKey, payload: &[u8], text: &str, hmac: HmacForm) -> Result<(), Code> {
    let claim = Claim {
        key_id: "key",
        payload,
        otherwise: None,
        signature: text.as_bytes(),
        encodings: base64(),
        hmac,
        coverage: Coverage::Venue,
        recovered: None,
        stamp: STAMP,
    };
    key.verify(&claim).map(|_| ())
}

const fn base64() -> SignatureEncodings {
    SignatureEncodings {
        ecdsa: None,
        ed25519: Some(Encoding::Base64),
        hmac: Some(Encoding::Base64),
        rsa: Some(Encoding::Base64),
    }
}

#[test]
fn a_signature_verifies_in_its_own_form_only() {
    let signer = SigningKey::from_parts(Algorithm::HmacSha256, SECRET).unwrap();
    let key = VerifyingKey::from_parts(Algorithm::HmacSha256, SECRET).unwrap();
    for made in forms() {
        let text = signer.sign(b"payload", base64(), made).unwrap();
        for read in forms() {
            let fits = verify(&key, b"payload", &text, read).is_ok();
            assert_eq!(fits, made == read, "{made:?} read as {read:?}");
        }
    }
}

#[test]
fn a_secret_that_is_no_base64_verifies_nothing_where_it_should_be() {
    let secret = b"not base64 at all!";
    let form = HmacForm {
        digest: Digest::Sha512,
        secret: SecretForm::Base64,
    };
    let signer = SigningKey::from_parts(Algorithm::HmacSha256, secret).unwrap();
    assert_eq!(signer.sign(b"payload", base64(), form), None);
    let key = VerifyingKey::from_parts(Algorithm::HmacSha256, secret).unwrap();
    let refused = verify(&key, b"payload", "AAAAAAAAAAAAAAAAAAAAAAAA", form);
    assert_eq!(refused, Err(Code::SignatureInvalid));
}

#[test]
fn the_other_reading_of_what_was_signed_is_tried_too() {
    let signer = SigningKey::from_parts(Algorithm::HmacSha256, SECRET).unwrap();
    let key = VerifyingKey::from_parts(Algorithm::HmacSha256, SECRET).unwrap();
    let hmac = HmacForm::default();
    let text = signer.sign(b"a b", base64(), hmac).unwrap();
    let mut claim = Claim {
        key_id: "key",
        payload: b"a%20b",
        otherwise: Some(b"a b"),
        signature: text.as_bytes(),
        encodings: base64(),
        hmac,
        coverage: Coverage::Venue,
        recovered: None,
        stamp: STAMP,
    };
    assert!(key.verify(&claim).is_ok());
    claim.otherwise = Some(b"a c");
    assert_eq!(key.verify(&claim).unwrap_err(), Code::SignatureInvalid);
}

#[test]
fn an_ed25519_seed_signs_what_its_public_key_verifies() {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    let public = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let key = VerifyingKey::from_parts(Algorithm::Ed25519, public.public_key().as_ref()).unwrap();
    let signer = SigningKey::from_parts(Algorithm::Ed25519, &[7; 32]).unwrap();
    let text = signer
        .sign(b"payload", base64(), HmacForm::default())
        .unwrap();
    assert!(verify(&key, b"payload", &text, HmacForm::default()).is_ok());
    assert!(verify(&key, b"payloae", &text, HmacForm::default()).is_err());
}
