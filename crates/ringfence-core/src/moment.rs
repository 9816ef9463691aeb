//! A moment as people read it. No clock: times are passed in.

use std::fmt;

const DAY_S: u64 = 86_400;

/// Microseconds since the Unix epoch, shown to the second in UTC (RFC 3339).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment(pub u64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000_000;
        let (year, month, day) = civil(seconds / DAY_S);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

/// Returns year, month and day of a day since 1970. Howard Hinnant's `civil_from_days`: years begin in March, so that the
/// leap day ends one.
const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let after = if month <= 2 { 1 } else { 0 };
    (year + era * 400 + after, month, day)
}

#[cfg(test)]
mod tests {
    use super::Moment;

    #[test]
    fn a_moment_reads_as_the_calendar_has_it() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_716_300, "2026-11-26T18:05:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Moment(seconds * 1_000_000).to_string(), text);
        }
    }
}
