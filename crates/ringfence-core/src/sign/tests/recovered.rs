//! A wallet's signature is its address's, of one digest, and has one spelling.

use super::super::{
    Address, Algorithm, Claim, Encoding, HmacForm, KeyError, Recovered, SignatureEncodings,
    SigningKey, Stamp, VerifyingKey, keccak256,
};
use crate::refusal::Code;
use crate::session::Coverage;

/// The order of secp256k1 (SEC 2, 2.4.1).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

fn wallet() -> SigningKey {
    let mut one = [0; 32];
    one[31] = 1;
    SigningKey::from_parts(Algorithm::Secp256k1Eip712, &one).unwrap()
}

/// The address of the private key 1, as every wallet shows it.
const ADDRESS: &str = "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf";

fn parts(raw: &[u8; 65]) -> ([u8; 32], [u8; 32], u8) {
    let (r, rest) = raw.split_first_chunk().unwrap();
    let (s, v) = rest.split_first_chunk().unwrap();
    (*r, *s, v[0])
}

fn recover(digest: &[u8; 32], raw: &[u8; 65]) -> Option<Recovered> {
    let (r, s, v) = parts(raw);
    Recovered::from_signature(digest, &r, &s, v)
}

fn claim(payload: &[u8], recovered: Option<Recovered>) -> Claim<'_> {
    Claim {
        key_id: ADDRESS,
        payload,
        otherwise: None,
        signature: b"",
        encodings: SignatureEncodings::default(),
        hmac: HmacForm::default(),
        coverage: Coverage::Venue,
        recovered,
        stamp: Stamp {
            time_us: 1,
            window_us: 1,
        },
    }
}

#[test]
fn keccak_is_ethereum_s() {
    let hex: String = keccak256(b"").iter().map(|b| format!("{b:02x}")).collect();
    let known = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
    assert_eq!(hex, known);
}

#[test]
fn what_a_wallet_signs_recovers_to_its_address_and_to_no_other() {
    let digest = keccak256(b"order");
    let raw = wallet().sign_digest(&digest).unwrap();
    let found = recover(&digest, &raw).unwrap();
    assert_eq!(found.address().to_string(), ADDRESS);
    for at in 0..65 {
        for bit in 0..8 {
            let mut changed = raw;
            changed[at] ^= 1 << bit;
            let other = recover(&digest, &changed).map(|found| found.address().to_string());
            assert_ne!(other.as_deref(), Some(ADDRESS), "byte {at} bit {bit}");
        }
    }
    let other = recover(&keccak256(b"another"), &raw).unwrap();
    assert_ne!(other.address().to_string(), ADDRESS);
}

#[test]
fn the_twin_with_the_higher_s_is_no_signature() {
    let digest = keccak256(b"order");
    let raw = wallet().sign_digest(&digest).unwrap();
    let mut twin = raw;
    let mut borrow = 0;
    for at in (0..32).rev() {
        let less = i16::from(ORDER[at]) - i16::from(raw[32 + at]) - borrow;
        borrow = i16::from(less < 0);
        twin[32 + at] = less.rem_euclid(256) as u8;
    }
    twin[64] = 55 - raw[64];
    assert!(recover(&digest, &raw).is_some());
    assert!(recover(&digest, &twin).is_none());
    for v in [0, 1, 26, 29, 30, 255] {
        let mut changed = raw;
        changed[64] = v;
        assert!(recover(&digest, &changed).is_none(), "{v}");
    }
}

#[test]
fn a_credential_is_its_address_and_verifies_what_was_recovered_only() {
    let digest = keccak256(b"order");
    let found = recover(&digest, &wallet().sign_digest(&digest).unwrap()).unwrap();
    let address = found.address();
    let key = VerifyingKey::from_parts(Algorithm::Secp256k1Eip712, address.bytes()).unwrap();
    let verified = key.verify(&claim(&digest, Some(found))).unwrap();
    assert_eq!(verified.get().stamp.time_us, 1);
    // Of another digest, of nobody, and of somebody else.
    let other = keccak256(b"another");
    let refused = key.verify(&claim(&other, Some(found))).unwrap_err();
    assert_eq!(refused, Code::SignatureInvalid);
    let refused = key.verify(&claim(&digest, None)).unwrap_err();
    assert_eq!(refused, Code::SignatureAlgorithm);
    let stranger = VerifyingKey::from_parts(Algorithm::Secp256k1Eip712, &[7; 20]).unwrap();
    let refused = stranger.verify(&claim(&digest, Some(found))).unwrap_err();
    assert_eq!(refused, Code::SignatureInvalid);
    // Nor does a key of another algorithm take it.
    let hmac = VerifyingKey::from_parts(Algorithm::HmacSha256, &[7; 32]).unwrap();
    let mut claim = claim(&digest, Some(found));
    claim.encodings.hmac = Some(Encoding::Hex);
    let refused = hmac.verify(&claim).unwrap_err();
    assert_eq!(refused, Code::SignatureAlgorithm);
}

#[test]
fn only_an_address_and_a_private_key_in_range_are_keys() {
    for length in [0, 19, 21, 32, 64, 65] {
        let made = VerifyingKey::from_parts(Algorithm::Secp256k1Eip712, &vec![7; length]);
        assert_eq!(made.unwrap_err(), KeyError::AddressLength);
    }
    for bad in [&[0; 32][..], &ORDER, &[7; 31], &[7; 33]] {
        let made = SigningKey::from_parts(Algorithm::Secp256k1Eip712, bad);
        assert_eq!(made.unwrap_err(), KeyError::AddressLength);
    }
    assert_eq!(
        Address::from([0xab; 20]).to_string(),
        format!("0x{}", "ab".repeat(20))
    );
}
