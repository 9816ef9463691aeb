//! No order passes whose price, size or value, computed exactly, breaks its bounds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;

use proptest::prelude::*;

use super::{Guard, Instrument, OrderKind, OrderText};
use crate::decimal::Decimal;
use crate::refusal::{Code, Detail};

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

/// BTCUSDT: tick 0.01, lot 0.0001, 0.001 to 9, value 5 to 100,000, price 1000 to 200,000.
fn guard() -> Guard {
    guard_that(false)
}

/// The same, where orders may close the position or not.
fn guard_that(whole_position: bool) -> Guard {
    let instrument = Instrument {
        tick: decimal("0.01"),
        lot: decimal("0.0001"),
        min_quantity: decimal("0.001"),
        max_quantity: decimal("9"),
        min_notional: Some(decimal("5")),
        max_notional: decimal("100000"),
        price_min: decimal("1000"),
        price_max: decimal("200000"),
        whole_position,
    };
    Guard::new(HashMap::from([("BTCUSDT".into(), instrument)]))
}

const fn carries(
    needs_price: bool,
    needs_stop_price: bool,
    quote_quantity: bool,
) -> Option<OrderKind> {
    Some(OrderKind {
        needs_price,
        needs_stop_price,
        quote_quantity,
        trails: false,
        whole_position: false,
    })
}

const LIMIT: OrderText<'static> = OrderText {
    symbol: "BTCUSDT",
    side: "BUY",
    kind: "LIMIT",
    terms: carries(true, false, false),
    price: Some("30000.00"),
    stop_price: None,
    trail: None,
    quantity: Some("0.01"),
    iceberg_quantity: None,
    quote_quantity: None,
    whole_position: false,
    reduce_only: false,
    client_order_id: None,
    venue_order_id: None,
    amends: false,
};

/// A change of an order whose side and type the message does not repeat.
const AMENDMENT: OrderText<'static> = OrderText {
    side: "",
    kind: "",
    terms: None,
    amends: true,
    ..LIMIT
};

const MARKET: OrderText<'static> = OrderText {
    kind: "MARKET",
    terms: carries(false, false, true),
    price: None,
    ..LIMIT
};

const STOP: OrderText<'static> = OrderText {
    kind: "STOP_LOSS",
    terms: carries(false, true, false),
    price: None,
    stop_price: Some("29000"),
    ..LIMIT
};

fn seen(order: &OrderText<'_>) -> Option<(Code, String)> {
    let refusal = guard().check(order).err()?;
    let Detail::Field(field) = refusal.detail else {
        panic!("{refusal} names no field")
    };
    Some((refusal.code, field.into()))
}

fn judge(order: OrderText<'_>, expected: Option<(Code, &str)>) {
    let expected = expected.map(|(code, field)| (code, field.to_owned()));
    assert_eq!(seen(&order), expected, "{order:?}");
}

#[test]
fn orders_inside_their_bounds_pass() {
    judge(LIMIT, None);
    judge(
        OrderText {
            side: "SELL",
            ..LIMIT
        },
        None,
    );
    judge(MARKET, None);
    judge(STOP, None);
    let amount = OrderText {
        quantity: None,
        quote_quantity: Some("250.5"),
        ..MARKET
    };
    judge(amount, None);
    let iceberg = OrderText {
        iceberg_quantity: Some("0.005"),
        ..LIMIT
    };
    judge(iceberg, None);
}

#[test]
fn each_bound_of_the_price_is_met_and_not_passed() {
    for (price, expected) in [
        ("1000", None),
        ("1000.00", None),
        ("999.99", Some(Code::PriceBand)),
        ("200000.01", Some(Code::PriceBand)),
        ("99999999999999999999", Some(Code::PriceBand)),
        ("30000.005", Some(Code::PriceTick)),
        ("30000.000000000000000001", Some(Code::PriceTick)),
        ("0", Some(Code::PriceInvalid)),
        ("0.00", Some(Code::PriceInvalid)),
        ("-30000", Some(Code::NumberInexact)),
        ("+30000", Some(Code::NumberInexact)),
        ("3e4", Some(Code::NumberInexact)),
        ("NaN", Some(Code::NumberInexact)),
        ("３００００", Some(Code::NumberInexact)),
        ("", Some(Code::NumberInexact)),
        ("100000000000000000000", Some(Code::NumberInexact)),
    ] {
        let order = OrderText {
            price: Some(price),
            ..LIMIT
        };
        judge(order, expected.map(|code| (code, "price")));
        let order = OrderText {
            kind: "STOP_LOSS_LIMIT",
            terms: carries(true, true, false),
            stop_price: Some(price),
            ..LIMIT
        };
        judge(order, expected.map(|code| (code, "stopPrice")));
    }
}

