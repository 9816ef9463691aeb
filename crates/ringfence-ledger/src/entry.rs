//! What the ledger records: decisions, outcomes and events, as canonical JSON (RFC 8785).
//!
//! Every encoder clears `out` and writes one entry into it, so that one buffer serves all entries
//! of a thread and nothing is allocated once it has grown. Texts that come from outside are cut to
//! a bound, so an entry always fits the 65,535 bytes of a C2SP entry bundle. No field takes a
//! secret: there is none for signatures, key material, headers or bodies.
//!
//! Times are microseconds since the Unix epoch (UTC), latencies microseconds.

use std::io::Write;

use crate::json::{self, Object};
use crate::personal::Address;

/// Version of the entry schema, the field `v`.
pub const SCHEMA: u64 = 1;

/// Longest `path` kept, in bytes before escaping.
pub const PATH_BYTES: usize = 512;
/// Longest key id, account, message id or name kept, in bytes before escaping.
pub const NAME_BYTES: usize = 128;
/// Longest order field kept, in bytes before escaping.
pub const FIELD_BYTES: usize = 64;
/// Longest refusal detail, reason or event text kept, in bytes before escaping.
pub const DETAIL_BYTES: usize = 256;
/// Room for the orders of a batch, in bytes as encoded; how many have none is said in `orders_left_out`. Fifty orders as
/// clients write them take half of it.
pub const ORDERS_BYTES: usize = 20 * 1024;
/// Room for the topics of a subscription, in bytes as encoded; how many have none is said in `topics_left_out`.
pub const TOPICS_BYTES: usize = 4 * 1024;
/// Most fields in the detail of an event; what comes later in key order is left out.
pub const DETAIL_FIELDS: usize = 32;

/// What one control saw. `NotReached` is left out of the entry.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Saw<'a> {
    /// An earlier control refused.
    #[default]
    NotReached,
    /// The control is switched off.
    Off,
    /// The control passed.
    Passed,
    /// The control refused with this code: `refused:<code>`.
    Refused(&'a str),
    /// The control only observes and would have refused: `would_refuse:<code>`.
    WouldRefuse(&'a str),
}

/// What each control saw, by its name.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[allow(missing_docs)]
pub struct Controls<'a> {
    pub edge: Saw<'a>,
    pub operation: Saw<'a>,
    pub identity: Saw<'a>,
    pub freshness: Saw<'a>,
    pub authority: Saw<'a>,
    pub budget: Saw<'a>,
    pub guard: Saw<'a>,
    pub sequence: Saw<'a>,
}

/// The order in a message, as the client wrote it (decimal texts, not numbers).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[allow(missing_docs)]
pub struct OrderFields<'a> {
    pub symbol: &'a str,
    pub side: &'a str,
    /// LIMIT, MARKET and so on; the key `type`.
    pub kind: &'a str,
    pub price: Option<&'a str>,
    pub stop_price: Option<&'a str>,
    pub quantity: Option<&'a str>,
    pub quote_quantity: Option<&'a str>,
    pub client_order_id: Option<&'a str>,
    /// How far behind the market its trigger follows.
    pub trail: Option<&'a str>,
    /// It closes the position, in place of a quantity; left out where it does not.
    pub whole_position: bool,
}

/// What a message calls an order that is there already, as the client wrote it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[allow(missing_docs)]
pub struct OrderIds<'a> {
    pub symbol: Option<&'a str>,
    pub client_order_id: Option<&'a str>,
    pub venue_order_id: Option<&'a str>,
}

/// What the venue's answer says of an order, in its words.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[allow(missing_docs)]
pub struct AnsweredOrder<'a> {
    pub client_order_id: Option<&'a str>,
    pub status: Option<&'a str>,
    pub venue_order_id: Option<&'a str>,
}

/// How the controls decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict<'a> {
    /// The message may go to the venue.
    Permitted,
    /// The message was refused.
    Refused {
        /// Whose fault: `client`, `gateway` or `venue`.
        blame: &'a str,
        /// The stable code of the refusal.
        code: &'a str,
        /// What it was about; no secret, no raw body.
        detail: Option<&'a str>,
    },
}

