//! Refusals as problem details (RFC 9457), for clients of no venue and for those that ask for them.
//!
//! Which form a client gets: [`crate::http::prefers`]. What it has in common with a venue's form is the code alone.

use ringfence_core::mode::Control;
use ringfence_core::refusal::{Blame, Code, Detail, Refusal, Retry};
use serde_json::{Map, Value, json};

use crate::dialect::Rendered;

/// The media type of problem details.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What a type begins with. A URN: nobody has to keep a host for it, and a program that knows the code need not look it up.
const TYPE: &str = "urn:ringfence:refusal:";
const INSTANCE: &str = "urn:ringfence:message:";

/// The only type that others have defined for what we refuse: draft-ietf-httpapi-ratelimit-headers-11, 5.1.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// Statuses that neither the control nor the blame says.
const OTHERWISE: [(Code, u16); 21] = [
    (Code::AddressLocked, 403),
    (Code::ConnectionsExhausted, 429),
    // RFC 9110 15.5.2: credentials that are not valid, or not any more.
    (Code::CredentialCertificate, 401),
    (Code::CredentialExpired, 401),
    (Code::CredentialNative, 401),
    (Code::CredentialNotActive, 401),
    (Code::CredentialRevoked, 401),
    (Code::CredentialSuspended, 401),
    (Code::FundsMax, 403),
    (Code::FundsRuleMissing, 403),
    (Code::HttpBodyTooLarge, 413),
    (Code::HttpFlood, 429),
    (Code::HttpHeaderTooLarge, 431),
    // RFC 9110 15.6.2: of a method that is known nowhere here.
    (Code::HttpMethodUnknown, 501),
    (Code::HttpTimeout, 408),
    (Code::Internal, 500),
    (Code::OrderUnknown, 404),
    (Code::RouteRetired, 410),
    (Code::StepUpRequired, 401),
    (Code::VenueOutcomeUnknown, 504),
    (Code::VenueTimeout, 504),
];

/// Returns the status that `code` has where no venue says another.
pub fn status(code: Code) -> u16 {
    if let Some((_, status)) = OTHERWISE.iter().find(|(known, _)| *known == code) {
        return *status;
    }
    match (code.blame(), code.control()) {
        (Blame::Gateway, _) => 503,
        (Blame::Venue, _) => 502,
        (Blame::Client, None) => 400,
        (Blame::Client, Some(control)) => match control {
            Control::Edge | Control::Budget => 429,
            Control::Operation => 404,
            Control::Identity | Control::Freshness => 401,
            Control::Authority => 403,
            Control::Guard => 422,
            Control::Sequence => 409,
        },
    }
}

/// Returns the type of `code`'s problem.
pub fn kind(code: Code) -> String {
    if code == Code::BudgetExceeded {
        QUOTA_EXCEEDED.to_owned()
    } else {
        format!("{TYPE}{}", code.as_str())
    }
}

/// Returns `refusal` to a client that asked for problem details, whatever the venue would say.
pub fn answer(refusal: &Refusal, message: &str) -> Rendered {
    render(refusal, status(refusal.code), &refusal.to_string(), message)
}

/// Returns `refusal` as problem details: `detail` is what it says this time, `message` the message's id where it has one.
pub(crate) fn render(refusal: &Refusal, status: u16, detail: &str, message: &str) -> Rendered {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("type", kind(refusal.code).into());
    put("title", refusal.code.hint().into());
    put("status", status.into());
    put("detail", detail.into());
    if !message.is_empty() {
        put("instance", format!("{INSTANCE}{message}").into());
    }
    put("code", refusal.code.as_str().into());
    put("blame", refusal.blame.as_str().into());
    if let Retry::AfterMs(after_ms) = refusal.retry {
        put("retry_after_ms", after_ms.into());
    }
    about(&refusal.detail, put);
    Rendered {
        status,
        content_type: MEDIA_TYPE.to_owned(),
        body: Value::Object(members).to_string().into_bytes(),
    }
}

/// Puts what a refusal is about.
fn about<T>(detail: &Detail, mut put: impl FnMut(&str, Value) -> T) {
    match detail {
        // Which policies there are is no client's business.
        Detail::None | Detail::Policies(_) => {}
        Detail::Distance(us) => {
            put("past_limit_us", (*us).into());
        }
        Detail::Field(name) => {
            put("field", (**name).into());
        }
        Detail::From(us) => {
            put("from_us", (*us).into());
        }
        Detail::Limit(limit) => {
            put("violated-policies", json!([limit.name]));
            put(
                "limit",
                json!({
                    "name": limit.name,
                    "subject": limit.subject.to_string(),
                    "counts": limit.counts.as_str(),
                    "allows": limit.bound,
                }),
            );
        }
        Detail::Scope(scope) => {
            put("scope", (*scope).into());
        }
        // As RFC 9470 names them.
        Detail::StepUp(wanted) => {
            put("acr_values", (*wanted.strengths).into());
            put("max_age", wanted.max_age_s.into());
        }
    }
}

#[cfg(test)]
mod tests;
