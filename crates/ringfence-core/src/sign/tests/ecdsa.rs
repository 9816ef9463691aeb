//! An ECDSA signature verifies in the scheme's form alone, and its twin is the same signature to replay memory.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::{
    Algorithm, Claim, EcdsaForm, Encoding, HmacForm, KeyError, Nonce, SignatureEncodings, Signed,
    SigningKey, Stamp, Verified, VerifyingKey,
};
use crate::refusal::Code;
use crate::replay::{ReplayMemory, ReplayRoom, Use};
use crate::session::Coverage;

/// The order of P-256 (SEC 2, 2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

fn pair() -> (VerifyingKey, SigningKey) {
    let made = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let public = made.public_key().as_ref();
    let private = made.to_pkcs8v1().unwrap();
    let algorithm = Algorithm::EcdsaP256Sha256;
    (
        VerifyingKey::from_parts(algorithm, public).unwrap(),
        SigningKey::from_parts(algorithm, private.as_ref()).unwrap(),
    )
}

fn encodings(form: EcdsaForm) -> SignatureEncodings {
    SignatureEncodings {
        ecdsa: Some((Encoding::Base64, form)),
        ..SignatureEncodings::default()
    }
}

fn signed(key: &SigningKey, form: EcdsaForm) -> Vec<u8> {
    let text = key.sign(b"payload", encodings(form), HmacForm::default());
    STANDARD.decode(text.unwrap()).unwrap()
}

fn verify(key: &VerifyingKey, raw: &[u8], form: EcdsaForm) -> Result<Verified<Signed>, Code> {
    verify_of(key, b"payload", raw, form)
}

fn verify_of(
    key: &VerifyingKey,
    payload: &[u8],
    raw: &[u8],
    form: EcdsaForm,
) -> Result<Verified<Signed>, Code> {
    let text = STANDARD.encode(raw);
    key.verify(&Claim {
        key_id: "key",
        payload,
        otherwise: None,
        signature: text.as_bytes(),
        encodings: encodings(form),
        hmac: HmacForm::default(),
        coverage: Coverage::Venue,
        recovered: None,
        stamp: Stamp {
            time_us: 10,
            window_us: 10,
        },
    })
}

fn nonce(of: &Verified<Signed>) -> Nonce {
    of.get().nonce
}

/// Returns (r, -s).
fn twin(fixed: &[u8]) -> Vec<u8> {
    let mut twin = fixed.to_vec();
    let mut borrow = 0;
    for at in (0..32).rev() {
        let less = i16::from(ORDER[at]) - i16::from(fixed[32 + at]) - borrow;
        borrow = i16::from(less < 0);
        twin[32 + at] = less.rem_euclid(256) as u8;
    }
    twin
}

/// Writes r and s as two INTEGERs.
fn der(fixed: &[u8]) -> Vec<u8> {
    let mut inner = Vec::new();
    for number in fixed.chunks(32) {
        let start = number.iter().position(|byte| *byte != 0).unwrap();
        let sign = usize::from(number[start] >> 7);
        inner.extend([0x02, (32 - start + sign) as u8]);
        inner.resize(inner.len() + sign, 0);
        inner.extend(&number[start..]);
    }
    [&[0x30, inner.len() as u8], &inner[..]].concat()
}

#[test]
fn what_is_signed_verifies_in_its_own_form_only() {
    let (key, signer) = pair();
    for made in [EcdsaForm::Der, EcdsaForm::Fixed] {
        let raw = signed(&signer, made);
        for read in [EcdsaForm::Der, EcdsaForm::Fixed] {
            assert_eq!(
                verify(&key, &raw, read).is_ok(),
                made == read,
                "{made:?} as {read:?}"
            );
        }
        assert!(verify_of(&key, b"payloae", &raw, made).is_err());
        for at in 0..raw.len() {
            let mut changed = raw.clone();
            changed[at] ^= 1;
            assert!(verify(&key, &changed, made).is_err(), "{made:?} byte {at}");
        }
    }
}

