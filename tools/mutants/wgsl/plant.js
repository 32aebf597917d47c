// Plants a mutant in the kernels that a test process compiles: `HEED_MUTANTS_LINE` is the mutant as JSON, or null.
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { replaceLines } from "./replace.js";

const mutant = JSON.parse(process.env.HEED_MUTANTS_LINE);
const { globals } = createRequire(resolve("packages/backend-webgpu/package.json"))("webgpu");
const { prototype } = globals.GPUDevice;
// Files share a process, and this runs for each.
if (!prototype.heedMutant) {
  prototype.heedMutant = true;
  replaceLines(prototype, () => mutant);
}
