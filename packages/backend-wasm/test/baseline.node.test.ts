import { wasm } from "@heed/backend-wasm";
import { testBackend } from "@heed/conformance/vitest";
import { wholeIn } from "../../../test/select.js";
import declaration from "../conformance.json" with { type: "json" };

testBackend(wasm({ simd: "baseline", threads: 1 }), {
  declaration,
  title: "wasm backend, baseline SIMD",
  select: wholeIn("node"),
});
