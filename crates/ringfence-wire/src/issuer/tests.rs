//! A token vouches for one credential, for as long as it says, and with a proof for one request.

#![allow(clippy::unwrap_used, clippy::panic)]

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use http::HeaderMap;
use ringfence_core::refusal::{Code, Detail};
use ringfence_core::sign::{Algorithm, HmacForm, SigningKey};
use serde_json::{Value, json};

use super::{Asked, Digest, Dpop, IssuerTerms, Issuers, Vouched};
use crate::http::captured;
use crate::jws::{self, Jwk, Jws, JwsScratch};

const NOW: u64 = 1_700_000_000;
const ISSUER: &str = "https://login.example";

/// A P-256 key made now.
struct Key {
    signing: SigningKey,
    jwk: Value,
}

impl Key {
    fn new() -> Self {
        let made = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = made.public_key().as_ref().to_vec();
        let private = made.to_pkcs8v1().unwrap();
        Self {
            signing: SigningKey::from_parts(Algorithm::EcdsaP256Sha256, private.as_ref()).unwrap(),
            jwk: json!({"kty": "EC", "crv": "P-256", "x": jws::encode(&point[1..33]),
                        "y": jws::encode(&point[33..])}),
        }
    }

    fn read(&self) -> Jwk {
        Jwk::read(&self.jwk.to_string()).unwrap()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| jws::encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let encodings = jws::spelling(Algorithm::EcdsaP256Sha256);
        let text = self
            .signing
            .sign(signed.as_bytes(), encodings, HmacForm::default());
        format!("{signed}.{}", text.unwrap())
    }
}

struct World {
    issuer: Key,
    client: Key,
    issuers: Issuers,
}

fn world(dpop: Dpop) -> World {
    let (issuer, client) = (Key::new(), Key::new());
    let mut issuers = Issuers::default();
    issuers.add(terms(&issuer, dpop)).unwrap();
    World {
        issuer,
        client,
        issuers,
    }
}

fn terms(key: &Key, dpop: Dpop) -> IssuerTerms {
    IssuerTerms {
        issuer: ISSUER.to_owned(),
        audience: "trading".to_owned(),
        keys: vec![key.read()],
        algorithms: vec![Algorithm::EcdsaP256Sha256],
        subject: "sub".to_owned(),
        credentials: [("desk-7".to_owned(), "key-of-desk-7".to_owned())].into(),
        max_lifetime_s: 600,
        dpop,
    }
}

const ASKED: Asked<'static> = Asked {
    method: "POST",
    secure: true,
    host: "gateway.example",
    path: "/api/v3/order",
};

impl World {
    fn claims(&self) -> Value {
        let thumbprint = self.client.read().thumbprint.to_string();
        json!({"iss": ISSUER, "aud": ["other", "trading"], "sub": "desk-7", "iat": NOW - 10,
               "exp": NOW + 290, "cnf": {"jkt": thumbprint}})
    }

    fn token(&self, change: &Value) -> String {
        self.issuer.sign(
            &json!({"alg": "ES256", "typ": "at+jwt"}),
            &merged(self.claims(), change),
        )
    }

    fn proof(&self, token: &str, header: &Value, change: &Value) -> String {
        let mut digest = token.as_bytes().to_vec();
        Digest::Sha256.replace(&mut digest, 0);
        let claims = json!({"jti": "1", "htm": "POST", "iat": NOW, "ath": jws::encode(&digest),
                            "htu": "https://gateway.example/api/v3/order"});
        let head = json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": self.client.jwk});
        self.client
            .sign(&merged(head, header), &merged(claims, change))
    }

    fn read(&self, fields: &[(&str, &str)]) -> Result<Option<Vouched>, String> {
        let pairs = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let headers: HeaderMap = captured(&pairs.collect::<Vec<_>>()).unwrap();
        let read = self.issuers.read(&headers, &ASKED, NOW * 1_000_000);
        read.map_err(|refusal| match refusal.detail {
            Detail::Field(name) => format!("{} {name}", refusal.code.as_str()),
            Detail::None
            | Detail::Distance(_)
            | Detail::From(_)
            | Detail::Limit(_)
            | Detail::Policies(_)
            | Detail::Scope(_)
            | Detail::StepUp(_) => refusal.code.as_str().to_owned(),
        })
    }