#[test]
fn a_signature_and_its_twin_have_one_nonce_in_every_form() {
    for _ in 0..32 {
        let (key, signer) = pair();
        let fixed = signed(&signer, EcdsaForm::Fixed);
        let twin = twin(&fixed);
        assert_ne!(fixed, twin);
        let first = verify(&key, &fixed, EcdsaForm::Fixed).unwrap();
        for (raw, form) in [
            (twin.clone(), EcdsaForm::Fixed),
            (der(&fixed), EcdsaForm::Der),
            (der(&twin), EcdsaForm::Der),
        ] {
            let other = verify(&key, &raw, form).unwrap();
            assert_eq!(nonce(&first), nonce(&other));
        }
    }
}

#[test]
fn the_twin_of_a_spent_signature_is_refused_as_seen() {
    let (key, signer) = pair();
    let fixed = signed(&signer, EcdsaForm::Fixed);
    let (mut memory, room) = (ReplayMemory::default(), ReplayRoom::new(8, 8));
    let first = verify(&key, &fixed, EcdsaForm::Fixed).unwrap();
    assert!(memory.claim(&first, Use::Spend, 10, &room).is_ok());
    let second = verify(&key, &twin(&fixed), EcdsaForm::Fixed).unwrap();
    let refused = memory.claim(&second, Use::Spend, 11, &room);
    assert_eq!(refused.unwrap_err(), Code::ReplaySeen);
}

#[test]
fn der_with_any_slack_is_malformed() {
    let (key, signer) = pair();
    // Both numbers start with a zero byte, so that each has a sign to spare.
    let raw = loop {
        let fixed = signed(&signer, EcdsaForm::Fixed);
        if fixed[0] & fixed[32] & 0x80 != 0 {
            break der(&fixed);
        }
    };
    assert!(verify(&key, &raw, EcdsaForm::Der).is_ok());
    let with = |at: usize, more: &[u8], cut: usize| {
        let mut changed = raw.clone();
        changed.splice(at..at + cut, more.iter().copied());
        changed
    };
    let length = raw[1];
    for (what, changed) in [
        ("a longer form of the length", with(1, &[0x81, length], 1)),
        ("no end", with(1, &[0x80], 1)),
        ("a byte behind", with(raw.len(), &[0], 0)),
        (
            "a byte behind, inside",
            [&with(1, &[length + 1], 1)[..], &[0]].concat(),
        ),
        ("a zero byte too many", {
            let mut changed = with(3, &[raw[3] + 1, 0], 1);
            changed[1] += 1;
            changed
        }),
        ("a sign that is missing", {
            let mut changed = with(3, &[raw[3] - 1], 2);
            changed[1] -= 1;
            changed
        }),
        ("another tag", with(0, &[0x31], 1)),
        ("another tag, inside", with(2, &[0x03], 1)),
        ("nothing", Vec::new()),
    ] {
        let refused = verify(&key, &changed, EcdsaForm::Der).unwrap_err();
        assert_eq!(refused, Code::SignatureMalformed, "{what}");
    }
    let zero = [0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00];
    assert!(verify(&key, &zero, EcdsaForm::Der).is_err());
}

#[test]
fn only_an_uncompressed_point_of_the_curve_is_a_key() {
    let made = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = made.public_key().as_ref().to_vec();
    let spki = made.public_key().as_der().unwrap();
    let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
    let mut beside = point.clone();
    beside[64] ^= 1;
    for material in [
        &[][..],
        &[0],
        &compressed,
        spki.as_ref(),
        &beside,
        &point[..64],
    ] {
        let refused = VerifyingKey::from_parts(Algorithm::EcdsaP256Sha256, material);
        assert_eq!(refused.unwrap_err(), KeyError::EcdsaPoint);
    }
    assert!(VerifyingKey::from_parts(Algorithm::EcdsaP256Sha256, &point).is_ok());
}

#[test]
fn a_scheme_without_the_key_s_algorithm_neither_verifies_nor_signs() {
    let (key, signer) = pair();
    let none = SignatureEncodings::default();
    assert_eq!(signer.sign(b"payload", none, HmacForm::default()), None);
    let claim = Claim {
        key_id: "key",
        payload: b"payload",
        otherwise: None,
        signature: b"AAAA",
        encodings: none,
        hmac: HmacForm::default(),
        coverage: Coverage::Venue,
        recovered: None,
        stamp: Stamp {
            time_us: 10,
            window_us: 10,
        },
    };
    assert_eq!(key.verify(&claim).unwrap_err(), Code::SignatureAlgorithm);
}
