//! How a venue uses a shared secret: which digest, and whether the secret is text or base64 of the key.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Digest under an HMAC.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Digest {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Digest {
    /// Replaces what stands in `out` from `start` on by its digest: canonical strings hold digests, too.
    pub fn replace(self, out: &mut Vec<u8>, start: usize) {
        let covered = out.get(start..).unwrap_or_default();
        let digest = digest::digest(self.algorithm(), covered);
        out.truncate(start);
        out.extend_from_slice(digest.as_ref());
    }

    pub(super) fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// What the secret's text stands for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SecretForm {
    /// The key is what the text decodes to (RFC 4648 §4), with or without padding.
    Base64,
    /// The key is the text's own bytes.
    #[default]
    Text,
}

/// How a dialect uses a shared secret. The dialect says so, never the message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HmacForm {
    /// The digest.
    pub digest: Digest,
    /// What the secret's text stands for.
    pub secret: SecretForm,
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Longest secret in base64 that is decoded, in bytes of key.
const SECRET_MAX: usize = 512;

impl HmacForm {
    /// Returns the key that `secret` stands for; none when it is no base64 where it should be.
    pub(super) fn key(self, secret: &[u8]) -> Option<hmac::Key> {
        let algorithm = match self.digest {
            Digest::Sha256 => hmac::HMAC_SHA256,
            Digest::Sha384 => hmac::HMAC_SHA384,
            Digest::Sha512 => hmac::HMAC_SHA512,
        };
        match self.secret {
            SecretForm::Text => Some(hmac::Key::new(algorithm, secret)),
            SecretForm::Base64 => {
                let mut raw = Zeroizing::new([0; SECRET_MAX]);
                let length = LENIENT.decode_slice(secret, &mut raw[..]).ok()?;
                Some(hmac::Key::new(algorithm, raw.get(..length)?))
            }
        }
    }
}
