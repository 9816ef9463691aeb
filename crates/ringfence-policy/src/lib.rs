//! Policies: what scopes cannot say, in Cedar, behind the scopes.
//!
//! Pure: no clock, no I/O. A crate of its own, so that whoever builds the core alone does not compile Cedar with it
//! (docs/adr/0026).
//!
//! | module | owns |
//! |---|---|
//! | [`source`] | texts of policies, and where in them something is wrong |
//! | [`action`] | the schema, and what the engine's operations are called in it |
//! | [`question`] | requests as data, for people and provers |
//! | [`part`] | the parts of a context |
//! | [`reads`] | which parts of a request a policy reads, found at load |
//! | `remedy` | the step-up that a request lacks |
//! | [`request`] | one request as policies see it |
//! | `condition` | a policy's condition, compiled for one action |
//! | `index` | what may decide on one action, found by names in the request |
//! | [`set`] | policies validated, compiled and indexed; the decision |
//! | [`cache`] | decisions kept by exactly what was read |
//! | [`live`] | the set in force, as the core asks it |
//! | [`tree`] | conditions as data, for proofs |
#![forbid(unsafe_code)]

pub mod action;
pub mod cache;
mod condition;
mod index;
pub mod live;
pub mod part;
pub mod question;
pub mod reads;
mod remedy;
pub mod request;
pub mod set;
pub mod source;
pub mod tree;

#[cfg(test)]
mod tests;
