//! Hyperliquid's actions: typed data (EIP-712), signed by a wallet that is recovered from its signature.
//!
//! Most actions are hashed whole, as MessagePack; those that move funds out are signed field by field, so that a wallet
//! can show them. Source: Hyperliquid docs, "Exchange endpoint" and "Signing" (read 2026-11); hyperliquid-python-sdk
//! 0.24.0, `utils/signing.py`; ccxt 4.5.90.

use std::collections::BTreeMap;

use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::sign::{Recovered, Stamp, keccak256};
use serde::Deserialize;
use serde_json::json;

use super::code::{Coded, Proof, SchemeCode, TimeRule};
use super::compile::bounds;
use super::{Description, Draft, Seal, Signed, Source, msgpack};
use crate::dialect::compile::wrong;
use crate::dialect::scratch::Pairs;
use crate::dialect::{DialectError, Head};
use crate::json;

/// The words of the scheme, as data.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    /// Which of the venue's chains is meant.
    chain: Chain,
    /// Chain ids that a wallet may sign under, as `signatureChainId` has them; a signer takes the first.
    signature_chains: Vec<String>,
    /// Actions that are signed field by field, by their type.
    user_signed: BTreeMap<String, UserSigned>,
    /// The nonce is a time in milliseconds.
    time: TimeRule,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
enum Chain {
    Mainnet,
    Testnet,
}

/// An action that is signed field by field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserSigned {
    /// Its name behind `HyperliquidTransaction:`.
    name: String,
    /// Names and types of its fields behind `hyperliquidChain`; the last is the nonce.
    fields: Vec<(String, Type)>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Type {
    Address,
    Bool,
    String,
    Uint64,
}

#[derive(Debug)]
pub(super) struct Eip712 {
    written: Written,
    /// Hash of the domain in which actions are signed whole.
    whole: [u8; 32],
}

const DOMAIN: &[u8] =
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const AGENT: &[u8] = b"Agent(string source,bytes32 connectionId)";
/// The chain id of actions that are signed whole, whatever chain is meant.
const WHOLE_CHAIN: u64 = 1337;

/// What stands in the body, as sent.
struct Body<'a> {
    action: &'a str,
    kind: String,
    nonce: u64,
    vault: Option<[u8; 20]>,
    expires_ms: Option<u64>,
}

impl Eip712 {
    pub(super) fn compile(written: Written) -> Result<Coded, DialectError> {
        let chains = &written.signature_chains;
        if chains.is_empty() || chains.iter().any(|chain| chain_id(chain).is_none()) {
            return Err(wrong(
                "signing.signature_chains",
                "ids in hexadecimal, such as 0x66eee",
            ));
        }
        for (kind, action) in &written.user_signed {
            if action.fields.last().map(|(_, kind)| *kind) != Some(Type::Uint64) {
                let field = format!("signing.user_signed.{kind}.fields");
                return Err(wrong(&field, "the last is the nonce, a uint64"));
            }
        }
        let TimeRule {
            window_default_ms,
            window_max_ms,
            ahead_ms,
        } = written.time;
        let rule = bounds(window_default_ms, window_max_ms, ahead_ms, "signing")?;
        let code = Box::new(Self {
            written,
            whole: domain("Exchange", WHOLE_CHAIN),
        });
        Ok(Coded { code, rule })
    }

    /// Returns what is signed of `body`.
    fn digest(&self, body: &Body<'_>) -> Result<[u8; 32], Refusal> {
        match self.written.user_signed.get(&body.kind) {
            Some(action) => self.by_fields(body, action),
            None => Ok(typed(&self.whole, &self.agent(body)?)),
        }
    }

    /// Returns the hash of an action that is signed whole.
    fn connection(body: &Body<'_>) -> Result<[u8; 32], Refusal> {
        let mut bytes = Vec::with_capacity(body.action.len());
        msgpack::append(body.action, &mut bytes)?;
        bytes.extend(body.nonce.to_be_bytes());
        match &body.vault {
            None => bytes.push(0),
            Some(vault) => {
                bytes.push(1);
                bytes.extend(vault);
            }
        }
        if let Some(expires_ms) = body.expires_ms {
            bytes.push(0);
            bytes.extend(expires_ms.to_be_bytes());
        }
        Ok(keccak256(&bytes))
    }

