//! A dialect as it is written down: the shape of its YAML, checked strictly.

mod admission;
mod batch;
mod channel;
mod private;
mod signing;
mod venue;

use std::collections::BTreeMap;

use serde::Deserialize;

pub(super) use admission::*;
pub(super) use batch::*;
pub(super) use channel::*;
pub(super) use private::*;
pub(super) use signing::*;
pub(super) use venue::*;

/// A venue's signing scheme, routes, weights and error bodies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Definition {
    /// Name, as in configuration and ledger.
    pub(super) name: String,
    /// How messages are signed; a dialect without signed routes needs none.
    pub(super) signing: Option<Signing>,
    /// How WebSocket messages are signed, where they are.
    #[serde(default)]
    pub(super) frames: Vec<Frame>,
    /// What order types must carry.
    #[serde(default)]
    pub(super) order_types: BTreeMap<String, OrderType>,
    /// Where an order's fields stand; a dialect without order routes needs none.
    pub(super) order_fields: Option<OrderFields>,
    /// Where messages and answers name an order that is there already; for the record.
    #[serde(default)]
    pub(super) order_ids: OrderIds,
    /// Where answers and pushes say how much of an order is filled.
    #[serde(default)]
    pub(super) fills: Fills,
    /// Named lists of parameters that routes may refer to.
    #[serde(default)]
    pub(super) parameter_lists: BTreeMap<String, Vec<String>>,
    /// What a client may say on a stream.
    #[serde(default)]
    pub(super) stream_messages: StreamMessages,
    /// The WebSockets on which clients ask what they may ask by HTTP too, and what is pushed to them.
    #[serde(default)]
    pub(super) channels: Vec<ChannelDefinition>,
    /// Method and path to operation.
    pub(super) routes: Vec<RouteDefinition>,
    /// Where the fields of a withdrawal stand; without them egress lets none pass.
    pub(super) withdraw_fields: Option<WithdrawFields>,
    /// The same for transfers between own accounts.
    pub(super) transfer_fields: Option<TransferFields>,
    /// Names of the headers that tell how the limits stand.
    #[serde(default)]
    pub(super) usage_headers: UsageHeaders,
    /// What the venue's own refusals say of whoever signed, in egress.
    #[serde(default)]
    pub(super) venue_errors: VenueErrors,
    /// Body and status of each refusal.
    pub(super) errors: Errors,
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
    /// Whether `order_fields.quantity_unit` says what its quantity counts.
    #[serde(default)]
    pub(super) quantity_unit: bool,
    /// Whether its trigger follows the market, as `order_fields.trailing` says.
    #[serde(default)]
    pub(super) trails: bool,
    /// Whether `order_fields.whole_position` may stand in for its quantity.
    #[serde(default)]
    pub(super) whole_position: bool,
}

/// A kind of signed WebSocket message: JSON whose values stand under dotted names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Frame {
    pub(super) name: String,
    /// What the message says where it is of this kind; an empty text asks only that something stands there.
    pub(super) when: BTreeMap<String, String>,
    pub(super) signing: Signing,
}

/// The parameters of an order, by what the guard takes them for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderFields {
    pub(super) symbol: String,
    /// Where a message may have the venue's number of the instrument in place of its name.
    pub(super) symbol_code: Option<String>,
    pub(super) side: String,
    pub(super) kind: String,
    pub(super) price: String,
    pub(super) stop_price: String,
    pub(super) quantity: String,
    pub(super) iceberg_quantity: Option<String>,
    pub(super) quote_quantity: Option<String>,
    pub(super) client_order_id: Option<String>,
    /// What the quantity counts, for the order types that say `quantity_unit`.
    pub(super) quantity_unit: Option<QuantityUnit>,
    /// What triggers an order whose type `trails`.
    pub(super) trailing: Option<TrailingFields>,
    /// What says `true` where an order closes the position, for the types that may.
    pub(super) whole_position: Option<String>,
    /// What says `true` where an order can only make a position smaller. It then goes before other orders.
    pub(super) reduce_only: Option<String>,
    /// Where an amendment has what it changes, at venues that name the order by its id alone. Its side and type are the
    /// order's own. Without them an amendment carries a whole order.
    pub(super) amendment: Option<AmendmentFields>,
    /// The venue's words for a side, and which they mean; without them it says `BUY` and `SELL`.
    #[serde(default)]
    pub(super) sides: BTreeMap<String, SideName>,
}

