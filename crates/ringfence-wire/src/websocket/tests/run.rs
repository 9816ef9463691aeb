//! A run is byte for byte what its messages would be written as, and reading by runs is reading the same.

use super::*;

/// Reads `parts` by runs as far as there are any. Each must be what its messages are written as.
fn fed_by_runs<'b>(sender: Sender, parts: impl IntoIterator<Item = &'b [u8]>) -> Vec<Came> {
    let mut decoder = Decoder::new(sender, LIMITS);
    let mut came = Vec::new();
    for mut part in parts {
        loop {
            let run = decoder.run(&mut part);
            let messages = fed(sender, [run]);
            assert_eq!(anew(&messages), run);
            came.extend(messages);
            match decoder.next(&mut part) {
                Ok(Some(event)) => came.push(owned(event)),
                Ok(None) => break,
                Err(violation) => {
                    came.push(Came::Violated(violation.code.number()));
                    return came;
                }
            }
        }
    }
    came
}

/// Writes messages anew, as a server.
fn anew(messages: &[Came]) -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages {
        match message {
            Came::Text(text) => frame(&mut out, Kind::Text, text.as_bytes(), None),
            Came::Binary(bytes) => frame(&mut out, Kind::Binary, bytes, None),
            Came::Ping(bytes) => frame(&mut out, Kind::Ping, bytes, None),
            Came::Pong(bytes) => frame(&mut out, Kind::Pong, bytes, None),
            Came::Close(_) | Came::Violated(_) => panic!("{message:?} stands in a run"),
        }
    }
    out
}

#[test]
fn whole_messages_in_their_shortest_form_are_a_run() {
    let long = [b"\x82\x7e\x01\x00".as_slice(), &[0xff; 256]].concat();
    let all = [
        b"\x81\x05Hello".as_slice(),
        b"\x82\x00",
        b"\x89\x01p",
        b"\x8a\x00",
        b"\x81\x02\xc3\xa9",
        &long,
    ]
    .concat();
    let mut decoder = Decoder::new(Sender::Server, LIMITS);
    let mut rest = &all[..];
    assert_eq!(decoder.run(&mut rest), all);
    assert!(rest.is_empty());
}

#[test]
fn a_run_begins_right_behind_a_message_in_parts() {
    let hello = b"\x81\x05Hello".as_slice();
    let bytes = [b"\x01\x01a\x80\x01b", hello].concat();
    let (mut decoder, mut rest) = (Decoder::new(Sender::Server, LIMITS), &bytes[..]);
    assert_eq!(decoder.next(&mut rest), Ok(Some(Event::Text("ab"))));
    assert_eq!(decoder.run(&mut rest), hello);
}

#[test]
fn a_run_ends_before_whatever_is_not_a_message_as_it_would_be_written() {
    let hello = b"\x81\x05Hello".as_slice();
    let mut large = b"\x82\x7f\0\0\0\0\0\x01\0\0".to_vec();
    large.extend([0; 65_536]);
    let others: &[&[u8]] = &[
        b"",
        b"\x81",
        b"\x81\x05Hell",                                       // not whole
        b"\x01\x03Hel\x80\x02lo",                              // in parts
        b"\x88\x00",                                           // a close
        b"\x81\x01\xff",                                       // not UTF-8
        b"\x81\x02a\xc3",                                      // ends inside a character
        b"\xc1\x00",                                           // a reserved bit
        b"\x83\x00",                                           // a reserved opcode
        b"\x09\x00",                                           // a control frame in parts
        b"\x81\x80\0\0\0\0",                                   // masked
        b"\x82\x7e\x00\x01a",                                  // not the shortest length
        b"\x89\x7e\x00\x01a",                                  // of a control frame, too
        &[b"\x89\x7e\x00\x80".as_slice(), &[0; 128]].concat(), // a long control frame
        &large,
    ];
    for other in others {
        let bytes = [hello, hello, other].concat();
        let mut rest = &bytes[..];
        let mut decoder = Decoder::new(Sender::Server, LIMITS);
        assert_eq!(
            decoder.run(&mut rest),
            [hello, hello].concat(),
            "{other:x?}"
        );
        assert_eq!(rest, *other);
    }
}

#[test]
fn no_run_begins_inside_a_message_or_behind_a_close_or_of_a_client() {
    let hello = b"\x81\x05Hello".as_slice();
    for (before, sender) in [
        (b"\x01\x01a".as_slice(), Sender::Server),
        (b"\x81", Sender::Server),
        (b"\x82\x05abc", Sender::Server),
        (b"\x88\x00", Sender::Server),
        (b"", Sender::Client),
    ] {
        let mut decoder = Decoder::new(sender, LIMITS);
        let mut start = before;
        while !start.is_empty() {
            decoder.next(&mut start).unwrap();
        }
        let mut rest = hello;
        assert_eq!(decoder.run(&mut rest), b"", "{before:x?}");
    }
    let strict = Limits {
        message: 4,
        frames: 16,
    };
    let mut decoder = Decoder::new(Sender::Server, strict);
    assert_eq!(decoder.run(&mut &hello[..]), b"");
}

proptest! {
    #[test]
    fn by_runs_the_same_is_read_as_without(
        bytes in prop::collection::vec(prop_oneof![
            Just(b"\x81\x05Hello".to_vec()),
            Just(b"\x81\x02\xc3\xa9".to_vec()),
            Just([b"\x82\x7e\x00\x80".as_slice(), &[9; 128]].concat()),
            Just(b"\x01\x01a\x80\x01b".to_vec()),
            Just(b"\x89\x01p".to_vec()),
            prop::collection::vec(prop_oneof![
                any::<u8>(), Just(0x81), Just(0x82), Just(0x8a), 0_u8..6
            ], 0..4),
        ], 0..12),
        size in 1_usize..40,
        client in prop::bool::weighted(0.1),
    ) {
        let sender = if client { Sender::Client } else { Sender::Server };
        let bytes = bytes.concat();
        let wanted = fed(sender, [&bytes[..]]);
        prop_assert_eq!(&fed_by_runs(sender, [&bytes[..]]), &wanted);
        prop_assert_eq!(&fed_by_runs(sender, bytes.chunks(size)), &wanted);
    }
}
