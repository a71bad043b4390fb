/**
 * Waiting for a store that another process is writing to.
 *
 * @module
 */

/** How long another process may keep the file to itself before the error surfaces. */
const PATIENCE_MS = 60_000;

/** Waits a little longer each time, never two processes as long as each other. */
export function backOff(attempt: number): Promise<void> {
  const most = Math.min(100, 2 ** attempt);
  return new Promise((resolve) => setTimeout(resolve, Math.random() * most));
}

/** Calls again while SQLite says that the file is locked, which means that nothing was written. */
export async function patiently<T>(call: () => Promise<T>): Promise<T> {
  const started = Date.now();
  for (let attempt = 0;; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (!/database (table )?is locked/.test(String(error)) || Date.now() - started > PATIENCE_MS) throw error;
      await backOff(attempt);
    }
  }
}
