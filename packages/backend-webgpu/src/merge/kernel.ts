import { emitKernel, type Fragment, repeat } from "../wgsl/emit.js";
import { fromFloat16Fragment } from "../wgsl/float16.js";
import type { Binding, Kernel, Storage } from "../wgsl/kernel.js";
import { linearFragment, linearThreads } from "../wgsl/linear.js";
import { lowestFragment, noKeyFragment, softExpFragment } from "../wgsl/log-sum-exp.js";
import { kernelName } from "../wgsl/name.js";
import { type ParamsLayout, paramsLayout } from "../wgsl/params.js";

/** Parts whose log-sum-exps a dispatch reads: with both results, eight storage buffers. */
export const weightParts = 6;

/** Parts whose outputs a dispatch adds, which makes eight storage buffers or less. */
export function sumParts(storage: Storage): number {
  // float16 needs a buffer of float32 for what is summed so far.
  return storage === "f16" ? 5 : 6;
}

/** The words that stand in place of a weight, a part's share of its row, where there is none. */
const weightWordsFragment: Fragment = {
  needs: [noKeyFragment],
  wgsl: "const not_a_number = 0x7fc00000u;",
};

const entry = `@compute @workgroup_size(${linearThreads})
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  var rest = element_number(workgroup, counts, thread);`;

/**
 * Parameters of both kernels: which rows, the parts that are bound, and where these are.
 *
 * @param axes number of axes of the rows
 * @param bound number of parts that a dispatch binds at most
 * @param strides number of strides of each part
 */
function mergeParams(
  axes: number,
  bound: number,
  strides: number,
  others: readonly string[],
): ParamsLayout {
  const names = ["workgroups", "firstWorkgroup"];
  for (let axis = 0; axis < axes; axis++) {
    // The dispatch's rows along the axis, and the axis's whole size.
    names.push(`first${axis}`, `size${axis}`, `whole${axis}`);
  }
  // All parts; the first one that is bound and how many are; whether no more come.
  names.push("count", "firstPart", "bound", "last", ...others);
  for (let part = 0; part < bound; part++) {
    names.push(`part${part}Base`);
    for (let axis = 0; axis < strides; axis++) names.push(`part${part}Axis${axis}`);
  }
  return paramsLayout(Object.fromEntries(names.map((name) => [name, "u32" as const])));
}

/** Declares \`i0\`, \`i1\`, …, a row's indices, and \`row\`, its number, from \`rest\`. */
function rowIndices(axes: number): string {
  const inner = repeat(axes - 1, (n) => {
    const axis = axes - 1 - n;
    return `  let i${axis} = params.first${axis} + rest % params.size${axis};
  rest /= params.size${axis};`;
  });
  const outer = `  if (rest >= params.size0) {
    return;
  }
  let i0 = params.first0 + rest;`;
  let row = "i0";
  for (let axis = 1; axis < axes; axis++) row = `(${row} * params.whole${axis} + i${axis})`;
  return [inner, outer, `  let row = ${row};`].filter(Boolean).join("\n");
}

/** Index of a row's first element in a part's tensor. */
function rowAt(part: number, axes: number): string {
  const steps = repeat(axes, (axis) => ` + i${axis} * params.part${part}Axis${axis}`, "");
  return `params.part${part}Base${steps}`;
}

function variants(axes: number): readonly (string | false)[] {
  return [axes > 1 && `${axes}axes`];
}

/**
 * The weights of all parts in each row, and the merged log-sum-exp; one invocation for each row. A
 * dispatch collects the log-sum-exps of up to {@link weightParts} parts in \`weights\`, one word a part;
 * the last one turns them into weights in place. Infinities and NaN are told by their bits.
 *
 * @param storage element type of the parts' log-sum-exp, which is read as words
 * @param axes number of axes of the rows
 */
