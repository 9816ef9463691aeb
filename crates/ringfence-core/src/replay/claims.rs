//! Claims by signature and by deadline: a list while there are few, trees when there are many.
//!
//! Most credentials have few claims at a time, and there may be a hundred thousand of them: the
//! first node of each tree alone would outweigh the credential.

use std::collections::{BTreeMap, BTreeSet};

use super::Use;
use crate::sign::Nonce;

/// Claims that are kept in a list.
const FEW: usize = 8;

#[derive(Clone, Copy, Debug)]
pub(super) struct Claimed {
    /// The latest deadline that the signature was ever shown with. Microseconds since the epoch.
    pub(super) deadline_us: u64,
    pub(super) purpose: Use,
}

#[derive(Clone, Debug)]
pub(super) enum Claims {
    /// At most [`FEW`], in no order.
    Few(Vec<(Nonce, Claimed)>),
    /// At least one.
    Many(Box<Trees>),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Trees {
    by_nonce: BTreeMap<Nonce, Claimed>,
    /// The same claims by deadline, so that what may be forgotten is a prefix.
    by_deadline: BTreeSet<(u64, Nonce)>,
}

impl Default for Claims {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Claims {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(trees) => trees.by_nonce.len(),
        }
    }

    /// Returns what `nonce` was claimed for, and remembers it until `deadline_us` at least.
    pub(super) fn touch(&mut self, nonce: Nonce, deadline_us: u64) -> Option<Use> {
        let known = match self {
            Self::Few(list) => list
                .iter_mut()
                .find_map(|(known, claimed)| (*known == nonce).then_some(claimed)),
            Self::Many(trees) => trees.by_nonce.get_mut(&nonce),
        }?;
        let (purpose, before_us) = (known.purpose, known.deadline_us);
        if deadline_us > before_us {
            known.deadline_us = deadline_us;
            if let Self::Many(trees) = self {
                trees.by_deadline.remove(&(before_us, nonce));
                trees.by_deadline.insert((deadline_us, nonce));
            }
        }
        Some(purpose)
    }

    /// Adds a claim whose nonce is not there.
    pub(super) fn insert(&mut self, nonce: Nonce, claimed: Claimed) {
        match self {
            Self::Few(list) if list.len() < FEW => list.push((nonce, claimed)),
            Self::Few(list) => {
                let mut trees = Box::new(Trees::default());
                for (nonce, claimed) in list.drain(..) {
                    trees.insert(nonce, claimed);
                }
                trees.insert(nonce, claimed);
                *self = Self::Many(trees);
            }
            Self::Many(trees) => trees.insert(nonce, claimed),
        }
    }

    /// Removes a claim whose deadline is before `now_us`, if any, and returns its deadline.
    pub(super) fn pop_before(&mut self, now_us: u64) -> Option<u64> {
        match self {
            Self::Few(list) => {
                let passed = |(_, claimed): &(Nonce, Claimed)| claimed.deadline_us < now_us;
                let at = list.iter().position(passed)?;
                Some(list.swap_remove(at).1.deadline_us)
            }
            Self::Many(trees) => {
                let (deadline_us, nonce) = *trees.by_deadline.first()?;
                if deadline_us >= now_us {
                    return None;
                }
                trees.by_deadline.pop_first();
                trees.by_nonce.remove(&nonce);
                if trees.by_nonce.is_empty() {
                    *self = Self::default();
                }
                Some(deadline_us)
            }
        }
    }
}

impl Trees {
    fn insert(&mut self, nonce: Nonce, claimed: Claimed) {
        self.by_nonce.insert(nonce, claimed);
        self.by_deadline.insert((claimed.deadline_us, nonce));
    }
}
