import { emitKernel, repeat } from "../../wgsl/emit.js";
import type { Kernel, Storage } from "../../wgsl/kernel.js";
import { flagsFragment } from "../params.js";
import { programText } from "../programs/kernel-text.js";
import { finishFragment } from "../wgsl/finish.js";
import { forwardBindings } from "../wgsl/forward.js";
import { gridText, spanKeys } from "../wgsl/gathered.js";
import { gridFragment } from "../wgsl/grid.js";
import { logitsFragment } from "../wgsl/logits.js";
import {
  elementsOfWord,
  headAddress,
  keysInFloat16,
  loadElement,
  paramsFor,
  plainReads,
  type Reads,
  readsFragments,
  readVariants,
} from "../wgsl/reads.js";
import { notFiniteFragment, rulesFragment } from "../wgsl/rules.js";
import { timesWeightFactor } from "../wgsl/weight-factor.js";
import { attentionKernelName } from "./name.js";
import { runKeys } from "./runs.js";

/** Invocations of a workgroup: a quad. */
export const registersThreads = 4;

/** How rows and keys are shared out among the invocations of a workgroup. */
export type RegistersMode =
  /**
   * Invocations have different rows of one head and walk over the same keys: each loads a quarter of a
   * key and they exchange the quarters within their quad.
   */
  | "quad"
  /** As `quad`, for devices without subgroups: each invocation loads whole keys. */
  | "alone"
  /** Invocations have the same rows and different keys, parts that are merged. For few rows. */
  | "stream";

export interface RegistersShape {
  readonly mode: RegistersMode;
  /** Rows of an invocation. */
  readonly rows: 4 | 8 | 16;
  /** Keys that are worked on at once. */
  readonly keys: 1 | 2;
  /** Sizes that the loops are unrolled for; multiples of 4, at least headDim and valueDim. */
  readonly headDim: number;
  readonly valueDim: number;
  /** Whether these are the problem's own sizes, so that there is nothing past them. */
  readonly whole: boolean;
  readonly output: Storage;
  /** Left out: keys and values are float32 and in no list. */
  readonly reads?: Reads;
}

/** Keys of a tile of the map of tiles, or a divisor of their number. */
export const registersMapKeys = 32;

/**
 * A row's weights may grow to e^8 before its sum and output are scaled down: see {@link registersKernel}.
 */
const patience = 8;

/**
 * FlashAttention for adapters that imitate a GPU on a CPU. There an element loaded from a buffer costs
 * as much as ten multiply-adds, barriers are expensive, and private memory with constant indices is
 * next to free: an invocation keeps several query rows and their outputs to itself (2,048 floats for 16
 * rows of 64: on a real GPU they would spill) and reads each element of a key once for all of them.
 *
 * SwiftShader takes no branches: it computes both sides for all lanes and masks what is stored, and
 * every loop once. So what few keys need (rules, outputs that are scaled down, values that are not
 * finite) is in loops that are not unrolled and once for several keys.
 *
 * A row's maximum only has to be near: what is subtracted from its logits is raised when a logit is
 * more than 8 above it, so that outputs are rarely rescaled.
 */
