// The keys of a dingtalk channel. People paste the robot's whole address where the token
// belongs, so the token is taken out of it; its host must then be the one we speak to.

import { Secret } from "../../config/secret.ts";
import type { ConfigNode, Section } from "../../config/node.ts";
import { SEVERITIES, type Severity } from "../../rules/pacing.ts";
import { readCaFile, readEndpoint } from "../http.ts";

/** How the robot lays a message out. */
export const FORMATS = ["text", "markdown"] as const;
export type Format = typeof FORMATS[number];

/** Who is called by name. */
export interface Mention {
  readonly mobiles: readonly string[];
  readonly userIds: readonly string[];
  readonly all: boolean;
  /** Only for messages that matter so much at least. */
  readonly from: Severity;
}

/** An opened section. */
export interface DingtalkOptions {
  readonly token: Secret;
  /** The signing key, "SEC…"; undefined when the robot does not ask for signatures. */
  readonly secret: Secret | undefined;
  readonly format: Format;
  readonly mention: Mention;
  /** A word that the robot wants in every message. */
  readonly keyword: string | undefined;
  readonly endpoint: string;
  readonly caCert: string | undefined;
}

const OFFICIAL_ENDPOINT = "https://oapi.dingtalk.com";
const MOBILE = /^(\+\d{1,4}-)?\d{5,15}$/;

/** Reads the section of a dingtalk channel. */
export function parseOptions(section: Section): DingtalkOptions {
  const endpoint = readEndpoint(section, OFFICIAL_ENDPOINT);
  return {
    token: readToken(section.required("token"), endpoint),
    secret: section.optional("secret")?.secret(),
    format: section.optional("format")?.oneOf(FORMATS) ?? "text",
    mention: readMention(section.optional("mention")),
    keyword: section.optional("keyword")?.string(),
    endpoint,
    caCert: readCaFile(section),
  };
}

function readToken(node: ConfigNode, endpoint: string): Secret {
  const given = node.secret();
  const token = new Secret(tokenIn(given.reveal().trim(), node, endpoint), given.source);
  node.reading.secrets.push(token);
  return token;
}

function tokenIn(text: string, node: ConfigNode, endpoint: string): string {
  if (!/^https?:\/\//i.test(text)) {
    if (/[\s/?&=]/.test(text)) {
      node.problem("expected the robot's token, or its whole address with access_token=");
    } else if (/^SEC[0-9a-f]{32,}$/.test(text)) {
      node.problem("this is the robot's signing key; put it under secret, and the token here");
    }
    return text;
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const token = url?.searchParams.get("access_token") ?? "";
  if (url === undefined || token === "") {
    node.problem("expected the robot's token, found an address without access_token=");
  } else if (url.host !== new URL(endpoint).host) {
    node.problem("the address is on another host than endpoint; set endpoint to its host");
  }
  return token;
}

function readMention(node: ConfigNode | undefined): Mention {
  const section = node?.section();
  const mention: Mention = {
    mobiles: section?.optional("mobiles")?.list((item) => item.stringThat(wrongMobile)) ?? [],
    userIds: section?.optional("user_ids")?.list((item) => item.string()) ?? [],
    all: section?.optional("all")?.boolean() ?? false,
    from: section?.optional("from")?.oneOf(SEVERITIES) ?? "info",
  };
  section?.end();
  return mention;
}

function wrongMobile(text: string): string | undefined {
  return MOBILE.test(text)
    ? undefined
    : `expected a number like "13800138000" or "+852-12345678", found "${text}"`;
}
