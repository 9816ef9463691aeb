//! Credentials as Python hands them over, checked into what the core takes.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfence_core::address::Cidr;
use ringfence_core::credential::{NewCredential, State};
use ringfence_core::operation::Scopes;
use ringfence_core::principal::{Above, Kind, Standing};
use ringfence_core::session::{Coverage, Demands, Thumbprint};
use ringfence_core::shard::Shards;
use ringfence_core::sign::{Algorithm, ShardKey, VerifyingKey};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::error::GateError;

/// A credential as Python hands it over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialRecord {
    key_id: String,
    account: String,
    algorithm: String,
    /// Base64 of the HMAC secret, the raw Ed25519 public key or the RSA key's DER.
    #[serde(default)]
    material: Option<Zeroizing<String>>,
    /// In its place: where an HMAC secret stands.
    #[serde(default)]
    derived: Option<DerivedRecord>,
    scopes: Vec<String>,
    allow: Vec<String>,
    #[serde(default)]
    demands: Option<DemandsRecord>,
    expires_us: Option<u64>,
    state: String,
    /// Whether its account is out of use; none: as it was.
    #[serde(default)]
    held: Option<bool>,
    /// What its account is and stands under; none: an account by itself.
    #[serde(default)]
    standing: Option<StandingRecord>,
    /// The shard that its account stands in; none: in none.
    #[serde(default)]
    shard: Option<u16>,
}

/// Where in a shard's tree of keys a secret stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DerivedRecord {
    shard: u32,
    /// None: the credential's own.
    #[serde(default)]
    account: Option<String>,
    generation: u32,
}

/// Shards' keys, from which secrets are derived.
#[derive(Debug, Default)]
pub struct ShardKeys(HashMap<u32, Arc<ShardKey>>);

impl ShardKeys {
    /// Parses a JSON object of base64 by the shard's number.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`].
    pub fn parse(json: &[u8]) -> Result<Self, GateError> {
        let texts: HashMap<u32, Zeroizing<String>> =
            serde_json::from_slice(json).map_err(|e| GateError::config("shards", e))?;
        let shards = texts.into_iter().map(|(number, text)| {
            let material = Zeroizing::new(STANDARD.decode(text.as_bytes()).unwrap_or_default());
            let key = ShardKey::parse(&material);
            let key = key.ok_or_else(|| GateError::config("shards", "is not 64 bytes in base64"));
            Ok((number, Arc::new(key?)))
        });
        shards.collect::<Result<_, _>>().map(Self)
    }

    fn key(&self, of: &CredentialRecord, derived: &DerivedRecord) -> Result<VerifyingKey, String> {
        let shard = self.0.get(&derived.shard);
        let shard =
            shard.ok_or_else(|| format!("nobody has the key of shard {}", derived.shard))?;
        let account = derived.account.as_deref().unwrap_or(&of.account);
        let key = VerifyingKey::derived(shard, account, &of.key_id, derived.generation);
        key.map_err(|e| e.to_string())
    }
}

/// What a principal is, and who stands above it: kinds and names, from the nearest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StandingRecord {
    kind: String,
    above: Vec<(String, String)>,
}

impl StandingRecord {
    /// Returns it as the core has it; the kind that is none, if one is.
    fn check(self) -> Result<Standing, String> {
        let kind = |text: String| Kind::parse(&text).ok_or(text);
        let above = self.above.into_iter().map(|(text, name)| {
            Ok(Above {
                kind: kind(text)?,
                name: name.into(),
            })
        });
        Ok(Standing {
            above: above.collect::<Result<_, String>>()?,
            kind: kind(self.kind)?,
        })
    }
}

/// What a credential asks for beside its signature.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DemandsRecord {
    coverage: CoverageName,
    /// SHA-256 of client certificates in DER, in hexadecimal.
    certificates: Vec<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CoverageName {
    #[default]
    Venue,
    Whole,
}

impl DemandsRecord {
    /// Returns it as the core has it; the certificate that is none, if one is.
    fn check(&self) -> Result<Demands, &str> {
        let certificates = self.certificates.iter();
        let certificates = certificates.map(|text| thumbprint(text).ok_or(text.as_str()));
        Ok(Demands {
            coverage: match self.coverage {
                // What each operation asks for.
                CoverageName::Venue => Coverage::Name,
                CoverageName::Whole => Coverage::Whole,
            },
            certificates: certificates.collect::<Result<_, _>>()?,
        })
    }
}

pub(crate) fn no_shard(number: u16) -> String {
    format!("there is no shard {number}: see `shards.count`")
}

/// Reads 64 hexadecimal digits.
fn thumbprint(text: &str) -> Option<Thumbprint> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut thumbprint = Thumbprint::default();
    if !rest.is_empty() || pairs.len() != thumbprint.len() {
        return None;
    }
    for (byte, pair) in thumbprint.iter_mut().zip(pairs) {
        pair.iter().all(u8::is_ascii_hexdigit).then_some(())?;
        let digits = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(thumbprint)
}