/// What an order is called: parameters, or `{name}` segments of the path; the first that says something counts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OrderIds {
    pub(super) symbol: Vec<String>,
    pub(super) client_order_id: Vec<String>,
    pub(super) venue_order_id: Vec<String>,
    pub(super) answer: AnswerIds,
}

/// The same in the venue's answer, which is JSON: names from the outermost object inwards with `.` between.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AnswerIds {
    pub(super) client_order_id: Vec<String>,
    pub(super) status: Vec<String>,
    pub(super) venue_order_id: Vec<String>,
}

/// What says how much of orders is filled: answers to whoever placed, changed, cancelled or asked for them, and pushes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Fills {
    pub(super) answered: Vec<FillDefinition>,
    pub(super) pushed: Vec<FillDefinition>,
}

/// Names from the outermost object inwards with `.` between, `*` for each place in a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FillDefinition {
    /// Names, and what stands there in a message that is meant.
    #[serde(default)]
    pub(super) when: BTreeMap<String, String>,
    pub(super) venue_order_id: String,
    /// How much is filled by now, from the beginning on.
    pub(super) filled: String,
    /// How much was filled last, and when.
    pub(super) last: Option<String>,
    pub(super) at: Option<String>,
    #[serde(default = "milliseconds")]
    pub(super) unit: Unit,
}

const fn milliseconds() -> Unit {
    Unit::Ms
}

/// A side of the market.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum SideName {
    Buy,
    Sell,
}

impl SideName {
    /// Returns the guard's word.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        }
    }
}

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum BodyKind {
    /// `name=value&...`
    #[default]
    Form,
    /// An object; a list of exactly one object is read as that object.
    Json,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteDefinition {
    /// Method, or `*` with a wildcard path.
    pub(super) method: String,
    /// Exact path, a path in which `{name}` stands for any one segment, or `/**` for every path of an unsigned route.
    pub(super) path: String,
    pub(super) operation: String,
    /// What the body is.
    #[serde(default)]
    pub(super) body: BodyKind,
    /// Names in the body, and what stands there where it is this route, of several with one method and path, that is
    /// meant.
    #[serde(default)]
    pub(super) when: BTreeMap<String, String>,
    /// The name inside which the fields of this route's order stand.
    pub(super) order_in: Option<String>,
    /// Where this route's amendment has what it changes, if not where the dialect says.
    pub(super) amendment: Option<AmendmentFields>,
    /// What this route's order calls what the dialect's orders call otherwise.
    pub(super) order_fields: Option<OwnFields>,
    /// Where the orders stand of a message that carries several.
    pub(super) batch: Option<BatchDefinition>,
    /// What the gateway answers itself: a token of its own, for who signed the message.
    pub(super) mints: Option<MintsDefinition>,
    /// What is done here with the token of a private stream.
    pub(super) lends: Option<LendsDefinition>,
    /// The parameter, or the open segment of the path, that shows such a token.
    pub(super) shows: Option<String>,
    /// What took its place at a venue that has retired it. It is refused, and says so.
    pub(super) retired: Option<String>,
    /// Whether a signature is asked for.
    #[serde(default = "yes")]
    pub(super) signed: bool,
    /// Whether it is a WebSocket with market data, unsigned, or a private one that a token opens; and `GET`.
    #[serde(default)]
    pub(super) stream: bool,
    #[serde(default = "one")]
    pub(super) weight: u32,
    /// Weight by parameters; where several apply, the largest counts.
    #[serde(default)]
    pub(super) weight_by: Vec<WeightBy>,
    /// The side of every order on this route, where the order itself does not say.
    pub(super) side: Option<SideName>,
    /// Orders that the message places.
    #[serde(default)]
    pub(super) orders: u32,
    /// Closed list of parameters: names, or `@list`. Mandatory where the operation changes state or carries an order.
    pub(super) parameters: Option<Vec<String>>,
}

/// Fields of an order that go by other names on one route.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnFields {
    pub(super) stop_price: String,
    pub(super) client_order_id: String,
}

