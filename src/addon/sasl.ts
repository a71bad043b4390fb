/**
 * Authentication at run time: credentials, and OAUTHBEARER tokens.
 *
 * @module
 */

import { confValue } from "../ffi/client_conf.ts";
import { openLibrary } from "../ffi/library.ts";
import { addressOf, cString, type Pointer, readCString, readText } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { type NativeError, nativeError, takeError } from "../ffi/native_error.ts";
import { int64Of } from "./arguments.ts";

/** `RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH` */
export const TOKEN_REFRESH = 0x100;
const TEXT_BYTES = 512;

/** Whether a configuration has OAUTHBEARER for its mechanism; then the SASL queue is enabled. */
export function enableSaslQueue(conf: Pointer): boolean {
  if (confValue(conf, "sasl.mechanisms") !== "OAUTHBEARER") return false;
  openLibrary().symbols.rd_kafka_conf_enable_sasl_queue(conf, 1);
  return true;
}

/** Lets librdkafka's background thread run librdkafka's own refresh (unsecured tokens, OIDC); no JavaScript is in it. */
export function refreshInBackground(rk: Pointer): NativeError | undefined {
  return takeError(openLibrary().symbols.rd_kafka_sasl_background_callbacks_enable(rk));
}

/** Takes what asks for a new token from a SASL queue, with `sasl.oauthbearer.config`. */
export function serveRefreshes(queue: Pointer, refresh: (config: string) => void): void {
  const { symbols } = openLibrary();
  for (let event; (event = symbols.rd_kafka_queue_poll(queue, 0)) !== null;) {
    try {
      if (symbols.rd_kafka_event_type(event) !== TOKEN_REFRESH) continue;
      refresh(readCString(symbols.rd_kafka_event_config_string(event)));
    } finally {
      symbols.rd_kafka_event_destroy(event);
    }
  }
}

/** Sets user and password for the authentications to come. */
export function setCredentials(rk: Pointer, username: string, password: string): NativeError | undefined {
  return takeError(
    openLibrary().symbols.rd_kafka_sasl_set_credentials(rk, cString(username), cString(password)),
  );
}

/** Sets the token; extensions are names and values in turn. */
export function setToken(
  rk: Pointer,
  token: string,
  lifetimeMs: number,
  principal: string,
  extensions: readonly string[],
): NativeError | undefined {
  const strings = extensions.map((text) => cString(text));
  // One address at least: an empty array has none.
  const addresses = new BigUint64Array(Math.max(1, strings.length));
  strings.forEach((bytes, index) => addresses[index] = addressOf(bytes));
  const text = new Uint8Array(TEXT_BYTES);
  const code = openLibrary().symbols.rd_kafka_oauthbearer_set_token(
    rk,
    cString(token),
    int64Of(lifetimeMs),
    cString(principal),
    addresses,
    BigInt(strings.length),
    text,
    BigInt(text.length),
  );
  return code === ErrorCode.NO_ERROR ? undefined : nativeError(code, readText(text) || undefined);
}

/** Says that there is no token; librdkafka asks again in ten seconds. */
export function setTokenFailure(rk: Pointer, reason: string): NativeError | undefined {
  const code = openLibrary().symbols.rd_kafka_oauthbearer_set_token_failure(rk, cString(reason));
  return code === ErrorCode.NO_ERROR ? undefined : nativeError(code);
}
