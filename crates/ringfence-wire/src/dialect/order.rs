//! Where an order's fields stand in a message.

mod variant;

use std::collections::{BTreeMap, HashMap, HashSet};

use ringfence_core::guard::{OrderKind, OrderText};
use ringfence_core::operation::Operation;
use ringfence_core::refusal::{Code, Refusal};
use serde_json::Value;

use super::compile::wrong;
use super::definition::{AmendmentFields, OrderFields, OrderType, QuantityUnit, UnitName};
use super::name::Name;
use super::scratch::Pairs;
use super::{DialectError, Route};
use variant::Variants;

/// Where the fields of an order stand.
#[derive(Debug)]
pub(super) struct OrderNames {
    symbol: Spot,
    symbol_code: Option<Name>,
    side: Spot,
    kind: Kind,
    price: Spot,
    stop_price: Spot,
    quantity: Spot,
    iceberg_quantity: Option<Spot>,
    quote_quantity: Option<Spot>,
    client_order_id: Option<Spot>,
    sides: HashMap<Box<str>, &'static str>,
    unit: Option<Unit>,
    variants: Variants,
    amendment: Option<Amendment>,
}

/// What a message's words mean.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// What an order type must carry.
    pub(super) types: HashMap<Box<str>, OrderKind>,
    /// Instruments by the venue's numbers of them. Of the configuration, not of the dialect.
    pub(super) codes: HashMap<Box<str>, Box<str>>,
}

/// What tells whether a quantity counts base or quote currency.
#[derive(Debug)]
struct Unit {
    /// Order types of which it tells.
    kinds: HashSet<Box<str>>,
    parameter: Name,
    base: Box<str>,
    quote: Box<str>,
    buy: UnitName,
    sell: UnitName,
    only: Box<[(Name, Box<str>)]>,
}

/// What an amendment changes, where its order is named by an id alone.
#[derive(Debug)]
struct Amendment {
    of: Of,
    price: Name,
    quantity: Name,
}

/// What an amendment names.
#[derive(Debug)]
enum Of {
    Symbol(Name),
    /// The order alone, by the venue's id.
    Order(Name),
}

/// Where the order's type stands.
#[derive(Debug)]
enum Kind {
    /// It is what this parameter says.
    Value(Name),
    /// It is the one name inside this one.
    Inside(Box<str>),
}

/// Where one field stands.
#[derive(Debug)]
enum Spot {
    Name(Name),
    /// A name in whose middle the order's type stands.
    Around(Box<str>, Box<str>),
}

/// Stands for the order's type inside a name.
const KIND: char = '*';

impl OrderNames {
    pub(super) fn compile(
        written: &OrderFields,
        types: &BTreeMap<String, OrderType>,
    ) -> Result<Self, DialectError> {
        let optional = |name: &Option<String>| name.as_deref().map(Spot::compile);
        Ok(Self {
            symbol: Spot::compile(&written.symbol),
            symbol_code: written.symbol_code.as_deref().map(Name::from),
            side: Spot::compile(&written.side),
            kind: match written.kind.strip_suffix(".*") {
                Some(inside) => Kind::Inside(inside.into()),
                None => Kind::Value(Name::from(&*written.kind)),
            },
            price: Spot::compile(&written.price),
            stop_price: Spot::compile(&written.stop_price),
            quantity: Spot::compile(&written.quantity),
            iceberg_quantity: optional(&written.iceberg_quantity),
            quote_quantity: optional(&written.quote_quantity),
            client_order_id: optional(&written.client_order_id),
            sides: written
                .sides
                .iter()
                .map(|(word, side)| (word.as_str().into(), side.as_str()))
                .collect(),
            unit: Unit::compile(written.quantity_unit.as_ref(), types)?,
            variants: Variants::compile(written, types)?,
            amendment: written
                .amendment
                .as_ref()
                .map(Amendment::compile)
                .transpose()?,
        })
    }

