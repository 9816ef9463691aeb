//! Reading a message allocates nothing once the scratch has grown: what a flood costs is bounded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

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
    let answers = Code::ALL.iter().map(|code| {
        let answer = json!({"status": 400, "code": -1, "message": "{hint}"});
        (code.as_str().to_owned(), answer)
    });
    let written = json!({
        "name": "compact",
        "signing": {
            "key_header": "X-KEY",
            "signature": "signature",
            "payload": ["query_without_signature", "body_without_signature"],
            "encodings": {"hmac": "hex", "ed25519": "base64", "rsa": "base64"},
            "time": {
                "parameter": "timestamp", "window_parameter": "recvWindow",
                "window_default_ms": 5000, "window_max_ms": 60000, "ahead_ms": 1000,
            },
        },
        "order_types": {"LIMIT": {"price": true}},
        "order_fields": {
            "symbol": "symbol", "side": "side", "kind": "type", "price": "price",
            "stop_price": "stopPrice", "quantity": "quantity",
        },
        "routes": [{
            "method": "POST", "path": "/order", "operation": "order.place",
            "parameters": [
                "timestamp", "recvWindow", "signature", "symbol", "side", "type", "quantity", "price",
            ],
        }],
        "errors": {
            "content_type": "application/json",
            "body": "{\"code\":{code},\"msg\":{message}}",
            "by_code": Value::Object(answers.collect()),
        },
    });
    Dialect::from_json(&written).unwrap()
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
    };
    let body = b"type=LIMIT&quantity=0.01&price=30000&timestamp=1700000000000&recvWindow=5000&signature=%2Bab";
    let mut scratch = Scratch::default();
    let mut allocated = [0; 2];
    for count in &mut allocated {
        let before = COUNT.get();
        let route = dialect.route(head.method, head.path).unwrap();
        let reading = dialect.read(route, &head, body, &mut scratch).unwrap();
        assert_eq!(reading.order.unwrap().symbol, "BTCUSDT");
        *count = COUNT.get() - before;
    }
    assert!(allocated[0] > 0, "the count does not count");
    assert_eq!(allocated[1], 0);
}
