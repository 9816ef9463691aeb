//! What a message weighs by its parameters.

use super::definition::WeightBy;
use super::name::Name;

/// Weight by one parameter.
#[derive(Debug)]
pub(super) struct Weigh {
    pub(super) parameter: Name,
    measure: Measure,
}

#[derive(Debug)]
enum Measure {
    Present(u32),
    /// Ascending by value, never empty.
    Value(Box<[(u64, u32)]>),
    /// Ascending by number of items, never empty.
    Items(Box<[(u64, u32)]>),
}

impl Weigh {
    /// Compiles one rule.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn compile(written: &WeightBy) -> Result<Self, &'static str> {
        let measure = match (&written.present, &written.up_to, &written.items_up_to) {
            (Some(weight), None, None) => Measure::Present(*weight),
            (None, Some(steps), None) => Measure::Value(ascending(steps)?),
            (None, None, Some(steps)) => Measure::Items(ascending(steps)?),
            (_, _, _) => return Err("give one of `present`, `up_to` and `items_up_to`"),
        };
        Ok(Self {
            parameter: Name::from(&*written.parameter),
            measure,
        })
    }

    /// Returns the weight that `value` makes; an empty one makes none, as the venue does not see it.
    ///
    /// An unreadable number weighs as the largest: the venue decides what it makes of it.
    pub(super) fn weight_for(&self, value: &str) -> Option<u32> {
        if value.is_empty() {
            return None;
        }
        match &self.measure {
            Measure::Present(weight) => Some(*weight),
            Measure::Value(steps) => {
                let plain = value.bytes().all(|b| b.is_ascii_digit());
                let number = value.parse().ok().filter(|_| plain);
                step(steps, number.unwrap_or(u64::MAX))
            }
            Measure::Items(steps) => {
                let commas = value.bytes().filter(|b| *b == b',').count();
                step(steps, commas as u64 + 1)
            }
        }
    }
}

fn ascending(steps: &[(u64, u32)]) -> Result<Box<[(u64, u32)]>, &'static str> {
    if !steps.is_empty() && steps.is_sorted_by(|(a, _), (b, _)| a < b) {
        Ok(steps.into())
    } else {
        Err("steps ascend, and there is at least one")
    }
}

fn step(steps: &[(u64, u32)], number: u64) -> Option<u32> {
    let reached = steps.iter().find(|(most, _)| number <= *most);
    reached.or(steps.last()).map(|(_, weight)| *weight)
}