    /// Tells, by a look at `text`, whether an order in it may be one that can only reduce a position.
    pub(super) fn may_reduce(&self, text: &[u8]) -> bool {
        self.variants.may_reduce(text)
    }

    /// Tells whether an amendment names its order alone.
    pub(super) fn amends_by_order(&self) -> bool {
        let change = self.amendment.as_ref();
        change.is_some_and(|change| matches!(change.of, Of::Order(_)))
    }

    /// Returns the same names, all of them inside `outer`; none where the fields say more than names.
    pub(super) fn inside(outer: &str, written: &OrderFields) -> Option<Self> {
        let more = written.trailing.is_some() || written.whole_position.is_some();
        if more || written.quantity_unit.is_some() || written.amendment.is_some() {
            return None;
        }
        let name = |name: &String| format!("{outer}.{name}");
        let optional = |written: &Option<String>| written.as_ref().map(name);
        let inside = OrderFields {
            symbol: name(&written.symbol),
            symbol_code: optional(&written.symbol_code),
            side: name(&written.side),
            kind: name(&written.kind),
            price: name(&written.price),
            stop_price: name(&written.stop_price),
            quantity: name(&written.quantity),
            iceberg_quantity: optional(&written.iceberg_quantity),
            quote_quantity: optional(&written.quote_quantity),
            client_order_id: optional(&written.client_order_id),
            quantity_unit: None,
            trailing: None,
            whole_position: None,
            reduce_only: optional(&written.reduce_only),
            amendment: None,
            sides: written.sides.clone(),
        };
        Self::compile(&inside, &BTreeMap::new()).ok()
    }

