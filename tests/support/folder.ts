// A folder of a test's own, gone when the test ends.

/** Dispose of it with `using`. */
export class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "superbell-test-" });

  /** The path of a file in it. */
  file(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Writes a file, for its owner alone unless `mode` says otherwise; answers its path. */
  write(name: string, text: string, mode = 0o600): string {
    const path = this.file(name);
    Deno.writeTextFileSync(path, text);
    Deno.chmodSync(path, mode);
    return path;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
