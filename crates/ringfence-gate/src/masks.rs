//! Masks of what is written to venues (RFC 6455 5.3): each fresh, and none to be told from those before it.

use std::cell::RefCell;

use aws_lc_rs::rand;

/// Drawn at once: asking for randomness takes longer than all else that is done to a short message, however little is
/// asked for.
const AT_ONCE: usize = 64;

/// What one thread has drawn and not used.
#[derive(Default)]
pub(crate) struct Masks(RefCell<Vec<[u8; 4]>>);

impl Masks {
    /// Returns the next one. It protects proxies in between from a script's bytes, not a secret.
    pub(crate) fn take(&self) -> [u8; 4] {
        let mut drawn = self.0.borrow_mut();
        if drawn.is_empty() {
            let mut bytes = [0; 4 * AT_ONCE];
            // Without randomness there is nothing else here to protect: the bytes are those of a subscription.
            let _ = rand::fill(&mut bytes);
            drawn.extend_from_slice(bytes.as_chunks().0);
        }
        drawn.pop().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    //! No mask is used twice.

    use std::collections::HashSet;

    use super::{AT_ONCE, Masks};

    #[test]
    fn masks_differ_within_a_drawing_and_from_one_to_the_next() {
        let masks = Masks::default();
        let drawn: HashSet<_> = (0..2 * AT_ONCE).map(|_| masks.take()).collect();
        // Two of so many are the same once in half a million runs.
        assert_eq!(drawn.len(), 2 * AT_ONCE);
    }
}
