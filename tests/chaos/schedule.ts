/**
 * The schedule of kills and freezes of members and of the broker, drawn from the seed before the run begins.
 *
 * @module
 */

import { Random } from "../support/random.ts";

/** What happens to a member, and how long after the previous action, in milliseconds. */
export type MemberAction =
  & { readonly afterMs: number; readonly member: number }
  & (
    /** SIGKILL, and another process in its place after a while. */
    | { readonly what: "kill"; readonly downMs: number }
    /** SIGTERM, and another process in its place a while after it has ended. */
    | { readonly what: "terminate"; readonly downMs: number }
    /** SIGSTOP, and SIGCONT after a while. */
    | { readonly what: "freeze"; readonly forMs: number }
  );

/** What happens to the broker: it is killed and started again, or frozen by SIGSTOP for a while. */
export interface BrokerAction {
  readonly afterMs: number;
  readonly what: "kill" | "freeze";
  readonly forMs: number;
}

/** Options of a schedule. */
export interface ScheduleOptions {
  readonly seed: number;
  /** The length of the schedule, in milliseconds. */
  readonly forMs: number;
  readonly members: number;
  /** The mean time between two actions on members, in milliseconds. */
  readonly everyMs: number;
  readonly mood: Mood;
}

/** Which actions there are: all (`rough`), only SIGTERM to members (`gentle`), or only SIGKILL to members (`kills`). */
export type Mood = "rough" | "gentle" | "kills";

/** How often each action is drawn for members. */
const WEIGHTS: Readonly<Record<Mood, Readonly<Record<MemberAction["what"], number>>>> = {
  rough: { kill: 4, terminate: 4, freeze: 2 },
  gentle: { kill: 0, terminate: 1, freeze: 0 },
  kills: { kill: 1, terminate: 0, freeze: 0 },
};

/** Draws the actions on the members of a group. A kill and a SIGTERM come first, so that a short run has both. */
export function memberActions(group: string, options: ScheduleOptions): MemberAction[] {
  const { seed, forMs, members, everyMs, mood } = options;
  const random = new Random(seed, `members of ${group}`), actions: MemberAction[] = [];
  for (let at = 0; at < forMs;) {
    const afterMs = random.between(everyMs / 2, everyMs * 3 / 2), member = random.between(0, members);
    const drawn = random.weighted(WEIGHTS[mood]), first = (["kill", "terminate"] as const)[actions.length];
    const what = mood === "rough" ? first ?? drawn : drawn;
    // Sometimes longer than a session, so that the group goes on without the frozen member.
    const forMs = random.between(300, 5000), downMs = random.between(0, 1500);
    actions.push(what === "freeze" ? { afterMs, member, what, forMs } : { afterMs, member, what, downMs });
    at += afterMs + (what === "freeze" ? forMs : downMs);
  }
  return actions;
}

/** Draws the actions on the broker, about three a minute. The first is an early kill, so that a short run has one. */
export function brokerActions({ seed, forMs, mood }: ScheduleOptions): BrokerAction[] {
  if (mood !== "rough") return [];
  const random = new Random(seed, "broker"), actions: BrokerAction[] = [];
  let what: BrokerAction["what"] = "kill";
  for (let at = 0; at < forMs;) {
    const afterMs = actions.length === 0 ? random.between(2000, 4000) : random.between(10_000, 25_000);
    // Sometimes longer than a reader waits for its sinks before it pauses its partitions.
    const outageMs = what === "kill" ? random.between(0, 3000) : random.between(500, 15_000);
    actions.push({ afterMs, what, forMs: outageMs });
    at += afterMs + outageMs;
    what = random.weighted({ kill: 1, freeze: 1 });
  }
  return actions;
}
