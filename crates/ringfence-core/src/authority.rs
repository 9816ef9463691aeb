//! Authority: may this credential do this, from here, now?

use std::net::IpAddr;

use crate::credential::{Credential, State};
use crate::operation::Operation;
use crate::refusal::{Code, Detail, Refusal};

/// Proof that a credential may do what is asked from where it is asked, or that anybody may.
#[must_use]
#[derive(Debug)]
pub struct Authorized(());

/// Checks that `credential` may do `operation` from `peer` at `now_us` (microseconds since the Unix
/// epoch).
///
/// # Errors
///
/// The code of what is wrong, in the order state, expiry, address, scope. An empty allowlist allows
/// nobody.
pub fn check(
    credential: &Credential,
    operation: Operation,
    peer: IpAddr,
    now_us: u64,
) -> Result<Authorized, Refusal> {
    match credential.state() {
        State::Active => {}
        State::PreActive => return Err(Code::CredentialNotActive.into()),
        State::Suspended => return Err(Code::CredentialSuspended.into()),
        State::Revoked => return Err(Code::CredentialRevoked.into()),
    }
    if credential
        .expires_us()
        .is_some_and(|expires_us| now_us >= expires_us)
    {
        return Err(Code::CredentialExpired.into());
    }
    if !credential.allow().iter().any(|net| net.contains(peer)) {
        return Err(Code::AddressNotAllowed.into());
    }
    match operation.scope() {
        Some(scope) if !credential.scopes().contains(scope) => {
            Err(Refusal::new(Code::ScopeMissing).with(Detail::Scope(scope.as_str())))
        }
        Some(_) | None => Ok(Authorized(())),
    }
}

/// Checks that `operation` is one that nobody needs a credential for.
///
/// # Errors
///
/// `credential_missing`: a route that asks for no signature opens nothing that needs a scope, and
/// neither does an identity control that only observes.
pub const fn check_anonymous(operation: Operation) -> Result<Authorized, Code> {
    match operation.scope() {
        Some(_) => Err(Code::CredentialMissing),
        None => Ok(Authorized(())),
    }
}

#[cfg(test)]
mod tests;