    /// Reads a request with a token and a proof, both with changes.
    fn both(
        &self,
        token: &Value,
        header: &Value,
        proof: &Value,
    ) -> Result<Option<Vouched>, String> {
        let token = self.token(token);
        let proof = self.proof(&token, header, proof);
        self.read(&[
            ("authorization", &format!("DPoP {token}")),
            ("dpop", &proof),
        ])
    }
}

/// Returns `value` with the members of `change`; one that is null there is left out.
fn merged(mut value: Value, change: &Value) -> Value {
    for (name, other) in change.as_object().unwrap() {
        if other.is_null() {
            value.as_object_mut().unwrap().remove(name);
        } else {
            value[name] = other.clone();
        }
    }
    value
}

#[test]
fn a_token_with_its_proof_vouches_for_its_credential_until_its_end() {
    let world = world(Dpop::Required);
    let mut vouched = world
        .both(&json!({}), &json!({}), &json!({}))
        .unwrap()
        .unwrap();
    assert_eq!(vouched.key_id, "key-of-desk-7");
    assert_eq!(vouched.until_us, (NOW + 290) * 1_000_000);
    let mut proof = vouched.proof.take().unwrap();
    let key = proof.take_key().unwrap();
    let verified = key.verify(&proof.claim()).unwrap();
    assert_eq!(verified.get().stamp.time_us, NOW * 1_000_000);
    // The proof's own signature is for who remembers it; by the issuer's key it does not fit.
    let other = world.issuer.read().key().unwrap();
    assert_eq!(
        other.verify(&proof.claim()).unwrap_err(),
        Code::SignatureInvalid
    );
}

#[test]
fn a_token_that_says_something_else_is_refused() {
    let world = world(Dpop::Required);
    for (change, code) in [
        (json!({"aud": "other"}), "signature_malformed aud"),
        (json!({"aud": null}), "signature_malformed aud"),
        (json!({"sub": "desk-8"}), "credential_unknown"),
        (json!({"sub": ""}), "signature_malformed sub"),
        (json!({"sub": 7}), "signature_malformed sub"),
        (json!({"sub": null}), "signature_malformed sub"),
        (json!({"exp": null}), "time_malformed exp"),
        (json!({"exp": "1700000290"}), "time_malformed exp"),
        (json!({"iat": null}), "time_malformed iat"),
        (json!({"exp": NOW + 591}), "window_too_large"),
        (json!({"exp": NOW - 11}), "window_too_large"),
        (json!({"iat": NOW + 5}), "time_ahead"),
        (json!({"nbf": NOW + 5}), "time_ahead"),
        (json!({"cnf": null}), "signature_malformed cnf"),
        (
            json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}),
            "signature_invalid cnf",
        ),
        (
            json!({"iss": "https://evil.example"}),
            "signature_malformed iss",
        ),
    ] {
        let refused = world.both(&change, &json!({}), &json!({})).unwrap_err();
        assert_eq!(refused, code, "{change}");
    }
}

#[test]
fn a_token_by_an_algorithm_that_its_issuer_does_not_use_is_refused() {
    let mut world = world(Dpop::Required);
    world.issuers = Issuers::default();
    let terms = IssuerTerms {
        algorithms: vec![Algorithm::Ed25519],
        ..terms(&world.issuer, Dpop::Required)
    };
    world.issuers.add(terms).unwrap();
    let refused = world.both(&json!({}), &json!({}), &json!({})).unwrap_err();
    assert_eq!(refused, "signature_algorithm");
}

#[test]
fn a_token_that_is_over_vouches_only_until_then() {
    let world = world(Dpop::Required);
    let past = json!({"iat": NOW - 100, "exp": NOW - 1});
    let vouched = world.both(&past, &json!({}), &json!({})).unwrap().unwrap();
    // The core refuses a session that is over as `credential_session_ended`.
    assert_eq!(vouched.until_us, (NOW - 1) * 1_000_000);
}

