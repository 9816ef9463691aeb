//! Writing the canonical string from the message as it was sent.

use ringfence_core::refusal::{Code, Refusal};

use super::super::Head;
use super::super::definition::Word;
use super::super::scratch::Pairs;
use super::atom::DigestForm;
use super::{Atom, Place, Scheme};
use crate::{form, json};

/// A message whose canonical string is asked for.
#[derive(Clone, Copy)]
pub(in crate::dialect) struct Source<'a> {
    pub(in crate::dialect) head: &'a Head<'a>,
    /// The body, or the frame, as sent.
    pub(in crate::dialect) body: &'a str,
    pub(in crate::dialect) pairs: &'a Pairs,
}

/// Which reading of the query is meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum QueryForm {
    Sent,
    Unescaped,
}

impl Scheme {
    /// Appends what was signed to `out`.
    ///
    /// # Errors
    ///
    /// `form_malformed`, naming `query`, when a query is there that is not signed, or beside a body where only one may
    /// be, or that cannot be unescaped in one way; what the atoms' own reading finds wrong.
    pub(in crate::dialect) fn write(
        &self,
        source: &Source<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        // What stands in a query that is not signed could be anybody's.
        let unsigned = !self.values && !self.payload.iter().any(Atom::covers_query);
        if unsigned && !source.head.query.is_empty() {
            return Err(Refusal::new(Code::FormMalformed).field("query"));
        }
        if self.query_or_body && !source.head.query.is_empty() && !source.body.is_empty() {
            return Err(Refusal::new(Code::FormMalformed).field("query"));
        }
        self.atoms(&self.payload, source, QueryForm::Sent, out)
    }

    /// Appends what clients that escape after signing signed; `false` when they can have signed nothing else.
    pub(in crate::dialect) fn write_unescaped(
        &self,
        source: &Source<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        if !self.unescaped_query || !source.head.query.contains('%') {
            return false;
        }
        let form = QueryForm::Unescaped;
        self.atoms(&self.payload, source, form, out).is_ok()
    }

    /// Returns each piece of the canonical string with its name, for people.
    ///
    /// # Errors
    ///
    /// As [`Scheme::write`].
    pub(in crate::dialect) fn steps(
        &self,
        source: &Source<'_>,
    ) -> Result<Vec<(String, Vec<u8>)>, Refusal> {
        let mut steps = Vec::new();
        for atom in &self.payload {
            let mut out = Vec::new();
            self.atom(atom, source, QueryForm::Sent, &mut out)?;
            steps.push((atom.to_string(), out));
        }
        Ok(steps)
    }

    fn atoms(
        &self,
        atoms: &[Atom],
        source: &Source<'_>,
        form: QueryForm,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        atoms
            .iter()
            .try_for_each(|atom| self.atom(atom, source, form, out))
    }

    fn atom(
        &self,
        atom: &Atom,
        source: &Source<'_>,
        form: QueryForm,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        match atom {
            Atom::Digest(digest, written, inner) => {
                let start = out.len();
                self.atoms(inner, source, form, out)?;
                digest.replace(out, start);
                if *written == DigestForm::Hex {
                    hex(out, start);
                }
            }
            Atom::Json(path) => {
                let found = json::find(source.body, path)?;
                out.extend_from_slice(found.unwrap_or_default().as_bytes());
            }
            Atom::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Atom::Parameter(name) => {
                out.extend_from_slice(source.pairs.get(name).unwrap_or_default().as_bytes());
            }
            Atom::PathWithout(prefix) => {
                let path = source.head.path;
                let rest = path.strip_prefix(&**prefix).unwrap_or(path);
                out.extend_from_slice(rest.as_bytes());
            }
            Atom::Sorted(inside) => self.sorted(inside, source, out),
            Atom::Word(word) => return self.word(*word, source, form, out),
        }
        Ok(())
    }

