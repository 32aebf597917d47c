import { wasm } from "@heed/backend-wasm";
import { testBackend } from "@heed/conformance/vitest";

testBackend(wasm({ threads: 2 }), { title: "wasm backend, two threads" });
