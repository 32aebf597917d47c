import { judge } from "@heed/conformance";
import {
  type AttentionInputs,
  cast,
  type HostTensor,
  reshape,
  scatter,
  scatterRows,
  slice,
  zeros,
} from "@heed/core";
import { type Judge, translate, worstOf } from "../../measure/judge.js";
import { keysSeen } from "./problem.js";
import type { DecodeInputs } from "./tokens.js";

/** Keys of all heads that are looked at: evaluating them takes about half a second. */
const mostKeys = 2 ** 18;
const mostRows = 16;

/**
 * A judge of the first step's output `[batch, queryHeads, 1, headDim]`: some rows, the first and the last among
 * them, each as a call of its own on the keys and values as they are to be stored.
 */
export function judgeDecode({ sizes, tokens, query }: DecodeInputs): Judge {
  const { batch, queryHeads, kvHeads, headDim, length, kind } = sizes;
  const rows = batch * queryHeads;
  const count = Math.max(2, Math.min(rows, mostRows, Math.floor(mostKeys / (length + 1))));
  const chosen = Array.from({ length: count }, (_, i) =>
    Math.round((i * (rows - 1)) / Math.max(1, count - 1)),
  );
  const shape = [batch, queryHeads, 1, headDim];
  const calls = chosen.map((row): AttentionInputs<HostTensor> => {
    const [b, head] = [Math.floor(row / queryHeads), row % queryHeads];
    const kvHead = Math.floor((head * kvHeads) / queryHeads);
    const key = stored(tokens.head("key", b, kvHead, length + 1), sizes.dtype);
    const value = stored(tokens.head("value", b, kvHead, length + 1), sizes.dtype);
    return {
      query: rowOf(query, b, head),
      key: key.rows,
      value: value.rows,
      ...(key.scales && value.scales && { keyScales: key.scales, valueScales: value.scales }),
      ...(kind === "rolling" && { window: { left: keysSeen(sizes) - 1 }, queryOffset: length }),
    };
  });
  return ({ output }) => {
    if (String(output?.shape) !== String(shape)) {
      const got = `[${output?.shape.join(", ")}]`;
      return { errorInBudgets: null, wrong: `its shape is ${got}, not [${shape.join(", ")}]` };
    }
    return worstOf(
      calls.map((call, i) => {
        const row = chosen[i] as number;
        const place = [Math.floor(row / queryHeads), row % queryHeads];
        const got = rowOf(output as HostTensor, place[0] as number, place[1] as number);
        return translate(judge(call, { output: got }), [...place, 0]);
      }),
    );
  };
}

/** One row of `[batch, heads, 1, headDim]` as `[1, 1, 1, headDim]`. */
function rowOf(t: HostTensor, batch: number, head: number): HostTensor {
  return slice(slice(t, 0, batch, batch + 1), 1, head, head + 1);
}

interface Stored {
  readonly rows: HostTensor;
  readonly scales?: HostTensor;
}

/** Rows `[1, 1, n, headDim]` as a cache keeps them: rounded, or quantised by the rules of scatter. */
function stored(rows: HostTensor<"float32">, dtype: "float32" | "float16" | "int8"): Stored {
  if (dtype === "float32") return { rows };
  if (dtype === "float16") return { rows: cast(rows, "float16") };
  const [, , n = 0, headDim = 0] = rows.shape;
  const scales = zeros("float32", [1, 1, n]);
  const inputs = {
    target: zeros("int8", [1, 1, n, headDim]),
    source: rows,
    scales,
    slots: Int32Array.from({ length: n }, (_, i) => i),
    paged: false,
  };
  scatterRows(scatter.bind(scatter.describe(inputs), inputs) as Parameters<typeof scatterRows>[0]);
  return { rows: reshape(inputs.target, [1, 1, n, headDim]), scales };
}
