//! Digests that a message names of its own body.

use aws_lc_rs::{constant_time, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Digest;
use crate::refusal::Code;

/// Bytes of the longest digest.
const DIGEST_MAX: usize = 64;

impl Digest {
    /// Checks in constant time that `written`, in base64, is the digest of `body`.
    ///
    /// # Errors
    ///
    /// `signature_digest` when it is no base64 of a digest's length, `signature_body` when it is another body's.
    pub fn check(self, body: &[u8], written: &[u8]) -> Result<(), Code> {
        // What base64 decodes to may be estimated three bytes longer.
        let mut buffer = [0; DIGEST_MAX + 3];
        let decoded = STANDARD.decode_slice(written, &mut buffer);
        let length = decoded.map_err(|_| Code::SignatureDigest)?;
        let actual = digest::digest(self.algorithm(), body);
        let named = buffer.get(..length).unwrap_or_default();
        if length != actual.as_ref().len() {
            return Err(Code::SignatureDigest);
        }
        constant_time::verify_slices_are_equal(named, actual.as_ref())
            .map_err(|_| Code::SignatureBody)
    }
}