    fn agent(&self, body: &Body<'_>) -> Result<[u8; 32], Refusal> {
        let source = match self.written.chain {
            Chain::Mainnet => b"a",
            Chain::Testnet => b"b",
        };
        let hashed = [keccak256(AGENT), keccak256(source), Self::connection(body)?];
        Ok(keccak256(hashed.as_flattened()))
    }

    fn by_fields(&self, body: &Body<'_>, action: &UserSigned) -> Result<[u8; 32], Refusal> {
        if body.vault.is_some() || body.expires_ms.is_some() {
            // They are not signed with it.
            return Err(Refusal::new(Code::FormParameterUnknown).field("vaultAddress"));
        }
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        json::values(body.action, &mut |value| {
            values.insert(value.path.to_owned(), value.raw.to_owned());
            Ok(())
        })?;
        let missing = |name: &str| Refusal::new(Code::FormParameterMissing).field(name);
        let mut take = |name: &str| values.remove(name).ok_or_else(|| missing(name));
        take("type")?;
        let invalid = |name: &str| Refusal::new(Code::FormParameterInvalid).field(name);
        let chain = text(&take("signatureChainId")?).filter(|id| {
            let known = &self.written.signature_chains;
            known.contains(id)
        });
        let chain = chain.as_deref().and_then(chain_id);
        let chain = chain.ok_or_else(|| invalid("signatureChainId"))?;
        let said = text(&take("hyperliquidChain")?);
        let own = format!("{:?}", self.written.chain);
        if said.as_ref() != Some(&own) {
            return Err(invalid("hyperliquidChain"));
        }
        let mut kind = format!(
            "HyperliquidTransaction:{}(string hyperliquidChain",
            action.name
        );
        let mut hashed = keccak256(own.as_bytes()).to_vec();
        let mut nonce = String::new();
        for (name, written) in &action.fields {
            let raw = take(name)?;
            kind.push_str(&format!(",{} {name}", written.as_str()));
            hashed.extend(written.encode(&raw).ok_or_else(|| invalid(name))?);
            nonce = raw;
        }
        kind.push(')');
        // What is not signed could be anybody's.
        if let Some(name) = values.keys().next() {
            return Err(Refusal::new(Code::FormParameterUnknown).field(name));
        }
        if nonce != body.nonce.to_string() {
            return Err(invalid("nonce"));
        }
        let hashed = [&keccak256(kind.as_bytes()), &*hashed].concat();
        let domain = domain("HyperliquidSignTransaction", chain);
        Ok(typed(&domain, &keccak256(&hashed)))
    }

    /// Returns the nonce of an action that is signed field by field, by name.
    fn nonce_name(&self, kind: &str) -> Option<&str> {
        let action = self.written.user_signed.get(kind)?;
        action.fields.last().map(|(name, _)| name.as_str())
    }
}

impl SchemeCode for Eip712 {
    fn read(&self, source: &Source<'_>, proof: &mut Proof) -> Result<(), Refusal> {
        if !source.head.query.is_empty() {
            return Err(Refusal::new(Code::FormMalformed).field("query"));
        }
        let signature = signature(source.body)?;
        let body = body(source.body)?;
        let digest = self.digest(&body)?;
        let (r, s, v) = signature;
        let recovered = Recovered::from_signature(&digest, &r, &s, v);
        let recovered = recovered.ok_or(Code::SignatureInvalid)?;
        proof.key_id.push_str(&recovered.address().to_string());
        proof.payload.extend(digest);
        proof.recovered = Some(recovered);
        let window_ms = self.written.time.window_default_ms;
        let ends = || Refusal::new(Code::TimeMalformed).field("expiresAfter");
        let window_ms = match body.expires_ms {
            Some(until) => until
                .checked_sub(body.nonce)
                .ok_or_else(ends)?
                .min(window_ms),
            None => window_ms,
        };
        proof.stamp = Some(Stamp {
            time_us: body.nonce.checked_mul(1000).ok_or(Code::TimeMalformed)?,
            window_us: window_ms * 1000,
        });
        Ok(())
    }

    fn absent(&self, _: &Head<'_>, pairs: &Pairs) -> Result<(), Refusal> {
        let mut names = pairs.iter().map(|(_, name, _)| name);
        match names.any(|name| name.split('.').next() == Some("signature")) {
            true => Err(Refusal::new(Code::SignatureTwofold).field("signature")),
            false => Ok(()),
        }
    }

