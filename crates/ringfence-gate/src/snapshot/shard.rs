//! The shards of a snapshot, checked.

use std::collections::HashMap;

use ringfence_core::budget::Strangers;
use ringfence_core::shard::{ShardState, Shards};
use serde::Deserialize;

use super::Snapshot;
use crate::error::GateError;

/// How many shards there are, and how those stand that do not all serve.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ShardsConfig {
    /// 0: nobody stands in one.
    pub count: u16,
    pub strangers: StrangersConfig,
    /// By number.
    #[serde(default)]
    pub states: HashMap<u16, String>,
}

/// How many cells strangers share, and how many of them are open to each network.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct StrangersConfig {
    pub cells: u16,
    pub each: u8,
}

impl Snapshot {
    /// Returns the shards, standing as is said. One that is not there stands as nobody sees.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`] for a word that is no state.
    pub fn shards(&self) -> Result<Shards, GateError> {
        let Some(config) = &self.shards else {
            return Ok(Shards::default());
        };
        let shards = Shards::new(config.count);
        for (number, text) in &config.states {
            let field = || format!("shards.states.{number}");
            let state = ShardState::parse(text);
            let state =
                state.ok_or_else(|| GateError::config(field(), "is no state of a shard"))?;
            if let Some(shard) = shards.shard(*number) {
                shards.set(shard, state);
            }
        }
        Ok(shards)
    }

    /// Returns the cells that strangers share.
    pub(crate) fn strangers(&self) -> Result<Strangers, GateError> {
        let Some(config) = &self.shards else {
            return Ok(Strangers::default());
        };
        let StrangersConfig { cells, each } = config.strangers;
        let wrong = || {
            GateError::config(
                "shards.strangers",
                "needs 1 to 4 cells for each, of those there are",
            )
        };
        Strangers::new(cells, each).ok_or_else(wrong)
    }
}
