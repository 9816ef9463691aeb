//! From the written form to the compiled scheme. Every error names the field.

use http::HeaderName;
use ringfence_core::freshness::Window;
use ringfence_core::sign::{Digest, EcdsaForm, Encoding, HmacForm, SecretForm, SignatureEncodings};

use super::super::DialectError;
use super::super::compile::wrong;
use super::super::definition::{
    Atom as WrittenAtom, Constant, DigestName, EcdsaFormName, EncodingName, Encodings, Hmac, Made,
    Place as WrittenPlace, SecretName, Signing, Time,
};
use super::super::name::Name;
use super::atom::DigestForm;
use super::place::Into;
use super::{Atom, Place, Scheme};

impl Scheme {
    /// Compiles `written`, which stands at `field`.
    ///
    /// # Errors
    ///
    /// [`DialectError`] naming the first field that is wrong.
    pub(in crate::dialect) fn compile(
        written: &Signing,
        field: &str,
    ) -> Result<Self, DialectError> {
        let at = |last: &str| format!("{field}.{last}");
        if written.payload.is_empty() {
            return Err(wrong(&at("payload"), "a signature must cover something"));
        }
        let optional = |place: &Option<WrittenPlace>, last: &str| {
            let compiled = place.as_ref().map(|place| self::place(place, &at(last)));
            compiled.transpose()
        };
        let payload = atoms(&written.payload, &at("payload"))?;
        let scheme = Self {
            key: key(written, field)?,
            signature: place(&written.signature, &at("signature"))?,
            payload,
            query_or_body: written.query_or_body,
            unescaped_query: written.unescaped_query,
            encodings: encodings(&written.encodings, &at("encodings"))?,
            hmac: hmac(written.hmac),
            time: optional(&written.time.parameter, "time.parameter")?,
            time_optional: written.time.optional,
            unit: written.time.unit,
            window: optional(&written.time.window_parameter, "time.window_parameter")?,
            nonce: optional(&written.nonce, "nonce")?,
            passphrase: match &written.passphrase {
                Some(phrase) => Some((place(&phrase.place, &at("passphrase.place"))?, phrase.form)),
                None => None,
            },
            constants: constants(&written.constants, field)?,
            rule: window(&written.time, field)?,
            values: false,
        };
        scheme.distinct(field)?;
        Ok(scheme)
    }

    /// Checks that signature, time and window do not share a place.
    fn distinct(&self, field: &str) -> Result<(), DialectError> {
        let places = [
            ("signature", Some(&self.signature)),
            ("time.parameter", self.time.as_ref()),
            ("time.window_parameter", self.window.as_ref()),
        ];
        let name = |place: Option<&Place>| place.map(|place| format!("{place:?}"));
        for (index, (last, place)) in places.iter().enumerate() {
            let before = places.iter().take(index);
            let taken = before
                .into_iter()
                .any(|(_, other)| name(*other) == name(*place));
            if place.is_some() && taken {
                let what = "it is empty or names another's parameter";
                return Err(wrong(&format!("{field}.{last}"), what));
            }
        }
        Ok(())
    }
}

fn key(written: &Signing, field: &str) -> Result<Place, DialectError> {
    match (&written.key_header, &written.key) {
        (Some(header), None) => {
            let name = header_name(header, &format!("{field}.key_header"))?;
            Ok(Place::Header { name, part: None })
        }
        (None, Some(place)) => self::place(place, &format!("{field}.key")),
        (_, _) => Err(wrong(
            &format!("{field}.key"),
            "give one of `key` and `key_header`",
        )),
    }
}

fn header_name(text: &str, field: &str) -> Result<HeaderName, DialectError> {
    let what = "not the name of a header field";
    HeaderName::try_from(text).map_err(|_| wrong(field, what))
}

fn place(written: &WrittenPlace, field: &str) -> Result<Place, DialectError> {
    let named = |name: &str, into| {
        if name.is_empty() {
            return Err(wrong(field, "it is empty or names another's parameter"));
        }
        Ok(Place::Parameter(Name::from(name), into))
    };
    let written = match written {
        WrittenPlace::Parameter(name) => return named(name, Into::Either),
        WrittenPlace::Named(written) => written,
    };
    let part = match (&written.scheme, &written.field) {
        (Some(scheme), Some(part)) => Some((scheme.as_str().into(), part.as_str().into())),
        (None, None) => None,
        (_, _) => return Err(wrong(field, "`scheme` and `field` go together")),
    };
    match (&written.header, &written.query, &written.body) {
        (Some(header), None, None) => {
            let name = header_name(header, &format!("{field}.header"))?;
            Ok(Place::Header { name, part })
        }
        (None, Some(name), None) => named(name, Into::Query),
        (None, None, Some(name)) => named(name, Into::Body),
        (_, _, _) => Err(wrong(field, "give one of `header`, `query` and `body`")),
    }
}

