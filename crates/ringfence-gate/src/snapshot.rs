//! The configuration as Python hands it over: one JSON document, checked strictly. Paths are absolute.

mod ban;
mod cluster;
mod credential;
mod egress;
mod issuer;
mod overload;
mod shard;
mod withdrawal;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use ringfence_core::edge::Quotas;
use serde::Deserialize;

use crate::error::GateError;

use crate::watch::Patience;
pub(crate) use ban::compile as compile_bans;
pub use ban::{BanRecord, BansConfig, StepConfig};
pub use cluster::{ClusterConfig, ServerConfig};
pub(crate) use credential::no_shard;
pub use credential::{CredentialRecord, ShardKeys};
pub(crate) use egress::Sealer;
pub use egress::{EgressConfig, TransferRule, VenueKeyRecord};
pub(crate) use issuer::issuers;
pub use issuer::{DpopName, IssuerConfig};
pub use overload::{BreakerConfig, OverloadConfig, WaitsConfig};
pub use shard::{ShardsConfig, StrangersConfig};
pub use withdrawal::{AddressBook, AddressesName, WithdrawalsConfig};

/// Everything but credentials.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the fields are those of the configuration file, documented there
pub struct Snapshot {
    pub version: u32,
    pub node: String,
    pub listeners: Vec<ListenerConfig>,
    /// By name, in the form that `ringfence_wire::Dialect::from_json` takes.
    pub dialects: HashMap<String, serde_json::Value>,
    pub upstream: UpstreamConfig,
    /// Whose keys sign for the venue, where we do.
    #[serde(default)]
    pub egress: Option<EgressConfig>,
    /// What a withdrawal needs.
    #[serde(default)]
    pub withdrawals: WithdrawalsConfig,
    /// What is judged behind the scopes.
    #[serde(default)]
    pub policy: Option<ringfence_policy::set::Definition>,
    /// Where the gateway's own admin API is, for the dialects whose operations it answers.
    #[serde(default)]
    pub admin: Option<AdminConfig>,
    /// Whose tokens are taken.
    #[serde(default)]
    pub issuers: Vec<IssuerConfig>,
    pub attestation: AttestationConfig,
    pub engine: EngineConfig,
    pub http: HttpConfig,
    /// Who waits for how long where there is too little room.
    #[serde(default)]
    pub overload: OverloadConfig,
    pub controls: HashMap<String, ModeName>,
    pub edge: EdgeConfig,
    /// How whoever goes on after being refused is banned; none: nobody is, but by operators.
    #[serde(default)]
    pub bans: Option<BansConfig>,
    /// The bans in force when it starts.
    #[serde(default)]
    pub banned: Vec<BanRecord>,
    /// What is shared with other gateways.
    #[serde(default)]
    pub cluster: Option<ClusterConfig>,
    pub budget: BudgetConfig,
    pub freshness: FreshnessConfig,
    /// The cells that accounts stand in; none: there are none.
    #[serde(default)]
    pub shards: Option<ShardsConfig>,
    pub guard: GuardConfig,
    pub ledger: LedgerSection,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ListenerConfig {
    pub name: String,
    pub address: std::net::SocketAddr,
    pub dialect: String,
    pub tls: Option<TlsFiles>,
    /// Plain HTTP must be said.
    #[serde(default)]
    pub plain: bool,
    /// Whether HTTP/2 is offered on TLS.
    pub http2: bool,
    /// The names that it goes by: what signatures that name one may be made for. None: no such signature is taken.
    #[serde(default)]
    pub authorities: Vec<String>,
    /// For how many seconds a nonce is good that proofs must be made with; none: they need none.
    #[serde(default)]
    pub dpop_nonce_s: Option<u64>,
    /// Whose connections begin with a header of PROXY protocol version 2; none: nobody's.
    #[serde(default)]
    pub proxy_protocol: Option<ProxyProtocol>,
}

/// The balancers before a listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyProtocol {
    /// Their networks, in CIDR form.
    pub from: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Roots of clients' certificates; none: clients are not asked for any.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
    /// Optional, unless it says otherwise.
    #[serde(default)]
    pub client_auth: Option<ClientAuth>,
}

