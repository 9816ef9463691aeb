//! Signatures that were taken without the server: it is told of them before anything else when it is back.

use ringfence_core::pipeline::SharedClaim;

use super::link::Link;
use super::words::Command;

/// Claims that are told the server at once.
const TOLD_AT_ONCE: usize = 1000;
/// Claims that are kept for it while it is lost; of more than these, it is told that there were some.
const ALONE_MAX: usize = 65_536;

/// Signatures that were taken without the server.
#[derive(Default)]
pub(super) struct Alone {
    claims: Vec<(SharedClaim, &'static [u8])>,
    /// Whether there were more.
    pub(super) more: bool,
}

impl Link {
    /// Keeps a signature for the server to know of.
    pub(super) fn note(&self, claim: &SharedClaim, purpose: &'static [u8]) {
        let mut alone = self.alone.borrow_mut();
        if alone.claims.len() < ALONE_MAX {
            alone.claims.push((*claim, purpose));
        } else {
            alone.more = true;
        }
    }

    /// Tells the server, before it is asked anything else, what was taken without it.
    pub(super) fn confess(&self) {
        let Alone { claims, more } = std::mem::take(&mut *self.alone.borrow_mut());
        let memory = self.memory.borrow();
        let Some(memory) = memory.as_ref().filter(|_| more || !claims.is_empty()) else {
            return;
        };
        let cluster = &self.cluster;
        let mut unsure_ms = if more { cluster.unsure_ms } else { 0 };
        let mut rest = &claims[..];
        loop {
            let (some, others) = rest.split_at(rest.len().min(TOLD_AT_ONCE));
            let told = self.put(|out| {
                let keys = 1 + some.len();
                let mut command = Command::call(out, &cluster.remember, keys, 2 + 2 * some.len());
                command.word(&cluster.state);
                for (claim, _) in some {
                    command.name(&cluster.claims, &claim.name);
                }
                command.word(memory.id.as_bytes()).number(unsure_ms);
                for (claim, purpose) in some {
                    let kept: &[u8] = if *purpose == b"r" { b"r" } else { b"s" };
                    command.word(kept).number(claim.deadline_us.div_ceil(1000));
                }
            });
            // Nobody waits for its answer. Whether it was told is only known then.
            match (told, self.waiting.borrow_mut().back_mut()) {
                (Some(_), Some(last)) => last.tells = true,
                (Some(_) | None, _) => self.alone.borrow_mut().more = true,
            }
            (rest, unsure_ms) = (others, 0);
            if rest.is_empty() {
                return;
            }
        }
    }
}
