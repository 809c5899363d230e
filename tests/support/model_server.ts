// A supervisord in miniature behind real HTTP: its list, its name and its log by XML-RPC.

import { type HttpServer, startHttpServer } from "./http_server.ts";
import type { SupervisordModel } from "./supervisord_model.ts";

/** The server; `isBroken`: it answers HTTP 500 as supervisord does after an exception. */
export interface ModelServer extends HttpServer {
  isBroken: boolean;
}

/** Serves what the model says at the moment of each call; `hasLog`: its log can be read. */
export function startModelServer(
  model: SupervisordModel,
  { hasLog = true }: { readonly hasLog?: boolean } = {},
): ModelServer {
  const server = startHttpServer(({ body }) => {
    const method = /<methodName>(.*?)<\/methodName>/.exec(body)?.[1] ?? "";
    const answers: Record<string, () => unknown> = {
      "supervisor.getAllProcessInfo": () => model.list(),
      "supervisor.getIdentification": () => "model",
      ...(hasLog && { "supervisor.readLog": () => `${model.log.join("\n")}\n` }),
    };
    const answer = answers[method];
    if (served.isBroken || answer === undefined) return new Response("", { status: 500 });
    const value = `<param>${xml(answer())}</param>`;
    return new Response(
      `<?xml version='1.0'?><methodResponse><params>${value}</params></methodResponse>`,
      { headers: { "Content-Type": "text/xml" } },
    );
  });
  const served: ModelServer = { ...server, isBroken: false };
  return served;
}

function xml(value: unknown): string {
  if (typeof value === "number") return `<value><int>${value}</int></value>`;
  if (Array.isArray(value)) {
    return `<value><array><data>${value.map(xml).join("")}</data></array></value>`;
  }
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).map(([name, member]) =>
      `<member><name>${name}</name>${xml(member)}</member>`
    );
    return `<value><struct>${members.join("")}</struct></value>`;
  }
  const text = String(value).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<value><string>${text}</string></value>`;
}
