//! Ed25519 public keys that are no keys.

/// The encodings of the points of small order, without the sign bit: orders 4, 1, 8, 8, 2, then
/// p and p + 1, the encodings of order 4 and 1 that are not reduced.
///
/// Source: the torsion points of edwards25519, as listed in libsodium's
/// `ge25519_has_small_order`; the tests hold them against the cofactored vectors of C2SP CCTV.
const SMALL_ORDER: [[u8; 32]; 7] = [
    number(0x00, 0x00),
    number(0x01, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    number(0xec, 0xff),
    number(0xed, 0xff),
    number(0xee, 0xff),
];

/// A little-endian number of 255 bits: its lowest byte, and all others (the highest cut to 7 bits).
const fn number(lowest: u8, others: u8) -> [u8; 32] {
    let mut bytes = [others; 32];
    bytes[0] = lowest;
    bytes[31] = others & 0x7f;
    bytes
}

/// Tells whether `key` is a point of small order: then a signature fits without any secret.
pub(super) fn is_small_order(key: &[u8; 32]) -> bool {
    let mut unsigned = *key;
    // The sign of x says nothing about the order.
    unsigned[31] &= 0x7f;
    SMALL_ORDER.contains(&unsigned)
}
