import type { Fragment } from "../../wgsl/emit.js";
import { fromFloat16Fragment } from "../../wgsl/float16.js";
import type { Storage } from "../../wgsl/kernel.js";
import { softExpFragment } from "../../wgsl/log-sum-exp.js";
import { flags } from "../params.js";
import {
  keyPositionsFragment,
  type Pairs,
  pairFragment,
  rowValuesFragment,
} from "../programs/fragment.js";
import { programText } from "../programs/kernel-text.js";
import { gatheredBand, gatheredRowsFragment } from "./gathered.js";
import { type GridReads, joinsBias, plainReads, type Reads } from "./reads.js";
import { rulesFragment } from "./rules.js";

/** Rows of the grid as queries and heads of the problem, four at a time. */
function numberedRowsFragment(programs: Reads["programs"]): Fragment {
  const { members, values } = programText(programs);
  const own = rowValuesFragment(programs);
  return {
    ...(own && { needs: [own] }),
    wgsl: `struct Rows {
  /** Query index and query head of four rows; clamped to rows that exist. */
  index: vec4<u32>,
  head: vec4<u32>,
  exists: vec4<bool>,
${members}}
/** Rows \`first\` to \`first + 3\` of a grid head. */
fn rows_of(grid_head: u32, first: u32) -> Rows {
  let row = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
  let clamped = min(row, vec4<u32>(params.endRow - 1u));
  let length = vec4<u32>(params.queryLength);
  let stacked = clamped / length;
  let index = clamped - stacked * length;
  let head = vec4<u32>(grid_head * params.stack) + stacked;
  return Rows(
    index,
    head,
    row < vec4<u32>(params.endRow)${values("row_values(vec4<i32>(index) + vec4<i32>(program_offset), vec4<i32>(index), head)")},
  );
}
/** The first and the last query of rows: of rows of several heads, any query may be among them. */
fn queries_of(first_row: u32, end_row: u32) -> vec2<i32> {
  let length = params.queryLength;
  if (first_row / length == (end_row - 1u) / length) {
    return vec2<i32>(i32(first_row % length), i32((end_row - 1u) % length));
  }
  return vec2<i32>(0, i32(length - 1u));
}`,
  };
}

export function logitsRowsFragment({ gathered, programs }: GridReads): Fragment {
  return (gathered ? gatheredRowsFragment : numberedRowsFragment)(programs);
}

const band = `  let distance = vec4<i32>(j) - vec4<i32>(rows.index);
  var visible = rows.exists
    & (distance >= vec4<i32>(batch.first)) & (distance <= vec4<i32>(batch.last))
    & (vec4<i32>(j) < vec4<i32>(batch.keys));
  var hidden = vec4<bool>();
  let key = min(j, vec4<u32>(params.keyLength - 1u));`;

/**
 * Steps 2 to 4 of the semantics for four pairs of a query row and a key: softcap, bias, ALiBi and
 * visibility. A bias of −∞ is recognised by its bits, since WGSL may assume that there are no infinities.
 *
 * @param bias element type of the bias in its buffer
 * @param pairs how the four pairs lie
 */
export function logitsFragment(
  bias: Storage,
  reads: Reads = plainReads(bias),
  pairs: Pairs = "rows",
): Fragment {
  const { gathered, programs } = reads;
  const own = programText(programs);
  const has = (rule: number): boolean => !programs || (programs.rules & rule) !== 0;
  const infinite =
    bias === "f32"
      ? "bitcast<u32>(biases[r]) == 0xff800000u"
      : "bitcast<u32>(f32(biases[r])) == 0xff800000u";
  const joined = joinsBias(reads);
  const biasAt = (at: string): string =>
    !joined
      ? `f32(bias[${at}])`
      : bias === "f32"
        ? `bitcast<f32>(beside[${at}])`
        : `bitcast<f32>(to_float32((beside[${at} >> 1u] >> (16u * (${at} & 1u))) & 0xffffu))`;
  const wgsl = `struct Logits {
  s: vec4<f32>,
  visible: vec4<bool>,
  /** The bias is −∞, and so is what \`s\` would be. */
  infinite: vec4<bool>,
}
/**
 * tanh by its series where 1 − e^(−2x) would cancel, and by that elsewhere: the built-in function may
 * be off by 1e-5 and may overflow.
 */
fn tanh4(x: vec4<f32>) -> vec4<f32> {
  let square = x * x;
  let series = x * (1.0 + square * (-0.33333333 + square * (0.13333333 + square * (-0.053968254
    + square * (0.021869488 + square * -0.0088632355)))));
  let e = soft_exp4(-2.0 * abs(x));
  let ratio = sign(x) * (1.0 - e) / (1.0 + e);
  return select(ratio, series, abs(x) < vec4<f32>(0.3));
}
/** The scores under the cap; as they are if the problem has none. */
fn cap4(raw: vec4<f32>) -> vec4<f32> {
  var s = raw;
${
  has(flags.softcap)
    ? `  if ((params.flags & flag_softcap) != 0u) {
    // Far below the cap, s stays itself: s / softcap may be too small for float32.
    let capped = params.softcap * tanh4(s / params.softcap);
    s = select(capped, s, abs(s) <= vec4<f32>(0.0001 * params.softcap));
  }
`
    : ""
}  return s;
}
fn bias_and_visibility(raw: vec4<f32>, batch: Batch, b: u32, rows: Rows, j: vec4<u32>) -> Logits {
  var s = raw;
${gathered ? `${gatheredBand}\n  var hidden = vec4<bool>();` : band}
${
  reads.bias
    ? `  if ((params.flags & flag_bias) != 0u) {
    let at = params.biasBase + b * params.biasBatch + rows.head * params.biasHead
      + rows.index * params.biasRow + key * params.biasColumn;
    let biases = vec4<f32>(${["x", "y", "z", "w"].map((c) => biasAt(`at.${c}`)).join(", ")});
    for (var r = 0; r < 4; r++) {
      if (${infinite}) {
        hidden[r] = true;
${own.score ? "        s[r] = biases[r];\n" : ""}      } else {
        s[r] += biases[r];
      }
    }
  }
`
    : ""
}${
  has(flags.alibi)
    ? `  if ((params.flags & flag_alibi) != 0u) {
${gathered ? "" : "    let away = abs(vec4<f32>(distance) - vec4<f32>(f32(batch.offset)));\n"}    for (var r = 0; r < 4; r++) {
      s[r] -= bitcast<f32>(head_rules(rows.head[r]).x) * away[r];
    }
  }
`
    : ""
}${own.score}${
  reads.mask
    ? `  if ((params.flags & flag_mask) != 0u) {
    let at = params.maskBase + b * params.maskBatch + rows.head * params.maskHead
      + rows.index * params.maskRow + key * params.maskColumn;
    for (var r = 0; r < 4; r++) {
      let byte = (${reads.joined ? "beside" : "mask"}[at[r] >> 2u] >> ((at[r] & 3u) * 8u)) & 0xffu;
      if (byte == 0u) {
        visible[r] = false;
      }
    }
  }
`
    : ""
}${own.mask}  return Logits(s, visible & !hidden, ${own.score ? "infinite" : "hidden"});
}`;
  return {
    wgsl,
    needs: [
      rulesFragment(gathered),
      logitsRowsFragment(reads),
      softExpFragment,
      ...(joined && bias === "f16" ? [fromFloat16Fragment] : []),
      ...(programs && gathered ? [keyPositionsFragment] : []),
      ...(programs ? [pairFragment(programs, gathered, pairs)] : []),
    ],
  };
}
