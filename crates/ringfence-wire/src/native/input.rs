//! `Signature-Input` and `Signature`: one signature, with the coverage and the parameters that the server fixes.

use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::sign::Stamp;

use super::field::Cursor;

/// What every signature covers, in this order.
const COVERED: &str = r#"("@method" "@authority" "@path" "@query")"#;
/// The same of a message with a body.
const COVERED_WITH_DIGEST: &str = r#"("@method" "@authority" "@path" "@query" "content-digest")"#;
/// The algorithm's name in the IANA registry of HTTP Signature Algorithms.
const ALGORITHM: &str = "ed25519";
const SECOND_US: u64 = 1_000_000;
/// Longest `nonce`, in bytes.
const NONCE_MAX: usize = 128;

/// What the two fields say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Input<'a> {
    /// The inner list and its parameters, as they stand in the signature base.
    pub(super) parameters: &'a str,
    pub(super) with_digest: bool,
    pub(super) key_id: &'a str,
    pub(super) stamp: Stamp,
    /// Base64.
    pub(super) signature: &'a str,
}

/// Parameters, each at most once.
#[derive(Default)]
struct Found<'a> {
    created: Option<u64>,
    expires: Option<u64>,
    nonce: Option<&'a str>,
    key_id: Option<&'a str>,
    algorithm: Option<&'a str>,
}

impl<'a> Input<'a> {
    /// Reads the values of `Signature-Input` and `Signature`.
    ///
    /// # Errors
    ///
    /// `signature_field`, naming the field that is not exactly one signature in canonical form; `signature_coverage`;
    /// `signature_parameter`, naming the parameter.
    pub(super) fn parse(input: &'a str, signature: &'a str) -> Result<Self, Refusal> {
        let field = |name: &str| Refusal::new(Code::SignatureField).field(name);
        let mut cursor = Cursor::new(input);
        let label = cursor.key().ok_or_else(|| field("signature-input"))?;
        cursor.eat("=").ok_or_else(|| field("signature-input"))?;
        let parameters = cursor.rest();
        let with_digest = coverage(&mut cursor)?;
        let found = Found::read(&mut cursor)?;
        cursor.end().ok_or_else(|| field("signature-input"))?;
        let signed = named(signature, label).ok_or_else(|| field("signature"))?;
        let (created, expires) = found.times()?;
        Ok(Self {
            parameters,
            with_digest,
            key_id: found.key_id.ok_or_else(|| wrong("keyid"))?,
            stamp: Stamp {
                time_us: created * SECOND_US,
                window_us: (expires - created) * SECOND_US,
            },
            signature: signed,
        })
    }
}

fn wrong(parameter: &str) -> Refusal {
    Refusal::new(Code::SignatureParameter).field(parameter)
}

/// Takes the list of what is covered; tells whether the digest is among it.
fn coverage(cursor: &mut Cursor<'_>) -> Result<bool, Refusal> {
    if cursor.eat(COVERED_WITH_DIGEST).is_some() {
        return Ok(true);
    }
    let plain = cursor.eat(COVERED).map(|()| false);
    plain.ok_or_else(|| Code::SignatureCoverage.into())
}

/// Returns the base64 of the only signature in `text`, which must have this label.
fn named<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let mut cursor = Cursor::new(text);
    cursor.eat(label)?;
    cursor.eat("=")?;
    let signed = cursor.bytes()?;
    cursor.end()?;
    Some(signed)
}

impl<'a> Found<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Refusal> {
        let mut found = Self::default();
        while cursor.eat(";").is_some() {
            let field = || Refusal::new(Code::SignatureField).field("signature-input");
            let name = cursor.key().ok_or_else(field)?;
            // Without a value it would be a Boolean, and none of ours is one.
            cursor.eat("=").ok_or_else(|| wrong(name))?;
            let twice = match name {
                "created" => found.created.replace(integer(cursor, name)?).is_some(),
                "expires" => found.expires.replace(integer(cursor, name)?).is_some(),
                "nonce" => found.nonce.replace(text(cursor, name)?).is_some(),
                "keyid" => found.key_id.replace(text(cursor, name)?).is_some(),
                "alg" => found.algorithm.replace(text(cursor, name)?).is_some(),
                other => return Err(wrong(other)),
            };
            if twice {
                return Err(wrong(name));
            }
        }
        // RFC 9421 3.3: the key says the algorithm; what the message says must not contradict it.
        if found.algorithm.is_some_and(|name| name != ALGORITHM) {
            return Err(wrong("alg"));
        }
        // It makes each signature another one: Ed25519 signs the same twice alike.
        let nonce = found.nonce.ok_or_else(|| wrong("nonce"))?;
        if nonce.len() > NONCE_MAX {
            return Err(wrong("nonce"));
        }
        Ok(found)
    }

    /// Returns when it was created and when it expires, in seconds since the Unix epoch.
    fn times(&self) -> Result<(u64, u64), Refusal> {
        let created = self.created.ok_or_else(|| wrong("created"))?;
        let expires = self.expires.ok_or_else(|| wrong("expires"))?;
        // So that both are still numbers in microseconds; RFC 9421 has seconds.
        let sound = created <= expires && expires <= u64::MAX / SECOND_US;
        sound
            .then_some((created, expires))
            .ok_or_else(|| wrong("expires"))
    }
}

fn integer(cursor: &mut Cursor<'_>, name: &str) -> Result<u64, Refusal> {
    cursor.integer().ok_or_else(|| wrong(name))
}

fn text<'a>(cursor: &mut Cursor<'a>, name: &str) -> Result<&'a str, Refusal> {
    let text = cursor.string().filter(|text| !text.is_empty());
    text.ok_or_else(|| wrong(name))
}
