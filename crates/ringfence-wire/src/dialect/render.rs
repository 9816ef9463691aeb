//! Answering a refusal as the venue would.

use std::collections::BTreeMap;

use ringfence_core::refusal::{Code, Detail, Refusal};

use super::compile::wrong;
use super::definition::{ErrorDefinition, Errors};
use super::{Dialect, DialectError};

/// A refusal as the client sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rendered {
    /// HTTP status.
    pub status: u16,
    /// Media type of the body.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct ErrorTable {
    content_type: String,
    body: String,
    /// By code, then by what the code is about (`budget_exceeded.orders`); keyed by text.
    by_code: BTreeMap<String, ErrorDefinition>,
}

impl ErrorTable {
    pub(super) fn compile(written: &Errors) -> Result<Self, DialectError> {
        for code in Code::ALL {
            if !written.by_code.contains_key(code.as_str()) {
                return Err(wrong(
                    "errors.by_code",
                    format!("{} is missing", code.as_str()),
                ));
            }
        }
        let known = |text: &str| {
            let code = text.split_once('.').map_or(text, |(code, _)| code);
            Code::ALL.iter().any(|known| known.as_str() == code)
        };
        for (text, definition) in &written.by_code {
            if !known(text) {
                return Err(wrong(
                    "errors.by_code",
                    format!("{text:?} is no refusal code"),
                ));
            }
            if !(400..600).contains(&definition.status) || definition.status == 418 {
                let what = "a refusal is 400 to 599, and never 418, which clients take for a ban";
                return Err(wrong(&format!("errors.by_code.{text}.status"), what));
            }
        }
        Ok(Self {
            content_type: written.content_type.clone(),
            body: written.body.clone(),
            by_code: written.by_code.clone(),
        })
    }

    fn find(&self, refusal: &Refusal) -> Option<&ErrorDefinition> {
        let about = match &refusal.detail {
            Detail::Limit(limit) => Some(limit.counts.as_str()),
            Detail::Field(name) => Some(&**name),
            Detail::None | Detail::Distance(_) | Detail::Scope(_) => None,
        };
        let code = refusal.code.as_str();
        about
            .and_then(|about| self.by_code.get(&format!("{code}.{about}")))
            .or_else(|| self.by_code.get(code))
    }
}

impl Dialect {
    /// Returns `refusal` in the venue's own form.
    pub fn render(&self, refusal: &Refusal) -> Rendered {
        // INVARIANT: compiling checked that every code is there; the numbers below are never seen.
        let (status, code, message) = self.errors.find(refusal).map_or((500, 0, "{hint}"), |d| {
            (d.status, d.code, d.message.as_str())
        });
        let field = match &refusal.detail {
            Detail::Field(name) => name,
            Detail::None | Detail::Distance(_) | Detail::Limit(_) | Detail::Scope(_) => "",
        };
        let message = message
            .replace("{field}", field)
            .replace("{hint}", &refusal.to_string());
        let quoted = serde_json::Value::from(message).to_string();
        let text = self
            .errors
            .body
            .replace("{code}", &code.to_string())
            .replace("{message}", &quoted);
        Rendered {
            status,
            content_type: self.errors.content_type.clone(),
            body: text.into_bytes(),
        }
    }
}
