import { scope } from "../../../test/select.js";
import { llvmpipe, testEngine } from "./engines.js";

/** Every case takes many minutes where a driver compiles each kernel for seconds. */
const mostOfWebGpu = scope === "all" ? {} : { profile: "core" };

// Both run at the same time: each has one thread for a page.
await Promise.all([
  testEngine("firefox", [
    { backends: ["js", "wasm"] },
    { backends: ["onnx:wasm"], profile: "core" },
    { backends: ["webgpu"], ...mostOfWebGpu, env: llvmpipe, where: "llvmpipe" },
  ]),
  testEngine("webkit", [
    { backends: ["js", "wasm"] },
    { backends: ["onnx:wasm"], profile: "core" },
  ]),
]);