fn atoms(written: &[WrittenAtom], field: &str) -> Result<Box<[Atom]>, DialectError> {
    let numbered = written.iter().enumerate();
    let compiled = numbered.map(|(index, atom)| self::atom(atom, &format!("{field}[{index}]")));
    compiled.collect()
}

fn atom(written: &WrittenAtom, field: &str) -> Result<Atom, DialectError> {
    let made = match written {
        WrittenAtom::Word(word) => return Ok(Atom::Word(*word)),
        WrittenAtom::Made(made) => &**made,
    };
    let Made {
        literal,
        parameter,
        json,
        path_without,
        sorted,
        sha256,
        sha512_hex,
    } = made;
    let text = |text: &Option<String>, make: fn(Box<str>) -> Atom| {
        text.as_ref().map(|text| Ok(make(text.as_str().into())))
    };
    let digest = |inner: &Option<Vec<WrittenAtom>>, digest, form, last: &str| {
        let inner = inner.as_ref()?;
        let inner = atoms(inner, &format!("{field}.{last}"));
        Some(inner.map(|inner| Atom::Digest(digest, form, inner)))
    };
    let mut given = [
        text(literal, Atom::Literal),
        text(parameter, |name| Atom::Parameter(Name::from(&*name))),
        text(json, Atom::Json),
        text(path_without, Atom::PathWithout),
        text(sorted, Atom::Sorted),
        digest(sha256, Digest::Sha256, DigestForm::Bytes, "sha256"),
        digest(sha512_hex, Digest::Sha512, DigestForm::Hex, "sha512_hex"),
    ]
    .into_iter()
    .flatten();
    match (given.next(), given.next()) {
        (Some(one), None) => one,
        (_, _) => Err(wrong(field, "a piece is exactly one thing")),
    }
}

fn encodings(written: &Encodings, field: &str) -> Result<SignatureEncodings, DialectError> {
    let ecdsa = written.ecdsa.map(|written| {
        let form = match written.form {
            EcdsaFormName::Der => EcdsaForm::Der,
            EcdsaFormName::Fixed => EcdsaForm::Fixed,
        };
        (encoding(written.encoding), form)
    });
    let encodings = SignatureEncodings {
        ecdsa,
        ed25519: written.ed25519.map(encoding),
        hmac: written.hmac.map(encoding),
        rsa: written.rsa.map(encoding),
    };
    if encodings == SignatureEncodings::default() {
        return Err(wrong(field, "without an algorithm nobody can sign"));
    }
    Ok(encodings)
}

const fn encoding(name: EncodingName) -> Encoding {
    match name {
        EncodingName::Base64 => Encoding::Base64,
        EncodingName::Base64url => Encoding::Base64Url,
        EncodingName::Hex => Encoding::Hex,
    }
}

const fn hmac(written: Hmac) -> HmacForm {
    HmacForm {
        digest: match written.digest {
            DigestName::Sha256 => Digest::Sha256,
            DigestName::Sha384 => Digest::Sha384,
            DigestName::Sha512 => Digest::Sha512,
        },
        secret: match written.secret {
            SecretName::Base64 => SecretForm::Base64,
            SecretName::Text => SecretForm::Text,
        },
    }
}

type Constants = Box<[(Place, Box<str>)]>;

fn constants(written: &[Constant], field: &str) -> Result<Constants, DialectError> {
    let numbered = written.iter().enumerate();
    let compiled = numbered.map(|(index, constant)| {
        let field = format!("{field}.constants[{index}].place");
        Ok((
            place(&constant.place, &field)?,
            constant.value.as_str().into(),
        ))
    });
    compiled.collect()
}

/// Longest window that a dialect may have: a day. Replay memory has to remember that long.
const WINDOW_MAX_MS: u64 = 86_400_000;

fn window(written: &Time, field: &str) -> Result<Window, DialectError> {
    bounds(
        written.window_default_ms,
        written.window_max_ms,
        written.ahead_ms,
        field,
    )
}

/// Returns a time rule; one that has no end is refused.
///
/// # Errors
///
/// [`DialectError`] naming the bound.
pub(super) fn bounds(
    default_ms: u64,
    max_ms: u64,
    ahead_ms: u64,
    field: &str,
) -> Result<Window, DialectError> {
    let bounds = [
        ("window_max_ms", max_ms, WINDOW_MAX_MS),
        ("window_default_ms", default_ms, max_ms),
        ("ahead_ms", ahead_ms, WINDOW_MAX_MS),
    ];
    for (name, given, most) in bounds {
        if given > most {
            return Err(wrong(
                &format!("{field}.time.{name}"),
                format!("it is more than {most}"),
            ));
        }
    }
    Ok(Window {
        default_us: default_ms * 1000,
        max_us: max_ms * 1000,
        ahead_us: ahead_ms * 1000,
    })
}
