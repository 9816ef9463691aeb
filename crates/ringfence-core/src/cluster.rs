//! What several gateways share at a server: how they name it there.
//!
//! Everybody and everything is named by a hash under a key that all gateways of a cluster have and the server has not. It is
//! of bytes that are written out, so that gateways of different builds name alike.

use aws_lc_rs::hmac;

use crate::budget::BudgetTable;

/// Length of a name.
pub const NAME_BYTES: usize = 16;

/// A name.
pub type Name = [u8; NAME_BYTES];

/// Names what is shared.
#[derive(Clone, Debug)]
pub struct ClusterKey(hmac::Key);

impl ClusterKey {
    /// Makes one of what all gateways of the cluster have.
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Returns the name of `parts` in `domain`. Nobody without the key can tell what it stands for.
    pub fn name(&self, domain: &[u8], parts: &[&[u8]]) -> Name {
        let mut text = self.begin(domain);
        parts.iter().for_each(|part| text.put(part));
        text.end()
    }

    pub(crate) fn begin(&self, domain: &[u8]) -> Text {
        let mut text = Text(hmac::Context::with_key(&self.0));
        text.put(domain);
        text
    }
}

/// What is named, as far as it is written out: each part behind its length, so that no two read alike.
#[derive(Clone)]
pub(crate) struct Text(hmac::Context);

impl Text {
    pub(crate) fn put(&mut self, part: &[u8]) {
        // INVARIANT: nothing that is named is 4 GiB long: messages are far shorter.
        self.0.update(&(part.len() as u32).to_be_bytes());
        self.0.update(part);
    }

    pub(crate) fn end(self) -> Name {
        let tag = self.0.sign();
        let mut name = [0; NAME_BYTES];
        name.copy_from_slice(&tag.as_ref()[..NAME_BYTES]);
        name
    }
}

/// What a gateway shares with others.
#[derive(Debug)]
pub struct Shares {
    /// Names it.
    pub key: ClusterKey,
    /// What becomes of signatures while the server is lost; none: claims are not shared.
    pub claims: Option<ClaimsOnLoss>,
    /// This gateway's own shares of limits, charged while the server is lost, and which limits they are of.
    pub own: Option<(BudgetTable, Box<[u16]>)>,
}

/// What becomes of signed messages while nobody can tell whether another gateway has seen them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClaimsOnLoss {
    /// What this gateway remembers decides.
    Local,
    /// What changes something is refused, unless it reduces risk.
    Refuse,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_everywhere_and_tells_parts_and_keys_apart() {
        let key = ClusterKey::new(&[7; 32]);
        let name = key.name(b"limit", &[b"ab", b"c"]);
        // HMAC-SHA256 of 0x00000005 "limit" 0x00000002 "ab" 0x00000001 "c" under 32 bytes of 7, by Python's hmac.
        assert_eq!(
            name,
            0x7182_7aa1_3f7a_d38c_555b_79ea_6841_40db_u128.to_be_bytes()
        );
        assert_ne!(name, key.name(b"limit", &[b"a", b"bc"]));
        assert_ne!(name, key.name(b"claim", &[b"ab", b"c"]));
        assert_ne!(
            name,
            ClusterKey::new(&[8; 32]).name(b"limit", &[b"ab", b"c"])
        );
    }
}
