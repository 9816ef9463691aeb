//! Reading a message, and writing it anew for the venue.

use ringfence_core::budget::Cost;
use ringfence_core::guard::OrderText;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::sign::{Claim, HmacForm, Stamp};

use super::name::Name;
use super::{Dialect, OrderNames, Route, Scratch, Signing};
use crate::form;

/// A request's head, as far as dialects look at it.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Method.
    pub method: &'a str,
    /// Path as sent.
    pub path: &'a str,
    /// Query as sent, without `?`.
    pub query: &'a str,
    /// Media type of the body.
    pub content_type: Option<&'a str>,
    /// Value of the dialect's key header.
    pub key: Option<&'a str>,
}

/// What a message says.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// Who it says signed it.
    pub claim: Option<Claim<'a>>,
    /// The order that it carries.
    pub order: Option<OrderText<'a>>,
    /// What it costs.
    pub cost: Cost,
}

/// A message as it goes to the venue.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outgoing {
    /// Path and query.
    pub target: String,
    /// Body.
    pub body: Vec<u8>,
    /// What the body is, in place of what the client called it; none leaves the client's word.
    pub content_type: Option<&'static str>,
}

const FORM: &str = "application/x-www-form-urlencoded";

impl Dialect {
    /// Reads a message on `route`. Allocates nothing once `scratch` has grown to the size of the messages.
    ///
    /// # Errors
    ///
    /// A `form_*`, `credential_missing`, `signature_missing` or `time_*` refusal.
    pub fn read<'a>(
        &self,
        route: &Route,
        head: &Head<'a>,
        body: &'a [u8],
        scratch: &'a mut Scratch,
    ) -> Result<Reading<'a>, Refusal> {
        if route.is_wildcard() {
            return Ok(Reading {
                claim: None,
                order: None,
                cost: cost(route, route.weight),
            });
        }
        let body = body_text(head, body)?;
        let signing = self.signing.as_ref();
        scratch.read(head.query, body, signing.map(|s| s.signature.as_str()))?;
        if let Some(signing) = signing.filter(|_| route.signed) {
            scratch.sign(signing, head.query, body);
        }
        let scratch: &'a Scratch = scratch;
        let cost = weigh(route, scratch)?;
        let claim = match signing {
            Some(signing) if route.signed => Some(signing.claim(head, scratch)?),
            Some(_) | None => None,
        };
        let order = match &self.order_names {
            Some(fields) if route.operation.carries_order() => Some(fields.order(scratch)?),
            Some(_) | None => None,
        };
        Ok(Reading { claim, order, cost })
    }

    /// Writes target and body anew from their pairs, without the signature. Call it with what [`Dialect::read`] took.
    pub fn forward(&self, route: &Route, head: &Head<'_>, body: &[u8]) -> Outgoing {
        let mut target = String::with_capacity(head.path.len() + head.query.len() + 1);
        target.push_str(head.path);
        if route.is_wildcard() {
            if !head.query.is_empty() {
                target.push('?');
                target.push_str(head.query);
            }
            return Outgoing {
                target,
                body: body.to_vec(),
                content_type: None,
            };
        }
        let signature = self.signing.as_ref().map_or("", |s| s.signature.as_str());
        target.push('?');
        let before = target.len();
        form::without(head.query, signature, &mut target);
        if target.len() == before {
            target.pop();
        }
        let mut rest = String::with_capacity(body.len());
        // INVARIANT: `read` refused a body that is not text.
        let text = std::str::from_utf8(body).unwrap_or_default();
        form::without(text, signature, &mut rest);
        Outgoing {
            target,
            content_type: (!rest.is_empty()).then_some(FORM),
            body: rest.into_bytes(),
        }
    }
}