impl CredentialRecord {
    /// Parses a JSON array of records.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`].
    pub fn parse_all(json: &[u8]) -> Result<Vec<Self>, GateError> {
        serde_json::from_slice(json).map_err(|e| GateError::config("credentials", e))
    }

    /// Checks one record, whose secret may be derived by one of `keys`, and whose account may stand in one of `shards`.
    ///
    /// # Errors
    ///
    /// [`GateError::Credential`] with what is wrong.
    pub fn check(self, keys: &ShardKeys, shards: &Shards) -> Result<NewCredential, GateError> {
        let key = self.key(keys);
        let key_id = self.key_id;
        let wrong = |what: &dyn std::fmt::Display| GateError::Credential {
            key_id: key_id.clone(),
            what: what.to_string(),
        };
        let key = key.map_err(|e| wrong(&e))?;
        let scopes = Scopes::parse(self.scopes.iter().map(String::as_str))
            .map_err(|name| wrong(&format!("unknown scope {name:?}")))?;
        let allow = self
            .allow
            .iter()
            .map(|text| Cidr::parse(text))
            .collect::<Result<_, _>>();
        let demands = self.demands.unwrap_or_default();
        let demands = demands
            .check()
            .map_err(|text| wrong(&format!("{text:?} is no certificate's SHA-256")))?;
        let standing = self.standing.map(StandingRecord::check).transpose();
        let standing =
            standing.map_err(|text| wrong(&format!("{text:?} is no kind of principal")))?;
        let shard = |number| shards.shard(number).ok_or_else(|| wrong(&no_shard(number)));
        Ok(NewCredential {
            shard: self.shard.map(shard).transpose()?,
            account: self.account.into(),
            key,
            scopes,
            allow: allow.map_err(|e| wrong(&e))?,
            demands,
            expires_us: self.expires_us,
            state: State::parse(&self.state).ok_or_else(|| wrong(&"unknown state"))?,
            held: self.held,
            standing: standing.map(Arc::new),
            key_id: key_id.into(),
        })
    }

    /// Returns what verifies its signatures; what is wrong, in words.
    fn key(&self, keys: &ShardKeys) -> Result<VerifyingKey, String> {
        let algorithm = Algorithm::parse(&self.algorithm).ok_or("unknown algorithm")?;
        let material = match (&self.material, &self.derived) {
            (Some(text), None) => STANDARD.decode(text.as_bytes()),
            (None, Some(derived)) if algorithm == Algorithm::HmacSha256 => {
                return keys.key(self, derived);
            }
            (None, _) | (Some(_), Some(_)) => {
                return Err("needs material or a place, not both".into());
            }
        };
        let material = Zeroizing::new(material.map_err(|_| "material is not base64")?);
        VerifyingKey::from_parts(algorithm, &material).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    //! A secret comes along or is derived: one of the two, and from a shard whose key is there.

    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn record(more: &serde_json::Value) -> CredentialRecord {
        let mut record = serde_json::json!({
            "key_id": "key-0001", "account": "desk", "algorithm": "hmac-sha256", "scopes": ["read"],
            "allow": ["127.0.0.1/32"], "expires_us": null, "state": "active",
        });
        let more = more.as_object().unwrap().clone();
        record.as_object_mut().unwrap().extend(more);
        let all = serde_json::to_vec(&serde_json::json!([record])).unwrap();
        CredentialRecord::parse_all(&all).unwrap().remove(0)
    }

    #[test]
    fn what_is_no_secret_is_refused_with_what_is_wrong() {
        let shards =
            ShardKeys::parse(format!(r#"{{"0":"{}"}}"#, STANDARD.encode([7; 64])).as_bytes());
        let shards = shards.unwrap();
        let (material, place) = (
            "A".repeat(24),
            serde_json::json!({"shard": 0, "generation": 1}),
        );
        let check = |more: serde_json::Value| match record(&more).check(&shards, &Shards::new(2)) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        let wrong = [
            serde_json::json!({}),
            serde_json::json!({"material": material, "derived": place}),
            serde_json::json!({"derived": place, "algorithm": "ed25519"}),
            serde_json::json!({"derived": {"shard": 1, "generation": 1}}),
            serde_json::json!({"derived": {"shard": 0, "generation": 1_u32 << 31}}),
            serde_json::json!({"derived": place, "shard": 2}),
        ];
        let said = wrong.map(check);
        for (found, expected) in said.iter().zip([
            "not both",
            "not both",
            "not both",
            "nobody has the key of shard 1",
            "below 2^31",
            "no shard 2",
        ]) {
            assert!(found.contains(expected), "{found}");
        }
        assert_eq!(check(serde_json::json!({"derived": place})), "");
        assert_eq!(check(serde_json::json!({"material": material})), "");
    }

    #[test]
    fn a_shard_s_key_that_is_none_is_refused_and_not_repeated() {
        for text in [r#"{"0":"AAAA"}"#, r#"{"0":"%"}"#, r#"{"x":""}"#] {
            let error = ShardKeys::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(!error.contains("AAAA"), "{error}");
        }
    }
}
