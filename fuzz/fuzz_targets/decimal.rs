//! A decimal is digits with at most one point, or refused; leading and trailing zeros carry no value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringfence_core::decimal::Decimal;

fuzz_target!(|text: &str| {
    let Ok(number) = Decimal::parse(text) else {
        return;
    };
    assert!(text.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    assert!(text.bytes().filter(|b| *b == b'.').count() <= 1);
    let padded = if text.contains('.') {
        format!("{text}0")
    } else {
        format!("{text}.0")
    };
    if let Ok(same) = Decimal::parse(&padded) {
        assert_eq!(number, same);
    }
    let one = Decimal::parse("1").unwrap();
    assert_eq!(number.product_cmp(one, number), std::cmp::Ordering::Equal);
});
