//! The dialect engine: a venue's signing scheme, routes, weights and error bodies, compiled from data.
//!
//! Reading turns a request's head and body into a claim, an order and a cost; forwarding writes target and body anew
//! from the same pairs, without the signature; rendering answers a refusal as the venue would.

mod about;
mod admission;
mod batch;
mod channel;
mod compile;
mod definition;
mod fills;
mod frame;
mod funds;
mod name;
mod order;
mod private;
mod read;
mod render;
mod route;
mod scheme;
mod scratch;
mod told;
mod weigh;

use std::collections::HashMap;
use std::fmt;

use ringfence_core::budget::{Algorithm, Counts, Limit};
use ringfence_core::freshness::Window;
use ringfence_core::refusal::{Code, Refusal};

pub use about::{AnsweredOrder, OrderIds};
pub use admission::{Admission, VenueAdmission, Way};
pub use batch::{Abouts, Each, Orders};
pub use channel::{Asked, Effect, Following, Heading, Leg, Said, Spoke, Spoken, Ticket, Times};
pub use definition::{BodyKind, Shown};
pub use fills::ToldFill;
pub use frame::Steps;
pub use private::{Lending, Lends};
pub use read::{Head, Outgoing, Reading};
pub use render::Rendered;
pub use route::{Mints, Route};
pub use scheme::{Description, Draft, Seal, Signed, Unsigned, essence};
pub use scratch::Scratch;
pub use told::{LeftFields, Stop, Verdict, http_date_us};

use crate::json;
use channel::Channel;
use definition::StreamMessages;
use funds::FundsNames;
use name::Name;
use order::{OrderNames, Words};
use render::ErrorTable;
use route::RouteTable;
use scheme::{Scheme, Signing};

/// A compiled dialect. If you hold one, it is consistent.
#[derive(Debug)]
pub struct Dialect {
    name: String,
    signing: Option<Signing>,
    frames: Vec<Frame>,
    words: Words,
    order_names: Option<OrderNames>,
    amends_by_order: bool,
    order_ids: about::Places,
    withdraw_names: Option<FundsNames>,
    transfer_names: Option<FundsNames>,
    answers: told::Answers,
    fills: fills::Fills,
    stream_messages: StreamMessages,
    channels: Vec<Channel>,
    routes: RouteTable,
    weight_header: Option<String>,
    orders_header: Option<String>,
    errors: ErrorTable,
}

/// A kind of signed WebSocket message.
#[derive(Debug)]
struct Frame {
    name: Box<str>,
    /// Names and what stands there; an empty text is anything.
    when: Box<[(Name, Box<str>)]>,
    scheme: Scheme,
}

/// What is wrong with a dialect, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DialectError {
    /// Path of the field, such as `routes[3].operation`.
    pub field: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for DialectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.what)
    }
}

impl std::error::Error for DialectError {}

impl Dialect {
    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its time rule; one that admits nothing when it has no signed routes.
    pub fn window(&self) -> Window {
        let nothing = Window {
            default_us: 0,
            max_us: 0,
            ahead_us: 0,
        };
        self.signing.as_ref().map_or(nothing, Signing::rule)
    }

    /// Takes the venue's numbers of instruments, by number, for messages that have them in place of names.
    #[must_use]
    pub fn with_codes(mut self, codes: HashMap<Box<str>, Box<str>>) -> Self {
        self.words.codes = codes;
        self
    }

    /// Tells whether amendments, or some of them, name their order alone, so that its instrument must be known from when it was placed.
    pub const fn amends_by_order(&self) -> bool {
        self.amends_by_order
    }

    /// Returns the lower-case name of the header with the key id, where one holds nothing else; it never goes upstream.
    pub fn key_header(&self) -> Option<&str> {
        match &self.signing.as_ref()?.canonical()?.key {
            scheme::Place::Header { name, part: None } => Some(name.as_str()),
            scheme::Place::Header { .. } | scheme::Place::Parameter(..) => None,
        }
    }

    /// Tells whether a client may send `text` on a stream. It is read strictly: what two readers could read in two ways
    /// is not taken.
    pub fn stream_takes(&self, text: &str) -> bool {
        let StreamMessages { any, fields, texts } = &self.stream_messages;
        if *any || texts.iter().any(|one| one == text) {
            return true;
        }
        let mut named = false;
        for (field, values) in fields {
            let Ok(said) = json::find(text, field) else {
                return false;
            };
            let Some(said) = said else { continue };
            let said = said
                .strip_prefix('"')
                .and_then(|said| said.strip_suffix('"'));
            if !said.is_some_and(|said| values.iter().any(|value| value == said)) {
                return false;
            }
            named = true;
        }
        named
    }

