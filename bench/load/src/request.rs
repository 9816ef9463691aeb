//! Requests signed ahead of time, so that signing costs nothing while the clock runs.

use std::fmt::Write as _;
use std::io;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;

use crate::credential::Credential;
use crate::fault;

/// Times in the requests reach back this far, so that they rise as a real stream's do.
const SPREAD_MS: u64 = 2000;

/// What the requests ask for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// `POST /api/v3/order`, everything in the body.
    Order,
    /// `DELETE /api/v3/order`, everything in the query.
    Cancel,
    /// `GET /api/v3/openOrders`, everything in the query.
    Read,
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "order" => Ok(Self::Order),
            "cancel" => Ok(Self::Cancel),
            "read" => Ok(Self::Read),
            _ => Err(()),
        }
    }
}

/// What a batch of requests is made of.
pub(crate) struct Recipe<'a> {
    /// What they ask for.
    pub(crate) kind: Kind,
    /// Value of the Host field.
    pub(crate) host: &'a str,
    /// Signers, taken in turn.
    pub(crate) credentials: &'a [Credential],
    /// How many to make.
    pub(crate) count: usize,
    /// `recvWindow` of each, in milliseconds.
    pub(crate) window_ms: u64,
    /// Change one digit of each signature.
    pub(crate) forged: bool,
}

/// Requests in one piece of memory, in the order they are to be sent.
pub(crate) struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Requests {
    /// Makes and signs a batch, all different, stamped with times just before now.
    ///
    /// Parameters as in Binance's documentation of SIGNED endpoints: `signature` comes last and
    /// covers everything before it.
    pub(crate) fn make(recipe: &Recipe<'_>) -> io::Result<Self> {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(io::Error::other)?;
        let now_ms = u64::try_from(since.as_millis()).map_err(io::Error::other)?;
        let run = since.as_micros() % 1_000_000_000_000;
        let mut requests = Self {
            bytes: Vec::new(),
            ends: Vec::with_capacity(recipe.count),
        };
        let mut form = String::new();
        for index in 0..recipe.count {
            let credential = &recipe.credentials[index % recipe.credentials.len()];
            let age_ms = SPREAD_MS - SPREAD_MS * index as u64 / recipe.count as u64;
            form.clear();
            write_form(&mut form, recipe, run, index, now_ms - age_ms)
                .map_err(|_| fault("no memory"))?;
            sign(&mut form, &credential.key, recipe.forged);
            requests.push(recipe, &credential.key_id, &form);
        }
        Ok(requests)
    }

    /// Request `index`.
    pub(crate) fn bytes(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    fn push(&mut self, recipe: &Recipe<'_>, key_id: &str, form: &str) {
        let fields = format!(
            "Host: {}\r\nUser-Agent: ringfence-load\r\nAccept: */*\r\nX-MBX-APIKEY: {key_id}\r\n",
            recipe.host
        );
        let text = match recipe.kind {
            Kind::Order => format!(
                "POST /api/v3/order HTTP/1.1\r\n{fields}Content-Type: \
                 application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
                form.len()
            ),
            Kind::Cancel => format!("DELETE /api/v3/order?{form} HTTP/1.1\r\n{fields}\r\n"),
            Kind::Read => format!("GET /api/v3/openOrders?{form} HTTP/1.1\r\n{fields}\r\n"),
        };
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len());
    }
}

fn write_form(
    form: &mut String,
    recipe: &Recipe<'_>,
    run: u128,
    index: usize,
    time_ms: u64,
) -> std::fmt::Result {
    let window_ms = recipe.window_ms;
    match recipe.kind {
        Kind::Order => write!(
            form,
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=30000\
             &newClientOrderId=rf{run}-{index}&recvWindow={window_ms}&timestamp={time_ms}"
        ),
        Kind::Cancel => write!(
            form,
            "symbol=BTCUSDT&origClientOrderId=rf{run}-{index}&recvWindow={window_ms}&timestamp={time_ms}"
        ),
        // A read has no id of its own; a slightly different window makes each signature new.
        Kind::Read => write!(
            form,
            "symbol=BTCUSDT&recvWindow={}&timestamp={time_ms}",
            window_ms - index as u64 / recipe.credentials.len() as u64 % 1000
        ),
    }
}

fn sign(form: &mut String, key: &hmac::Key, forged: bool) {
    let tag = hmac::sign(key, form.as_bytes());
    form.push_str("&signature=");
    for (place, byte) in tag.as_ref().iter().enumerate() {
        let byte = if forged && place == 31 {
            byte ^ 1
        } else {
            *byte
        };
        for half in [byte >> 4, byte & 15] {
            form.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use aws_lc_rs::hmac;

    use super::{Kind, Recipe, Requests};
    use crate::credential::Credential;
    use crate::response::{Scan, scan};

    fn make(kind: Kind, forged: bool) -> Vec<String> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let credentials = [Credential {
            key_id: "k1".into(),
            key,
        }];
        let recipe = Recipe {
            kind,
            host: "h",
            credentials: &credentials,
            count: 50,
            window_ms: 60_000,
            forged,
        };
        let requests = Requests::make(&recipe).unwrap();
        (0..requests.len())
            .map(|i| String::from_utf8(requests.bytes(i).to_vec()).unwrap())
            .collect()
    }

    fn signed_right(request: &str) -> bool {
        let (target, rest) = request.split_once(" HTTP/1.1\r\n").unwrap();
        let form = match target.split_once('?') {
            Some((_, query)) => query,
            None => rest.split_once("\r\n\r\n").unwrap().1,
        };
        let (payload, signature) = form.split_once("&signature=").unwrap();
        let tag = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, b"secret"),
            payload.as_bytes(),
        );
        tag.as_ref()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
            == signature
    }

    #[test]
    fn requests_are_framed_signed_and_all_different() {
        for kind in [Kind::Order, Kind::Cancel, Kind::Read] {
            let requests = make(kind, false);
            assert!(requests.iter().all(|r| signed_right(r)));
            assert!(requests.iter().all(|r| {
                scan(r.as_bytes())
                    == Scan::Whole {
                        length: r.len(),
                        closing: false,
                    }
            }));
            assert_eq!(
                requests.iter().collect::<HashSet<_>>().len(),
                requests.len()
            );
        }
    }

    #[test]
    fn forged_requests_differ_only_in_a_wrong_signature() {
        assert!(make(Kind::Order, true).iter().all(|r| !signed_right(r)));
    }
}
