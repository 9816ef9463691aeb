//! Shared secrets that are kept nowhere: each has its place in a tree of keys, and is derived when it is first needed.
//!
//! `m/83'/1'/SHARD'` is what is known of a shard; below it stand purpose, account, key and generation. All steps are hardened
//! (SLIP-0010, whose ed25519 derivation is HMAC-SHA512 and nothing else). `ringfence.identity.derivation` hands the same secrets out.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::{constant_time, digest, hmac};
use zeroize::Zeroizing;

use super::KeyError;

/// Bytes of a shard's key: a key and its chain code.
const SHARD_BYTES: usize = 64;
const HARDENED: u32 = 1 << 31;
const SECRET_PURPOSE: u32 = 1;
const STREAM_PURPOSE: u32 = 9;
/// Indices that a name becomes: 155 bits of its SHA-256.
const NAME_LEVELS: usize = 5;
/// Purpose, account, key, generation.
const DEPTH: usize = 2 * NAME_LEVELS + 2;
const SECRET_CHARACTERS: usize = 64;
const ALPHABET: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// Bytes from here on are skipped, so that each character is equally likely.
const FAIR: u8 = 248;

/// One shard's subtree, with which all of its secrets can be derived, and no other's.
pub struct ShardKey(Zeroizing<[u8; SHARD_BYTES]>);

impl std::fmt::Debug for ShardKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShardKey")
    }
}

impl ShardKey {
    /// Returns the subtree that these 64 bytes are: a key and its chain code.
    pub fn parse(material: &[u8]) -> Option<Self> {
        let mut node = Zeroizing::new([0; SHARD_BYTES]);
        if material.len() != node.len() {
            return None;
        }
        node.copy_from_slice(material);
        Some(Self(node))
    }

    fn is_same(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0[..], &other.0[..]).is_ok()
    }
}

/// Where a secret stands, and the secret itself once somebody has asked.
pub(super) struct Derived {
    shard: Arc<ShardKey>,
    path: [u32; DEPTH],
    secret: OnceLock<Zeroizing<Box<[u8]>>>,
}

impl Derived {
    pub(super) fn new(
        shard: Arc<ShardKey>,
        account: &str,
        key_id: &str,
        generation: u32,
    ) -> Result<Self, KeyError> {
        if generation >= HARDENED {
            return Err(KeyError::Generation);
        }
        let mut path = [SECRET_PURPOSE; DEPTH];
        let steps = indices(account)
            .into_iter()
            .chain(indices(key_id))
            .chain([generation]);
        for (place, index) in path.iter_mut().skip(1).zip(steps) {
            *place = index;
        }
        Ok(Self {
            shard,
            path,
            secret: OnceLock::new(),
        })
    }

    /// Returns the secret, which is kept from the first time on.
    pub(super) fn secret(&self) -> &[u8] {
        self.secret.get_or_init(|| {
            let mut node = self.shard.0.clone();
            for index in self.path {
                step(&mut node, index);
            }
            characters(node)
        })
    }

    /// Tells whether `other` stands in the same place.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.path == other.path && self.shard.is_same(&other.shard)
    }
}

/// Returns the indices that a name becomes.
fn indices(name: &str) -> [u32; NAME_LEVELS] {
    let digest = digest::digest(&digest::SHA256, name.as_bytes());
    let (words, _) = digest.as_ref().as_chunks::<4>();
    let mut found = [0; NAME_LEVELS];
    for (index, word) in found.iter_mut().zip(words) {
        *index = u32::from_be_bytes(*word) % HARDENED;
    }
    found
}

/// Goes to the hardened child of `index`.
fn step(node: &mut Zeroizing<[u8; SHARD_BYTES]>, index: u32) {
    let (key, chain) = node.split_at(SHARD_BYTES / 2);
    let chain = hmac::Key::new(hmac::HMAC_SHA512, chain);
    let mut context = hmac::Context::with_key(&chain);
    context.update(&[0]);
    context.update(key);
    context.update(&(HARDENED | index).to_be_bytes());
    node.copy_from_slice(context.sign().as_ref());
}

