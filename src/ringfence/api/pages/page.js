// The gateway's page: told by the link what it is for, it shows that and asks for a passkey.

import { enrol, supported, use } from "/passkey.js";
import { release } from "/seal.js";
import { facts, plain, titles } from "/shown.js";

const STALE_MS = 60_000;
const at = (id) => document.getElementById(id);
const token = location.hash.slice(1);
let task = null;

async function ask(path, more) {
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, ...more }),
    });
  } catch {
    throw { message: "the gateway does not answer", hint: "see whether it runs, then reload this page" };
  }
  const said = await answer.json();
  if (!answer.ok) throw said;
  return said;
}

async function begin() {
  const begun = await ask("/begin", {});
  const said = JSON.parse(begun.statement);
  return { ...begun, said, meaning: JSON.stringify({ ...said, nonce: "" }), at: performance.now() };
}

function show() {
  const { title, lead, button } = titles(task.said);
  document.title = `${title} - Ringfence`;
  at("title").textContent = title;
  at("lead").textContent = lead;
  at("facts").replaceChildren(...facts(task.said));
  at("text").textContent = plain(task.statement);
  at("go").textContent = button;
  at("task").hidden = false;
  at("title").focus();
}

async function go() {
  at("go").disabled = true;
  at("problem").replaceChildren();
  at("status").textContent = "Your browser asks for the passkey.";
  try {
    if (performance.now() - task.at > STALE_MS) {
      const before = task.meaning;
      task = await begin();
      show();
      if (task.meaning !== before) throw { message: "what is asked for has changed", hint: "read it again" };
    }
    done(await ask("/finish", { answer: await answered() }));
  } catch (error) {
    at("status").textContent = "";
    problem(error);
    task.at = -STALE_MS;
    at("go").disabled = false;
  }
}

function answered() {
  if (task.kind === "enrol") return enrol(task.options, task.statement);
  const begun = task;
  const releasing = begun.kind === "seal" ? (used) => release(used, begun) : null;
  return use(begun.options, begun.statement, releasing);
}

function done({ said }) {
  at("task").hidden = true;
  at("title").textContent = "Done";
  at("lead").textContent = "You can close this page; the command goes on.";
  at("status").className = "good";
  at("status").textContent = `${said[0].toUpperCase()}${said.slice(1)}.`;
  at("title").focus();
}

function problem(error) {
  const { message, hint } = sentence(error);
  const what = document.createElement("p");
  what.className = "bad";
  what.textContent = `${message[0].toUpperCase()}${message.slice(1)}.`;
  const then = document.createElement("p");
  then.textContent = hint ? `${hint[0].toUpperCase()}${hint.slice(1)}.` : "";
  at("problem").replaceChildren(what, then);
}

// What a browser throws, in words that help (WebAuthn level 3, sections 5.1.3 and 5.1.4).
function sentence(error) {
  switch (error?.name) {
    case "NotAllowedError":
      return {
        message: "no passkey was used: it was cancelled, took too long, or could not tell that it is you",
        hint: "try again; a passkey here needs your fingerprint, face or PIN",
      };
    case "InvalidStateError":
      return { message: "this device has a passkey of yours already", hint: "take another device" };
    case "SecurityError":
      return {
        message: "the browser does not take this address for the gateway's",
        hint: "compare the address bar with admin.pages.origin and rp_id in the configuration",
      };
    case "NotSupportedError":
      return { message: "this device cannot make such a passkey", hint: "take another device" };
  }
  if (error?.message && error.code !== undefined && !(error instanceof Error)) return error;
  return { message: error?.message ?? "that failed", hint: error?.hint ?? "reload this page and try again" };
}

async function start() {
  try {
    if (!token) throw { message: "this link is not whole", hint: "open it as the command printed it" };
    if (!supported()) throw { message: "this browser has no passkeys", hint: "open the link in another" };
    task = await begin();
    show();
  } catch (error) {
    at("title").textContent = "This cannot be done";
    at("lead").textContent = "";
    problem(error);
  }
}

at("go").addEventListener("click", go);
await start();
