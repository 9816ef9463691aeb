//! Keys of every algorithm, made at run time.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfence_core::sign::{Algorithm, SigningKey, VerifyingKey};

/// A kind of key.
pub(crate) struct Kind {
    algorithm: Algorithm,
    /// What it is called, alone and in a JWT (RFC 7518, RFC 8037), in lower case.
    pub(crate) words: [&'static str; 2],
    /// Returns the private half and the public one.
    make: fn() -> (Vec<u8>, Vec<u8>),
}

/// What venues' own schemes are signed with, what most take first.
pub(crate) static KINDS: [Kind; 4] = [
    Kind {
        algorithm: Algorithm::HmacSha256,
        words: ["hmac", "hs256"],
        make: hmac,
    },
    Kind {
        algorithm: Algorithm::Ed25519,
        words: ["ed25519", "eddsa"],
        make: ed25519,
    },
    Kind {
        algorithm: Algorithm::EcdsaP256Sha256,
        words: ["ecdsa", "es256"],
        make: ecdsa,
    },
    Kind {
        algorithm: Algorithm::RsaPkcs1Sha256,
        words: ["rsa", "rs256"],
        make: rsa,
    },
];

/// Both halves of a key.
pub(crate) struct Pair {
    pub(crate) kind: &'static Kind,
    private: Vec<u8>,
    public: Vec<u8>,
}

impl Pair {
    pub(crate) fn new(kind: &'static Kind) -> Self {
        let (private, public) = (kind.make)();
        Self {
            kind,
            private,
            public,
        }
    }

    pub(crate) fn signing(&self) -> SigningKey {
        SigningKey::from_parts(self.kind.algorithm, &self.private).unwrap()
    }

    pub(crate) fn verifying(&self) -> VerifyingKey {
        VerifyingKey::from_parts(self.kind.algorithm, &self.public).unwrap()
    }
}

/// A secret that is base64 as well, which some venues want.
fn hmac() -> (Vec<u8>, Vec<u8>) {
    let mut bytes = [0; 48];
    rand::fill(&mut bytes).unwrap();
    let secret = STANDARD.encode(bytes).into_bytes();
    (secret.clone(), secret)
}

fn ed25519() -> (Vec<u8>, Vec<u8>) {
    let made = Ed25519KeyPair::generate().unwrap();
    let private = made.to_pkcs8v1().unwrap().as_ref().to_vec();
    (private, made.public_key().as_ref().to_vec())
}

fn ecdsa() -> (Vec<u8>, Vec<u8>) {
    let made = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let private = made.to_pkcs8v1().unwrap().as_ref().to_vec();
    (private, made.public_key().as_ref().to_vec())
}

fn rsa() -> (Vec<u8>, Vec<u8>) {
    let made = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let private = made.as_der().unwrap().as_ref().to_vec();
    (private, made.public_key().as_ref().to_vec())
}
