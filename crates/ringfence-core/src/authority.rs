//! Authority: may this credential do this, from here, now?

use std::net::IpAddr;

use crate::address::Cidr;
use crate::credential::{Credential, State};
use crate::operation::Operation;
use crate::refusal::{Code, Detail, Refusal};
use crate::session::{Coverage, Thumbprint};
use crate::shard::ShardState;

/// Proof that a credential may do what is asked from where it is asked, or that anybody may.
#[must_use]
#[derive(Debug)]
pub struct Authorized(());

/// What is to be done, and how it was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Act {
    /// What.
    pub operation: Operation,
    /// From where.
    pub peer: IpAddr,
    /// How much of it the proof of identity covers.
    pub coverage: Coverage,
    /// The client certificate on the connection.
    pub certificate: Option<Thumbprint>,
}

/// Checks that `credential` may do `act` at `now_us` (microseconds since the Unix epoch).
///
/// # Errors
///
/// The code of what is wrong, in the order state, shard, expiry, address, what it demands beside its
/// signature, scope. An empty allowlist allows nobody.
pub fn check(credential: &Credential, act: &Act, now_us: u64) -> Result<Authorized, Refusal> {
    match credential.state_but_shard() {
        State::Active => {}
        State::PreActive => return Err(Code::CredentialNotActive.into()),
        State::Suspended => return Err(Code::CredentialSuspended.into()),
        State::Deactivated | State::Compromised | State::Destroyed => {
            return Err(Code::CredentialRevoked.into());
        }
    }
    check_shard(credential, act.operation)?;
    if credential
        .expires_us()
        .is_some_and(|expires_us| now_us >= expires_us)
    {
        return Err(Code::CredentialExpired.into());
    }
    match act.coverage {
        Coverage::Name => check_name(credential, act.peer)?,
        Coverage::Stream | Coverage::Venue | Coverage::Whole => {
            check_address(credential, act.peer)?
        }
    }
    let demands = credential.demands();
    match act.operation.coverage().max(demands.coverage) {
        least if act.coverage >= least => {}
        Coverage::Whole => return Err(Code::CredentialNative.into()),
        Coverage::Name | Coverage::Stream | Coverage::Venue => {
            return Err(Code::SignatureMissing.into());
        }
    }
    let shown = |wanted: &Thumbprint| act.certificate.as_ref() == Some(wanted);
    if !demands.certificates.is_empty() && !demands.certificates.iter().any(shown) {
        return Err(Code::CredentialCertificate.into());
    }
    match act.operation.scope() {
        Some(scope) if !credential.scopes().contains(scope) => {
            Err(Refusal::new(Code::ScopeMissing).with(Detail::Scope(scope.as_str())))
        }
        Some(_) | None => Ok(Authorized(())),
    }
}

/// Checks that the shard of who acts serves `operation`. Operators are not traders: they administer whatever shard stands
/// how.
fn check_shard(credential: &Credential, operation: Operation) -> Result<(), Code> {
    let begins = operation.changes_state() && !operation.reduces_risk();
    match credential.shard_state() {
        _ if operation.administers() => Ok(()),
        ShardState::Isolated => Err(Code::ShardIsolated),
        ShardState::Draining if begins => Err(Code::ShardDraining),
        ShardState::Draining | ShardState::Serving => Ok(()),
    }
}

/// Checks that a key's name proves who acts, without a signature: it does where the key is bound to addresses and is
/// used from one of them.
///
/// # Errors
///
/// `credential_unbound`, `address_not_allowed`.
pub fn check_name(credential: &Credential, peer: IpAddr) -> Result<(), Code> {
    if !credential.allow().iter().all(Cidr::binds) {
        return Err(Code::CredentialUnbound);
    }
    check_address(credential, peer)
}

fn check_address(credential: &Credential, peer: IpAddr) -> Result<(), Code> {
    let mut allowed = credential.allow().iter();
    if allowed.any(|net| net.contains(peer)) {
        Ok(())
    } else {
        Err(Code::AddressNotAllowed)
    }
}

/// Checks that `operation` is one that nobody needs a credential for.
///
/// # Errors
///
/// `credential_missing`: a route that asks for no signature opens nothing that needs a scope or begins
/// a session, and neither does an identity control that only observes.
pub const fn check_anonymous(operation: Operation) -> Result<Authorized, Code> {
    if operation.needs_credential() {
        Err(Code::CredentialMissing)
    } else {
        Ok(Authorized(()))
    }
}

#[cfg(test)]
mod tests;
