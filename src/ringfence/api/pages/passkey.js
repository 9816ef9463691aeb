// What the browser's passkeys take and answer, between JSON and bytes.

export const supported = () => Boolean(globalThis.PublicKeyCredential && navigator.credentials);

export function bytes(text) {
  const padded = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(padded), (one) => one.charCodeAt(0));
}

export function text(content) {
  const joined = Array.from(new Uint8Array(content), (one) => String.fromCharCode(one)).join("");
  return btoa(joined).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

// The challenge is made here, of the text that this page shows.
export async function challengeFor(statement) {
  const said = new TextEncoder().encode(`ringfence/statement/v1\0${statement}`);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", said));
}

const listed = (some) => (some ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

export async function enrol(options, statement) {
  const publicKey = {
    ...options,
    challenge: await challengeFor(statement),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: listed(options.excludeCredentials),
  };
  const made = await navigator.credentials.create({ publicKey });
  return answer(made, {
    clientDataJSON: text(made.response.clientDataJSON),
    attestationObject: text(made.response.attestationObject),
    transports: made.response.getTransports?.() ?? [],
  });
}

export async function use(options, statement, release) {
  const publicKey = {
    ...options,
    challenge: await challengeFor(statement),
    allowCredentials: listed(options.allowCredentials),
    extensions: extensions(options),
  };
  const used = await navigator.credentials.get({ publicKey });
  const more = release ? { sealed: await release(used) } : {};
  return { ...more, ...answer(used, {
    clientDataJSON: text(used.response.clientDataJSON),
    authenticatorData: text(used.response.authenticatorData),
    signature: text(used.response.signature),
    userHandle: used.response.userHandle ? text(used.response.userHandle) : null,
  }) };
}

function extensions(options) {
  const inputs = options.extensions?.prf?.evalByCredential;
  if (!inputs) return {};
  const decoded = Object.entries(inputs).map(([id, its]) => [id, { first: bytes(its.first) }]);
  return { prf: { evalByCredential: Object.fromEntries(decoded) } };
}

// Of what extensions answered, whether there is a PRF: never what it evaluated to.
function answer(credential, response) {
  const prf = credential.getClientExtensionResults().prf;
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: prf ? { prf: { enabled: prf.enabled === true } } : {},
  };
}
