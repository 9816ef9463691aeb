//! A token has one spelling, its header says nothing unasked, and a key is known by what it is.

#![allow(clippy::unwrap_used)]

use ringfence_core::refusal::Code;
use ringfence_core::session::Coverage;
use ringfence_core::sign::{Algorithm, Claim, HmacForm, Stamp};

use super::{Jwk, JwkError, Jws, JwsScratch, TOKEN_MAX, encode};

/// RFC 8037, appendices A.2 to A.4.
const ED25519: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3\
                     AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

fn verify(token: &str, jwk: &str) -> Result<Vec<u8>, Code> {
    let mut scratch = JwsScratch::default();
    let jws = Jws::read(token, &["kid", "typ"], &mut scratch)?;
    let claim = Claim {
        key_id: "",
        payload: jws.signed,
        otherwise: None,
        signature: jws.signature.as_bytes(),
        encodings: jws.encodings(),
        hmac: HmacForm::default(),
        coverage: Coverage::Venue,
        recovered: None,
        stamp: Stamp {
            time_us: 0,
            window_us: 0,
        },
    };
    let key = Jwk::read(jwk).unwrap().key().unwrap();
    key.verify(&claim).map(|_| jws.payload.to_vec())
}

#[test]
fn the_example_of_rfc_8037_verifies_and_no_changed_byte_of_it() {
    let payload = verify(TOKEN, ED25519).unwrap();
    assert_eq!(payload, b"Example of Ed25519 signing");
    for at in 0..TOKEN.len() {
        for bit in 0..7 {
            let mut changed = TOKEN.as_bytes().to_vec();
            changed[at] ^= 1 << bit;
            let changed = String::from_utf8(changed).unwrap();
            assert!(verify(&changed, ED25519).is_err(), "{changed}");
        }
    }
}

fn with_header(header: &str) -> Result<Algorithm, Code> {
    let token = format!("{}.e30.AAAA", encode(header.as_bytes()));
    let mut scratch = JwsScratch::default();
    Jws::read(&token, &["kid", "typ"], &mut scratch).map(|jws| jws.algorithm)
}

