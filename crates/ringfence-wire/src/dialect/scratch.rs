//! The parameters of one message, read strictly, in memory that the next message reuses.

use std::ops::Range;

use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::sign::Claim;

use super::Head;
use super::batch::{Batch, Items};
use super::definition::BodyKind;
use super::name::{Name, Tag};
use super::scheme::{Proof, Scheme, Signing, Source};
use crate::form::{self, PARAMETERS_MAX};
use crate::json;

/// Memory that one reading uses and the next reuses.
#[derive(Debug, Default)]
pub struct Scratch {
    pairs: Pairs,
    /// The orders of a batch.
    items: Items,
    /// What was signed.
    payload: Vec<u8>,
    /// What it was if the client escaped after signing.
    otherwise: Vec<u8>,
    /// Whether it can have been so.
    twofold: bool,
    /// What a scheme in code found.
    proof: Proof,
}

/// Names and decoded values, in the order in which they stand.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Names and decoded values, end to end.
    text: String,
    places: Vec<Place>,
}

/// Where one pair's name and value stand in `text`.
#[derive(Debug)]
struct Place {
    tag: Tag,
    name: Range<usize>,
    value: Range<usize>,
    /// Whether it stands there as text, where that makes a difference.
    quoted: bool,
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
        (kind, batch): (BodyKind, Option<&Batch>),
        signature: Option<&str>,
    ) -> Result<(), Refusal> {
        self.clear();
        self.pairs.form(query, signature)?;
        match (kind, batch) {
            (BodyKind::Form, _) => self.pairs.form(body, signature)?,
            (BodyKind::Json, None) if body.is_empty() => {}
            (BodyKind::Json, None) => self.pairs.json(body, true)?,
            (BodyKind::Json, Some(batch)) => {
                return self.items.read(body, batch.place(), batch, &mut self.pairs);
            }
        }
        batch.map_or(Ok(()), |batch| self.unfold(batch))
    }

    /// Reads the orders of a form, which are JSON in one of its parameters.
    fn unfold(&mut self, batch: &Batch) -> Result<(), Refusal> {
        let list = self
            .pairs
            .get(&batch.parameter())
            .unwrap_or("[]")
            .to_owned();
        let mut beside = Pairs::default();
        self.items.read(&list, "", batch, &mut beside)?;
        match beside.iter().next() {
            None => Ok(()),
            Some((_, name, _)) => Err(Refusal::new(Code::FormMalformed).field(name)),
        }
    }

    /// Checks the orders of a batch one by one, and gives each what stands beside them.
    ///
    /// # Errors
    ///
    /// As [`Items::share`].
    pub(super) fn share(&mut self, batch: &Batch) -> Result<(), Refusal> {
        self.items.share(batch, &self.pairs)
    }

    /// Returns the pairs of each order of a batch.
    pub(super) fn items(&self) -> &[Pairs] {
        self.items.as_slice()
    }

    /// Reads a frame: every value under its whole name.
    ///
    /// # Errors
    ///
    /// As [`Scratch::read`].
    pub(super) fn read_frame(&mut self, text: &str) -> Result<(), Refusal> {
        self.clear();
        self.pairs.json(text, false)
    }

    fn clear(&mut self) {
        self.pairs.clear();
        self.items.clear();
        self.payload.clear();
        self.otherwise.clear();
        self.twofold = false;
    }

    /// Writes what was signed from the message as sent.
    ///
    /// # Errors
    ///
    /// As [`Scheme::write`].
    pub(super) fn sign(
        &mut self,
        scheme: &Scheme,
        head: &Head<'_>,
        body: &str,
    ) -> Result<(), Refusal> {
        self.payload.clear();
        self.otherwise.clear();
        let source = Source {
            head,
            body,
            pairs: &self.pairs,
        };
        scheme.write(&source, &mut self.payload)?;
        self.twofold = scheme.write_unescaped(&source, &mut self.otherwise);
        Ok(())
    }

    /// Returns the memory for what was signed, emptied, for who writes it.
    pub(super) fn base(&mut self) -> &mut Vec<u8> {
        self.payload.clear();
        &mut self.payload
    }

    /// Reads who signed the message and what was signed.
    ///
    /// # Errors
    ///
    /// What the scheme finds wrong.
    pub(super) fn prove(
        &mut self,
        signing: &Signing,
        head: &Head<'_>,
        body: &str,
    ) -> Result<(), Refusal> {
        match signing {
            Signing::Canonical(scheme) => self.sign(scheme, head, body),
            Signing::Code(coded) => {
                self.proof.clear();
                let pairs = &self.pairs;
                coded.read(&Source { head, body, pairs }, &mut self.proof)
            }
        }
    }

    /// Returns what the message says about who signed it.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub(super) fn claim<'a>(
        &'a self,
        signing: &Signing,
        head: &Head<'a>,
    ) -> Result<Claim<'a>, Refusal> {
        match signing {
            Signing::Canonical(scheme) => scheme.claim(head, self),
            Signing::Code(_) => self.proof.claim(),
        }
    }

    /// Returns what was signed.
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Returns what some clients sign in its place.
    pub(super) fn otherwise(&self) -> Option<&[u8]> {
        self.twofold.then_some(&*self.otherwise)
    }

    /// Returns the pairs.
    pub(super) const fn pairs(&self) -> &Pairs {
        &self.pairs
    }
}

