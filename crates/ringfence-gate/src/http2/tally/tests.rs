//! What asks for nothing is bounded however it is cut into reads, and what a fair client sends is not.

use super::{Flood, Place, Tally};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PRIORITY: u8 = 2;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const UNKNOWN: u8 = 0xbe;

fn frame(kind: u8, flags: u8, stream: u32, payload: usize) -> Vec<u8> {
    let length = u32::try_from(payload).unwrap_or(u32::MAX).to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.resize(frame.len() + payload, 0);
    frame
}

/// A tally that has seen the preface.
fn begun() -> Tally {
    let mut tally = Tally::new(100);
    assert_eq!(tally.read(PREFACE, 0), Ok(()));
    tally
}

/// How many of these frames are taken at one moment, of at most a thousand.
fn taken(frames: &[u8]) -> usize {
    let mut tally = begun();
    let mut all = 0..1000;
    all.find(|_| tally.read(frames, 0) == Err(Flood))
        .unwrap_or(1000)
}

#[test]
fn every_frame_that_asks_for_nothing_takes_from_the_budget() {
    for (kind, flags, payload) in [
        (super::DATA, 0, 0),
        (super::DATA, super::PADDED, 256),
        (super::DATA, 0, 63),
        (PRIORITY, 0, 5),
        (SETTINGS, 0, 0),
        (SETTINGS, 1, 0),
        (PING, 0, 8),
        (PING, 1, 8),
        (WINDOW_UPDATE, 0, 4),
        (super::CONTINUATION, 0, 1),
        (UNKNOWN, 0, 3),
    ] {
        assert_eq!(taken(&frame(kind, flags, 1, payload)), 512, "{kind}");
    }
}

#[test]
fn only_so_many_streams_are_given_up_at_once() {
    let reset = frame(super::RST_STREAM, 0, 1, 4);
    assert_eq!(taken(&reset), 100);
    // Messages buy no resets.
    let mut tally = begun();
    let mut stream = 1;
    let flooded = (0..1000).position(|_| {
        stream += 2;
        let both = [frame(super::HEADERS, 5, stream, 9), reset.clone()].concat();
        tally.read(&both, 0) == Err(Flood)
    });
    assert_eq!(flooded, Some(100));
}

#[test]
fn messages_their_bodies_and_what_the_client_takes_ask_for_something() {
    let body = [
        frame(super::DATA, 0, 1, 64),
        frame(super::DATA, super::END_STREAM, 1, 0),
    ];
    assert_eq!(taken(&body.concat()), 1000);
    let mut tally = begun();
    for stream in (1..4001).step_by(2) {
        let update = frame(WINDOW_UPDATE, 0, stream, 4);
        let message = [
            frame(super::HEADERS, 5, stream, 9),
            update.clone(),
            update,
            frame(PRIORITY, 0, stream, 5),
        ];
        assert_eq!(tally.read(&message.concat(), 0), Ok(()));
    }
    assert_eq!(tally.heads(), 2000);
    for _ in 0..2000 {
        tally.took(16 * 1024);
        let update = frame(WINDOW_UPDATE, 0, 1, 4);
        assert_eq!(tally.read(&[update.clone(), update].concat(), 0), Ok(()));
    }
}

#[test]
fn time_fills_the_budget_but_never_above_its_brim() {
    let ping = frame(PING, 0, 0, 8);
    let mut tally = begun();
    for round in 1..5 {
        let now_ms = round * 3_600_000;
        for _ in 0..512 {
            assert_eq!(tally.read(&ping, now_ms), Ok(()));
        }
        assert_eq!(tally.read(&ping, now_ms), Err(Flood));
        assert_eq!(tally.read(&ping, now_ms + 20), Ok(()));
        // A clock that steps back gives nothing.
        assert_eq!(tally.read(&ping, 0), Err(Flood));
    }
}

#[test]
fn cut_anywhere_the_bytes_mean_the_same() {
    let stream = [
        PREFACE,
        &frame(SETTINGS, 0, 0, 12),
        &frame(super::HEADERS, 0, 1, 7),
        &frame(super::CONTINUATION, super::END_HEADERS, 1, 3),
        &frame(super::DATA, super::END_STREAM, 1, 70),
        &frame(super::HEADERS, 5, 3, 0),
    ]
    .concat();
    for cut in 1..stream.len() {
        let mut tally = Tally::new(100);
        for piece in stream.chunks(cut) {
            assert_eq!(tally.read(piece, 0), Ok(()));
        }
        assert_eq!((tally.heads(), tally.begun()), (2, 4), "cut at {cut}");
        assert_eq!(tally.place(), Place::Between);
    }
}

#[test]
fn a_head_lasts_from_its_first_frame_to_its_last() {
    let mut tally = begun();
    let head = frame(super::HEADERS, 0, 1, 7);
    let rest = frame(super::CONTINUATION, super::END_HEADERS, 1, 3);
    assert_eq!(tally.read(&head[..5], 0), Ok(()));
    assert_eq!((tally.place(), tally.begun()), (Place::Frame, 0));
    assert_eq!(tally.read(&head[5..], 0), Ok(()));
    assert_eq!((tally.place(), tally.begun()), (Place::Head, 1));
    assert_eq!(tally.read(&rest[..11], 0), Ok(()));
    assert_eq!(tally.begun(), 1);
    assert_eq!(tally.read(&rest[11..], 0), Ok(()));
    assert_eq!((tally.place(), tally.heads()), (Place::Between, 1));
}
