import { setFlagsFromString } from "node:v8";
import { wasm } from "@heed/backend-wasm";
import { testBackend } from "@heed/conformance/vitest";
import { afterAll } from "vitest";
import { scope, wholeIn } from "../../../test/select.js";
import declaration from "../conformance.json" with { type: "json" };
import { defaultLimits } from "../src/attention/plan.js";
import { newPaths } from "./paths.js";

// Node 20 has relaxed SIMD behind a flag, which later releases do not know any more. Other files of this process
// are tested without it.
if (process.version.startsWith("v20.")) {
  setFlagsFromString("--experimental-wasm-relaxed-simd");
  afterAll(() => setFlagsFromString("--no-experimental-wasm-relaxed-simd"));
}

testBackend(wasm({ simd: "relaxed", threads: 1 }), {
  declaration,
  title: "wasm backend, relaxed SIMD",
  // Relaxed SIMD needs no flag here: the cases that it can change. Browsers run them too, with two threads.
  select: scope === "engine" ? newPaths(1, defaultLimits) : wholeIn("browser"),
});
