import { onnx } from "@heed/backend-onnx";
import { type Backend, describeProblem } from "@heed/core";
import { afterAll, beforeAll, describe, test } from "vitest";
import { scope } from "../../../test/select.js";
import { expectAsReference } from "./call-of.js";
import { layouts, storages, storedCall } from "./stored-calls.js";

const seeds = Array.from({ length: scope === "all" ? 60 : 4 }, (_, seed) => seed);

describe.each(["cpu", "wasm"] as const)("stored keys and values, %s", (provider) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await onnx({ provider, threads: 1 }).load();
  });
  afterAll(() => backend.dispose());

  const kinds = layouts.flatMap((layout) => storages.map((storage) => [storage, layout] as const));
  test.each(kinds)("%s, %s", async (storage, layout) => {
    for (const seed of seeds) {
      const call = storedCall(seed, storage, layout);
      const problem = describeProblem(call);
      const plan = await backend.plan(problem);
      try {
        expectAsReference(await plan.run(call), call);
      } catch (error) {
        throw new Error(`seed ${seed}: ${problem.key}: ${String(error)}`, { cause: error });
      }
      plan.dispose();
    }
  });
});
