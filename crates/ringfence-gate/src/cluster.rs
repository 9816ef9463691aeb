//! What several gateways share on a server of Valkey or Redis: where it is, and how it stands (docs/cluster.md).
//!
//! Every engine thread has a link of its own (`link.rs`), which nobody waits for longer than the deadline. What is said
//! there is words (`words.rs`) and scripts (`scripts.rs`); a link begins with a greeting (`greeting.rs`), by which a server
//! that cannot be relied on is not used.

mod greeting;
mod link;
mod scripts;
mod server;
mod standing;
mod words;

use std::time::Duration;

pub(crate) use link::Link;
use server::Server;
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
    /// The name of what it remembers of itself.
    state: Box<[u8]>,
    /// So long after it began to remember, a message may still be signed before that.
    unsure_ms: u64,
}

impl Cluster {
    /// Returns the one that a snapshot names, if it does. `ahead_us`: how far a message's own time may be ahead of ours.
    pub(crate) fn open(snapshot: &Snapshot, ahead_us: u64) -> Result<Option<Self>, GateError> {
        let Some(ClusterConfig {
            ca,
            prefix,
            deadline_ms,
            server: Some(server),
        }) = &snapshot.cluster
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            server: Server::open(server, ca.as_deref())?,
            standing: Standing::new(snapshot.engine.threads),
            deadline: Duration::from_millis(*deadline_ms),
            // In braces: on a cluster of servers all of it is on one.
            state: format!("{{{prefix}}}:state").into_bytes().into(),
            unsure_ms: ahead_us / 1000 + CLOCKS_MS,
        }))
    }
}
