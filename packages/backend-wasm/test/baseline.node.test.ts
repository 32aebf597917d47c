import { wasm } from "@heed/backend-wasm";
import { testBackend } from "@heed/conformance/vitest";

testBackend(wasm({ simd: "baseline", threads: 1 }), { title: "wasm backend, baseline SIMD" });
