//! Where key, signature, time and nonce stand.

use std::fmt;

use http::HeaderName;
use http::header::HeaderValue;
use ringfence_core::refusal::{Code, Refusal};

use super::super::Head;
use super::super::name::Name;
use super::super::scratch::Pairs;
use crate::http::single;

/// Where something stands.
#[derive(Clone, Debug)]
pub(in crate::dialect) enum Place {
    /// A header field; its whole value, or one of the named parts behind the scheme's word.
    Header {
        name: HeaderName,
        part: Option<(Box<str>, Box<str>)>,
    },
    /// A name in the query, the body or the frame.
    Parameter(Name, Into),
}

/// Where a signer puts a parameter; a reader takes it from anywhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::dialect) enum Into {
    Body,
    /// The form body if there is one, else the query.
    Either,
    Query,
}

impl Place {
    pub(in crate::dialect) const fn parameter(&self) -> Option<&Name> {
        match self {
            Self::Parameter(name, _) => Some(name),
            Self::Header { .. } => None,
        }
    }

    /// Returns its name as people know it.
    pub(in crate::dialect) fn as_str(&self) -> &str {
        match self {
            Self::Parameter(name, _) => name.as_str(),
            Self::Header { name, .. } => name.as_str(),
        }
    }

    /// Returns what stands there.
    ///
    /// # Errors
    ///
    /// `form_duplicate` for a field or part that stands twice, `form_malformed` for one that cannot be read.
    pub(super) fn read<'a>(
        &self,
        head: &Head<'a>,
        pairs: &'a Pairs,
    ) -> Result<Option<&'a str>, Refusal> {
        Ok(match self {
            Self::Parameter(name, _) => pairs.get(name),
            Self::Header { name, part } => match (field(head, name)?, part) {
                (Some(value), Some((scheme, part))) => inside(value, scheme, part)?,
                (value, _) => value,
            },
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name, part: None } => write!(f, "header {name}"),
            Self::Header {
                name,
                part: Some((_, part)),
            } => write!(f, "{part} in header {name}"),
            Self::Parameter(name, _) => write!(f, "parameter {}", name.as_str()),
        }
    }
}

/// Returns the value of a header field.
pub(super) fn field<'a>(head: &Head<'a>, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let Some(headers) = head.headers else {
        return Ok(None);
    };
    let text = |value: &'a HeaderValue| {
        let malformed = || Refusal::new(Code::FormMalformed).field(name.as_str());
        value.to_str().map_err(|_| malformed())
    };
    single(headers, name, Code::FormDuplicate)?
        .map(text)
        .transpose()
}

/// Returns the part called `name` of `scheme name=value,name=value`.
fn inside<'a>(value: &'a str, scheme: &str, name: &str) -> Result<Option<&'a str>, Refusal> {
    let Some(list) = value
        .strip_prefix(scheme)
        .and_then(|rest| rest.strip_prefix(' '))
    else {
        return Ok(None);
    };
    let mut found = None;
    for part in list.split(',') {
        let part = part.trim_matches(' ');
        let (key, value) = part.split_once('=').ok_or(Code::FormMalformed)?;
        if key == name && found.replace(value).is_some() {
            return Err(Refusal::new(Code::FormDuplicate).field(name));
        }
    }
    Ok(found)
}
