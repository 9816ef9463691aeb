//! A dialect as it is written down: the shape of its YAML, checked strictly.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A venue's signing scheme, routes, weights and error bodies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Definition {
    /// Name, as in configuration and ledger.
    pub(super) name: String,
    /// How messages are signed; a dialect without signed routes needs none.
    pub(super) signing: Option<Signing>,
    /// What order types must carry.
    #[serde(default)]
    pub(super) order_types: BTreeMap<String, OrderType>,
    /// Where an order's fields stand; a dialect without order routes needs none.
    pub(super) order_fields: Option<OrderFields>,
    /// Named lists of parameters that routes may refer to.
    #[serde(default)]
    pub(super) parameter_lists: BTreeMap<String, Vec<String>>,
    /// Method and path to operation.
    pub(super) routes: Vec<RouteDefinition>,
    /// Names of the headers that tell how the limits stand; `{window}` stands for `1M`, `10S` and so on.
    #[serde(default)]
    pub(super) usage_headers: UsageHeaders,
    /// Body and status of each refusal.
    pub(super) errors: Errors,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signing {
    pub(super) key_header: String,
    /// Parameter that holds the signature, in query or form body.
    pub(super) signature: String,
    /// What is signed, in order, with nothing between.
    pub(super) payload: Vec<Atom>,
    pub(super) encodings: Encodings,
    pub(super) time: Time,
}

/// A piece of the canonical string.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Atom {
    /// The form body as sent, less the signature's pair.
    BodyWithoutSignature,
    /// The query as sent, less the signature's pair.
    QueryWithoutSignature,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum EncodingName {
    Base64,
    Hex,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Encodings {
    pub(super) hmac: EncodingName,
    pub(super) ed25519: EncodingName,
    pub(super) rsa: EncodingName,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Time {
    /// Parameter with the time, in milliseconds, or microseconds by magnitude.
    pub(super) parameter: String,
    /// Parameter with the window in milliseconds, up to three decimals.
    pub(super) window_parameter: String,
    pub(super) window_default_ms: u64,
    pub(super) window_max_ms: u64,
    pub(super) ahead_ms: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderType {
    #[serde(default)]
    pub(super) price: bool,
    #[serde(default)]
    pub(super) stop_price: bool,
    #[serde(default)]
    pub(super) quote_quantity: bool,
}

/// The parameters of an order, by what the guard takes them for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderFields {
    pub(super) symbol: String,
    pub(super) side: String,
    pub(super) kind: String,
    pub(super) price: String,
    pub(super) stop_price: String,
    pub(super) quantity: String,
    pub(super) iceberg_quantity: Option<String>,
    pub(super) quote_quantity: Option<String>,
    pub(super) client_order_id: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteDefinition {
    /// Method, or `*` with a wildcard path.
    pub(super) method: String,
    /// Exact path, or `/**` for every path of an unsigned route.
    pub(super) path: String,
    pub(super) operation: String,
    /// Whether a signature is asked for.
    #[serde(default = "yes")]
    pub(super) signed: bool,
    #[serde(default = "one")]
    pub(super) weight: u32,
    /// Weight by parameters; where several apply, the largest counts.
    #[serde(default)]
    pub(super) weight_by: Vec<WeightBy>,
    /// Orders that the message places.
    #[serde(default)]
    pub(super) orders: u32,
    /// Closed list of parameters: names, or `@list`. Mandatory where the operation changes state or carries an order.
    pub(super) parameters: Option<Vec<String>>,
}

/// Weight by one parameter: exactly one of the three measures.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WeightBy {
    pub(super) parameter: String,
    /// Weight when the parameter has a value, whatever it says.
    pub(super) present: Option<u32>,
    /// Highest value of each step and its weight, ascending; above the last, the last applies.
    pub(super) up_to: Option<Vec<(u64, u32)>>,
    /// As `up_to`, by the number of comma-separated items.
    pub(super) items_up_to: Option<Vec<(u64, u32)>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct UsageHeaders {
    pub(super) weight: Option<String>,
    pub(super) orders: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Errors {
    pub(super) content_type: String,
    /// JSON text with `{code}` and `{message}`; the message is escaped.
    pub(super) body: String,
    /// By refusal code. `budget_exceeded` may be told apart as `budget_exceeded.orders` and so on.
    pub(super) by_code: BTreeMap<String, ErrorDefinition>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorDefinition {
    pub(super) status: u16,
    pub(super) code: i64,
    /// `{field}` and `{hint}` are filled in.
    pub(super) message: String,
}

const fn yes() -> bool {
    true
}

const fn one() -> u32 {
    1
}
