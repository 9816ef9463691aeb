//! Nobody does what its credential does not say, from where it does not say, when it does not say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::IpAddr;
use std::sync::Arc;

use super::{Act, check, check_anonymous};
use crate::address::Cidr;
use crate::credential::tests::credential;
use crate::credential::{Credential, CredentialTable, NewCredential, State};
use crate::operation::{Operation, Scope, Scopes};
use crate::refusal::{Code, Detail};
use crate::session::Coverage;
use crate::shard::{ShardState, Shards};

const HOME: [u8; 4] = [192, 0, 2, 1];

fn make(change: impl FnOnce(&mut NewCredential)) -> Arc<Credential> {
    let table = CredentialTable::new();
    let mut new = credential("k1", "alice");
    change(&mut new);
    table.put(new).unwrap();
    table.get("k1").unwrap()
}

fn act(operation: Operation) -> Act {
    Act {
        operation,
        peer: IpAddr::from(HOME),
        coverage: Coverage::Venue,
        certificate: None,
    }
}

fn code(credential: &Credential, operation: Operation, now_us: u64) -> Option<Code> {
    check(credential, &act(operation), now_us)
        .err()
        .map(|refusal| refusal.code)
}

#[test]
fn each_state_but_active_is_refused_with_its_own_code() {
    for (state, expected) in [
        (State::Active, None),
        (State::PreActive, Some(Code::CredentialNotActive)),
        (State::Suspended, Some(Code::CredentialSuspended)),
        (State::Deactivated, Some(Code::CredentialRevoked)),
        (State::Compromised, Some(Code::CredentialRevoked)),
        (State::Destroyed, Some(Code::CredentialRevoked)),
    ] {
        let who = make(|new| new.state = state);
        assert_eq!(code(&who, Operation::OrderPlace, 0), expected);
    }
}

#[test]
fn the_instant_of_expiry_is_outside() {
    let who = make(|new| new.expires_us = Some(100));
    assert_eq!(code(&who, Operation::OrderPlace, 99), None);
    for now_us in [100, 101, u64::MAX] {
        assert_eq!(
            code(&who, Operation::OrderPlace, now_us),
            Some(Code::CredentialExpired)
        );
    }
}

#[test]
fn an_empty_allowlist_allows_nobody() {
    let who = make(|new| new.allow = [].into());
    assert_eq!(
        code(&who, Operation::OrderPlace, 0),
        Some(Code::AddressNotAllowed)
    );
}

#[test]
fn only_listed_networks_are_allowed() {
    let networks = ["198.51.100.0/24", "2001:db8::/32"];
    let who = make(|new| new.allow = networks.map(|n| Cidr::parse(n).unwrap()).into());
    let from = |text: &str| Act {
        peer: text.parse().unwrap(),
        ..act(Operation::OrderPlace)
    };
    let allowed = |text: &str| check(&who, &from(text), 0).is_ok();
    assert!(allowed("198.51.100.7") && allowed("::ffff:198.51.100.7") && allowed("2001:db8::7"));
    assert!(!allowed("192.0.2.1") && !allowed("::ffff:192.0.2.1") && !allowed("2001:db9::7"));
}

#[test]
fn an_operation_passes_exactly_with_its_scope() {
    for operation in Operation::ALL {
        for bits in 0..64_u8 {
            let mine = Scope::ALL
                .into_iter()
                .filter(|scope| bits & *scope as u8 != 0);
            let scopes = mine.fold(Scopes::default(), Scopes::with);
            let who = make(|new| new.scopes = scopes);
            let needed = operation.scope();
            let expected = needed.filter(|scope| !scopes.contains(*scope));
            let whole = Act {
                coverage: Coverage::Whole,
                ..act(operation)
            };
            let refusal = check(&who, &whole, 0).err();
            assert_eq!(
                refusal.is_some(),
                expected.is_some(),
                "{operation:?} with {scopes:?}"
            );
            if let (Some(refusal), Some(scope)) = (refusal, expected) {
                assert_eq!(refusal.code, Code::ScopeMissing);
                assert_eq!(refusal.detail, Detail::Scope(scope.as_str()));
            }
        }
    }
}

