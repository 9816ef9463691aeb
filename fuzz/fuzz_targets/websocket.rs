//! Bytes of a WebSocket mean the same however they are cut, what is read can be written and read again, and a run is what
//! its messages are written as.
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

/// Reads by runs, each of which must be what its messages are written as.
fn by_runs(mut bytes: &[u8]) -> Vec<String> {
    let mut decoder = Decoder::new(Sender::Server, LIMITS);
    let mut came = Vec::new();
    loop {
        let run = decoder.run(&mut bytes);
        came.extend(read(Sender::Server, &mut std::iter::once(run)));
        assert_eq!(anew(run), run);
        match decoder.next(&mut bytes) {
            Ok(None) => return came,
            Ok(Some(event)) => came.push(format!("{event:?}")),
            Err(violation) => {
                came.push(violation.to_string());
                return came;
            }
        }
    }
}

fn anew(mut run: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new(Sender::Server, LIMITS);
    let mut out = Vec::new();
    while let Some(event) = decoder.next(&mut run).expect("a run is sound") {
        match event {
            Event::Text(text) => frame(&mut out, Kind::Text, text.as_bytes(), None),
            Event::Binary(bytes) => frame(&mut out, Kind::Binary, bytes, None),
            Event::Ping(bytes) => frame(&mut out, Kind::Ping, bytes, None),
            Event::Pong(bytes) => frame(&mut out, Kind::Pong, bytes, None),
            Event::Close(_) => panic!("a close stands in a run"),
        }
    }
    out
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
    if !client {
        assert_eq!(by_runs(bytes), whole);
    }
});