/// Returns letters and digits of what comes below `node`.
fn characters(mut node: Zeroizing<[u8; SHARD_BYTES]>) -> Zeroizing<Box<[u8]>> {
    // Filled in place: a buffer that grew would leave copies behind.
    let mut text = Zeroizing::new(vec![0; SECRET_CHARACTERS].into_boxed_slice());
    let mut length = 0;
    while length < text.len() {
        step(&mut node, STREAM_PURPOSE);
        let (key, _) = node.split_at(SHARD_BYTES / 2);
        let fair = key.iter().filter(|byte| **byte < FAIR);
        for (place, byte) in text.iter_mut().skip(length).zip(fair) {
            *place = ALPHABET[usize::from(*byte) % ALPHABET.len()];
            length += 1;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    //! What is derived here is what was handed out.

    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    /// Shard 0 of the master key 00 01 02 … 1f, as `ShardKey.derive` of `ringfence.identity.derivation` has it.
    const SHARD: [u8; SHARD_BYTES] =
        *b"\xdc\xb0\xe5\xfc\xb9\xca\xec\x61\x38\xf3\x2b\x0a\x14\x0e\x81\x37\
        \x46\x62\xfb\x00\x21\x40\xc0\x95\x5f\xcb\xd2\x6f\xeb\x6c\xd5\xba\
        \xad\x9c\xcc\x20\xfb\xca\xad\x08\x86\x36\x21\x37\x56\x96\xd8\xb9\
        \xd5\xbc\x38\x5e\x45\x01\x82\xd2\x97\x17\x30\xb4\xb3\xfc\x25\x35";

    fn derived(account: &str, key_id: &str, generation: u32) -> Derived {
        let shard = Arc::new(ShardKey::parse(&SHARD).unwrap());
        Derived::new(shard, account, key_id, generation).unwrap()
    }

    #[test]
    fn the_secret_of_a_fixed_place_never_changes() {
        for (account, key_id, generation, secret) in [
            (
                "desk",
                "key-0001",
                1,
                "BG5iOquieSQwJlWBTY0VO7qqLhqTJfoYN3kgB554GXlNa33VF8e1ltXEbekBRpsm",
            ),
            (
                "Ä-account",
                "key-0002",
                HARDENED - 1,
                "XlEAv8JISJ2PDWwma7BGR5K0nYbRIPHTQtx9FwVyLpLiQ9t5cI1nMasE6tHT3dqK",
            ),
        ] {
            let found = derived(account, key_id, generation);
            assert!(found.secret.get().is_none(), "nobody has asked");
            assert_eq!(std::str::from_utf8(found.secret()).unwrap(), secret);
            assert_eq!(found.secret.get().unwrap()[..], *secret.as_bytes());
        }
    }

    #[test]
    fn a_place_is_the_same_by_where_it_is() {
        let one = derived("desk", "key-0001", 1);
        assert!(one.is_same(&derived("desk", "key-0001", 1)));
        for other in [
            derived("desk", "key-0001", 2),
            derived("desk", "key-0002", 1),
            derived("disk", "key-0001", 1),
        ] {
            assert!(!one.is_same(&other));
        }
        let mut bytes = SHARD;
        bytes[63] ^= 1;
        let shard = Arc::new(ShardKey::parse(&bytes).unwrap());
        let other = Derived::new(shard, "desk", "key-0001", 1).unwrap();
        assert!(!one.is_same(&other) && one.secret() != other.secret());
    }

    #[test]
    fn what_is_no_shard_or_no_generation_is_refused() {
        assert!(ShardKey::parse(&SHARD[1..]).is_none());
        let shard = Arc::new(ShardKey::parse(&SHARD).unwrap());
        let beyond = Derived::new(Arc::clone(&shard), "desk", "key-0001", HARDENED);
        assert_eq!(beyond.err(), Some(KeyError::Generation));
        assert_eq!(format!("{shard:?}"), "ShardKey");
    }
}