    fn steps(&self, source: &Source<'_>) -> Result<Vec<(String, Vec<u8>)>, Refusal> {
        let body = body(source.body)?;
        let mut steps = vec![("action".to_owned(), body.kind.clone().into_bytes())];
        if !self.written.user_signed.contains_key(&body.kind) {
            let mut packed = Vec::new();
            msgpack::append(body.action, &mut packed)?;
            steps.push(("msgpack".to_owned(), packed));
            steps.push((
                "connection id".to_owned(),
                Self::connection(&body)?.to_vec(),
            ));
        }
        steps.push(("digest".to_owned(), self.digest(&body)?.to_vec()));
        Ok(steps)
    }

    fn sign(&self, draft: &Draft<'_>, seal: &Seal<'_>) -> Result<Signed, Refusal> {
        let nonce = seal.now_us / 1000;
        let action = json::find(draft.body, "action")?.ok_or_else(|| missing("action"))?;
        let kind = kind(action)?;
        let action = match self.nonce_name(&kind) {
            Some(name) => renewed(action, name, nonce)?,
            None => action.to_owned(),
        };
        let mut text = format!("{{\"action\":{action},\"nonce\":{nonce}");
        for name in ["vaultAddress", "expiresAfter"] {
            if let Some(raw) = json::find(draft.body, name)?.filter(|raw| *raw != "null") {
                text.push_str(&format!(",\"{name}\":{raw}"));
            }
        }
        let digest = self.digest(&body(&format!("{text}}}"))?)?;
        let raw = seal.key.sign_digest(&digest);
        let raw = raw.ok_or(Code::SignatureAlgorithm)?;
        let (r, s, v) = (hex(&raw[..32]), hex(&raw[32..64]), raw[64]);
        let signature = json!({"r": r, "s": s, "v": v});
        text.push_str(&format!(",\"signature\":{signature}}}"));
        Ok(Signed {
            query: draft.query.to_owned(),
            headers: draft.headers.clone(),
            body: text,
        })
    }

    fn describe(&self) -> Description {
        Description {
            payload: vec![
                "the action whole, as MessagePack, with nonce, vault and end".to_owned(),
                "or its fields as typed data".to_owned(),
            ],
            algorithms: vec!["secp256k1 of EIP-712, recovered".to_owned()],
            places: vec![
                ("key", "the address that signature recovers to".to_owned()),
                (
                    "signature",
                    "parameters signature.r, signature.s and signature.v".to_owned(),
                ),
                ("time", "parameter nonce".to_owned()),
                ("window", "parameter expiresAfter".to_owned()),
            ],
            holes: vec!["method", "path", "host", "query"],
        }
    }

    fn without_signature(&self, text: &str) -> Option<String> {
        json::find(text, "signature").ok().flatten()?;
        let mut rest = String::with_capacity(text.len());
        for name in ["action", "nonce", "vaultAddress", "expiresAfter"] {
            if let Some(raw) = json::find(text, name).ok().flatten() {
                let before = if rest.is_empty() { '{' } else { ',' };
                rest.push(before);
                rest.push_str(&format!("\"{name}\":{raw}"));
            }
        }
        rest.push('}');
        Some(rest)
    }
}

impl Type {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Bool => "bool",
            Self::String => "string",
            Self::Uint64 => "uint64",
        }
    }

    /// Returns the word that stands for a value in the hash; none for a value of another type.
    fn encode(self, raw: &str) -> Option<[u8; 32]> {
        let mut word = [0; 32];
        match self {
            Self::Address => word[12..].copy_from_slice(&address(raw)?),
            Self::Bool => word[31] = u8::from(raw.parse::<bool>().ok()?),
            Self::String => word = keccak256(text(raw)?.as_bytes()),
            Self::Uint64 => word[24..].copy_from_slice(&number(raw)?.to_be_bytes()),
        }
        Some(word)
    }
}

fn domain(name: &str, chain: u64) -> [u8; 32] {
    let mut words = [[0; 32]; 5];
    words[0] = keccak256(DOMAIN);
    words[1] = keccak256(name.as_bytes());
    words[2] = keccak256(b"1");
    words[3][24..].copy_from_slice(&chain.to_be_bytes());
    keccak256(words.as_flattened())
}

/// EIP-712: the digest of typed data in a domain.
fn typed(domain: &[u8; 32], data: &[u8; 32]) -> [u8; 32] {
    keccak256(&[b"\x19\x01", &domain[..], data].concat())
}

fn missing(name: &str) -> Refusal {
    Refusal::new(Code::FormParameterMissing).field(name)
}

fn invalid(name: &str) -> Refusal {
    Refusal::new(Code::FormParameterInvalid).field(name)
}

