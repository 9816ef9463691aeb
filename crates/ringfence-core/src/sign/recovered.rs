//! Signatures over secp256k1 from which their signer is recovered: wallets name no key, they just sign.

use std::fmt::{self, Write as _};

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use sha3::{Digest as _, Keccak256};

use super::Nonce;

/// A private key of secp256k1.
pub(super) type PrivateKey = k256::ecdsa::SigningKey;

/// The last 20 bytes of a public key's Keccak-256: what Ethereum's wallets are called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Address([u8; 20]);

impl Address {
    /// Returns its bytes.
    pub const fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<[u8; 20]> for Address {
    fn from(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        f.write_str("0x")?;
        for byte in self.0 {
            for half in [byte >> 4, byte & 15] {
                f.write_char(char::from(DIGITS[usize::from(half)]))?;
            }
        }
        Ok(())
    }
}

/// Proof that an address signed a digest. Only [`Recovered::from_signature`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Recovered {
    digest: [u8; 32],
    address: Address,
    nonce: Nonce,
}

impl Recovered {
    /// Recovers who signed `digest`; `v` is 27 or 28.
    ///
    /// Everybody can turn (r, s, v) into (r, -s, v'), which recovers to the same signer: only the one with the lower s
    /// is a signature (EIP-2).
    pub fn from_signature(digest: &[u8; 32], r: &[u8; 32], s: &[u8; 32], v: u8) -> Option<Self> {
        let signature = Signature::from_scalars(*r, *s).ok()?;
        let low = signature.normalize_s() == signature;
        let id =
            RecoveryId::from_byte(v.checked_sub(27)?).filter(|id| low && !id.is_x_reduced())?;
        let key = VerifyingKey::recover_from_prehash(digest, &signature, id).ok()?;
        Some(Self {
            digest: *digest,
            address: address(&key)?,
            nonce: Nonce::from(*r.first_chunk()?),
        })
    }

    /// Returns who signed.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Returns the signature's nonce, if it is `address`'s of `digest`.
    pub(super) fn nonce(&self, digest: &[u8], address: Address) -> Option<Nonce> {
        (self.digest == *digest && self.address == address).then_some(self.nonce)
    }
}

/// Returns the Keccak-256 of `bytes`, which is not SHA-3: Ethereum took it before its padding was changed.
pub fn keccak256(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

fn address(key: &VerifyingKey) -> Option<Address> {
    let point = key.to_sec1_point(false);
    let hash = keccak256(point.as_bytes().get(1..)?);
    hash.last_chunk().copied().map(Address)
}

pub(super) fn sign(key: &PrivateKey, digest: &[u8; 32]) -> [u8; 65] {
    let (signature, id) = key.sign_prehash_recoverable(digest);
    let mut raw = [0; 65];
    let (numbers, v) = raw.split_at_mut(64);
    numbers.copy_from_slice(&signature.to_bytes());
    v.copy_from_slice(&[27 + id.to_byte()]);
    raw
}