/// One decision: exactly one per message.
#[derive(Clone, Copy, Debug)]
pub struct DecisionEntry<'a> {
    /// The order that a cancel, an amendment or a query is about, refused ones too.
    pub about: Option<OrderIds<'a>>,
    /// The same of a batch, order by order.
    pub abouts: &'a [OrderIds<'a>],
    /// The account that the credential acts for.
    pub account: Option<&'a str>,
    /// The client's address.
    pub address: Address,
    /// The key id that a wrong signature claimed to be of.
    pub claimed: Option<&'a str>,
    /// What each control saw.
    pub controls: Controls<'a>,
    /// The key id; never the key.
    pub credential: Option<&'a str>,
    /// The dialect that read the message.
    pub dialect: &'a str,
    /// From the first byte read to the decision, in microseconds.
    pub latency_us: u64,
    /// The name of the listener.
    pub listener: &'a str,
    /// The message id, unique per boot: `<boot id>-<counter>`.
    pub message: &'a str,
    /// The HTTP method (or its counterpart) as received.
    pub method: &'a str,
    /// `order.place` and so on; none when no route fits.
    pub operation: Option<&'a str>,
    /// The order, for order operations, refused ones too.
    pub order: Option<OrderFields<'a>>,
    /// The same of a batch, order by order; as many as [`ORDERS_BYTES`] have room for.
    pub orders: &'a [OrderFields<'a>],
    /// Permitted or refused.
    pub verdict: Verdict<'a>,
    /// The path without the query.
    pub path: &'a str,
    /// How the credential was proved, where not by the venue's own signature: `native`, `certificate`, `session`.
    pub proof: Option<&'a str>,
    /// Method and path of the request that a message on a channel stands for; none for a request.
    pub route: Option<&'a str>,
    /// The shard that the account stands in; none where there are no shards.
    pub shard: Option<u16>,
    /// Whether the operation changes state at the venue; a permitted one is an intent.
    pub state_changing: bool,
    /// The status answered, where the decision was the answer.
    pub status: Option<u16>,
    /// When it was decided.
    pub time_us: u64,
    /// What a message on a channel subscribes to, or no longer; as many as [`TOPICS_BYTES`] have room for.
    pub topics: &'a [String],
    /// `http/1.1`, `websocket` and so on.
    pub transport: &'a str,
}

impl DecisionEntry<'_> {
    /// Writes the entry into `out`, replacing what was there.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        if cfg!(feature = "unlogged") {
            return;
        }
        let mut entry = Object::open(out);
        if let Some(ids) = &self.about {
            ids.encode(entry.value("about"));
        }
        if !self.abouts.is_empty() {
            let out = entry.value("abouts");
            let left = json::list(out, self.abouts, ORDERS_BYTES, OrderIds::encode);
            entry.maybe_integer("abouts_left_out", (left > 0).then_some(left as u64));
        }
        entry.maybe_text("account", self.account, NAME_BYTES);
        address(entry.value("address"), self.address);
        entry.maybe_text("claimed", self.claimed, NAME_BYTES);
        self.controls.encode(entry.value("controls"));
        entry.maybe_text("credential", self.credential, NAME_BYTES);
        entry.text("dialect", self.dialect, FIELD_BYTES);
        entry.word("kind", "decision");
        entry.integer("latency_us", self.latency_us);
        entry.text("listener", self.listener, FIELD_BYTES);
        entry.text("message", self.message, NAME_BYTES);
        entry.text("method", self.method, FIELD_BYTES);
        entry.maybe_text("operation", self.operation, FIELD_BYTES);
        if let Some(order) = &self.order {
            order.encode(entry.value("order"));
        }
        if !self.orders.is_empty() {
            let out = entry.value("orders");
            let left = json::list(out, self.orders, ORDERS_BYTES, OrderFields::encode);
            entry.maybe_integer("orders_left_out", (left > 0).then_some(left as u64));
        }
        self.verdict.encode(&mut entry, self.path, self.proof);
        entry.maybe_text("route", self.route, PATH_BYTES);
        entry.maybe_integer("shard", self.shard.map(u64::from));
        entry.boolean("state_changing", self.state_changing);
        entry.maybe_integer("status", self.status.map(u64::from));
        entry.integer("time_us", self.time_us);
        if !self.topics.is_empty() {
            let out = entry.value("topics");
            let written = |topic: &String, out: &mut Vec<u8>| json::text(out, topic, NAME_BYTES);
            let left = json::list(out, self.topics, TOPICS_BYTES, written);
            entry.maybe_integer("topics_left_out", (left > 0).then_some(left as u64));
        }
        entry.text("transport", self.transport, FIELD_BYTES);
        entry.integer("v", SCHEMA);
        entry.finish();
    }
}

