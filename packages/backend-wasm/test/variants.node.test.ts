import { setFlagsFromString } from "node:v8";
import { wasm } from "@heed/backend-wasm";
import { testBackend } from "@heed/conformance/vitest";
import { afterAll } from "vitest";
import declaration from "../conformance.json" with { type: "json" };
import { tileVariants } from "../src/tiles/variants.js";

// Node 20 has relaxed SIMD behind a flag: see relaxed.node.test.ts.
if (process.version.startsWith("v20.")) {
  setFlagsFromString("--experimental-wasm-relaxed-simd");
  afterAll(() => setFlagsFromString("--no-experimental-wasm-relaxed-simd"));
}

// The first variant is the one that all other tests run.
for (const simd of ["baseline", "relaxed"] as const) {
  for (const variant of tileVariants.slice(1)) {
    testBackend(wasm({ simd, variant, threads: 1 }), {
      declaration,
      title: `wasm backend, ${simd} SIMD, tiles: ${variant}`,
      select: (c) => "profile" in c && c.profile === "core",
    });
  }
}
