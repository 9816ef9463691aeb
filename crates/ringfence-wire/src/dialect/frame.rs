//! Signed WebSocket messages, and the steps of a canonical string for people.

use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::sign::Claim;

use super::scheme::Source;
use super::{BodyKind, Dialect, Frame, Head, Scratch, says};

/// What was signed, piece by piece: each piece's name and its bytes.
pub type Steps = Vec<(String, Vec<u8>)>;

pub(super) const NOWHERE: Head<'static> = Head {
    method: "",
    path: "",
    query: "",
    content_type: None,
    key: None,
    headers: None,
    secure: false,
    session: false,
};

impl Dialect {
    /// Reads who signed a frame, and returns the name of its kind; none for a frame that is not signed.
    ///
    /// # Errors
    ///
    /// A `form_*` refusal for what is not JSON; what the scheme finds missing.
    pub fn read_frame<'a>(
        &'a self,
        text: &str,
        scratch: &'a mut Scratch,
    ) -> Result<Option<(&'a str, Claim<'a>)>, Refusal> {
        scratch.read_frame(text)?;
        let Some(frame) = self.frames.iter().find(|frame| frame.is(scratch)) else {
            return Ok(None);
        };
        scratch.sign(&frame.scheme, &NOWHERE, text)?;
        let claim = frame.scheme.claim(&NOWHERE, scratch)?;
        Ok(Some((&frame.name, claim)))
    }

    /// Reads who signed a request, whatever its route.
    ///
    /// # Errors
    ///
    /// A `form_*` refusal; what the scheme finds missing; `signature_missing` for a dialect without one.
    pub fn read_claim<'a>(
        &self,
        head: &Head<'a>,
        body: &'a str,
        kind: BodyKind,
        scratch: &'a mut Scratch,
    ) -> Result<Claim<'a>, Refusal> {
        let signing = self.signing.as_ref().ok_or(Code::SignatureMissing)?;
        scratch.read(head.query, body, (kind, None), signing.signature_name())?;
        scratch.prove(signing, head, body)?;
        scratch.claim(signing, head)
    }

    /// Returns the canonical string of what `scratch` read last, piece by piece.
    ///
    /// # Errors
    ///
    /// What the scheme finds wrong; `signature_missing` for a dialect without one.
    pub fn steps(&self, head: &Head<'_>, body: &str, scratch: &Scratch) -> Result<Steps, Refusal> {
        let signing = self.signing.as_ref().ok_or(Code::SignatureMissing)?;
        let pairs = scratch.pairs();
        signing.steps(&Source { head, body, pairs })
    }
}

impl Frame {
    pub(super) fn is(&self, scratch: &Scratch) -> bool {
        says(&self.when, scratch)
    }
}
