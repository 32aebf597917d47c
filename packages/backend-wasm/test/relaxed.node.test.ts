import { setFlagsFromString } from "node:v8";
import { wasm } from "@heed/backend-wasm";
import { testBackend } from "@heed/conformance/vitest";

// Node 20 has relaxed SIMD behind a flag; later releases ignore it.
setFlagsFromString("--experimental-wasm-relaxed-simd");

testBackend(wasm({ simd: "relaxed", threads: 1 }), { title: "wasm backend, relaxed SIMD" });
