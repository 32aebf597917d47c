import { cast, type FloatDType, type HostTensor, statisticsDType, tensor } from "@heed/core";
import { readSafeTensors } from "@heed/core/safetensors";
import { readPackagedVector } from "../../calls/vectors.js";
import type { OperationCase } from "../../run/case.js";
import { checkCall } from "../../run/check-call.js";
import { judgedMerge } from "./judged.js";

/** The tensors of one dtype that stand one after another along the first axis. */
function unstack(t: HostTensor): HostTensor[] {
  const [count = 0, ...shape] = t.shape;
  const [step = 0, ...strides] = t.strides;
  return Array.from({ length: count }, (_, p) =>
    tensor(t.data, shape, { dtype: t.dtype, strides, offset: t.offset + p * step }),
  );
}

/** The recorded float64 parts of attention, rounded to a dtype, and what they merge into. */
function recorded(name: string, dtype: FloatDType): OperationCase {
  return {
    id: `merge/recorded-${name}-${dtype}`,
    profile: dtype === "float64" ? "numerics" : "merge",
    operation: "merge",
    check: async (context) => {
      const read = context.readVector ?? readPackagedVector;
      const { tensors } = readSafeTensors(await read(`serving/merge_${name}.safetensors`));
      const [outputs, lses, output, logSumExp] = ["o_parts", "lse_parts", "o", "lse"].map(
        (file) => tensors[`out.${file}`],
      ) as [HostTensor, HostTensor, HostTensor, HostTensor];
      const rounded = unstack(cast(lses, statisticsDType(dtype)));
      const parts = unstack(cast(outputs, dtype)).map((part, p) => ({
        output: part,
        logSumExp: rounded[p] as HostTensor,
      }));
      return checkCall(judgedMerge, { parts }, context, { output, logSumExp });
    },
  };
}

/** Recorded vectors of merging: a float64 evaluation of other hands. */
export const mergeVectors: readonly OperationCase[] = (
  ["float64", "float32", "float16"] as const
).map((dtype) => recorded("window_first_part_empty", dtype));
