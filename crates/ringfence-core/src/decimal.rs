//! Exact decimals: plain digits with at most one point, as checked i128. Nothing rounds, nothing
//! overflows unseen.

/// Most fractional digits that are taken; with 20 integer digits everything fits i128.
pub const SCALE: u32 = 18;
/// Longest fraction that is looked at, trailing zeros and all.
const FRACTION_TEXT_MAX: usize = 40;
/// One, in units of 10^-18.
const UNIT: i128 = 10_i128.pow(SCALE);
const INTEGER_DIGITS_MAX: usize = 20;

/// A non-negative number of 10^-18 units.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Decimal(i128);

/// Not plain decimal text, or more digits than are kept exactly.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Inexact;

impl std::fmt::Display for Inexact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not plain decimal text of at most 20 digits before and 18 after the point")
    }
}

impl std::error::Error for Inexact {}

impl Decimal {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Parses `digits` or `digits.digits` in ASCII. No sign, exponent, separator, space, or part
    /// left empty.
    ///
    /// # Errors
    ///
    /// [`Inexact`].
    pub fn parse(text: &str) -> Result<Self, Inexact> {
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(Inexact),
            Some(parts) => parts,
            None => (text, ""),
        };
        // Trailing zeros carry no value: clients pad prices to a fixed width.
        let kept = fraction.trim_end_matches('0');
        let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let fits = whole.len() <= INTEGER_DIGITS_MAX
            && kept.len() <= SCALE as usize
            && fraction.len() <= FRACTION_TEXT_MAX;
        if whole.is_empty() || !fits || !plain(whole) || !plain(fraction) {
            return Err(Inexact);
        }
        // At most 20 digits fit u128 with room to spare, and whole * 10^18 + fraction is below
        // 10^38, which fits i128; if it did not, that would be a refusal.
        let value = |part: &str| part.bytes().fold(0, |n, b| n * 10 + i128::from(b - b'0'));
        let padding = 10_i128.pow(SCALE - kept.len() as u32);
        value(whole)
            .checked_mul(UNIT)
            .and_then(|units| units.checked_add(value(kept) * padding))
            .map(Self)
            .ok_or(Inexact)
    }

    /// Tells whether it is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Tells whether it is a whole multiple of `step`; a step of zero has none.
    pub const fn is_multiple_of(self, step: Self) -> bool {
        step.0 != 0 && self.0 % step.0 == 0
    }

    /// Returns how many whole `step`s it is, exactly.
    ///
    /// # Errors
    ///
    /// [`Inexact`] when it is no multiple.
    pub const fn in_steps(self, step: Self) -> Result<i128, Inexact> {
        if self.is_multiple_of(step) {
            Ok(self.0 / step.0)
        } else {
            Err(Inexact)
        }
    }

    /// Returns how many whole `step`s fit into it; as many as can be said, of what is more.
    pub fn steps_down(self, step: Self) -> u64 {
        match step.0 {
            0 => 0,
            step => u64::try_from(self.0 / step).unwrap_or(u64::MAX),
        }
    }

    /// The same, rounded up.
    pub fn steps_up(self, step: Self) -> u64 {
        let down = self.steps_down(step);
        match self.is_multiple_of(step) {
            true => down,
            false => down.saturating_add(1),
        }
    }

    /// Returns how much more it is than `other`; nothing, if it is less.
    #[must_use]
    pub const fn above(self, other: Self) -> Self {
        if self.0 > other.0 {
            Self(self.0 - other.0)
        } else {
            Self::ZERO
        }
    }

    /// Returns it in ten-thousandths, rounded up.
    ///
    /// # Errors
    ///
    /// [`Inexact`] when that takes more than 63 bits.
    pub fn ceil_4(self) -> Result<i64, Inexact> {
        const TEN_THOUSANDTH: u128 = 10_u128.pow(SCALE - 4);
        let units = self.0.unsigned_abs().div_ceil(TEN_THOUSANDTH);
        i64::try_from(units).map_err(|_| Inexact)
    }

    /// Returns `self * other` in ten-thousandths, rounded up.
    ///
    /// # Errors
    ///
    /// [`Inexact`] when that takes more than 63 bits.
    pub fn product_ceil_4(self, other: Self) -> Result<i64, Inexact> {
        // In units of 10^-36, of which 10^32 are a ten-thousandth. Everything is below 2^254, and a quotient that is
        // kept is below 2^63: it is found bit by bit, from above.
        const BITS: u32 = 63;
        let (a, b) = (self.0.unsigned_abs(), other.0.unsigned_abs());
        let product = wide_mul(a, b);
        let fits = |units: u128| wide_mul(units, 10_u128.pow(32)) >= product;
        let least = (0..BITS).rev().fold(0_u128, |below, bit| {
            let tried = below | 1 << bit;
            // `below` is too little, or nothing; the result is one more than the most that is too little.
            if fits(tried) { below } else { tried }
        });
        let units = if fits(0) { 0 } else { least + 1 };
        i64::try_from(units).map_err(|_| Inexact)
    }

    /// Compares `self * other` with `bound` exactly, in 256 bits.
    pub fn product_cmp(self, other: Self, bound: Self) -> std::cmp::Ordering {
        // self.0 * other.0 is in units of 10^-36, bound.0 in 10^-18. Both operands are below 2^127,
        // so the product is below 2^254: compare as (high, low) pairs of u128.
        wide_mul(self.0.unsigned_abs(), other.0.unsigned_abs())
            .cmp(&wide_mul(bound.0.unsigned_abs(), UNIT.unsigned_abs()))
    }
}

/// Multiplies two 128-bit numbers into (high, low).
const fn wide_mul(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a_high, a_low) = (a >> 64, a & LOW);
    let (b_high, b_low) = (b >> 64, b & LOW);
    let low = a_low * b_low;
    let middle_a = a_high * b_low;
    let middle_b = a_low * b_high;
    // None of these sums can overflow: each summand is below 2^64, or the whole is the product's
    // upper half, which is below 2^128.
    let carry = (low >> 64) + (middle_a & LOW) + (middle_b & LOW);
    let high = a_high * b_high + (middle_a >> 64) + (middle_b >> 64) + (carry >> 64);
    (high, (carry << 64) | (low & LOW))
}

#[cfg(test)]
mod tests;
