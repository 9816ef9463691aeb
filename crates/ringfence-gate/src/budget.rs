//! The limits of a snapshot, checked.

use ringfence_core::budget::{Age, Algorithm, Counts, Limit, Operations, Subject, Subjects};
use ringfence_core::operation::Operation;

use crate::error::GateError;
use crate::snapshot::{AlgorithmName, LimitConfig, Snapshot};

/// Returns the limits in the order of the configuration.
///
/// # Errors
///
/// A word that is unknown, by its field.
pub(crate) fn limits(snapshot: &Snapshot) -> Result<Vec<Limit>, GateError> {
    let limits = snapshot.budget.limits.iter().enumerate();
    limits
        .map(|(index, limit)| compile(limit).map_err(|wrong| wrong.at(index)))
        .collect()
}

/// A word that is unknown.
struct Wrong {
    field: &'static str,
    text: String,
}

impl Wrong {
    fn at(self, index: usize) -> GateError {
        let Self { field, text } = self;
        GateError::config(
            format!("budget.limits[{index}].{field}"),
            format!("unknown {text:?}"),
        )
    }
}

fn compile(limit: &LimitConfig) -> Result<Limit, Wrong> {
    let wrong = |field| {
        move |text: &str| Wrong {
            field,
            text: text.into(),
        }
    };
    let counts = Counts::parse(&limit.counts).ok_or_else(|| wrong("counts")(&limit.counts))?;
    let mut operations = Operations::default();
    for name in &limit.operations {
        let operation = Operation::parse(name).ok_or_else(|| wrong("operations")(name))?;
        operations = operations.with(operation);
    }
    let mut costs = Vec::new();
    for (name, cost) in &limit.costs {
        let operation = Operation::parse(name).ok_or_else(|| wrong("costs")(name))?;
        costs.push((operation, *cost));
    }
    let mut ages = Vec::new();
    for (name, steps) in &limit.ages {
        let operation = Operation::parse(name).ok_or_else(|| wrong("ages")(name))?;
        let steps = steps.iter().map(|step| Age {
            below_ms: step.below_ms,
            units: step.units,
        });
        ages.push((operation, steps.collect()));
    }
    Ok(Limit {
        name: limit.name.as_str().into(),
        subject: subjects(&limit.subject).map_err(wrong("subject"))?,
        counts,
        quota: limit.quota,
        window_ms: limit.window_ms,
        algorithm: match limit.algorithm {
            AlgorithmName::Anchored => Algorithm::Anchored,
            AlgorithmName::Bucket => Algorithm::Drain { rate: limit.rate },
            AlgorithmName::Concurrent => Algorithm::Concurrent,
            AlgorithmName::Fixed => Algorithm::Fixed,
            AlgorithmName::Sliding => Algorithm::Sliding,
        },
        operations,
        cancels: limit.cancels,
        admits: limit.admits,
        costs: costs.into(),
        ages: ages.into(),
    })
}

fn subjects(text: &str) -> Result<Subjects, &str> {
    let mut words = text.split('+').map(|word| Subject::parse(word).ok_or(word));
    let first = words.next().unwrap_or(Err(text))?;
    words.try_fold(Subjects::from(first), |all, subject| Ok(all.with(subject?)))
}
