/** The calls of the server, one function each; a refusal is a `ServerError` with the server's sentence. */

import { reopen } from "./reopen.js";
import { state } from "./state.js";

export class ServerError extends Error {}

const AWAY = "The server does not answer. What was saved is kept; start it again with `zoo annotate`, and go on.";

const MOVED = 412; // another folder is at this address now

/** The address of a call, relative to the page, so that it works behind a prefix too. */
export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const text = new URLSearchParams(given).toString();
  return `api/${path}${text ? `?${text}` : ""}`;
}

/** Plain words that a sentence may begin with, unlike names of checkpoints and files. */
const BEGINS = /^(the|a|an|there|no|nothing|this|give|so|object)\b/;

async function call(method, path, { query, body, file } = {}) {
  const type = file ? "application/octet-stream" : body && "application/json";
  // What is shown may be of another folder than the server's by now, with an image of the same name.
  const headers = { ...(type && { "Content-Type": type }), ...(state.image && { "X-Root": state.image.root }) };
  let answer;
  try {
    answer = await fetch(address(path, query), { method, headers, body: file ?? JSON.stringify(body) });
  } catch {
    throw new ServerError(AWAY);
  }
  if (answer.status === MOVED) reopen();
  if (!answer.ok) throw new ServerError(await sentence(answer));
  return answer;
}

/** What the server says is wrong. */
async function sentence(answer) {
  try {
    const { detail } = await answer.json();
    if (typeof detail === "string") return detail.replace(BEGINS, (word) => word[0].toUpperCase() + word.slice(1));
    if (Array.isArray(detail) && detail[0]?.msg) return `${detail[0].msg} (${detail[0].loc?.join(".")})`;
  } catch {
    // Not JSON: something else than our server answered.
  }
  return `The server refused this (${answer.status} ${answer.statusText}); try again.`;
}

const json = async (...given) => (await call(...given)).json();
const one = (id, rest = "") => `objects/${encodeURIComponent(id)}${rest}`;

export const about = () => json("GET", "about");
export const images = (folder) => json("GET", "images", { query: { folder } });
export const image = (name) => json("GET", "image", { query: { image: name } });
export const revision = (name, since) => json("GET", "revision", { query: { image: name, since } });
export const objects = (name) => json("GET", "objects", { query: { image: name } });
export const create = (body) => json("POST", "objects", { body });
export const change = (id, body) => json("PATCH", one(id), { body });
export const remove = (id) => json("DELETE", one(id));
export const interact = (id, interactions) => json("POST", one(id, "/interactions"), { body: { interactions } });
export const forget = (id, number) => json("DELETE", one(id, `/interactions/${number}`));
export const step = (id, which) => json("POST", one(id, `/${which}`)); // undo, redo, reset, restore
export const edit = (id, polygon, add) => json("POST", one(id, "/edit"), { body: { polygon, add } });
export const many = (body) => json("POST", "many", { body });
export const bring = (body) => json("POST", "import", { body });
export const bringLabels = (query, file) => json("POST", "import/labels", { query, file });

/** The mask or the probability as a picture of the region, with the revision that it is of. */
export async function mask(id, kind) {
  const answer = await call("GET", one(id, "/mask.png"), { query: { kind } });
  return { blob: await answer.blob(), revision: answer.headers.get("X-Revision") };
}

/** A file of all objects of an image, and the name that the server gives it. */
export async function exported(name, format) {
  const answer = await call("GET", "export", { query: { image: name, format } });
  const told = /filename\*=utf-8''([^;]+)/.exec(answer.headers.get("Content-Disposition") ?? "");
  return { blob: await answer.blob(), name: told ? decodeURIComponent(told[1]) : format };
}
