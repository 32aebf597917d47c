// The ONNX backend, whose graphs mutants change: those for the provider cpu, and those for WebGPU, whose arithmetic has
// no reliable infinities, computed by the provider cpu as well.
import { onnx } from "@heed/backend-onnx";
import { backendOn } from "../../../packages/backend-onnx/dist/backend.js";
import { loadRuntime } from "../../../packages/backend-onnx/dist/runtime/load.js";
import { checkOptions } from "../../../packages/backend-onnx/dist/runtime/options.js";
import { traitsOf } from "../../../packages/backend-onnx/dist/runtime/traits.js";
import { Probes } from "../suite/probes.js";
import { keyOf, lineOf, Sites } from "./sites.js";

const options = { provider: "cpu", threads: 1 };

/** The backend as it is for WebGPU, computed on the CPU. */
async function asOnWebGpu() {
  const loaded = await loadRuntime(checkOptions(options));
  const traits = traitsOf("webgpu", { float16: true, largestTensor: null });
  return backendOn({ ...loaded, traits });
}

export async function subject() {
  const sites = new Sites();
  const configurations = [
    { name: "cpu", open: () => onnx(options).load() },
    { name: "graphs for WebGPU", open: asOnWebGpu, mayFail: true },
  ];
  const probes = await Probes.run(configurations, sites);
  return {
    mutants: [...sites.mutants.values()].map((mutant) => ({
      ...mutant,
      line: lineOf(mutant.site),
    })),
    probes,
    keyOf,
    isInvalid: (failure) => failure.includes("does not take the model"),
    plant: (mutant) => {
      sites.planted = mutant;
      return () => {
        sites.planted = null;
      };
    },
  };
}
