//! One request as policies see it: what they may read, as a Cedar context and as a key for the cache.

use std::net::IpAddr;

use cedar_policy::{Context, RestrictedExpression};
use ringfence_core::operation::{Scope, Scopes};
use ringfence_core::policy::StepUp;
use ringfence_core::principal::{Above, Kind};

use crate::action::{self, Action};
use crate::part::Part;
use crate::reads::bucket;
use crate::source::Problem;

/// Returns the schema's word for a kind of principal.
pub const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Account => "Account",
        Kind::Operator => "Operator",
        Kind::Organisation => "Organisation",
        Kind::Service => "Service",
    }
}

/// An order. Numbers are in ten-thousandths, rounded up.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)] // the words of the schema
pub struct Order<'a> {
    pub side: Option<&'a str>,
    pub kind: Option<&'a str>,
    pub price: Option<i64>,
    pub quantity: Option<i64>,
    pub notional: Option<i64>,
    pub amends: bool,
}

/// Funds that leave, or an address that they may leave to. The amount is in ten-thousandths, rounded up.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)] // the words of the schema
pub struct Funds<'a> {
    pub account: Option<&'a str>,
    pub asset: Option<&'a str>,
    pub amount: Option<i64>,
    pub network: Option<&'a str>,
    pub address: Option<&'a str>,
    pub tag: Option<&'a str>,
}

/// One request.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // the words of the schema
pub struct Request<'a> {
    pub kind: Kind,
    pub principal: &'a str,
    /// Who stands above it.
    pub above: &'a [Above],
    pub action: Action,
    /// The instrument, where the action has one.
    pub instrument: Option<&'a str>,
    pub credential: &'a str,
    pub scopes: Scopes,
    pub algorithm: &'a str,
    pub address: IpAddr,
    /// Microseconds since the Unix epoch.
    pub now_us: u64,
    pub coverage: &'a str,
    pub certificate: bool,
    pub transport: &'a str,
    pub step_up: Option<StepUp<'a>>,
    pub order: Option<Order<'a>>,
    pub funds: Option<Funds<'a>>,
}

/// A part's value.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Absent,
    Address(IpAddr),
    Bool(bool),
    Credential(&'a str),
    Decimal(i64),
    Long(i64),
    /// A record that is there.
    Record,
    Scopes(Scopes),
    Text(&'a str),
}

/// An attribute with its value.
type Field = (String, RestrictedExpression);

const HOUR_US: u64 = 3_600_000_000;
const DAY_US: u64 = 24 * HOUR_US;

/// Returns the hour of the day in UTC, 0 to 23.
pub(crate) const fn hour(now_us: u64) -> i64 {
    (now_us % DAY_US / HOUR_US) as i64
}

/// Returns the day of the week in UTC, 1 for Monday to 7. The first of January 1970 was a Thursday.
pub(crate) const fn day(now_us: u64) -> i64 {
    ((now_us / DAY_US + 3) % 7 + 1) as i64
}

impl<'a> Request<'a> {
    pub(crate) fn value(&self, part: Part) -> Value<'a> {
        let text = |text: Option<&'a str>| text.map_or(Value::Absent, Value::Text);
        let number = |number: Option<i64>| number.map_or(Value::Absent, Value::Decimal);
        let record = |is_there: bool| {
            if is_there {
                Value::Record
            } else {
                Value::Absent
            }
        };
        let order = self.order.unwrap_or_default();
        let funds = self.funds.unwrap_or_default();
        match part {
            Part::Address => Value::Address(self.address),
            Part::Algorithm => Value::Text(self.algorithm),
            Part::Certificate => Value::Bool(self.certificate),
            Part::Coverage => Value::Text(self.coverage),
            Part::Credential => Value::Credential(self.credential),
            Part::Day => Value::Long(day(self.now_us)),
            Part::Funds => record(self.funds.is_some()),
            Part::FundsAccount => text(funds.account),
            Part::FundsAddress => text(funds.address),
            Part::FundsAmount => number(funds.amount),
            Part::FundsAsset => text(funds.asset),
            Part::FundsNetwork => text(funds.network),
            Part::FundsTag => text(funds.tag),
            Part::Hour => Value::Long(hour(self.now_us)),
            Part::Order => record(self.order.is_some()),
            Part::OrderAmends => match self.order {
                Some(order) => Value::Bool(order.amends),
                None => Value::Absent,
            },
            Part::OrderNotional => number(order.notional),
            Part::OrderPrice => number(order.price),
            Part::OrderQuantity => number(order.quantity),
            Part::OrderSide => text(order.side),
            Part::OrderType => text(order.kind),
            Part::Scopes => Value::Scopes(self.scopes),
            Part::StepUp => record(self.step_up.is_some()),
            Part::StepUpAge => match self.step_up {
                Some(step_up) => Value::Long(i64::try_from(step_up.age_s).unwrap_or(i64::MAX)),
                None => Value::Absent,
            },
            Part::StepUpStrength => text(self.step_up.map(|step_up| step_up.strength)),
            Part::Time => Value::Long(i64::try_from(self.now_us).unwrap_or(i64::MAX)),
            Part::Transport => Value::Text(self.transport),
        }
    }

    /// Returns the part of the context that is read.
    pub(crate) fn context(&self, parts: &[Part]) -> Result<Context, Problem> {
        let mut top = Vec::new();
        let mut records: [(&str, bool, Vec<Field>); 3] = [
            ("order", self.order.is_some(), Vec::new()),
            ("funds", self.funds.is_some(), Vec::new()),
            ("stepUp", self.step_up.is_some(), Vec::new()),
        ];
        for part in parts {
            let Some(value) = self.value(*part).expression()? else {
                continue;
            };
            match part.path().split_once('.') {
                None => top.push((part.path().to_owned(), value)),
                Some((record, name)) => records
                    .iter_mut()
                    .filter(|(wanted, ..)| *wanted == record)
                    .for_each(|(.., fields)| fields.push((name.to_owned(), value.clone()))),
            }
        }
        for (name, is_there, fields) in records {
            if is_there {
                let record = RestrictedExpression::new_record(fields);
                top.push((
                    name.to_owned(),
                    record.map_err(|e| Problem::whole(name, e))?,
                ));
            }
        }
        Context::from_pairs(top).map_err(|e| Problem::whole("context", e))
    }

    /// Writes what is read into `key`. False: it cannot be kept, since the time itself is read.
    pub(crate) fn key(&self, plan: &[(Part, Option<Vec<i64>>)], key: &mut Vec<u8>) -> bool {
        key.push(self.action.index() as u8);
        key.push(self.kind as u8);
        text(key, self.principal);
        key.push(self.above.len() as u8);
        for above in self.above {
            key.push(above.kind as u8);
            text(key, &above.name);
        }
        text(key, self.instrument.unwrap_or_default());
        for (part, bounds) in plan {
            let (long, bounds) = match (self.value(*part), bounds) {
                (Value::Long(_), None) if *part == Part::Time => return false,
                (Value::Long(long) | Value::Decimal(long), Some(bounds)) => (long, bounds),
                // Whether it is there is all that is read.
                (Value::Absent, _) => {
                    key.push(0);
                    continue;
                }
                (_, Some(bounds)) if bounds.is_empty() => {
                    key.push(1);
                    continue;
                }
                (value, _) => {
                    value.write(key);
                    continue;
                }
            };
            key.push(2);
            key.extend(bucket(bounds, long).to_le_bytes());
        }
        true
    }
}

