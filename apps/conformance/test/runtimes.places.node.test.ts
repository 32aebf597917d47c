import { llvmpipe, testEngine } from "./engines.js";

// Deno's WebGPU is wgpu, whose compiler is naga: all kernels. Its JavaScript engine is Node's.
await testEngine("deno", [
  { backends: ["webgpu"], env: llvmpipe, where: "llvmpipe" },
  { backends: ["js", "wasm"], profile: "core" },
]);
await testEngine("bun", [{ backends: ["js", "wasm"], profile: "core" }]);
