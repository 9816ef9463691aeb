//! Latencies in logarithmic buckets: at most 0.8 % wrong, constant memory, no allocation.

const FINE_BITS: u32 = 7;
const FINE: usize = 1 << FINE_BITS;

/// Counts of nanosecond values.
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    sum_ns: u128,
    max_ns: u64,
}

impl Histogram {
    /// Creates an empty histogram for all of u64.
    pub(crate) fn new() -> Self {
        let counts = vec![0; (64 - FINE_BITS as usize + 1) * FINE];
        Self {
            counts,
            total: 0,
            sum_ns: 0,
            max_ns: 0,
        }
    }

    /// Counts one value.
    pub(crate) fn record(&mut self, value_ns: u64) {
        self.counts[bucket(value_ns)] += 1;
        self.total += 1;
        self.sum_ns += u128::from(value_ns);
        self.max_ns = self.max_ns.max(value_ns);
    }

    /// How many values were counted.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The largest value, exactly.
    pub(crate) fn max_ns(&self) -> u64 {
        self.max_ns
    }

    /// The mean, exactly; 0 when empty.
    pub(crate) fn mean_ns(&self) -> u64 {
        u64::try_from(self.sum_ns / u128::from(self.total.max(1))).unwrap_or(u64::MAX)
    }

    /// The smallest bucket's upper edge that `per_mille_tenths` / 10 000 of the values reach.
    pub(crate) fn quantile_ns(&self, per_ten_thousand: u64) -> u64 {
        let wanted = (u128::from(self.total) * u128::from(per_ten_thousand)).div_ceil(10_000);
        let mut seen = 0_u128;
        for (index, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= wanted && seen > 0 {
                return upper_edge(index).min(self.max_ns);
            }
        }
        0
    }
}

fn bucket(value: u64) -> usize {
    let shift = (64 - FINE_BITS).saturating_sub(value.leading_zeros());
    let fine = (value >> shift) as usize;
    // Above the first bucket row the top bit of `fine` is always set, so each row uses half of
    // its width; rows are laid over each other by half to be contiguous.
    shift as usize * (FINE / 2) + fine
}

fn upper_edge(index: usize) -> u64 {
    if index < FINE {
        return index as u64;
    }
    let shift = (index - FINE / 2) / (FINE / 2);
    let fine = index - shift * (FINE / 2);
    ((fine as u64 + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::{Histogram, bucket, upper_edge};

    #[test]
    fn every_value_is_within_two_percent_below_its_edge() {
        let mut value = 1_u64;
        while value < 1 << 50 {
            let edge = upper_edge(bucket(value));
            assert!(edge >= value, "{value} lies above its edge {edge}");
            assert!(
                edge - value <= value / 50,
                "{value} is far from its edge {edge}"
            );
            value += value / 97 + 1;
        }
    }

    #[test]
    fn buckets_grow_with_the_value() {
        let mut last = 0;
        for value in 0..100_000 {
            let index = bucket(value);
            assert!(index == last || index == last + 1, "a gap at {value}");
            last = index;
        }
    }

    #[test]
    fn quantiles_of_a_thousand_values_are_where_they_should_be() {
        let mut histogram = Histogram::new();
        (1..=1000).for_each(|us| histogram.record(us * 1000));
        assert!((500_000..=508_000).contains(&histogram.quantile_ns(5000)));
        assert!((990_000..=1_000_000).contains(&histogram.quantile_ns(9900)));
        assert_eq!(histogram.max_ns(), 1_000_000);
        assert_eq!(histogram.mean_ns(), 500_500);
        assert_eq!(Histogram::new().quantile_ns(5000), 0);
    }
}
