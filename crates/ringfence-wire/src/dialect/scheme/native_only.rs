//! No scheme of its own: what is signed is signed natively, or by nobody.

use ringfence_core::refusal::{Code, Refusal};
use serde::Deserialize;

use super::super::Head;
use super::super::scratch::Pairs;
use super::code::{Coded, Proof, SchemeCode};
use super::{Description, Draft, Seal, Signed, Source};
use crate::native::WINDOW;

/// Its `signing` has no other field.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {}

/// The scheme of a dialect that is the gateway's own.
#[derive(Debug)]
pub(super) struct NativeOnly;

impl NativeOnly {
    pub(super) fn compile(_: Written) -> Coded {
        Coded {
            code: Box::new(Self),
            rule: WINDOW,
        }
    }
}

impl SchemeCode for NativeOnly {
    fn read(&self, _: &Source<'_>, _: &mut Proof) -> Result<(), Refusal> {
        // A message with a native signature is never read here.
        Err(Code::SignatureMissing.into())
    }

    fn absent(&self, _: &Head<'_>, _: &Pairs) -> Result<(), Refusal> {
        Ok(())
    }

    fn steps(&self, _: &Source<'_>) -> Result<Vec<(String, Vec<u8>)>, Refusal> {
        Err(Code::SignatureMissing.into())
    }

    fn sign(&self, _: &Draft<'_>, _: &Seal<'_>) -> Result<Signed, Refusal> {
        // Nobody outside is spoken to in it.
        Err(Code::SignatureAlgorithm.into())
    }

    fn describe(&self) -> Description {
        Description {
            payload: vec!["method, authority, path, query and body (RFC 9421)".to_owned()],
            algorithms: vec!["Ed25519 in base64".to_owned()],
            places: vec![
                ("key", "Signature-Input keyid".to_owned()),
                ("signature", "Signature".to_owned()),
            ],
            holes: Vec::new(),
        }
    }

    fn without_signature(&self, _: &str) -> Option<String> {
        None
    }
}