impl Value<'_> {
    fn expression(&self) -> Result<Option<RestrictedExpression>, Problem> {
        Ok(Some(match self {
            Value::Absent | Value::Record => return Ok(None),
            Value::Address(ip) => RestrictedExpression::new_ip(ip.to_canonical().to_string()),
            Value::Bool(truth) => RestrictedExpression::new_bool(*truth),
            Value::Credential(id) => {
                RestrictedExpression::new_entity_uid(action::uid("Credential", id)?)
            }
            Value::Decimal(units) => RestrictedExpression::new_decimal(decimal(*units)),
            Value::Long(long) => RestrictedExpression::new_long(*long),
            Value::Scopes(scopes) => {
                let held = Scope::ALL.into_iter().filter(|s| scopes.contains(*s));
                RestrictedExpression::new_set(
                    held.map(|s| RestrictedExpression::new_string(s.as_str().to_owned())),
                )
            }
            Value::Text(text) => RestrictedExpression::new_string((*text).to_owned()),
        }))
    }

    fn write(&self, key: &mut Vec<u8>) {
        key.push(3);
        match self {
            Value::Absent | Value::Record => {}
            Value::Address(ip) => match ip.to_canonical() {
                IpAddr::V4(ip) => {
                    key.push(4);
                    key.extend(ip.octets());
                }
                IpAddr::V6(ip) => {
                    key.push(6);
                    key.extend(ip.octets());
                }
            },
            Value::Bool(truth) => key.push(u8::from(*truth)),
            Value::Credential(id) => text(key, id),
            Value::Decimal(long) | Value::Long(long) => key.extend(long.to_le_bytes()),
            Value::Scopes(scopes) => {
                let held = Scope::ALL.into_iter().filter(|s| scopes.contains(*s));
                key.push(held.fold(0, |bits, scope| bits | scope as u8));
            }
            Value::Text(content) => text(key, content),
        }
    }
}

/// Writes ten-thousandths as Cedar reads them.
pub(crate) fn decimal(units: i64) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let units = units.unsigned_abs();
    format!("{sign}{}.{:04}", units / 10_000, units % 10_000)
}

/// Writes a text with its length before it, so that no two lists of texts look alike.
fn text(key: &mut Vec<u8>, content: &str) {
    key.extend((content.len() as u32).to_le_bytes());
    key.extend(content.as_bytes());
}
