import { type Fragment, repeat } from "../../wgsl/emit.js";
import { type Storage, storageBytes } from "../../wgsl/kernel.js";
import { logitsRowsFragment } from "./logits.js";
import {
  elementsOfWord,
  loadElement,
  plainReads,
  type Reads,
  readsFragments,
  rowAddress,
} from "./reads.js";

/** Query rows of a tile, rows of a thread, and elements of the head size staged at a time. */
export const tileRows = 64;
export const threadRows = 8;
export const chunk = 16;
/** Keys of a thread. */
export const threadKeys = 4;
/** Threads along the rows of a tile. */
export const rowThreads: number = tileRows / threadRows;

/** How many threads lie along the keys; a tile has four keys for each. */
export type Lanes = 8 | 16;

export function tileThreads(lanes: Lanes): number {
  return lanes * rowThreads;
}

export function tileKeys(lanes: Lanes): number {
  return lanes * threadKeys;
}

/** Bytes of workgroup memory that {@link productsFragment} declares. */
export function productsBytes(lanes: Lanes, storage: Storage): number {
  const element = storageBytes(storage);
  return (tileRows + tileKeys(lanes)) * chunk * element + tileRows * tileKeys(lanes) * 4;
}

/**
 * Step 1 of the semantics for a tile of 64 query rows and `4·lanes` keys: query and key are staged
 * in workgroup memory, 16 elements of the head size at a time, and each thread multiplies 8 rows by 4
 * keys in registers. The scaled products are left in `tile_scores`, four rows to an element; a
 * thread's own eight elements are at `score_slot(lane · 4 + c, band · 2 + half)`.
 *
 * Both tiles are stored transposed and their columns exchanged by an exclusive or, so that the
 * threads of a wave that write different rows meet in different banks.
 */
