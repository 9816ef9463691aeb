//! In egress the gateway signs for the venue: with its own keys only, for whom it may, and as much as the venue allows.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::common::venue::{FINE, Venue};
use crate::common::{Bench, Key, TIME, order, post, read_account, signed, snapshot};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfence_core::proof::Proof;
use ringfence_gate::{AddressBook, CredentialRecord, VenueKeyRecord};
use serde_json::{Value, json};

const SECRET: &str = "the venue's own secret, which no bot has ever seen";

/// Alice and bob have the key `main`, and nobody else has any.
fn egress(snapshot: &mut Value) {
    snapshot["egress"] =
        json!({"accounts": {"alice": "main", "bob": "main"}, "default": null, "transfers": []});
    let dialect = &mut snapshot["dialects"]["test"];
    dialect["withdraw_fields"] = json!({"asset": "coin", "amount": "amount", "network": "network", "address": "address", "tag": "addressTag"});
    dialect["routes"].as_array_mut().unwrap().push(json!({
        "method": "POST", "path": "/withdraw", "operation": "withdraw.create",
        "parameters": ["coin", "amount", "network", "address", "addressTag", "timestamp", "recvWindow", "signature"]}));
    dialect["usage_headers"] = json!({"weight": "X-Weight-{window}"});
    dialect["venue_errors"] = json!({"code": ["code"], "key_refused": [-1022], "orders_limited": [-1015],
        "wait_ms": 60000, "stops": {"429": 60000}});
}

/// Lets alice withdraw to one address, from `usable_us` on.
fn usable(bench: &Bench, usable_us: u64) {
    let home = json!({"asset": "BTC", "network": "BTC", "address": "bc1qhome", "tag": null, "max_amount": "0.5",
        "usable_us": usable_us});
    addresses(bench, &json!({"alice": [home]}));
}

fn addresses(bench: &Bench, book: &Value) {
    let book = AddressBook::parse(&serde_json::to_vec(book).unwrap()).unwrap();
    bench.gate.put_addresses(book).unwrap();
}

fn venue_keys(rows: &Value) -> Vec<VenueKeyRecord> {
    VenueKeyRecord::parse_all(&serde_json::to_vec(rows).unwrap()).unwrap()
}

fn main_key(secret: &str) -> Value {
    json!([{"name": "main", "dialect": "test", "key_id": "venue-key", "algorithm": "hmac-sha256",
            "material": STANDARD.encode(secret), "passphrase": null}])
}

fn start(venue: &Venue, change: impl FnOnce(&mut Value)) -> Bench {
    let bench = Bench::start(venue.address, |snapshot| {
        egress(snapshot);
        change(snapshot);
    });
    bench
        .gate
        .put_venue_keys(venue_keys(&main_key(SECRET)))
        .unwrap();
    bench
}

/// Adds a credential of another account.
fn another(bench: &Bench, account: &str) -> Key {
    let key = Key {
        id: format!("key-of-{account}"),
        secret: bench.key.secret.iter().rev().copied().collect(),
    };
    let record = json!([{"key_id": key.id, "account": account, "algorithm": "hmac-sha256",
        "material": STANDARD.encode(&key.secret), "scopes": ["read", "trade", "withdraw"], "allow": ["127.0.0.0/8"],
        "expires_us": null, "state": "active"}]);
    let records = CredentialRecord::parse_all(&serde_json::to_vec(&record).unwrap()).unwrap();
    bench.gate.put_credentials(records).unwrap();
    key
}

fn hex(secret: &str, payload: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, payload.as_bytes());
    tag.as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Head and signed text of what the venue heard; the signature must be by the venue key over just that.
fn verified(heard: &str) -> (String, String) {
    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
    let target = head.split(' ').nth(1).unwrap();
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let text = format!("{query}{body}");
    let (signed, signature) = text.rsplit_once("&signature=").unwrap();
    assert_eq!(signature, hex(SECRET, signed), "{heard}");
    assert!(head.to_ascii_lowercase().contains("x-key: venue-key"));
    (head.to_ascii_lowercase(), signed.to_owned())
}

fn value(text: &str, name: &str) -> u64 {
    let pair = text.split('&').find_map(|pair| pair.strip_prefix(name));
    pair.unwrap().parse().unwrap()
}

fn now_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_micros()).unwrap()
}

