//! Public keys as people pass them on: `name+key id+key`, each good for one kind of signature.
//!
//! Source: C2SP signed-note (verifier key text, key id), tlog-cosignature (type 0x04).

use std::fmt;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::LedgerError;
use crate::tree::sha256;

/// What an Ed25519 key signs; the value is the signature type of the specifications.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// The text of a note, as the log itself.
    Note = 0x01,
    /// A checkpoint and the time, as a witness.
    Cosignature = 0x04,
}

/// A named Ed25519 public key of one kind.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Typed {
    kind: Kind,
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

impl Typed {
    fn new(kind: Kind, name: &str, public: [u8; 32]) -> Result<Self, LedgerError> {
        if !name_is_sound(name) {
            return Err(LedgerError::Key(
                "an origin is not empty and has no space, no '+' and no control character",
            ));
        }
        let mut text = name.as_bytes().to_vec();
        text.extend_from_slice(&[b'\n', kind as u8]);
        text.extend_from_slice(&public);
        let mut id = [0; 4];
        id.copy_from_slice(&sha256(&text)[..4]);
        Ok(Self {
            kind,
            name: name.to_owned(),
            id,
            public,
        })
    }

    fn parse(kind: Kind, text: &str) -> Result<Self, LedgerError> {
        // The base64 may hold '+' itself, the name may not: split at the first two.
        let mut fields = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (fields.next(), fields.next(), fields.next())
        else {
            return Err(LedgerError::Key("a verifier key is name+id+key"));
        };
        let typed = STANDARD
            .decode(key)
            .map_err(|_| LedgerError::Key("the verifier key is not base64"))?;
        let public = match typed.split_first() {
            Some((found, public)) if *found == kind as u8 => public,
            Some(_) | None => {
                return Err(LedgerError::Key(match kind {
                    Kind::Note => "the verifier key is not of type Ed25519",
                    Kind::Cosignature => "the key is not one for Ed25519 cosignatures (type 4)",
                }));
            }
        };
        let public = <[u8; 32]>::try_from(public)
            .map_err(|_| LedgerError::Key("an Ed25519 public key has 32 bytes"))?;
        let parsed = Self::new(kind, name, public)?;
        if parsed.id_text() != id {
            return Err(LedgerError::Key(
                "the verifier key's id does not fit its name and key",
            ));
        }
        Ok(parsed)
    }

    fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public)
            .verify(text, signature)
            .is_ok()
    }

    fn id_text(&self) -> String {
        self.id.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![self.kind as u8];
        typed.extend_from_slice(&self.public);
        write!(
            f,
            "{}+{}+{}",
            self.name,
            self.id_text(),
            STANDARD.encode(typed)
        )
    }
}

/// The public key of a log. Its text is the C2SP verifier key: `name+key id+key`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifierKey(Typed);

/// The public key of a cosigner, such as a witness. Its text is a C2SP verifier key of type 4.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CosignerKey(Typed);

macro_rules! key {
    ($key:ident, $kind:expr) => {
        impl $key {
            /// Names a raw Ed25519 public key.
            ///
            /// # Errors
            ///
            /// [`LedgerError::Key`] when `name` is empty or has a space, `+` or control character.
            pub fn new(name: &str, public: [u8; 32]) -> Result<Self, LedgerError> {
                Typed::new($kind, name, public).map(Self)
            }

            /// Parses a verifier key text.
            ///
            /// # Errors
            ///
            /// [`LedgerError::Key`] when the text is not canonical, the id does not fit or the key
            /// is of another kind.
            pub fn parse(text: &str) -> Result<Self, LedgerError> {
                Typed::parse($kind, text).map(Self)
            }

            /// The name, which for a log is its origin.
            pub fn name(&self) -> &str {
                &self.0.name
            }

            /// The key id: the first four bytes of SHA-256 over name, kind and key.
            pub const fn id(&self) -> [u8; 4] {
                self.0.id
            }

            /// Whether both are the same key, whatever they are called.
            pub fn same_key(&self, other: &Self) -> bool {
                self.0.public == other.0.public
            }

            pub(crate) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
                self.0.verifies(text, signature)
            }
        }

        impl fmt::Display for $key {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

impl VerifierKey {
    /// The same key under another name; none where that cannot be one.
    pub(crate) fn renamed(&self, name: &str) -> Option<Self> {
        Self::new(name, self.0.public).ok()
    }
}

key!(VerifierKey, Kind::Note);
key!(CosignerKey, Kind::Cosignature);

// A newline in a name would let it pass for the size line of a checkpoint.
pub(crate) fn name_is_sound(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '+')
}
