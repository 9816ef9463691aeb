//! What a message asks of the server, in one step, and what the answer means.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::BytesMut;
use ringfence_core::budget::{Across, Algorithm, Answer, Charge, How, Limit, OnLoss, Usage};
use ringfence_core::operation::Operation;
use ringfence_core::pipeline::{SharedClaim, Sharing};
use ringfence_core::replay::Use;
use tokio::task::spawn_local;

use super::Cluster;
use super::link::{Link, Lost};
use super::slices::{Covered, Wanted};
use super::words::{Command, Said};

/// A limit as the server reads it.
pub(super) struct Terms {
    law: &'static [u8],
    pub(super) quota: u64,
    pub(super) window_ms: u64,
    rate: u64,
    /// Units that a gateway fetches ahead at most; none: every message asks.
    pub(super) lease: Option<u64>,
    pub(super) on_loss: OnLoss,
}

impl Terms {
    /// Returns those of a limit that is shared.
    pub(super) fn of(limit: &Limit) -> Option<Self> {
        let Across::Cluster { how, on_loss } = limit.across else {
            return None;
        };
        let (law, rate): (&[u8], u64) = match limit.algorithm {
            Algorithm::Anchored => (b"a", 0),
            // INVARIANT: what is under way, and a ratio, is not shared: the snapshot's check says so.
            Algorithm::Concurrent | Algorithm::Ratio { .. } => return None,
            Algorithm::Drain { rate } => (b"d", rate),
            Algorithm::Fixed => (b"f", 0),
            Algorithm::Sliding => (b"s", 0),
        };
        Some(Self {
            law,
            quota: limit.quota,
            window_ms: limit.window_ms,
            rate,
            lease: match how {
                How::Exact => None,
                How::Lease(units) => Some(units),
            },
            on_loss,
        })
    }

    /// Tells whether its windows turn with the clock.
    pub(super) const fn turns(&self) -> bool {
        matches!(self.law, b"f")
    }
}

/// One charge on its way.
pub(super) struct Ask<'a> {
    pub(super) charge: Charge,
    pub(super) terms: &'a Terms,
    /// Units that are wanted beyond the price.
    pub(super) want: u64,
    /// How many windows ahead.
    pub(super) ahead: u64,
}

/// What was charged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Had {
    pub(super) now_ms: u64,
    pub(super) used: u64,
    pub(super) left: u64,
    pub(super) reset_ms: u64,
    pub(super) more: u64,
}

impl Cluster {
    /// Writes one command.
    fn write(
        &self,
        out: &mut BytesMut,
        memory: &str,
        claim: Option<(&SharedClaim, &[u8])>,
        asks: &[Ask<'_>],
    ) {
        let keys = 1 + usize::from(claim.is_some()) + asks.len();
        let mut command = Command::call(out, &self.take, keys, 4 + 6 * asks.len());
        command.word(&self.state);
        if let Some((claim, _)) = claim {
            command.name(&self.claims, &claim.name);
        }
        for ask in asks {
            command.name(&self.limits, &ask.charge.name);
        }
        command.word(memory.as_bytes());
        match claim {
            Some((claim, purpose)) => command
                .word(purpose)
                // No earlier than it is, so that it is not forgotten before.
                .number(claim.deadline_us.div_ceil(1000))
                .number(claim.signed_us / 1000),
            None => command.word(b"").number(0).number(0),
        };
        for Ask {
            charge,
            terms,
            want,
            ahead,
        } in asks
        {
            command
                .word(terms.law)
                .number(terms.quota)
                .number(terms.window_ms)
                .number(terms.rate + ahead)
                .number(charge.price)
                .number(*want);
        }
    }
}

impl Link {
    /// Returns what the server says to what a message shares. Waits only if it has to.
    pub(crate) async fn judge(&self, sharing: &Sharing, operation: Operation) -> Answer {
        let cluster = &self.cluster;
        let claim = sharing
            .claim
            .as_ref()
            .map(|claim| (claim, purpose(claim, operation)));
        let (mut covered, mut asks) = (Vec::new(), Vec::new());
        let mut over = None;
        for charge in &sharing.charges {
            let Some(terms) = cluster.terms(charge.limit) else {
                continue;
            };
            let want = match terms.lease {
                None => 0,
                Some(_) if self.is_up() || terms.on_loss == OnLoss::LeaseOut => {
                    match cluster.slices.cover(charge, terms, Instant::now()) {
                        Covered::Whole(usage, window, wanted) => {
                            self.fetch(charge, terms, wanted);
                            covered.push((*charge, window, usage));
                            continue;
                        }
                        Covered::Over(wait_ms, usage) => {
                            over = Some((charge.limit, wait_ms, usage));
                            continue;
                        }
                        Covered::Not(want) => want,
                    }
                }
                Some(_) => 0,
            };
            asks.push(Ask {
                charge: *charge,
                terms,
                want,
                ahead: 0,
            });
        }
        let answer = match over {
            Some((limit, wait_ms, usage)) => {
                let usages = vec![usage];
                Answer::Exceeded {
                    limit,
                    wait_ms,
                    usages,
                }
            }
            None if asks.is_empty() && claim.is_none() => Answer::Granted(Vec::new()),
            None => self.charged(claim, &asks).await,
        };
        let granted = matches!(answer, Answer::Granted(_));
        for ask in asks.iter().filter(|ask| ask.want > 0 && !granted) {
            cluster.slices.unasked(&ask.charge.name);
        }
        match answer {
            Answer::Granted(mut usages) => {
                usages.extend(covered.into_iter().map(|(_, _, usage)| usage));
                Answer::Granted(usages)
            }
            refused @ (Answer::Claimed
            | Answer::Exceeded { .. }
            | Answer::Lost
            | Answer::Unknown) => {
                for (charge, window, _) in covered {
                    cluster.slices.give_back(&charge, window);
                }
                refused
            }
        }
    }

