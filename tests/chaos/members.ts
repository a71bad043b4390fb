/**
 * The processes of a group.
 *
 * @module
 */

import type { MemberAction } from "./schedule.ts";
import type { WorkerOptions } from "./worker.ts";

/** How long a process may take to end after SIGTERM, in milliseconds, while a broker answers. */
const END_MS = 15_000;
/** What a static member says that a broker refuses for another one of its name. */
const FENCED = "Static consumer fenced by other consumer with same group.instance.id";
const STILL_USED = "The instance ID is still used by another member in the consumer group";
const WORKER = new URL("./worker.ts", import.meta.url).pathname;

/** One process of a member. */
interface Process {
  readonly child: Deno.ChildProcess;
  readonly name: string;
  readonly log: string;
  readonly over: Promise<Deno.CommandStatus>;
  /** It is being ended: how it ends is looked at by who ends it. */
  expected: boolean;
  /** The broker has refused it for another process of its name. */
  isRefused: boolean;
}

/** What members need of the run. */
export interface MembersOptions {
  readonly count: number;
  /** The folder for their files. */
  readonly folder: string;
  /** Whether members are static: each keeps its name in the group when its process is another one. */
  readonly isStatic: boolean;
  readonly worker: Omit<WorkerOptions, "instance" | "log" | "cache">;
  /** How many times the broker went away so far, and whether it is away. */
  readonly outages: () => { readonly count: number; readonly isAway: boolean };
  readonly onFault: (text: string) => void;
}

/** The members of a group: each is a process, and another one when that has ended. */
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

  /** The logs of effects of all processes there were so far. */
  get logs(): readonly string[] {
    return this.#logs;
  }

  /** The Cache of each member. */
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
      expected: false,
      isRefused: false,
      over: Promise.all([child.status, this.#listen(child, `${folder}/${name}.stderr`)])
        .then(([status, odd]) => this.#ended(process, member, count, status, odd)),
    };
    this.#logs.push(log);
    this.#members[member] = process;
  }

  /**
   * A process has ended. Two ends that nobody has asked for are no faults, and who runs such a program starts it again:
   *
   * - A broker that is killed while it takes a static member in forgets it, has its forerunner as the member when it is
   *   back, and refuses this one. One that was stopped takes requests to join of both together, in any order.
   * - With the protocol `consumer` a static member that was killed keeps its name until its session is over, and another
   *   one is refused as long.
   *
   * @param before how many times the broker had been away before the process began
   * @param odd what it has said that it is not to say
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
    if (process.isRefused && !process.expected) {
      this.counts.fenced++;
      this.#start(member);
    } else if (!process.isRefused && odd !== undefined) onFault(`${process.name} says on stderr: ${odd}`);
    else if (!process.expected) onFault(`${process.name} ended by itself, ${endText(status)}`);
    return status;
  }

  /**
   * Keeps what a process says on stderr.
   *
   * @returns the first line that is no notice of the library and not from the witness, if there is one
   */
  async #listen(child: Deno.ChildProcess, path: string): Promise<string | undefined> {
    using file = await Deno.open(path, { create: true, append: true });
    let line = "", odd: string | undefined;
    const encoder = new TextEncoder();
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      await file.write(encoder.encode(text));
      const lines = (line + text).split("\n");
      line = lines.pop()!;
      odd ??= lines.find((line) => line !== "" && !/^(slipstream|witness): /.test(line));
    }
    return odd;
  }

  /** Does to a member what the schedule says; resolves when that is over. */
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
      process.expected = true;
      signal(process.child, "SIGKILL");
      await process.over;
    } else {
      this.counts.terminated++;
      await this.#terminate(process);
    }
    await sleep(action.downMs);
    this.#start(action.member);
  }

  /** Ends all members in order. */
  async end(): Promise<void> {
    const ending = this.#members.splice(0).filter((process) => process !== undefined);
    await Promise.all(ending.map((process) => this.#terminate(process)));
  }

  async #terminate(process: Process): Promise<void> {
    const { outages, onFault } = this.#options;
    const before = outages();
    process.expected = true;
    signal(process.child, "SIGTERM");
    let isLate = false;
    const late = setTimeout(() => {
      isLate = true;
      signal(process.child, "SIGUSR2");
      setTimeout(() => signal(process.child, "SIGKILL"), 1000);
    }, END_MS);
    const status = await process.over;
    clearTimeout(late);
    const after = outages();
    // Without a broker an end may take long, and leave undone what it can't do.
    if (before.isAway || after.count > before.count || process.isRefused) return;
    // It was ended before it had begun to listen to signals.
    if (status.signal === "SIGTERM" && !hasBegun(process.log)) return;
    if (isLate) onFault(`${process.name} did not end within ${END_MS} ms after SIGTERM`);
    else if (!status.success) onFault(`${process.name} ended after SIGTERM, ${endText(status)}`);
  }

  /** Has every process print what its consumers have, on its stderr. */
  witness(): void {
    for (const process of this.#members) if (process !== undefined) signal(process.child, "SIGUSR2");
  }

  /** Leaves no process behind, however the run ends. */
  kill(): void {
    for (const process of this.#members.splice(0)) {
      if (process === undefined) continue;
      process.expected = true;
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