#[test]
fn each_bound_of_the_quantity_is_met_and_not_passed() {
    for (quantity, expected) in [
        ("0.001", None),
        ("3.3333", None),
        ("0.0009", Some((Code::QuantityMin, "quantity"))),
        ("9.0001", Some((Code::QuantityMax, "quantity"))),
        (
            "99999999999999999999.999999999999999999",
            Some((Code::QuantityMax, "quantity")),
        ),
        ("0.00105", Some((Code::QuantityLot, "quantity"))),
        ("0", Some((Code::QuantityInvalid, "quantity"))),
        ("1e-2", Some((Code::NumberInexact, "quantity"))),
        (
            "0.0000000000000000001",
            Some((Code::NumberInexact, "quantity")),
        ),
        // 3.3334 * 30,000 = 100,002
        ("3.3334", Some((Code::NotionalMax, "notional"))),
        ("9", Some((Code::NotionalMax, "notional"))),
    ] {
        let order = OrderText {
            quantity: Some(quantity),
            ..LIMIT
        };
        judge(order, expected);
    }
}

#[test]
fn the_value_of_a_limit_order_is_exact_to_the_last_digit() {
    // 0.5 * 200,000 = 100,000 exactly; 0.5001 * 200,000 = 100,020; 0.004 * 1250 = 5 exactly.
    for (quantity, price, expected) in [
        ("0.5", "200000", None),
        ("0.5001", "200000", Some((Code::NotionalMax, "notional"))),
        ("0.5001", "199960.01", Some((Code::NotionalMax, "notional"))),
        ("0.5001", "199960", None),
        ("0.004", "1250", None),
        ("0.004", "1249.99", Some((Code::NotionalMin, "notional"))),
    ] {
        let order = OrderText {
            quantity: Some(quantity),
            price: Some(price),
            ..LIMIT
        };
        judge(order, expected);
    }
}

#[test]
fn an_order_without_a_price_is_bounded_by_the_bands_upper_end() {
    for order in [MARKET, STOP] {
        for (quantity, expected) in [
            ("0.5", None),
            ("0.5001", Some((Code::NotionalMax, "notional"))),
            ("0.001", None),
        ] {
            let order = OrderText {
                quantity: Some(quantity),
                ..order
            };
            judge(order, expected);
        }
    }
}

#[test]
fn a_price_beside_a_market_order_does_not_make_it_smaller() {
    for order in [MARKET, STOP] {
        let order = OrderText {
            price: Some("1000"),
            quantity: Some("9"),
            ..order
        };
        judge(order, Some((Code::NotionalMax, "notional")));
    }
}

#[test]
fn amounts_in_quote_currency_are_bounded_as_they_stand() {
    for (amount, expected) in [
        ("5", None),
        ("100000", None),
        ("4.99", Some(Code::NotionalMin)),
        ("100000.000000000000000001", Some(Code::NotionalMax)),
        ("0", Some(Code::QuantityInvalid)),
        ("1e2", Some(Code::NumberInexact)),
    ] {
        let order = OrderText {
            quantity: None,
            quote_quantity: Some(amount),
            ..MARKET
        };
        judge(order, expected.map(|code| (code, "quoteOrderQty")));
    }
}

#[test]
fn exactly_one_of_quantity_and_amount_is_given_where_the_type_allows_it() {
    let both = OrderText {
        quote_quantity: Some("100"),
        ..MARKET
    };
    judge(both, Some((Code::QuantityInvalid, "quoteOrderQty")));
    let neither = OrderText {
        quantity: None,
        ..MARKET
    };
    judge(neither, Some((Code::OrderFieldMissing, "quantity")));
    let limit = OrderText {
        quantity: None,
        quote_quantity: Some("100"),
        ..LIMIT
    };
    judge(limit, Some((Code::QuantityInvalid, "quoteOrderQty")));
}

#[test]
fn the_visible_part_is_a_part() {
    for (visible, expected) in [
        ("0", None),
        ("0.01", None),
        ("0.0101", Some(Code::QuantityInvalid)),
        ("0.00105", Some(Code::QuantityLot)),
        ("-0.001", Some(Code::NumberInexact)),
    ] {
        let order = OrderText {
            iceberg_quantity: Some(visible),
            ..LIMIT
        };
        judge(order, expected.map(|code| (code, "icebergQty")));
    }
    let amount = OrderText {
        quantity: None,
        quote_quantity: Some("100"),
        iceberg_quantity: Some("1"),
        ..MARKET
    };
    judge(amount, Some((Code::QuantityInvalid, "icebergQty")));
}

#[test]
fn what_the_type_needs_must_be_there() {
    let priceless = OrderText {
        price: None,
        ..LIMIT
    };
    judge(priceless, Some((Code::OrderFieldMissing, "price")));
    let triggerless = OrderText {
        stop_price: None,
        ..STOP
    };
    judge(triggerless, Some((Code::OrderFieldMissing, "stopPrice")));
}

