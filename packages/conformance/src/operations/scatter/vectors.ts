import {
  createAttention,
  fromFloat64,
  type HostTensor,
  isDeviceTensor,
  reshape,
  scatter,
  toFloat64,
} from "@heed/core";
import { readSafeTensors } from "@heed/core/safetensors";
import { bitsOf, sameBits } from "../../calls/bits.js";
import { readPackagedVector } from "../../calls/vectors.js";
import { borrow } from "../../run/borrow.js";
import type { OperationCase, OperationContext, OperationFinding } from "../../run/case.js";
import { operationSupport } from "../../run/operation-support.js";
import { difference, toleranceOf } from "../attention/laws/compare.js";
import { onCopies, type ScatterCall } from "./build.js";
import { scatterOn } from "./check.js";

async function load(path: string, { readVector }: OperationContext) {
  return readSafeTensors(await (readVector ?? readPackagedVector)(`${path}.safetensors`));
}

/** Rows of `count` from where each entry's own begin. */
function consecutive(starts: Int32Array, count: number): Int32Array {
  return Int32Array.from(
    { length: starts.length * count },
    (_, at) => (starts[Math.floor(at / count)] as number) + (at % count),
  );
}

/** ONNX's operator writes consecutive rows; rank 3 is a single head. */
async function checkOnnx(name: string, context: OperationContext): Promise<OperationFinding> {
  const { tensors } = await load(`onnx/${name}`, context);
  const headed = (t: HostTensor): HostTensor =>
    t.shape.length === 4
      ? t
      : (reshape(t, [t.shape[0] as number, 1, ...t.shape.slice(1)]) as HostTensor);
  const source = headed(tensors["in.update"] as HostTensor);
  const starts = tensors["in.write_indices"] as HostTensor;
  const call: ScatterCall = {
    target: headed(tensors["in.past_cache"] as HostTensor),
    source,
    slots: consecutive(Int32Array.from(toFloat64(starts)), source.shape[2] as number),
  };
  return judged(call, headed(tensors["out.present_cache"] as HostTensor), context);
}

async function judged(
  call: ScatterCall,
  recorded: HostTensor,
  context: OperationContext,
): Promise<OperationFinding> {
  const support = await operationSupport(context.backend, scatter.describe(call));
  if (!support.ok) return { failures: support.failures, reasons: support.reasons };
  const got = await scatterOn(context, [onCopies(call)]);
  const expected = fromFloat64(toFloat64(recorded), recorded.shape, call.target.dtype);
  const right = got !== null && sameBits(bitsOf(got.target), bitsOf(expected));
  return { failures: right ? [] : ["the target is not what was recorded"] };
}

/** New keys and values written into a cache, and attention over it. */
async function checkAppend(context: OperationContext): Promise<OperationFinding> {
  const { tensors, metadata } = await load("serving/append_plain_gqa", context);
  const { scale } = JSON.parse(metadata.attributes as string);
  const lengths = (tensors["in.cache_lens"] as HostTensor).data as Int32Array;
  const failures: string[] = [];
  const caches: HostTensor[] = [];
  let count = 0;
  for (const [part, name] of [
    ["k", "keys"],
    ["v", "values"],
  ] as const) {
    const source = tensors[`in.${part}_new`] as HostTensor;
    count = source.shape[2] as number;
    const call: ScatterCall = {
      target: tensors[`in.${part}_cache`] as HostTensor,
      source,
      slots: consecutive(lengths, count),
    };
    const recorded = tensors[`out.${part}_cache`] as HostTensor;
    const found = await judged(call, recorded, context);
    if (found.reasons) return found;
    failures.push(...found.failures.map((failure) => `${name}: ${failure}`));
    const got = await scatterOn(context, [onCopies(call)]);
    if (got) caches.push(got.target);
  }
  const [key, value] = caches as [HostTensor, HostTensor];
  const { backend } = context;
  const attention = await createAttention({
    backends: [{ name: backend.name, load: async () => borrow(backend) }],
    selfTest: false,
    fallback: "silent",
  });
  try {
    const call = {
      query: tensors["in.q"] as HostTensor,
      key,
      value,
      kvLengths: Int32Array.from(lengths, (length) => length + count),
      causal: true,
      queryOffset: "bottom-right" as const,
      scale,
      returns: { logSumExp: true },
    };
    const { output, logSumExp } = await attention.run(call);
    if (isDeviceTensor(output)) failures.push("the output of host tensors is a device tensor");
    const recorded = { output: tensors["out.o"], logSumExp: tensors["out.lse"] };
    const wrong = difference({ output, logSumExp } as never, recorded as never, toleranceOf(call));
    if (wrong !== null) failures.push(`attention over the cache: ${wrong}`);
  } finally {
    await attention.dispose();
  }
  return { failures };
}

/** Recorded vectors of other projects' writes into caches. */
export const scatterVectors: readonly OperationCase[] = [
  ...["test_tensorscatter", "test_tensorscatter_3d"].map(
    (name): OperationCase => ({
      id: `vectors/onnx/${name}`,
      profile: "scatter",
      operation: "scatter",
      check: (context) => checkOnnx(name, context),
    }),
  ),
  {
    id: "vectors/serving/append_plain_gqa",
    profile: "scatter",
    operation: "scatter",
    check: checkAppend,
  },
];
