/**
 * Installs the system's package of librdkafka, for machines without a compiler.
 *
 * @module
 */

import { has, run, say } from "./commands.ts";

/** A package manager, and its commands that install librdkafka. */
export interface Installer {
  /** The name of its command. */
  readonly command: string;
  /** Whether it needs root. */
  readonly root: boolean;
  /** The arguments of each call, in order. */
  readonly calls: readonly (readonly string[])[];
}

/** The supported package managers. */
export const INSTALLERS: readonly Installer[] = [
  {
    command: "apt-get",
    root: true,
    calls: [["update"], ["install", "-y", "--no-install-recommends", "librdkafka1"]],
  },
  { command: "apk", root: true, calls: [["add", "librdkafka"]] },
  { command: "brew", root: false, calls: [["install", "librdkafka"]] },
];

/** The package manager that is on the PATH and that this user may run; `undefined` for none. */
export function installer(): Installer | undefined {
  const root = Deno.uid() === 0;
  return INSTALLERS.find((installer) => has(installer.command) && (root || !installer.root));
}

/**
 * Installs librdkafka with a package manager. Prints each command on stderr.
 *
 * @throws {Error} If a command fails.
 */
export async function install({ command, calls }: Installer): Promise<void> {
  for (const args of calls) {
    say(`running ${[command, ...args].join(" ")}`);
    await run(command, args, { env: { DEBIAN_FRONTEND: "noninteractive" } });
  }
}