#[test]
fn nobody_may_do_what_needs_a_scope_or_begin_a_session() {
    for operation in Operation::ALL {
        let refused = check_anonymous(operation).is_err();
        let needs = operation.scope().is_some() || operation == Operation::SessionLogon;
        assert_eq!(refused, needs, "{operation:?}");
    }
}

#[test]
fn a_key_that_demands_the_native_signature_takes_no_other() {
    let who = make(|new| new.demands.coverage = Coverage::Whole);
    let with = |coverage| Act {
        coverage,
        ..act(Operation::OrderPlace)
    };
    let refusal = check(&who, &with(Coverage::Venue), 0).err().unwrap();
    assert_eq!(refusal.code, Code::CredentialNative);
    assert!(check(&who, &with(Coverage::Whole), 0).is_ok());
}

#[test]
fn a_key_that_demands_a_certificate_takes_only_one_of_its_own() {
    let who = make(|new| new.demands.certificates = [[1; 32], [2; 32]].into());
    let with = |certificate| Act {
        certificate,
        ..act(Operation::OrderPlace)
    };
    for wrong in [None, Some([3; 32])] {
        let refusal = check(&who, &with(wrong), 0).err().unwrap();
        assert_eq!(refusal.code, Code::CredentialCertificate);
    }
    for right in [[1; 32], [2; 32]] {
        assert!(check(&who, &with(Some(right)), 0).is_ok());
    }
}

#[test]
fn what_administers_is_signed_whole_whatever_its_key_demands() {
    let who = make(|new| new.scopes = Scopes::default().with(Scope::Admin));
    assert_eq!(who.demands().coverage, Coverage::Name);
    for operation in [
        Operation::AdminChange,
        Operation::AdminProve,
        Operation::AdminRead,
    ] {
        assert_eq!(code(&who, operation, 0), Some(Code::CredentialNative));
        let whole = Act {
            coverage: Coverage::Whole,
            ..act(operation)
        };
        assert!(check(&who, &whole, 0).is_ok());
    }
}

#[test]
fn a_shard_that_drains_begins_nothing_and_one_that_is_isolated_serves_nobody() {
    let table = CredentialTable::in_shards(Shards::new(2));
    let shard = table.shards().shard(1).unwrap();
    for (key_id, placed) in [("k1", Some(shard)), ("k2", table.shards().shard(0))] {
        let mut new = credential(key_id, key_id);
        new.scopes = Scopes::parse(["read", "trade", "withdraw", "transfer"]).unwrap();
        new.shard = placed;
        table.put(new).unwrap();
    }
    let [inside, outside] = ["k1", "k2"].map(|key_id| table.get(key_id).unwrap());
    let begins = [
        Operation::OrderPlace,
        Operation::OrderAmend,
        Operation::TransferCreate,
        Operation::WithdrawCreate,
    ];
    let goes_on = [
        Operation::OrderCancel,
        Operation::OrderQuery,
        Operation::AccountRead,
    ];
    let codes = |who: &Credential, asked: &[Operation]| {
        let codes = asked.iter().map(|operation| code(who, *operation, 0));
        codes.collect::<Vec<_>>()
    };
    let all = |expected, count| vec![expected; count];
    for (state, new, rest) in [
        (ShardState::Serving, None, None),
        (ShardState::Draining, Some(Code::ShardDraining), None),
        (
            ShardState::Isolated,
            Some(Code::ShardIsolated),
            Some(Code::ShardIsolated),
        ),
    ] {
        table.shards().set(shard, state);
        assert_eq!(codes(&inside, &begins), all(new, 4), "{state:?}");
        assert_eq!(codes(&inside, &goes_on), all(rest, 3), "{state:?}");
        assert_eq!(codes(&outside, &begins), all(None, 4), "{state:?}");
        assert_eq!(codes(&outside, &goes_on), all(None, 3), "{state:?}");
    }
    // Whoever stands in no shard, as operators do, can undo it.
    table.place(["k1"], None);
    assert_eq!(code(&inside, Operation::OrderPlace, 0), None);
}
