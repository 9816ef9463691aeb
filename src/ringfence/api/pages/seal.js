// What a passkey's PRF releases: a key that opens one wrapping of one seal, sealed to the command that asked.
// HPKE as RFC 9180 has it, base mode, of DHKEM(P-256, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM.

import { bytes, text } from "/passkey.js";

const utf8 = (said) => new TextEncoder().encode(said);
const KEM = [...utf8("KEM"), 0, 0x10];
const HPKE = [...utf8("HPKE"), 0, 0x10, 0, 1, 0, 2];

function joined(...parts) {
  return Uint8Array.from(parts.flatMap((one) => [...new Uint8Array(one)]));
}

async function hmac(key, content) {
  // An empty key is one of zeros, which every browser takes.
  const raw = key.length ? key : new Uint8Array(32);
  const made = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", made, content));
}

const extract = (suite, salt, label, ikm) =>
  hmac(salt, joined(utf8("HPKE-v1"), suite, utf8(label), ikm));

// One block of HMAC is enough for all that is expanded here.
const expand = async (suite, prk, label, info, length) =>
  (await hmac(prk, joined([0, length], utf8("HPKE-v1"), suite, utf8(label), info, [1]))).slice(0, length);

export async function sealTo(recipient, info, content) {
  const curve = { name: "ECDH", namedCurve: "P-256" };
  const theirs = await crypto.subtle.importKey("raw", recipient, curve, false, []);
  const mine = await crypto.subtle.generateKey(curve, false, ["deriveBits"]);
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", mine.publicKey));
  const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: theirs }, mine.privateKey, 256);
  const none = new Uint8Array();
  const agreed = await extract(KEM, none, "eae_prk", shared);
  const secret = await expand(KEM, agreed, "shared_secret", joined(point, recipient), 32);
  const about = joined(
    [0],
    await extract(HPKE, none, "psk_id_hash", none),
    await extract(HPKE, none, "info_hash", info),
  );
  const prk = await extract(HPKE, secret, "secret", none);
  const key = await expand(HPKE, prk, "key", about, 32);
  const iv = await expand(HPKE, prk, "base_nonce", about, 12);
  const cipher = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, cipher, content);
  return joined(point, sealed);
}

// The PRF's output goes no further than this.
async function released(output, salt, rpId, credentialId) {
  const name = utf8(rpId);
  const info = joined(utf8("ringfence/prf-kek/v1"), [name.length >> 8, name.length & 255], name, credentialId);
  const key = await crypto.subtle.importKey("raw", output, "HKDF", false, ["deriveBits"]);
  const how = { name: "HKDF", hash: "SHA-256", salt, info };
  return new Uint8Array(await crypto.subtle.deriveBits(how, key, 256));
}

export async function release(credential, begun) {
  const output = credential.getClientExtensionResults().prf?.results?.first;
  if (!output) {
    throw {
      message: "this passkey, or this browser, has no PRF: it proves who you are and opens no seal",
      hint: "use another passkey, or the recovery passphrase: end the command, and `ringfence --unlock-recovery` it",
    };
  }
  const salt = bytes(begun.salts[text(credential.rawId)]);
  const key = await released(output, salt, begun.options.rpId, credential.rawId);
  const said = JSON.parse(begun.statement);
  const recipient = Uint8Array.from(atob(said.recipient), (one) => one.charCodeAt(0));
  const sealed = await sealTo(recipient, utf8(`ringfence/released/v1\0${begun.statement}`), key);
  key.fill(0);
  new Uint8Array(output).fill(0);
  return text(sealed);
}
