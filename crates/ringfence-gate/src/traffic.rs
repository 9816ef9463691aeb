//! How much goes through, by what it asks, and how long it takes.
//!
//! One addition for each message, as there would be for their sum alone: a permission is counted where its operation and
//! its time meet, a refusal where its operation and its code do. What people want to know is summed up when they ask.

use std::sync::atomic::{AtomicU64, Ordering};

use ringfence_core::operation::Operation;
use ringfence_core::refusal::Code;
use serde_json::{Map, Value, json};

/// Times are told apart to a quarter of a power of two, up to 16 s.
const STEPS: usize = 92;
const OPERATIONS: usize = Operation::ALL.len();

#[derive(Debug)]
pub(crate) struct Traffic {
    /// By operation, then by how long it took to decide.
    permitted: Box<[AtomicU64]>,
    /// By operation and behind them for what asks nothing known, then by place in [`Code::ALL`].
    refused: Box<[AtomicU64]>,
    /// By how long the venue took to answer what changes state.
    answered: Box<[AtomicU64]>,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        let zeros = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            permitted: zeros(OPERATIONS * STEPS),
            refused: zeros((OPERATIONS + 1) * Code::ALL.len()),
            answered: zeros(STEPS),
        }
    }

    pub(crate) fn permit(&self, operation: Option<Operation>, latency_us: u64) {
        // INVARIANT: whatever is permitted asks for something.
        let row = operation.map_or(0, |operation| operation as usize);
        count(&self.permitted, row * STEPS + step(latency_us));
    }

    pub(crate) fn refuse(&self, operation: Option<Operation>, code: Code) {
        let row = operation.map_or(OPERATIONS, |operation| operation as usize);
        count(&self.refused, row * Code::ALL.len() + code as usize);
    }

    pub(crate) fn answer(&self, latency_us: u64) {
        count(&self.answered, step(latency_us));
    }

    /// Returns how many messages were permitted.
    pub(crate) fn permitted(&self) -> u64 {
        sum(&self.permitted)
    }

    /// Returns how many were refused, by code, of those that there were.
    pub(crate) fn refused(&self) -> Map<String, Value> {
        let of = |(place, code): (usize, &Code)| {
            let rows = self.refused.iter().skip(place);
            let count: u64 = rows.step_by(Code::ALL.len()).map(load).sum();
            (count > 0).then(|| (code.as_str().to_owned(), count.into()))
        };
        Code::ALL.iter().enumerate().filter_map(of).collect()
    }

    pub(crate) fn to_json(&self) -> Value {
        let rows = |cells: &[AtomicU64], wide: usize| -> Map<String, Value> {
            let names = Operation::ALL.iter().map(|operation| operation.as_str());
            let rows = names.chain(["none"]).zip(cells.chunks(wide));
            let rows = rows.map(|(name, cells)| (name.to_owned(), sum(cells)));
            let rows = rows.filter(|(_, count)| *count > 0);
            rows.map(|(name, count)| (name, count.into())).collect()
        };
        let decided = (0..STEPS).map(|step| {
            let column = self.permitted.iter().skip(step).step_by(STEPS);
            column.map(load).sum()
        });
        json!({
            "permitted": rows(&self.permitted, STEPS),
            "refused": rows(&self.refused, Code::ALL.len()),
            "decided_us": times(decided),
            "answered_us": times(self.answered.iter().map(load)),
        })
    }
}

fn count(cells: &[AtomicU64], place: usize) {
    if let Some(cell) = cells.get(place) {
        cell.fetch_add(1, Ordering::Relaxed);
    }
}

fn load(cell: &AtomicU64) -> u64 {
    cell.load(Ordering::Relaxed)
}

fn sum(cells: &[AtomicU64]) -> u64 {
    cells.iter().map(load).sum()
}

/// Returns how often something took at most so many microseconds, from the shortest: pairs of both.
fn times(counts: impl Iterator<Item = u64>) -> Vec<(u64, u64)> {
    let pairs = counts.enumerate().filter(|(_, count)| *count > 0);
    pairs.map(|(step, count)| (most_us(step), count)).collect()
}

/// Returns the step of a time.
fn step(us: u64) -> usize {
    let step = match us {
        0..4 => us,
        _ => {
            let power = u64::from(us.ilog2());
            (power - 1) * 4 + (us >> (power - 2)) % 4
        }
    };
    // INVARIANT: it is below 256.
    (step as usize).min(STEPS - 1)
}

/// Returns the longest time of a step.
fn most_us(step: usize) -> u64 {
    let step = step as u64;
    if step < 4 {
        return step;
    }
    let power = step / 4 + 1;
    ((4 + step % 4 + 1) << (power - 2)) - 1
}

#[cfg(test)]
mod tests {
    //! Every message is counted once, and its time is told to a fifth.
    #![allow(clippy::unwrap_used)]

    use ringfence_core::operation::Operation;
    use ringfence_core::refusal::Code;
    use serde_json::json;

    use super::{STEPS, Traffic, most_us, step};

    #[test]
    fn steps_follow_one_another_and_hold_what_is_counted_in_them() {
        for number in 0..STEPS - 1 {
            assert_eq!(step(most_us(number)), number);
            assert_eq!(step(most_us(number) + 1), number + 1);
        }
        for us in [7, 100, 1234, 65_535, 9_999_999_u64] {
            let most = most_us(step(us));
            assert!(us <= most && most <= us + us / 4, "{us}: {most}");
        }
        assert_eq!(step(u64::MAX), STEPS - 1);
    }

    #[test]
    fn sums_are_by_operation_and_by_code() {
        let traffic = Traffic::new();
        traffic.permit(Some(Operation::OrderPlace), 3);
        traffic.permit(Some(Operation::OrderPlace), 100);
        traffic.permit(Some(Operation::WithdrawQuery), 3);
        traffic.refuse(None, Code::HttpMalformed);
        traffic.refuse(Some(Operation::OrderPlace), Code::BudgetExceeded);
        traffic.refuse(Some(Operation::MarketRead), Code::BudgetExceeded);
        traffic.answer(5);
        assert_eq!(traffic.permitted(), 3);
        let refused = traffic.refused();
        assert_eq!(
            json!(refused),
            json!({"http_malformed": 1, "budget_exceeded": 2})
        );
        let told = traffic.to_json();
        assert_eq!(
            told["permitted"],
            json!({"order.place": 2, "withdraw.query": 1})
        );
        assert_eq!(
            told["refused"],
            json!({"market.read": 1, "order.place": 1, "none": 1})
        );
        assert_eq!(told["decided_us"], json!([[3, 2], [111, 1]]));
        assert_eq!(told["answered_us"], json!([[5, 1]]));
    }
}
