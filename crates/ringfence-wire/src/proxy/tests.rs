//! A header is read as the protocol has it, however it is cut, and nothing else is one.

#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

const ADDRESSES4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0xc3, 0x50, 0x01, 0xbb];

fn header(version_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[version_command, family], &length, rest].concat()
}

fn extension(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind], &length[..], value].concat()
}

fn proxied(extensions: &[u8]) -> Vec<u8> {
    header(0x21, TCP4, &[&ADDRESSES4[..], extensions].concat())
}

/// As [`proxied`], with a checksum behind what it has; `wrong` is added to it.
fn summed(extensions: &[u8], wrong: u32) -> Vec<u8> {
    let with = |sum: u32| proxied(&[extensions, &extension(CRC32C, &sum.to_be_bytes())].concat());
    let blank = with(0);
    with(crc32c(&blank, blank.len() - 4).wrapping_add(wrong))
}

fn whole(bytes: &[u8], source: Source) -> Result<Parsed, ProxyError> {
    let length = bytes.len();
    Ok(Parsed::Whole { length, source })
}

fn client(text: &str) -> Source {
    Source::Client(text.parse().unwrap())
}

#[test]
fn the_client_s_address_is_read_and_nothing_behind_the_header() {
    let tcp4 = proxied(&[]);
    assert_eq!(parse(&tcp4), whole(&tcp4, client("192.0.2.7")));
    let behind = [&tcp4[..], b"GET / HTTP/1.1\r\n"].concat();
    assert_eq!(parse(&behind), whole(&tcp4, client("192.0.2.7")));
    let mut addresses = [0; TCP6_BYTES];
    addresses[..16].copy_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
    let tcp6 = header(0x21, TCP6, &addresses);
    assert_eq!(parse(&tcp6), whole(&tcp6, client("2001:db8::7")));
    // An IPv4 client of a dual-stack balancer is the same one.
    addresses[..16].copy_from_slice(&Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped().octets());
    let mapped = header(0x21, TCP6, &addresses);
    assert_eq!(parse(&mapped), whole(&mapped, client("192.0.2.7")));
}

#[test]
fn a_balancer_s_own_connection_is_its_own_whatever_else_is_said() {
    for (family, rest) in [(0x00, &[][..]), (TCP4, &ADDRESSES4), (0xff, b"?")] {
        let bytes = header(0x20, family, rest);
        assert_eq!(parse(&bytes), whole(&bytes, Source::Local));
    }
}

#[test]
fn who_has_no_address_of_the_network_is_nobody() {
    let unix = [0; 216];
    let nobody = [[0; 4], [224, 0, 0, 1]].map(|first| [&first[..], &ADDRESSES4[4..]].concat());
    for (family, rest) in [
        (0x00, &[][..]),
        (0x31, &unix),
        (0x12, &ADDRESSES4), // UDP
        (0x13, &ADDRESSES4),
        (TCP4, &nobody[0]),
        (TCP4, &nobody[1]),
        (TCP6, &[0; TCP6_BYTES]),
    ] {
        let said = parse(&header(0x21, family, rest));
        assert_eq!(said, Err(ProxyError::Family), "{family:#x}");
    }
}

#[test]
fn lengths_and_commands_that_contradict_are_refused() {
    for (version_command, rest) in [
        (0x11, &ADDRESSES4[..]), // another version
        (0x22, &ADDRESSES4),     // no such command
        (0x21, &ADDRESSES4[..3]),
        (0x21, &ADDRESSES4[..11]),
    ] {
        let said = parse(&header(version_command, TCP4, rest));
        assert_eq!(said, Err(ProxyError::Malformed));
    }
    assert_eq!(
        parse(&header(0x21, TCP6, &[7; TCP6_BYTES - 1])),
        Err(ProxyError::Malformed)
    );
}

#[test]
fn extensions_fill_what_there_is_and_are_passed_over() {
    let known = [extension(0x04, &[0; 9]), extension(0xee, b"")].concat();
    let bytes = proxied(&known);
    assert_eq!(parse(&bytes), whole(&bytes, client("192.0.2.7")));
    for cut in [1, 2, 3, 11, 13, 14] {
        let said = parse(&proxied(&known[..cut]));
        assert_eq!(said, Err(ProxyError::Malformed), "{cut}");
    }
}

