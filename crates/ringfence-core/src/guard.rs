//! The guard: what an order must satisfy, computed exactly from its decimal text.
//!
//! An order without a price is bounded by the price band's upper end: without market data in the
//! decision that is the only exact bound (docs/adr/0006).

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::decimal::{Decimal, Inexact};
use crate::refusal::{Code, Refusal};

/// What may be traded and within which bounds.
#[derive(Clone, Debug)]
pub struct Instrument {
    /// Smallest price step.
    pub tick: Decimal,
    /// Smallest quantity step.
    pub lot: Decimal,
    /// Smallest quantity.
    pub min_quantity: Decimal,
    /// Largest quantity.
    pub max_quantity: Decimal,
    /// Smallest value of an order, in quote currency.
    pub min_notional: Option<Decimal>,
    /// Largest value of an order, in quote currency.
    pub max_notional: Decimal,
    /// Lowest price.
    pub price_min: Decimal,
    /// Highest price.
    pub price_max: Decimal,
    /// Whether an order may close the position, however much that is.
    pub whole_position: bool,
}

/// What an order type must carry. Data of the dialect.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OrderKind {
    /// Whether a price must be there. Where it must not, one that is given is checked, but bounds
    /// nothing: the venue may not look at it.
    pub needs_price: bool,
    /// Whether a stop price must be there.
    pub needs_stop_price: bool,
    /// Whether an amount in quote currency may stand in for the quantity.
    pub quote_quantity: bool,
    /// Whether its trigger follows the market at a distance, which must be there. Where it begins to follow is then its stop
    /// price.
    pub trails: bool,
    /// Whether it may close the whole position in place of a quantity.
    pub whole_position: bool,
}

impl OrderKind {
    /// What a limit order must carry.
    pub const LIMIT: Self = Self {
        needs_price: true,
        needs_stop_price: false,
        quote_quantity: false,
        trails: false,
        whole_position: false,
    };
}

/// An order as its message has it: names and decimals as text.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OrderText<'a> {
    /// Instrument. Empty in an amendment that names its order alone: it is the order's own.
    pub symbol: &'a str,
    /// `BUY` or `SELL`.
    pub side: &'a str,
    /// Order type in the venue's words.
    pub kind: &'a str,
    /// What that type must carry, as the message's dialect says: one word may mean two things at two venues. None where
    /// the dialect has no such type.
    pub terms: Option<OrderKind>,
    /// Limit price.
    pub price: Option<&'a str>,
    /// Trigger price.
    pub stop_price: Option<&'a str>,
    /// How far behind the market its trigger follows.
    pub trail: Option<&'a str>,
    /// Quantity in base currency.
    pub quantity: Option<&'a str>,
    /// Visible part of the quantity.
    pub iceberg_quantity: Option<&'a str>,
    /// Amount in quote currency.
    pub quote_quantity: Option<&'a str>,
    /// Whether it closes the position, in place of a quantity.
    pub whole_position: bool,
    /// Whether the venue lets it make a position smaller and nothing else.
    pub reduce_only: bool,
    /// The client's own id.
    pub client_order_id: Option<&'a str>,
    /// The venue's id of the order that an amendment without an instrument changes.
    pub venue_order_id: Option<&'a str>,
    /// Whether it changes an order that is there, whose side and type stay. Price and quantity must both be given: one
    /// alone does not tell what the order will be worth.
    pub amends: bool,
}

/// Proof that an order is inside its bounds, or that the message carries none.
#[must_use]
#[derive(Debug)]
pub struct Guarded(());

/// Instruments.
#[derive(Debug, Default)]
pub struct Guard {
    instruments: HashMap<Box<str>, Instrument>,
}

impl OrderText<'_> {
    /// Tells whether it can only make a position smaller.
    pub const fn reduces_position(&self) -> bool {
        self.reduce_only || self.whole_position
    }

    /// Returns by which id of the venue its instrument is to be found, where it names none.
    pub(crate) fn unnamed(&self) -> Option<&str> {
        self.venue_order_id.filter(|_| self.symbol.is_empty())
    }

    /// Returns what it must carry.
    const fn terms(&self) -> Option<OrderKind> {
        if self.amends {
            // It must carry what a limit order must.
            Some(OrderKind::LIMIT)
        } else {
            self.terms
        }
    }
}

impl Guard {
    /// Makes a guard. No instruments means that every order is refused.
    pub const fn new(instruments: HashMap<Box<str>, Instrument>) -> Self {
        Self { instruments }
    }

