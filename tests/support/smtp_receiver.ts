// A small SMTP server without encryption, for the demo: it needs nothing but Deno, while
// smtp_server.py wants python3-aiosmtpd. It takes every mail and decodes what a reader sees.

/** A mail that has come. */
export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly body: string;
}

/** A running receiver. */
export interface SmtpReceiver extends AsyncDisposable {
  readonly port: number;
  readonly mails: readonly Mail[];
}

/** Starts a receiver on a free port of loopback. */
export function startSmtpReceiver(): SmtpReceiver {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const mails: Mail[] = [];
  const sessions: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const connection of listener) {
      sessions.push(serve(connection, (mail) => mails.push(mail)));
    }
  })();
  return {
    port: listener.addr.port,
    mails,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      await Promise.all(sessions);
    },
  };
}

async function serve(connection: Deno.TcpConn, onMail: (mail: Mail) => void): Promise<void> {
  const writer = connection.writable.getWriter();
  const say = (line: string) => writer.write(new TextEncoder().encode(`${line}\r\n`));
  const recipients: string[] = [];
  let [from, data]: [string, string[] | undefined] = ["", undefined];
  try {
    await say("220 demo ESMTP");
    for await (const line of linesOf(connection.readable)) {
      const command = line.toUpperCase();
      if (data !== undefined && line !== ".") {
        data.push(line.replace(/^\./, ""));
      } else if (data !== undefined) {
        onMail({ from, to: [...recipients], ...read(data.join("\r\n")) });
        data = undefined;
        await say("250 2.0.0 Ok: queued");
      } else if (command.startsWith("EHLO")) await say("250-demo\r\n250 8BITMIME");
      else if (command.startsWith("MAIL FROM:")) {
        from = /<(.*?)>/.exec(line)?.[1] ?? "";
        recipients.length = 0;
        await say("250 2.1.0 Ok");
      } else if (command.startsWith("RCPT TO:")) {
        recipients.push(/<(.*?)>/.exec(line)?.[1] ?? "");
        await say("250 2.1.5 Ok");
      } else if (command === "DATA") {
        data = [];
        await say("354 End data with <CR><LF>.<CR><LF>");
      } else if (command === "QUIT") {
        await say("221 2.0.0 Bye");
        break;
      } else await say(/^(HELO|RSET|NOOP)/.test(command) ? "250 Ok" : "502 5.5.2 not known");
    }
    await writer.close();
  } catch {
    connection.close(); // the client broke off: it has no mail for us
  }
}

/** Lines without their CR LF; each byte is one character. */
async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream) {
    rest += characters(chunk);
    const lines = rest.split("\r\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

/** The subject and the text of a mail with one part, or with several of which the first is plain. */
function read(mail: string): Pick<Mail, "subject" | "body"> {
  const end = mail.indexOf("\r\n\r\n");
  const head = mail.slice(0, end).replace(/\r\n[ \t]+/g, " ");
  const header = (name: string) => new RegExp(`^${name}: *(.*)$`, "im").exec(head)?.[1] ?? "";
  const boundary = /^multipart\/.*boundary="?([^";]+)/i.exec(header("content-type"))?.[1];
  if (boundary !== undefined) {
    const [, first = ""] = mail.slice(end).split(`\r\n--${boundary}`);
    return { subject: decodeWords(header("subject")), body: read(first.trimStart()).body };
  }
  const body = mail.slice(end + 4);
  const encoding = header("content-transfer-encoding").toLowerCase();
  const plain = encoding === "base64"
    ? atob(body.replace(/\s/g, ""))
    : encoding === "quoted-printable"
    ? unquoted(body.replace(/=\r\n/g, ""))
    : body;
  return { subject: decodeWords(header("subject")), body: utf8(plain).replaceAll("\r\n", "\n") };
}

/** Undoes RFC 2047: `=?UTF-8?B?…?=`, with nothing in between two of them. */
function decodeWords(text: string): string {
  const joined = utf8(text).replace(/\?=\s+=\?/g, "?==?");
  return joined.replace(
    /=\?utf-8\?([bq])\?(.*?)\?=/gi,
    (_, kind, word) =>
      utf8(kind.toLowerCase() === "b" ? atob(word) : unquoted(word.replaceAll("_", " "))),
  );
}

function unquoted(text: string): string {
  return text.replace(/=([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

function characters(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function utf8(text: string): string {
  return new TextDecoder().decode(Uint8Array.from(text, (one) => one.charCodeAt(0)));
}
