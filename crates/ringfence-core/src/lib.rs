//! Ringfence's decisions.
//!
//! Pure: no clock, no I/O, no async. Times are passed in, as microseconds since the Unix epoch in
//! UTC; whoever owns the sockets owns the clock.
//!
//! A message goes through eight controls, always in the same order: edge, operation, identity,
//! freshness, authority, budget, guard, sequence. Each returns a proof or a [`refusal::Refusal`];
//! only the end of [`pipeline::Core::decide`] turns the proofs into a [`pipeline::Permit`], and
//! only a permit can be forwarded.
//!
//! | module | owns |
//! |---|---|
//! | [`pipeline`] | the order of the controls, their modes' effect, the permit |
//! | [`edge`] | requests per address, before any cryptography |
//! | [`ban`] | who is kept out for a while, and who is spared |
//! | [`operation`] | what a message asks, and the scope that it needs |
//! | [`sign`] | keys and signatures |
//! | [`session`] | an identity that was proved once, and what a credential asks for beside a signature |
//! | [`freshness`], [`replay`] | the time window, and what a signature was already used for |
//! | [`credential`], [`authority`] | who may do what, from where, until when |
//! | [`principal`] | what a principal is, and who stands above it |
//! | [`shard`] | cells of principals, and how each stands |
//! | [`policy`] | what is asked of the policies behind the scopes |
//! | [`budget`] | limits over windows, all or nothing |
//! | [`cluster`] | how what several gateways share is named |
//! | [`guard`], [`decimal`] | bounds of orders, computed exactly |
//! | [`placed`] | which instrument an account's orders are in |
//! | [`egress`], [`funds`] | whose venue key signs, what was used through it; which funds may leave, and where to |
//! | [`sequence`] | what is legal now |
//! | [`overload`] | who waits for whom where there is too little room, and for how long |
//! | [`refusal`], [`mode`], [`moment`], [`address`] | the words that they share |
//!
//! What several threads touch is exact: an atomic for a credential's state, a mutex for its replay
//! memory and one for what it used, a mutex per part of the address tables, one for placed orders,
//! a read-write lock for withdrawal addresses. No lock is held while
//! another control runs.
#![forbid(unsafe_code)]

pub mod address;
pub mod authority;
pub mod ban;
pub mod budget;
pub mod cluster;
mod counter;
pub mod credential;
pub mod decimal;
pub mod edge;
pub mod egress;
pub mod freshness;
pub mod funds;
pub mod guard;
pub mod mode;
pub mod moment;
pub mod operation;
pub mod overload;
pub mod pipeline;
pub mod placed;
pub mod policy;
pub mod principal;
pub mod proof;
pub mod refusal;
pub mod replay;
pub mod sequence;
pub mod session;
pub mod shard;
pub mod sign;
