/**
 * Installing the system's librdkafka, where there is no compiler.
 *
 * @module
 */

import { has, run, say } from "./commands.ts";

/** The commands of one package manager. */
export interface Installer {
  /** Its command. */
  readonly command: string;
  /** Whether only root may use it. */
  readonly root: boolean;
  /** The arguments of each call. */
  readonly calls: readonly (readonly string[])[];
}

/** The package managers that are known. */
export const INSTALLERS: readonly Installer[] = [
  {
    command: "apt-get",
    root: true,
    calls: [["update"], ["install", "-y", "--no-install-recommends", "librdkafka1"]],
  },
  { command: "apk", root: true, calls: [["add", "librdkafka"]] },
  { command: "brew", root: false, calls: [["install", "librdkafka"]] },
];

/** The package manager that is here and may be used; `undefined` when there is none. */
export function installer(): Installer | undefined {
  const root = Deno.uid() === 0;
  return INSTALLERS.find((one) => has(one.command) && (root || !one.root));
}

/**
 * Installs librdkafka with it, saying each command.
 *
 * @throws {Error} If a command fails.
 */
export async function install({ command, calls }: Installer): Promise<void> {
  for (const args of calls) {
    say(`running ${[command, ...args].join(" ")}`);
    await run(command, args, { env: { DEBIAN_FRONTEND: "noninteractive" } });
  }
}
