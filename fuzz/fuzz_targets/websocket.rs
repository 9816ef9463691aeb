//! Bytes of a WebSocket mean the same however they are cut, and what is read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringfence_wire::websocket::{Decoder, Event, Kind, Limits, Sender, frame};

const LIMITS: Limits = Limits {
    message: 4096,
    frames: 8,
};

fn read(sender: Sender, parts: &mut dyn Iterator<Item = &[u8]>) -> Vec<String> {
    let mut decoder = Decoder::new(sender, LIMITS);
    let mut came = Vec::new();
    for mut part in parts {
        loop {
            match decoder.next(&mut part) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    if let Event::Text(text) = &event {
                        again(text);
                    }
                    came.push(format!("{event:?}"));
                }
                Err(violation) => {
                    came.push(violation.to_string());
                    return came;
                }
            }
        }
    }
    came
}

fn again(text: &str) {
    let mut out = Vec::new();
    frame(&mut out, Kind::Text, text.as_bytes(), Some([1, 2, 3, 4]));
    let mut decoder = Decoder::new(Sender::Client, LIMITS);
    assert_eq!(decoder.next(&mut &out[..]), Ok(Some(Event::Text(text))));
}

fuzz_target!(|input: (bool, &[u8])| {
    let (client, bytes) = input;
    let sender = if client {
        Sender::Client
    } else {
        Sender::Server
    };
    let whole = read(sender, &mut std::iter::once(bytes));
    assert_eq!(read(sender, &mut bytes.chunks(1)), whole);
    assert_eq!(read(sender, &mut bytes.chunks(3)), whole);
});
