import type { Runtime, RuntimeTensor } from "@heed/backend-onnx/runtime";
import { type DeviceTensor, elementCount, type HostTensor, isDeviceTensor } from "@heed/core";
import type { OperatorForm } from "../match/form.js";
import { NotInPlace, NotThisCall } from "./axes.js";
import type { SharedGpu } from "./gpu/shared.js";
import { type Argument, arrangedHeads, hostArgument, runOperator } from "./operator.js";
import { reasonOnDevice } from "./reasons.js";
import type { RunValues } from "./run-values.js";
import { type Recorded, type Runner, recording } from "./runner.js";
import type { SiteRun, Wanted } from "./site-run.js";
import { floats, hostTensor, runtimeValue } from "./values.js";

/** A site that the file writes as an operator. */
export interface OperatorSite {
  readonly form: OperatorForm;
  readonly inputs: readonly string[];
  /** Inputs that are read on the GPU if they are there. */
  readonly operands: ReadonlySet<string>;
  /** Values that do not depend on the call. */
  readonly constants: ReadonlySet<string>;
  readonly attention: Runner;
  readonly runtime: Runtime;
  /** Memory that onnxruntime and a backend share. */
  readonly gpu: SharedGpu | null;
}

/**
 * Runs an operator on Heed: on the GPU that has its operands, or on host tensors, with the reason if they had to be
 * read back. Masks, lengths, positions and biases are read in host memory always.
 *
 * @throws what core's functions for these operators throw, NotThisCall
 */
export async function runOperatorSite(
  site: OperatorSite,
  values: RunValues,
  wanted: Wanted,
): Promise<SiteRun> {
  await values.fetch(site.inputs.filter((name) => !site.operands.has(name)));
  const readBack = await tryOnDevice(site, values, wanted);
  if (typeof readBack === "object") return readBack;
  await values.fetch(site.operands);
  const run = await runWith(site, wanted, (name) => hostArgument(values.onHost(name)));
  return readBack === undefined ? run : { ...run, result: { ...run.result, readBack } };
}

/** A run on the GPU that has the operands; else why they have to be read back, undefined where none is there. */
async function tryOnDevice(
  site: OperatorSite,
  values: RunValues,
  wanted: Wanted,
): Promise<SiteRun | string | undefined> {
  const { gpu } = site;
  if (!gpu) return undefined;
  const layouts = [...site.operands].map((name) => ({
    name,
    layout: gpu.layout(values.get(name)),
  }));
  if (layouts.every(({ layout }) => layout === undefined)) return undefined;
  if (gpu.copies !== null) return gpu.copies;
  const placed = new Map<string, DeviceTensor>();
  const wrapped: DeviceTensor[] = [];
  try {
    for (const { name, layout } of layouts) {
      if (layout) {
        if (elementCount(layout.shape) === 0) throw new NotInPlace("an operand is empty");
        const t = gpu.tensor(layout);
        wrapped.push(t);
        placed.set(name, t);
      } else if (site.constants.has(name)) {
        const weight = hostTensor(values.get(name));
        if (weight) placed.set(name, await gpu.weight(name, weight));
      }
    }
    return await runWith(
      site,
      wanted,
      (name) => placed.get(name) ?? hostArgument(values.onHost(name)),
    );
  } catch (error) {
    const reason = reasonOnDevice(error);
    if (reason === null) throw error;
    return reason;
  } finally {
    for (const t of wrapped) t.dispose();
  }
}

async function runWith(
  { form, attention, runtime, gpu }: OperatorSite,
  wanted: Wanted,
  argument: (name: string) => Argument,
): Promise<SiteRun> {
  const recorded: Recorded = {};
  const runner = recording(attention, wanted, recorded);
  const outputs = await runOperator(runner, form, argument);
  const made = new Map<string, RuntimeTensor>();
  for (const [at, name] of form.node.outputs.entries()) {
    const output = outputs[at];
    if (output) {
      const given =
        gpu && isDeviceTensor(output)
          ? await gpu.given(output, output.shape)
          : runtimeValue(runtime, output as HostTensor, output.shape);
      made.set(name, given);
    } else if (name !== "") throw new NotThisCall(`Heed does not return the output ${at}`);
  }
  const onDevice = outputs.some((output) => output && isDeviceTensor(output));
  const { backend, weights, inputs } = recorded;
  return {
    values: made,
    result: {
      backend: backend ?? null,
      memory: onDevice ? "device" : "host",
      ...(weights && { weights }),
      ...(inputs && {
        inputs,
        arrange: (made) => arrangedHeads(floats(made), inputs.query.shape[1] ?? 1),
      }),
    },
  };
}
