// Starts smtp_server.py, a real SMTP server on a free port of loopback, and reads what it
// reports. Nothing is polled: it says when it listens and when a mail has come.

import { TextLineStream } from "@std/streams";

/** What the server wants and how it answers. */
export interface SmtpServerOptions {
  readonly security?: "tls" | "starttls" | "none";
  /** Paths of the PEM files; for tls and starttls. */
  readonly certificate?: string;
  readonly key?: string;
  /** With it a login is required. */
  readonly login?: { readonly username: string; readonly password: string };
  /** The answer to a wrong login. */
  readonly login_reply?: string;
  /** Reply by address of a sender or recipient that is not taken. */
  readonly refuse?: Readonly<Record<string, string>>;
  /** The answer to every mail, after DATA. */
  readonly data_reply?: string;
  /** Takes the mail and never answers. */
  readonly hang?: "data";
  /** The largest mail, in bytes. */
  readonly size?: number;
}

/** A mail as the server got it, decoded as a reader's program would. */
export interface ReceivedMail {
  readonly from: string;
  /** The envelope's recipients that were taken. */
  readonly to: readonly string[];
  readonly subject: string;
  readonly raw_subject: string;
  readonly text: string;
  /** null where the mail has no such part. */
  readonly html: string | null;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly hello: string;
  readonly user: string | null;
  readonly encrypted: boolean;
}

/** A running server. */
export interface SmtpServer extends AsyncDisposable {
  readonly port: number;
  readonly mails: readonly ReceivedMail[];
  /** Settles when a mail lies at a server that hangs. */
  readonly hanging: Promise<void>;
}

type Report =
  | { readonly event: "ready"; readonly port: number }
  | { readonly event: "hanging" }
  | ReceivedMail & { readonly event: "mail" };

/** Starts the server; ready when this settles. */
export async function startSmtpServer(options: SmtpServerOptions = {}): Promise<SmtpServer> {
  const script = new URL("smtp_server.py", import.meta.url).pathname;
  const child = new Deno.Command("/usr/bin/python3", {
    args: [script, JSON.stringify(options)],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const mails: ReceivedMail[] = [];
  const ready = Promise.withResolvers<number>();
  const hanging = Promise.withResolvers<void>();
  const reading = (async () => {
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(
      new TextLineStream(),
    );
    for await (const line of lines) {
      const report = JSON.parse(String(line)) as Report;
      if (report.event === "ready") ready.resolve(report.port);
      else if (report.event === "hanging") hanging.resolve();
      else mails.push(report);
    }
    ready.reject(new Error("smtp_server.py ended; is python3-aiosmtpd installed?"));
  })();
  return {
    port: await ready.promise,
    mails,
    hanging: hanging.promise,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await Promise.all([child.stdin.abort(), child.status, reading]);
    },
  };
}
