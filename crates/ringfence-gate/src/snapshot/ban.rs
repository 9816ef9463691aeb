//! Bans as Python hands them over: how they come to be, and those in force.

use std::collections::BTreeMap;

use ringfence_core::address::Cidr;
use ringfence_core::ban::{Answer, Ban, BanConfig, Origin, Reach, Rules, Step, Target};
use ringfence_core::refusal::Code;
use serde::{Deserialize, Serialize};

use super::EdgeConfig;
use crate::error::GateError;

/// The ladder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the fields are those of the configuration file, documented there
pub struct BansConfig {
    /// By the refusal's code.
    pub points: BTreeMap<String, u64>,
    pub threshold: u64,
    pub leak_per_s: u64,
    pub forgive_s: u64,
    pub steps: Vec<StepConfig>,
    pub exempt: Vec<String>,
    pub known_s: u64,
    pub verifications: u64,
    pub capacity: usize,
}

/// One step up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct StepConfig {
    pub answer: String,
    pub seconds: u64,
}

/// Networks and blocks take so many times as many points as an address, beside what the edge gives them.
const POINTS_FACTORS: (u64, u64) = (8, 32);
/// How long a key is known, and how many verifications an address has, where no ladder says so.
const KNOWN_S: u64 = 3600;
const VERIFICATIONS: u64 = 100;

fn wrong(field: &str, what: &str) -> GateError {
    GateError::config(format!("bans.{field}"), what)
}

impl BansConfig {
    fn rules(&self, edge: &EdgeConfig) -> Result<Rules, GateError> {
        let (network, block) = POINTS_FACTORS;
        let points = self.points.iter().map(|(name, points)| {
            let code = Code::ALL.iter().find(|code| code.as_str() == name);
            let code = code.ok_or_else(|| wrong(&format!("points.{name}"), "no such code"))?;
            Ok((*code, *points))
        });
        let steps = self.steps.iter().map(|step| {
            let answer = Answer::parse(&step.answer);
            let answer = answer.ok_or_else(|| wrong("steps", "say wait or ban"))?;
            let seconds = step.seconds;
            Ok(Step { answer, seconds })
        });
        let exempt = self.exempt.iter().map(|text| {
            let network = Cidr::parse(text);
            network.map_err(|e| wrong("exempt", &format!("{text:?}: {e}")))
        });
        Ok(Rules {
            points: points.collect::<Result<_, GateError>>()?,
            threshold: ringfence_core::edge::Quotas {
                address: self.threshold,
                network,
                block,
            },
            leak_per_s: self.leak_per_s,
            forgive_s: self.forgive_s,
            steps: steps.collect::<Result<_, GateError>>()?,
            exempt: exempt.collect::<Result<_, _>>()?,
            offenders: edge.addresses,
        })
    }
}

/// Returns what the core takes; without `bans` it bans nobody by itself.
pub(crate) fn compile(
    bans: Option<&BansConfig>,
    edge: &EdgeConfig,
) -> Result<BanConfig, GateError> {
    let rules = bans.map(|bans| bans.rules(edge)).transpose()?;
    Ok(BanConfig {
        rules,
        capacity: bans.map_or(0, |bans| bans.capacity),
        known_s: bans.map_or(KNOWN_S, |bans| bans.known_s),
        known: edge.addresses,
        verifications: bans.map_or(VERIFICATIONS, |bans| bans.verifications),
        unproved: edge.quotas(edge.requests),
        window_ms: edge.window_ms,
        prefixes: edge.addresses / 4,
    })
}

/// One ban in force, as it is shown and kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct BanRecord {
    pub target: String,
    pub answer: String,
    pub reach: String,
    pub origin: String,
    pub step: u8,
    /// Microseconds since the Unix epoch.
    pub since_us: u64,
    pub until_us: u64,
    pub why: String,
}

impl BanRecord {
    /// Parses one.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`].
    pub fn parse(json: &[u8]) -> Result<Self, GateError> {
        serde_json::from_slice(json).map_err(|e| GateError::config("ban", e))
    }

    pub(crate) fn of(ban: &Ban) -> Self {
        Self {
            target: ban.target.to_string(),
            answer: ban.answer.as_str().into(),
            reach: ban.reach.as_str().into(),
            origin: ban.origin.as_str().into(),
            step: ban.step,
            since_us: ban.since_us,
            until_us: ban.until_us,
            why: ban.why.to_string(),
        }
    }

    /// Returns it as another node's. An operator's word is one on every node.
    pub(crate) fn told_by_peer(self) -> Self {
        let ours = self.origin == Origin::Operator.as_str();
        let origin = if ours { Origin::Operator } else { Origin::Peer };
        Self {
            origin: origin.as_str().into(),
            ..self
        }
    }

    pub(crate) fn no_target(text: &str) -> GateError {
        let what = "name an address, a network from /8 (IPv6 /32) on, or key:ID";
        GateError::config("ban.target", format!("{text:?}: {what}"))
    }

    pub(crate) fn check(&self) -> Result<Ban, GateError> {
        let word = |field: &str| GateError::config(format!("ban.{field}"), "no such word");
        let target = Target::parse(&self.target).ok_or_else(|| Self::no_target(&self.target))?;
        Ok(Ban {
            target,
            answer: Answer::parse(&self.answer).ok_or_else(|| word("answer"))?,
            reach: Reach::parse(&self.reach).ok_or_else(|| word("reach"))?,
            origin: Origin::parse(&self.origin).ok_or_else(|| word("origin"))?,
            step: self.step,
            since_us: self.since_us,
            until_us: self.until_us,
            why: self.why.as_str().into(),
        })
    }
}