    /// Checks every order of a message: all are inside their bounds, or none passes.
    ///
    /// # Errors
    ///
    /// As [`Guard::check`], of the first order that breaks a bound; of several it says which, counted from 0.
    pub fn check_all(&self, orders: &[OrderText<'_>]) -> Result<Guarded, Refusal> {
        if let [order] = orders {
            return self.check(order);
        }
        if orders.is_empty() {
            return Err(refuse(Code::OrderFieldMissing, "symbol"));
        }
        for (index, order) in orders.iter().enumerate() {
            let _checked = self
                .check(order)
                .map_err(|refusal| refusal.of_order(index))?;
        }
        Ok(Guarded(()))
    }

    /// Checks `order`.
    ///
    /// # Errors
    ///
    /// The code of the first bound that is broken, with the field's name.
    pub fn check(&self, order: &OrderText<'_>) -> Result<Guarded, Refusal> {
        if order.unnamed().is_some() {
            return Err(refuse(Code::OrderUnknown, "orderId"));
        }
        let instrument = self
            .instruments
            .get(order.symbol)
            .ok_or_else(|| refuse(Code::InstrumentUnknown, "symbol"))?;
        let kind = order
            .terms()
            .ok_or_else(|| refuse(Code::OrderTypeUnknown, "type"))?;
        if !order.amends && !matches!(order.side, "BUY" | "SELL") {
            return Err(refuse(Code::OrderSideInvalid, "side"));
        }
        let price = instrument.price(order.price, "price", kind.needs_price)?;
        instrument.price(order.stop_price, "stopPrice", kind.needs_stop_price)?;
        trail(order.trail, kind)?;
        if order.whole_position {
            return instrument.closes(order, kind);
        }
        // A price beside a market order binds nobody, so its value is not computed from it.
        let price = price.filter(|_| kind.needs_price);
        match (order.quantity, order.quote_quantity) {
            (Some(text), None) => {
                let quantity = instrument.quantity(text)?;
                instrument.iceberg(order.iceberg_quantity, quantity)?;
                instrument.notional(quantity, price)?;
            }
            (None, Some(_)) if order.iceberg_quantity.is_some() => {
                return Err(refuse(Code::QuantityInvalid, "icebergQty"));
            }
            (None, Some(text)) if kind.quote_quantity => instrument.amount(text)?,
            (None, None) => return Err(refuse(Code::OrderFieldMissing, "quantity")),
            (Some(_) | None, Some(_)) => {
                return Err(refuse(Code::QuantityInvalid, "quoteOrderQty"));
            }
        }
        Ok(Guarded(()))
    }

    /// Returns how many lots of its instrument an order is, rounded up; 0 where it does not say, or the instrument is not known.
    pub fn lots(&self, order: &OrderText<'_>) -> u64 {
        let said = order.quantity.and_then(|text| Decimal::parse(text).ok());
        let known = self.instruments.get(order.symbol);
        said.zip(known)
            .map_or(0, |(quantity, known)| quantity.steps_up(known.lot))
    }

    /// Returns how many whole lots of the instrument called `symbol` a quantity is; 0 where that is not known.
    pub fn whole_lots(&self, symbol: &str, quantity: Decimal) -> u64 {
        let known = self.instruments.get(symbol);
        known.map_or(0, |known| quantity.steps_down(known.lot))
    }

    /// Returns what an order is worth at most in quote currency, in ten-thousandths, rounded up: by its price, or where
    /// that binds nobody by the band's upper end. `None` when it does not say enough.
    ///
    /// # Errors
    ///
    /// [`Inexact`] when a number in it is none, or it is worth more than 63 bits hold.
    pub fn worth(&self, order: &OrderText<'_>) -> Result<Option<i64>, Inexact> {
        let kind = order.terms();
        let band = self.instruments.get(order.symbol);
        let price = match (order.price, kind.is_none_or(|kind| kind.needs_price)) {
            (Some(text), true) => Some(Decimal::parse(text)?),
            (Some(_) | None, _) => band.map(|band| band.price_max),
        };
        match (order.quantity, order.quote_quantity, price) {
            (Some(quantity), None, Some(price)) => {
                Decimal::parse(quantity)?.product_ceil_4(price).map(Some)
            }
            (None, Some(amount), _) => Decimal::parse(amount)?.ceil_4().map(Some),
            (Some(_) | None, Some(_) | None, _) => Ok(None),
        }
    }

    /// Returns the proof of a message that carries no order.
    pub(crate) const fn nothing_to_check() -> Guarded {
        Guarded(())
    }
}

impl Instrument {
    fn price(
        &self,
        text: Option<&str>,
        field: &str,
        needed: bool,
    ) -> Result<Option<Decimal>, Refusal> {
        let Some(text) = text else {
            return if needed {
                Err(refuse(Code::OrderFieldMissing, field))
            } else {
                Ok(None)
            };
        };
        let price = number(text, field)?;
        if price.is_zero() {
            return Err(refuse(Code::PriceInvalid, field));
        }
        if price < self.price_min || price > self.price_max {
            return Err(refuse(Code::PriceBand, field));
        }
        if !price.is_multiple_of(self.tick) {
            return Err(refuse(Code::PriceTick, field));
        }
        Ok(Some(price))
    }

