/**
 * Takes one file out of an npm tarball. Only what npm writes is understood (ustar, plain names);
 * the build must not need tar or gzip, which a minimal machine may lack.
 */
import { BuildError } from "./build_error.ts";
import type { Bytes } from "./elf.ts";

const BLOCK_BYTES = 512;

/** Unpacks gzip in memory. */
export async function gunzip(bytes: Bytes, name: string): Promise<Bytes> {
  try {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (error) {
    throw new BuildError(`Cannot unpack "${name}": it is not a whole gzip file`, { cause: error });
  }
}

/** The bytes of the entry `path`, or a BuildError that lists what the archive holds instead. */
export function fileFromTar(tar: Bytes, path: string, name: string): Bytes {
  const seen: string[] = [];
  let at = 0;
  while (at + BLOCK_BYTES <= tar.length && tar[at] !== 0) {
    const entryPath = textAt(tar, at, 100);
    const sizeText = textAt(tar, at + 124, 12).trim();
    const sizeBytes = /^[0-7]+$/.test(sizeText) ? parseInt(sizeText, 8) : NaN;
    const start = at + BLOCK_BYTES;
    if (Number.isNaN(sizeBytes) || start + sizeBytes > tar.length) {
      throw new BuildError(
        `Cannot unpack "${name}": entry "${entryPath}" at byte ${at} is damaged or cut off`,
      );
    }
    if (entryPath === path) return tar.slice(start, start + sizeBytes);
    seen.push(entryPath);
    at = start + Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
  }
  throw new BuildError(
    `Cannot find "${path}" in "${name}": it holds ${seen.slice(0, 5).join(", ") || "no files"}`,
  );
}

function textAt(bytes: Bytes, at: number, lengthBytes: number): string {
  const field = bytes.subarray(at, at + lengthBytes);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}
