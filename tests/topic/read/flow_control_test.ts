import assert from "node:assert/strict";
import { ResettableSignal } from "../../../src/async/resettable_signal.ts";
import type { PortConsumer } from "../../../src/kafka/port.ts";
import { FlowControl } from "../../../src/topic/read/flow_control.ts";

/** A FlowControl, and the calls that it makes of its consumer. */
function newFlow() {
  const calls: string[] = [], stopped = new ResettableSignal();
  const consumer = { isConnected: true, pause: () => calls.push("pause"), resume: () => calls.push("resume") };
  return { calls, stopped, flow: new FlowControl(stopped, () => consumer as unknown as PortConsumer, () => []) };
}

Deno.test("FlowControl pauses under backpressure, and resumes when somebody pulls", () => {
  const { flow, calls } = newFlow();
  flow.endBackpressure();
  flow.startBackpressure();
  flow.startBackpressure();
  assert(flow.arePartitionsPaused && !flow.isPausedByUser);
  flow.endBackpressure();
  assert(!flow.arePartitionsPaused);
  assert.deepEqual(calls, ["pause", "resume"]);
});

Deno.test("FlowControl stays paused by the user when backpressure begins or ends", () => {
  const { flow, calls } = newFlow();
  flow.startBackpressure();
  flow.pause();
  flow.endBackpressure();
  flow.startBackpressure();
  flow.endBackpressure();
  assert(flow.arePartitionsPaused && flow.isPausedByUser);
  flow.resume();
  assert(!flow.arePartitionsPaused);
  assert.deepEqual(calls, ["pause", "pause", "resume"]);
});

Deno.test("FlowControl.resumed() resolves when the user resumes, or the reader is stopped", async () => {
  const { flow, stopped } = newFlow();
  await flow.resumed();
  for (const end of [() => flow.resume(), () => stopped.fire()]) {
    flow.pause();
    let isResumed = false;
    const waiting = flow.resumed().then(() => isResumed = true);
    await new Promise((resolve) => setTimeout(resolve, 1));
    assert(!isResumed);
    end();
    await waiting;
  }
});
