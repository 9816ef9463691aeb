//! The server that several gateways share.

use std::path::PathBuf;

use serde::Deserialize;
use zeroize::Zeroizing;

/// What they share there, and how long a message waits for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ClusterConfig {
    /// Roots that its certificate leads to; none: no TLS.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// What all names there begin with.
    pub prefix: String,
    pub deadline_ms: u64,
    /// Where it is; none where a snapshot is only checked.
    #[serde(default)]
    pub server: Option<ServerConfig>,
}

/// Where the server is, and what is shown there.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ServerConfig {
    /// Host and port, or none: a Unix socket.
    #[serde(default)]
    pub address: Option<String>,
    #[serde(default)]
    pub socket: Option<PathBuf>,
    /// Whose its certificate must be, with TLS.
    #[serde(default)]
    pub host: Option<String>,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub password: Option<Zeroizing<String>>,
    #[serde(default)]
    pub database: u32,
    /// What names are hashed with there: hexadecimal, the same for all gateways of a cluster.
    pub secret: Zeroizing<String>,
}

impl std::fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerConfig").finish_non_exhaustive()
    }
}
