//! Issuers of access tokens, as the configuration has them.

use std::collections::HashMap;

use ringfence_core::sign::Algorithm;
use ringfence_wire::issuer::{Dpop, IssuerTerms, Issuers};
use ringfence_wire::jws::{self, Jwk};
use serde::Deserialize;

use crate::error::GateError;

/// One issuer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the fields are those of the configuration file, documented there
pub struct IssuerConfig {
    pub name: String,
    pub issuer: String,
    pub audience: String,
    /// The members of the key set's `keys`.
    pub keys: Vec<serde_json::Value>,
    pub algorithms: Vec<String>,
    pub subject: String,
    pub credentials: HashMap<String, String>,
    pub max_lifetime_s: u64,
    pub dpop: DpopName,
}

impl IssuerConfig {
    /// Parses a JSON array of issuers.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`].
    pub fn parse_all(json: &[u8]) -> Result<Vec<Self>, GateError> {
        serde_json::from_slice(json).map_err(|e| GateError::config("issuers", e))
    }
}

/// Whether a token needs a proof.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum DpopName {
    Optional,
    Required,
}

/// Compiles all issuers.
///
/// # Errors
///
/// [`GateError::Config`] naming the field.
pub(crate) fn issuers(written: &[IssuerConfig]) -> Result<Issuers, GateError> {
    let mut all = Issuers::default();
    for (index, written) in written.iter().enumerate() {
        let at = |field: &str| format!("issuers[{index}].{field}");
        let algorithm = |name: &String| {
            let mut known = Algorithm::ALL.into_iter();
            let found = known.find(|a| jws::public(*a) && jws::name(*a) == name);
            found.ok_or_else(|| GateError::config(at("algorithms"), "ES256, EdDSA or RS256"))
        };
        let key = |key: &serde_json::Value| {
            Jwk::read(&key.to_string()).map_err(|e| GateError::config(at("jwks"), e))
        };
        let terms = IssuerTerms {
            issuer: written.issuer.clone(),
            audience: written.audience.clone(),
            keys: written.keys.iter().map(key).collect::<Result<_, _>>()?,
            algorithms: written
                .algorithms
                .iter()
                .map(algorithm)
                .collect::<Result<_, _>>()?,
            subject: written.subject.clone(),
            credentials: written.credentials.clone(),
            max_lifetime_s: written.max_lifetime_s,
            dpop: match written.dpop {
                DpopName::Optional => Dpop::Optional,
                DpopName::Required => Dpop::Required,
            },
        };
        all.add(terms)
            .map_err(|e| GateError::config(at(e.field), e.what))?;
    }
    Ok(all)
}