export function mergeWeightsKernel(storage: Storage, axes: number): Kernel {
  const bindings: readonly Binding[] = [
    ...Array.from(
      { length: weightParts },
      (_, part): Binding => ({ name: `part${part}`, element: "u32", access: "read" }),
    ),
    { name: "weights", element: "u32", access: "read_write" },
    { name: "log_sum_exp", element: "u32", access: "read_write" },
  ];
  const read = (part: number): string =>
    storage === "f32"
      ? `part${part}[at]`
      : `to_float32((part${part}[at / 2u] >> (16u * (at % 2u))) & 0xffffu)`;
  const body = `/** exp(own − largest), and exactly 1 for the largest itself. */
fn relative_weight(own: f32, largest: f32) -> f32 {
  return select(soft_exp(own - largest), 1.0, own == largest);
}
${entry}
${rowIndices(axes)}
  let words = params.weightsBase + row * params.count;
${repeat(
  weightParts,
  (part) => `  if (params.bound > ${part}u) {
    let at = ${rowAt(part, axes)};
    weights[words + params.firstPart + ${part}u] = ${read(part)};
  }`,
)}
  if (params.last == 0u) {
    return;
  }
  var largest = lowest;
  var seen = false;
  var finite = true;
  for (var part = 0u; part < params.count; part++) {
    let bits = weights[words + part];
    if (bits == no_key) {
      continue;
    }
    seen = true;
    if ((bits & 0x7f800000u) == 0x7f800000u) {
      finite = false;
    } else {
      largest = max(largest, bitcast<f32>(bits));
    }
  }
  if (!seen || !finite) {
    // Parts without keys stay as they are.
    for (var part = 0u; part < params.count; part++) {
      if (weights[words + part] != no_key) {
        weights[words + part] = not_a_number;
      }
    }
    log_sum_exp[params.logSumExpBase + row] = select(no_key, not_a_number, seen);
    return;
  }
  var sum = 0.0;
  for (var part = 0u; part < params.count; part++) {
    let bits = weights[words + part];
    if (bits != no_key) {
      sum += relative_weight(bitcast<f32>(bits), largest);
    }
  }
  // A part that is alone in its row keeps its bits: neither division nor logarithm has to be exact.
  let alone = sum == 1.0;
  for (var part = 0u; part < params.count; part++) {
    let bits = weights[words + part];
    if (bits != no_key) {
      let weight = relative_weight(bitcast<f32>(bits), largest);
      weights[words + part] = bitcast<u32>(select(weight / sum, weight, alone));
    }
  }
  log_sum_exp[params.logSumExpBase + row] = bitcast<u32>(select(largest + log(sum), largest, alone));
}
`;
  return emitKernel({
    name: kernelName({
      operation: "merge",
      kernel: "weights",
      dtype: storage,
      variants: variants(axes),
    }),
    params: mergeParams(axes, weightParts, axes, ["weightsBase", "logSumExpBase"]),
    bindings,
    fragments: [
      linearFragment,
      weightWordsFragment,
      lowestFragment,
      softExpFragment,
      ...(storage === "f16" ? [fromFloat16Fragment] : []),
    ],
    body,
  });
}

/**
 * Adds the weighted outputs of up to {@link sumParts} parts to those of the parts before them; one
 * invocation for each element. Parts without keys are not added, whatever is in them. Sums are float32,
 * and so are those between dispatches.
 *
 * @param storage element type of the parts' outputs and of the merged one
 * @param axes number of axes of the rows
 */
export function mergeSumKernel(storage: Storage, axes: number): Kernel {
  const atOnce = sumParts(storage);
  const half = storage === "f16";
  const bindings: readonly Binding[] = [
    ...Array.from(
      { length: atOnce },
      (_, part): Binding => ({ name: `part${part}`, element: storage, access: "read" }),
    ),
    { name: "weights", element: "u32", access: "read" },
    ...(half ? [{ name: "sums", element: "f32", access: "read_write" } as const] : []),
    { name: "output", element: storage, access: "read_write" },
  ];
  const sums = half ? "sums[params.sumsBase + element]" : "output[params.outputBase + element]";
  const store = half
    ? `  if (params.last == 0u) {
    ${sums} = merged;
  } else {
    output[params.outputBase + element] = f16(merged);
  }`
    : `  ${sums} = merged;`;
  const body = `${entry}
  let column = params.firstColumn + rest % params.columns;
  rest /= params.columns;
${rowIndices(axes)}
  let element = row * params.valueDim + column;
  let words = params.weightsBase + row * params.count + params.firstPart;
  var sum = 0.0;
  if (params.firstPart != 0u) {
    sum = ${sums};
  }
  var valid = true;
${repeat(
  atOnce,
  (part) => `  if (params.bound > ${part}u) {
    let bits = weights[words + ${part}u];
    if (bits == not_a_number) {
      valid = false;
    } else if (bits != no_key) {
      let at = ${rowAt(part, axes)} + column * params.part${part}Axis${axes};
      sum += bitcast<f32>(bits) * f32(part${part}[at]);
    }
  }`,
)}
  let merged = bitcast<f32>(select(not_a_number, bitcast<u32>(sum), valid));
${store}
}
`;
  return emitKernel({
    name: kernelName({
      operation: "merge",
      kernel: "sum",
      dtype: storage,
      variants: variants(axes),
    }),
    features: [half && "f16"],
    params: mergeParams(axes, atOnce, axes + 1, [
      "firstColumn",
      "columns",
      "valueDim",
      "weightsBase",
      "outputBase",
      "sumsBase",
    ]),
    bindings,
    fragments: [linearFragment, weightWordsFragment],
    body,
  });
}
