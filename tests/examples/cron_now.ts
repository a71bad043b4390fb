/**
 * Loaded before an example: its cron is due twice at once, one run after the other, and then the program gets a signal to
 * end. A run that fails ends it with 1.
 *
 * @module
 */

type Due = () => Promise<void>;

const cron = async (_name: string, _schedule: string, _options: { signal: AbortSignal }, due: Due) => {
  try {
    await due();
    await due();
    Deno.kill(Deno.pid, "SIGTERM");
  } catch (error) {
    console.error(error);
    Deno.exit(1);
  }
};
Object.defineProperty(Deno, "cron", { value: cron, configurable: true });
