//! What a token opens that is shown in a WebSocket's handshake.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct AdmissionDefinition {
    /// The channel or the stream, by its path. The answer says `{endpoint}` for its address here.
    pub(in crate::dialect) path: String,
    /// The parameter of the handshake that is the token; it goes no further.
    pub(in crate::dialect) token: String,
    /// The parameter by which the client calls the connection: what it is told first repeats it as `{id}`.
    pub(in crate::dialect) id: Option<String>,
    /// What else may stand there.
    #[serde(default)]
    pub(in crate::dialect) beside: Vec<String>,
    /// What who shows a token that is over, or none of ours, is told on the WebSocket before it is closed, at venues whose
    /// clients ask for another one only then. Without it the handshake is refused.
    pub(in crate::dialect) over: Option<String>,
    /// Where the venue's own answer to the same request says what opens its end, in egress.
    pub(in crate::dialect) venue: Option<VenueAdmissionDefinition>,
}

/// Names are those of [`crate::json`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct VenueAdmissionDefinition {
    pub(in crate::dialect) token: String,
    /// An address with `wss:`, or `ws:` where the venue's own has no TLS.
    pub(in crate::dialect) endpoint: String,
    /// Hosts that it may name beside the venue's own; `*.` stands for one label.
    #[serde(default)]
    pub(in crate::dialect) hosts: Vec<String>,
}
