//! The limits of a snapshot, checked.

use ringfence_core::budget::{
    Across, Age, Algorithm, BudgetTable, Counts, How, Limit, OnLoss, Operations, Subject, Subjects,
};
use ringfence_core::cluster::{ClaimsOnLoss, Shares};
use ringfence_core::operation::Operation;

use crate::cluster::Cluster;
use crate::error::GateError;
use crate::snapshot::{AcrossConfig, AlgorithmName, ClaimsName, LimitConfig, OnLossName, Snapshot};

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
            AlgorithmName::Ratio => Algorithm::Ratio {
                max_e4: limit.max_e4,
            },
            AlgorithmName::Sliding => Algorithm::Sliding,
        },
        operations,
        cancels: limit.cancels,
        admits: limit.admits,
        costs: costs.into(),
        ages: ages.into(),
        across: limit.across.map_or(Across::Node, across),
    })
}

fn across(config: AcrossConfig) -> Across {
    Across::Cluster {
        how: config.lease.map_or(How::Exact, How::Lease),
        on_loss: match config.on_loss {
            OnLossName::LeaseOut => OnLoss::LeaseOut,
            OnLossName::LocalShare => OnLoss::Share,
            OnLossName::Refuse => OnLoss::Refuse,
        },
    }
}

/// Returns what is shared with other gateways, if anything is.
///
/// # Errors
///
/// What cannot be shared, by its field.
pub(crate) fn shares(
    snapshot: &Snapshot,
    limits: &[Limit],
    cluster: Option<&Cluster>,
) -> Result<Option<Shares>, GateError> {
    let wrong = |field: String, what: &str| Err(GateError::config(field, what));
    let shared = (0_u16..)
        .zip(limits)
        .filter(|(_, limit)| !limit.across.is_node());
    let shared: Vec<(u16, &Limit)> = shared.collect();
    let claims = snapshot.freshness.across.map(|on_loss| match on_loss {
        ClaimsName::Local => ClaimsOnLoss::Local,
        ClaimsName::Refuse => ClaimsOnLoss::Refuse,
    });
    if snapshot.cluster.is_none() && (claims.is_some() || !shared.is_empty()) {
        return wrong(
            "cluster".into(),
            "is missing: it says where what is shared stands",
        );
    }
    let mut own = Vec::new();
    for (index, limit) in &shared {
        let field = |name: &str| format!("budget.limits[{index}].{name}");
        if limit.algorithm == Algorithm::Concurrent {
            return wrong(
                field("across"),
                "what is under way is counted on each gateway",
            );
        }
        if limit.counts.is_ratio() {
            return wrong(field("across"), "a ratio is counted on each gateway");
        }
        if limit.admits || !limit.ages.is_empty() {
            return wrong(
                field("across"),
                "what an order's age costs, and cancels that are admitted, are counted on each gateway",
            );
        }
        if !limit.is_exact_at_server() {
            return wrong(field("quota"), "is too large to be counted at the server");
        }
        let config = snapshot.budget.limits[usize::from(*index)].across;
        if let Some(config) = config.filter(|config| config.on_loss == OnLossName::LocalShare) {
            let algorithm = match limit.algorithm {
                Algorithm::Drain { .. } => Algorithm::Drain {
                    rate: config.share_rate,
                },
                Algorithm::Anchored
                | Algorithm::Concurrent
                | Algorithm::Fixed
                | Algorithm::Ratio { .. }
                | Algorithm::Sliding => limit.algorithm,
            };
            let own_limit = Limit {
                quota: config.share,
                algorithm,
                across: Across::Node,
                ..(*limit).clone()
            };
            own.push((*index, own_limit));
        }
    }
    let Some(cluster) = cluster.filter(|_| claims.is_some() || !shared.is_empty()) else {
        return Ok(None);
    };
    let (indices, own): (Vec<u16>, Vec<Limit>) = own.into_iter().unzip();
    let table = BudgetTable::new(own, snapshot.budget.subjects);
    let table = table.map_err(|e| GateError::config("budget", e))?;
    let listed = snapshot.guard.instruments.iter();
    let table = table.with_symbols(listed.map(|instrument| &*instrument.symbol));
    Ok(Some(Shares {
        key: cluster.key().clone(),
        claims,
        own: (!indices.is_empty()).then(|| (table, indices.into())),
    }))
}

fn subjects(text: &str) -> Result<Subjects, &str> {
    let mut words = text.split('+').map(|word| Subject::parse(word).ok_or(word));
    let first = words.next().unwrap_or(Err(text))?;
    words.try_fold(Subjects::from(first), |all, subject| Ok(all.with(subject?)))
}
