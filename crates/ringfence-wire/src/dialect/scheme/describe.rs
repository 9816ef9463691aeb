//! A scheme in words.

use ringfence_core::sign::{Digest, Encoding, SecretForm};

use super::super::Dialect;
use super::Scheme;

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
        self.scheme.as_ref().map(Scheme::describe)
    }

    /// Returns the names of the kinds of signed WebSocket messages, each with how it is signed.
    pub fn frames(&self) -> impl Iterator<Item = (&str, Description)> {
        let frames = self.frames.iter();
        frames.map(|frame| (&*frame.name, frame.scheme.describe()))
    }
}

impl Scheme {
    fn describe(&self) -> Description {
        let digest = match self.hmac.digest {
            Digest::Sha256 => "HMAC-SHA256",
            Digest::Sha384 => "HMAC-SHA384",
            Digest::Sha512 => "HMAC-SHA512",
        };
        let secret = match self.hmac.secret {
            SecretForm::Base64 => " with the secret decoded from base64",
            SecretForm::Text => "",
        };
        let encoding = |encoding| match encoding {
            Encoding::Base64 => "base64",
            Encoding::Hex => "hex",
        };
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
            algorithms: vec![
                format!("{digest} in {}{secret}", encoding(self.encodings.hmac)),
                format!("Ed25519 in {}", encoding(self.encodings.ed25519)),
                format!("RSA-SHA256 in {}", encoding(self.encodings.rsa)),
            ],
            places: named.collect(),
            holes: self.holes(),
        }
    }
}
