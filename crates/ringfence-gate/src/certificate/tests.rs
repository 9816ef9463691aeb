//! A certificate counts as long as it is in force, not as long as its connection lives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

use super::{Presented, TRUSTED_US, verifier};
use crate::snapshot::TlsFiles;

/// 2030-01-01 and 2030-01-02, in microseconds since the Unix epoch.
const FIRST_US: u64 = 1_893_456_000_000_000;
const SECOND_US: u64 = FIRST_US + 86_400_000_000;

/// A certificate that is good on the first of January 2030.
fn presented() -> Presented {
    let folder = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap();
    let path = folder.path().join("roots.pem");
    std::fs::write(&path, root.pem()).unwrap();
    let mut own = CertificateParams::new(["client".to_owned()]).unwrap();
    own.not_before = date_time_ymd(2030, 1, 1);
    own.not_after = date_time_ymd(2030, 1, 2);
    let issuer = Issuer::from_params(&params, key);
    let own = own
        .signed_by(&KeyPair::generate().unwrap(), &issuer)
        .unwrap();
    let files = TlsFiles {
        certificate: path.clone(),
        key: path.clone(),
        client_ca: Some(path),
        client_auth: None,
    };
    let verifier = verifier(&files, "tls").unwrap().unwrap();
    Presented::new(&[own.der().clone()], &verifier, FIRST_US).unwrap()
}

#[test]
fn it_stops_counting_when_it_expires_and_comes_back_with_the_clock() {
    let presented = presented();
    assert!(presented.thumbprint(FIRST_US).is_some());
    assert!(presented.thumbprint(SECOND_US).is_some());
    assert!(presented.thumbprint(SECOND_US + TRUSTED_US).is_none());
    assert!(presented.thumbprint(FIRST_US).is_some());
}

#[test]
fn a_clock_put_back_before_its_beginning_is_not_trusted_longer() {
    let presented = presented();
    assert!(presented.thumbprint(FIRST_US).is_some());
    assert!(presented.thumbprint(FIRST_US - TRUSTED_US).is_none());
}
