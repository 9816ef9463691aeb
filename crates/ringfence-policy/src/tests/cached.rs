//! A kept decision is the one that Cedar would give, and no more are kept than there is room for.

use std::net::IpAddr;
use std::sync::Arc;

use super::{NOW_US, order, request, set};
use crate::cache::Cache;
use crate::request::Request;
use crate::set::Verdict;
use ringfence_core::operation::Scopes;
use ringfence_core::policy::StepUp;
use ringfence_core::principal::Kind;

const POLICIES: &str = r#"
permit(principal, action in Action::"changes-state", resource);
forbid(principal == Account::"bob", action, resource) when { context.address.isInRange(ip("10.0.0.0/8")) };
forbid(principal, action in Action::"carries-order", resource)
  when { context has order && context.order has notional
         && context.order.notional.greaterThan(decimal("1000.0000")) };
forbid(principal, action in Action::"carries-order", resource == Instrument::"ETHUSDT")
  when { context has order.notional && decimal("10.0000").lessThan(context.order.notional) };
forbid(principal, action, resource) when { context.hour < 8 || context.hour >= 18 || context.day == 6 };
forbid(principal, action, resource) when { context.time < 1795687200000000 };
forbid(principal, action == Action::"withdraw.create", resource)
  unless { context.coverage == "native" && context has stepUp && context.stepUp.age <= 60
           && context.stepUp.strength == "passkey" && context.scopes.contains("transfer") };
"#;

/// Every combination of values on both sides of everything that the policies compare, twice.
#[test]
fn a_kept_decision_is_what_cedar_says() {
    let set = set(POLICIES);
    let mut asked = 0;
    let hour_us = 3_600_000_000;
    for round in 0..2 {
        for time in [
            0,
            1,
            NOW_US - 1,
            NOW_US,
            NOW_US + 8 * hour_us - 1,
            NOW_US + 8 * hour_us,
            NOW_US + 48 * hour_us,
        ] {
            for principal in ["alice", "bob"] {
                for address in [[10, 1, 1, 1], [192, 0, 2, 1]] {
                    for base in requests() {
                        let request = Request {
                            now_us: time,
                            principal,
                            address: IpAddr::from(address),
                            ..base
                        };
                        assert_eq!(*set.decide(&request), set.evaluate(&request), "{request:?}");
                        asked += 1;
                    }
                }
            }
        }
        let kept = set.cache().len();
        assert!(kept * (round + 1) < asked, "{kept} of {asked}");
    }
}

fn requests() -> Vec<Request<'static>> {
    let mut all = vec![request("order.cancel")];
    for instrument in ["BTCUSDT", "ETHUSDT"] {
        for notional in [
            0, 99_999, 100_000, 100_001, 9_999_999, 10_000_000, 10_000_001,
        ] {
            all.push(Request {
                instrument: Some(instrument),
                ..order(notional)
            });
        }
        all.push(Request {
            instrument: Some(instrument),
            ..request("order.place")
        });
    }
    for coverage in ["venue", "native"] {
        for age_s in [59, 60, 61] {
            for strength in ["otp", "passkey"] {
                for scopes in [&["withdraw"][..], &["withdraw", "transfer"]] {
                    all.push(Request {
                        coverage,
                        step_up: Some(StepUp { age_s, strength }),
                        scopes: Scopes::parse(scopes.iter().copied()).unwrap(),
                        ..request("withdraw.create")
                    });
                }
            }
        }
    }
    all
}

#[test]
fn what_is_not_read_does_not_part_decisions() {
    let set = set("permit(principal, action, resource) when { context.hour < 12 };");
    for n in 0..100 {
        let request = Request {
            address: IpAddr::from([192, 0, 2, n]),
            now_us: NOW_US + u64::from(n),
            ..order(i64::from(n))
        };
        assert!(matches!(*set.decide(&request), Verdict::Permitted(_)));
    }
    assert_eq!(set.cache().len(), 1);
}

#[test]
fn a_time_that_is_reckoned_with_is_never_kept() {
    let set =
        set("permit(principal, action, resource) when { context.time - 1 < 1795687200000000 };");
    for now_us in [NOW_US, NOW_US + 1] {
        let request = Request {
            now_us,
            ..request("order.cancel")
        };
        assert_eq!(*set.decide(&request), set.evaluate(&request));
    }
    assert_eq!(set.cache().len(), 0);
}

#[test]
fn the_cache_is_bounded_and_takes_no_long_keys() {
    let cache = Cache::default();
    let verdict = Arc::new(Verdict::Unpermitted);
    for n in 0..(2 * Cache::capacity() as u64) {
        cache.put(n.to_le_bytes().to_vec(), &verdict);
    }
    assert!(cache.len() <= Cache::capacity());
    let before = cache.len();
    cache.put(vec![0; 4096], &verdict);
    assert_eq!(cache.len(), before);
}

#[test]
fn names_that_run_together_are_told_apart() {
    let set = set("permit(principal == Account::\"ab\", action, resource == Instrument::\"c\");");
    let ask = |principal, instrument| Request {
        kind: Kind::Account,
        principal,
        instrument: Some(instrument),
        ..order(1)
    };
    assert!(matches!(
        *set.decide(&ask("ab", "c")),
        Verdict::Permitted(_)
    ));
    assert_eq!(*set.decide(&ask("a", "bc")), Verdict::Unpermitted);
}
