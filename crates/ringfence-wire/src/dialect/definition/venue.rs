//! What egress needs of a dialect: where funds go, and what the venue's answers say of its limits and of our key.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{CodeText, Unit};

/// The parameters of a withdrawal.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct WithdrawFields {
    pub(in crate::dialect) asset: String,
    pub(in crate::dialect) amount: String,
    pub(in crate::dialect) network: String,
    pub(in crate::dialect) address: String,
    /// Memo, payment id: what tells accounts behind one address apart.
    pub(in crate::dialect) tag: Option<String>,
}

/// The parameters of a transfer between own accounts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct TransferFields {
    pub(in crate::dialect) asset: String,
    pub(in crate::dialect) amount: String,
    /// What says from where to where, up to three.
    pub(in crate::dialect) direction: Vec<String>,
}

/// Names of the header fields that tell how the venue's limits stand.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::dialect) struct UsageHeaders {
    /// Used in a window; `{window}` stands for `1M`, `10S` and so on.
    pub(in crate::dialect) weight: Option<String>,
    pub(in crate::dialect) orders: Option<String>,
    /// What is left of a limit, where the venue says that.
    pub(in crate::dialect) remaining: Vec<RemainingHeaders>,
}

/// A limit and what is left of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct RemainingHeaders {
    /// `weight`, `orders` or `requests`.
    pub(in crate::dialect) counts: String,
    pub(in crate::dialect) window_ms: u64,
    pub(in crate::dialect) limit: String,
    pub(in crate::dialect) remaining: String,
}

/// What the venue's refusals say of the key that signed, and of its limits.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::dialect) struct VenueErrors {
    /// Where a body has its code: names from the outermost object inwards with `.` between; the first that says something
    /// counts.
    pub(in crate::dialect) code: Vec<String>,
    /// Codes that refuse key, signature, time or nonce, or say that the key may not do it.
    pub(in crate::dialect) key_refused: Vec<CodeText>,
    /// Codes by which the key that signed must wait.
    pub(in crate::dialect) limited: Vec<CodeText>,
    /// Codes by which it must place no orders.
    pub(in crate::dialect) orders_limited: Vec<CodeText>,
    /// How long, in milliseconds, where the venue does not say.
    pub(in crate::dialect) wait_ms: Option<u64>,
    /// Statuses by which everything that goes to the venue must wait, and how long in milliseconds where it does not say.
    pub(in crate::dialect) stops: BTreeMap<u16, u64>,
    /// A header field that says when the wait is over.
    pub(in crate::dialect) reset: Option<Reset>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct Reset {
    pub(in crate::dialect) header: String,
    pub(in crate::dialect) unit: Unit,
    /// It counts down, instead of naming a time since the Unix epoch.
    #[serde(default)]
    pub(in crate::dialect) countdown: bool,
}