impl Verdict<'_> {
    // `path` and `proof` stand between `outcome` and `refusal` in key order.
    fn encode(&self, entry: &mut Object<'_>, path: &str, proof: Option<&str>) {
        match *self {
            Self::Permitted => {
                entry.word("outcome", "permitted");
                entry.text("path", path, PATH_BYTES);
                entry.maybe_text("proof", proof, FIELD_BYTES);
            }
            Self::Refused {
                blame,
                code,
                detail,
            } => {
                entry.word("outcome", "refused");
                entry.text("path", path, PATH_BYTES);
                entry.maybe_text("proof", proof, FIELD_BYTES);
                let mut refusal = Object::open(entry.value("refusal"));
                refusal.text("blame", blame, FIELD_BYTES);
                refusal.text("code", code, FIELD_BYTES);
                refusal.maybe_text("detail", detail, DETAIL_BYTES);
                refusal.finish();
            }
        }
    }
}

impl Controls<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut controls = Object::open(out);
        for (name, saw) in [
            ("authority", self.authority),
            ("budget", self.budget),
            ("edge", self.edge),
            ("freshness", self.freshness),
            ("guard", self.guard),
            ("identity", self.identity),
            ("operation", self.operation),
            ("sequence", self.sequence),
        ] {
            match saw {
                Saw::NotReached => {}
                Saw::Off => controls.word(name, "off"),
                Saw::Passed => controls.word(name, "passed"),
                Saw::Refused(code) => prefixed(controls.value(name), "refused:", code),
                Saw::WouldRefuse(code) => prefixed(controls.value(name), "would_refuse:", code),
            }
        }
        controls.finish();
    }
}

impl OrderFields<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut order = Object::open(out);
        order.maybe_text("client_order_id", self.client_order_id, FIELD_BYTES);
        order.maybe_text("price", self.price, FIELD_BYTES);
        order.maybe_text("quantity", self.quantity, FIELD_BYTES);
        order.maybe_text("quote_quantity", self.quote_quantity, FIELD_BYTES);
        order.text("side", self.side, FIELD_BYTES);
        order.maybe_text("stop_price", self.stop_price, FIELD_BYTES);
        order.text("symbol", self.symbol, FIELD_BYTES);
        order.maybe_text("trail", self.trail, FIELD_BYTES);
        order.text("type", self.kind, FIELD_BYTES);
        if self.whole_position {
            order.boolean("whole_position", true);
        }
        order.finish();
    }
}

impl OrderIds<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut ids = Object::open(out);
        ids.maybe_text("client_order_id", self.client_order_id, FIELD_BYTES);
        ids.maybe_text("symbol", self.symbol, FIELD_BYTES);
        ids.maybe_text("venue_order_id", self.venue_order_id, FIELD_BYTES);
        ids.finish();
    }
}

impl AnsweredOrder<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut order = Object::open(out);
        order.maybe_text("client_order_id", self.client_order_id, FIELD_BYTES);
        order.maybe_text("status", self.status, FIELD_BYTES);
        order.maybe_text("venue_order_id", self.venue_order_id, FIELD_BYTES);
        order.finish();
    }
}

/// What became of a permitted message at the venue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// The venue answered.
    Answered,
    /// Nothing reached the venue.
    NotSent,
    /// It may or may not have reached the venue.
    Unknown,
}

impl Fate {
    /// The text of the field `result`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NotSent => "not_sent",
            Self::Unknown => "unknown",
        }
    }
}

/// The outcome of one permitted message.
#[derive(Clone, Copy, Debug)]
pub struct OutcomeEntry<'a> {
    /// From the decision to the venue's answer, in microseconds; none where nobody measured it
    /// (written by recovery).
    pub latency_us: Option<u64>,
    /// The message id of the decision.
    pub message: &'a str,
    /// The order, as the venue's answer has it.
    pub order: Option<AnsweredOrder<'a>>,
    /// The same of a batch, order by order.
    pub orders: &'a [AnsweredOrder<'a>],
    /// Why, where the venue did not answer.
    pub reason: Option<&'a str>,
    /// What became of it.
    pub result: Fate,
    /// The venue's status.
    pub status: Option<u16>,
    /// When it was known.
    pub time_us: u64,
}

