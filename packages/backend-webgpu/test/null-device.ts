/** Dawn's device that has all features and computes nothing: it only compiles. */
import { subgroupMatrixFeature } from "../src/options.js";

interface Dawn {
  create(flags: readonly string[]): GPU;
}

const dawn = (await import("webgpu").catch(() => null)) as Dawn | null;
// Kept: what `create` gives must not be collected.
const gpu = dawn?.create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]) ?? null;

/** @returns null without the package `webgpu` */
export async function deviceOfAll(): Promise<GPUDevice | null> {
  const adapter = (await gpu?.requestAdapter()) ?? null;
  if (adapter === null) return null;
  return adapter.requestDevice({
    requiredFeatures: ["shader-f16", "subgroups", subgroupMatrixFeature as GPUFeatureName],
  });
}

/** The compiler's messages about a kernel's text; nothing if it is right. */
export async function messagesTo(device: GPUDevice, code: string): Promise<readonly string[]> {
  const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
  return messages.map(({ type, lineNum, message }) => `${type} ${lineNum}: ${message}`);
}
