//! The way to the gateway's own admin API: where it is, and what must stand before it.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use ringfence_core::mode::{Control, Mode};
use ringfence_wire::Dialect;

use crate::attest::Attestor;
use crate::error::GateError;
use crate::hosts::{Place, Venue};
use crate::shared::modes;
use crate::snapshot::Snapshot;

/// The gateway's own admin API, and what attests to it. Its key is of one start: neither the venue, which may know the
/// other, nor an earlier process can have made what it takes.
pub(crate) struct Admin {
    pub(crate) venue: Arc<Venue>,
    pub(crate) attestor: Attestor,
}

impl Admin {
    /// Reads the key; none where there is no admin API.
    pub(crate) fn open(snapshot: &Snapshot) -> Result<Option<Self>, GateError> {
        let Some(config) = &snapshot.admin else {
            return Ok(None);
        };
        let upstream = &snapshot.upstream;
        let venue = Venue {
            place: Place::Local(config.socket.clone()),
            host: HeaderValue::from_static("ringfence"),
            tls: None,
            connections: upstream.connections.max(1),
            connect_timeout: Duration::from_millis(upstream.connect_timeout_ms),
            response_timeout: Duration::from_millis(upstream.response_timeout_ms),
        };
        Ok(Some(Self {
            venue: Arc::new(venue),
            attestor: Attestor::open(&config.attestation)?,
        }))
    }
}

/// Refuses what would let somebody to the admin API whom nobody has looked at.
pub(crate) fn check(snapshot: &Snapshot, dialect: &Dialect) -> Result<(), String> {
    const NEEDED: [Control; 3] = [Control::Identity, Control::Freshness, Control::Authority];
    if !dialect.routes().any(|route| route.operation.administers()) {
        return Ok(());
    }
    let modes = modes(snapshot).map_err(|e| e.to_string())?;
    match NEEDED.into_iter().find(|c| modes.of(*c) != Mode::Enforce) {
        Some(control) => Err(format!(
            "it leads to the admin API: say controls.{}: enforce",
            control.as_str()
        )),
        None => Ok(()),
    }
}