#[test]
fn an_order_is_signed_anew_and_nothing_of_the_bot_goes_to_the_venue() {
    let venue = Venue::fine();
    let bench = start(&venue, |_| {});
    let text = "symbol=BTCUSDT&side=BUY&recvWindow=4321&type=LIMIT&price=50000.00&quantity=0.001";
    let request = String::from_utf8(post(&bench.key, &signed(&bench.key, text)))
        .unwrap()
        .replace(
            "\r\n\r\n",
            "\r\nCookie: a=b\r\nUser-Agent: my-bot/7\r\nX-Ringfence-Attestation: forged\r\nAccept: */*\r\n\r\n",
        );
    let before = now_us();
    let answer = bench.ask(request.as_bytes());
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"{}"[..]));
    let (head, signed) = verified(&venue.heard()[0]);
    let time = value(&signed, "timestamp=") * 1000;
    assert!(time + 1000 > before && time <= now_us());
    let rest = "symbol=BTCUSDT&side=BUY&type=LIMIT&price=50000.00&quantity=0.001&timestamp=";
    assert!(signed.starts_with(rest), "{signed}");
    assert!(head.contains(&format!("host: {}", venue.address)) && head.contains("accept: */*"));
    let heard = venue.heard().concat();
    for foreign in [
        "trader",
        "ringfence-",
        "my-bot",
        "cookie",
        "4321",
        "alice",
        SECRET,
    ] {
        assert!(
            !heard.to_ascii_lowercase().contains(foreign),
            "{foreign}: {heard}"
        );
    }
}

#[test]
fn reads_are_signed_and_public_data_is_not() {
    let venue = Venue::fine();
    let bench = start(&venue, |_| {});
    assert_eq!(bench.ask(&read_account(&bench.key)).status, 200);
    verified(&venue.heard()[0]);
    assert_eq!(bench.ask(TIME).status, 200);
    let public = venue.heard()[1].to_ascii_lowercase();
    for foreign in ["signature", "venue-key", "timestamp", "attestation"] {
        assert!(!public.contains(foreign), "{public}");
    }
}

#[test]
fn only_accounts_that_a_key_is_given_to_have_one_and_only_while_it_is_there() {
    let venue = Venue::fine();
    let bench = start(&venue, |_| {});
    let carol = another(&bench, "carol");
    let code = |key: &Key| bench.ask(&order(key)).code();
    assert_eq!(code(&carol), "venue_key_missing");
    bench.gate.put_venue_keys(Vec::new()).unwrap();
    assert_eq!(code(&bench.key), "venue_key_missing");
    assert!(venue.heard().is_empty());
    // A key of another dialect signs nothing here.
    let mut foreign = main_key(SECRET);
    foreign[0]["dialect"] = "open".into();
    bench.gate.put_venue_keys(venue_keys(&foreign)).unwrap();
    assert_eq!(code(&bench.key), "venue_key_missing");
    assert!(venue.heard().is_empty());
    let outcome = &bench.entries("outcome", 1)[0];
    assert_eq!(
        (&outcome["result"], &outcome["reason"]),
        (&"not_sent".into(), &"venue_key_missing".into())
    );
    bench
        .gate
        .put_venue_keys(venue_keys(&main_key(SECRET)))
        .unwrap();
    assert_eq!(bench.ask(&order(&bench.key)).status, 200);
    // One that cannot be used leaves those that were there.
    let mut wrong = main_key(SECRET);
    wrong[0]["material"] = format!("{}!", STANDARD.encode(SECRET)).into();
    let error = bench.gate.put_venue_keys(venue_keys(&wrong)).unwrap_err();
    assert_eq!(error.to_string(), "venue key main: material is not base64");
    assert_eq!(bench.ask(&order(&bench.key)).status, 200);
}

#[test]
fn a_message_is_signed_when_it_is_sent_and_not_when_it_had_to_wait() {
    let venue = Venue::new(|stream, _| {
        std::thread::sleep(Duration::from_millis(250));
        stream.write_all(FINE).is_ok()
    });
    let bench = start(&venue, |snapshot| {
        snapshot["upstream"]["connections"] = 1.into();
        snapshot["overload"] = serde_json::json!({"waits_ms": {"order": 5_000}});
        snapshot["upstream"]["response_timeout_ms"] = 5_000.into();
    });
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(bench.ask(&order(&bench.key)).status, 200));
        }
    });
    let mut times: Vec<_> = venue
        .heard()
        .iter()
        .map(|heard| value(&verified(heard).1, "timestamp="))
        .collect();
    times.sort_unstable();
    // The one connection was busy for a quarter of a second each time.
    assert!(
        times[1] - times[0] >= 250 && times[2] - times[1] >= 250,
        "{times:?}"
    );
}

