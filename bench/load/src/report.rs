//! What a run found, as one line of JSON.

use std::fmt::Write as _;

use crate::histogram::Histogram;

/// Counts of one run, without its warm-up.
pub(crate) struct Report {
    /// Answers by status code.
    pub(crate) statuses: Vec<u64>,
    /// Time from due (open loop) or sent (closed loop) to the whole answer.
    pub(crate) latency: Histogram,
    /// Requests whose connection failed before the answer.
    pub(crate) broken: u64,
    /// Connections made again.
    pub(crate) reconnects: u64,
    /// Length of the measured time, microseconds.
    pub(crate) elapsed_us: u64,
    /// Whether the prepared requests ran out before the time.
    pub(crate) exhausted: bool,
    /// Process id and CPU time spent in the measured time, microseconds; ours too.
    pub(crate) cpu_us: Vec<(u32, u64)>,
    /// Time that each core was busy in the measured time, whoever with, microseconds.
    pub(crate) cores_us: Vec<u64>,
    /// Wall-clock time at which the first slice of `passed` begins, microseconds since the Unix epoch.
    pub(crate) since_us: u64,
    /// Answers with status 200 in each slice of [`SLICE_NS`].
    pub(crate) passed: Vec<u32>,
}

/// How finely it is told when answers came: 10 ms.
pub(crate) const SLICE_NS: u64 = 10_000_000;

impl Report {
    /// An empty report.
    pub(crate) fn new() -> Self {
        Self {
            statuses: vec![0; 1000],
            latency: Histogram::new(),
            broken: 0,
            reconnects: 0,
            elapsed_us: 0,
            exhausted: false,
            cpu_us: Vec::new(),
            cores_us: Vec::new(),
            since_us: 0,
            passed: Vec::new(),
        }
    }

    /// Counts one answer.
    pub(crate) fn answered(&mut self, status: u16, latency_ns: u64) {
        if let Some(count) = self.statuses.get_mut(usize::from(status)) {
            *count += 1;
        }
        self.latency.record(latency_ns);
    }

    /// Notes that a request passed, so long after `since_us`.
    pub(crate) fn passed(&mut self, after_ns: u64) {
        let slice = usize::try_from(after_ns / SLICE_NS).unwrap_or(usize::MAX);
        if slice >= self.passed.len() {
            self.passed.resize(slice + 1, 0);
        }
        self.passed[slice] += 1;
    }

    /// The report as JSON; keys are stable, times are microseconds with one decimal.
    pub(crate) fn json(&self) -> String {
        let mut out = String::new();
        let completed = self.latency.total();
        let rate = completed * 1_000_000 / self.elapsed_us.max(1);
        let us = |ns: u64| format!("{}.{}", ns / 1000, ns % 1000 / 100);
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "{{\"completed\":{completed},\"elapsed_us\":{},\"rate\":{rate},\"broken\":{},\
             \"reconnects\":{},\"exhausted\":{},\"latency_us\":{{\"mean\":{},\"p50\":{},\
             \"p90\":{},\"p99\":{},\"p999\":{},\"max\":{}}}",
            self.elapsed_us,
            self.broken,
            self.reconnects,
            self.exhausted,
            us(self.latency.mean_ns()),
            us(self.latency.quantile_ns(5000)),
            us(self.latency.quantile_ns(9000)),
            us(self.latency.quantile_ns(9900)),
            us(self.latency.quantile_ns(9990)),
            us(self.latency.max_ns()),
        );
        let statuses = self
            .statuses
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0);
        let _ = write!(out, ",\"statuses\":{{{}}}", pairs(statuses));
        let _ = write!(
            out,
            ",\"cpu_us\":{{{}}},\"cores_us\":{:?},\"since_us\":{},\"passed\":{:?}}}",
            pairs(self.cpu_us.iter().map(|(p, c)| (p, c))),
            self.cores_us,
            self.since_us,
            self.passed
        );
        out
    }
}

fn pairs<K: std::fmt::Display, V: std::fmt::Display>(
    pairs: impl Iterator<Item = (K, V)>,
) -> String {
    pairs
        .map(|(key, value)| format!("\"{key}\":{value}"))
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::{Report, SLICE_NS};

    #[test]
    fn the_report_is_one_json_object() {
        let mut report = Report::new();
        report.answered(200, 1_500_000);
        report.since_us = 9;
        report.passed(SLICE_NS * 2);
        report.elapsed_us = 1_000_000;
        report.cpu_us = vec![(7, 10_000)];
        report.cores_us = vec![5, 6];
        assert_eq!(
            report.json(),
            "{\"completed\":1,\"elapsed_us\":1000000,\"rate\":1,\"broken\":0,\"reconnects\":0,\
             \"exhausted\":false,\"latency_us\":{\"mean\":1500.0,\"p50\":1500.0,\"p90\":1500.0,\
             \"p99\":1500.0,\"p999\":1500.0,\"max\":1500.0},\"statuses\":{\"200\":1},\
             \"cpu_us\":{\"7\":10000},\"cores_us\":[5, 6],\"since_us\":9,\"passed\":[0, 0, 1]}"
        );
    }
}
