import { testBackend } from "@heed/conformance/vitest";
import type { AttentionProvider } from "@heed/core";
import declaration from "../conformance.json" with { type: "json" };
import { OnnxBackend } from "../src/backend.js";
import { loadRuntime } from "../src/runtime/load.js";
import { checkOptions } from "../src/runtime/options.js";

/** GroupQueryAttention for all that it can say, and not from some length on. */
const everywhere: AttentionProvider = {
  name: "onnx",
  load: async () => {
    const loaded = await loadRuntime(checkOptions({ provider: "cpu", threads: 1 }));
    return new OnnxBackend({ ...loaded, traits: { ...loaded.traits, groupQueryFrom: 0 } });
  },
};

testBackend(everywhere, {
  declaration,
  title: "onnx backend, cpu, GroupQueryAttention at every length",
});