#[test]
fn nonces_of_one_key_never_repeat_on_two_threads() {
    let venue = Venue::fine();
    let bench = start(&venue, |snapshot| {
        snapshot["engine"]["threads"] = 2.into();
        let signing = &mut snapshot["dialects"]["test"]["signing"];
        // As Kraken's: the nonce is the time, in microseconds.
        signing["time"]["unit"] = "digits".into();
    });
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = bench.connect();
                for _ in 0..25 {
                    client.send(&order(&bench.key));
                    assert_eq!(client.answer().unwrap().status, 200);
                }
            });
        }
    });
    let heard = venue.heard();
    let nonces: HashSet<_> = heard
        .iter()
        .map(|heard| value(&verified(heard).1, "timestamp="))
        .collect();
    assert_eq!((heard.len(), nonces.len()), (200, 200));
}

/// Asks for a withdrawal, and returns the code of its refusal, or nothing.
fn withdraw(bench: &Bench, key: &Key, text: &str) -> Option<String> {
    let request = String::from_utf8(post(key, &signed(key, text))).unwrap();
    let answer = bench.ask(request.replace("/order", "/withdraw").as_bytes());
    (answer.status != 200).then(|| answer.code())
}

const TO_HOME: &str = "coin=BTC&network=BTC&address=bc1qhome&amount=";

#[test]
fn funds_leave_only_to_an_address_of_the_account() {
    let venue = Venue::fine();
    let bench = start(&venue, |_| {});
    usable(&bench, 0);
    let (alice, bob) = (another(&bench, "alice"), another(&bench, "bob"));
    let refused = |key, text: &str| withdraw(&bench, key, text);
    let missing = Some("funds_rule_missing".to_owned());
    assert_eq!(refused(&bob, &format!("{TO_HOME}0.1")), missing);
    let thief = "coin=BTC&network=BTC&address=bc1qthief&amount=0.1";
    assert_eq!(refused(&alice, thief), missing);
    let tagged = format!("{TO_HOME}0.1&addressTag=7");
    assert_eq!(refused(&alice, &tagged), missing);
    let over = refused(&alice, &format!("{TO_HOME}0.50000001"));
    assert_eq!(over.as_deref(), Some("funds_max"));
    assert!(venue.heard().is_empty());
    assert_eq!(refused(&alice, &format!("{TO_HOME}0.5")), None);
    verified(&venue.heard()[0]);
}

#[test]
fn a_new_address_and_one_that_was_removed_take_nothing() {
    let venue = Venue::fine();
    let bench = start(&venue, |_| {});
    let alice = another(&bench, "alice");
    let asked = |amount: &str| withdraw(&bench, &alice, &format!("{TO_HOME}{amount}"));
    usable(&bench, now_us() + 3_600_000_000);
    assert_eq!(asked("0.1").as_deref(), Some("address_locked"));
    usable(&bench, now_us());
    assert_eq!(asked("0.2"), None);
    addresses(&bench, &json!({"alice": []}));
    assert_eq!(asked("0.3").as_deref(), Some("funds_rule_missing"));
    assert_eq!(venue.heard().len(), 1);
}

#[test]
fn a_withdrawal_waits_for_a_step_up_of_its_account() {
    let venue = Venue::fine();
    let bench = start(&venue, |snapshot| {
        snapshot["withdrawals"] = json!({"addresses": "required", "step_up_s": 300});
    });
    usable(&bench, 0);
    let alice = another(&bench, "alice");
    let asked = |amount: &str| withdraw(&bench, &alice, &format!("{TO_HOME}{amount}"));
    assert_eq!(asked("0.1").as_deref(), Some("step_up_required"));
    bench.gate.step_up("bob", now_us(), Proof::Totp);
    assert_eq!(asked("0.2").as_deref(), Some("step_up_required"));
    bench.gate.step_up("alice", now_us(), Proof::Totp);
    assert_eq!(asked("0.3"), None);
}