#[test]
fn a_proof_for_another_request_or_token_is_refused() {
    let world = world(Dpop::Required);
    let key = Key::new();
    for (header, change, code) in [
        (json!({}), json!({"htm": "GET"}), "signature_invalid htm"),
        (
            json!({}),
            json!({"htu": "https://gateway.example/api/v3/orders"}),
            "signature_invalid htu",
        ),
        (
            json!({}),
            json!({"htu": "http://gateway.example/api/v3/order"}),
            "signature_invalid htu",
        ),
        (
            json!({}),
            json!({"htu": "https://evil.example/api/v3/order"}),
            "signature_invalid htu",
        ),
        (json!({}), json!({"ath": "AAAA"}), "signature_invalid ath"),
        (json!({}), json!({"ath": null}), "signature_malformed ath"),
        (json!({}), json!({"jti": null}), "signature_malformed jti"),
        (json!({}), json!({"iat": null}), "time_malformed iat"),
        (json!({"typ": "JWT"}), json!({}), "signature_malformed typ"),
        (json!({"jwk": null}), json!({}), "signature_malformed jwk"),
        (json!({"jwk": key.jwk}), json!({}), "signature_invalid cnf"),
        (json!({"alg": "none"}), json!({}), "signature_algorithm"),
        (json!({"alg": "HS256"}), json!({}), "never verifies"),
        (json!({"kid": "k"}), json!({}), "signature_malformed"),
    ] {
        let read = world.both(&json!({}), &header, &change);
        let Ok(vouched) = read else {
            assert_eq!(read.unwrap_err(), code, "{header} {change}");
            continue;
        };
        let mut proof = vouched.unwrap().proof.unwrap();
        let key = proof.take_key().unwrap();
        assert!(key.verify(&proof.claim()).is_err() && code == "never verifies");
    }
}

#[test]
fn a_bound_token_is_nothing_without_its_proof_and_a_bare_one_only_where_that_is_said() {
    for (dpop, bare) in [(Dpop::Required, false), (Dpop::Optional, true)] {
        let world = world(dpop);
        let bound = world.token(&json!({}));
        let unbound = world.token(&json!({"cnf": null}));
        let read = |scheme: &str, token: &str| {
            world.read(&[("authorization", &format!("{scheme} {token}"))])
        };
        for (scheme, token) in [("DPoP", &bound), ("Bearer", &bound)] {
            assert_eq!(read(scheme, token).unwrap_err(), "signature_missing dpop");
        }
        match read("Bearer", &unbound) {
            Ok(vouched) => assert!(bare && vouched.unwrap().proof.is_none()),
            Err(refused) => assert!(!bare && refused == "signature_missing dpop"),
        }
    }
}

#[test]
fn what_is_no_known_issuer_s_is_left_to_the_dialect() {
    let world = world(Dpop::Optional);
    let stranger = world.token(&json!({"iss": "cdp"}));
    for value in [
        &format!("Bearer {stranger}"),
        "Bearer x",
        "Basic eDp5",
        "deri-hmac-sha256 id=1",
    ] {
        assert!(
            world.read(&[("authorization", value)]).unwrap().is_none(),
            "{value}"
        );
    }
    assert!(world.read(&[]).unwrap().is_none());
    let token = world.token(&json!({}));
    let twice = format!("DPoP {token}");
    let refused = world.read(&[("authorization", &twice), ("authorization", &twice)]);
    assert_eq!(
        refused.unwrap_err().split(' ').next(),
        Some("form_duplicate")
    );
}

#[test]
fn no_changed_byte_of_a_token_vouches() {
    let world = world(Dpop::Optional);
    let token = world.token(&json!({"cnf": null}));
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] ^= 1;
        let changed = String::from_utf8(changed).unwrap();
        let read = world.read(&[("authorization", &format!("Bearer {changed}"))]);
        assert!(!matches!(read, Ok(Some(_))), "{at}");
    }
}

#[test]
fn an_issuer_that_could_vouch_for_anybody_is_refused() {
    let key = Key::new();
    let terms = || terms(&key, Dpop::Required);
    let mut known = Issuers::default();
    known.add(terms()).unwrap();
    for (wrong, field) in [
        (terms(), "issuer"),
        (
            IssuerTerms {
                issuer: String::new(),
                ..terms()
            },
            "issuer",
        ),
        (
            IssuerTerms {
                issuer: "b".into(),
                audience: String::new(),
                ..terms()
            },
            "audience",
        ),
        (
            IssuerTerms {
                issuer: "b".into(),
                keys: vec![key.read(), key.read()],
                ..terms()
            },
            "jwks",
        ),
        (
            IssuerTerms {
                issuer: "b".into(),
                algorithms: vec![],
                ..terms()
            },
            "algorithms",
        ),
        (
            IssuerTerms {
                issuer: "b".into(),
                algorithms: vec![Algorithm::HmacSha256],
                ..terms()
            },
            "algorithms",
        ),
        (
            IssuerTerms {
                issuer: "b".into(),
                max_lifetime_s: 0,
                ..terms()
            },
            "max_lifetime_s",
        ),
    ] {
        assert_eq!(known.add(wrong).unwrap_err().field, field);
    }
}

