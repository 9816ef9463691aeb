//! The pieces of a canonical string.

use std::fmt;

use ringfence_core::sign::Digest;

use super::super::definition::Word;
use super::super::name::Name;

/// A piece of the canonical string.
#[derive(Clone, Debug)]
pub(in crate::dialect) enum Atom {
    /// A digest of pieces.
    Digest(Digest, DigestForm, Box<[Atom]>),
    /// A value of a frame as sent, found by its name.
    Json(Box<str>),
    /// This text.
    Literal(Box<str>),
    /// The value of a parameter, decoded.
    Parameter(Name),
    /// The path less a prefix.
    PathWithout(Box<str>),
    /// All values inside a name of a frame, sorted, less the signature.
    Sorted(Box<str>),
    /// A piece that needs no word more.
    Word(Word),
}

/// How a digest stands in the canonical string.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::dialect) enum DigestForm {
    /// Its bytes.
    Bytes,
    /// Lower-case hexadecimal.
    Hex,
}

impl Atom {
    fn any(&self, covers: fn(&Self) -> bool) -> bool {
        match self {
            Self::Digest(_, _, inner) => inner.iter().any(covers),
            Self::Json(_)
            | Self::Literal(_)
            | Self::Parameter(_)
            | Self::PathWithout(_)
            | Self::Sorted(_)
            | Self::Word(_) => false,
        }
    }

    pub(super) fn covers_method(&self) -> bool {
        matches!(self, Self::Word(Word::Method)) || self.any(Self::covers_method)
    }

    pub(super) fn covers_path(&self) -> bool {
        matches!(self, Self::Word(Word::Path) | Self::PathWithout(_)) || self.any(Self::covers_path)
    }

    pub(super) fn covers_host(&self) -> bool {
        matches!(self, Self::Word(Word::Host)) || self.any(Self::covers_host)
    }

    pub(super) fn covers_query(&self) -> bool {
        matches!(
            self,
            Self::Word(
                Word::Query
                    | Word::QueryDecoded
                    | Word::QueryDecodedSorted
                    | Word::QuerySorted
                    | Word::QuerySortedWithoutSignature
                    | Word::QueryWithoutSignature
            )
        ) || self.any(Self::covers_query)
    }

    pub(super) fn covers_body(&self) -> bool {
        matches!(self, Self::Word(Word::Body | Word::BodyWithoutSignature))
            || self.any(Self::covers_body)
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest, _, inner) => {
                write!(f, "{digest:?} of")?;
                inner.iter().try_for_each(|atom| write!(f, " {atom}"))
            }
            Self::Json(path) => write!(f, "{path} as sent"),
            Self::Literal(text) => write!(f, "{text:?}"),
            Self::Parameter(name) => write!(f, "parameter {}", name.as_str()),
            Self::PathWithout(prefix) => write!(f, "path without {prefix}"),
            Self::Sorted(inside) => write!(f, "{inside} sorted"),
            Self::Word(word) => f.write_str(word.as_str()),
        }
    }
}
