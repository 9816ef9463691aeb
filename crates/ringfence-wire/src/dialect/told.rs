//! What the venue's answers say of its limits, and of the key that signed.

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::{HeaderName, RETRY_AFTER};
use ringfence_core::budget::Counts;
use ringfence_core::refusal::{Code, Refusal};

use super::compile::wrong;
use super::definition::{CodeText, RemainingHeaders, Unit, VenueErrors};
use super::scheme::read_time;
use super::{Dialect, DialectError};
use crate::json;

/// Longest wait that is believed: a venue's longest ban (Binance: 3 days).
const WAIT_MAX_MS: u64 = 3 * 86_400_000;
/// Wait where neither venue nor dialect says how long.
const WAIT_MS: u64 = 1_000;
/// Longest body that is read for a code.
const ERROR_BODY_MAX: usize = 16 * 1024;

/// What must wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stop {
    /// Everything that goes to the venue.
    All,
    /// What the key signs.
    Key,
    /// The orders that it signs.
    Orders,
}

/// What an answer says of whoever signed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Verdict {
    /// The key, its signature or its time was refused: by this code of the venue's.
    pub key_refused: Option<String>,
    /// What must wait, and for how many milliseconds.
    pub stop: Option<(Stop, u64)>,
}

/// The venue's own fields for how a limit stands.
#[derive(Clone, Debug)]
pub struct LeftFields {
    /// Units that it allows.
    pub limit: HeaderName,
    /// Units that are left.
    pub left: HeaderName,
    reset: Option<(HeaderName, Unit, bool)>,
}

impl LeftFields {
    /// Returns the field that says when all is back, and what it says of `reset_ms` from `now_ms` on; none where the venue
    /// has none that is a whole number.
    pub fn reset(&self, reset_ms: u64, now_ms: u64) -> Option<(&HeaderName, u64)> {
        let (name, unit, countdown) = self.reset.as_ref()?;
        let at_ms = if *countdown { 0 } else { now_ms }.saturating_add(reset_ms);
        match unit {
            Unit::Ms | Unit::MsOrUs => Some((name, at_ms)),
            Unit::S => Some((name, at_ms.div_ceil(1000))),
            Unit::Us => Some((name, at_ms.saturating_mul(1000))),
            Unit::Digits | Unit::Iso8601 | Unit::Iso8601Seconds | Unit::Ns => None,
        }
    }
}

/// Compiled from [`VenueErrors`] and the usage headers.
#[derive(Debug, Default)]
pub(super) struct Answers {
    code: Box<[Box<str>]>,
    key_refused: Box<[Box<str>]>,
    limited: Box<[Box<str>]>,
    orders_limited: Box<[Box<str>]>,
    wait_ms: u64,
    stops: BTreeMap<u16, u64>,
    reset: Option<(HeaderName, Unit, bool)>,
    remaining: Box<[Remaining]>,
}

#[derive(Debug)]
struct Remaining {
    counts: Counts,
    window_ms: u64,
    limit: HeaderName,
    left: HeaderName,
}

impl Answers {
    pub(super) fn compile(
        written: &VenueErrors,
        remaining: &[RemainingHeaders],
    ) -> Result<Self, DialectError> {
        let reset = written.reset.as_ref().map(|reset| {
            let name = header(&reset.header, "venue_errors.reset.header")?;
            Ok((name, reset.unit, reset.countdown))
        });
        let mut stops = written.stops.clone();
        if stops.is_empty() {
            // RFC 6585 4: Too Many Requests.
            stops.insert(429, WAIT_MS);
        }
        Ok(Self {
            code: written
                .code
                .iter()
                .map(|text| text.as_str().into())
                .collect(),
            key_refused: texts(&written.key_refused),
            limited: texts(&written.limited),
            orders_limited: texts(&written.orders_limited),
            wait_ms: written.wait_ms.unwrap_or(WAIT_MS),
            stops,
            reset: reset.transpose()?,
            remaining: remaining
                .iter()
                .enumerate()
                .map(|(index, written)| Remaining::compile(index, written))
                .collect::<Result<_, _>>()?,
        })
    }

    fn verdict(&self, status: u16, headers: &HeaderMap, body: &[u8], now_us: u64) -> Verdict {
        let code = self.find_code(body);
        let said = |list: &[Box<str>]| list.iter().any(|known| Some(&**known) == code.as_deref());
        // RFC 9110 15.5.2: whoever signed is not taken for who they say.
        let unknown = status == 401;
        let key_refused = (said(&self.key_refused) || unknown)
            .then(|| code.clone().unwrap_or_else(|| status.to_string()));
        let (stop, wait_ms) = if said(&self.orders_limited) {
            (Stop::Orders, self.wait_ms)
        } else if said(&self.limited) {
            (Stop::Key, self.wait_ms)
        } else if let Some(wait_ms) = self.stops.get(&status) {
            (Stop::All, *wait_ms)
        } else {
            return Verdict {
                key_refused,
                stop: None,
            };
        };
        let wait_ms = self.wait(headers, now_us).unwrap_or(wait_ms);
        Verdict {
            key_refused,
            stop: Some((stop, wait_ms.clamp(1, WAIT_MAX_MS))),
        }
    }

