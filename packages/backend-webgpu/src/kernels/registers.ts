import { paramsWgsl } from "../params.js";
import { finishWgsl } from "./finish.js";
import { forwardBindings } from "./forward.js";
import { gridWgsl } from "./grid.js";
import { declareBindings, enableFeatures, type Kernel, repeat, type Storage } from "./kernel.js";
import { logitsWgsl } from "./logits.js";
import { rulesWgsl } from "./rules.js";

/** Invocations of a workgroup: a quad. */
export const registersThreads = 4;

/** In how many invocations' rows a workgroup's differ. */
export type RegistersMode =
  /**
   * Invocations have different rows of one head and walk over the same keys: each loads a quarter of a
   * key and they exchange the quarters within their quad.
   */
  | "quad"
  /** The same, where there are no subgroups: each loads all of a key. */
  | "alone"
  /** Invocations have the same rows and different keys, parts that are merged. For few rows. */
  | "stream";

export interface RegistersShape {
  readonly mode: RegistersMode;
  /** Rows of an invocation. */
  readonly rows: 4 | 8;
  /** Sizes that the loops are unrolled for; multiples of 4, at least headDim and valueDim. */
  readonly headDim: number;
  readonly valueDim: number;
  readonly output: Storage;
}

/**
 * A row's weights may grow to e^8 before its sum and output are scaled down: see {@link registersKernel}.
 */
const patience = 8;

/**
 * FlashAttention for adapters that imitate a GPU on a CPU. There every load costs about as much as ten
 * multiply-adds, barriers are expensive, and private memory with constant indices is next to free: an
 * invocation keeps several query rows and their outputs to itself (1,024 floats for 8 rows of 64: on a
 * real GPU they would spill) and reads each element of a key once for all of them.
 *
 * A row's maximum only has to be near: what is subtracted from its logits is raised when a logit is
 * more than 8 above it, so that outputs are rarely rescaled.
 */
