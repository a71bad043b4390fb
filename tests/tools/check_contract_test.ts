import { deepEqual, equal, match } from "node:assert/strict";
import { boundOf, callsOf, checkContract, type Code, methodsOf } from "../../tools/check_contract.ts";

const CODE: Code = {
  calls: { Client: ["connect"], Producer: ["connect", "produce"] },
  methods: { Client: ["connect", "name"], Producer: ["produce", "poll"] },
  exports: ["err2str"],
  bound: new Map([
    ["rd_kafka_new", ["rd_kafka_new"]],
    ["rd_kafka_name", ["rd_kafka_name"]],
    ["rd_kafka_produce", ["rd_kafka_produce_copy", "rd_kafka_produce_async"]],
    ["rd_kafka_err2str", ["rd_kafka_err2str"]],
    ["rd_kafka_flush", ["rd_kafka_flush"]],
  ]),
  callers: "symbols.rd_kafka_new(); rd_kafka_name; rd_kafka_produce_async(x); rd_kafka_err2str",
  test: (path) => path === "tests/a_test.ts" ? "connect name produce poll err2str new Producer()" : undefined,
};

const HEAD = "| method | C functions | answer | test |\n| --- | --- | --- | --- |\n";
const PAGE = `# Contract

## Producer

${HEAD}| \`constructor\` | none | throws | \`tests/a_test.ts\` |
| \`produce\` | \`rd_kafka_produce\` | code | \`tests/a_test.ts\` |
| poll | none | true | tests/a_test.ts |

## Client (common)

${HEAD}| connect, name | rd_kafka_new, rd_kafka_name | callback | tests/a_test.ts |

## Module

${HEAD}| err2str | rd_kafka_err2str | text | tests/a_test.ts |
`;

Deno.test("checkContract() finds no problem on a page that agrees with the code", () => {
  deepEqual(checkContract(PAGE, CODE), []);
});

const BROKEN: readonly [what: string, page: string, code: Partial<Code>, expected: RegExp][] = [
  [
    "a method that the npm client calls and no class has",
    PAGE,
    { calls: { Producer: ["purge"] } },
    /calls purge\(\), which does not exist/,
  ],
  [
    "a call from a file of the npm client that it doesn't know",
    PAGE,
    { calls: { "new.js": ["x"] } },
    /new\.js: .* x\(\)/,
  ],
  ["a method without a row", PAGE.replace(/^\| poll.*\n/m, ""), {}, /Producer: poll\(\) has no row/],
  ["a method whose row is in another section", PAGE.replace("connect, name", "connect"), {}, /name\(\) has no row/],
  ["an export without a row", PAGE, { exports: ["err2str", "features"] }, /Module: features has no row/],
  ["a row of a method that is not there", PAGE.replace("| poll", "| poll, purge"), {
    test: () => "connect name produce poll purge err2str Producer",
  }, /Producer has no purge/],
  [
    "a C function that is not bound",
    PAGE.replace("| poll | none", "| poll | rd_kafka_poll"),
    {},
    /rd_kafka_poll is not/,
  ],
  [
    "a C function that nothing calls",
    PAGE.replace("| poll | none", "| poll | rd_kafka_flush"),
    {},
    /calls rd_kafka_flush/,
  ],
  ["a row without an answer", PAGE.replace("| true |", "|  |"), {}, /poll: does not say/],
  ["a row without a test", PAGE.replace("| true | tests/a_test.ts", "| true | "), {}, /poll: names no test/],
  [
    "a test that does not exist",
    PAGE.replace("| true | tests/a", "| true | tests/b"),
    {},
    /tests\/b_test\.ts does not exist/,
  ],
  ["a test of something else", PAGE, { test: () => "connect name produce err2str Producer" }, /mentions poll/],
  ["a line that it can't read", PAGE.replace("| true |", "| true | false |"), {}, /has 5 cells, not 4/],
];

for (const [what, page, code, expected] of BROKEN) {
  Deno.test(`checkContract() catches ${what}`, () => {
    const problems = checkContract(page, { ...CODE, ...code });
    match(problems.join("\n"), expected);
    // Without its line, a page that can't be read lacks that row too.
    equal(problems.length, /cells/.test(expected.source) ? 2 : 1, problems.join("\n"));
  });
}

Deno.test("methodsOf() finds the public methods of exported classes", () => {
  const source = `
export abstract class NativeClient {
  name(): string {}
}

export class Sender extends NativeClient {
  flush(): void {}
}

export class Producer extends Sender {
  readonly #queue = new Queue();
  constructor(conf: object) {
    if (conf) return;
  }

  /** Sends. */
  override produce<T>(
    topic: T,
  ): number {
    return poll(topic);
  }

  /**
   * Between us.
   *
   * @internal
   */
  wake(): void {}

  poll(): true {
    return true;
  }
  protected more(): void {}
  async #hidden() {}
}

class Bytes {
  int(): void {}
}
`;
  deepEqual(methodsOf(source), { NativeClient: ["name"], Sender: ["flush"], Producer: ["produce", "poll", "flush"] });
});

Deno.test("callsOf() finds the methods that are called on the addon", () => {
  const source = "this._client.connect(x); self._client\n .poll(); this._client.connect(y); this._client instanceof Z;";
  deepEqual(callsOf(source), ["connect", "poll"]);
});

Deno.test("boundOf() finds every key of a C function", () => {
  const table = `
  rd_kafka_new: { parameters: [], result: "pointer" },
  rd_kafka_flush_async: {
    name: "rd_kafka_flush",
    parameters: ["pointer", "i32"],
  },
`;
  deepEqual([...boundOf(table)], [["rd_kafka_new", ["rd_kafka_new"]], ["rd_kafka_flush", ["rd_kafka_flush_async"]]]);
});
