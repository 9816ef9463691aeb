//! Who sends a message, by what proves it, and that the proof is fresh.

use std::sync::Arc;

use super::passage::Passage;
use super::{Core, Identity, Means, Proof, SharedClaim};
use crate::authority;
use crate::refusal::{Code, Refusal};
use crate::replay::{Fresh, Use};
use crate::session::Coverage;
use crate::sign::{Claim, Signed};

impl Passage<'_, '_> {
    /// Finds the credential, and verifies the signature where there is one. Nobody is known before that has succeeded.
    pub(super) fn identify(&mut self) -> Result<Identity, Refusal> {
        let message = self.message;
        if !message.signed {
            return Ok(Identity::Anonymous);
        }
        let (found, identity) = match message.means()? {
            Means::Own(claim) => {
                let found = self.core.credentials.get(claim.key_id);
                let found = found.ok_or(Code::CredentialUnknown)?;
                match found.verify(claim) {
                    Ok(verified) => (found, Identity::Signature(verified)),
                    Err(wrong) => {
                        self.claimed = Some(found);
                        return Err(wrong.into());
                    }
                }
            }
            Means::Named(key_id) => {
                if message.operation.coverage() > Coverage::Name {
                    return Err(Code::SignatureMissing.into());
                }
                let found = self.core.credentials.get(key_id);
                let found = found.ok_or(Code::CredentialUnknown)?;
                if let Err(unproved) = authority::check_name(&found, message.peer) {
                    self.claimed = Some(found);
                    return Err(unproved.into());
                }
                (found, Identity::Name)
            }
            Means::Bound(session, key, claim) => {
                let found = Arc::clone(session.credential().in_force()?);
                (found, Identity::Signature(key.verify(claim)?))
            }
            Means::Session(session) => {
                let found = Arc::clone(session.credential().in_force()?);
                (found, Identity::Session)
            }
        };
        self.credential = Some(found);
        Ok(identity)
    }

    /// Checks that a session is not over; of a signature the window, then claims it. One that was not verified claims
    /// nothing.
    pub(super) fn freshness(
        &mut self,
        identity: &Proof<Identity>,
    ) -> Result<Option<Fresh>, Refusal> {
        if !self.message.signed {
            return Ok(None);
        }
        match self.message.means().map_err(|_| Code::TimeMissing)? {
            Means::Own(claim) if self.message.operation.spends() => {
                self.claim(claim, identity, Use::Spend)
            }
            Means::Own(claim) => self.claim(claim, identity, Use::Read),
            // Nothing says when it was made.
            Means::Named(_) => Ok(None),
            // A proof is made for one request (RFC 9449 11.1).
            Means::Bound(session, _, claim) => {
                session.check(self.now_us)?;
                self.claim(claim, identity, Use::Spend)
            }
            Means::Session(session) => {
                session.check(self.now_us)?;
                Ok(None)
            }
        }
    }

    fn claim(
        &mut self,
        claim: &Claim<'_>,
        identity: &Proof<Identity>,
        purpose: Use,
    ) -> Result<Option<Fresh>, Refusal> {
        self.window.check(claim.stamp, self.now_us)?;
        let (Proof::Held(Identity::Signature(signed)), Some(who)) =
            (identity, self.credential.as_deref())
        else {
            return Ok(None);
        };
        let Core {
            credentials, room, ..
        } = self.core;
        let mut fresh = who.claim(signed, purpose, self.now_us, room);
        let full = matches!(&fresh, Err(refusal) if refusal.code == Code::ReplayFull);
        let shard = who.shard();
        if full && room.is_full(shard) && credentials.reclaim(shard, self.now_us, room) > 0 {
            fresh = who.claim(signed, purpose, self.now_us, room);
        }
        let fresh = fresh?;
        if let Some(shares) = self
            .core
            .shares
            .as_ref()
            .filter(|shares| shares.claims.is_some())
        {
            let Signed { stamp, nonce } = *signed.get();
            self.claim = Some(SharedClaim {
                name: shares
                    .key
                    .name(b"claim", &[who.key_id().as_bytes(), &nonce.bytes()]),
                purpose,
                signed_us: stamp.time_us,
                deadline_us: stamp.time_us.saturating_add(stamp.window_us),
            });
        }
        Ok(Some(fresh))
    }
}
