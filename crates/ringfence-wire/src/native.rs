//! The native scheme: HTTP Message Signatures (RFC 9421) by Ed25519, with the coverage that the server fixes.
//!
//! Nothing that a message asks is left out: method, authority, path, query, and the body by its Content-Digest (RFC
//! 9530). It is read on every dialect's routes, in place of the dialect's own scheme.
//!
//! Narrower than the RFC, so that a message has one reading: exactly one signature, the components in one order, the
//! parameters `created`, `expires`, `nonce`, `keyid` and perhaps `alg` in any order, all in canonical form. See
//! docs/native.md and docs/adr/0020.

mod digest;
pub mod field;
mod input;

use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use ringfence_core::freshness::Window;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::session::Coverage;
use ringfence_core::sign::{Claim, Encoding, HmacForm, SignatureEncodings};

use crate::dialect::Head;
use crate::http::single;
use input::Input;

const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const SIGNATURE: HeaderName = HeaderName::from_static("signature");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// How long a signature may be good, and how far its clock may be ahead. `created` is a whole second, so that a clock
/// that is right is never ahead.
pub const WINDOW: Window = Window {
    default_us: 0,
    max_us: 60_000_000,
    ahead_us: 1_000_000,
};

/// Who a message says signed it, before what was signed is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a>(Input<'a>);

/// Tells whether a message is signed in this scheme, or means to be.
pub fn is_native(headers: &HeaderMap) -> bool {
    headers.contains_key(SIGNATURE_INPUT)
}

/// Reads the signature of a message, holds its body against the digest, and writes what was signed behind `base`.
///
/// # Errors
///
/// A `signature_*` refusal that says what to send.
pub(crate) fn read<'a>(
    head: &Head<'a>,
    headers: &'a HeaderMap,
    body: &[u8],
    base: &mut Vec<u8>,
) -> Result<Said<'a>, Refusal> {
    let needed = |name: &HeaderName| {
        let field = || Refusal::new(Code::SignatureField).field(name.as_str());
        text(headers, name)?.ok_or_else(field)
    };
    let input = Input::parse(needed(&SIGNATURE_INPUT)?, needed(&SIGNATURE)?)?;
    let digest = text(headers, &CONTENT_DIGEST)?;
    let digest = match (digest, input.with_digest) {
        (Some(digest), true) => Some(digest),
        (None, false) if body.is_empty() => None,
        (None, _) => return Err(Code::SignatureDigest.into()),
        // A digest that is not signed is anybody's word.
        (Some(_), false) => return Err(Code::SignatureCoverage.into()),
    };
    if let Some(digest) = digest {
        digest::check(digest, body)?;
    }
    let malformed = || Refusal::new(Code::HttpMalformed).field("host");
    let authority = text(headers, &HOST)?.ok_or_else(malformed)?;
    write_base(head, authority, digest, input.parameters, base);
    Ok(Said(input))
}

impl<'a> Said<'a> {
    /// Returns the claim of the signature under `base`.
    pub(crate) fn claim(self, base: &'a [u8]) -> Claim<'a> {
        Claim {
            key_id: self.0.key_id,
            payload: base,
            otherwise: None,
            signature: self.0.signature.as_bytes(),
            encodings: SignatureEncodings {
                ecdsa: None,
                ed25519: Some(Encoding::Base64),
                hmac: None,
                rsa: None,
            },
            hmac: HmacForm::default(),
            coverage: Coverage::Whole,
            recovered: None,
            stamp: self.0.stamp,
        }
    }
}

/// Returns the value of the only field called `name`.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let field = || Refusal::new(Code::SignatureField).field(name.as_str());
    let value = single(headers, name, Code::SignatureField)?;
    let text = |value: &'a HeaderValue| value.to_str().map_err(|_| field());
    value.map(text).transpose()
}

/// Writes the signature base (RFC 9421 2.5).
fn write_base(
    head: &Head<'_>,
    authority: &str,
    digest: Option<&str>,
    parameters: &str,
    out: &mut Vec<u8>,
) {
    line("@method", [head.method, ""], out);
    // 2.2.3: in lower case, without the port that is the scheme's own.
    let own = if head.secure { ":443" } else { ":80" };
    let start = out.len();
    line(
        "@authority",
        ["", authority.strip_suffix(own).unwrap_or(authority)],
        out,
    );
    if let Some(written) = out.get_mut(start..) {
        written.make_ascii_lowercase();
    }
    // 2.2.6 and 2.2.7: as sent; a query that is not there is `?`.
    line("@path", [head.path, ""], out);
    line("@query", ["?", head.query], out);
    if let Some(digest) = digest {
        line("content-digest", [digest, ""], out);
    }
    line("@signature-params", [parameters, ""], out);
    // The last line has no end.
    out.pop();
}

fn line(name: &str, value: [&str; 2], out: &mut Vec<u8>) {
    for part in ["\"", name, "\": ", value[0], value[1], "\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests;
