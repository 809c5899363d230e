// A CA of our own and a certificate by it for this host, made by openssl. Deno takes no
// certificate for a server's that is its own CA, so there have to be two.

/** What a server on this host needs, and what its clients need to trust it. */
export interface Certificates {
  /** Path of the CA's certificate. */
  readonly caFile: string;
  /** PEM of the server's certificate, for localhost and 127.0.0.1. */
  readonly cert: string;
  readonly key: string;
  /** The same two as files. */
  readonly certFile: string;
  readonly keyFile: string;
  [Symbol.asyncDispose](): Promise<void>;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const LEAF_EXTENSIONS = "subjectAltName=DNS:localhost,IP:127.0.0.1\n" +
  "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n";

/** Makes both in a folder of their own, which goes away with them. */
export async function makeCertificates(): Promise<Certificates> {
  const folder = await Deno.makeTempDir({ prefix: "superbell-certificates-" });
  const openssl = (...args: string[]) => runOpenssl(folder, args);
  await openssl(
    ...["req", "-x509", ...NEW_KEY, "-days", "2", "-subj", "/CN=superbell test CA"],
    ...["-addext", "keyUsage=critical,keyCertSign", "-keyout", "ca.key", "-out", "ca.pem"],
  );
  await openssl(
    ...["req", "-new", ...NEW_KEY, "-subj", "/CN=localhost"],
    ...["-keyout", "leaf.key", "-out", "leaf.csr"],
  );
  await Deno.writeTextFile(`${folder}/extensions`, LEAF_EXTENSIONS);
  await openssl(
    ...["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2"],
    ...["-CAcreateserial", "-extfile", "extensions", "-out", "leaf.pem"],
  );
  return {
    caFile: `${folder}/ca.pem`,
    cert: await Deno.readTextFile(`${folder}/leaf.pem`),
    key: await Deno.readTextFile(`${folder}/leaf.key`),
    certFile: `${folder}/leaf.pem`,
    keyFile: `${folder}/leaf.key`,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

async function runOpenssl(cwd: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, cwd }).output();
  if (!success) throw new Error(`openssl ${args[0]}: ${new TextDecoder().decode(stderr)}`);
}
