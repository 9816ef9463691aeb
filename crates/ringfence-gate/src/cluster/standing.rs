//! How the server stands, for status pages and the ledger.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is known of it.
#[derive(Debug)]
pub(crate) struct Standing {
    threads: usize,
    /// Threads whose link is up.
    up: AtomicUsize,
    /// Messages that had no answer in time.
    pub(super) late: AtomicU64,
    /// Messages that were judged without it.
    pub(super) without: AtomicU64,
    /// How long it took to answer last, in microseconds.
    pub(super) lag_us: AtomicU64,
    told: Mutex<Told>,
}

/// What was told of it last.
#[derive(Debug)]
struct Told {
    /// Since when it is lost.
    lost: Option<Instant>,
    /// Whether anybody was told so.
    said: bool,
    /// What is to be told, by event and text.
    alarms: Vec<(&'static str, String)>,
    /// What is wrong with it.
    problem: Option<String>,
}

/// What there is to tell.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum News {
    /// Somebody has to look, whatever is done meanwhile: an event, and what it says.
    Alarm(&'static str, String),
    /// It is back, after so many milliseconds.
    Back(u64),
    /// It is lost, and why.
    Lost(String),
}

/// For so long after the start nothing counts as lost.
const BEGINNING: Duration = Duration::from_secs(1);
/// For so long a loss is not told: one answer may be late.
const UNTOLD: Duration = Duration::from_millis(100);

impl Standing {
    pub(super) fn new(threads: usize) -> Self {
        Self {
            threads,
            up: AtomicUsize::new(0),
            late: AtomicU64::new(0),
            without: AtomicU64::new(0),
            lag_us: AtomicU64::new(0),
            told: Mutex::new(Told {
                // Time to begin in.
                lost: Some(Instant::now() + BEGINNING),
                said: false,
                alarms: Vec::new(),
                problem: None,
            }),
        }
    }

    /// Tells whether every thread reaches it.
    pub(crate) fn reachable(&self) -> bool {
        self.up.load(Ordering::SeqCst) == self.threads
    }

    /// Notes that one thread's link is up.
    pub(super) fn rose(&self) {
        self.up.fetch_add(1, Ordering::SeqCst);
        if self.reachable() {
            self.told().problem = None;
        }
    }

    /// Notes that one thread's link, which was up, is not.
    pub(super) fn fell(&self) {
        self.up.fetch_sub(1, Ordering::SeqCst);
        let mut told = self.told();
        told.lost.get_or_insert_with(Instant::now);
    }

    /// Notes why a link cannot be brought up.
    pub(super) fn fails(&self, problem: String) {
        self.told().problem = Some(problem);
    }

    /// Has it told that somebody has to look; once, though each thread notices it.
    pub(super) fn alarm(&self, event: &'static str, what: String) {
        let mut told = self.told();
        if told.alarms.iter().all(|(known, _)| *known != event) {
            told.alarms.push((event, what));
        }
    }

    /// Returns what is to be told now, and counts it as told.
    pub(crate) fn news(&self, now: Instant) -> Option<News> {
        let reachable = self.reachable();
        let mut told = self.told();
        if reachable && let Some((event, what)) = told.alarms.pop() {
            return Some(News::Alarm(event, what));
        }
        let since = told.lost?;
        let lost = now.saturating_duration_since(since);
        if reachable {
            told.lost = None;
            let lost_ms = u64::try_from(lost.as_millis()).unwrap_or(u64::MAX);
            return std::mem::take(&mut told.said).then_some(News::Back(lost_ms));
        }
        if told.said || lost < UNTOLD {
            return None;
        }
        told.said = true;
        let problem = told.problem.clone();
        Some(News::Lost(
            problem.unwrap_or_else(|| "no answer in time".into()),
        ))
    }

    /// Returns numbers for status pages.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let reachable = self.reachable();
        serde_json::json!({
            "lag_us": get(&self.lag_us),
            "late": get(&self.late),
            "problem": self.told().problem,
            "reachable": reachable,
            "without": get(&self.without),
        })
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        // Nothing panics while it is held.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_told_once_and_its_end_only_if_it_was_told() {
        let standing = Standing::new(2);
        let start = Instant::now() + BEGINNING;
        let long = start + Duration::from_secs(5);
        standing.rose();
        standing.rose();
        assert_eq!(standing.news(start), None, "it began in time");
        standing.fell();
        assert!(!standing.reachable());
        assert_eq!(standing.news(Instant::now()), None, "one answer was late");
        standing.fails("it is a replica".into());
        assert_eq!(
            standing.news(long),
            Some(News::Lost("it is a replica".into()))
        );
        assert_eq!(standing.news(long), None);
        standing.rose();
        assert!(matches!(standing.news(long), Some(News::Back(ms)) if ms >= 4000));
        assert_eq!(standing.news(long), None);
    }
}
