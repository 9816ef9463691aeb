//! A message with several orders as it is written down.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::AnswerIds;

/// A list of orders. What stands beside it is the route's `parameters` and holds for each of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct BatchDefinition {
    /// The name at which the list stands, in a form the parameter whose JSON it is; without it the body is the list.
    #[serde(default, rename = "in")]
    pub(in crate::dialect) place: String,
    /// What an item is that is no object, such as the id of an order.
    pub(in crate::dialect) item: Option<String>,
    /// Most orders at once.
    pub(in crate::dialect) most: usize,
    /// Fewer, where a parameter beside the list has this value.
    #[serde(default)]
    pub(in crate::dialect) most_by: BTreeMap<String, BTreeMap<String, usize>>,
    /// Closed list of what may stand in each item: names, or `@list`.
    pub(in crate::dialect) parameters: Vec<String>,
    /// Whether the venue counts the weight for each order.
    #[serde(default)]
    pub(in crate::dialect) weighs_each: bool,
    /// Where the venue's answer names each order: `*` stands for its place in the list.
    #[serde(default)]
    pub(in crate::dialect) answer: AnswerIds,
}
