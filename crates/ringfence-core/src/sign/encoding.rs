//! How signatures are written.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{Algorithm, EcdsaForm};

/// Longest signature text that is looked at, in bytes: RSA-8192 in base64.
pub(super) const SIGNATURE_TEXT_MAX: usize = 1368;

/// How a signature is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// Base64, padded (RFC 4648 §4).
    Base64,
    /// Base64 for URLs, without padding (RFC 7515 §2).
    Base64Url,
    /// Hexadecimal in either case.
    Hex,
}

/// The scheme's encoding for each algorithm; none where it takes no key of that algorithm.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SignatureEncodings {
    /// For ECDSA, and how r and s stand in it.
    pub ecdsa: Option<(Encoding, EcdsaForm)>,
    /// For Ed25519.
    pub ed25519: Option<Encoding>,
    /// For HMAC.
    pub hmac: Option<Encoding>,
    /// For RSA.
    pub rsa: Option<Encoding>,
}

impl SignatureEncodings {
    /// Returns how signatures of `algorithm` are written, if its keys are taken.
    pub(super) fn of(self, algorithm: Algorithm) -> Option<(Encoding, EcdsaForm)> {
        let fixed = |encoding: Encoding| (encoding, EcdsaForm::Fixed);
        match algorithm {
            Algorithm::EcdsaP256Sha256 => self.ecdsa,
            Algorithm::Ed25519 => self.ed25519.map(fixed),
            Algorithm::HmacSha256 => self.hmac.map(fixed),
            Algorithm::RsaPkcs1Sha256 => self.rsa.map(fixed),
            // Its signatures are read where the signer is recovered, not by an encoding.
            Algorithm::Secp256k1Eip712 => None,
            Algorithm::X509 => None,
        }
    }
}

impl Encoding {
    /// Decodes `text`; none when it is not written so, or too long for any signature.
    pub(super) fn decode<'b>(
        self,
        text: &[u8],
        buffer: &'b mut [u8; SIGNATURE_TEXT_MAX],
    ) -> Option<&'b [u8]> {
        if text.is_empty() || text.len() > SIGNATURE_TEXT_MAX {
            return None;
        }
        let length = match self {
            Self::Base64 => STANDARD.decode_slice(text, buffer).ok()?,
            Self::Base64Url => URL_SAFE_NO_PAD.decode_slice(text, buffer).ok()?,
            Self::Hex => {
                let (pairs, rest) = text.as_chunks::<2>();
                if !rest.is_empty() {
                    return None;
                }
                for (byte, [high, low]) in buffer.iter_mut().zip(pairs) {
                    *byte = nibble(*high)? << 4 | nibble(*low)?;
                }
                pairs.len()
            }
        };
        buffer.get(..length)
    }

    /// Writes `raw` so.
    pub(super) fn encode(self, raw: &[u8]) -> String {
        match self {
            Self::Base64 => STANDARD.encode(raw),
            Self::Base64Url => URL_SAFE_NO_PAD.encode(raw),
            Self::Hex => raw.iter().fold(String::new(), |mut text, byte| {
                for nibble in [byte >> 4, byte & 15] {
                    text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
                }
                text
            }),
        }
    }
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
