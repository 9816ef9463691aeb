//! Hyperliquid's actions: typed data (EIP-712), signed by a wallet that is recovered from its signature.
//!
//! Most actions are hashed whole, as MessagePack; those that move funds out are signed field by field, so that a wallet
//! can show them. Source: Hyperliquid docs, "Exchange endpoint" and "Signing" (read 2026-11); hyperliquid-python-sdk
//! 0.24.0, `utils/signing.py`; ccxt 4.5.90.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

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

mod sent;

use sent::{Body, Sent};

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
    /// Hashes of what an agent is, and of the chain that it acts on.
    agent: [[u8; 32]; 2],
}

const DOMAIN: &[u8] =
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const AGENT: &[u8] = b"Agent(string source,bytes32 connectionId)";
/// The chain id of actions that are signed whole, whatever chain is meant.
const WHOLE_CHAIN: u64 = 1337;

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
        let source = match written.chain {
            Chain::Mainnet => b"a",
            Chain::Testnet => b"b",
        };
        let code = Box::new(Self {
            written,
            whole: domain("Exchange", WHOLE_CHAIN),
            agent: [keccak256(AGENT), keccak256(source)],
        });
        Ok(Coded { code, rule })
    }

    /// Returns what is signed of `body`.
    fn digest(&self, body: &Body<'_>) -> Result<[u8; 32], Refusal> {
        match self.written.user_signed.get(&*body.kind) {
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
        let [kind, source] = self.agent;
        let hashed = [kind, source, Self::connection(body)?];
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
        let chain = take("signatureChainId")?;
        let chain = text(&chain).filter(|id| {
            let known = &self.written.signature_chains;
            known.iter().any(|one| one == id)
        });
        let chain = chain.as_deref().and_then(chain_id);
        let chain = chain.ok_or_else(|| invalid("signatureChainId"))?;
        let said = take("hyperliquidChain")?;
        let own = format!("{:?}", self.written.chain);
        if text(&said).is_none_or(|said| said != own) {
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
        let sent = Sent::read(source.body)?;
        let (r, s, v) = sent.signature()?;
        let body = sent.body()?;
        let digest = self.digest(&body)?;
        let recovered = Recovered::from_signature(&digest, &r, &s, v);
        let recovered = recovered.ok_or(Code::SignatureInvalid)?;
        // Writing to a text cannot fail.
        let _ = write!(proof.key_id, "{}", recovered.address());
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
        let body = Sent::read(source.body)?.body()?;
        let mut steps = vec![("action".to_owned(), body.kind.as_bytes().to_vec())];
        if !self.written.user_signed.contains_key(&*body.kind) {
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
        let kind = json::find(action, "type")?.ok_or_else(|| missing("action.type"))?;
        let kind = text(kind).ok_or_else(|| invalid("action.type"))?;
        let action = match self.nonce_name(&kind) {
            Some(name) => renewed(action, name, nonce)?,
            None => action.to_owned(),
        };
        let mut signed = format!("{{\"action\":{action},\"nonce\":{nonce}");
        for name in ["vaultAddress", "expiresAfter"] {
            if let Some(raw) = json::find(draft.body, name)?.filter(|raw| *raw != "null") {
                signed.push_str(&format!(",\"{name}\":{raw}"));
            }
        }
        let digest = self.digest(&Sent::read(&format!("{signed}}}"))?.body()?)?;
        let raw = seal.key.sign_digest(&digest);
        let raw = raw.ok_or(Code::SignatureAlgorithm)?;
        let (r, s, v) = (hex(&raw[..32]), hex(&raw[32..64]), raw[64]);
        let signature = json!({"r": r, "s": s, "v": v});
        signed.push_str(&format!(",\"signature\":{signature}}}"));
        Ok(Signed {
            query: draft.query.to_owned(),
            headers: draft.headers.clone(),
            body: signed,
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
    let mut bytes = [0; 66];
    bytes[..2].copy_from_slice(b"\x19\x01");
    bytes[2..34].copy_from_slice(domain);
    bytes[34..].copy_from_slice(data);
    keccak256(&bytes)
}

fn missing(name: &str) -> Refusal {
    Refusal::new(Code::FormParameterMissing).field(name)
}

fn invalid(name: &str) -> Refusal {
    Refusal::new(Code::FormParameterInvalid).field(name)
}

/// Returns what a JSON text stands for; none for another kind of value.
fn text(raw: &str) -> Option<Cow<'_, str>> {
    raw.strip_prefix('"')?;
    json::said(raw).ok()
}

/// Returns what a whole number stands for.
fn number(raw: &str) -> Option<u64> {
    let plain = raw.bytes().all(|byte| byte.is_ascii_digit());
    raw.parse().ok().filter(|_| plain)
}

fn address(raw: &str) -> Option<[u8; 20]> {
    bytes(text(raw)?.strip_prefix("0x")?.as_bytes())
}

fn chain_id(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x")?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| plain)
}

fn bytes<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let (pairs, rest) = digits.as_chunks::<2>();
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
