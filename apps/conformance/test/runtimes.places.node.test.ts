import { scope } from "../../../test/select.js";
import { type EngineRun, llvmpipe, swiftShader, testEngine } from "./engines.js";

const onLlvmpipe = { backends: ["webgpu"], env: llvmpipe, where: "llvmpipe" };
// It has no shader-f16, other limits, and compiles each kernel in a fraction of the time.
const onSwiftShader = { backends: ["webgpu"], env: swiftShader, where: "SwiftShader" };
// Deno's WebGPU is wgpu, whose compiler is naga: every pair of features, on a driver that computes seconds for
// each kernel. Whether naga compiles all kernels, suite-forms of backend-webgpu says. Its JavaScript engine is Node's.
const onWebGpu: readonly EngineRun[] =
  scope === "all"
    ? [onLlvmpipe, onSwiftShader]
    : [
        { ...onLlvmpipe, profile: "core" },
        { ...onLlvmpipe, profile: "pairs" },
        { ...onSwiftShader, profile: "core" },
      ];
await testEngine("deno", [...onWebGpu, { backends: ["js", "wasm"], profile: "core" }]);
await testEngine("bun", [{ backends: ["js", "wasm"], profile: "core" }]);
