//! A venue's signing scheme, compiled: the same description verifies and signs.
//!
//! A canonical string is a list of atoms with nothing between. Each reads the message as it was sent, never a value
//! that was parsed and written again.

mod atom;
mod canonical;
mod cdp_jwt;
mod claim;
mod code;
mod compile;
mod describe;
mod eip712;
mod msgpack;
mod native_only;
mod place;
mod sign;
mod time;
mod unsigned;

use ringfence_core::freshness::Window;
use ringfence_core::sign::{HmacForm, SignatureEncodings};

pub(super) use atom::Atom;
pub(super) use canonical::Source;
pub(super) use code::{Proof, Signing};
pub use describe::Description;
pub(super) use place::Place;
pub use sign::{Draft, Seal, Signed, essence};
pub(super) use time::{read as read_time, write as write_time};
pub use unsigned::Unsigned;

use super::definition::{PassphraseForm, Unit};
use super::name::Name;

/// A compiled scheme.
#[derive(Debug)]
pub(super) struct Scheme {
    pub(super) key: Place,
    pub(super) signature: Place,
    pub(super) payload: Box<[Atom]>,
    query_or_body: bool,
    unescaped_query: bool,
    pub(super) encodings: SignatureEncodings,
    pub(super) hmac: HmacForm,
    time: Option<Place>,
    time_optional: bool,
    unit: Unit,
    window: Option<Place>,
    nonce: Option<Place>,
    passphrase: Option<(Place, PassphraseForm)>,
    constants: Box<[(Place, Box<str>)]>,
    pub(super) rule: Window,
    /// Whether what is signed are the values of the query's own parameters, rather than the query.
    values: bool,
}

impl Scheme {
    /// Returns the same scheme for a message that is nothing but the values that it signs.
    pub(super) fn of_values(self) -> Self {
        Self {
            values: true,
            ..self
        }
    }

    /// Returns how its times are written.
    pub(super) const fn unit(&self) -> Unit {
        self.unit
    }

    /// Returns the name of the parameter that holds the signature, where one does.
    pub(super) fn signature_name(&self) -> Option<&str> {
        self.signature.parameter().map(Name::as_str)
    }

    /// Returns the parameters that the scheme itself uses.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &str> {
        let places = [&self.signature, &self.key].into_iter();
        let places = places.chain([&self.time, &self.window].into_iter().flatten());
        let constants = self.constants.iter().map(|(place, _)| place);
        let nonce = self.nonce.iter();
        let all = places.chain(nonce).chain(constants);
        all.filter_map(Place::parameter).map(Name::as_str)
    }

    /// Returns what the signature does not cover of a request.
    pub(super) fn holes(&self) -> Vec<&'static str> {
        [
            ("method", Atom::covers_method as fn(&Atom) -> bool),
            ("path", Atom::covers_path),
            ("host", Atom::covers_host),
            ("query", Atom::covers_query),
            ("body", Atom::covers_body),
        ]
        .into_iter()
        .filter(|(_, covers)| !self.payload.iter().any(covers))
        .map(|(part, _)| part)
        .collect()
    }
}