export function productsFragment(
  lanes: Lanes,
  storage: Storage,
  reads: Reads = plainReads(storage),
): Fragment {
  // int8 is exact in float16, too, without its scale.
  const { element, gathered, words } = reads;
  const threads = tileThreads(lanes);
  const keys = tileKeys(lanes);
  const rowQuads = tileRows / 4;
  // Each thread stages 4 rows × `perRow` and 4 keys × `perKey` elements.
  const perRow = (tileRows * chunk) / (threads * 4);
  const perKey = (keys * chunk) / (threads * 4);
  const scaled = element === "i8";
  const four = ["x", "y", "z", "w"].map((c) =>
    elementsOfWord(element) === 1 && element === storage
      ? `key[at.${c}]`
      : loadElement("key", `at.${c}`, reads),
  );
  // A thread has two elements of four keys, which are in one word.
  const pairs = `    {
      var even = vec4<f32>();
      var odd = vec4<f32>();
      if (start + key_d < params.headDim) {
        let at = key_rows + start + key_d;
${["x", "y", "z", "w"].map((c) => `        let ${c} = pair_of_key(at.${c});`).join("\n")}
        even = select(even, vec4<f32>(x.x, y.x, z.x, w.x), readable);
        odd = select(odd, vec4<f32>(x.y, y.y, z.y, w.y), readable);
      }
      key_tile[key_slot(key_d, key_quad)] = vec4<${storage}>(even);
      key_tile[key_slot(key_d + 1u, key_quad)] = vec4<${storage}>(odd);
    }
`;
  const fourKeys =
    storage === "f16" && element !== "f16"
      ? `vec4<f16>(vec4<f32>(${four.join(", ")}))`
      : `vec4<${storage}>(${four.join(", ")})`;
  const wgsl = `var<workgroup> query_tile: array<vec4<${storage}>, ${rowQuads * chunk}>;
var<workgroup> key_tile: array<vec4<${storage}>, ${lanes * chunk}>;
var<workgroup> tile_scores: array<vec4<f32>, ${rowQuads * keys}>;

fn query_slot(d: u32, quad: u32) -> u32 {
  return d * ${rowQuads}u + (quad ^ (((d >> 2u) & 3u) << 1u));
}
fn key_slot(d: u32, quad: u32) -> u32 {
  return d * ${lanes}u + (quad ^ ((d >> 1u) & 7u));
}
fn score_slot(key: u32, quad: u32) -> u32 {
  return key * ${rowQuads}u + (quad ^ (((key >> 2u) & 7u) << 1u));
}
/** Addresses of the four rows from \`first\` that this thread stages. */
fn query_rows(b: u32, rows: Rows) -> vec4<u32> {
  return params.queryBase + b * params.queryBatch + rows.head * params.queryHead
    + rows.index * params.queryRow;
}
/**
 * @param query_at addresses of the rows that this thread stages
 * @param key_at address of key 0 of the head
 * @param keys keys outside of it are not read
 */
fn multiply_tile(thread: u32, query_at: vec4<u32>, key_at: u32, tile: i32, keys: vec2<i32>${multiplyParameters(reads)}) {
  let lane = thread % ${lanes}u;
  let band = thread / ${lanes}u;
${repeat(threadRows, (r) => `  var s${r} = vec4<f32>();`)}
  let query_quad = thread / ${chunk / perRow}u;
  let query_d = (thread % ${chunk / perRow}u) * ${perRow}u;
  let key_quad = thread / ${chunk / perKey}u;
  let key_d = (thread % ${chunk / perKey}u) * ${perKey}u;
  let j = vec4<i32>(tile + i32(key_quad) * 4) + vec4<i32>(0, 1, 2, 3);
  let readable = (j >= vec4<i32>(keys.x)) & (j < vec4<i32>(keys.y));
${
  gathered
    ? `  let existing = vec4<u32>(clamp(j, vec4<i32>(keys.x), vec4<i32>(keys.y - 1)));
  let key_rows = vec4<u32>(
    ${repeat(4, (c) => rowAddress("key", "key_at", `existing.${"xyzw"[c]}`, reads), ",\n    ")});
`
    : `  let key_rows = vec4<u32>(key_at)
    + vec4<u32>(clamp(j, vec4<i32>(keys.x), vec4<i32>(keys.y - 1))) * params.keyRow;
`
}  for (var start = 0u; start < params.headDim; start += ${chunk}u) {
    workgroupBarrier();
    for (var e = 0u; e < ${perRow}u; e++) {
      let d = query_d + e;
      var q = vec4<${storage}>();
      if (start + d < params.headDim) {
        let at = query_at + (start + d) * params.queryColumn;
        q = vec4<${storage}>(query[at.x], query[at.y], query[at.z], query[at.w]);
      }
      query_tile[query_slot(d, query_quad)] = q;
    }
${
  words
    ? pairs
    : `    for (var e = 0u; e < ${perKey}u; e++) {
      let d = key_d + e;
      var k = vec4<${storage}>();
      if (start + d < params.headDim) {
        let at = key_rows + (start + d) * params.keyColumn;
        k = select(vec4<${storage}>(), ${fourKeys}, readable);
      }
      key_tile[key_slot(d, key_quad)] = k;
    }
`
}    workgroupBarrier();
    let end = min(${chunk}u, params.headDim - start);
    for (var d = 0u; d < end; d++) {
      let q = vec4<f32>(query_tile[query_slot(d, band * 2u)]);
      let r = vec4<f32>(query_tile[query_slot(d, band * 2u + 1u)]);
      let k = vec4<f32>(key_tile[key_slot(d, lane)]);
${repeat(4, (r) => `      s${r} += q.${"xyzw"[r]} * k;\n      s${r + 4} += r.${"xyzw"[r]} * k;`)}
    }
  }
${
  scaled
    ? `${repeat(4, (c) => `  let scale${c} = params.scale * key_scale(place_of(batch, u32(min(tile + i32(lane * 4u + ${c}u), keys.y - 1))), kv_head);`)}
`
    : ""
}${repeat(4, (c) =>
  [0, 1]
    .map((half) => {
      const rows = [0, 1, 2, 3].map((r) => `s${half * 4 + r}.${"xyzw"[c]}`).join(", ");
      return `  tile_scores[score_slot(lane * 4u + ${c}u, band * 2u + ${half}u)] = ${scaled ? `scale${c}` : "params.scale"} * vec4<f32>(${rows});`;
    })
    .join("\n"),
)}
}`;
  return { wgsl, needs: [logitsRowsFragment(reads), ...readsFragments(reads, ["key"])] };
}

/** Parameters of `multiply_tile` that say where a key's row and its scale are. */
function multiplyParameters({ element, gathered }: Reads): string {
  const sequence = gathered ? ", batch: Batch" : "";
  return element === "i8" ? `${sequence}, kv_head: u32` : sequence;
}

/** Arguments for {@link multiplyParameters}, by the names that kernels give them. */
export function multiplyArguments({ element, gathered }: Reads): string {
  const sequence = gathered ? ", batch" : "";
  return element === "i8" ? `${sequence}, kv_head` : sequence;
}
