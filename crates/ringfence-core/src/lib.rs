//! Ringfence's decisions: credentials, replay memory, budgets, guard, and the pipeline that makes a permit.
//!
//! Pure: no clock, no I/O, no async. Times are passed in, as microseconds since the Unix epoch in UTC.
#![forbid(unsafe_code)]

pub mod address;
pub mod budget;
pub mod credential;
pub mod decimal;
pub mod edge;
pub mod freshness;
pub mod guard;
pub mod mode;
pub mod operation;
pub mod pipeline;
pub mod refusal;
pub mod replay;
pub mod sequence;
pub mod sign;
