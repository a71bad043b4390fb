/**
 * SASL credentials and OAUTHBEARER tokens, set while a client runs.
 *
 * @module
 */

import { confValue } from "../ffi/client_conf.ts";
import { openLibrary } from "../ffi/library.ts";
import { addressOf, cString, type Pointer, readCString, readText } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { type NativeError, nativeError, takeError } from "../ffi/native_error.ts";
import { toInt64 } from "./arguments.ts";
import { EVENT } from "./events.ts";

const ERROR_TEXT_BYTES = 512;

/** Enables the SASL queue in a configuration whose mechanism is OAUTHBEARER; returns whether it is. */
export function enableSaslQueue(conf: Pointer): boolean {
  if (confValue(conf, "sasl.mechanisms") !== "OAUTHBEARER") return false;
  openLibrary().symbols.rd_kafka_conf_enable_sasl_queue(conf, 1);
  return true;
}

/** Lets librdkafka refresh tokens by itself (unsecured tokens, OIDC), on its background thread and without JavaScript. */
export function refreshInBackground(rk: Pointer): NativeError | undefined {
  return takeError(openLibrary().symbols.rd_kafka_sasl_background_callbacks_enable(rk));
}

/** Calls `refresh` with `sasl.oauthbearer.config` for each event of a SASL queue that asks for a new token. */
export function serveTokenRefreshes(queue: Pointer, refresh: (config: string) => void): void {
  const { symbols } = openLibrary();
  for (let event; (event = symbols.rd_kafka_queue_poll(queue, 0)) !== null;) {
    try {
      if (symbols.rd_kafka_event_type(event) !== EVENT.OAUTHBEARER_TOKEN_REFRESH) continue;
      refresh(readCString(symbols.rd_kafka_event_config_string(event)));
    } finally {
      symbols.rd_kafka_event_destroy(event);
    }
  }
}

/** Sets the user name and password of all later authentications. */
export function setCredentials(rk: Pointer, username: string, password: string): NativeError | undefined {
  return takeError(
    openLibrary().symbols.rd_kafka_sasl_set_credentials(rk, cString(username), cString(password)),
  );
}

/**
 * Sets the token of all later authentications.
 *
 * @param lifetimeMs When the token expires, in milliseconds since 1970.
 * @param extensions Names and values, alternating.
 */
export function setToken(
  rk: Pointer,
  token: string,
  lifetimeMs: number,
  principal: string,
  extensions: readonly string[],
): NativeError | undefined {
  const strings = extensions.map((text) => cString(text));
  // At least one element: an empty array has no address.
  const addresses = new BigUint64Array(Math.max(1, strings.length));
  strings.forEach((bytes, index) => addresses[index] = addressOf(bytes));
  const text = new Uint8Array(ERROR_TEXT_BYTES);
  const code = openLibrary().symbols.rd_kafka_oauthbearer_set_token(
    rk,
    cString(token),
    toInt64(lifetimeMs),
    cString(principal),
    addresses,
    BigInt(strings.length),
    text,
    BigInt(text.length),
  );
  return code === ErrorCode.NO_ERROR ? undefined : nativeError(code, readText(text) || undefined);
}

/** Reports that there is no token, and why. librdkafka asks again after ten seconds. */
export function setTokenFailure(rk: Pointer, reason: string): NativeError | undefined {
  const code = openLibrary().symbols.rd_kafka_oauthbearer_set_token_failure(rk, cString(reason));
  return code === ErrorCode.NO_ERROR ? undefined : nativeError(code);
}