    /// Checks an order that closes the position. It can only make that smaller, but how much it trades nobody can tell, so
    /// that the configuration has to allow it (docs/adr/0041).
    fn closes(&self, order: &OrderText<'_>, kind: OrderKind) -> Result<Guarded, Refusal> {
        let sizes = [order.quantity, order.quote_quantity, order.iceberg_quantity];
        if !kind.whole_position || sizes.iter().any(Option::is_some) {
            return Err(refuse(Code::QuantityInvalid, "quantity"));
        }
        match self.whole_position {
            true => Ok(Guarded(())),
            false => Err(refuse(Code::QuantityUnbounded, "quantity")),
        }
    }

    fn quantity(&self, text: &str) -> Result<Decimal, Refusal> {
        const FIELD: &str = "quantity";
        let quantity = number(text, FIELD)?;
        if quantity.is_zero() {
            return Err(refuse(Code::QuantityInvalid, FIELD));
        }
        if quantity > self.max_quantity {
            return Err(refuse(Code::QuantityMax, FIELD));
        }
        if quantity < self.min_quantity {
            return Err(refuse(Code::QuantityMin, FIELD));
        }
        if !quantity.is_multiple_of(self.lot) {
            return Err(refuse(Code::QuantityLot, FIELD));
        }
        Ok(quantity)
    }

    fn iceberg(&self, text: Option<&str>, quantity: Decimal) -> Result<(), Refusal> {
        const FIELD: &str = "icebergQty";
        let Some(text) = text else { return Ok(()) };
        // Zero says that nothing is hidden.
        let visible = number(text, FIELD)?;
        if visible > quantity {
            return Err(refuse(Code::QuantityInvalid, FIELD));
        }
        if !visible.is_multiple_of(self.lot) {
            return Err(refuse(Code::QuantityLot, FIELD));
        }
        Ok(())
    }

    fn notional(&self, quantity: Decimal, price: Option<Decimal>) -> Result<(), Refusal> {
        // Without a price, the band's upper end is the most that it can be filled at. If even that
        // is too little, the order is too small at any price.
        let highest = price.unwrap_or(self.price_max);
        if quantity.product_cmp(highest, self.max_notional) == Ordering::Greater {
            return Err(refuse(Code::NotionalMax, "notional"));
        }
        match self.min_notional {
            Some(least) if quantity.product_cmp(highest, least) == Ordering::Less => {
                Err(refuse(Code::NotionalMin, "notional"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn amount(&self, text: &str) -> Result<(), Refusal> {
        const FIELD: &str = "quoteOrderQty";
        let amount = number(text, FIELD)?;
        if amount.is_zero() {
            return Err(refuse(Code::QuantityInvalid, FIELD));
        }
        if amount > self.max_notional {
            return Err(refuse(Code::NotionalMax, FIELD));
        }
        match self.min_notional {
            Some(least) if amount < least => Err(refuse(Code::NotionalMin, FIELD)),
            Some(_) | None => Ok(()),
        }
    }
}

/// Checks how far behind the market a trigger follows: what does must say so, and nothing else may.
fn trail(text: Option<&str>, kind: OrderKind) -> Result<(), Refusal> {
    const FIELD: &str = "callbackRate";
    match (text, kind.trails) {
        (None, false) => Ok(()),
        (None, true) => Err(refuse(Code::OrderFieldMissing, FIELD)),
        (Some(_), false) => Err(refuse(Code::PriceInvalid, FIELD)),
        (Some(text), true) if number(text, FIELD)?.is_zero() => {
            Err(refuse(Code::PriceInvalid, FIELD))
        }
        (Some(_), true) => Ok(()),
    }
}

fn number(text: &str, field: &str) -> Result<Decimal, Refusal> {
    Decimal::parse(text).map_err(|_| refuse(Code::NumberInexact, field))
}

fn refuse(code: Code, field: &str) -> Refusal {
    Refusal::new(code).field(field)
}

#[cfg(test)]
mod tests;
