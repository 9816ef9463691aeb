//! Times as venues write them, in microseconds since the Unix epoch.

use super::super::definition::Unit;

/// First time that is read as microseconds: 10^14 ms would be the year 5138 (Binance takes either unit).
const MICROSECONDS_FROM: u64 = 100_000_000_000_000;

/// Reads a time; none when it is not written as `unit` says.
pub(in crate::dialect) fn read(unit: Unit, text: &str) -> Option<u64> {
    match unit {
        Unit::Digits => {
            let (seconds, parts) = text.split_at_checked(10)?;
            fraction(seconds, parts)
        }
        Unit::Iso8601 => iso(text.strip_suffix('Z')?),
        Unit::Iso8601Seconds => iso(text).filter(|_| text.len() == 19),
        Unit::Ms => short(text)?.checked_mul(1000),
        Unit::MsOrUs => match short(text)? {
            us @ MICROSECONDS_FROM.. => Some(us),
            ms => ms.checked_mul(1000),
        },
        Unit::Ns => Some(digits(text)? / 1000),
        Unit::S => match text.split_once('.') {
            Some((_, "")) => None,
            Some((seconds, parts)) => fraction(seconds, parts),
            None => fraction(text, ""),
        },
        Unit::Us => short(text),
    }
}

/// Writes a time as `unit` has it.
pub(in crate::dialect) fn write(unit: Unit, us: u64) -> String {
    match unit {
        Unit::Digits | Unit::Us => us.to_string(),
        Unit::Iso8601 => format!("{}.{:03}Z", date(us / 1_000_000), us / 1000 % 1000),
        Unit::Iso8601Seconds => date(us / 1_000_000),
        Unit::Ms | Unit::MsOrUs => (us / 1000).to_string(),
        Unit::Ns => format!("{us}000"),
        Unit::S => (us / 1_000_000).to_string(),
    }
}

/// Reads milliseconds with up to three decimals (Binance REST docs, "Timing security"), exactly.
pub(super) fn window_us(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let part = digits(fraction).filter(|_| fraction.len() <= 3)?;
    let part_us = part * 10_u64.pow(3 - fraction.len() as u32);
    digits(whole)?.checked_mul(1000)?.checked_add(part_us)
}

/// Reads ASCII digits, at least one: no sign, unlike `parse` alone.
fn digits(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// Reads a number of at most sixteen digits.
fn short(text: &str) -> Option<u64> {
    digits(text).filter(|_| text.len() <= 16)
}

/// Reads whole seconds and the digits behind their point; what is finer than a microsecond is cut off.
fn fraction(seconds: &str, parts: &str) -> Option<u64> {
    let whole = short(seconds)?.checked_mul(1_000_000)?;
    if parts.is_empty() {
        return Some(whole);
    }
    digits(parts).filter(|_| parts.len() <= 9)?;
    let micros = parts.get(..6).unwrap_or(parts);
    let micros = digits(micros)? * 10_u64.pow(6 - micros.len() as u32);
    whole.checked_add(micros)
}

/// Reads `2020-12-08T09:08:57` with up to six decimals.
fn iso(text: &str) -> Option<u64> {
    let (date, rest) = text.split_at_checked(19)?;
    let bytes = date.as_bytes();
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| bytes.get(*at) != Some(mark)) {
        return None;
    }
    let part = |from: usize, to: usize| digits(date.get(from..to)?);
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    let valid = year >= 1970
        && (1..=12).contains(&month)
        && (1..=month_days(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let decimals = match rest.strip_prefix('.') {
        Some(decimals) if (1..=6).contains(&decimals.len()) => decimals,
        None if rest.is_empty() => "",
        Some(_) | None => return None,
    };
    let days =
        days_before_year(year) + (1..month).map(|m| month_days(year, m)).sum::<u64>() + day - 1;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    fraction(&seconds.to_string(), decimals).filter(|_| valid)
}

fn date(seconds: u64) -> String {
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let (mut year, mut month) = (1970, 1);
    while days >= year_days(year) {
        days -= year_days(year);
        year += 1;
    }
    while days >= month_days(year, month) {
        days -= month_days(year, month);
        month += 1;
    }
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!(
        "{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{:02}",
        days + 1,
        second % 60
    )
}

/// Returns the days from 1970 to the start of `year`.
const fn days_before_year(year: u64) -> u64 {
    const fn leaps(year: u64) -> u64 {
        let before = year.saturating_sub(1);
        before / 4 - before / 100 + before / 400
    }
    year.saturating_sub(1970) * 365 + leaps(year).saturating_sub(leaps(1970))
}

const fn year_days(year: u64) -> u64 {
    365 + is_leap(year) as u64
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

const fn month_days(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + is_leap(year) as u64,
        _ => 31,
    }
}

#[cfg(test)]
mod tests;
