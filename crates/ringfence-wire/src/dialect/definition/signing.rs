//! The signing part of a dialect as it is written down: one form for every venue.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// How messages are signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct Signing {
    /// Short for `key: {header: ...}`.
    pub(in crate::dialect) key_header: Option<String>,
    /// Where the key id stands.
    pub(in crate::dialect) key: Option<Place>,
    /// Where the signature stands.
    pub(in crate::dialect) signature: Place,
    /// What is signed, in order, with nothing between.
    pub(in crate::dialect) payload: Vec<Atom>,
    /// Query and body are alternatives: a message that has both is refused, since where one ends is not signed.
    #[serde(default)]
    pub(in crate::dialect) query_or_body: bool,
    /// Some clients sign the query before they escape it: that reading is tried, too.
    #[serde(default)]
    pub(in crate::dialect) unescaped_query: bool,
    pub(in crate::dialect) encodings: Encodings,
    #[serde(default)]
    pub(in crate::dialect) hmac: Hmac,
    pub(in crate::dialect) time: Time,
    pub(in crate::dialect) nonce: Option<Place>,
    pub(in crate::dialect) passphrase: Option<Passphrase>,
    /// What a signed message carries beside.
    #[serde(default)]
    pub(in crate::dialect) constants: Vec<Constant>,
}

/// Where something stands: the name of a parameter, or a header field.
#[derive(Clone, Debug)]
pub(in crate::dialect) enum Place {
    Named(NamedPlace),
    /// A name in the query, the form or the JSON body.
    Parameter(String),
}

/// Exactly one of `header`, `query` and `body`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct NamedPlace {
    pub(in crate::dialect) header: Option<String>,
    /// A parameter that a signer puts in the query.
    pub(in crate::dialect) query: Option<String>,
    /// A parameter that a signer puts in the body.
    pub(in crate::dialect) body: Option<String>,
    /// The header's value starts with this word, and the rest is a list of `name=value`.
    pub(in crate::dialect) scheme: Option<String>,
    /// The name in that list.
    pub(in crate::dialect) field: Option<String>,
}

/// A piece of the canonical string.
#[derive(Clone, Debug)]
pub(in crate::dialect) enum Atom {
    Word(Word),
    Made(Box<Made>),
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(in crate::dialect) enum Word {
    /// The body as sent.
    Body,
    /// The form body as sent, less the signature's pair.
    BodyWithoutSignature,
    /// The `Host` field as sent.
    Host,
    /// The key's id as sent.
    Key,
    Method,
    Newline,
    /// The nonce as sent; nothing when there is none.
    Nonce,
    /// The passphrase as sent.
    Passphrase,
    Path,
    /// The query as sent.
    Query,
    /// The query with its escapes resolved.
    QueryDecoded,
    /// The pairs of the query with their escapes resolved, in the order of their bytes.
    QueryDecodedSorted,
    /// The pairs of the query as sent, in the order of their bytes.
    QuerySorted,
    /// The same, less the signature's pair.
    QuerySortedWithoutSignature,
    /// The query as sent, less the signature's pair.
    QueryWithoutSignature,
    /// `?` where a query follows.
    QuestionMark,
    /// The time as sent.
    Timestamp,
    /// The window as sent; nothing when there is none.
    Window,
}

impl Word {
    /// Returns its name for people.
    pub(in crate::dialect) const fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::BodyWithoutSignature => "body without signature",
            Self::Host => "host",
            Self::Key => "key",
            Self::Method => "method",
            Self::Newline => "newline",
            Self::Nonce => "nonce",
            Self::Passphrase => "passphrase",
            Self::Path => "path",
            Self::Query => "query",
            Self::QueryDecoded => "query decoded",
            Self::QueryDecodedSorted => "query decoded sorted",
            Self::QuerySorted => "query sorted",
            Self::QuerySortedWithoutSignature => "query sorted without signature",
            Self::QueryWithoutSignature => "query without signature",
            Self::QuestionMark => "question mark",
            Self::Timestamp => "timestamp",
            Self::Window => "window",
        }
    }
}