    fn word(
        &self,
        word: Word,
        source: &Source<'_>,
        form: QueryForm,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let Source { head, body, pairs } = *source;
        let mut place = |place: Option<&Place>| -> Result<(), Refusal> {
            let text = place.map(|place| place.read(head, pairs)).transpose()?;
            out.extend_from_slice(text.flatten().unwrap_or_default().as_bytes());
            Ok(())
        };
        match word {
            Word::Body => out.extend_from_slice(body.as_bytes()),
            Word::BodyWithoutSignature => self.without(body, out),
            Word::Host => {
                let host = super::place::field(head, &http::header::HOST)?;
                out.extend_from_slice(host.unwrap_or_default().as_bytes());
            }
            Word::Key => match head.key {
                Some(key) => out.extend_from_slice(key.as_bytes()),
                None => return place(Some(&self.key)),
            },
            Word::Method => out.extend_from_slice(head.method.as_bytes()),
            Word::Newline => out.push(b'\n'),
            Word::Nonce => return place(self.nonce.as_ref()),
            Word::Passphrase => return place(self.passphrase.as_ref().map(|(place, _)| place)),
            Word::Path => out.extend_from_slice(head.path.as_bytes()),
            Word::Query if form == QueryForm::Unescaped => {
                out.extend_from_slice(unescape(head.query, Plus::Plain)?.as_bytes());
            }
            Word::Query => out.extend_from_slice(head.query.as_bytes()),
            Word::QueryDecoded => {
                out.extend_from_slice(unescape(head.query, Plus::Escaped)?.as_bytes());
            }
            Word::QueryDecodedSorted => {
                let text = unescape(head.query, Plus::Escaped)?;
                joined(text.split('&').filter(|pair| !pair.is_empty()), out);
            }
            Word::QuerySorted => joined(head.query.split('&').filter(|pair| !pair.is_empty()), out),
            Word::QuerySortedWithoutSignature => {
                let mut rest = Vec::new();
                self.without(head.query, &mut rest);
                // INVARIANT: made of whole pairs of a text.
                let rest = String::from_utf8(rest).unwrap_or_default();
                joined(rest.split('&').filter(|pair| !pair.is_empty()), out);
            }
            Word::QueryWithoutSignature => self.without(head.query, out),
            Word::QuestionMark if head.query.is_empty() => {}
            Word::QuestionMark => out.push(b'?'),
            Word::Timestamp => return place(self.time.as_ref()),
            Word::Window => return place(self.window.as_ref()),
        }
        Ok(())
    }

    fn without(&self, text: &str, out: &mut Vec<u8>) {
        match self.signature_name() {
            Some(name) => form::runs_without(text, name, &mut |run| {
                out.extend_from_slice(run.as_bytes());
            }),
            None => out.extend_from_slice(text.as_bytes()),
        }
    }

    fn sorted(&self, inside: &str, source: &Source<'_>, out: &mut Vec<u8>) {
        let mut all = Vec::new();
        for (_, name, value) in source.pairs.iter() {
            let rest = name
                .strip_prefix(inside)
                .and_then(|rest| rest.strip_prefix('.'));
            if let Some(rest) = rest.filter(|_| Some(name) != self.signature_name()) {
                all.push((rest, format!("{rest}={value}")));
            }
        }
        all.sort();
        out.extend_from_slice(
            all.iter()
                .map(|(_, pair)| &**pair)
                .collect::<Vec<_>>()
                .join("&")
                .as_bytes(),
        );
    }
}

/// Writes what stands in `out` from `start` on in hexadecimal, in place.
fn hex(out: &mut Vec<u8>, start: usize) {
    let raw = out.len();
    out.resize(start + 2 * (raw - start), 0);
    // From the end, so that nothing is overwritten before it is read.
    for at in (start..raw).rev() {
        let byte = out[at];
        let place = start + 2 * (at - start);
        out[place] = b"0123456789abcdef"[usize::from(byte >> 4)];
        out[place + 1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
}

/// Appends `pairs` in the order of their bytes, with `&` between.
fn joined<'a>(pairs: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
    let mut all: Vec<_> = pairs.collect();
    all.sort_unstable();
    out.extend_from_slice(all.join("&").as_bytes());
}

/// How a client writes a plus sign.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Plus {
    Escaped,
    Plain,
}

/// Resolves the escapes of a query that was signed before it was escaped.
///
/// Two queries that say different things must not resolve to the same text: `%26` would be taken for `&`, `%2541` for
/// `A`, `+` or `%2B` for the other. Such a query is refused, and so is an escape in lower case or of a character that
/// needs none, for which nobody's client has a use.
fn unescape(query: &str, plus: Plus) -> Result<String, Refusal> {
    let malformed = || Refusal::new(Code::FormMalformed).field("query");
    let mut ambiguous = query.contains('+') && plus == Plus::Escaped;
    let mut rest = query;
    while let Some((_, after)) = rest.split_once('%') {
        let (digits, after) = after.split_at_checked(2).ok_or_else(malformed)?;
        let kept = after.len();
        ambiguous |= digits.bytes().any(|b| b.is_ascii_lowercase());
        let byte = u8::from_str_radix(digits, 16).map_err(|_| malformed())?;
        ambiguous |= match byte {
            b'&' | b'#' | b'%' | b'-' | b'.' | b'_' | b'~' => true,
            b'+' => plus == Plus::Plain,
            other => other.is_ascii_alphanumeric() || other.is_ascii_control(),
        };
        rest = &rest[rest.len() - kept..];
    }
    if ambiguous {
        return Err(malformed());
    }
    // `decode` reads `+` as a space; here it stands for itself.
    let mut out = String::with_capacity(query.len());
    for (index, part) in query.split('+').enumerate() {
        if index > 0 {
            out.push('+');
        }
        form::decode(part, &mut out).map_err(|_| malformed())?;
    }
    Ok(out)
}