    /// Returns the code in a venue's answer. One that cannot be read has none.
    fn find_code(&self, body: &[u8]) -> Option<String> {
        if self.code.is_empty() || body.len() > ERROR_BODY_MAX {
            return None;
        }
        let text = std::str::from_utf8(body).ok()?;
        let mut found = None;
        // The walk ends by an error of its own once a code is found.
        let _ = json::values(text, &mut |value| {
            let named = self.code.iter().any(|place| **place == *value.path);
            if named && !matches!(value.raw, "null" | "\"\"" | "[]" | "{}") {
                let mut code = String::new();
                json::append(value.raw, &mut code)?;
                found = Some(code);
                return Err(Refusal::from(Code::FormMalformed));
            }
            Ok(())
        });
        found
    }

    /// Returns how long the venue says to wait.
    fn wait(&self, headers: &HeaderMap, now_us: u64) -> Option<u64> {
        let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
        let until = |at_us: u64| at_us.saturating_sub(now_us) / 1000 + 1;
        // RFC 9110 10.2.3: seconds, or a date.
        let after = text(&RETRY_AFTER).and_then(|text| match text.parse::<u64>() {
            Ok(seconds) => Some(seconds.saturating_mul(1000)),
            Err(_) => http_date_us(text).map(until),
        });
        after.or_else(|| {
            let (name, unit, countdown) = self.reset.as_ref()?;
            let read_us = read_time(*unit, text(name)?)?;
            Some(match countdown {
                true => read_us / 1000 + 1,
                false => until(read_us),
            })
        })
    }
}

impl Remaining {
    fn compile(index: usize, written: &RemainingHeaders) -> Result<Self, DialectError> {
        let field = |last: &str| format!("usage_headers.remaining[{index}].{last}");
        let counts = Counts::parse(&written.counts);
        let counts = counts.ok_or_else(|| wrong(&field("counts"), "it is nothing that is counted"));
        if written.window_ms == 0 {
            return Err(wrong(&field("window_ms"), "it has no length"));
        }
        Ok(Self {
            counts: counts?,
            window_ms: written.window_ms,
            limit: header(&written.limit, &field("limit"))?,
            left: header(&written.remaining, &field("remaining"))?,
        })
    }
}

fn texts(codes: &[CodeText]) -> Box<[Box<str>]> {
    let text = |code: &CodeText| match code {
        CodeText::Number(number) => number.to_string().into(),
        CodeText::Text(text) => text.as_str().into(),
    };
    codes.iter().map(text).collect()
}

fn header(name: &str, field: &str) -> Result<HeaderName, DialectError> {
    let what = "not the name of a header field";
    HeaderName::try_from(name).map_err(|_| wrong(field, what))
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

impl Dialect {
    /// Returns what an answer of the venue says of whoever signed. `now_us`: microseconds since the Unix epoch.
    pub fn verdict(&self, status: u16, headers: &HeaderMap, body: &[u8], now_us: u64) -> Verdict {
        self.answers.verdict(status, headers, body, now_us)
    }

    /// Returns what an answer says was used of the limit that counts `counts` over `window_ms`; none where it says
    /// nothing.
    pub fn told(&self, counts: Counts, window_ms: u64, headers: &HeaderMap) -> Option<u64> {
        let counts = counts.at_venue();
        let fits = |known: &&Remaining| known.counts == counts && known.window_ms == window_ms;
        if let Some(known) = self.answers.remaining.iter().find(fits) {
            let limit = number(headers, &known.limit)?;
            return Some(limit.saturating_sub(number(headers, &known.left)?));
        }
        let name = self.usage_header(counts, window_ms)?;
        number(headers, &HeaderName::try_from(name).ok()?)
    }
}

impl Dialect {
    /// Returns the venue's own fields for the limit that counts `counts` over `window_ms`, or none.
    pub fn left_fields(&self, counts: Counts, window_ms: u64) -> Option<LeftFields> {
        let counts = counts.at_venue();
        let fits = |known: &&Remaining| known.counts == counts && known.window_ms == window_ms;
        let known = self.answers.remaining.iter().find(fits)?;
        Some(LeftFields {
            limit: known.limit.clone(),
            left: known.left.clone(),
            reset: self.answers.reset.clone(),
        })
    }
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT` in microseconds since the Unix epoch (RFC 9110 5.6.7; the obsolete forms are
/// not read).
pub fn http_date_us(text: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, date) = text.strip_suffix(" GMT")?.split_once(", ")?;
    let mut parts = date.split(' ');
    let (day, month, year, time) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let at = MONTHS
        .find(month)
        .filter(|at| at % 3 == 0 && month.len() == 3)?;
    let date = format!("{year}-{:02}-{day}T{time}", at / 3 + 1);
    read_time(Unit::Iso8601Seconds, &date)
}

#[cfg(test)]
mod tests;
