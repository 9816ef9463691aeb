//! RFC 9421's own example for Ed25519 (appendix B.2.6): its signature fits its base, and its coverage is not ours.
//!
//! The suite lies beside the repository; where it does not, this says so and proves nothing.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use ringfence_core::refusal::Code;
use ringfence_core::session::Coverage;
use ringfence_core::sign::{
    Algorithm, Claim, Encoding, HmacForm, SignatureEncodings, Stamp, VerifyingKey,
};
use ringfence_wire::{Dialect, Head, Scratch};
use serde_json::{Value, json};

fn file(name: &str) -> Option<String> {
    let suite = "../../../shared/suites/crypto/vectors/rfc9421";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(suite).join(name);
    let read = std::fs::read_to_string(path).ok();
    if read.is_none() {
        eprintln!("skipped: the suites are not beside the repository ({name})");
    }
    read
}

/// The fields of the example's request.
fn example() -> Option<HeaderMap> {
    let text = file("b26_request_signed.txt")?.replace("\r\n", "\n");
    let (head, _) = text.split_once("\n\n").unwrap();
    let mut headers = HeaderMap::new();
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(": ").unwrap();
        let name = HeaderName::try_from(name).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    Some(headers)
}

#[test]
fn the_signature_of_its_ed25519_example_fits_its_base() {
    let (Some(headers), Some(base), Some(pem)) = (
        example(),
        file("b26_request_sigbase.txt"),
        file("test-key-ed25519.pub"),
    ) else {
        return;
    };
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(der).unwrap();
    let key = VerifyingKey::from_parts(Algorithm::Ed25519, &der[der.len() - 32..]).unwrap();
    let signature = headers["signature"].to_str().unwrap();
    let signature = signature.split(':').nth(1).unwrap();
    let base = base.replace("\r\n", "\n");
    let claim = Claim {
        key_id: "test-key-ed25519",
        payload: base.trim_end_matches('\n').as_bytes(),
        otherwise: None,
        signature: signature.as_bytes(),
        encodings: SignatureEncodings {
            ed25519: Some(Encoding::Base64),
            ..SignatureEncodings::default()
        },
        hmac: HmacForm::default(),
        recovered: None,
        coverage: Coverage::Whole,
        stamp: Stamp {
            time_us: 0,
            window_us: 0,
        },
    };
    assert!(key.verify(&claim).is_ok());
    let other = format!("{base} ");
    let claim = Claim {
        payload: other.as_bytes(),
        ..claim
    };
    assert_eq!(key.verify(&claim).err(), Some(Code::SignatureInvalid));
}

#[test]
fn its_coverage_leaves_the_query_and_the_body_out_and_is_refused() {
    let Some(headers) = example() else {
        return;
    };
    let mut written: Value = serde_json::from_str(include_str!("../data/compact.json")).unwrap();
    for code in Code::ALL {
        written["errors"]["by_code"][code.as_str()] = json!({"status": 400, "code": -1});
    }
    let dialect = Dialect::from_json(&written).unwrap();
    let head = Head {
        method: "POST",
        path: "/order",
        query: "param=Value&Pet=dog",
        headers: Some(&headers),
        secure: true,
        ..Head::default()
    };
    let route = dialect.route("POST", "/order").unwrap();
    let mut scratch = Scratch::default();
    // The route takes forms; what matters here is read before its body is judged.
    let read = dialect.read(route, &head, b"", &mut scratch);
    assert_eq!(read.unwrap_err().code, Code::SignatureCoverage);
}
