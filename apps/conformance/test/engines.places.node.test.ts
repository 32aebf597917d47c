import { llvmpipe, testEngine } from "./engines.js";

// Both run at the same time: each has one thread for a page.
await Promise.all([
  testEngine("firefox", [
    { backends: ["js", "wasm"] },
    { backends: ["onnx:wasm"], profile: "core" },
    { backends: ["webgpu"], profile: "core", env: llvmpipe, where: "llvmpipe" },
  ]),
  testEngine("webkit", [
    { backends: ["js", "wasm"] },
    { backends: ["onnx:wasm"], profile: "core" },
  ]),
]);