#[test]
fn unknown_words_are_refused() {
    for symbol in ["", "btcusdt", "BTCUSDT ", "ETHUSDT", "ＢＴＣＵＳＤＴ"] {
        judge(
            OrderText { symbol, ..LIMIT },
            Some((Code::InstrumentUnknown, "symbol")),
        );
    }
    judge(
        OrderText {
            terms: None,
            ..LIMIT
        },
        Some((Code::OrderTypeUnknown, "type")),
    );
    for side in ["", "buy", "BUY ", "BOTH"] {
        judge(
            OrderText { side, ..LIMIT },
            Some((Code::OrderSideInvalid, "side")),
        );
    }
}

#[test]
fn a_guard_without_instruments_refuses_every_order() {
    let refusal = Guard::default().check(&LIMIT).unwrap_err();
    assert_eq!(refusal.code, Code::InstrumentUnknown);
}

/// A number of cents or of 10^-4, as text, with a wobble that is sometimes off the grid.
fn text(whole: u64, places: u32) -> String {
    let unit = 10_u64.pow(places);
    format!(
        "{}.{:0width$}",
        whole / unit,
        whole % unit,
        width = places as usize
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(3000)
    })]

    /// Prices in 10^-3 and quantities in 10^-5, of which some are off the grid: all fits u128.
    #[test]
    fn an_order_passes_exactly_when_whole_number_arithmetic_says_so(
        ticks in prop_oneof![90_000..21_000_000_u64, 99_990..100_010_u64],
        lots in prop_oneof![5..1_000_u64, 5..100_000_u64],
        off in prop_oneof![8 => Just((0, 0)), 1 => (0..10_u64, 0..10_u64)],
        side in 0..2_usize
    ) {
        let (price, quantity) = (ticks * 10 + off.0, lots * 10 + off.1);
        let (price_text, quantity_text) = (text(price, 3), text(quantity, 5));
        let order = OrderText {
            side: ["BUY", "SELL"][side],
            price: Some(&price_text),
            quantity: Some(&quantity_text),
            ..LIMIT
        };
        let value = u128::from(price) * u128::from(quantity);
        let unit = 10_u128.pow(8);
        let fits = (1_000_000..=200_000_000).contains(&price)
            && price % 10 == 0
            && (100..=900_000).contains(&quantity)
            && quantity % 10 == 0
            && (5 * unit..=100_000 * unit).contains(&value);
        prop_assert_eq!(guard().check(&order).is_ok(), fits, "{:?}", order);
    }

    #[test]
    fn no_text_passes_that_is_not_plain(price in "\\PC{0,12}", quantity in "\\PC{0,12}") {
        let plain = |text: &str| Decimal::parse(text).is_ok();
        let order = OrderText { price: Some(&price), quantity: Some(&quantity), ..LIMIT };
        prop_assert!(guard().check(&order).is_err() || (plain(&price) && plain(&quantity)));
    }
}

#[test]
fn an_amendment_is_held_to_the_same_bounds_without_side_and_type() {
    assert_eq!(seen(&AMENDMENT), None);
    let changed = |price, quantity| OrderText {
        price,
        quantity,
        ..AMENDMENT
    };
    let (price, quantity) = (AMENDMENT.price, AMENDMENT.quantity);
    for (order, code) in [
        (changed(None, quantity), Code::OrderFieldMissing),
        (changed(price, None), Code::OrderFieldMissing),
        (changed(Some("30000.001"), quantity), Code::PriceTick),
        (changed(Some("1"), quantity), Code::PriceBand),
        (changed(price, Some("0.0000001")), Code::QuantityMin),
        (changed(price, Some("10")), Code::QuantityMax),
        (changed(price, Some("4")), Code::NotionalMax),
    ] {
        assert_eq!(seen(&order).map(|(code, _)| code), Some(code), "{order:?}");
    }
    // Only an amendment may leave them out.
    let whole = OrderText {
        amends: false,
        ..AMENDMENT
    };
    assert_eq!(
        seen(&whole).map(|(code, _)| code),
        Some(Code::OrderTypeUnknown)
    );
}

