//! A secret that is destroyed or replaced is in no byte of this process's memory when the call returns.
//!
//! The test looks itself: it reads all that the process can write to, as root would from outside.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{File, read_to_string};
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;

use ringfence_core::address::Cidr;
use ringfence_core::credential::{CredentialTable, NewCredential, State};
use ringfence_core::operation::Scopes;
use ringfence_core::session::{Coverage, Demands};
use ringfence_core::sign::{
    Algorithm, Claim, Encoding, HmacForm, SignatureEncodings, SigningKey, Stamp, VerifyingKey,
};
use zeroize::{Zeroize as _, Zeroizing};

const SECRET_BYTES: usize = 64;
/// What the allocator writes into a block that is free says nothing of the middle.
const MIDDLE: std::ops::Range<usize> = 24..56;
const MASK: u8 = 0xa5;
const CHUNK_BYTES: usize = 1 << 20;

/// A secret that is nowhere in memory as it is.
struct Hidden([u8; SECRET_BYTES]);

impl Hidden {
    fn new() -> Self {
        let mut masked = [0; SECRET_BYTES];
        aws_lc_rs::rand::fill(&mut masked).unwrap();
        Self(masked)
    }

    fn shown(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.iter().map(|byte| byte ^ MASK).collect())
    }

    /// Returns how often it is in memory.
    fn found(&self) -> usize {
        let memory = File::open("/proc/self/mem").unwrap();
        let mut chunk = vec![0; CHUNK_BYTES + SECRET_BYTES];
        let own = chunk.as_ptr() as u64..chunk.as_ptr() as u64 + chunk.len() as u64;
        let mut found = 0;
        for (mut at, end) in writable() {
            while at < end {
                if own.contains(&at) {
                    // What we read into, and wipe.
                    at = own.end;
                    continue;
                }
                let until = if at < own.start {
                    end.min(own.start)
                } else {
                    end
                };
                let wanted = chunk.len().min(usize::try_from(until - at).unwrap());
                let Ok(read) = memory.read_at(&mut chunk[..wanted], at) else {
                    break;
                };
                let starts = read.saturating_sub(MIDDLE.len() - 1).min(CHUNK_BYTES);
                found += (0..starts)
                    .filter(|&from| self.is_at(&chunk[from..]))
                    .count();
                chunk[..].zeroize();
                at += wanted.min(CHUNK_BYTES) as u64;
            }
        }
        found
    }

    fn is_at(&self, memory: &[u8]) -> bool {
        let middle = &self.0[MIDDLE];
        middle
            .iter()
            .zip(memory)
            .all(|(hidden, byte)| hidden ^ MASK == *byte)
    }
}

/// Returns what the process can write to, as addresses.
fn writable() -> Vec<(u64, u64)> {
    let maps = read_to_string("/proc/self/maps").unwrap();
    let ranges = maps.lines().filter_map(|line| {
        let (range, rest) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let address = |text| u64::from_str_radix(text, 16).unwrap();
        rest.starts_with("rw")
            .then(|| (address(start), address(end)))
    });
    ranges.collect()
}

fn credential(secret: &Hidden, scopes: &[&str]) -> NewCredential {
    NewCredential {
        key_id: "k1".into(),
        account: "alice".into(),
        key: VerifyingKey::from_parts(Algorithm::HmacSha256, &secret.shown()).unwrap(),
        scopes: Scopes::parse(scopes.iter().copied()).unwrap(),
        allow: [Cidr::parse("192.0.2.0/24").unwrap()].into(),
        demands: Demands::default(),
        expires_us: None,
        state: State::Active,
        held: None,
        standing: None,
        shard: None,
    }
}

const ENCODINGS: SignatureEncodings = SignatureEncodings {
    ecdsa: None,
    ed25519: None,
    hmac: Some(Encoding::Hex),
    rsa: None,
};

/// One test, because it counts what is in the whole process.
#[test]
fn a_secret_is_gone_from_memory_when_it_is_destroyed_or_replaced() {
    let (first, second) = (Hidden::new(), Hidden::new());
    assert_eq!((first.found(), second.found()), (0, 0));

    // Were it not wiped, it would be found: these are only let go.
    let careless = Hidden::new();
    let copies = || (0..16).map(|_| Vec::clone(&careless.shown()));
    drop(black_box(copies().collect::<Vec<_>>()));
    assert!(careless.found() > 0);

    let signature = {
        let key = SigningKey::from_parts(Algorithm::HmacSha256, &first.shown()).unwrap();
        key.sign(b"payload", ENCODINGS, HmacForm::default())
            .unwrap()
    };
    assert_eq!(first.found(), 0, "the key that signed is gone");

    let table = CredentialTable::new();
    table.put(credential(&first, &["read", "trade"])).unwrap();
    let held = table.get("k1").unwrap();
    let claim = Claim {
        key_id: "k1",
        payload: b"payload",
        otherwise: None,
        signature: signature.as_bytes(),
        hmac: HmacForm::default(),
        encodings: ENCODINGS,
        coverage: Coverage::Venue,
        recovered: None,
        stamp: Stamp {
            time_us: 1000,
            window_us: 1000,
        },
    };
    assert!(held.verify(&claim).is_ok());
    table.put(credential(&first, &["read"])).unwrap();
    assert_eq!(
        first.found(),
        1,
        "as long as it verifies, it is there, once"
    );

    table.put(credential(&second, &["read"])).unwrap();
    assert_eq!((first.found(), second.found()), (0, 1), "replaced");

    table.set_state("k1", State::Destroyed).unwrap();
    assert_eq!(second.found(), 0, "destroyed");
    assert!(held.verify(&claim).is_err());
}
