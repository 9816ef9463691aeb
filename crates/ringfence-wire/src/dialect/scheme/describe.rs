//! A scheme in words.

use ringfence_core::sign::{Digest, EcdsaForm, Encoding, SecretForm, SignatureEncodings};

use super::super::Dialect;
use super::{Scheme, Signing};

/// How a dialect signs, for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Description {
    /// The pieces of the canonical string, in order.
    pub payload: Vec<String>,
    /// Algorithm and encoding of each kind of key.
    pub algorithms: Vec<String>,
    /// Where key, signature, time, window, nonce and passphrase stand: what, and the name of the place.
    pub places: Vec<(&'static str, String)>,
    /// What the signature does not cover.
    pub holes: Vec<&'static str>,
}

impl Dialect {
    /// Returns how requests are signed; none for a dialect without signatures.
    pub fn describe(&self) -> Option<Description> {
        self.signing.as_ref().map(Signing::describe)
    }

    /// Returns the names of the kinds of signed WebSocket messages, each with how it is signed.
    pub fn frames(&self) -> impl Iterator<Item = (&str, Description)> {
        let frames = self.frames.iter();
        frames.map(|frame| (&*frame.name, frame.scheme.describe()))
    }
}

impl Scheme {
    pub(super) fn describe(&self) -> Description {
        let passphrase = self.passphrase.as_ref().map(|(place, _)| place);
        let places = [
            ("key", Some(&self.key)),
            ("signature", Some(&self.signature)),
            ("time", self.time.as_ref()),
            ("window", self.window.as_ref()),
            ("nonce", self.nonce.as_ref()),
            ("passphrase", passphrase),
        ];
        let named = places.into_iter();
        let named = named.filter_map(|(what, place)| Some((what, place?.to_string())));
        Description {
            payload: self.payload.iter().map(ToString::to_string).collect(),
            algorithms: self.algorithms(),
            places: named.collect(),
            holes: self.holes(),
        }
    }

    fn algorithms(&self) -> Vec<String> {
        let digest = match self.hmac.digest {
            Digest::Sha256 => "HMAC-SHA256",
            Digest::Sha384 => "HMAC-SHA384",
            Digest::Sha512 => "HMAC-SHA512",
        };
        let secret = match self.hmac.secret {
            SecretForm::Base64 => " with the secret decoded from base64",
            SecretForm::Text => "",
        };
        let SignatureEncodings {
            ecdsa,
            ed25519,
            hmac,
            rsa,
        } = self.encodings;
        let form = match ecdsa {
            Some((_, EcdsaForm::Der)) => " of DER",
            Some((_, EcdsaForm::Fixed)) | None => "",
        };
        let ecdsa = ecdsa.map(|(encoding, _)| encoding);
        [
            (digest, hmac, secret),
            ("Ed25519", ed25519, ""),
            ("RSA-SHA256", rsa, ""),
            ("ECDSA-P256-SHA256", ecdsa, form),
        ]
        .into_iter()
        .filter_map(|(name, encoding, more)| {
            let encoding = match encoding? {
                Encoding::Base64 => "base64",
                Encoding::Base64Url => "base64url",
                Encoding::Hex => "hex",
            };
            Some(format!("{name} in {encoding}{more}"))
        })
        .collect()
    }
}