#[test]
fn of_several_orders_one_bad_one_refuses_all_and_is_named() {
    let cheap = OrderText {
        price: Some("0.001"),
        ..LIMIT
    };
    let refused =
        |orders: &[OrderText<'_>]| guard().check_all(orders).err().map(|r| (r.code, r.detail));
    assert_eq!(refused(&[LIMIT]), None);
    assert_eq!(refused(&[LIMIT, MARKET, LIMIT]), None);
    let named = |field: &str| Detail::Field(field.into());
    assert_eq!(refused(&[cheap]), Some((Code::PriceBand, named("price"))));
    assert_eq!(
        refused(&[LIMIT, cheap, cheap]),
        Some((Code::PriceBand, named("1.price")))
    );
    assert_eq!(
        refused(&[LIMIT, LIMIT, cheap]),
        Some((Code::PriceBand, named("2.price")))
    );
    assert_eq!(
        refused(&[]),
        Some((Code::OrderFieldMissing, named("symbol")))
    );
}

const TRAILING: OrderText<'static> = OrderText {
    kind: "TRAILING_STOP_MARKET",
    terms: Some(OrderKind {
        needs_price: false,
        needs_stop_price: false,
        quote_quantity: false,
        trails: true,
        whole_position: false,
    }),
    price: None,
    trail: Some("1.5"),
    ..LIMIT
};

#[test]
fn an_order_that_trails_is_worth_as_much_as_a_market_order_wherever_it_begins_to() {
    judge(TRAILING, None);
    let from = |stop_price, why: Option<Code>| {
        let order = OrderText {
            stop_price: Some(stop_price),
            ..TRAILING
        };
        judge(order, why.map(|code| (code, "stopPrice")));
    };
    from("1000", None);
    from("999.99", Some(Code::PriceBand));
    from("30000.005", Some(Code::PriceTick));
    // 0.5 of it is worth 100,000 at the band's end, whatever it begins to trail from.
    for (quantity, why) in [("0.5", None), ("0.5001", Some(Code::NotionalMax))] {
        let order = OrderText {
            quantity: Some(quantity),
            stop_price: Some("1000"),
            ..TRAILING
        };
        assert_eq!(
            guard().worth(&order).unwrap() > Some(1_000_000_000),
            why.is_some()
        );
        judge(order, why.map(|code| (code, "notional")));
    }
}

#[test]
fn how_far_a_trigger_follows_is_said_by_what_trails_and_by_nothing_else() {
    for (trail, why) in [
        (None, Some(Code::OrderFieldMissing)),
        (Some("0"), Some(Code::PriceInvalid)),
        (Some("-1"), Some(Code::NumberInexact)),
        (Some("1e1"), Some(Code::NumberInexact)),
        (Some("0.1"), None),
    ] {
        let order = OrderText { trail, ..TRAILING };
        judge(order, why.map(|code| (code, "callbackRate")));
    }
    let order = OrderText {
        trail: Some("1"),
        ..STOP
    };
    judge(order, Some((Code::PriceInvalid, "callbackRate")));
}

const CLOSING: OrderText<'static> = OrderText {
    terms: Some(OrderKind {
        needs_price: false,
        needs_stop_price: true,
        quote_quantity: false,
        trails: false,
        whole_position: true,
    }),
    quantity: None,
    whole_position: true,
    ..STOP
};

#[test]
fn an_order_closes_the_position_only_where_that_is_allowed() {
    let seen = |allowed, order: &OrderText<'_>| {
        let refusal = guard_that(allowed).check(order).err();
        refusal.map(|refusal| refusal.code)
    };
    assert_eq!(seen(false, &CLOSING), Some(Code::QuantityUnbounded));
    assert_eq!(seen(true, &CLOSING), None);
    assert_eq!(guard_that(true).worth(&CLOSING), Ok(None));
    for (order, why) in [
        // Of two sizes the venue might take the other.
        (
            OrderText {
                quantity: Some("0.01"),
                ..CLOSING
            },
            Code::QuantityInvalid,
        ),
        (
            OrderText {
                quote_quantity: Some("9"),
                ..CLOSING
            },
            Code::QuantityInvalid,
        ),
        (
            OrderText {
                iceberg_quantity: Some("0"),
                ..CLOSING
            },
            Code::QuantityInvalid,
        ),
        (
            OrderText {
                whole_position: true,
                quantity: None,
                ..STOP
            },
            Code::QuantityInvalid,
        ),
        (
            OrderText {
                whole_position: true,
                ..LIMIT
            },
            Code::QuantityInvalid,
        ),
        // All else is judged.
        (
            OrderText {
                stop_price: Some("999"),
                ..CLOSING
            },
            Code::PriceBand,
        ),
        (
            OrderText {
                stop_price: None,
                ..CLOSING
            },
            Code::OrderFieldMissing,
        ),
        (
            OrderText {
                side: "",
                ..CLOSING
            },
            Code::OrderSideInvalid,
        ),
        (
            OrderText {
                symbol: "ETHUSDT",
                ..CLOSING
            },
            Code::InstrumentUnknown,
        ),
        (
            OrderText {
                whole_position: false,
                ..CLOSING
            },
            Code::OrderFieldMissing,
        ),
    ] {
        assert_eq!(seen(true, &order), Some(why), "{order:?}");
    }
}
