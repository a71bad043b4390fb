import { deepEqual, equal, match, throws } from "node:assert/strict";
import { compareSymbols } from "../../tools/check_symbols.ts";

const HEADER = `
#define RD_EXPORT __attribute__((visibility("default")))
typedef enum {
        RD_KAFKA_RESP_ERR_NO_ERROR = 0, /**< Success */
} rd_kafka_resp_err_t;
typedef int rd_kafka_event_type_t;
/** RD_EXPORT int not_a_function(void); */
RD_EXPORT
const char *rd_kafka_name(const rd_kafka_t *rk);
RD_EXPORT RD_DEPRECATED rd_kafka_resp_err_t rd_kafka_errno2err(int errnox);
RD_EXPORT rd_kafka_resp_err_t
rd_kafka_seek(rd_kafka_t *rkt, int32_t partition, int64_t offset,
              size_t count, int16_t key);
RD_EXPORT rd_kafka_event_type_t rd_kafka_event_type(const rd_kafka_event_t *rkev);
RD_EXPORT void rd_kafka_conf_set_log_cb(
        rd_kafka_conf_t *conf,
        void (*log_cb)(const rd_kafka_t *rk, int level));
RD_EXPORT int rd_kafka_new_one(void);
`;
const OLDEST = new Set(
  ["name", "errno2err", "seek", "event_type", "conf_set_log_cb"].map((name) => `rd_kafka_${name}`),
);

const compare = (entries: string, header = HEADER) =>
  compareSymbols(`x; SYMBOLS = {${entries}} as const;`, [header], OLDEST);

const NAME = `/** const char *rd_kafka_name(const rd_kafka_t *rk) */
  rd_kafka_name: { parameters: ["pointer"], result: "pointer" },`;

Deno.test("compareSymbols() finds no difference in a table that agrees with the header", () => {
  const differences = compare(`
  // A section
  ${NAME}
  // rd_kafka_resp_err_t rd_kafka_errno2err(int)
  rd_kafka_errno2err: { parameters: ["i32"], result: "i32" },
  /**
   * rd_kafka_resp_err_t rd_kafka_seek(rd_kafka_t *rkt, int32_t partition, int64_t offset,
   *                                   size_t count, int16_t key);
   */
  rd_kafka_seek_async: {
    name: "rd_kafka_seek",
    parameters: ["pointer", "i32", "i64", "usize", "i16"],
    result: "i32",
    nonblocking: true,
  },
  /** rd_kafka_event_type_t rd_kafka_event_type(const rd_kafka_event_t * rkev) */
  rd_kafka_event_type: { parameters: ["u64"], result: "i32" },
  /** void rd_kafka_conf_set_log_cb(rd_kafka_conf_t *conf, void (*cb)(const rd_kafka_t *rk, int level)) */
  rd_kafka_conf_set_log_cb: { parameters: ["pointer", "pointer"], result: "void" },
  `);
  deepEqual(differences, []);
});

const BROKEN: readonly [what: string, entries: string, expected: RegExp][] = [
  ["a function that does not exist", NAME.replaceAll("rd_kafka_name", "rd_kafka_nome"), /not in the headers/],
  ["an entry without a declaration", NAME.replace(/\/\*.*\n/, ""), /no C declaration/],
  ["a declaration of another function", NAME.replace("*rd_kafka_name", "*rd_kafka_seek"), /is of rd_kafka_seek/],
  ["a declaration with other types", NAME.replace("const rd_kafka_t", "rd_kafka_t"), /the header has "const char \*/],
  ["a wrong result", NAME.replace(`result: "pointer"`, `result: "i32"`), /result is i32, .* pointer/],
  ["a wrong parameter", NAME.replace(`["pointer"]`, `["i64"]`), /parameter 1 is i64/],
  ["a missing parameter", NAME.replace(`["pointer"]`, `[]`), /has 0 parameters, the header has 1/],
  [
    "a 64-bit parameter cut to 32",
    `/** rd_kafka_resp_err_t rd_kafka_seek(rd_kafka_t *a, int32_t b, int64_t c, size_t d, int16_t e) */
    rd_kafka_seek: { parameters: ["pointer", "i32", "i32", "usize", "i16"], result: "i32" },`,
    /parameter 3 is i32, "int64_t" is i64/,
  ],
  [
    "a function that the oldest library lacks",
    `/** int rd_kafka_new_one(void) */ rd_kafka_new_one: { parameters: [], result: "i32" },`,
    /the oldest usable library does not export it/,
  ],
];

for (const [what, entries, expected] of BROKEN) {
  Deno.test(`compareSymbols() catches ${what}`, () => {
    const differences = compare(entries);
    equal(differences.length, 1, differences.join("\n"));
    match(differences[0]!, expected);
  });
}

Deno.test("compareSymbols() refuses a table that it cannot read", () => {
  throws(() => compare(`...others, ${NAME}`), /unexpected text at line 1/);
  throws(() => compareSymbols("nothing", [HEADER], OLDEST), /no `SYMBOLS = \{`/);
});