/// Whether a client must present a certificate.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum ClientAuth {
    Optional,
    Required,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct UpstreamConfig {
    pub url: String,
    /// Hosts that have WebSockets, where those are not at `url`.
    #[serde(default)]
    pub websockets: Vec<WebSocketsConfig>,
    pub ca: Option<PathBuf>,
    /// Connections of each engine thread.
    pub connections: usize,
    pub connect_timeout_ms: u64,
    pub response_timeout_ms: u64,
}

/// A host that has the WebSockets whose paths begin with `path`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct WebSocketsConfig {
    pub path: String,
    pub url: String,
    /// Another one for what is somebody's.
    #[serde(default)]
    pub private: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct AttestationConfig {
    pub algorithm: AttestationAlgorithm,
    pub key: PathBuf,
    pub issuer: String,
}

/// The admin API's end of the way to it: a Unix socket, and how it knows that we ask.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct AdminConfig {
    pub socket: PathBuf,
    pub attestation: AttestationConfig,
}

/// JWS algorithms (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum AttestationAlgorithm {
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// HMAC-SHA256.
    #[serde(rename = "HS256")]
    Hs256,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct EngineConfig {
    pub threads: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct HttpConfig {
    pub header_bytes: usize,
    pub headers: usize,
    pub body_bytes: usize,
    pub header_timeout_ms: u64,
    pub body_timeout_ms: u64,
    pub handshake_timeout_ms: u64,
    /// Between two messages on one connection.
    pub idle_timeout_ms: u64,
    pub connections: usize,
    pub connections_per_address: usize,
    /// Largest message of a client on a stream.
    pub stream_message_bytes: usize,
    /// Messages of a client on one stream in a second, pings included.
    pub stream_messages_per_s: u32,
}

impl HttpConfig {
    pub(crate) const fn handshake(&self) -> Duration {
        Duration::from_millis(self.handshake_timeout_ms)
    }

    pub(crate) const fn patience(&self) -> Patience {
        Patience {
            head: Duration::from_millis(self.header_timeout_ms),
            body: Duration::from_millis(self.body_timeout_ms),
            idle: Duration::from_millis(self.idle_timeout_ms),
        }
    }
}

/// A control's mode.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum ModeName {
    Enforce,
    Observe,
    Off,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct EdgeConfig {
    pub requests: u64,
    pub window_ms: u64,
    /// Those that are counted exactly.
    pub addresses: usize,
    /// New connections of an address in a window; none: as many as requests.
    #[serde(default)]
    pub connections: Option<u64>,
    /// TLS handshakes that an address begins in a window; none: as many as requests.
    #[serde(default)]
    pub handshakes: Option<u64>,
    /// Handshakes of an address at once; none: as many as connections.
    #[serde(default)]
    pub handshakes_open: Option<usize>,
    /// How many times as many a network has as an address; none: nobody has less for others.
    #[serde(default)]
    pub network_factor: Option<u64>,
    /// How many times as many a block has.
    #[serde(default)]
    pub block_factor: Option<u64>,
}

impl EdgeConfig {
    /// Returns what an address that may have so many shares with its network and block.
    pub(crate) fn quotas(&self, address: u64) -> Quotas {
        Quotas {
            address,
            network: self.network_factor.unwrap_or(u64::MAX),
            block: self.block_factor.unwrap_or(u64::MAX),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct BudgetConfig {
    pub subjects: usize,
    pub limits: Vec<LimitConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LimitConfig {
    pub name: String,
    /// Words with `+` between them.
    pub subject: String,
    pub counts: String,
    pub quota: u64,
    /// 0 where the algorithm has none.
    #[serde(default)]
    pub window_ms: u64,
    #[serde(default)]
    pub algorithm: AlgorithmName,
    /// Of a bucket: units that come back in a window.
    #[serde(default)]
    pub rate: u64,
    /// Of a ratio: the most there may be to one, in ten-thousandths.
    #[serde(default)]
    pub max_e4: u64,
    /// Empty for all.
    #[serde(default)]
    pub operations: Vec<String>,
    /// Whether it counts what reduces risk without naming it.
    #[serde(default)]
    pub cancels: bool,
    /// Whether it lets what reduces risk pass although nothing is left.
    #[serde(default)]
    pub admits: bool,
    #[serde(default)]
    pub costs: HashMap<String, u32>,
    /// Of operations: what they cost on top, by how long the order has stood; the youngest first.
    #[serde(default)]
    pub ages: HashMap<String, Vec<AgeConfig>>,
    /// How all gateways of the cluster share it; none: each has its own.
    #[serde(default)]
    pub across: Option<AcrossConfig>,
}

/// Units, for orders that have not stood for so long.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct AgeConfig {
    pub below_ms: u64,
    pub units: u32,
}

/// How a limit is shared.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct AcrossConfig {
    /// Units that a gateway fetches ahead; none: every message asks.
    #[serde(default)]
    pub lease: Option<u64>,
    pub on_loss: OnLossName,
    /// This gateway's own quota while the server is lost, and its rate.
    #[serde(default)]
    pub share: u64,
    #[serde(default)]
    pub share_rate: u64,
}

/// What becomes of messages while the server is lost.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum OnLossName {
    LeaseOut,
    LocalShare,
    Refuse,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum AlgorithmName {
    Anchored,
    Bucket,
    Concurrent,
    #[default]
    Fixed,
    Ratio,
    Sliding,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct FreshnessConfig {
    pub capacity_per_credential: usize,
    pub capacity: usize,
    /// What becomes of signed messages while the server is lost at which signatures are claimed for all gateways; none: each
    /// remembers its own.
    #[serde(default)]
    pub across: Option<ClaimsName>,
}

/// What becomes of signed messages while the server is lost.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ClaimsName {
    Local,
    Refuse,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct GuardConfig {
    pub instruments: Vec<InstrumentConfig>,
}

/// Decimal texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct InstrumentConfig {
    pub symbol: String,
    /// The venue's number of it.
    #[serde(default)]
    pub code: Option<String>,
    pub tick: String,
    pub lot: String,
    pub min_quantity: String,
    pub max_quantity: String,
    pub min_notional: Option<String>,
    pub max_notional: String,
    pub price_min: String,
    pub price_max: String,
    #[serde(default)]
    pub whole_position: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LedgerSection {
    pub directory: PathBuf,
    pub origin: String,
    pub key: PathBuf,
    pub mode: LedgerModeName,
    pub group_ms: u64,
    pub checkpoint_ms: u64,
    /// 0 for no heartbeats.
    #[serde(default)]
    pub heartbeat_ms: u64,
    /// What entries hold commitments to.
    #[serde(default)]
    pub personal: Vec<Personal>,
}

/// Personal data in entries.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Personal {
    /// The client's address.
    Address,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum LedgerModeName {
    Group,
    Strict,
}

impl Snapshot {
    /// Parses a snapshot.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`] naming the field.
    pub fn parse(json: &[u8]) -> Result<Self, GateError> {
        let snapshot: Self =
            serde_json::from_slice(json).map_err(|e| GateError::config("snapshot", e))?;
        if snapshot.version != 1 {
            return Err(GateError::config("version", "this engine reads version 1"));
        }
        if snapshot.engine.threads == 0 || snapshot.listeners.is_empty() {
            return Err(GateError::config(
                "engine.threads",
                "needs a thread and a listener",
            ));
        }
        Ok(snapshot)
    }
}
