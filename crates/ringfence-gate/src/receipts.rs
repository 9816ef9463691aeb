//! Receipts for the clients themselves: the proof that an order of their own is in the ledger.
//!
//! Which entry an order has is remembered for the newest ones, in a table of fixed size without locks: a hash of account
//! and id finds a place, and what is there already gives way. An answer does not rest on that: the entry itself must say
//! that it is the order asked for and the account's own.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use ringfence_core::budget::Usages;
use ringfence_ledger::{Ledger, LedgerError, Ticket, prove};

use crate::body::Answer;
use crate::pipeline::Passing;
use crate::record::Reading;
use crate::refuse::MESSAGE;
use crate::shared::Shared;

/// Places in the table: 8 MB. An order takes two, for its message and for the client's own id of it.
const PLACES: usize = 1 << 20;
/// Bits of a place that tell one hash from another; the others count entries.
const TAG_BITS: u32 = 16;
/// Receipts made at once. They read files; more would only wait for each other.
const AT_ONCE: usize = 4;

/// The newest orders, and making receipts of them.
pub(crate) struct Receipts {
    /// 0, or a tag and what the ledger called the entry, plus 1.
    places: Box<[AtomicU64]>,
    /// Seeded anew in each run, so that nobody can choose ids that push out another's.
    hasher: RandomState,
    directory: PathBuf,
    busy: AtomicUsize,
}

/// Whose receipt of what is asked for.
pub(crate) struct Wanted {
    pub(crate) account: Box<str>,
    /// A message's id, or the client's own id of an order.
    pub(crate) id: Box<str>,
}

enum Found {
    Receipt(Vec<u8>),
    /// No checkpoint covers the entry yet, or too many are asked for.
    Later,
    /// It is none, none of this account, or too old.
    Unknown,
    /// What was published cannot be read.
    Failed(LedgerError),
}

impl Receipts {
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            directory: directory.to_owned(),
            busy: AtomicUsize::new(0),
        }
    }

    /// Remembers that the order `id` of `account` has the entry of `ticket`.
    pub(crate) fn note(&self, account: &str, id: &str, ticket: Ticket) {
        let (place, tag) = self.place(account, id);
        let kept = (ticket.number() + 1) << TAG_BITS | tag;
        place.store(kept, Ordering::Relaxed);
    }

    fn number(&self, wanted: &Wanted) -> Option<u64> {
        let (place, tag) = self.place(&wanted.account, &wanted.id);
        let kept = place.load(Ordering::Relaxed);
        let same = kept & ((1 << TAG_BITS) - 1) == tag;
        (kept >> TAG_BITS).checked_sub(1).filter(|_| same)
    }

    fn place(&self, account: &str, id: &str) -> (&AtomicU64, u64) {
        let hash = self.hasher.hash_one((account, id));
        // INVARIANT: `PLACES` is a power of two, so the index is below it.
        let index = usize::try_from(hash & (PLACES as u64 - 1)).unwrap_or_default();
        (&self.places[index], hash >> (u64::BITS - TAG_BITS))
    }

    fn find(&self, ledger: &Ledger, wanted: &Wanted) -> Found {
        let Some(number) = self.number(wanted) else {
            return Found::Unknown;
        };
        for index in ledger.indices(number) {
            match prove(&self.directory, index) {
                Ok(receipt) if receipt.extra.as_deref().is_some_and(|e| wanted.is(e)) => {
                    return Found::Receipt(receipt.text());
                }
                Ok(_) | Err(LedgerError::Dropped { .. }) => {}
                Err(LedgerError::NotCovered { .. } | LedgerError::Publishing { .. }) => {
                    return Found::Later;
                }
                Err(error) => return Found::Failed(error),
            }
        }
        Found::Unknown
    }
}

impl Wanted {
    /// Tells whether an entry is what is wanted.
    fn is(&self, entry: &[u8]) -> bool {
        let Ok(entry) = serde_json::from_slice::<serde_json::Value>(entry) else {
            return false;
        };
        let own = entry["kind"] == "decision" && entry["account"] == *self.account;
        own && (entry["message"] == *self.id || entry["order"]["client_order_id"] == *self.id)
    }
}

impl Passing {
    /// Answers with the receipt that was asked for.
    pub(crate) async fn receipt(
        self: Rc<Self>,
        wanted: Wanted,
        usages: &Usages,
        reading: Reading,
    ) -> Response<Answer> {
        let shared = Arc::clone(&self.client.thread.shared);
        let found = if shared.receipts.busy.fetch_add(1, Ordering::Relaxed) < AT_ONCE {
            let proving = Arc::clone(&shared);
            let found = tokio::task::spawn_blocking(move || {
                proving.receipts.find(&proving.ledger, &wanted)
            });
            found.await.unwrap_or(Found::Later)
        } else {
            Found::Later
        };
        shared.receipts.busy.fetch_sub(1, Ordering::Relaxed);
        let mut answer = self.told(&shared, found);
        let headers = answer.headers_mut();
        self.client.door.speech.usage.write(usages, headers);
        headers.insert(MESSAGE, self.id.value().clone());
        reading.answered(answer.status().as_u16());
        answer
    }

    fn told(&self, shared: &Shared, found: Found) -> Response<Answer> {
        let (status, content) = match found {
            Found::Receipt(receipt) => (StatusCode::OK, receipt),
            Found::Later => (StatusCode::SERVICE_UNAVAILABLE, problem(&LATER)),
            Found::Unknown => (StatusCode::NOT_FOUND, problem(&UNKNOWN)),
            Found::Failed(error) => {
                let directory = shared.receipts.directory.display();
                eprintln!("ringfence: ALARM: a receipt from {directory} cannot be made: {error}");
                (StatusCode::INTERNAL_SERVER_ERROR, problem(&FAILED))
            }
        };
        let watch = &self.lane.watch;
        let mut answer = Response::new(Answer::whole(Some(Bytes::from(content)), watch));
        *answer.status_mut() = status;
        let kind = if status == StatusCode::OK {
            "text/plain; charset=utf-8"
        } else {
            "application/problem+json"
        };
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer
    }
}

/// Why there is no receipt (RFC 9457): code, status, and what to do.
struct Problem(&'static str, u16, &'static str);

const LATER: Problem = Problem(
    "receipt_pending",
    503,
    "No checkpoint covers the order yet; ask again in a second.",
);
const UNKNOWN: Problem = Problem(
    "receipt_unknown",
    404,
    "This account has no such order among the newest; ask the operator for an older one's receipt.",
);
const FAILED: Problem = Problem(
    "receipt_failed",
    500,
    "The receipt cannot be made; tell the operator the message id.",
);

fn problem(problem: &Problem) -> Vec<u8> {
    let Problem(code, status, detail) = problem;
    let content =
        serde_json::json!({"code": code, "detail": detail, "status": status, "title": code});
    content.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(account: &str, id: &str) -> Wanted {
        Wanted {
            account: account.into(),
            id: id.into(),
        }
    }

    #[test]
    fn an_entry_is_given_to_its_own_account_only() {
        let entry = br#"{"account":"alice","kind":"decision","message":"m-1","order":{"client_order_id":"c-1"}}"#;
        assert!(wanted("alice", "m-1").is(entry) && wanted("alice", "c-1").is(entry));
        assert!(!wanted("mallory", "m-1").is(entry) && !wanted("alice", "m-2").is(entry));
        let outcome = br#"{"account":"alice","kind":"outcome","message":"m-1"}"#;
        assert!(!wanted("alice", "m-1").is(outcome));
    }
}
