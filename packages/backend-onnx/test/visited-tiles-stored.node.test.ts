/** Calls whose block mask leaves few blocks, of keys and values that are stored in every way, on both CPU providers. */
import { describeProblem } from "@heed/core";
import { describe, expect, test } from "vitest";
import { expectAsReference, withStored } from "./call-of.js";
import {
  all,
  blocksOf,
  type Call,
  halves,
  inputs,
  numbers,
  paged,
  raggedRows,
  rest,
} from "./tile-calls.js";
import { logits, watched } from "./watched.js";

describe.each(["cpu", "wasm"] as const)("provider %s", async (name) => {
  const provider = await watched(logits, name);

  test.each([
    ["as they are", (call: Call) => call],
    ["pages", paged],
    ["float16 keys", (call: Call) => withStored(call, "float16")],
    ["int8 keys", (call: Call) => withStored(call, "int8")],
    ["float16", halves],
  ] as const)("blocks of stored keys: %s", async (_, store) => {
    for (const name of ["nothing", "a bias of all", "everything at once"]) {
      for (const of of Object.values(blocksOf)) {
        const call = store({ ...inputs(numbers), ...of(), ...rest[name] });
        const plan = await provider.backend.plan(describeProblem(call));
        provider.runs.length = 0;
        expectAsReference(await plan.run(call), call);
        expect(provider.runs.reduce((sum, count) => sum + count, 0)).toBeLessThan(0.5 * all);
        plan.dispose();
      }
    }
  });

  test.each(["a bias of heads", "lengths", "a score program that adds"])(
    "blocks of sequences of other lengths, one after another: %s",
    async (name) => {
      for (const of of Object.values(blocksOf)) {
        const call = raggedRows({ ...inputs(numbers), ...of(), ...rest[name] });
        const plan = await provider.backend.plan(describeProblem(call));
        provider.runs.length = 0;
        expectAsReference(await plan.run(call), call);
        expect(provider.runs.reduce((sum, count) => sum + count, 0)).toBeLessThan(0.25 * all);
        // The plan remembers what the last call visited.
        const moved = { ...call, queryStarts: [0, 150, 406] };
        expectAsReference(await plan.run(moved), moved);
        plan.dispose();
      }
    },
  );
});