/// A venue that counts all that it gets, and what another program sends it with the same key.
fn counting(foreign: u64) -> (Venue, Arc<AtomicU64>) {
    let used = Arc::new(AtomicU64::new(foreign));
    let counter = Arc::clone(&used);
    let venue = Venue::new(move |stream, _| {
        let used = counter.fetch_add(1, Ordering::SeqCst) + 1;
        let answer =
            format!("HTTP/1.1 200 OK\r\nX-Weight-1D: {used}\r\nContent-Length: 2\r\n\r\n{{}}");
        stream.write_all(answer.as_bytes()).is_ok()
    });
    (venue, used)
}

#[test]
fn bots_share_the_venue_s_budget_and_what_others_use_of_it_is_gone() {
    const QUOTA: u64 = 60;
    let (venue, used) = counting(25);
    let bench = start(&venue, |snapshot| {
        snapshot["engine"]["threads"] = 2.into();
        snapshot["budget"]["limits"] = json!([{"name": "venue-1d", "subject": "venue", "counts": "weight",
            "quota": QUOTA, "window_ms": 86_400_000}]);
    });
    let keys = [bench.key.clone(), another(&bench, "bob")];
    let refused = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for worker in 0..6 {
            let (bench, key, refused) = (&bench, &keys[worker % 2], &refused);
            scope.spawn(move || {
                let mut client = bench.connect();
                for _ in 0..20 {
                    client.send(&order(key));
                    let answer = client.answer().unwrap();
                    if answer.status == 429 {
                        assert_eq!(answer.code(), "budget_exceeded");
                        refused.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let used = used.load(Ordering::SeqCst);
    // The venue's word can only make us too careful by what was under way: six bots, one order each.
    assert!((QUOTA - 6..=QUOTA).contains(&used), "{used}");
    assert_eq!(refused.load(Ordering::SeqCst), 120 - (used - 25));
}

#[test]
fn what_the_venue_says_of_its_limits_reaches_the_bot_as_it_is() {
    let (venue, _) = counting(41);
    let bench = start(&venue, |snapshot| {
        snapshot["budget"]["limits"] = json!([{"name": "all-1d", "subject": "upstream", "counts": "weight",
            "quota": 100, "window_ms": 86_400_000}]);
    });
    let answer = bench.ask(TIME);
    assert_eq!(answer.field("x-weight-1d"), Some("42"));
}

#[test]
fn a_venue_that_says_stop_is_left_alone_until_it_may_be_asked_again() {
    let venue = Venue::new(|stream, _| {
        let answer = b"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(answer).is_ok()
    });
    let bench = start(&venue, |_| {});
    let bob = another(&bench, "bob");
    let first = bench.ask(&order(&bench.key));
    assert_eq!((first.status, first.field("retry-after")), (429, Some("1")));
    for request in [order(&bob), read_account(&bench.key), TIME.to_vec()] {
        let answer = bench.ask(&request);
        assert_eq!(answer.code(), "venue_limited");
        assert_eq!(answer.field("retry-after"), Some("1"));
    }
    assert_eq!(venue.heard().len(), 1);
    let events = bench.entries("event", 2);
    let stop = events
        .iter()
        .find(|event| event["event"] == "venue.stop")
        .unwrap();
    assert_eq!(
        (&stop["detail"]["what"], &stop["detail"]["wait_ms"]),
        (&"all".into(), &1000.into())
    );
    std::thread::sleep(Duration::from_millis(1_050));
    assert_eq!(bench.ask(TIME).status, 429);
    assert_eq!(venue.heard().len(), 2);
}

#[test]
fn a_message_that_waited_while_the_venue_said_stop_is_not_sent() {
    let venue = Venue::new(|stream, _| {
        std::thread::sleep(Duration::from_millis(200));
        let answer = b"HTTP/1.1 429 Slow\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(answer).is_ok()
    });
    let bench = start(&venue, |snapshot| {
        snapshot["upstream"]["connections"] = 1.into();
        snapshot["upstream"]["connect_timeout_ms"] = 5_000.into();
        snapshot["upstream"]["response_timeout_ms"] = 5_000.into();
    });
    let codes: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| bench.ask(&order(&bench.key))))
            .collect();
        let answers = asking.into_iter().map(|one| one.join().unwrap());
        answers.map(|answer| answer.body).collect()
    });
    let limited = codes.iter().filter(|body| body.len() > 2).count();
    assert_eq!((limited, venue.heard().len()), (2, 1));
    let outcomes = bench.entries("outcome", 3);
    let not_sent = outcomes.iter().filter(|o| o["reason"] == "venue_limited");
    assert_eq!(not_sent.count(), 2);
}

#[test]
fn where_only_orders_are_too_many_everything_else_goes_on() {
    let venue = Venue::new(|stream, request| {
        let answer: &[u8] = if request.starts_with("POST") {
            b"HTTP/1.1 429 Slow\r\nContent-Length: 14\r\n\r\n{\"code\":-1015}"
        } else {
            FINE
        };
        stream.write_all(answer).is_ok()
    });
    let bench = start(&venue, |_| {});
    assert_eq!(bench.ask(&order(&bench.key)).status, 429);
    assert_eq!(bench.ask(&order(&bench.key)).code(), "venue_limited");
    assert_eq!(bench.ask(&read_account(&bench.key)).status, 200);
    let status = &bench.gate.status()["venue"]["keys"]["main"];
    assert_eq!(status["wait_ms"], 0);
    assert!(status["wait_orders_ms"].as_u64().unwrap() > 59_000);
}

#[test]
fn a_key_that_the_venue_refuses_is_the_operator_s_concern_and_not_the_bot_s() {
    let venue = Venue::new(|stream, _| {
        let answer =
            b"HTTP/1.1 400 Bad\r\nContent-Length: 26\r\n\r\n{\"code\":-1022,\"msg\":\"sig\"}";
        stream.write_all(answer).is_ok()
    });
    let bench = start(&venue, |_| {});
    for _ in 0..2 {
        let answer = bench.ask(&order(&bench.key));
        assert_eq!(answer.code(), "venue_key_refused");
        assert!(!String::from_utf8(answer.body).unwrap().contains("1022"));
    }
    assert_eq!(
        bench.ask(&read_account(&bench.key)).code(),
        "venue_key_refused"
    );
    // The ledger has what the venue said, and what became of it.
    let outcome = &bench.entries("outcome", 2)[0];
    assert_eq!(
        (&outcome["result"], &outcome["reason"], &outcome["status"]),
        (&"answered".into(), &"venue_key_refused".into(), &400.into())
    );
    let events = bench.entries("event", 2);
    let told: Vec<_> = events
        .iter()
        .filter(|e| e["event"] == "venue.key_refused")
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["detail"]["key"], &told[0]["detail"]["code"]),
        (&"main".into(), &"-1022".into())
    );
    assert_eq!(bench.refused("venue_key_refused"), 3);
    let status = &bench.gate.status()["venue"]["keys"]["main"];
    assert_eq!(
        (&status["refusals"], &status["refused"]),
        (&3.into(), &true.into())
    );
}

