//! A compact dialect in Binance's scheme, and messages signed by it.

use aws_lc_rs::hmac;
use ringfence_core::refusal::Code;
use ringfence_core::sign::{Algorithm, VerifyingKey};
use serde_json::{Value, json};

use super::super::{Dialect, Head, Reading, Route, Scratch};

/// Returns the dialect as it is written down, with an answer to every refusal.
pub(in crate::dialect) fn written() -> Value {
    let text = include_str!("../../../tests/data/compact.json");
    let mut written: Value = serde_json::from_str(text).unwrap();
    for code in Code::ALL {
        written["errors"]["by_code"][code.as_str()] =
            json!({"status": 400, "code": -1, "message": "{hint}"});
    }
    written
}

pub(super) fn dialect() -> Dialect {
    Dialect::from_json(&written()).unwrap()
}

/// Returns the dialect that takes everything, unsigned.
pub(super) fn open() -> Dialect {
    let mut open = written();
    open["signing"] = Value::Null;
    open["routes"] =
        json!([{"method": "*", "path": "/**", "operation": "market.read", "signed": false}]);
    Dialect::from_json(&open).unwrap()
}

/// A message before it is read.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) content_type: Option<String>,
    pub(super) key: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Sent {
    /// Returns an order with `query` and `body`, from a client that has a key.
    pub(super) fn order(query: &str, body: &str) -> Self {
        Self::to("POST", "/order", query, body)
    }

    pub(super) fn to(method: &str, path: &str, query: &str, body: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            content_type: None,
            key: Some("key".to_owned()),
            body: body.into(),
        }
    }

    pub(super) fn head(&self) -> Head<'_> {
        Head {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            content_type: self.content_type.as_deref(),
            key: self.key.as_deref(),
            headers: None,
            secure: false,
            session: false,
        }
    }

    pub(super) fn route<'d>(&self, dialect: &'d Dialect) -> Option<&'d Route> {
        dialect.route(&self.method, &self.path)
    }

    /// Reads it and hands the reading to `look`.
    pub(super) fn read<T>(
        &self,
        dialect: &Dialect,
        look: impl FnOnce(&Reading<'_>) -> T,
    ) -> Result<T, Code> {
        let route = self.route(dialect).ok_or(Code::RouteUnknown)?;
        let mut scratch = Scratch::default();
        let reading = dialect.read(route, &self.head(), &self.body, &mut scratch);
        reading
            .map(|reading| look(&reading))
            .map_err(|refusal| refusal.code)
    }

    /// Returns why it is refused.
    pub(super) fn refused(&self, dialect: &Dialect) -> Option<Code> {
        self.read(dialect, |_| ()).err()
    }

    /// Reads it and verifies what it says with `key`; all that controls see, as text.
    pub(super) fn verified(&self, dialect: &Dialect, key: &VerifyingKey) -> Result<String, Code> {
        self.read(dialect, |reading| {
            let claim = reading.claim.ok_or(Code::SignatureMissing)?;
            key.verify(&claim)?;
            Ok(meaning(reading))
        })?
    }
}

/// Returns what the controls and the venue see of a reading, but not how the signature is written.
pub(super) fn meaning(reading: &Reading<'_>) -> String {
    let claim = reading.claim.map(|claim| {
        let payload = String::from_utf8(claim.payload.to_vec()).unwrap();
        (claim.key_id.to_owned(), payload, claim.stamp)
    });
    format!("{claim:?} {:?} {:?}", reading.orders, reading.cost)
}

/// Returns the signature that an HMAC client puts under `payload`.
pub(super) fn hmac_hex(secret: &[u8], payload: &str) -> String {
    let tag = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, secret),
        payload.as_bytes(),
    );
    tag.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(super) fn hmac_key(secret: &[u8]) -> VerifyingKey {
    VerifyingKey::from_parts(Algorithm::HmacSha256, secret).unwrap()
}
