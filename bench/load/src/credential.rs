//! The keys to sign with: one `key_id secret` line each.

use std::fs;
use std::io;

use aws_lc_rs::hmac;

use crate::fault;

/// One API key of the Binance kind.
pub(crate) struct Credential {
    /// Goes into `X-MBX-APIKEY`.
    pub(crate) key_id: String,
    /// HMAC-SHA256 over the secret's characters.
    pub(crate) key: hmac::Key,
}

/// Reads all credentials of a file; at least one.
pub(crate) fn read(path: &str) -> io::Result<Vec<Credential>> {
    let text = fs::read_to_string(path).map_err(|e| fault(format!("{path}: {e}")))?;
    let mut credentials = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some((key_id, secret)) = line.split_once(' ') else {
            return Err(fault(format!("{path}:{}: not `key_id secret`", number + 1)));
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        credentials.push(Credential {
            key_id: key_id.to_owned(),
            key,
        });
    }
    if credentials.is_empty() {
        return Err(fault(format!("{path}: no credentials")));
    }
    Ok(credentials)
}
