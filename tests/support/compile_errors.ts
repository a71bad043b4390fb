/**
 * Tests of the text of compile errors.
 *
 * @module
 */

import assert from "node:assert/strict";

/** A mistake in a program, and what the compiler says of it. */
export interface Mistake {
  /** One line of code. */
  readonly code: string;
  /** The code that the compiler points at. */
  readonly at: string;
  /** What the error's text matches. */
  readonly says: readonly RegExp[];
}

/** A compile error. */
interface CompileError {
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

/** The compile errors of a program, in order. */
async function compileErrors(program: string): Promise<CompileError[]> {
  const lines = program.split("\n");
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(path, program);
    const { stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--no-lock", "--config", new URL("../../deno.json", import.meta.url).pathname, path],
      env: { NO_COLOR: "1" },
    }).output();
    const output = new TextDecoder().decode(stderr);
    return output.split(/(?=TS\d+ \[ERROR\]: )/).filter((text) => text.startsWith("TS")).map((text) => {
      const [, line, column] = /\.ts:(\d+):(\d+)/.exec(text) ?? [];
      // The message comes before the line of code that it quotes.
      const message = text.split("\n").filter((line) => !/^ *(at file|[\^~]+$)/.test(line));
      const quoted = message.findIndex((text) => text !== "" && text === lines[Number(line) - 1]);
      return {
        text: message.slice(0, quoted < 0 ? undefined : quoted).join("\n"),
        line: Number(line),
        column: Number(column),
      };
    });
  } finally {
    await Deno.remove(path);
  }
}

/**
 * Checks that the compiler reports each mistake once, at the expected place and with the expected text, and no other
 * error; a step for each.
 *
 * @param preamble what the program begins with
 */
export async function checkMistakes(
  t: Deno.TestContext,
  preamble: string,
  mistakes: Readonly<Record<string, Mistake>>,
): Promise<void> {
  const first = preamble.split("\n").length;
  const entries = Object.entries(mistakes);
  const errors = await compileErrors(preamble + entries.map(([, { code }]) => code).join("\n"));
  assert.deepEqual(errors.filter(({ line }) => line < first), []);
  for (const [i, [mistake, { code, at, says }]] of entries.entries()) {
    await t.step(mistake, () => {
      const own = errors.filter(({ line }) => line === first + i);
      assert.equal(own.length, 1, `one error about ${code}: ${JSON.stringify(own, null, 2)}`);
      const { text, column } = own[0]!;
      assert.ok(code.slice(column - 1).startsWith(at), `points at ${code.slice(column - 1)}`);
      for (const expected of says) assert.match(text, expected);
      assert.doesNotMatch(text, /overload/i);
    });
  }
}
