//! Egress as Python hands it over: whose keys sign, what may be transferred, and the keys themselves.

use std::collections::HashMap;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfence_core::decimal::Decimal;
use ringfence_core::egress::Egress;
use ringfence_core::funds::{TransferRule as Compiled, TransferRules};
use ringfence_core::sign::{Algorithm, SigningKey};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::error::GateError;

/// Without this section the gateway stands before an exchange: it attests, and signs nothing for a venue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the fields are those of the configuration file, documented there
pub struct EgressConfig {
    /// The name of the venue key of each account.
    pub accounts: HashMap<String, String>,
    /// That of all others.
    pub default: Option<String>,
    pub transfers: Vec<TransferRule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct TransferRule {
    pub account: String,
    pub asset: String,
    /// As the dialect's `transfer_fields.direction` says, in order.
    pub direction: Vec<String>,
    pub max_amount: String,
}

impl EgressConfig {
    /// Checks the section.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`] naming the field.
    pub(crate) fn compile(&self) -> Result<Egress, GateError> {
        let most = |index: usize, text: &str| {
            let field = format!("egress.transfers[{index}].max_amount");
            Decimal::parse(text).map_err(|e| GateError::config(field, e))
        };
        let mut rules = Vec::new();
        for (index, rule) in self.transfers.iter().enumerate() {
            let names = &rule.direction;
            let name = |index: usize| names.get(index).map(|text| text.as_str().into());
            let compiled = Compiled {
                asset: rule.asset.as_str().into(),
                to: [name(0), name(1), name(2)],
                max_amount: most(index, &rule.max_amount)?,
            };
            rules.push((rule.account.as_str().into(), compiled));
        }
        let accounts = self.accounts.iter();
        let accounts =
            accounts.map(|(account, key)| (account.as_str().into(), key.as_str().into()));
        Ok(Egress::new(
            &accounts.collect(),
            self.default.as_deref(),
            TransferRules::new(rules),
        ))
    }
}

/// A venue key as Python hands it over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenueKeyRecord {
    name: String,
    /// The name of the dialect that it signs in.
    dialect: String,
    key_id: String,
    algorithm: String,
    /// Base64 of the HMAC secret's text, or of the private key's PKCS#8 in DER.
    material: Zeroizing<String>,
    passphrase: Option<Zeroizing<String>>,
}

/// A venue key, ready to sign. Nothing of it is shown.
pub(crate) struct Sealer {
    pub(crate) dialect: Box<str>,
    pub(crate) key_id: Box<str>,
    pub(crate) key: SigningKey,
    pub(crate) passphrase: Option<Zeroizing<String>>,
    /// Tells another key from the same one: a hash of all of it.
    pub(crate) mark: [u8; 32],
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(...)")
    }
}

impl VenueKeyRecord {
    /// Parses a JSON array of records.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`], without anything of what was read.
    pub fn parse_all(json: &[u8]) -> Result<Vec<Self>, GateError> {
        // serde's own words may quote what it read.
        serde_json::from_slice(json)
            .map_err(|e| GateError::config("venue_keys", format!("line {}: malformed", e.line())))
    }

    /// Checks one record and returns it with its name.
    ///
    /// # Errors
    ///
    /// [`GateError::VenueKey`] with what is wrong.
    pub(crate) fn check(self) -> Result<(Box<str>, Sealer), GateError> {
        let name = self.name;
        let wrong = |what: &dyn std::fmt::Display| GateError::VenueKey {
            name: name.clone(),
            what: what.to_string(),
        };
        let algorithm =
            Algorithm::parse(&self.algorithm).ok_or_else(|| wrong(&"unknown algorithm"))?;
        let material = STANDARD.decode(self.material.as_bytes());
        let material = Zeroizing::new(material.map_err(|_| wrong(&"material is not base64"))?);
        let key = SigningKey::from_parts(algorithm, &material).map_err(|e| wrong(&e))?;
        let mut hash = Context::new(&SHA256);
        let phrase = self.passphrase.as_ref().map(|phrase| phrase.as_bytes());
        let parts = [
            self.dialect.as_bytes(),
            self.key_id.as_bytes(),
            self.algorithm.as_bytes(),
            &material,
            phrase.unwrap_or_default(),
        ];
        for part in parts {
            hash.update(&part.len().to_be_bytes());
            hash.update(part);
        }
        let mut mark = [0; 32];
        mark.copy_from_slice(hash.finish().as_ref());
        let sealer = Sealer {
            mark,
            dialect: self.dialect.into(),
            key_id: self.key_id.into(),
            key,
            passphrase: self.passphrase,
        };
        Ok((name.into(), sealer))
    }
}
