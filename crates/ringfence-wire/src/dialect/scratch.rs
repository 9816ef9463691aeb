//! The parameters of one message, read strictly, in memory that the next message reuses.

use std::ops::Range;

use ringfence_core::refusal::{Code, Refusal};

use super::Signing;
use super::definition::Atom;
use crate::form::{self, PARAMETERS_MAX, Pair};

/// Memory that one reading uses and the next reuses.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Names and decoded values, end to end.
    text: String,
    /// Where each pair's name and value stand in `text`.
    pairs: Vec<(Range<usize>, Range<usize>)>,
    /// What was signed.
    payload: String,
}

impl Scratch {
    /// Reads all pairs of query and body; a name that stands twice is refused, also across the two.
    ///
    /// # Errors
    ///
    /// `form_malformed` or `form_duplicate`.
    pub(super) fn read(
        &mut self,
        query: &str,
        body: &str,
        signature: Option<&str>,
    ) -> Result<(), Refusal> {
        self.text.clear();
        self.pairs.clear();
        self.payload.clear();
        for pair in form::pairs(query, signature).chain(form::pairs(body, signature)) {
            let Pair { name, value } = pair?;
            if self.get(name).is_some() {
                return Err(Refusal::new(Code::FormDuplicate).field(name));
            }
            if self.pairs.len() >= PARAMETERS_MAX {
                return Err(Code::FormMalformed.into());
            }
            let start = self.text.len();
            self.text.push_str(name);
            let named = start..self.text.len();
            let valued = form::decode(value, &mut self.text)?;
            self.pairs.push((named, valued));
        }
        Ok(())
    }

    /// Writes what was signed from the text as sent.
    pub(super) fn sign(&mut self, signing: &Signing, query: &str, body: &str) {
        self.payload.clear();
        for atom in &signing.payload {
            let text = match atom {
                Atom::BodyWithoutSignature => body,
                Atom::QueryWithoutSignature => query,
            };
            form::without(text, &signing.signature, &mut self.payload);
        }
    }

    /// Returns what was signed.
    pub(super) const fn payload(&self) -> &[u8] {
        self.payload.as_bytes()
    }

    /// Returns names and decoded values in the order in which they stand.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let part = |range: &Range<usize>| self.text.get(range.clone()).unwrap_or_default();
        self.pairs
            .iter()
            .map(move |(name, value)| (part(name), part(value)))
    }

    /// Returns the decoded value of the parameter called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.pairs();
        pairs
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }
}
