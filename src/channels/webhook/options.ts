// The keys of a webhook channel. The address and every header's value are secrets: nobody can
// tell from outside which of them lets one in.

import { parseTemplate, render, type Template } from "../../alerts/template.ts";
import { PLACEHOLDERS, type Values } from "../../alerts/values.ts";
import { type ConfigNode, type Section, wrongUrl } from "../../config/node.ts";
import { Secret } from "../../config/secret.ts";
import { readCaFile } from "../http.ts";

/** The methods that a webhook can be called by. GET carries no body. */
export const METHODS = ["POST", "PUT", "PATCH", "GET"] as const;
export type Method = typeof METHODS[number];

/** The formats that a template can be of; each has its own way to escape a value. */
export const CONTENT_TYPES = [
  "application/json",
  "application/x-www-form-urlencoded",
  "text/plain",
] as const;
export type ContentType = typeof CONTENT_TYPES[number];

/** The whole alert as JSON, or a text of the user's own. */
export type Body = "json" | { readonly template: Template; readonly contentType: ContentType };

/** Keys of a JSON object, each with the values that are meant, at least one. */
export type JsonValues = Readonly<Record<string, readonly JsonValue[]>>;
type JsonValue = string | number | boolean;

/** An opened section. */
export interface WebhookOptions {
  readonly url: Secret;
  readonly method: Method;
  readonly headers: Readonly<Record<string, Secret>>;
  /** The address, the headers' values and their words: a service may repeat "xyz" of "Bearer xyz". */
  readonly secrets: readonly Secret[];
  readonly body: Body;
  /** The statuses that mean yes; undefined for any 2xx. */
  readonly expect: readonly number[] | undefined;
  /** What the reply must hold to mean yes. */
  readonly expectBody: RegExp | undefined;
  /** What a reply of JSON must say to mean yes. */
  readonly expectJson: JsonValues | undefined;
  /** What a reply of JSON says that means: not now. */
  readonly retryJson: JsonValues | undefined;
  readonly caCert: string | undefined;
}

/** Reads the section of a webhook channel. */
export function parseOptions(section: Section): WebhookOptions {
  const method = section.optional("method")?.oneOf(METHODS) ?? "POST";
  const body = section.optional("body");
  if (method === "GET" && body !== undefined) body.problem("a GET carries no body; use POST");
  const url = readUrl(section.required("url"));
  const headers = readHeaders(section.optional("headers"));
  const words = Object.values(headers).flatMap(wordsOf);
  section.node.reading.secrets.push(...words);
  return {
    url,
    method,
    headers,
    secrets: [url, ...Object.values(headers), ...words],
    body: body === undefined ? "json" : readBody(body),
    expect: section.optional("expect")?.list((item) => item.integer({ min: 200, max: 599 })),
    expectBody: section.optional("expect_body")?.pattern(),
    expectJson: readValues(section.optional("expect_json")),
    retryJson: readValues(section.optional("retry_json")),
    caCert: readCaFile(section),
  };
}

function readUrl(node: ConfigNode): Secret {
  const before = node.reading.problems.length;
  const url = node.secretLine();
  if (url.reveal() === "" || node.reading.problems.length > before) return url;
  const wrong = wrongUrl(url.reveal(), ["https", "http"]);
  if (wrong !== undefined) node.problem(wrong);
  return url;
}

function readHeaders(node: ConfigNode | undefined): Record<string, Secret> {
  const section = node?.section('{ Authorization: "Bearer TOKEN" }');
  const headers: Record<string, Secret> = {};
  for (const name of section?.keys() ?? []) {
    const item = section!.required(name);
    const value = item.secret();
    if (!isHeader(name, "x")) item.problem("not a name that a header can have");
    else if (!isHeader(name, value.reveal())) {
      item.problem("holds a character that no header can carry");
    }
    headers[name] = value;
  }
  return headers;
}

function wordsOf(value: Secret): Secret[] {
  const words = value.reveal().split(/\s+/).filter((word) => word.length >= 8);
  return words.map((word) => new Secret(word, value.source));
}

function isHeader(name: string, value: string): boolean {
  try {
    return new Headers([[name, value]]).has(name);
  } catch {
    return false;
  }
}

function readValues(node: ConfigNode | undefined): JsonValues | undefined {
  if (node === undefined) return undefined;
  const before = node.reading.problems.length;
  const section = node.section("{ errcode: 0 }");
  const keys = section.keys();
  if (keys.length === 0 && node.reading.problems.length === before) {
    node.problem("expected keys of the answer with their values, as in { errcode: 0 }");
  }
  return Object.fromEntries(keys.map((key) => [key, section.required(key).list(readValue)]));
}

function readValue({ value, path, reading }: ConfigNode): JsonValue {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
    return value;
  }
  reading.problems.push({ path, message: "expected a text, a number, true or false" });
  return "";
}

function readBody(node: ConfigNode): Body {
  if (node.value === "json") return "json";
  const section = node.section(`{ template: '{ "title": "{summary}" }' } or the word json`);
  const templateNode = section.required("template");
  const template = parseTemplate(templateNode);
  const contentType = section.optional("content_type")?.oneOf(CONTENT_TYPES) ??
    "application/json";
  section.end();
  if (contentType === "application/json" && templateNode.value !== undefined && !isJson(template)) {
    node.problem("the template is not JSON once it is filled in; put placeholders in quotes");
  }
  return { template, contentType };
}

/** Fills the template with words, so that a placeholder without quotes is found as well. */
function isJson(template: Template): boolean {
  const words = Object.fromEntries(Object.keys(PLACEHOLDERS).map((name) => [name, "word"]));
  try {
    JSON.parse(render(template, { values: words as Values }));
    return true;
  } catch {
    return false;
  }
}
