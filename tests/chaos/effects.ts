/**
 * The log of effects: one append-only file for each process. An effect counts when it is on disk.
 *
 * @module
 */

/** The effect of a message: its value, and the time in milliseconds since 1970. */
export interface Effect {
  readonly at: number;
  readonly value: string;
}

/** Writes the log of one process. */
export class EffectsLog {
  readonly #file: Deno.FsFile;
  readonly #encoder = new TextEncoder();

  constructor(path: string) {
    this.#file = Deno.openSync(path, { create: true, append: true });
  }

  /** Writes an effect, and returns when it is on disk. */
  write(value: string): void {
    const line = this.#encoder.encode(`${performance.timeOrigin + performance.now()} ${value}\n`);
    for (let written = 0; written < line.length;) written += this.#file.writeSync(line.subarray(written));
    this.#file.syncDataSync();
  }
}

/** Reads the log of one process, also while the process writes. */
export class EffectsTail {
  readonly #path: string;
  readonly #decoder = new TextDecoder();
  #file: Deno.FsFile | undefined;
  #line = "";

  constructor(path: string) {
    this.#path = path;
  }

  /** Returns the effects since the last call. A line that a kill has cut short is no effect. */
  read(): Effect[] {
    try {
      this.#file ??= Deno.openSync(this.#path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
    const buffer = new Uint8Array(64 * 1024), effects: Effect[] = [];
    for (let count; (count = this.#file.readSync(buffer)) !== null;) {
      const lines = (this.#line + this.#decoder.decode(buffer.subarray(0, count), { stream: true })).split("\n");
      this.#line = lines.pop()!;
      for (const line of lines) {
        const space = line.indexOf(" ");
        effects.push({ at: Number(line.slice(0, space)), value: line.slice(space + 1) });
      }
    }
    return effects;
  }

  close(): void {
    this.#file?.close();
  }
}