    /// Asks, and notes what has to be known later where nobody answers.
    async fn charged(
        &self,
        claim: Option<(&SharedClaim, &'static [u8])>,
        asks: &[Ask<'_>],
    ) -> Answer {
        match self.charge(claim, asks).await {
            Ok(answer) => answer,
            Err(Lost) => {
                let standing = &self.cluster.standing;
                standing.without.fetch_add(1, Ordering::Relaxed);
                if let Some((claim, purpose)) = claim {
                    self.note(claim, purpose);
                }
                Answer::Lost
            }
        }
    }

    async fn charge(
        &self,
        claim: Option<(&SharedClaim, &[u8])>,
        asks: &[Ask<'_>],
    ) -> Result<Answer, Lost> {
        let asked = Instant::now();
        let write = |out: &mut BytesMut, memory: &str| self.cluster.write(out, memory, claim, asks);
        let said = self.ask(write)?.await.map_err(|_| Lost)?;
        let read = self.read(&said, asks);
        let (answer, had) = read.ok_or_else(|| self.doubt(&said))?;
        for (ask, had) in asks.iter().zip(had).filter(|(ask, _)| ask.want > 0) {
            self.cluster.slices.put(ask, &had, (asked, Instant::now()));
        }
        Ok(answer)
    }

    /// Fetches units ahead of their use. Nobody waits for it.
    fn fetch(&self, charge: &Charge, terms: &Terms, wanted: Wanted) {
        let (want, ahead) = match wanted {
            Wanted::Nothing => return,
            Wanted::Now(want) => (want, 0),
            Wanted::Next(want) => (want, 1),
        };
        let charge = Charge {
            price: 0,
            ..*charge
        };
        let ask = Ask {
            charge,
            terms,
            want,
            ahead,
        };
        let asked = Instant::now();
        let asks = [ask];
        let write = |out: &mut BytesMut, memory: &str| self.cluster.write(out, memory, None, &asks);
        let Ok(told) = self.ask(write) else {
            self.cluster.slices.unasked(&charge.name);
            return;
        };
        let (cluster, link) = (Arc::clone(&self.cluster), self.me.clone());
        spawn_local(async move {
            let said = told.await;
            let terms = cluster.terms(charge.limit);
            let (Ok(said), Some(terms), Some(link)) = (said, terms, link.upgrade()) else {
                cluster.slices.unasked(&charge.name);
                return;
            };
            let asks = [Ask {
                charge,
                terms,
                want,
                ahead,
            }];
            match link.read(&said, &asks) {
                Some((Answer::Granted(_), had)) => {
                    for (ask, had) in asks.iter().zip(had) {
                        cluster.slices.put(ask, &had, (asked, Instant::now()));
                    }
                }
                Some(_) => cluster.slices.unasked(&charge.name),
                None => {
                    cluster.slices.unasked(&charge.name);
                    let Lost = link.doubt(&said);
                }
            }
        });
    }

    /// Reads an answer. None: it is none that counts.
    fn read(&self, said: &Said, asks: &[Ask<'_>]) -> Option<(Answer, Vec<Had>)> {
        let numbers = said.numbers()?;
        let (code, rest) = numbers.split_first()?;
        let (now_ms, rest) = rest.split_first()?;
        match code {
            0 => {
                self.heard_at(*now_ms);
                let had: Vec<Had> = rest
                    .chunks_exact(4)
                    .filter_map(|n| Had::of(*now_ms, n))
                    .collect();
                let usages = usages(asks, &had);
                (had.len() == asks.len()).then_some((Answer::Granted(usages), had))
            }
            1 => {
                self.heard_at(*now_ms);
                let [index, wait_ms, rest @ ..] = rest else {
                    return None;
                };
                let had: Vec<Had> = rest
                    .chunks_exact(3)
                    .filter_map(|n| Had::of(*now_ms, n))
                    .collect();
                let over = asks.get(usize::try_from(*index).ok()?.checked_sub(1)?)?;
                let answer = Answer::Exceeded {
                    limit: over.charge.limit,
                    wait_ms: *wait_ms,
                    usages: usages(asks, &had),
                };
                Some((answer, Vec::new()))
            }
            2 => Some((Answer::Claimed, Vec::new())),
            3 => Some((Answer::Unknown, Vec::new())),
            _ => None,
        }
    }
}

impl Had {
    fn of(now_ms: u64, numbers: &[u64]) -> Option<Self> {
        let [used, left, reset_ms, more @ ..] = numbers else {
            return None;
        };
        Some(Self {
            now_ms,
            used: *used,
            left: *left,
            reset_ms: *reset_ms,
            more: more.first().copied().unwrap_or_default(),
        })
    }
}

fn usages(asks: &[Ask<'_>], had: &[Had]) -> Vec<Usage> {
    let usage = |(ask, had): (&Ask<'_>, &Had)| Usage {
        limit: ask.charge.limit,
        used: had.used - had.more.min(had.used),
        remaining: had.left + had.more,
        reset_ms: had.reset_ms,
    };
    asks.iter().zip(had).map(usage).collect()
}

/// Returns what a signature is used for, in the server's letter.
fn purpose(claim: &SharedClaim, operation: Operation) -> &'static [u8] {
    match claim.purpose {
        Use::Read => b"r",
        Use::Spend if operation.reduces_risk() => b"c",
        Use::Spend => b"s",
    }
}