/// Reads the parts of a body that are signed; one that has others is refused.
fn body(text: &str) -> Result<Body<'_>, Refusal> {
    let mut unknown = None;
    json::values(text, &mut |value| {
        let outer = value.path.split('.').next().unwrap_or_default();
        let known = [
            "action",
            "expiresAfter",
            "nonce",
            "signature",
            "vaultAddress",
        ];
        if !known.contains(&outer) {
            unknown = Some(outer.to_owned());
        }
        Ok(())
    })?;
    if let Some(name) = unknown {
        return Err(Refusal::new(Code::FormParameterUnknown).field(&name));
    }
    let action = json::find(text, "action")?.ok_or_else(|| missing("action"))?;
    let nonce = json::find(text, "nonce")?.ok_or(Code::TimeMissing)?;
    let given = |name: &str| Ok::<_, Refusal>(json::find(text, name)?.filter(|raw| *raw != "null"));
    let malformed = |name: &str| Refusal::new(Code::TimeMalformed).field(name);
    let expires_ms = given("expiresAfter")?;
    let expires_ms = expires_ms.map(|raw| number(raw).ok_or_else(|| malformed("expiresAfter")));
    let vault = given("vaultAddress")?;
    // ccxt writes it without its `0x`; the same bytes are signed.
    let plain =
        |raw: &str| address(raw).or_else(|| bytes(raw.strip_prefix('"')?.strip_suffix('"')?));
    let vault = vault.map(|raw| plain(raw).ok_or_else(|| invalid("vaultAddress")));
    Ok(Body {
        action,
        kind: kind(action)?,
        nonce: number(nonce).ok_or_else(|| malformed("nonce"))?,
        vault: vault.transpose()?,
        expires_ms: expires_ms.transpose()?,
    })
}

fn kind(action: &str) -> Result<String, Refusal> {
    let raw = json::find(action, "type")?.ok_or_else(|| missing("action.type"))?;
    text(raw).ok_or_else(|| invalid("action.type"))
}

type Parts = ([u8; 32], [u8; 32], u8);

/// Reads r, s and v. Some clients leave leading zeros out.
fn signature(body: &str) -> Result<Parts, Refusal> {
    let part = |name: &str| json::find(body, name);
    let (r, s, v) = (
        part("signature.r")?,
        part("signature.s")?,
        part("signature.v")?,
    );
    let (Some(r), Some(s), Some(v)) = (r, s, v) else {
        return Err(Code::SignatureMissing.into());
    };
    let malformed = || Refusal::from(Code::SignatureMalformed);
    let scalar = |raw: &str| {
        let digits = text(raw)?;
        let digits = digits
            .strip_prefix("0x")
            .filter(|digits| !digits.is_empty())?;
        let padded = format!("{digits:0>64}");
        bytes::<32>(&padded)
    };
    let v = number(v).and_then(|v| u8::try_from(v).ok());
    Ok((
        scalar(r).ok_or_else(malformed)?,
        scalar(s).ok_or_else(malformed)?,
        v.ok_or_else(malformed)?,
    ))
}

/// Returns what a JSON text stands for; none for another kind of value.
fn text(raw: &str) -> Option<String> {
    let mut text = String::new();
    raw.strip_prefix('"')?;
    json::append(raw, &mut text).ok()?;
    Some(text)
}

/// Returns what a whole number stands for.
fn number(raw: &str) -> Option<u64> {
    let plain = raw.bytes().all(|byte| byte.is_ascii_digit());
    raw.parse().ok().filter(|_| plain)
}

fn address(raw: &str) -> Option<[u8; 20]> {
    bytes(text(raw)?.strip_prefix("0x")?)
}

fn chain_id(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x")?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| plain)
}

fn bytes<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut out = [0; N];
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = (digit(*high)? << 4 | digit(*low)?) as u8;
    }
    Some(out)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |mut text, byte| {
        text.push_str(&format!("{byte:02x}"));
        text
    })
}

/// Returns an action with another nonce.
fn renewed(action: &str, name: &str, nonce: u64) -> Result<String, Refusal> {
    let raw = json::find(action, name)?.ok_or_else(|| missing(name))?;
    let at = raw.as_ptr() as usize - action.as_ptr() as usize;
    let (before, after) = (action.get(..at), action.get(at + raw.len()..));
    let (before, after) = before.zip(after).ok_or_else(|| missing(name))?;
    Ok(format!("{before}{nonce}{after}"))
}