/// Returns the body as form text; one of another type is refused.
fn body_text<'a>(head: &Head<'_>, body: &'a [u8]) -> Result<&'a str, Refusal> {
    if body.is_empty() {
        return Ok("");
    }
    // RFC 9110 9.3.1: the body of a GET has no meaning. A venue that ignores it would see another message than we judged.
    if head.method == "GET" {
        return Err(Refusal::new(Code::FormMalformed).field("body"));
    }
    let mut parts = head.content_type.unwrap_or(FORM).split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    // Whoever decodes the body by another charset reads other parameters.
    let utf8 = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        name.eq_ignore_ascii_case("charset")
            && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    };
    if !essence.eq_ignore_ascii_case(FORM) || !parts.all(utf8) {
        return Err(Refusal::new(Code::FormMalformed).field("Content-Type"));
    }
    std::str::from_utf8(body).map_err(|_| Code::FormMalformed.into())
}

/// Checks the closed list of parameters and returns what the message costs.
fn weigh(route: &Route, scratch: &Scratch) -> Result<Cost, Refusal> {
    let mut by_parameters = None;
    for (tag, name, value) in scratch.pairs() {
        if !route.takes(tag, name) {
            return Err(Refusal::new(Code::FormParameterUnknown).field(name));
        }
        by_parameters = by_parameters.max(route.weight_for(name, value));
    }
    Ok(cost(route, by_parameters.unwrap_or(route.weight)))
}

const fn cost(route: &Route, weight: u32) -> Cost {
    Cost {
        weight,
        orders: route.orders,
    }
}

impl OrderNames {
    fn order<'a>(&self, scratch: &'a Scratch) -> Result<OrderText<'a>, Refusal> {
        let needed = |name: &Name| {
            let value = scratch.get(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| Refusal::new(Code::FormParameterMissing).field(name.as_str()))
        };
        let optional = |name: &Option<Name>| scratch.get(name.as_ref()?);
        Ok(OrderText {
            symbol: needed(&self.symbol)?,
            side: needed(&self.side)?,
            kind: needed(&self.kind)?,
            price: scratch.get(&self.price),
            stop_price: scratch.get(&self.stop_price),
            quantity: scratch.get(&self.quantity),
            iceberg_quantity: optional(&self.iceberg_quantity),
            quote_quantity: optional(&self.quote_quantity),
            client_order_id: optional(&self.client_order_id),
        })
    }
}

impl Signing {
    fn claim<'a>(&self, head: &Head<'a>, scratch: &'a Scratch) -> Result<Claim<'a>, Refusal> {
        let key_id = head
            .key
            .filter(|key| !key.is_empty())
            .ok_or(Code::CredentialMissing)?;
        let signature = scratch
            .get(&self.signature)
            .filter(|text| !text.is_empty())
            .ok_or(Code::SignatureMissing)?;
        let malformed = |name: &Name| Refusal::new(Code::TimeMalformed).field(name.as_str());
        let time = scratch.get(&self.time).ok_or(Code::TimeMissing)?;
        let stamp = Stamp {
            time_us: time_us(time).ok_or_else(|| malformed(&self.time))?,
            window_us: match scratch.get(&self.window) {
                None => self.rule.default_us,
                Some(text) => window_us(text).ok_or_else(|| malformed(&self.window))?,
            },
        };
        Ok(Claim {
            key_id,
            payload: scratch.payload(),
            signature: signature.as_bytes(),
            otherwise: None,
            encodings: self.encodings,
            hmac: HmacForm::default(),
            stamp,
        })
    }
}

/// First time that is read as microseconds: 10^14 ms would be the year 5138 (Binance takes either unit).
const MICROSECONDS_FROM: u64 = 100_000_000_000_000;

fn time_us(text: &str) -> Option<u64> {
    let number = digits(text).filter(|_| text.len() <= 16)?;
    if number >= MICROSECONDS_FROM {
        Some(number)
    } else {
        number.checked_mul(1000)
    }
}

/// Reads milliseconds with up to three decimals (Binance REST docs, "Timing security"), exactly.
fn window_us(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let part = digits(fraction).filter(|_| fraction.len() <= 3)?;
    let part_us = part * 10_u64.pow(3 - fraction.len() as u32);
    digits(whole)?.checked_mul(1000)?.checked_add(part_us)
}

/// Reads ASCII digits, at least one: no sign, unlike `parse` alone.
fn digits(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}
