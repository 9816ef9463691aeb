// Shows what a statement says: every word of the text that is signed, and nothing but that text.

const TITLES = {
  "passkey.enrol": ["Enrol a passkey", "The passkey that you make now proves from then on that it is you."],
  "step-up": ["Prove that it is you", "Your passkey proves to the gateway that you are there now."],
  "seal.open": ["Open the gateway's keys", "Your passkey releases what opens the state folder, to the command that waits."],
  "seal.add": ["Let a passkey open the gateway's keys", "From then on this passkey opens the state folder."],
  "approval.approve": ["Approve what is asked for", "Read it. Your passkey signs exactly this, and exactly this is done."],
};
const BUTTONS = {
  "passkey.enrol": "Make the passkey",
  "step-up": "Use your passkey",
  "seal.open": "Open with your passkey",
  "seal.add": "Use this passkey",
  "approval.approve": "Approve with your passkey",
};
const NAMES = {
  act: "what is done",
  asked_us: "asked for at",
  expires_us: "not after",
  need: "approvals needed",
  not_before_us: "not before",
  requester: "asked for by",
};
// What has no meaning to people; the signed text below has it.
const LEFT_OUT = new Set(["nonce", "recipient"]);

export function titles(said) {
  const [title, lead] = TITLES[said.act] ?? ["Use your passkey", "Your passkey signs what is below."];
  return { title, lead, button: BUTTONS[said.act] ?? "Use your passkey" };
}

export function facts(said) {
  const rows = Object.entries(said).filter(([name]) => !LEFT_OUT.has(name) && name !== "act");
  return rows.map(([name, value]) => fact(name, value));
}

function fact(name, value) {
  const row = document.createElement("div");
  row.className = "fact";
  const term = document.createElement("dt");
  term.textContent = NAMES[name] ?? plain(name.replaceAll("_", " "));
  const what = document.createElement("dd");
  if (value !== null && typeof value === "object" && !Array.isArray(value)) {
    const inner = document.createElement("dl");
    inner.append(...Object.entries(value).map(([each, its]) => fact(each, its)));
    what.append(inner);
  } else if (Array.isArray(value) && value.length) {
    what.append(...value.map((one) => item(one)));
  } else {
    what.textContent = written(name, value);
  }
  row.append(term, what);
  return row;
}

function item(value) {
  const row = document.createElement("div");
  row.textContent = typeof value === "object" ? plain(JSON.stringify(value)) : written("", value);
  return row;
}

function written(name, value) {
  if (name.endsWith("_us") && Number.isSafeInteger(value)) {
    return `${new Date(value / 1000).toISOString().replace("T", " ").slice(0, 19)} UTC`;
  }
  // No text is shown so: what is not plain stands there by its number.
  if (value === null || value === "" || Array.isArray(value)) return "\u2014";
  return typeof value === "string" ? plain(value) : JSON.stringify(value);
}

// Letters that look like others, or turn the writing round, are shown by their numbers.
export function plain(text) {
  return text.replace(/[^\x20-\x7e]/gu, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);
}
