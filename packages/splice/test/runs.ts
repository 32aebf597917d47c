import {
  type Attention,
  float16BitsToNumber,
  type HostTensor,
  referenceAttention,
  toFloat64,
} from "@heed/core";
import {
  type OnnxTensor,
  type RunResult,
  type SiteResult,
  type SplicedModel,
  splice,
} from "@heed/splice";
import * as ort from "onnxruntime-node";
import { expect } from "vitest";
import type { Feeds, TestModel } from "./models/writer.js";

/** onnxruntime's tensors. */
export function tensors(feeds: Feeds): Record<string, ort.Tensor> {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { type, data, dims }]) => [
      name,
      new ort.Tensor(type as "float32", data as Float32Array, dims),
    ]),
  );
}

export interface Compared {
  readonly model: SplicedModel;
  readonly result: RunResult;
}

/** Splices a model, runs it, and compares every output, and every weight, with onnxruntime's own. */
export async function compared(
  { bytes, feeds }: TestModel,
  attention: Attention,
  more: Record<string, unknown> = {},
): Promise<Compared> {
  const model = await splice(bytes, { attention, runtime: ort, ...more });
  try {
    const given = tensors(feeds);
    const result = await model.run(given, { weights: true, inputs: true });
    const whole = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
    const expected = await whole.run(given);
    expect(Object.keys(result.outputs)).toEqual([...whole.outputNames]);
    for (const [name, tensor] of Object.entries(expected)) {
      expectSame(name, result.outputs[name] as OnnxTensor, tensor);
    }
    await whole.release();
    await compareWeights(model, result);
    return { model, result };
  } finally {
    await model.dispose();
  }
}

function numbers({ type, data }: OnnxTensor): number[] {
  const bits = type === "float16" && data instanceof Uint16Array;
  return Array.from(data as Float32Array, (one) => (bits ? float16BitsToNumber(one) : Number(one)));
}

export function expectSame(
  name: string,
  actual: OnnxTensor,
  expected: OnnxTensor,
  relative: number = expected.type === "float16" ? 4e-3 : 4e-6,
): void {
  expect(actual.type, name).toBe(expected.type);
  expect(actual.dims, name).toEqual(expected.dims);
  const [a, b] = [numbers(actual), numbers(expected)];
  const largest = b.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
  const tolerance = relative * Math.max(1, largest);
  const worst = a.reduce((most, one, i) => Math.max(most, Math.abs(one - (b[i] as number))), 0);
  expect(worst, `${name}: largest difference, of numbers up to ${largest}`).toBeLessThan(tolerance);
}

/** The nodes of the file give the same weights on the same inputs. */
async function compareWeights(model: SplicedModel, { sites }: RunResult): Promise<void> {
  for (const [name, { weights, feeds, arrange, inputs }] of sites) {
    const { model: bytes, outputs } = model.subgraph(name);
    if (arrange && inputs) await compareOutput(model, name, { feeds, arrange, inputs });
    const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
    const made = await session.run(feeds as Record<string, ort.Tensor>);
    await session.release();
    const softmax = made[outputs.at(-1) as string] as OnnxTensor;
    const ofOperator = model.sites.find((site) => site.name === name)?.operator !== written;
    if (ofOperator || !weights) continue;
    const values = Array.from(toFloat64(weights as HostTensor));
    const { type, dims } = { type: weights.dtype, dims: softmax.dims };
    // NaN of rows that see no key becomes 0 further on, where it has to be.
    const expected = numbers(softmax).map((one) => (Number.isNaN(one) ? 0 : one));
    const wide = { type: type === "float16" ? "float64" : type, dims };
    expectSame(
      `weights of ${name}`,
      { ...wide, data: values },
      { ...wide, data: expected },
      type === "float16" ? 4e-3 : undefined,
    );
    expect(weights.shape.length).toBe(4);
  }
}

export const written = "MatMul–Softmax–MatMul";

/** The subgraph's first output, arranged, is the output of the call; without weights where nothing reads them. */
async function compareOutput(
  model: SplicedModel,
  name: string,
  {
    feeds,
    arrange,
    inputs,
  }: Required<Pick<SiteResult, "arrange" | "inputs">> & Pick<SiteResult, "feeds">,
): Promise<void> {
  const { model: bytes, outputs } = model.subgraph(name, { weights: false });
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const made = await session.run(feeds as Record<string, ort.Tensor>);
  await session.release();
  const arranged = arrange(made[outputs[0] as string] as OnnxTensor);
  const { output } = referenceAttention(inputs);
  const wide = (t: HostTensor) => ({
    type: "float64",
    dims: t.shape,
    data: Array.from(toFloat64(t)),
  });
  expectSame(
    `output of ${name}`,
    wide(arranged),
    wide(output),
    arranged.dtype === "float16" ? 4e-3 : 4e-6,
  );
}