    /// Returns the order's instrument: as the message names it, or the one whose number it has.
    fn symbol<'a>(
        &self,
        pairs: &'a Pairs,
        name: &str,
        said: Option<&'a str>,
        words: &'a Words,
    ) -> Result<&'a str, Refusal> {
        let said = said.filter(|said| !said.is_empty());
        let code = self.symbol_code.as_ref();
        let numbered = code.and_then(|code| pairs.get(code).filter(|number| !number.is_empty()));
        let (Some(number), Some(code)) = (numbered, code) else {
            return said.ok_or_else(|| Refusal::new(Code::FormParameterMissing).field(name));
        };
        let refuse = |why| Refusal::new(why).field(code.as_str());
        let found = words.codes.get(number).map(|name| &**name);
        match (found, said) {
            (Some(found), None) => Ok(found),
            // The venue would take one of the two, and we might judge the other.
            (Some(found), Some(said)) if found == said => Ok(found),
            (Some(_), Some(_)) => Err(refuse(Code::FormParameterInvalid)),
            (None, _) => Err(refuse(Code::InstrumentUnknown)),
        }
    }

    /// Returns a channel's parameters with the names of instruments in place of their numbers, as requests have them.
    ///
    /// What says both, or a number of nobody, stays for [`OrderNames::order`] to judge, and so do numbers with a fraction, which
    /// might lose digits.
    pub(super) fn renamed(&self, parameters: String, words: &Words) -> String {
        let Some(code) = self.symbol_code.as_ref().map(Name::as_str) else {
            return parameters;
        };
        if words.codes.is_empty() || !parameters.contains(code) {
            return parameters;
        }
        let Ok(mut value) = serde_json::from_str::<Value>(&parameters) else {
            return parameters;
        };
        let orders = match value.is_array() {
            true => value
                .as_array_mut()
                .map(Vec::as_mut_slice)
                .unwrap_or_default(),
            false => std::slice::from_mut(&mut value),
        };
        for order in orders.iter_mut().filter_map(Value::as_object_mut) {
            if order.values().any(Value::is_f64) || order.get(self.symbol.as_str()).is_some() {
                return parameters;
            }
            let number = match order.get(code) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) => number.to_string(),
                Some(_) | None => continue,
            };
            if let Some(name) = words.codes.get(&*number) {
                let _number = order.shift_remove(code);
                let _none = order.insert(self.symbol.as_str().to_owned(), Value::from(&**name));
            }
        }
        value.to_string()
    }

    /// Reads the order of a message on `route`.
    ///
    /// # Errors
    ///
    /// `form_parameter_missing` for what every order has; `form_duplicate` for one of two types;
    /// `form_parameter_invalid` where what the quantity counts cannot be told.
    pub(super) fn order<'a>(
        &self,
        route: &Route,
        pairs: &'a Pairs,
        words: &'a Words,
    ) -> Result<OrderText<'a>, Refusal> {
        let amends = route.operation == Operation::OrderAmend;
        if let Some(change) = self.amendment.as_ref().filter(|_| amends) {
            let (symbol, venue_order_id) = match &change.of {
                Of::Symbol(name) => (
                    self.symbol(pairs, name.as_str(), pairs.get(name), words)?,
                    None,
                ),
                Of::Order(name) => ("", Some(needed(pairs, name)?)),
            };
            return Ok(OrderText {
                symbol,
                venue_order_id,
                price: pairs.get(&change.price),
                quantity: pairs.get(&change.quantity),
                client_order_id: self
                    .client_order_id
                    .as_ref()
                    .and_then(|name| name.read(pairs, "")),
                amends: true,
                ..OrderText::default()
            });
        }
        let kind = self.kind.read(pairs)?;
        let needed = |spot: &Spot| {
            let value = spot.read(pairs, kind).filter(|value| !value.is_empty());
            value.ok_or_else(|| Refusal::new(Code::FormParameterMissing).field(spot.as_str()))
        };
        let optional = |spot: &Option<Spot>| spot.as_ref()?.read(pairs, kind);
        let said = |value: &&str| !value.is_empty();
        let side = match route.side {
            Some(side) => side,
            None => {
                let word = needed(&self.side)?;
                match self.sides.get(word) {
                    Some(side) => side,
                    None if self.sides.is_empty() => word,
                    // What is not the venue's word is not the guard's either.
                    None => "",
                }
            }
        };
        let mut order = OrderText {
            symbol: self.symbol(
                pairs,
                self.symbol.as_str(),
                self.symbol.read(pairs, kind),
                words,
            )?,
            side,
            kind,
            terms: words.types.get(kind).copied(),
            // An empty text is no price: python-okx sends one with market orders.
            price: self.price.read(pairs, kind).filter(said),
            stop_price: self.stop_price.read(pairs, kind).filter(said),
            quantity: self.quantity.read(pairs, kind),
            iceberg_quantity: optional(&self.iceberg_quantity),
            quote_quantity: optional(&self.quote_quantity),
            client_order_id: optional(&self.client_order_id),
            ..OrderText::default()
        };
        self.variants.read(pairs, &mut order)?;
        let unit = self.unit.as_ref();
        if let Some(unit) = unit.filter(|unit| unit.kinds.contains(kind))
            && unit.of(side, pairs)? == UnitName::Quote
        {
            order.quote_quantity = order.quantity.take();
        }
        Ok(order)
    }
}

impl Amendment {
    fn compile(written: &AmendmentFields) -> Result<Self, DialectError> {
        let of = match (&written.symbol, &written.order) {
            (Some(symbol), None) => Of::Symbol(Name::from(&**symbol)),
            (None, Some(order)) => Of::Order(Name::from(&**order)),
            (Some(_), Some(_)) | (None, None) => {
                let what = "give one of `symbol` and `order`";
                return Err(wrong("order_fields.amendment", what));
            }
        };
        Ok(Self {
            of,
            price: Name::from(&*written.price),
            quantity: Name::from(&*written.quantity),
        })
    }
}

