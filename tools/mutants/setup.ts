/**
 * Applies the mutant that `HEED_MUTANT` holds as JSON to what backends hand to a device: WGSL on its way to the
 * compiler, ONNX models on their way to a session. Loaded before tests by vitest.config.ts if the variable is set.
 */
import { createRequire } from "node:module";
import { resolve } from "node:path";
// @ts-expect-error a script without types
import { mutateModel } from "./onnx-models.js";

/** A line of a kernel and what stands in its place, in every kernel that has the line. */
interface WgslMutant {
  readonly language: "wgsl";
  readonly line: string;
  readonly changed: string;
}

/** See onnx-models.js. */
interface ModelMutant {
  readonly language: "onnx";
}

const mutant: WgslMutant | ModelMutant = JSON.parse(process.env.HEED_MUTANT as string);
// Packages whose dependencies these are.
const requireFrom = (path: string): NodeJS.Require => createRequire(resolve(path, "package.json"));

/** Test files share a process, and this file runs before each of them: a bug is planted once. */
const planted = globalThis as { heedMutantPlanted?: boolean };

if (planted.heedMutantPlanted) {
  // Nothing is left to do.
} else if (mutant.language === "wgsl") {
  const { globals } = requireFrom("packages/backend-webgpu")("webgpu") as {
    globals: { GPUDevice: { prototype: GPUDevice } };
  };
  const { prototype } = globals.GPUDevice;
  const original = prototype.createShaderModule;
  prototype.createShaderModule = function (this: GPUDevice, descriptor) {
    const lines = descriptor.code.split("\n");
    const code = lines.map((line) => (line === mutant.line ? mutant.changed : line)).join("\n");
    return original.call(this, { ...descriptor, code });
  };
} else {
  const { InferenceSession } = requireFrom("packages/backend-onnx")("onnxruntime-node") as {
    InferenceSession: { create(model: Uint8Array, options?: object): Promise<unknown> };
  };
  const original = InferenceSession.create.bind(InferenceSession);
  InferenceSession.create = (model, options) => original(mutateModel(model, mutant), options);
}
planted.heedMutantPlanted = true;
