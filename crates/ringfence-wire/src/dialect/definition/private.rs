//! Tokens of private streams as they are written down.

use serde::Deserialize;

use crate::dialect::Lending;

/// A token that a venue hands out for a private stream, and for which the gateway hands out one of its own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct LendsDefinition {
    /// What the message asks of it.
    pub(in crate::dialect) does: Lending,
    /// Whether the key's name is enough, without a signature, from an address that the key is bound to.
    #[serde(default)]
    pub(in crate::dialect) by_name: bool,
    /// What the venue's answer, and a parameter of the message, call it.
    pub(in crate::dialect) token: String,
    /// How long it is good, in seconds.
    pub(in crate::dialect) seconds: u64,
    /// JSON text; `{token}` in it is filled in.
    pub(in crate::dialect) answer: String,
}