/// RFC 9449, figure 2.
const EXAMPLE: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

#[test]
fn the_proof_of_rfc_9449_verifies_by_the_key_that_it_carries() {
    let mut scratch = JwsScratch::default();
    let jws = Jws::read(EXAMPLE, &["jwk", "typ"], &mut scratch).unwrap();
    let raw = crate::json::find(jws.header, "jwk").unwrap().unwrap();
    let key = Jwk::read(raw).unwrap().key().unwrap();
    let claim = super::bare(&jws);
    assert!(key.verify(&claim).is_ok());
    // RFC 9449 7.1: the hash of its access token.
    let mut digest = b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU".to_vec();
    Digest::Sha256.replace(&mut digest, 0);
    assert_eq!(
        jws::encode(&digest),
        "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    );
}

/// Issuers that know `keys`, each by a name of its own.
fn knowing(keys: &[(&Key, &str)]) -> Issuers {
    let named = |(key, kid): &(&Key, &str)| {
        let mut jwk = key.read();
        jwk.kid = Some((*kid).to_owned());
        jwk
    };
    let mut issuers = Issuers::default();
    let terms = IssuerTerms {
        keys: keys.iter().map(named).collect(),
        ..terms(keys[0].0, Dpop::Optional)
    };
    issuers.add(terms).unwrap();
    issuers
}

#[test]
fn who_acts_by_a_key_that_is_taken_away_ends_and_by_one_that_stays_goes_on() {
    let (stays, goes, comes) = (Key::new(), Key::new(), Key::new());
    let mut world = world(Dpop::Optional);
    world.issuers = knowing(&[(&stays, "a"), (&goes, "b")]);
    let token = |key: &Key, kid: &str, world: &World| {
        let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": kid});
        let token = key.sign(&header, &merged(world.claims(), &json!({"cnf": null})));
        world.read(&[("authorization", &format!("Bearer {token}"))])
    };
    let by_stays = token(&stays, "a", &world).unwrap().unwrap().warrant;
    let by_goes = token(&goes, "b", &world).unwrap().unwrap().warrant;
    let mut next = knowing(&[(&comes, "b"), (&stays, "c")]);
    next.follow(&world.issuers);
    next.withdraw_for(&next);
    world.issuers.withdraw_for(&next);
    world.issuers = next;
    assert!(by_stays.stands() && !by_goes.stands());
    // A new key by an old name is another key, and a key by a new name the same.
    assert_eq!(token(&goes, "b", &world).unwrap_err(), "signature_invalid");
    let by_comes = token(&comes, "b", &world).unwrap().unwrap().warrant;
    assert!(by_comes.stands());
    let renamed = token(&stays, "c", &world).unwrap().unwrap().warrant;
    renamed.withdraw();
    assert!(!by_stays.stands() && by_comes.stands());
}

#[test]
fn an_issuer_without_keys_vouches_for_nobody() {
    let mut world = world(Dpop::Optional);
    world.issuers = Issuers::default();
    let terms = IssuerTerms {
        keys: vec![],
        ..terms(&world.issuer, Dpop::Optional)
    };
    world.issuers.add(terms).unwrap();
    let token = world.token(&json!({"cnf": null}));
    let read = world.read(&[("authorization", &format!("Bearer {token}"))]);
    assert_eq!(read.unwrap_err(), "signature_invalid kid");
}

#[test]
fn a_proof_says_by_which_nonce_it_was_made() {
    let world = world(Dpop::Required);
    let nonce = |change: Value| {
        let read = world.both(&json!({}), &json!({}), &change)?;
        Ok(read.unwrap().proof.unwrap().nonce().map(str::to_owned))
    };
    assert_eq!(nonce(json!({})), Ok(None));
    assert_eq!(nonce(json!({"nonce": "abc"})), Ok(Some("abc".to_owned())));
    for wrong in [json!(1), json!(""), json!(["abc"]), json!({"a": "abc"})] {
        let refused: Result<_, String> = nonce(json!({ "nonce": wrong.clone() }));
        match refused {
            // What is no member by this name is none.
            Ok(found) => assert!(found.is_none() && (wrong.is_array() || wrong.is_object())),
            Err(code) => assert_eq!(code, "signature_malformed nonce"),
        }
    }
}