impl Pairs {
    fn form(&mut self, text: &str, signature: Option<&str>) -> Result<(), Refusal> {
        for pair in form::pairs(text, signature) {
            let pair = pair?;
            let name = self.name(pair.name, PARAMETERS_MAX)?;
            let value = if pair.escaped {
                form::decode(pair.value, &mut self.text)?
            } else {
                self.append(pair.value)
            };
            self.add(pair.name, name, value, true);
        }
        Ok(())
    }

    /// Reads JSON. Where `bare`, the first object of a list is read as if it stood alone: ccxt sends one OKX order so.
    fn json(&mut self, text: &str, bare: bool) -> Result<(), Refusal> {
        if bare && text.trim() == "{}" {
            return Ok(());
        }
        let bare = bare && text.trim_start().starts_with('[');
        json::values(text, &mut |value| {
            let path = if bare {
                value.path.strip_prefix("0.").unwrap_or(value.path)
            } else {
                value.path
            };
            self.value(path, value.raw)
        })
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.places.clear();
    }

    /// Adds a value of JSON, as sent.
    pub(super) fn value(&mut self, path: &str, raw: &str) -> Result<(), Refusal> {
        let name = self.name(path, json::VALUES_MAX)?;
        let start = self.text.len();
        json::append(raw, &mut self.text)?;
        let end = self.text.len();
        self.add(path, name, start..end, raw.starts_with('"'));
        Ok(())
    }

    /// Adds all pairs of `others`; a name that stands here already is refused.
    pub(super) fn take_all(&mut self, others: &Self) -> Result<(), Refusal> {
        for place in &others.places {
            let text = others.part(&place.name);
            let name = self.name(text, json::VALUES_MAX)?;
            let value = self.append(others.part(&place.value));
            self.add(text, name, value, place.quoted);
        }
        Ok(())
    }

    /// Takes the name of a pair; one that stands there already is refused.
    fn name(&mut self, name: &str, most: usize) -> Result<Range<usize>, Refusal> {
        if self.find(Tag::of(name), name).is_some() {
            return Err(Refusal::new(Code::FormDuplicate).field(name));
        }
        if self.places.len() >= most {
            return Err(Code::FormMalformed.into());
        }
        Ok(self.append(name))
    }

    fn add(&mut self, text: &str, name: Range<usize>, value: Range<usize>, quoted: bool) {
        let tag = Tag::of(text);
        self.places.push(Place {
            tag,
            name,
            value,
            quoted,
        });
    }

    fn append(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }

    /// Returns tags, names and decoded values in the order in which they stand.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Tag, &str, &str)> {
        let places = self.places.iter();
        places.map(|place| (place.tag, self.part(&place.name), self.part(&place.value)))
    }

    /// Returns the decoded value of the parameter called `name`.
    pub(super) fn get(&self, name: &Name) -> Option<&str> {
        self.find(name.tag(), name.as_str())
    }

    /// Returns the same, and whether it stands there as text.
    pub(super) fn get_typed(&self, name: &Name) -> Option<(&str, bool)> {
        let place = self.place(name.tag(), name.as_str())?;
        Some((self.part(&place.value), place.quoted))
    }

    fn find(&self, tag: Tag, name: &str) -> Option<&str> {
        let place = self.place(tag, name)?;
        Some(self.part(&place.value))
    }

    fn place(&self, tag: Tag, name: &str) -> Option<&Place> {
        let mut same = self.places.iter().filter(|place| place.tag == tag);
        same.find(|place| self.part(&place.name) == name)
    }

    fn part(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }
}
