/**
 * The processes of a group.
 *
 * @module
 */

import type { MemberAction } from "./schedule.ts";
import type { WorkerOptions } from "./worker.ts";

/** How long a process may take to end after SIGTERM, in milliseconds, while a broker answers. */
const END_MS = 15_000;
/** What a static member reports that the broker refuses because of another process with its `group.instance.id`. */
const FENCED = "Static consumer fenced by other consumer with same group.instance.id";
const STILL_USED = "The instance ID is still used by another member in the consumer group";
const WORKER = new URL("./worker.ts", import.meta.url).pathname;

/** One process of a member. */
interface Process {
  readonly child: Deno.ChildProcess;
  readonly name: string;
  readonly log: string;
  readonly ended: Promise<Deno.CommandStatus>;
  /** Whether the run is ending the process, and so checks how it ends. */
  isEndExpected: boolean;
  /** Whether the broker has refused it because of another process with its `group.instance.id`. */
  isRefused: boolean;
}

/** Options of `Members`. */
export interface MembersOptions {
  readonly count: number;
  /** The folder for their files. */
  readonly folder: string;
  /** Whether members are static: the processes of a member share a `group.instance.id`. */
  readonly isStatic: boolean;
  readonly worker: Omit<WorkerOptions, "instance" | "log" | "cache">;
  /** Returns how many outages of the broker there were so far, and whether there is one now. */
  readonly outages: () => { readonly count: number; readonly isAway: boolean };
  readonly onFault: (text: string) => void;
}

/** The members of a group. Each is a process, which is replaced when it has ended. */
export class Members {
  readonly #options: MembersOptions;
  readonly #members: (Process | undefined)[] = [];
  readonly #logs: string[] = [];
  #started = 0;
  readonly counts = { killed: 0, terminated: 0, frozen: 0, fenced: 0 };

  constructor(options: MembersOptions) {
    this.#options = options;
    for (let member = 0; member < options.count; member++) this.#start(member);
  }

  /** The logs of effects of all processes so far. */
  get logs(): readonly string[] {
    return this.#logs;
  }

  /** The path of the Cache of each member. */
  get caches(): string[] {
    return Array.from({ length: this.#options.count }, (_, member) => this.#cache(member));
  }

  #cache(member: number): string {
    return `${this.#options.folder}/member${member}.kv`;
  }

  #start(member: number): void {
    const { folder, isStatic, worker } = this.#options;
    const name = `member${member}-process${this.#started++}`;
    const log = `${folder}/${name}.effects`;
    const options: WorkerOptions = {
      ...worker,
      instance: isStatic ? `member${member}` : undefined,
      log,
      cache: this.#cache(member),
    };
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--no-lock", WORKER, JSON.stringify(options)],
      cwd: new URL("../../", import.meta.url).pathname,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const { count } = this.#options.outages();
    const process: Process = {
      child,
      name,
      log,
      isEndExpected: false,
      isRefused: false,
      ended: Promise.all([child.status, this.#collect(child, `${folder}/${name}.stderr`)])
        .then(([status, odd]) => this.#ended(process, member, count, status, odd)),
    };
    this.#logs.push(log);
    this.#members[member] = process;
  }

  /**
   * Checks how a process has ended. Two unexpected ends are no faults, and the process is started again, as an operator would:
   *
   * - The broker is killed while a static member joins. The broker forgets this process, restores the member's previous
   *   process from its log, and fences this one. A broker that was frozen handles the requests of both in any order.
   * - With the protocol `consumer`, a static member that was killed keeps its `group.instance.id` until its session is over.
   *   The broker refuses the next process until then.
   *
   * @param before the number of outages before the process was started
   * @param odd the first line on stderr that is neither a notice nor a trace
   */
  #ended(
    process: Process,
    member: number,
    before: number,
    status: Deno.CommandStatus,
    odd: string | undefined,
  ): Deno.CommandStatus {
    const { isStatic, outages, onFault, worker } = this.#options;
    const wasAway = outages().count > before || outages().isAway;
    const isForgotten = isStatic && wasAway && odd?.includes(FENCED) === true;
    const isEarly = isStatic && worker.protocol === "consumer" && odd?.includes(STILL_USED) === true;
    process.isRefused = isForgotten || isEarly;
    if (process.isRefused && !process.isEndExpected) {
      this.counts.fenced++;
      this.#start(member);
    } else if (!process.isRefused && odd !== undefined) onFault(`${process.name} printed on stderr: ${odd}`);
    else if (!process.isEndExpected) onFault(`${process.name} ended by itself, ${endText(status)}`);
    return status;
  }

  /**
   * Writes the stderr of a process to a file.
   *
   * @returns the first line that is neither a notice of the module nor a trace, if there is one
   */
  async #collect(child: Deno.ChildProcess, path: string): Promise<string | undefined> {
    using file = await Deno.open(path, { create: true, append: true });
    let line = "", odd: string | undefined;
    const encoder = new TextEncoder();
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      await file.write(encoder.encode(text));
      const lines = (line + text).split("\n");
      line = lines.pop()!;
      odd ??= lines.find((line) => line !== "" && !/^(slipstream|trace): /.test(line));
    }
    return odd;
  }

