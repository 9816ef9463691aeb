//! Reading a message allocates nothing once the scratch has grown: what a flood costs is bounded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use http::header::{HeaderMap, HeaderValue};
use ringfence_core::refusal::Code;
use ringfence_wire::{Dialect, Head, Scratch};
use serde_json::{Value, json};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: hands everything to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's own promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's own promise.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn dialect() -> Dialect {
    let mut written: Value = serde_json::from_str(include_str!("data/compact.json")).unwrap();
    for code in Code::ALL {
        written["errors"]["by_code"][code.as_str()] =
            json!({"status": 400, "code": -1, "message": "{hint}"});
    }
    Dialect::from_json(&written).unwrap()
}

/// The signature itself is verified elsewhere; what is read of it is the whole of what a flood would cost here.
#[test]
fn a_second_native_message_is_read_without_allocating() {
    let dialect = dialect();
    let mut headers = HeaderMap::new();
    let input =
        r#"s=("@method" "@authority" "@path" "@query");created=1;expires=2;nonce="n";keyid="k""#;
    headers.insert("host", HeaderValue::from_static("Gate.Example:443"));
    headers.insert("signature-input", HeaderValue::from_static(input));
    headers.insert("signature", HeaderValue::from_static("s=:AAAA:"));
    let head = Head {
        method: "GET",
        path: "/orders",
        query: "symbol=BTCUSDT",
        headers: Some(&headers),
        secure: true,
        ..Head::default()
    };
    let mut scratch = Scratch::default();
    let mut allocated = [0; 2];
    for count in &mut allocated {
        let before = COUNT.get();
        let route = dialect.route(head.method, head.path).unwrap();
        let reading = dialect.read(route, &head, b"", &mut scratch).unwrap();
        assert_eq!(reading.claim.unwrap().key_id, "k");
        *count = COUNT.get() - before;
    }
    assert!(allocated[0] > 0, "the count does not count");
    assert_eq!(allocated[1], 0);
}

#[test]
fn a_second_order_is_read_without_allocating() {
    let dialect = dialect();
    let head = Head {
        method: "POST",
        path: "/order",
        query: "symbol=BTC%55SDT&side=BUY",
        content_type: Some("application/x-www-form-urlencoded; charset=utf-8"),
        key: Some("key"),
        headers: None,
        secure: false,
        session: false,
    };
    let body = b"type=LIMIT&quantity=0.01&price=30000&timestamp=1700000000000&recvWindow=5000&signature=%2Bab";
    let mut scratch = Scratch::default();
    let mut allocated = [0; 2];
    for count in &mut allocated {
        let before = COUNT.get();
        let route = dialect.route(head.method, head.path).unwrap();
        let reading = dialect.read(route, &head, body, &mut scratch).unwrap();
        assert_eq!(reading.orders.one().unwrap().symbol, "BTCUSDT");
        *count = COUNT.get() - before;
    }
    assert!(allocated[0] > 0, "the count does not count");
    assert_eq!(allocated[1], 0);
}
