//! What lies behind the scopes: policies, judged by whoever the engine was given for it. The core knows no language.

use std::fmt::Debug;
use std::net::IpAddr;

use crate::funds::FundsText;
use crate::guard::{Guard, OrderText};
use crate::operation::{Operation, Scopes};
use crate::principal::Standing;
use crate::refusal::Refusal;
use crate::session::Coverage;

/// How somebody proved again who they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StepUp<'a> {
    /// Seconds ago.
    pub age_s: u64,
    /// By what, in the words of whoever proved it.
    pub strength: &'a str,
}

/// One message of a known credential that its scopes let pass.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Whom it acts for.
    pub account: &'a str,
    /// What that is, and who stands above it.
    pub standing: &'a Standing,
    /// By which credential.
    pub key_id: &'a str,
    /// What that may do.
    pub scopes: Scopes,
    /// How that signs.
    pub algorithm: &'static str,
    /// What is asked.
    pub operation: Operation,
    /// From where.
    pub peer: IpAddr,
    /// When; microseconds since the Unix epoch.
    pub now_us: u64,
    /// How much of it the proof of identity covers.
    pub coverage: Coverage,
    /// Whether a client certificate is on the connection.
    pub certificate: bool,
    /// How it came.
    pub transport: &'static str,
    /// A fresh proof beside the credential.
    pub step_up: Option<StepUp<'a>>,
    /// The orders that it carries.
    pub orders: &'a [OrderText<'a>],
    /// The funds that it moves.
    pub funds: Option<&'a FundsText<'a>>,
    /// What tells an order's worth.
    pub guard: &'a Guard,
}

/// Which of the sets that were in force one after the other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Serial(pub u64);

/// Judges what scopes let pass. Waits for nothing, reads no clock.
pub trait Policy: Debug + Send + Sync {
    /// Checks one message, all of it by one set; returns which. Each order of a batch is asked about as if it came alone:
    /// a policy sees every one of them.
    ///
    /// # Errors
    ///
    /// `policy_forbids`, naming the deciding policies; `step_up_required` where a fresh step-up would be enough.
    fn check(&self, asked: &Asked<'_>) -> Result<Serial, Refusal>;

    /// Returns which set is in force.
    fn serial(&self) -> Serial;
}