/// A trigger that follows the market.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrailingFields {
    /// From which price on it does; at once where there is none.
    pub(super) price: String,
    /// How far behind.
    pub(super) distance: String,
}

/// A quantity of base or of quote currency.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QuantityUnit {
    pub(super) parameter: String,
    /// The venue's words.
    pub(super) base: String,
    pub(super) quote: String,
    /// What it counts where the message does not say, by side.
    pub(super) buy: UnitName,
    pub(super) sell: UnitName,
    /// What must stand in the message for this to hold, such as the kind of market; an order without it is refused.
    #[serde(default)]
    pub(super) only: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum UnitName {
    Base,
    Quote,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AmendmentFields {
    /// Where its instrument stands, or else
    pub(super) symbol: Option<String>,
    /// the venue's id of the order: the instrument is the one that the order was placed in.
    pub(super) order: Option<String>,
    pub(super) price: String,
    pub(super) quantity: String,
}

/// What a client may send on a stream: one of `texts`, or JSON in which each of `fields` that is there, and one at least,
/// has one of its values; or, where nothing that a client says matters, anything.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StreamMessages {
    pub(super) any: bool,
    pub(super) fields: BTreeMap<String, Vec<String>>,
    pub(super) texts: Vec<String>,
}

/// A token in place of a signature on each message that follows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MintsDefinition {
    /// How the message is signed, if not like all others: what is signed are values of its own parameters.
    pub(super) signing: Option<Signing>,
    /// Parameters, and what each must say.
    #[serde(default)]
    pub(super) only: BTreeMap<String, String>,
    /// Where the token is shown.
    #[serde(default)]
    pub(super) shown: Shown,
    /// How long the token is good, in seconds.
    pub(super) seconds: u64,
    /// JSON text with `{token}`, `{refresh}` where it refreshes, and `{endpoint}` where it is shown in a handshake.
    pub(super) answer: String,
    /// What it opens, where it is shown in a handshake.
    pub(super) opens: Option<AdmissionDefinition>,
    /// How another one is had for a token of its own in place of a signature.
    pub(super) refresh: Option<RefreshDefinition>,
}

/// A token that is good for one more of those that a route hands out, once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefreshDefinition {
    /// Parameters, and what each must say, where it is shown.
    pub(super) only: BTreeMap<String, String>,
    /// The parameter that it is.
    pub(super) token: String,
    /// How long after the signature the last one can be had, in seconds.
    pub(super) seconds: u64,
}

/// Where a token of the gateway's own is shown; it is good nowhere else.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// In each request's `Authorization: Bearer`.
    #[default]
    Header,
    /// In each message of the channel, at its `token`.
    Message,
    /// In either.
    Both,
    /// In the handshake of the WebSocket that it opens.
    Handshake,
    /// Where the next token is asked for, and only once.
    #[serde(skip)]
    Refresh,
}

impl Shown {
    /// Tells whether it may be shown at `place`.
    pub fn is_at(self, place: Self) -> bool {
        self == place || self == Self::Both && matches!(place, Self::Header | Self::Message)
    }
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

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Errors {
    /// Of the venue's own body. Without both, refusals are problem details (RFC 9457).
    pub(super) content_type: Option<String>,
    /// JSON text with `{message}`, and `{code}` where the venue has codes; the message is escaped. `{refusal}` is the
    /// gateway's own code.
    pub(super) body: Option<String>,
    /// By refusal code, or by the start of one with `*` behind it: the longest counts. `budget_exceeded` may be told apart as `budget_exceeded.orders` and so on.
    #[serde(default)]
    pub(super) by_code: BTreeMap<String, ErrorDefinition>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorDefinition {
    /// A venue's always; of a problem where it is not the usual one.
    pub(super) status: Option<u16>,
    pub(super) code: Option<CodeText>,
    /// `{field}` and `{hint}` are filled in.
    #[serde(default = "hint")]
    pub(super) message: String,
}

/// A venue's code, as it stands in its bodies.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum CodeText {
    Number(i64),
    Text(String),
}

impl Default for ErrorDefinition {
    fn default() -> Self {
        Self {
            status: None,
            code: None,
            message: hint(),
        }
    }
}

fn hint() -> String {
    "{hint}".to_owned()
}

const fn yes() -> bool {
    true
}

const fn one() -> u32 {
    1
}
