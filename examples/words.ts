// The words of a text, for demo.ts.
//
// Run:    deno task demo
// Prints: nothing: it is a module

/** White space as `wc -w` has it: what Unicode calls so, no-break spaces included. */
const SPACE = /[\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u2060\u3000]+/;

/**
 * The words of a text, as it streams: memory holds one piece of it at a time.
 *
 * @param text UTF-8; other bytes become U+FFFD
 */
export async function* wordsOf(text: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let rest = "";
  for await (const chunk of text) {
    const pieces = (rest + decoder.decode(chunk, { stream: true })).split(SPACE);
    // The last piece may go on in the next chunk.
    rest = pieces.pop()!;
    for (const piece of pieces) if (piece !== "") yield piece;
  }
  for (const piece of (rest + decoder.decode()).split(SPACE)) if (piece !== "") yield piece;
}