impl Unit {
    fn compile(
        written: Option<&QuantityUnit>,
        types: &BTreeMap<String, OrderType>,
    ) -> Result<Option<Self>, DialectError> {
        let kinds = types.iter().filter(|(_, kind)| kind.quantity_unit);
        let kinds: HashSet<Box<str>> = kinds.map(|(name, _)| name.as_str().into()).collect();
        if kinds.is_empty() != written.is_none() {
            let what = "it says what the quantity counts of order types that have `quantity_unit`";
            return Err(wrong("order_fields.quantity_unit", what));
        }
        Ok(written.map(|unit| Self {
            kinds,
            parameter: Name::from(&*unit.parameter),
            base: unit.base.as_str().into(),
            quote: unit.quote.as_str().into(),
            buy: unit.buy,
            sell: unit.sell,
            only: unit
                .only
                .iter()
                .map(|(name, value)| (Name::from(&**name), value.as_str().into()))
                .collect(),
        }))
    }

    /// Returns what the quantity of an order on `side` counts.
    fn of(&self, side: &str, pairs: &Pairs) -> Result<UnitName, Refusal> {
        let invalid = |name: &Name| Refusal::new(Code::FormParameterInvalid).field(name.as_str());
        for (name, value) in &self.only {
            if needed(pairs, name)? != &**value {
                return Err(invalid(name));
            }
        }
        match pairs.get(&self.parameter).filter(|word| !word.is_empty()) {
            None if side == "BUY" => Ok(self.buy),
            None => Ok(self.sell),
            Some(word) if *word == *self.base => Ok(UnitName::Base),
            Some(word) if *word == *self.quote => Ok(UnitName::Quote),
            Some(_) => Err(invalid(&self.parameter)),
        }
    }
}

fn needed<'a>(pairs: &'a Pairs, name: &Name) -> Result<&'a str, Refusal> {
    let value = pairs.get(name).filter(|value| !value.is_empty());
    value.ok_or_else(|| Refusal::new(Code::FormParameterMissing).field(name.as_str()))
}

impl Kind {
    fn read<'a>(&self, pairs: &'a Pairs) -> Result<&'a str, Refusal> {
        let missing = |name: &str| Refusal::new(Code::FormParameterMissing).field(name);
        match self {
            Self::Value(name) => {
                let value = pairs.get(name).filter(|value| !value.is_empty());
                value.ok_or_else(|| missing(name.as_str()))
            }
            Self::Inside(outer) => {
                let mut found = None;
                for (_, name, _) in pairs.iter() {
                    let inner = name.strip_prefix(&**outer);
                    let Some(inner) = inner.and_then(|rest| rest.strip_prefix('.')) else {
                        continue;
                    };
                    let kind = inner.split('.').next().unwrap_or_default();
                    // Of two types the guard would judge one and the venue might take the other.
                    if found.replace(kind).is_some_and(|before| before != kind) {
                        return Err(Refusal::new(Code::FormDuplicate).field(outer));
                    }
                }
                found.ok_or_else(|| missing(outer))
            }
        }
    }
}

impl Spot {
    fn compile(written: &str) -> Self {
        match written.split_once(KIND) {
            Some((before, after)) => Self::Around(before.into(), after.into()),
            None => Self::Name(Name::from(written)),
        }
    }

    fn read<'a>(&self, pairs: &'a Pairs, kind: &str) -> Option<&'a str> {
        match self {
            Self::Name(name) => pairs.get(name),
            Self::Around(before, after) => {
                let mut all = pairs.iter();
                let is = |name: &str| {
                    let rest = name.strip_prefix(&**before);
                    let rest = rest.and_then(|rest| rest.strip_suffix(&**after));
                    rest == Some(kind)
                };
                all.find_map(|(_, name, value)| is(name).then_some(value))
            }
        }
    }

    /// Returns its name as people know it.
    fn as_str(&self) -> &str {
        match self {
            Self::Name(name) => name.as_str(),
            Self::Around(_, after) => after.trim_start_matches('.'),
        }
    }
}