export function registersKernel(shape: RegistersShape): Kernel {
  const { mode, rows, keys: together, headDim, valueDim, whole, output } = shape;
  const { reads = plainReads("f32") } = shape;
  const { gathered } = reads;
  const scaled = reads.element === "i8";
  /** Elements that an invocation loads at once. */
  const per = reads.words ? elementsOfWord(reads.element) : 1;
  const quads = rows / 4;
  const pairs = together * quads;
  const bindings = forwardBindings({ query: "f32", bias: "f32", output, reads });
  const forQuads = (text: (q: number) => string): string => repeat(quads, text);
  const forKeys = (text: (k: number) => string): string => repeat(together, text);
  /** `pair` numbers keys and quads of rows, as in the arrays `s`, `p` and `visible`. */
  const forPairs = (text: (k: number, q: number, pair: number) => string): string =>
    forKeys((k) => forQuads((q) => text(k, q, k * quads + q)));
  const sizeOf = { key: "params.headDim", value: "params.valueDim" } as const;
  /** Offsets of elements in a row: the invocation's own of every four, or all four. */
  const columns = (from: "key" | "value", size: number): string =>
    repeat(size / (4 * per), (chunk) => {
      if (per > 1) return wordColumns(from, chunk);
      const place = (element: string): string =>
        `${whole ? element : `min(${element}, ${sizeOf[from]} - 1u)`} * params.${from}Column`;
      return mode === "quad"
        ? `  let ${from}_column${chunk} = ${place(`(${4 * chunk}u + lane)`)};`
        : repeat(4, (e) => `  let ${from}_column${4 * chunk + e} = ${place(`${4 * chunk + e}u`)};`);
    });
  /** The same in words of several elements, at most the row's last. */
  const wordColumns = (from: "key" | "value", chunk: number): string => {
    const place = (word: string): string =>
      whole ? word : `min(${word}, ${sizeOf[from]} - ${per}u)`;
    return mode === "quad"
      ? `  let ${from}_column${chunk} = ${place(`(${4 * per * chunk}u + lane * ${per}u)`)};`
      : repeat(4, (e) => {
          const first = per * (4 * chunk + e);
          return `  let ${from}_column${4 * chunk + e} = ${place(`${first}u`)};`;
        });
  };
  /** A word of several elements of key k's row as numbers. */
  const loadWord = (from: "key" | "value", k: number, element: string, column: number): string => {
    const at = `row${k} + ${from}_column${column}`;
    const word =
      per === 4 ? `${from}[(${at}) >> 2u]` : `${from}[(${at}) >> 2u][((${at}) >> 1u) & 1u]`;
    const absent = [
      ...(whole ? [] : [`${element} >= ${sizeOf[from]}`]),
      ...(from === "value" ? [`skip${k}`] : []),
    ];
    return absent.length === 0 ? word : `select(${word}, 0u, ${absent.join(" || ")})`;
  };
  const numbersOf = (word: string): string =>
    per === 4 ? `bytes(${word})` : `halves(vec2<u32>(${word}, 0u))`;
  /** Statements that name all numbers of a chunk of 4·per elements. */
  const loadWords = (from: "key" | "value", k: number, chunk: number): string =>
    mode === "quad"
      ? `        let word${k} = ${loadWord(from, k, `${4 * per * chunk}u + lane * ${per}u`, chunk)};
${repeat(4, (e) => `        let x${k}_${e} = ${numbersOf(`quadBroadcast(word${k}, ${e}u)`)};`)}
`
      : `${repeat(4, (e) => `        let x${k}_${e} = ${numbersOf(loadWord(from, k, `${per * (4 * chunk + e)}u`, 4 * chunk + e))};`)}
`;
  /** The elements of every four of key k's row: 0 past the size, where nothing is hidden. */
  const load = (from: "key" | "value", k: number, element: string, column: number): string => {
    const at = `row${k} + ${from}_column${column}`;
    const loaded = reads.element === "f32" ? `${from}[${at}]` : loadElement(from, at, reads);
    const absent = [
      ...(whole ? [] : [`${element} >= ${sizeOf[from]}`]),
      ...(from === "value" ? [`skip${k}`] : []),
    ];
    return absent.length === 0 ? loaded : `select(${loaded}, 0.0, ${absent.join(" || ")})`;
  };
  /** An invocation's share of four elements. */
  const loadShare = (from: "key" | "value", k: number, chunk: number): string =>
    per > 1
      ? loadWords(from, k, chunk)
      : mode === "quad"
        ? `        let share${k} = ${load(from, k, `${4 * chunk}u + lane`, chunk)};\n`
        : "";
  /** One of the four, for everybody. */
  const element = (from: "key" | "value", k: number, chunk: number, e: number): string =>
    per > 1
      ? `x${k}_${Math.floor(e / per)}.${"xyzw"[e % per]}`
      : mode === "quad"
        ? `quadBroadcast(share${k}, ${e}u)`
        : load(from, k, `${4 * chunk + e}u`, 4 * chunk + e);
  const own = programText(reads.programs);
  // Values that programs compute for a row are kept with it.
  const keepsRows = own.hasValues;
  const grid = gridText(reads, (mode === "stream" ? 1 : registersThreads) * rows);
  const rowOf = (from: "key" | "value", k: string): string =>
    gathered ? `${from}_row(${from}_at, place${k})` : `${from}_at + j${k} * params.${from}Row`;
  const single = (from: "key" | "value", at: string): string =>
    reads.element === "f32" ? `${from}[${at}]` : loadElement(from, at, reads);
  // Positions of keys are looked at once for as many keys as have a span, or as a tile of the map. Keys start at even
  // numbers.
  const spanVisibility = `    if (first == keys.x || first % ${own.hasMap ? registersMapKeys : spanKeys} == 0) {
      visibility = tile_visibility(batch, span, first, min(${spanKeys} - first % ${spanKeys}, keys.y - first));
      if (visibility == tile_hidden) {
        first += min(${spanKeys} - first % ${spanKeys}, keys.y - first) - ${together};
        continue;
      }
    }
`;
  // The map of tiles as well, whose tiles have as many keys or a multiple.
  const mapped = `    if (first == keys.x || first % ${registersMapKeys} == 0) {
      first = next_visited(map, first, keys.y);
      if (first >= end_of_run) {
        break;
      }
      kind = kind_of(map, first);
      program_hides = kind != kind_full;
    }
`;
  const walk = `  for (; first < end_of_run; first += ${together}) {
${own.hasMap ? mapped : ""}${gathered ? spanVisibility : ""}    // Past the last key, the last one is read again and hidden.
${forKeys((k) => `    let j${k} = u32(min(first + ${k}, keys.y - 1));`)}
${gathered ? `${forKeys((k) => `    let place${k} = place_of(batch, j${k});`)}\n` : ""}    var s: array<vec4<f32>, ${pairs}>;
${forKeys(
  (k) => `    {
      let row${k} = ${rowOf("key", `${k}`)};
${forQuads((q) => `      var s${q} = vec4<f32>();`)}
${repeat(
  headDim / (4 * per),
  (chunk) => `      {
${loadShare("key", k, chunk)}${repeat(
  4 * per,
  (e) => `        {
          let x = ${element("key", k, chunk, e)};
${forQuads((q) => `          s${q} += x * q[${q * headDim + 4 * per * chunk + e}];`)}
        }`,
)}
      }`,
)}
${scaled ? `      let scale = params.scale * key_scale(place${k}, kv_head);\n` : ""}${forQuads((q) => `      s[${k * quads + q}] = s${q} * ${scaled ? "scale" : "params.scale"};`)}
    }`,
)}
    let masked = ${own.masked}elementwise || ${gathered ? `(visibility != tile_full && (positions || first - span.y < batch.first || first + ${together - 1} - span.x > batch.last))` : `first < full_first || first + ${together - 1} > full_last`}
      || first + ${together} > keys.y;
    for (var pair = 0u; masked && pair < ${pairs}u; pair++) {
      let j = first + i32(pair / ${quads}u);
      let rows = ${keepsRows ? `kept[pair % ${quads}u]` : grid.rowsOf(`own + pair % ${quads}u * 4u`)};
      let logits = bias_and_visibility(cap4(s[pair]), batch, b, rows, vec4<u32>(u32(min(j, keys.y - 1))));
      let seen = logits.visible & vec4<bool>(j < keys.y);
      s[pair] = select(vec4<f32>(lowest), logits.s, seen);
      visible[pair] = seen;
    }
${forQuads(
  (
    q,
  ) => `    let best${q} = ${"max(".repeat(together - 1)}s[${q}]${Array.from({ length: together - 1 }, (_, k) => `, s[${(k + 1) * quads + q}])`).join("")};
    let above${q} = best${q} > top${q} + ${patience}.0;`,
)}
    if (${repeat(quads, (q) => `any(above${q})`, " || ")}) {
${forQuads(
  (q) => `      let decay${q} = select(vec4<f32>(1.0), soft_exp4(top${q} - best${q}), above${q});
      top${q} = select(top${q}, best${q}, above${q});
      sum${q} *= decay${q};
      for (var c = 0u; c < ${valueDim}u; c++) {
        o[${q * valueDim}u + c] *= decay${q};
      }`,
)}
    }
    var p: array<vec4<f32>, ${pairs}>;
${forPairs(
  (
    _,
    q,
    pair,
  ) => `    let weight${pair} = select(vec4<f32>(), soft_exp4(s[${pair}] - top${q}), visible[${pair}]);
    sum${q} += weight${pair};
    p[${pair}] = ${timesWeightFactor(`weight${pair}`, reads)};`,
)}
${
  scaled
    ? `${forKeys((k) => `    let value_by${k} = value_scale(place${k}, kv_head);`)}
${forPairs((k, _, pair) => `    p[${pair}] = select(vec4<f32>(), p[${pair}] * value_by${k}, visible[${pair}]);`)}
`
    : ""
}    // A row that does not see a key must not see its NaN either: such a key goes element by element.
    var skipped = 0u;
    for (var k = 0u; masked && k < ${together}u; k++) {
${
  scaled
    ? "      let skip = false;\n"
    : `      let row = ${gathered ? "value_row(value_at, place_of(batch, u32(min(first + i32(k), keys.y - 1))))" : "value_at + u32(min(first + i32(k), keys.y - 1)) * params.valueRow"};
      var skip = false;
      for (var c = 0u; c < params.valueDim; c++) {
        skip = skip || not_finite(${single("value", "row + c * params.valueColumn")});
      }
`
}      for (var quad = 0u; quad < ${quads}u; quad++) {
${
  scaled
    ? ""
    : `        let weight = p[k * ${quads}u + quad];
        for (var c = 0u; skip && c < params.valueDim; c++) {
          let v = ${single("value", "row + c * params.valueColumn")};
          o[quad * ${valueDim}u + c] += select(weight * v, vec4<f32>(), weight == vec4<f32>());
        }
`
}        visible[k * ${quads}u + quad] = vec4<bool>(true);
      }
      skipped |= u32(skip) << k;
    }
    {
${forKeys(
  (k) => `      let row${k} = ${rowOf("value", `${k}`)};
      let skip${k} = (skipped & ${1 << k}u) != 0u;`,
)}
${repeat(
  valueDim / (4 * per),
  (chunk) => `      {
${repeat(together, (k) => loadShare("value", k, chunk), "")}${repeat(
  4 * per,
  (e) => `        {
${forKeys((k) => `          let v${k} = ${element("value", k, chunk, e)};`)}
${forQuads((q) => `          o[${q * valueDim + 4 * per * chunk + e}] += ${repeat(together, (k) => `v${k} * p[${k * quads + q}]`, " + ")};`)}
        }`,
)}
      }`,
)}
    }
  }`;
  const body = `@compute @workgroup_size(${registersThreads})
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
${grid.batch}  let split = ${mode === "stream" ? `block.split * ${registersThreads}u + thread` : "block.split"};
  let first_row = ${grid.firstRow};
  let end_row = ${grid.endRow};
  let span = ${grid.span};
  let first_index = span.x;
  let last_index = span.y;
  let keys = ${grid.keys("split")};
${grid.map}${
  gathered
    ? ""
    : `  // Keys that all rows see, if there are no other rules.
  let full_first = last_index + batch.first;
  let full_last = first_index + batch.last;
`
}  let elementwise = (params.flags & flags_elementwise) != 0u;

  let own = first_row${mode === "stream" ? "" : ` + thread * ${rows}u`};
  let kv_head = kv_head_of(block.head * params.stack);
  let key_at = ${headAddress("key", reads)};
  let value_at = ${headAddress("value", reads)};
${columns("key", headDim)}
${columns("value", valueDim)}

  var q: array<vec4<f32>, ${quads * headDim}>;
${keepsRows ? `  var kept: array<Rows, ${quads}>;\n` : ""}  for (var quad = 0u; quad < ${quads}u; quad++) {
    let rows = ${grid.rowsOf("own + quad * 4u")};
${keepsRows ? "    kept[quad] = rows;\n" : ""}    let row = vec4<u32>(params.queryBase + b * params.queryBatch)
      + rows.head * params.queryHead + rows.index * params.queryRow;
    for (var d = 0u; d < params.headDim; d++) {
      let at = row + d * params.queryColumn;
      q[quad * ${headDim}u + d] = vec4<f32>(query[at.x], query[at.y], query[at.z], query[at.w]);
    }
  }
  // Sums over the run of keys that is walked over, and over the runs before it.
  var o: array<vec4<f32>, ${quads * valueDim}>;
  var total: array<vec4<f32>, ${quads * valueDim}>;
${forQuads(
  (q) => `  var top${q} = vec4<f32>(lowest);
  var sum${q} = vec4<f32>();
  var total_top${q} = vec4<f32>(lowest);
  var total_sum${q} = vec4<f32>();`,
)}
  var visible: array<vec4<bool>, ${pairs}>;
${forPairs((_k, _q, pair) => `  visible[${pair}] = vec4<bool>(true);`)}

${gathered ? "  let positions = (params.flags & flag_positions) != 0u;\n  var visibility = tile_full;\n" : ""}${own.hasMap ? "  var kind = kind_full;\n" : ""}  var first = keys.x;
  while (first < keys.y) {
    let end_of_run = min(keys.y, (first / ${runKeys} + 1) * ${runKeys});
${indented(walk)}
${forQuads(
  (q) => `    let decay${q} = soft_exp4(total_top${q} - top${q});
    total_top${q} = top${q};
    total_sum${q} = total_sum${q} * decay${q} + sum${q};
    sum${q} = vec4<f32>();
    for (var c = ${q * valueDim}u; c < ${(q + 1) * valueDim}u; c++) {
      total[c] = total[c] * decay${q} + o[c];
      o[c] = vec4<f32>();
    }`,
)}
  }

${forQuads(
  (q) => `  {
    let rows = ${grid.rowsOf(`own + ${4 * q}u`)};
    let factor = finish_rows(rows, b, split, total_top${q}, total_sum${q}, true);
    let at = (b * params.queryHeads + rows.head) * params.queryLength + rows.index;
    for (var c = 0u; c < params.valueDim; c++) {
      let values = total[${q * valueDim}u + c] * factor;
      for (var r = 0; r < 4; r++) {
        if (rows.exists[r]) {
          output[params.outputBase + split * params.outputSplit + at[r] * params.outputRow + c] = ${output}(values[r]);
        }
      }
    }
  }`,
)}
}
`;
  const name = attentionKernelName(mode, "f32", [rows, together, headDim, valueDim], {
    output,
    variants: [!whole && "padded", ...readVariants(reads, "f32")],
  });
  return emitKernel({
    name,
    features: [mode === "quad" && "subgroups", (output === "f16" || keysInFloat16(reads)) && "f16"],
    params: paramsFor(reads),
    bindings,
    fragments: [
      flagsFragment,
      gridFragment(reads),
      rulesFragment(gathered),
      notFiniteFragment,
      logitsFragment("f32", reads),
      finishFragment(reads),
      ...readsFragments(reads, ["key", "value"]),
    ],
    body,
  });
}

function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, "  ");
}
