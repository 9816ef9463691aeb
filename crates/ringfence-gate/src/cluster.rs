//! What several gateways share on a server of Valkey or Redis: where it is, and how it stands (docs/cluster.md).
//!
//! Every engine thread has a link of its own (`link.rs`), which nobody waits for longer than the deadline. What is said
//! there is words (`words.rs`) and scripts (`scripts.rs`); a link begins with a greeting (`greeting.rs`), by which a server
//! that cannot be relied on is not used.

mod alone;
mod asking;
mod greeting;
mod link;
mod scripts;
mod server;
mod slices;
mod standing;
mod words;

use std::time::Duration;

use ringfence_core::budget::Limit;
use ringfence_core::cluster::ClusterKey;

use asking::Terms;
pub(crate) use link::Link;
use server::Server;
use slices::Slices;
pub(crate) use standing::News;
use standing::Standing;

use crate::error::GateError;
use crate::snapshot::{ClusterConfig, Snapshot};

/// How far clocks of gateways and the server may be apart before a message could be taken for a later one.
const CLOCKS_MS: u64 = 1000;

/// What all threads know of the server.
pub(crate) struct Cluster {
    pub(crate) server: Server,
    pub(crate) standing: Standing,
    /// How long a message waits for it.
    pub(crate) deadline: Duration,
    /// Units that were fetched ahead.
    pub(crate) slices: Slices,
    /// Of each limit that is shared.
    terms: Box<[Option<Terms>]>,
    /// The name of what it remembers of itself, and how names of claims and limits begin.
    state: Box<[u8]>,
    claims: Box<[u8]>,
    limits: Box<[u8]>,
    /// By what the server calls our scripts.
    take: Box<[u8]>,
    remember: Box<[u8]>,
    /// So long after it began to remember, a message may still be signed before that.
    unsure_ms: u64,
}

impl Cluster {
    /// Returns the one that a snapshot names, if it does. `ahead_us`: how far a message's own time may be ahead of ours.
    pub(crate) fn open(
        snapshot: &Snapshot,
        limits: &[Limit],
        ahead_us: u64,
    ) -> Result<Option<Self>, GateError> {
        let Some(ClusterConfig {
            ca,
            prefix,
            deadline_ms,
            server: Some(server),
        }) = &snapshot.cluster
        else {
            return Ok(None);
        };
        // In braces: on a cluster of servers all of it is on one.
        let begin = |what: &str| format!("{{{prefix}}}:{what}").into_bytes().into();
        Ok(Some(Self {
            server: Server::open(server, ca.as_deref())?,
            standing: Standing::new(snapshot.engine.threads),
            deadline: Duration::from_millis(*deadline_ms),
            state: begin("state"),
            claims: begin("claim:"),
            limits: begin("limit:"),
            take: scripts::name(scripts::TAKE),
            remember: scripts::name(scripts::REMEMBER),
            slices: Slices::new(snapshot.budget.subjects),
            terms: limits.iter().map(Terms::of).collect(),
            unsure_ms: ahead_us / 1000 + CLOCKS_MS,
        }))
    }

    /// Names what is shared there.
    pub(crate) fn key(&self) -> &ClusterKey {
        &self.server.key
    }

    fn terms(&self, limit: u16) -> Option<&Terms> {
        self.terms.get(usize::from(limit))?.as_ref()
    }

    /// Returns numbers for status pages.
    pub(crate) fn status(&self) -> serde_json::Value {
        let mut status = self.standing.to_json();
        if let Some(map) = status.as_object_mut() {
            map.insert("leased".into(), self.slices.units().into());
        }
        status
    }
}
