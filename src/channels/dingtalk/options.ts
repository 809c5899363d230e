// The keys of a dingtalk channel. People paste the robot's whole address where the token
// belongs, so the token is taken out of it; its host must then be the one we speak to. What the
// robot would refuse at the first crash is a problem here.

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
  /** Undefined: every message but that something is over. */
  readonly from: Severity | undefined;
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

/** In any script: a keyboard's own, and those that a word processor makes of them. */
const QUOTATION_MARK = /["'`\u2018\u2019\u201c\u201d\uff02\uff07]/;

/** Reads the section of a dingtalk channel. */
export function parseOptions(section: Section): DingtalkOptions {
  const endpoint = readEndpoint(section, OFFICIAL_ENDPOINT);
  refuseRobotPath(section.optional("endpoint"), endpoint);
  return {
    token: readToken(section.required("token"), endpoint),
    secret: readSigningKey(section.optional("secret"), endpoint),
    format: section.optional("format")?.oneOf(FORMATS) ?? "text",
    mention: readMention(section.optional("mention")),
    keyword: section.optional("keyword")?.string(),
    endpoint,
    caCert: readCaFile(section),
  };
}

/** That path is ours to add: twice in the address it leads nowhere. */
function refuseRobotPath(node: ConfigNode | undefined, endpoint: string): void {
  if (node === undefined) return;
  if (/\/robot\/send\/*$/.test(new URL(endpoint).pathname)) {
    node.problem("must not end with /robot/send, which superbell adds itself; leave that out");
  }
}

/** What DingTalk itself makes as a key; a token is of hexadecimal digits alone. */
const SIGNING_KEY = /^SEC[0-9a-f]{4,}$/;

/** DingTalk makes every signing key begin with SEC; an installation of one's own may not. */
function readSigningKey(node: ConfigNode | undefined, endpoint: string): Secret | undefined {
  if (node === undefined) return undefined;
  const { problems, secrets } = node.reading;
  const before = problems.length;
  const given = node.secretLine();
  const key = new Secret(given.reveal().trim(), given.source);
  secrets.push(key);
  const text = key.reveal();
  if (problems.length > before) return key;
  if (QUOTATION_MARK.test(text)) {
    node.problem("holds a quotation mark; write the signing key without it");
  } else if (text !== "" && !text.startsWith("SEC")) {
    const message = "the robot's signing key begins with SEC, and this does not; " +
      "without a signature (加签) in the robot's settings leave secret out";
    if (new URL(endpoint).host === new URL(OFFICIAL_ENDPOINT).host) node.problem(message);
    else node.warning(message);
  }
  return key;
}

function readToken(node: ConfigNode, endpoint: string): Secret {
  const { problems, secrets } = node.reading;
  const before = problems.length;
  const given = node.secretLine();
  if (problems.length > before) return given;
  const token = new Secret(tokenIn(given.reveal().trim(), node, endpoint), given.source);
  secrets.push(token);
  return token;
}

function tokenIn(text: string, node: ConfigNode, endpoint: string): string {
  if (!/^https?:\/\//i.test(text)) {
    if (QUOTATION_MARK.test(text)) {
      node.problem("holds a quotation mark; write the token without it");
    } else if (/[\s/?&=]/.test(text)) {
      node.problem("expected the robot's token, or its whole address with access_token=");
    } else if (SIGNING_KEY.test(text)) {
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
  const section = node?.section(`{ mobiles: ["13800138000"] }`);
  const mention: Mention = {
    mobiles: section?.optional("mobiles")?.list(readMobile) ?? [],
    userIds: section?.optional("user_ids")?.list((item) => item.string()) ?? [],
    all: section?.optional("all")?.boolean() ?? false,
    from: section?.optional("from")?.oneOf(SEVERITIES),
  };
  section?.end();
  return mention;
}

function readMobile(node: ConfigNode): string {
  const mobile = node.stringThat(wrongMobile);
  const mainland = /^(?:\+86-)?(\d+)$/.exec(mobile)?.[1];
  if (MOBILE.test(mobile) && mainland !== undefined && !/^1\d{10}$/.test(mainland)) {
    node.warning(
      "is no number of mainland China: those have 11 digits and begin with 1; for another country " +
        'write its code, as in "+852-12345678"',
    );
  }
  return mobile;
}

function wrongMobile(text: string): string | undefined {
  return MOBILE.test(text)
    ? undefined
    : `expected a number like "13800138000" or "+852-12345678", found "${text}"`;
}
