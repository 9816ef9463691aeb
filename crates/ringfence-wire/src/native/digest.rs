//! `Content-Digest` (RFC 9530): what the sender says the body's bytes are.

use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::sign::Digest;

use super::field::Cursor;

/// Checks every digest in `text` against the bytes that were received, each in constant time.
///
/// # Errors
///
/// `signature_digest` for what is no list of digests by SHA-256 and SHA-512, each at most once; `signature_body` when
/// one of them is of other bytes.
pub(super) fn check(text: &str, body: &[u8]) -> Result<(), Refusal> {
    let mut cursor = Cursor::new(text);
    let mut taken = [false; 2];
    loop {
        let (place, digest) = match cursor.key() {
            Some("sha-256") => (0, Digest::Sha256),
            Some("sha-512") => (1, Digest::Sha512),
            // Unknown ones could be ignored (RFC 9530 2); a sender who relies on one would be none the wiser.
            Some(_) | None => return Err(Code::SignatureDigest.into()),
        };
        let written = cursor.eat("=").and_then(|()| cursor.bytes());
        let written = written.ok_or(Code::SignatureDigest)?;
        // INVARIANT: the place is one of the two above.
        if std::mem::replace(&mut taken[place], true) {
            return Err(Code::SignatureDigest.into());
        }
        digest.check(body, written.as_bytes())?;
        if cursor.end().is_some() {
            return Ok(());
        }
        cursor.eat(", ").ok_or(Code::SignatureDigest)?;
    }
}
