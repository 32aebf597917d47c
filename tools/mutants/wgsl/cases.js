// The cases that can notice a mutant of WGSL: those that dispatch a kernel with the changed line.
import "../../test/polling.js";
import { caseInputs, checkCase, selectCases } from "@heed/conformance";
import { attention, describeProblem } from "@heed/core";
import { operandsOf } from "../../../packages/backend-webgpu/dist/attention/operands.js";
import { schedule } from "../../../packages/backend-webgpu/dist/attention/schedule/schedule.js";
import { WebGpuBackend } from "../../../packages/backend-webgpu/dist/backend.js";
import { openDevice } from "../../../packages/backend-webgpu/dist/device.js";
import { denseLayouts } from "../../../packages/backend-webgpu/dist/execution/program.js";
import { readState, writeState } from "../suite/state.js";

/** Ways of deciding about kernels, so that every kernel is dispatched by some of them. */
export const configurations = [
  { name: "the adapter", capabilities: {}, preferences: {} },
  { name: "as on a GPU", capabilities: { software: false }, preferences: {} },
  ...["tile", "decode", "stream", "quad"].map((kernel) => ({
    name: kernel,
    capabilities: {},
    preferences: { kernel },
  })),
  {
    name: "quad without subgroups",
    capabilities: { subgroups: false },
    preferences: { kernel: "quad" },
  },
  // Numbers of workgroups have three digits, which on other devices only grids beyond 65,535 have.
  { name: "narrow grids", capabilities: {}, limits: { maxComputeWorkgroupsPerDimension: 2 } },
];

/** The configuration under which few cases run: what it adds concerns one line of each kernel. */
const narrow = configurations.findIndex(({ limits }) => limits !== undefined);

/** A device of its own, whose kernels are compiled anew. */
export function open() {
  return openDevice({ allowFallbackAdapter: true });
}

/** The backend of a configuration on a device. */
export function backendOn(device, { capabilities, limits, preferences = {} }) {
  const own = device.capabilities;
  return WebGpuBackend.on(
    {
      ...device,
      owned: false,
      capabilities: { ...own, ...capabilities, limits: { ...own.limits, ...limits } },
    },
    preferences,
  );
}

/** Multiply-adds of a case, to run small ones first. */
function workOf({ batch, queryHeads, queryLength, keyLength, headDim, valueDim }) {
  return batch * queryHeads * queryLength * keyLength * (headDim + valueDim);
}

/** Larger cases take seconds, and have the kernels of smaller ones. */
const mostWork = 5e7;

/** Cases that combine many rules are likely to notice something. */
const manyRules = /^masks\/everything|^pairs\//;

/**
 * Every case that the configurations compute with kernels of their own: a case that two of them compute by
 * the same dispatches is there once.
 *
 * @returns {Promise<{ configuration: number, case: object, lines: Set<string>[], kernels: string[], rank: number }[]>}
 */
export async function dispatchingCases() {
  return readKnown() ?? (await findCases());
}

/** The cases that an earlier process has found; null if there was none. */
function readKnown() {
  const known = readState("cases");
  if (known === null) return null;
  const byId = new Map(selectCases().map((c) => [c.id, c]));
  const lines = new Map(known.texts.map(([name, list]) => [name, new Set(list)]));
  return known.cases.map(({ id, names, ...found }) => ({
    ...found,
    case: byId.get(id),
    kernels: names,
    lines: names.map((name) => lines.get(name)),
  }));
}

async function findCases() {
  const device = await open();
  const found = [];
  const seen = new Set();
  /** Lines of kernels, by name. */
  const texts = new Map();
  const linesOf = (kernels) => {
    for (const { name, code } of kernels) {
      if (!texts.has(name)) texts.set(name, new Set(code.split("\n")));
    }
    return [...new Set(kernels.map(({ name }) => name))].map((name) => texts.get(name));
  };
  const backends = await Promise.all(configurations.map((wishes) => backendOn(device, wishes)));
  for (const c of selectCases()) {
    if (!("spec" in c)) continue;
    const problem = describeProblem(caseInputs(c));
    if (workOf(problem) > mostWork || problem.dtype === "float64") continue;
    const operands = operandsOf(denseLayouts(attention.operands(problem)));
    for (const [configuration, backend] of backends.entries()) {
      if (configuration === narrow && !manyRules.test(c.id)) continue;
      const choice = backend.choose(problem);
      const { steps } = schedule(problem, choice, operands, backend.capabilities);
      const key = JSON.stringify([c.id, steps.map(({ kernel, grid }) => [kernel.name, grid])]);
      if (seen.has(key)) continue;
      seen.add(key);
      const kernels = steps.map(({ kernel }) => kernel);
      const rank = workOf(problem) * (manyRules.test(c.id) ? 1e-3 : 1);
      const names = [...new Set(kernels.map(({ name }) => name))];
      found.push({ configuration, case: c, lines: linesOf(kernels), kernels: names, rank });
    }
  }
  for (const backend of backends) backend.dispose();
  found.push(...(await operationCases(device, linesOf)));
  device.device.destroy();
  writeState("cases", {
    texts: [...texts].map(([name, lines]) => [name, [...lines]]),
    cases: found.map(({ configuration, case: { id }, kernels, rank }) => ({
      ...{ configuration, id, names: kernels, rank },
    })),
  });
  return found;
}

/** Cases of other operations, with the kernels that they are seen to dispatch. */
async function operationCases(device, linesOf) {
  const codes = new Map();
  const dispatched = new Map();
  const { createShaderModule } = Object.getPrototypeOf(device.device);
  const prototype = Object.getPrototypeOf(device.device);
  prototype.createShaderModule = function (descriptor) {
    codes.set(descriptor.label, descriptor.code);
    return createShaderModule.call(this, descriptor);
  };
  const pass = device.device.createCommandEncoder().beginComputePass();
  const passes = Object.getPrototypeOf(pass);
  const { setPipeline } = passes;
  passes.setPipeline = function (pipeline) {
    dispatched.set(pipeline.label, true);
    return setPipeline.call(this, pipeline);
  };
  // A device of its own, so that every kernel is compiled and its text seen.
  const fresh = await open();
  const backend = await backendOn(fresh, configurations[0]);
  const found = [];
  try {
    for (const c of selectCases()) {
      if (!("check" in c)) continue;
      dispatched.clear();
      await checkCase({ backend, provider: { name: "webgpu", load: async () => backend } }, c);
      const kernels = [...dispatched.keys()].map((name) => ({ name, code: codes.get(name) }));
      if (kernels.length === 0) continue;
      const names = kernels.map(({ name }) => name);
      const lines = linesOf(kernels);
      found.push({ configuration: 0, case: c, lines, kernels: names, rank: 1 });
      found.push({ configuration: narrow, case: c, lines, kernels: names, rank: 2 });
    }
  } finally {
    prototype.createShaderModule = createShaderModule;
    passes.setPipeline = setPipeline;
    backend.dispose();
    fresh.device.destroy();
  }
  return found;
}
