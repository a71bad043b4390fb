import assert from "node:assert/strict";
import { GroupState, type Rebalance } from "../../src/addon/group_state.ts";
import { ErrorCode } from "../../src/ffi/error_codes.ts";

const rebalance = (code: number): Rebalance => ({ code, partitions: [{ topic: "t", partition: 0, code: 0 }] });
const assignment = rebalance(ErrorCode.ASSIGN_PARTITIONS), revocation = rebalance(ErrorCode.REVOKE_PARTITIONS);

/** A member that has gone through the phases up to `phase`. */
function memberIn(phase: "joined" | "closing" | "leaving", { isStatic = false } = {}): GroupState {
  const state = new GroupState(isStatic);
  state.join();
  if (phase !== "joined") state.close();
  if (phase === "leaving") state.leave("EAGER");
  assert.equal(state.phase, phase);
  return state;
}

Deno.test("GroupState: a member is left, joined, closing, leaving and left again, and keeps nothing for its next connection", () => {
  const state = new GroupState(true);
  assert.equal(state.phase, "left");
  state.join();
  state.close();
  state.deliver(assignment);
  assert.equal(state.receive(revocation), false);
  assert.equal(state.protocolWhenLeaving, undefined);
  state.leave("COOPERATIVE");
  assert.equal(state.protocolWhenLeaving, "COOPERATIVE");
  state.end();
  assert.deepEqual([state.phase, state.postponed, state.unanswered, state.protocolWhenLeaving], [
    "left",
    undefined,
    undefined,
    undefined,
  ]);
  assert.equal(state.answer(), false, "librdkafka is asked nothing about a group that has ended");
});

Deno.test("GroupState: a delivered rebalance waits for one answer", () => {
  const state = memberIn("joined");
  assert.equal(state.receive(assignment), true);
  state.deliver(assignment);
  assert.equal(state.unanswered, assignment);
  assert.equal(state.answer(), true);
  assert.equal(state.unanswered, undefined);
  assert.equal(state.answer(), true, "a program assigns without a rebalance, too");
});

Deno.test("GroupState: a static member's revocation is postponed while it closes, and is there when it leaves", () => {
  const state = memberIn("closing", { isStatic: true });
  assert.equal(state.receive(assignment), true);
  assert.equal(state.receive(revocation), false);
  state.deliver(assignment);
  state.leave("EAGER");
  assert.equal(state.postponed?.code, ErrorCode.REVOKE_PARTITIONS);
  state.deliver(revocation);
  assert.equal(state.postponed, undefined);

  assert.equal(memberIn("closing").receive(revocation), true, "that of a dynamic member is delivered");
  for (const phase of ["joined", "leaving"] as const) {
    assert.equal(memberIn(phase, { isStatic: true }).receive(revocation), true, phase);
  }
});

Deno.test("GroupState: while leaving, an answer needs a rebalance, and the rebalance after it is postponed", () => {
  const state = memberIn("leaving");
  assert.equal(state.answer(), false);
  assert.equal(state.receive(assignment), true, "no rebalance was answered yet");
  state.deliver(assignment);
  assert.equal(state.answer(), true);
  assert.equal(state.receive(revocation), false);
  assert.equal(state.answer(), false, "the answer before may have settled the postponed one");
  state.deliver(revocation);
  assert.equal(state.answer(), true);
});

Deno.test("GroupState: a refused answer is the program's error in a joined member only", () => {
  const joined = memberIn("joined");
  joined.deliver(revocation);
  joined.answer();
  assert.equal(joined.refuse(revocation), false);
  assert.equal(joined.unanswered, undefined);

  for (const phase of ["closing", "leaving"] as const) {
    const state = memberIn(phase);
    state.deliver(revocation);
    state.answer();
    assert.equal(state.refuse(revocation), true, phase);
    assert.deepEqual([state.unanswered, state.isAnswerRefused], [revocation, true], phase);
    state.deliver(assignment);
    assert.equal(state.isAnswerRefused, false, phase);
    state.answer();
    assert.equal(state.refuse(undefined), true, "the answer to no rebalance");
    assert.equal(state.unanswered, undefined, phase);
  }
});
