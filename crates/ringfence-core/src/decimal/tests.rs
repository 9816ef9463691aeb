//! A decimal is the number that its text says, or it is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cmp::Ordering;

use proptest::prelude::*;

use super::{Decimal, Inexact};

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

/// A number as its decimal digits, lowest first: schoolbook arithmetic, and nothing to overflow.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Digits(Vec<u8>);

impl Digits {
    /// Reads `whole.fraction` in units of 10^-places.
    fn of(text: &str, places: usize) -> Self {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction = fraction.trim_end_matches('0');
        let digits = whole.bytes().chain(fraction.bytes()).map(|b| b - b'0');
        let mut digits: Vec<u8> = digits.collect();
        digits.extend(std::iter::repeat_n(0, places - fraction.len()));
        digits.reverse();
        Self(digits).trimmed()
    }

    fn trimmed(mut self) -> Self {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    fn times(&self, other: &Self) -> Self {
        let mut product = vec![0_u32; self.0.len() + other.0.len() + 1];
        for (i, a) in self.0.iter().enumerate() {
            for (j, b) in other.0.iter().enumerate() {
                product[i + j] += u32::from(*a) * u32::from(*b);
            }
        }
        for i in 0..product.len() - 1 {
            product[i + 1] += product[i] / 10;
            product[i] %= 10;
        }
        Self(product.into_iter().map(|d| d as u8).collect()).trimmed()
    }

    fn compare(&self, other: &Self) -> Ordering {
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    fn subtract(&mut self, other: &Self) {
        let mut borrow = 0;
        for (i, digit) in self.0.iter_mut().enumerate() {
            let take = i8::try_from(other.0.get(i).copied().unwrap_or(0)).unwrap() + borrow;
            let left = i8::try_from(*digit).unwrap() - take;
            borrow = i8::from(left < 0);
            *digit = u8::try_from(left + 10 * borrow).unwrap();
        }
        *self = self.clone().trimmed();
    }

    /// The remainder of long division by `other`.
    fn modulo(&self, other: &Self) -> Self {
        let mut rest = Self(Vec::new());
        for digit in self.0.iter().rev() {
            rest.0.insert(0, *digit);
            rest = rest.trimmed();
            while rest.compare(other) != Ordering::Less {
                rest.subtract(other);
            }
        }
        rest
    }
}

#[test]
fn plain_digits_are_taken() {
    for (text, units) in [
        ("0", 0),
        ("0.0", 0),
        ("1", 10_i128.pow(18)),
        ("007", 7 * 10_i128.pow(18)),
        ("0.000000000000000001", 1),
        ("1.50", 15 * 10_i128.pow(17)),
        ("1.5000000000000000000000", 15 * 10_i128.pow(17)),
        (
            "99999999999999999999.999999999999999999",
            10_i128.pow(38) - 1,
        ),
    ] {
        assert_eq!(decimal(text).0, units, "{text}");
    }
}

#[test]
fn everything_else_is_refused() {
    for text in [
        "",
        ".",
        "1.",
        ".5",
        "1..2",
        "1.2.3",
        "-1",
        "+1",
        "-0",
        "1e5",
        "1E5",
        "1e-5",
        "0x10",
        "1_000",
        "1,000",
        "1,5",
        " 1",
        "1 ",
        "1\n",
        "1\0",
        "\t1",
        "1 000",
        "NaN",
        "nan",
        "inf",
        "Infinity",
        "-inf",
        "１２",
        "1２",
        "٣",
        "१",
        "²",
        "1/2",
        "1%",
        "0b1",
        "1f",
        "0.-1",
        "0.+1",
        "0. 1",
        "--1",
        "0.0000000000000000001",
        "100000000000000000000",
        "999999999999999999999",
        "−1",
        "1\u{200b}",
        "\u{feff}1",
        "1d",
        "1.0e0",
    ] {
        assert_eq!(Decimal::parse(text), Err(Inexact), "{text:?}");
    }
    assert_eq!(Decimal::parse(&"9".repeat(1_000_000)), Err(Inexact));
    assert_eq!(
        Decimal::parse(&format!("1.{}", "0".repeat(1_000_000))),
        Err(Inexact)
    );
    assert_eq!(
        Decimal::parse(&format!("{}1", "0".repeat(40))),
        Err(Inexact)
    );
}

#[test]
fn a_step_of_zero_divides_nothing() {
    let zero = decimal("0");
    assert!(!decimal("1").is_multiple_of(zero) && !zero.is_multiple_of(zero));
    assert_eq!(zero.in_steps(zero), Err(Inexact));
    assert_eq!(decimal("0.3").in_steps(decimal("0.1")), Ok(3));
    assert_eq!(decimal("0.35").in_steps(decimal("0.1")), Err(Inexact));
}

#[test]
fn the_largest_products_compare_exactly() {
    let most = decimal("99999999999999999999.999999999999999999");
    let one = decimal("1");
    assert_eq!(most.product_cmp(most, most), Ordering::Greater);
    assert_eq!(most.product_cmp(one, most), Ordering::Equal);
    assert_eq!(one.product_cmp(one, most), Ordering::Less);
    let least = decimal("0.000000000000000001");
    assert_eq!(least.product_cmp(least, decimal("0")), Ordering::Greater);
    assert_eq!(least.product_cmp(least, least), Ordering::Less);
}

/// Plain decimal text within what is taken.
fn plain() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,20}",
        "[0-9]{1,20}\\.[0-9]{1,18}",
        "[0-9]{1,3}\\.[0-9]{1,3}",
        "[0-9]{1,3}\\.[0-9]{1,18}0{0,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(2000)
    })]

    #[test]
    fn order_and_products_are_those_of_the_texts(a in plain(), b in plain(), c in plain()) {
        let (x, y, z) = (decimal(&a), decimal(&b), decimal(&c));
        let (dx, dy) = (Digits::of(&a, 18), Digits::of(&b, 18));
        prop_assert_eq!(x.cmp(&y), dx.compare(&dy));
        prop_assert_eq!(x.product_cmp(y, z), dx.times(&dy).compare(&Digits::of(&c, 36)));
        // A random product is hardly ever near its bound: ask just there, too.
        prop_assert_eq!(x.product_cmp(decimal("1"), x), Ordering::Equal);
        let above = Decimal(x.0 + 1);
        prop_assert_eq!(x.product_cmp(decimal("1"), above), Ordering::Less);
        prop_assert_eq!(above.product_cmp(decimal("1"), x), Ordering::Greater);
    }

    #[test]
    fn multiples_are_those_of_long_division(a in plain(), step in plain(), factor in 0..1000_i128) {
        let (x, tick) = (decimal(&a), decimal(&step));
        prop_assume!(!tick.is_zero());
        let rest = Digits::of(&a, 18).modulo(&Digits::of(&step, 18));
        prop_assert_eq!(x.is_multiple_of(tick), rest.0.is_empty());
        if let Some(units) = tick.0.checked_mul(factor) {
            prop_assert_eq!(Decimal(units).in_steps(tick), Ok(factor));
        }
    }

    #[test]
    fn any_text_is_taken_exactly_when_it_is_plain(
        text in "[-+0-9.eE_ ,xN]{0,12}|[0-9]{17,24}\\.?[0-9]{0,24}"
    ) {
        let parts: Vec<&str> = text.split('.').collect();
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let plain = parts.len() <= 2 && parts.iter().all(|part| digits(part));
        let fits = parts.first().is_some_and(|whole| whole.len() <= 20)
            && parts.get(1).is_none_or(|fraction| fraction.trim_end_matches('0').len() <= 18);
        prop_assert_eq!(Decimal::parse(&text).is_ok(), plain && fits, "{}", text);
    }
}

#[test]
fn rounding_up_keeps_what_a_bound_says() {
    let of = |text: &str| Decimal::parse(text).unwrap();
    let cases = [
        ("0", "0", 0),
        ("1", "1", 10_000),
        ("0.0001", "1", 1),
        ("0.00005", "1", 1),
        ("0.000000000000000001", "0.000000000000000001", 1),
        ("30000", "0.01", 3_000_000),
        ("250000.000000000000000001", "1", 2_500_000_001),
        ("922337203685477.5807", "1", i64::MAX),
        ("3", "0.3333333333333333", 10_000),
    ];
    for (a, b, wanted) in cases {
        assert_eq!(of(a).product_ceil_4(of(b)), Ok(wanted), "{a} * {b}");
        assert_eq!(of(b).product_ceil_4(of(a)), Ok(wanted), "{b} * {a}");
        if b == "1" {
            assert_eq!(of(a).ceil_4(), Ok(wanted), "{a}");
        }
    }
    let much = of("922337203685477.5808");
    assert_eq!(much.ceil_4(), Err(Inexact));
    assert_eq!(much.product_ceil_4(of("1")), Err(Inexact));
    let most = of("99999999999999999999");
    assert_eq!(most.product_ceil_4(most), Err(Inexact));
}