    /// Tells whether a client may send binary messages on a stream.
    pub const fn stream_takes_binary(&self) -> bool {
        self.stream_messages.any
    }

    /// Returns the route of a method and path; `None` means refused.
    pub fn route(&self, method: &str, path: &str) -> Option<&Route> {
        self.routes.find(method, path)
    }

    /// Returns the route that is meant of all that have the method and path of `route`: where there are several, the
    /// body says which.
    ///
    /// # Errors
    ///
    /// `route_unknown` when it says none of theirs; a `form_*` refusal for a body that is no JSON.
    pub fn settle(
        &self,
        route: &Route,
        body: &[u8],
        scratch: &mut Scratch,
    ) -> Result<&Route, Refusal> {
        let unknown = || Refusal::from(Code::RouteUnknown);
        if route.when.is_empty() {
            return self.routes.get(route).ok_or_else(unknown);
        }
        let text = std::str::from_utf8(body).map_err(|_| Code::FormMalformed)?;
        scratch.read_frame(text)?;
        let mut beside = self.routes.beside(route);
        let meant = beside.find(|route| says(&route.when, scratch));
        meant.ok_or_else(unknown)
    }

    /// Tells, by a look at `text`, whether there may be an order in it that can only reduce a position.
    pub fn may_reduce(&self, text: &[u8]) -> bool {
        let names = self.order_names.as_ref();
        names.is_some_and(|names| names.may_reduce(text))
    }

    /// Returns all routes, for people.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }

    /// Returns what the scheme's signature does not cover; the replay memory closes it (docs/adr/0004).
    pub fn holes(&self) -> Vec<&'static str> {
        self.signing.as_ref().map_or(Vec::new(), Signing::holes)
    }

    /// Returns the venue's own name of the header that tells how a limit stands, or none.
    pub fn usage_header(&self, counts: Counts, window_ms: u64) -> Option<String> {
        let template = match counts {
            Counts::Orders | Counts::Unfilled => self.orders_header.as_deref(),
            Counts::Weight => self.weight_header.as_deref(),
            Counts::CancelToOrder
            | Counts::Items
            | Counts::OrderToTrade
            | Counts::Requests
            | Counts::VolumeToTrade => None,
        }?;
        Some(template.replacen("{window}", &interval(window_ms)?, 1))
    }
}

/// Returns how a limit stands as Binance's channels tell it, up to the number of units used; none for what is no
/// window of whole seconds on the clock.
pub fn usage_row(limit: &Limit) -> Option<String> {
    let kind = match limit.counts {
        Counts::Orders | Counts::Unfilled => "ORDERS",
        Counts::Weight => "REQUEST_WEIGHT",
        Counts::Requests => "RAW_REQUESTS",
        Counts::CancelToOrder | Counts::Items | Counts::OrderToTrade | Counts::VolumeToTrade => {
            return None;
        }
    };
    let window = interval(limit.window_ms).filter(|_| limit.algorithm == Algorithm::Fixed)?;
    let (number, unit) = window.split_at(window.len().checked_sub(1)?);
    let unit = match unit {
        "D" => "DAY",
        "H" => "HOUR",
        "M" => "MINUTE",
        _ => "SECOND",
    };
    let quota = limit.quota;
    Some(format!(
        r#"{{"rateLimitType":"{kind}","interval":"{unit}","intervalNum":{number},"limit":{quota},"count":"#
    ))
}

/// Tells whether a message says all of `when`; an empty text asks only that something stands there.
fn says(when: &[(Name, Box<str>)], scratch: &Scratch) -> bool {
    when.iter().all(|(name, wanted)| {
        let found = scratch.pairs().get(name);
        found.is_some_and(|found| wanted.is_empty() || *found == **wanted)
    })
}

/// Returns a window as Binance writes it: `10S`, `1M`, `1H`, `1D`; none for parts of a second.
fn interval(window_ms: u64) -> Option<String> {
    [
        (86_400_000, 'D'),
        (3_600_000, 'H'),
        (60_000, 'M'),
        (1_000, 'S'),
    ]
    .into_iter()
    .find(|(unit, _)| window_ms >= *unit && window_ms.is_multiple_of(*unit))
    .map(|(unit, letter)| format!("{}{letter}", window_ms / unit))
}

#[cfg(test)]
mod tests;