#[test]
fn a_header_is_a_closed_list_and_each_member_stands_once() {
    assert_eq!(with_header(r#"{"alg":"EdDSA"}"#), Ok(Algorithm::Ed25519));
    let spaced = "{ \"kid\" : \"k\",\n\t\"typ\":\"JWT\", \"alg\" : \"ES256\" }";
    assert_eq!(with_header(spaced), Ok(Algorithm::EcdsaP256Sha256));
    for malformed in [
        "",
        "{}",
        "[]",
        "null",
        r#"["alg","EdDSA"]"#,
        r#"{"kid":"k"}"#,
        r#"{"alg":"EdDSA","alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","kid":"a","kid":"b"}"#,
        r#"{"alg":"EdDSA","crit":["exp"]}"#,
        r#"{"alg":"EdDSA","b64":false}"#,
        r#"{"alg":"EdDSA","jwk":{"kty":"OKP"}}"#,
        r#"{"alg":"EdDSA","jku":"https://example.com/jwks"}"#,
        r#"{"alg":"EdDSA","x5c":[]}"#,
        r#"{"alg":{"alg":"EdDSA"}}"#,
        r#"{"alg":"EdDSA"}x"#,
        r#"{"\u0061lg":"EdDSA"}"#,
    ] {
        let refused = with_header(malformed);
        assert_eq!(refused, Err(Code::SignatureMalformed), "{malformed}");
    }
    for unknown in [
        "none", "NONE", "None", "ES384", "PS256", "HS512", "eddsa", "",
    ] {
        let header = format!(r#"{{"alg":"{unknown}"}}"#);
        assert_eq!(
            with_header(&header),
            Err(Code::SignatureAlgorithm),
            "{unknown}"
        );
    }
}

#[test]
fn a_token_has_three_parts_in_one_spelling() {
    let parts: Vec<_> = TOKEN.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        unreachable!("three parts");
    };
    for malformed in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!(".{payload}.{signature}"),
        format!("{TOKEN}."),
        format!("{TOKEN}.{signature}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}=.{signature}"),
        format!("{header}.{payload} .{signature}"),
        format!("{header}.{payload}\n.{signature}"),
        format!("{TOKEN}{}", "A".repeat(TOKEN_MAX)),
    ] {
        let refused = verify(&malformed, ED25519).unwrap_err();
        assert_eq!(refused, Code::SignatureMalformed, "{malformed:.200}");
    }
    // The last character of the payload has two bits to spare: only zeros may stand there.
    let loose = format!("{header}.{}d.{signature}", &payload[..payload.len() - 1]);
    assert_eq!(verify(&loose, ED25519), Err(Code::SignatureMalformed));
    assert_eq!(
        verify(&format!("{TOKEN}="), ED25519),
        Err(Code::SignatureMalformed)
    );
}

#[test]
fn a_key_of_another_algorithm_does_not_verify_what_the_header_names() {
    let rsa = Jwk::read(RSA).unwrap().key().unwrap();
    let mut scratch = JwsScratch::default();
    let jws = Jws::read(TOKEN, &[], &mut scratch).unwrap();
    let claim = Claim {
        key_id: "",
        payload: jws.signed,
        otherwise: None,
        signature: jws.signature.as_bytes(),
        encodings: jws.encodings(),
        hmac: HmacForm::default(),
        coverage: Coverage::Venue,
        recovered: None,
        stamp: Stamp {
            time_us: 0,
            window_us: 0,
        },
    };
    assert_eq!(rsa.verify(&claim).unwrap_err(), Code::SignatureAlgorithm);
}

/// RFC 7638 3.1.
const RSA: &str = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    let rsa = Jwk::read(RSA).unwrap();
    let thumbprint = rsa.thumbprint.to_string();
    assert_eq!(thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(rsa.kid.as_deref(), Some("2011-04-29"));
    let ed25519 = Jwk::read(ED25519).unwrap().thumbprint.to_string();
    assert_eq!(ed25519, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

/// RFC 9449, figure 2's proof: the key of its header.
const EC: &str = r#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#;

#[test]
fn only_a_public_key_for_signatures_is_taken() {
    let thumbprint = Jwk::read(EC).unwrap().thumbprint.to_string();
    assert_eq!(thumbprint, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    let with = |more: &str| Jwk::read(&EC.replacen('{', &format!("{{{more},"), 1)).map(drop);
    assert_eq!(with(r#""use":"sig""#), Ok(()));
    assert_eq!(with(r#""key_ops":["sign","verify"]"#), Ok(()));
    for (more, error) in [
        (r#""use":"enc""#, JwkError::Use),
        (r#""key_ops":["encrypt"]"#, JwkError::Use),
        (r#""key_ops":[]"#, JwkError::Use),
        (r#""alg":"ES512""#, JwkError::Algorithm),
        (r#""alg":"EdDSA""#, JwkError::Algorithm),
        (r#""d":"AAAA""#, JwkError::Private),
        (r#""k":"AAAA""#, JwkError::Private),
        (r#""kty":"RSA""#, JwkError::Malformed),
    ] {
        assert_eq!(with(more), Err(error), "{more}");
    }
    for (jwk, error) in [
        (EC.replace("P-256", "P-384"), JwkError::Algorithm),
        (EC.replace("l8t", "m8t"), JwkError::Malformed),
        (EC.replace("BFs\"", "BFs=\""), JwkError::Malformed),
        (r#"{"kty":"oct"}"#.to_owned(), JwkError::Algorithm),
        ("[]".to_owned(), JwkError::Algorithm),
        (String::new(), JwkError::Malformed),
    ] {
        assert_eq!(Jwk::read(&jwk).unwrap_err(), error, "{jwk}");
    }
}
