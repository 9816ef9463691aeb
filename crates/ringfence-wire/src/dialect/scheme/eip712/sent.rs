//! What stands in the body of an action.

use std::borrow::Cow;

use ringfence_core::refusal::{Code, Refusal};

use super::{address, bytes, invalid, missing, number, text};
use crate::json;

/// What is signed of a body.
pub(super) struct Body<'a> {
    pub(super) action: &'a str,
    pub(super) kind: Cow<'a, str>,
    pub(super) nonce: u64,
    pub(super) vault: Option<[u8; 20]>,
    pub(super) expires_ms: Option<u64>,
}

type Parts = ([u8; 32], [u8; 32], u8);

/// What may stand in a body; the body itself is called nothing.
const OUTER: &[&str] = &[
    "",
    "action",
    "expiresAfter",
    "nonce",
    "signature",
    "vaultAddress",
];

/// What stands in a body, as sent.
#[derive(Default)]
pub(super) struct Sent<'a> {
    action: Option<&'a str>,
    kind: Option<&'a str>,
    nonce: Option<&'a str>,
    expires: Option<&'a str>,
    vault: Option<&'a str>,
    r: Option<&'a str>,
    s: Option<&'a str>,
    v: Option<&'a str>,
    /// A name that means nothing here.
    unknown: Option<String>,
}

impl<'a> Sent<'a> {
    /// Reads all of it at once: what stands in a body is little, and looking for it piece by piece reads it all each time.
    pub(super) fn read(text: &'a str) -> Result<Self, Refusal> {
        let mut sent = Self::default();
        json::parts(text, &mut |part| {
            let raw = Some(part.raw);
            match part.path {
                "action" => sent.action = raw,
                "action.type" => sent.kind = raw,
                "nonce" => sent.nonce = raw,
                "expiresAfter" => sent.expires = raw.filter(|raw| *raw != "null"),
                "vaultAddress" => sent.vault = raw.filter(|raw| *raw != "null"),
                "signature.r" => sent.r = raw,
                "signature.s" => sent.s = raw,
                "signature.v" => sent.v = raw,
                path if path.starts_with("action.") || path.starts_with("signature.") => {}
                path => {
                    let outer = path.split('.').next().unwrap_or_default();
                    if !OUTER.contains(&outer) {
                        sent.unknown = Some(outer.to_owned());
                    }
                }
            }
            Ok(())
        })?;
        Ok(sent)
    }

    /// Returns the parts that are signed; a body that has others is refused.
    pub(super) fn body(&self) -> Result<Body<'a>, Refusal> {
        if let Some(name) = &self.unknown {
            return Err(Refusal::new(Code::FormParameterUnknown).field(name));
        }
        let action = self.action.ok_or_else(|| missing("action"))?;
        let nonce = self.nonce.ok_or(Code::TimeMissing)?;
        let malformed = |name: &str| Refusal::new(Code::TimeMalformed).field(name);
        let expires_ms = self
            .expires
            .map(|raw| number(raw).ok_or_else(|| malformed("expiresAfter")));
        // ccxt writes it without its `0x`; the same bytes are signed.
        let plain = |raw: &str| {
            address(raw).or_else(|| bytes(raw.strip_prefix('"')?.strip_suffix('"')?.as_bytes()))
        };
        let vault = self
            .vault
            .map(|raw| plain(raw).ok_or_else(|| invalid("vaultAddress")));
        let kind = self.kind.ok_or_else(|| missing("action.type"))?;
        Ok(Body {
            action,
            kind: text(kind).ok_or_else(|| invalid("action.type"))?,
            nonce: number(nonce).ok_or_else(|| malformed("nonce"))?,
            vault: vault.transpose()?,
            expires_ms: expires_ms.transpose()?,
        })
    }

    /// Returns r, s and v.
    pub(super) fn signature(&self) -> Result<Parts, Refusal> {
        let (Some(r), Some(s), Some(v)) = (self.r, self.s, self.v) else {
            return Err(Code::SignatureMissing.into());
        };
        let malformed = || Refusal::from(Code::SignatureMalformed);
        let v = number(v).and_then(|v| u8::try_from(v).ok());
        Ok((
            scalar(r).ok_or_else(malformed)?,
            scalar(s).ok_or_else(malformed)?,
            v.ok_or_else(malformed)?,
        ))
    }
}

/// Reads r or s. Some clients leave leading zeros out.
fn scalar(raw: &str) -> Option<[u8; 32]> {
    let said = text(raw)?;
    let digits = said
        .strip_prefix("0x")
        .filter(|digits| !digits.is_empty())?;
    let mut padded = [b'0'; 64];
    let start = padded.len().checked_sub(digits.len())?;
    padded[start..].copy_from_slice(digits.as_bytes());
    bytes(&padded)
}
