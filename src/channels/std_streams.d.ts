// Types of what http.ts uses of @std/streams; the npm package ships none.

/** Passes at most `size` bytes on and ends the stream there. */
export class LimitedBytesTransformStream extends TransformStream<Uint8Array, Uint8Array> {
  constructor(size: number, options?: { readonly error?: boolean });
}

/** Reads the stream to its end as UTF-8. */
export function toText(stream: ReadableStream<Uint8Array>): Promise<string>;