export function registersKernel(shape: RegistersShape): Kernel {
  const { mode, rows, headDim, valueDim, output } = shape;
  const quads = rows / 4;
  // Two keys at once fetch queries and outputs half as often: a sixth faster with 8 rows.
  const keysAtOnce = mode === "stream" ? 1 : 2;
  const bindings = forwardBindings({ query: "f32", key: "f32", bias: "f32", output });
  const forQuads = (text: (q: number) => string): string => repeat(quads, text);
  const forKeys = (text: (k: number) => string): string => repeat(keysAtOnce, text);
  const forBoth = (text: (k: number, q: number) => string): string =>
    forKeys((k) => forQuads((q) => text(k, q)));
  /** Four elements of key k's row in `x{k}_0` to `x{k}_3`: 0 past the size, where nothing is hidden. */
  const loadFour = (from: "key" | "value", first: number, size: string): string =>
    forKeys((k) => {
      const skipped = from === "value" ? ` || skip${k}` : "";
      const element = (at: string): string =>
        `select(${from}[row${k} + min(${at}, ${size} - 1u) * params.${from}Column], 0.0, ${at} >= ${size}${skipped})`;
      if (mode === "quad") {
        return `      let x${k} = ${element(`${first}u + lane`)};
${repeat(4, (e) => `      let x${k}_${e} = quadBroadcast(x${k}, ${e}u);`)}`;
      }
      return repeat(4, (e) => `      let x${k}_${e} = ${element(`${first + e}u`)};`);
    });
  const together = mode === "stream" ? 1 : registersThreads;
  const code = `${enableFeatures([mode === "quad" && "subgroups", output === "f16" && "f16"])}${paramsWgsl}
${declareBindings(bindings)}
${gridWgsl}
${rulesWgsl}
${logitsWgsl("f32")}
${finishWgsl}
fn not_finite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u;
}

@compute @workgroup_size(${registersThreads})
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,${mode === "quad" ? "\n  @builtin(subgroup_invocation_id) subgroup_lane: u32," : ""}
) {
  let block = workgroup_block(workgroup, counts);
  if (!block.exists) {
    return;
  }
${mode === "quad" ? "  let lane = subgroup_lane & 3u;\n" : ""}  let b = block.batch;
  let batch = batch_rules(b);
  let split = ${mode === "stream" ? `block.split * ${registersThreads}u + thread` : "block.split"};
  let first_row = params.firstRow + block.tile * ${together * rows}u;
  let end_row = min(params.endRow, first_row + ${together * rows}u);
  let span = queries_of(first_row, end_row);
  let first_index = span.x;
  let last_index = span.y;
  let keys = visible_keys(batch, split, first_index, last_index);
  // Keys that all rows see, if there are no other rules.
  let full_first = last_index + batch.first;
  let full_last = first_index + batch.last;
  let elementwise = (params.flags & flags_elementwise) != 0u;

  let own = first_row${mode === "stream" ? "" : ` + thread * ${rows}u`};
${forQuads((q) => `  let rows${q} = rows_of(block.head, own + ${4 * q}u);`)}
  let kv_head = block.head * params.stack / params.group;
  let key_at = params.keyBase + b * params.keyBatch + kv_head * params.keyHead;
  let value_at = params.valueBase + b * params.valueBatch + kv_head * params.valueHead;

${forQuads(
  (q) => `  var q${q}: array<vec4<f32>, ${headDim}>;
  var o${q}: array<vec4<f32>, ${valueDim}>;
  var top${q} = vec4<f32>(lowest);
  var sum${q} = vec4<f32>();`,
)}
  for (var d = 0u; d < params.headDim; d++) {
${forQuads(
  (q) => `    {
      let at = vec4<u32>(params.queryBase + b * params.queryBatch + d * params.queryColumn)
        + rows${q}.head * params.queryHead + rows${q}.index * params.queryRow;
      q${q}[d] = vec4<f32>(query[at.x], query[at.y], query[at.z], query[at.w]);
    }`,
)}
  }

  for (var first = keys.x; first < keys.y; first += ${keysAtOnce}) {
    // Past the last key, the last one is read again and hidden.
${forKeys((k) => `    let j${k} = min(first + ${k}, keys.y - 1);`)}
${forBoth((k, q) => `    var s${k}_${q} = vec4<f32>();`)}
    {
${forKeys((k) => `      let row${k} = key_at + u32(j${k}) * params.keyRow;`)}
${repeat(
  headDim / 4,
  (chunk) => `      {
${loadFour("key", 4 * chunk, "params.headDim")}
${repeat(4, (e) => forBoth((k, q) => `      s${k}_${q} += x${k}_${e} * q${q}[${4 * chunk + e}];`))}
      }`,
)}
    }
${forBoth((k, q) => `    s${k}_${q} *= params.scale;`)}
    let masked = elementwise || first < full_first || first + ${keysAtOnce - 1} > full_last
      || first + ${keysAtOnce} > keys.y;
${forBoth((k, q) => `    var visible${k}_${q} = vec4<bool>(true);`)}
    if (masked) {
      if ((params.flags & flag_softcap) != 0u) {
${forBoth((k, q) => `        s${k}_${q} = cap4(s${k}_${q});`)}
      }
${forBoth(
  (k, q) => `      {
        let logits = bias_and_visibility(s${k}_${q}, batch, b, rows${q}, vec4<u32>(u32(j${k})));
        s${k}_${q} = logits.s;
        visible${k}_${q} = logits.visible & vec4<bool>(first + ${k} < keys.y);
      }`,
)}
    }
${forQuads(
  (
    q,
  ) => `    let best${q} = ${repeat(keysAtOnce - 1, () => "max(", "")}select(vec4<f32>(lowest), s0_${q}, visible0_${q})${Array.from(
    { length: keysAtOnce - 1 },
    (_, k) => `, select(vec4<f32>(lowest), s${k + 1}_${q}, visible${k + 1}_${q}))`,
  ).join("")};
    let above${q} = best${q} > top${q} + ${patience}.0;`,
)}
    if (${repeat(quads, (q) => `any(above${q})`, " || ")}) {
${forQuads(
  (
    q,
  ) => `      let decay${q} = select(vec4<f32>(1.0), exp(max(top${q} - best${q}, vec4<f32>(-104.0))), above${q});
      top${q} = select(top${q}, best${q}, above${q});
      sum${q} *= decay${q};`,
)}
      for (var c = 0u; c < ${valueDim}u; c++) {
${forQuads((q) => `        o${q}[c] *= decay${q};`)}
      }
    }
${forBoth(
  (
    k,
    q,
  ) => `    let p${k}_${q} = select(vec4<f32>(), exp(max(s${k}_${q} - top${q}, vec4<f32>(-104.0))), visible${k}_${q});
    sum${q} += p${k}_${q};`,
)}
${forKeys(
  (k) => `    let row${k} = value_at + u32(j${k}) * params.valueRow;
    // A row that does not see the key must not see its NaN either: such a key goes element by element.
    var skip${k} = false;
    if (masked) {
      for (var c = 0u; c < params.valueDim; c++) {
        skip${k} = skip${k} || not_finite(value[row${k} + c * params.valueColumn]);
      }
      if (skip${k}) {
        for (var c = 0u; c < params.valueDim; c++) {
          let v = value[row${k} + c * params.valueColumn];
${forQuads((q) => `          o${q}[c] += select(p${k}_${q} * v, vec4<f32>(), p${k}_${q} == vec4<f32>());`)}
        }
      }
    }`,
)}
${repeat(
  valueDim / 4,
  (chunk) => `    {
${loadFour("value", 4 * chunk, "params.valueDim")}
${repeat(4, (e) => forQuads((q) => `      o${q}[${4 * chunk + e}] += ${repeat(keysAtOnce, (k) => `x${k}_${e} * p${k}_${q}`, " + ")};`))}
    }`,
)}
  }

${forQuads((q) => `  let factor${q} = finish_rows(rows${q}, b, split, top${q}, sum${q}, true);`)}
  let base = params.outputBase + split * params.outputSplit;
  for (var c = 0u; c < params.valueDim; c++) {
${forQuads(
  (q) => `    {
      let values = o${q}[c] * factor${q};
      let at = (b * params.queryHeads + rows${q}.head) * params.queryLength + rows${q}.index;
      for (var r = 0; r < 4; r++) {
        if (rows${q}.exists[r]) {
          output[base + at[r] * params.outputRow + c] = ${output}(values[r]);
        }
      }
    }`,
)}
  }
}
`;
  const name = `${mode}-${rows}-${headDim}-${valueDim}${output === "f32" ? "" : `-to-${output}`}`;
  return { name, code, bindings };
}
