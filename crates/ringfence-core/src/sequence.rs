//! Sequence: is this operation legal now? A pass-through until sessions and order states are known.

use crate::operation::Operation;
use crate::refusal::Refusal;

/// Proof that the operation is legal now.
#[must_use]
#[derive(Debug)]
pub struct Legal(());

/// Checks `operation`. Every one is legal so far.
///
/// # Errors
///
/// None yet; `sequence_illegal` is its code.
pub const fn check(_operation: Operation) -> Result<Legal, Refusal> {
    Ok(Legal(()))
}
