// Stands in front of a service and breaks the network between it and us: refuses connections,
// takes them and stays silent, breaks off, babbles. Its address stays the same meanwhile, so
// that a fault can begin and end while a listener runs.

/** How it treats the connections that come from now on; those before are left as they are. */
export type Passage =
  | { readonly kind: "forward"; readonly port: number }
  | { readonly kind: "refuse" }
  | { readonly kind: "hang" }
  /** Says `greeting`, waits for the first byte, says `half` and resets the connection. */
  | { readonly kind: "break"; readonly greeting?: string; readonly half: string }
  /** Says this to whoever connects, and closes. */
  | { readonly kind: "babble"; readonly bytes: Uint8Array };

/** The front; it starts by refusing. */
export class Front implements AsyncDisposable {
  readonly hostname: string;
  readonly port: number;
  #passage: Passage = { kind: "refuse" };
  #listener: Deno.TcpListener | undefined;
  #accepting: Promise<void> = Promise.resolve();
  readonly #connections = new Set<Deno.TcpConn>();

  /** An address of its own keeps the port ours while nothing listens there. */
  constructor(hostname: string) {
    this.hostname = hostname;
    const listener = Deno.listen({ hostname, port: 0 });
    this.port = listener.addr.port;
    listener.close();
  }

  /** Treats connections like this from now on. */
  async become(passage: Passage): Promise<void> {
    this.#passage = passage;
    if (passage.kind === "refuse") {
      this.#listener?.close();
      this.#listener = undefined;
      await this.#accepting;
    } else if (this.#listener === undefined) {
      this.#listener = Deno.listen({ hostname: this.hostname, port: this.port });
      this.#accepting = this.#accept(this.#listener);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.become({ kind: "refuse" });
    for (const connection of this.#connections) close(connection);
  }

  async #accept(listener: Deno.TcpListener): Promise<void> {
    try {
      for await (const connection of listener) {
        this.#connections.add(connection);
        // Whatever breaks here is what a broken network does; the listener's log tells of it.
        this.#serve(connection).catch(() => {}).finally(() => this.#end(connection));
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error; // closed by become()
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    const passage = this.#passage;
    switch (passage.kind) {
      case "forward":
        return await this.#forward(connection, passage.port);
      case "hang":
        while (await connection.read(new Uint8Array(16 * 1024)) !== null);
        return;
      case "break":
        await write(connection, passage.greeting ?? "");
        await connection.read(new Uint8Array(1));
        // What is left unread makes the kernel end the connection by a reset.
        return await write(connection, passage.half);
      case "babble":
        await connection.write(passage.bytes);
    }
  }

  async #forward(connection: Deno.TcpConn, port: number): Promise<void> {
    const service = await Deno.connect({ hostname: "127.0.0.1", port });
    this.#connections.add(service);
    const back = service.readable.pipeTo(connection.writable).catch(() => {});
    await connection.readable.pipeTo(service.writable).catch(() => {});
    await back;
    this.#end(service);
  }

  #end(connection: Deno.TcpConn): void {
    this.#connections.delete(connection);
    close(connection);
  }
}

async function write(connection: Deno.TcpConn, text: string): Promise<void> {
  await connection.write(new TextEncoder().encode(text));
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error; // it has ended by itself
  }
}
