//! What some orders say beside: a trigger that follows the market, the whole position in place of a quantity, and that they
//! only reduce one.

use std::collections::BTreeMap;

use memchr::memmem;
use ringfence_core::guard::{OrderKind, OrderText};
use ringfence_core::refusal::{Code, Refusal};

use super::super::DialectError;
use super::super::compile::wrong;
use super::super::definition::{OrderFields, OrderType, TrailingFields};
use super::super::name::Name;
use super::super::scratch::Pairs;

/// Where those stand, at venues that have them.
#[derive(Debug)]
pub(super) struct Variants {
    trailing: Option<Trailing>,
    whole_position: Option<Name>,
    reduce_only: Option<Name>,
}

/// How venues and their clients say that it is so; Bitget has the last.
const YES: [&str; 3] = ["true", "True", "YES"];

/// Where a trigger that follows the market is said.
#[derive(Debug)]
struct Trailing {
    /// From which price on it does.
    price: Name,
    /// How far behind.
    distance: Name,
}

impl Variants {
    pub(super) fn compile(
        written: &OrderFields,
        types: &BTreeMap<String, OrderType>,
    ) -> Result<Self, DialectError> {
        let is = |has: fn(&OrderType) -> bool| types.values().any(has);
        let trails = (
            "trailing",
            written.trailing.is_some(),
            is(|kind| kind.trails),
        );
        let closes = (
            "whole_position",
            written.whole_position.is_some(),
            is(|kind| kind.whole_position),
        );
        for (field, stands, used) in [trails, closes] {
            if stands != used {
                let what = "it goes with order types that say so, and they with it";
                return Err(wrong(&format!("order_fields.{field}"), what));
            }
        }
        let trailing = written.trailing.as_ref();
        Ok(Self {
            trailing: trailing.map(Trailing::compile),
            whole_position: written.whole_position.as_deref().map(Name::from),
            reduce_only: written.reduce_only.as_deref().map(Name::from),
        })
    }

    /// Tells, by a look at `text`, whether it says of an order that it closes a position or only reduces one.
    pub(super) fn may_reduce(&self, text: &[u8]) -> bool {
        let names = [&self.whole_position, &self.reduce_only];
        let mut names = names.into_iter().flatten();
        names.any(|name| {
            // In a form it stands there with `=`, in JSON with quotes, a colon and perhaps spaces.
            let name = name.as_str().rsplit('.').next().unwrap_or_default();
            memmem::find_iter(text, name).any(|at| {
                let rest = text.get(at + name.len()..).unwrap_or_default();
                let between = |byte: &&u8| matches!(byte, b'=' | b'"' | b':' | b' ');
                let skipped = rest.iter().take_while(between).count();
                let said = rest.get(skipped..).unwrap_or_default();
                YES.iter().any(|yes| said.starts_with(yes.as_bytes()))
            })
        })
    }

    /// Reads what of them a message says into its order.
    ///
    /// # Errors
    ///
    /// `form_parameter_invalid` where it says what its type has not, and the venue might heed it all the same.
    pub(super) fn read<'a>(
        &self,
        pairs: &'a Pairs,
        order: &mut OrderText<'a>,
    ) -> Result<(), Refusal> {
        let kind = order.terms.unwrap_or_default();
        if let Some(trailing) = &self.trailing {
            trailing.read(pairs, kind, order)?;
        }
        if let Some(name) = &self.whole_position {
            order.whole_position = match pairs.get(name) {
                None | Some("" | "false" | "False") => false,
                // Python's clients write it so.
                Some("true" | "True") => true,
                Some(_) => return Err(invalid(name)),
            };
        }
        // Its sender has the last word on whether it is so, and the venue holds it to that: any other word is no.
        let reduce_only = self.reduce_only.as_ref();
        let said = reduce_only.and_then(|name| pairs.get(name));
        order.reduce_only = said.is_some_and(|said| YES.contains(&said));
        Ok(())
    }
}

impl Trailing {
    fn compile(written: &TrailingFields) -> Self {
        Self {
            price: Name::from(&*written.price),
            distance: Name::from(&*written.distance),
        }
    }

    fn read<'a>(
        &self,
        pairs: &'a Pairs,
        kind: OrderKind,
        order: &mut OrderText<'a>,
    ) -> Result<(), Refusal> {
        let said = |name| pairs.get(name).filter(|text| !text.is_empty());
        let (from, distance) = (said(&self.price), said(&self.distance));
        match kind.trails {
            // Of two triggers the guard would judge one and the venue might take the other.
            true if order.stop_price.is_some() => Err(invalid(&self.price)),
            true => {
                order.stop_price = from;
                order.trail = distance;
                Ok(())
            }
            false if from.is_some() => Err(invalid(&self.price)),
            false if distance.is_some() => Err(invalid(&self.distance)),
            false => Ok(()),
        }
    }
}

fn invalid(name: &Name) -> Refusal {
    Refusal::new(Code::FormParameterInvalid).field(name.as_str())
}