/// A piece that needs a word more: exactly one of these.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::dialect) struct Made {
    /// This text.
    pub(in crate::dialect) literal: Option<String>,
    /// The value of a parameter, or of a name in a frame.
    pub(in crate::dialect) parameter: Option<String>,
    /// A value of a frame as sent, objects and lists included.
    pub(in crate::dialect) json: Option<String>,
    /// The path less this prefix, where it has it.
    pub(in crate::dialect) path_without: Option<String>,
    /// `name=value&...` of everything inside this name of a frame, sorted, less the signature.
    pub(in crate::dialect) sorted: Option<String>,
    /// The digest's bytes.
    pub(in crate::dialect) sha256: Option<Vec<Atom>>,
    /// The digest in lower-case hexadecimal.
    pub(in crate::dialect) sha512_hex: Option<Vec<Atom>>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::dialect) struct Hmac {
    pub(in crate::dialect) digest: DigestName,
    pub(in crate::dialect) secret: SecretName,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::dialect) enum DigestName {
    #[default]
    Sha256,
    Sha384,
    Sha512,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::dialect) enum SecretName {
    /// The key is what the secret's text decodes to.
    Base64,
    #[default]
    Text,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::dialect) enum EncodingName {
    Base64,
    Base64url,
    Hex,
}

/// How signatures are written, by algorithm; keys of one that is left out do not sign here.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::dialect) struct Encodings {
    pub(in crate::dialect) ecdsa: Option<Ecdsa>,
    pub(in crate::dialect) hmac: Option<EncodingName>,
    pub(in crate::dialect) ed25519: Option<EncodingName>,
    pub(in crate::dialect) rsa: Option<EncodingName>,
}

/// How an ECDSA signature is written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct Ecdsa {
    pub(in crate::dialect) form: EcdsaFormName,
    pub(in crate::dialect) encoding: EncodingName,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::dialect) enum EcdsaFormName {
    Der,
    /// r and s in 32 bytes each.
    Fixed,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct Time {
    /// Where the time stands; a nonce that is a clock is a time. A scheme without either admits nothing that is signed.
    pub(in crate::dialect) parameter: Option<Place>,
    /// A message without a time reads as signed at the epoch: it verifies, and every window refuses it.
    #[serde(default)]
    pub(in crate::dialect) optional: bool,
    #[serde(default)]
    pub(in crate::dialect) unit: Unit,
    /// Where the window in milliseconds stands, up to three decimals.
    pub(in crate::dialect) window_parameter: Option<Place>,
    pub(in crate::dialect) window_default_ms: u64,
    pub(in crate::dialect) window_max_ms: u64,
    pub(in crate::dialect) ahead_ms: u64,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(in crate::dialect) enum Unit {
    /// Seconds in the first ten digits, and their parts in as many more as there are.
    Digits,
    /// `2020-12-08T09:08:57.715Z`.
    Iso8601,
    /// `2020-12-08T09:08:57`, UTC.
    Iso8601Seconds,
    Ms,
    /// Milliseconds, or microseconds by magnitude.
    #[default]
    MsOrUs,
    Ns,
    /// Seconds, with up to six decimals.
    S,
    Us,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct Passphrase {
    pub(in crate::dialect) place: Place,
    #[serde(default)]
    pub(in crate::dialect) form: PassphraseForm,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(in crate::dialect) enum PassphraseForm {
    /// Signed as a message would be.
    Signed,
    #[default]
    Text,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct Constant {
    pub(in crate::dialect) place: Place,
    pub(in crate::dialect) value: String,
}

/// Reads a text as one thing and a map as another, keeping the path of what is wrong in either.
struct TextOr<T, M> {
    text: fn(&str) -> Result<T, String>,
    map: fn(M) -> T,
    wants: &'static str,
}

impl<'de, T, M: Deserialize<'de>> Visitor<'de> for TextOr<T, M> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wants)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.text)(text).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        M::deserialize(MapAccessDeserializer::new(map)).map(self.map)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOr {
            text: |text| Ok(Self::Parameter(text.to_owned())),
            map: Self::Named,
            wants: "the name of a parameter, or a map such as {header: name}",
        })
    }
}

impl<'de> Deserialize<'de> for Atom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = |text: &str| {
            let read: StrDeserializer<'_, serde::de::value::Error> = StrDeserializer::new(text);
            Word::deserialize(read)
                .map(Self::Word)
                .map_err(|error| error.to_string())
        };
        deserializer.deserialize_any(TextOr {
            text: word,
            map: |made: Made| Self::Made(Box::new(made)),
            wants: "the name of a piece, or a map such as {literal: text}",
        })
    }
}