impl OutcomeEntry<'_> {
    /// Writes the entry into `out`, replacing what was there.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        if cfg!(feature = "unlogged") {
            return;
        }
        let mut entry = Object::open(out);
        entry.word("kind", "outcome");
        entry.maybe_integer("latency_us", self.latency_us);
        entry.text("message", self.message, NAME_BYTES);
        if let Some(order) = &self.order {
            order.encode(entry.value("order"));
        }
        if !self.orders.is_empty() {
            let out = entry.value("orders");
            let left = json::list(out, self.orders, ORDERS_BYTES, AnsweredOrder::encode);
            entry.maybe_integer("orders_left_out", (left > 0).then_some(left as u64));
        }
        entry.maybe_text("reason", self.reason, DETAIL_BYTES);
        entry.word("result", self.result.as_str());
        entry.maybe_integer("status", self.status.map(u64::from));
        entry.integer("time_us", self.time_us);
        entry.integer("v", SCHEMA);
        entry.finish();
    }
}

/// A value in the detail of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Value<'a> {
    /// true or false.
    Bool(bool),
    /// An integer; clamped to +-(2^53 - 1).
    Int(i64),
    /// A text, cut to [`DETAIL_BYTES`].
    Text(&'a str),
}

/// Something that happened to the gateway itself: `gate.start`, `credential.state`, `ledger.gap`…
#[derive(Clone, Copy, Debug)]
pub struct EventEntry<'a> {
    /// The event's name.
    pub event: &'a str,
    /// Its fields, in any order. Of a key given twice the first one counts; at most
    /// [`DETAIL_FIELDS`] are kept.
    pub detail: &'a [(&'a str, Value<'a>)],
    /// When it happened.
    pub time_us: u64,
}

impl EventEntry<'_> {
    /// Writes the entry into `out`, replacing what was there.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        let mut entry = Object::open(out);
        self.encode_detail(entry.value("detail"));
        entry.text("event", self.event, FIELD_BYTES);
        entry.word("kind", "event");
        entry.integer("time_us", self.time_us);
        entry.integer("v", SCHEMA);
        entry.finish();
    }

    fn encode_detail(&self, out: &mut Vec<u8>) {
        let mut detail = Object::open(out);
        let mut last: Option<&str> = None;
        // Selection by repeated minimum: the detail is short, and no index has to be allocated.
        for _ in 0..DETAIL_FIELDS {
            let next = self
                .detail
                .iter()
                .filter(|(key, _)| key.len() <= FIELD_BYTES)
                .filter(|(key, _)| last.is_none_or(|last| utf16_less(last, key)))
                .reduce(|least, field| {
                    if utf16_less(field.0, least.0) {
                        field
                    } else {
                        least
                    }
                });
            let Some(&(key, value)) = next else { break };
            detail.foreign_key(key, FIELD_BYTES);
            match value {
                Value::Bool(value) => json::boolean(detail.raw(), value),
                Value::Int(value) => json::signed(detail.raw(), value),
                Value::Text(value) => json::text(detail.raw(), value, DETAIL_BYTES),
            }
            last = Some(key);
        }
        detail.finish();
    }
}

// RFC 8785 3.2.3: keys are ordered by their UTF-16 code units, which differs from byte order for
// characters outside the basic plane.
fn utf16_less(left: &str, right: &str) -> bool {
    left.encode_utf16().lt(right.encode_utf16())
}

fn prefixed(out: &mut Vec<u8>, prefix: &str, code: &str) {
    let start = out.len();
    json::text(out, code, FIELD_BYTES);
    // After the opening quote; the prefix needs no escape.
    out.splice(start + 1..start + 1, prefix.bytes());
}

fn address(out: &mut Vec<u8>, address: Address) {
    out.push(b'"');
    // Writing to a Vec cannot fail, and an address or a commitment needs no escape.
    let _ = write!(out, "{address}");
    out.push(b'"');
}