  /** Kills, terminates or freezes a member. Resolves when it runs again. */
  async act(action: MemberAction): Promise<void> {
    const process = this.#members[action.member];
    if (process === undefined) return;
    if (action.what === "freeze") {
      this.counts.frozen++;
      signal(process.child, "SIGSTOP");
      await sleep(action.forMs);
      signal(process.child, "SIGCONT");
      return;
    }
    if (action.what === "kill") {
      this.counts.killed++;
      process.isEndExpected = true;
      signal(process.child, "SIGKILL");
      await process.ended;
    } else {
      this.counts.terminated++;
      await this.#terminate(process);
    }
    await sleep(action.downMs);
    this.#start(action.member);
  }

  /** Ends all members by SIGTERM. */
  async end(): Promise<void> {
    const ending = this.#members.splice(0).filter((process) => process !== undefined);
    await Promise.all(ending.map((process) => this.#terminate(process)));
  }

  async #terminate(process: Process): Promise<void> {
    const { outages, onFault } = this.#options;
    const before = outages();
    process.isEndExpected = true;
    signal(process.child, "SIGTERM");
    let isLate = false;
    const late = setTimeout(() => {
      isLate = true;
      signal(process.child, "SIGUSR2");
      setTimeout(() => signal(process.child, "SIGKILL"), 1000);
    }, END_MS);
    const status = await process.ended;
    clearTimeout(late);
    const after = outages();
    // During an outage a process may take long to end, and end with an error.
    if (before.isAway || after.count > before.count || process.isRefused) return;
    // The process got the signal before it listened to it.
    if (status.signal === "SIGTERM" && !hasBegun(process.log)) return;
    if (isLate) onFault(`${process.name} did not end within ${END_MS} ms after SIGTERM`);
    else if (!status.success) onFault(`${process.name} ended after SIGTERM, ${endText(status)}`);
  }

  /** Makes every process print the traces of its consumers on stderr. */
  printTraces(): void {
    for (const process of this.#members) if (process !== undefined) signal(process.child, "SIGUSR2");
  }

  /** Kills all processes. */
  kill(): void {
    for (const process of this.#members.splice(0)) {
      if (process === undefined) continue;
      process.isEndExpected = true;
      signal(process.child, "SIGKILL");
    }
  }
}

/** Whether a process has had an effect. */
function hasBegun(log: string): boolean {
  try {
    return Deno.statSync(log).size > 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function endText({ code, signal }: Deno.CommandStatus): string {
  return signal === null ? `with code ${code}` : `by ${signal}`;
}

/** Signals a process unless it has ended. */
function signal(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

/** Resolves after a time. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
