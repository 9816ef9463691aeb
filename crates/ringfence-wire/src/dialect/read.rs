//! Reading a message, and writing it anew for the venue.

use std::ops::Range;

use ringfence_core::budget::Cost;
use ringfence_core::decimal::Decimal;
use ringfence_core::guard::OrderText;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::sign::{Claim, Stamp};

use super::definition::Atom;
use super::{Dialect, Route, Signing};
use crate::form::{self, PARAMETERS_MAX, Pair};

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

/// Memory that one reading uses and the next reuses.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Decoded names and values, end to end.
    text: String,
    /// Where each decoded pair stands in `text`.
    pairs: Vec<(Range<usize>, Range<usize>)>,
    payload: String,
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
}

const FORM: &str = "application/x-www-form-urlencoded";

impl Dialect {
    /// Reads a message on `route`.
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
            let cost = Cost {
                weight: route.weight,
                orders: route.orders,
            };
            return Ok(Reading {
                claim: None,
                order: None,
                cost,
            });
        }
        let form = body_text(head, body)?;
        scratch.decode(head.query, form)?;
        if let Some(signing) = self.signing.as_ref().filter(|_| route.signed) {
            scratch.payload(signing, head.query, form);
        }
        let scratch: &'a Scratch = scratch;
        let cost = scratch.cost(route)?;
        let claim = match &self.signing {
            Some(signing) if route.signed => Some(signing.claim(head, scratch)?),
            Some(_) | None => None,
        };
        let order = route.operation.carries_order().then(|| self.order(scratch));
        Ok(Reading { claim, order, cost })
    }

    fn order<'a>(&self, scratch: &'a Scratch) -> OrderText<'a> {
        let fields = &self.order_fields;
        let get = |name: &Option<String>| scratch.get(name.as_deref()?);
        OrderText {
            symbol: get(&fields.symbol).unwrap_or_default(),
            side: get(&fields.side).unwrap_or_default(),
            kind: get(&fields.kind).unwrap_or_default(),
            price: get(&fields.price),
            stop_price: get(&fields.stop_price),
            quantity: get(&fields.quantity),
            iceberg_quantity: get(&fields.iceberg_quantity),
            quote_quantity: get(&fields.quote_quantity),
            client_order_id: get(&fields.client_order_id),
        }
    }

    /// Writes target and body anew from their pairs, without the signature. Call it with what [`Dialect::read`] took.
    pub fn forward(&self, route: &Route, head: &Head<'_>, body: &[u8]) -> Outgoing {
        let mut target = String::with_capacity(head.path.len() + head.query.len() + 1);
        target.push_str(head.path);
        let signature = match &self.signing {
            Some(signing) if !route.is_wildcard() => signing.signature.as_str(),
            Some(_) | None => "",
        };
        if !head.query.is_empty() {
            target.push('?');
            let before = target.len();
            form::without(head.query, signature, &mut target);
            if target.len() == before {
                target.pop();
            }
        }
        if route.is_wildcard() {
            return Outgoing {
                target,
                body: body.to_vec(),
            };
        }
        let mut rest = String::with_capacity(body.len());
        // INVARIANT: `read` refused a body that is not text.
        form::without(
            std::str::from_utf8(body).unwrap_or_default(),
            signature,
            &mut rest,
        );
        Outgoing {
            target,
            body: rest.into_bytes(),
        }
    }
}

/// Returns the body as form text; one of another type is refused.
fn body_text<'a>(head: &Head<'_>, body: &'a [u8]) -> Result<&'a str, Refusal> {
    if body.is_empty() {
        return Ok("");
    }
    let essence = head
        .content_type
        .map(|t| t.split_once(';').map_or(t, |(essence, _)| essence));
    if essence.is_some_and(|t| !t.trim().eq_ignore_ascii_case(FORM)) {
        return Err(Refusal::new(Code::FormMalformed).field("Content-Type"));
    }
    std::str::from_utf8(body).map_err(|_| Refusal::new(Code::FormMalformed))
}

impl Scratch {
    /// Reads all pairs of query and body; a name that stands twice is refused, also across the two.
    fn decode(&mut self, query: &str, form: &str) -> Result<(), Refusal> {
        self.text.clear();
        self.pairs.clear();
        for pair in form::pairs(query).chain(form::pairs(form)) {
            let Pair { name, value, .. } = pair?;
            // A name has one spelling: `sign%61ture` would be read by one parser and missed by another.
            if name.bytes().any(|b| matches!(b, b'%' | b'+')) {
                return Err(Refusal::new(Code::FormMalformed).field(name));
            }
            let name = form::decode(name, &mut self.text)?;
            let value = form::decode(value, &mut self.text)?;
            let text = &self.text;
            let twice = self
                .pairs
                .iter()
                .any(|(n, _)| text.get(n.clone()) == text.get(name.clone()));
            if twice {
                let name = text.get(name).unwrap_or_default();
                return Err(Refusal::new(Code::FormDuplicate).field(name));
            }
            if self.pairs.len() >= PARAMETERS_MAX {
                return Err(Code::FormMalformed.into());
            }
            self.pairs.push((name, value));
        }
        Ok(())
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let part = |range: &Range<usize>| self.text.get(range.clone()).unwrap_or_default();
        self.pairs
            .iter()
            .map(move |(name, value)| (part(name), part(value)))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.pairs()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// Checks the closed list of parameters and returns what the message costs.
    fn cost(&self, route: &Route) -> Result<Cost, Refusal> {
        let mut weight = route.weight;
        for (name, value) in self.pairs() {
            if route
                .parameters
                .as_ref()
                .is_some_and(|list| !list.contains(name))
            {
                return Err(Refusal::new(Code::FormParameterUnknown).field(name));
            }
            weight = route.weight_for(name, value).unwrap_or(weight);
        }
        Ok(Cost {
            weight,
            orders: route.orders,
        })
    }

    fn payload(&mut self, signing: &Signing, query: &str, form: &str) {
        self.payload.clear();
        for atom in &signing.payload {
            let text = match atom {
                Atom::BodyWithoutSignature => form,
                Atom::QueryWithoutSignature => query,
            };
            form::without(text, &signing.signature, &mut self.payload);
        }
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
        let stamp = Stamp {
            time_us: time_us(scratch.get(&self.time).ok_or(Code::TimeMissing)?)
                .ok_or_else(|| Refusal::new(Code::TimeMalformed).field(&self.time))?,
            window_us: match scratch.get(&self.window) {
                None => self.rule.default_us,
                Some(text) => window_us(text)
                    .ok_or_else(|| Refusal::new(Code::TimeMalformed).field(&self.window))?,
            },
        };
        Ok(Claim {
            key_id,
            payload: scratch.payload.as_bytes(),
            signature: signature.as_bytes(),
            encodings: self.encodings,
            stamp,
        })
    }
}

/// First time that is read as microseconds: 10^14 ms would be the year 5138 (Binance takes either unit).
const MICROSECONDS_FROM: u64 = 100_000_000_000_000;

fn time_us(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.len() <= 16 && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse::<u64>().ok().filter(|_| plain)?;
    if number >= MICROSECONDS_FROM {
        Some(number)
    } else {
        number.checked_mul(1000)
    }
}

/// Reads milliseconds with up to three decimals (Binance REST docs, "Timing security").
fn window_us(text: &str) -> Option<u64> {
    let exact = Decimal::parse(text).ok()?;
    let microsecond_in_ms = Decimal::parse("0.001").ok()?;
    u64::try_from(exact.in_steps(microsecond_in_ms).ok()?).ok()
}