#[test]
fn a_checksum_that_is_there_must_be_right() {
    let right = summed(&extension(0xe0, b"trading"), 0);
    assert_eq!(parse(&right), whole(&right, client("192.0.2.7")));
    assert_eq!(parse(&summed(&[], 1)), Err(ProxyError::Checksum));
    let mut forged = right.clone();
    forged[16] ^= 1;
    assert_eq!(parse(&forged), Err(ProxyError::Checksum));
    // One of another length, or a second one, is none.
    let short = proxied(&extension(CRC32C, &[0; 3]));
    assert_eq!(parse(&short), Err(ProxyError::Malformed));
    let blank = extension(CRC32C, &[0; 4]);
    let twice = summed(&[], 0);
    let twice = header(0x21, TCP4, &[&twice[16..], &blank].concat());
    assert!(parse(&twice).is_err());
}

#[test]
fn the_checksum_is_the_one_of_rfc_3720() {
    // B.4: 32 bytes of zeros, of ones, and rising.
    let rising: Vec<u8> = (0..32).collect();
    let sums = [&[0; 32][..], &[0xff; 32], &rising].map(|bytes| crc32c(bytes, 1000));
    assert_eq!(sums, [0x8a91_36aa, 0x62a8_ab43, 0x46dd_794e]);
}

#[test]
fn the_longest_header_is_taken_and_a_longer_one_told_by_its_length() {
    let fill = extension(0x04, &vec![0; MOST - TCP4_BYTES - 3]);
    let longest = proxied(&fill);
    assert_eq!(parse(&longest), whole(&longest, client("192.0.2.7")));
    let longer = proxied(&extension(0x04, &vec![0; MOST - TCP4_BYTES - 2]));
    assert_eq!(parse(&longer[..16]), Err(ProxyError::TooLong));
}

#[test]
fn what_begins_otherwise_is_told_apart_as_soon_as_it_can_be() {
    for text in ["PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n", "PROXY UNKNOWN\r\n"] {
        assert_eq!(parse(text.as_bytes()), Err(ProxyError::Version1));
    }
    assert_eq!(parse(b"PROX"), Ok(Parsed::Partial(2)));
    for text in [
        "GET / HTTP/1.1\r\n",
        "POST /",
        "\x16\x03\x01",
        "\r\n\r\n\r\n",
        "x",
    ] {
        assert_eq!(parse(text.as_bytes()), Err(ProxyError::Missing));
    }
}

/// As a reader does that takes no more than it is asked for; `most` at once.
fn read(bytes: &[u8], most: usize) -> (Option<Result<Source, ProxyError>>, usize) {
    let mut taken = 0;
    loop {
        match parse(&bytes[..taken]) {
            Ok(Parsed::Partial(missing)) => {
                let more = missing.min(most).min(bytes.len() - taken);
                assert!(missing > 0);
                if more == 0 {
                    return (None, taken);
                }
                taken += more;
            }
            Ok(Parsed::Whole { length, source }) => {
                assert_eq!(length, taken, "nothing behind it is read");
                return (Some(Ok(source)), taken);
            }
            Err(error) => return (Some(Err(error)), taken),
        }
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let rest = prop::collection::vec(any::<u8>(), 0..64);
    let near = (
        prop::sample::select(vec![0x20, 0x21, 0x2f]),
        any::<u8>(),
        rest,
    )
        .prop_map(|(command, family, rest)| header(command, family % 0x34, &rest));
    let made = prop::collection::vec(
        (any::<u8>(), prop::collection::vec(any::<u8>(), 0..9)),
        0..4,
    )
    .prop_map(|all| {
        let all: Vec<_> = all
            .iter()
            .flat_map(|(kind, value)| extension(*kind, value))
            .collect();
        summed(&all, 0)
    });
    let any = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![any, near, made]
}

proptest! {
    #[test]
    fn a_header_means_the_same_however_it_is_cut(bytes in bytes(), behind in any::<[u8; 4]>()) {
        let bytes = [&bytes[..], &behind].concat();
        let at_once = read(&bytes, usize::MAX).0;
        prop_assert_eq!(read(&bytes, 1).0, at_once);
        prop_assert_eq!(read(&bytes, 7).0, at_once);
    }

    #[test]
    fn no_single_changed_bit_of_a_summed_header_names_another_client(bit in 0_usize..8 * 28) {
        let mut bytes = summed(&[], 0);
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(Parsed::Whole { source, .. }) = parse(&bytes) {
            // The command is its own word: a balancer that says so means itself.
            prop_assert_eq!(source, Source::Local);
        }
    }
}
