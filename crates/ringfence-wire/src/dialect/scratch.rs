//! The parameters of one message, read strictly, in memory that the next message reuses.

use std::ops::Range;

use ringfence_core::refusal::{Code, Refusal};

use super::Signing;
use super::definition::Atom;
use super::name::{Name, Tag};
use crate::form::{self, PARAMETERS_MAX};

/// Memory that one reading uses and the next reuses.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Names and decoded values, end to end.
    text: String,
    pairs: Vec<Place>,
    /// What was signed.
    payload: String,
}

/// Where one pair's name and value stand in `text`.
#[derive(Debug)]
struct Place {
    tag: Tag,
    name: Range<usize>,
    value: Range<usize>,
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
            let pair = pair?;
            let tag = Tag::of(pair.name);
            if self.find(tag, pair.name).is_some() {
                return Err(Refusal::new(Code::FormDuplicate).field(pair.name));
            }
            if self.pairs.len() >= PARAMETERS_MAX {
                return Err(Code::FormMalformed.into());
            }
            let name = self.append(pair.name);
            let value = if pair.escaped {
                form::decode(pair.value, &mut self.text)?
            } else {
                self.append(pair.value)
            };
            self.pairs.push(Place { tag, name, value });
        }
        Ok(())
    }

    fn append(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }

    /// Writes what was signed from the text as sent.
    pub(super) fn sign(&mut self, signing: &Signing, query: &str, body: &str) {
        self.payload.clear();
        for atom in &signing.payload {
            let text = match atom {
                Atom::BodyWithoutSignature => body,
                Atom::QueryWithoutSignature => query,
            };
            form::without(text, signing.signature.as_str(), &mut self.payload);
        }
    }

    /// Returns what was signed.
    pub(super) const fn payload(&self) -> &[u8] {
        self.payload.as_bytes()
    }

    /// Returns tags, names and decoded values in the order in which they stand.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (Tag, &str, &str)> {
        let places = self.pairs.iter();
        places.map(|place| (place.tag, self.part(&place.name), self.part(&place.value)))
    }

    /// Returns the decoded value of the parameter called `name`.
    pub(super) fn get(&self, name: &Name) -> Option<&str> {
        self.find(name.tag(), name.as_str())
    }

    fn find(&self, tag: Tag, name: &str) -> Option<&str> {
        let mut same = self.pairs.iter().filter(|place| place.tag == tag);
        let place = same.find(|place| self.part(&place.name) == name)?;
        Some(self.part(&place.value))
    }

    fn part(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }
}