#[test]
fn egress_needs_the_controls_that_stand_before_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    for control in ["identity", "freshness", "authority", "guard"] {
        for mode in ["observe", "off"] {
            let snapshot = snapshot(folder.path(), "http://127.0.0.1:1", |snapshot| {
                egress(snapshot);
                snapshot["controls"][control] = mode.into();
            });
            let error = ringfence_gate::check(&snapshot).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("controls.{control}: egress needs it to enforce")
            );
        }
    }
    let open = snapshot(folder.path(), "http://127.0.0.1:1", |snapshot| {
        egress(snapshot);
        snapshot["withdrawals"] = json!({"addresses": "open", "step_up_s": null});
    });
    let error = ringfence_gate::check(&open).unwrap_err().to_string();
    assert!(error.starts_with("withdrawals.addresses: "), "{error}");
    let snapshot = snapshot(folder.path(), "http://127.0.0.1:1", |snapshot| {
        snapshot["budget"]["limits"] = json!([{"name": "v", "subject": "venue", "counts": "weight", "quota": 1,
            "window_ms": 1000}]);
    });
    let error = ringfence_gate::check(&snapshot).unwrap_err().to_string();
    assert_eq!(error, "budget.limits: v needs the section `egress`");
}

#[test]
fn without_the_section_no_venue_key_is_taken() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |_| {});
    let refused = bench.gate.put_venue_keys(venue_keys(&main_key(SECRET)));
    assert_eq!(refused.unwrap_err().code(), "config_invalid");
}

#[test]
fn a_malformed_list_of_keys_is_refused_without_a_word_of_it() {
    let text = format!("[{{\"name\": \"main\", \"secret\": \"{SECRET}\"}}]");
    let error = VenueKeyRecord::parse_all(text.as_bytes()).err().unwrap();
    assert!(!format!("{error} {error:?}").contains(SECRET));
}
