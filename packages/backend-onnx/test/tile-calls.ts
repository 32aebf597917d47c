/** Calls whose block mask leaves few blocks, and what a call may say beside it. */
import { type AttentionInputs, type HostTensor, tensor } from "@heed/core";
import * as p from "@heed/core/program";
import { Numbers, stored, withStored } from "./call-of.js";

export const [batch, heads, kvHeads, length] = [2, 2, 1, 256];
/** Logits of a call. */
export const all = batch * heads * length ** 2;

export type Call = AttentionInputs<HostTensor>;

/** Query, keys and values. */
export function inputs(numbers: Numbers): Call {
  return {
    query: numbers.tensor(batch, heads, length, 16),
    key: numbers.tensor(batch, kvHeads, length, 16),
    value: numbers.tensor(batch, kvHeads, length, 8),
    returns: { logSumExp: true },
  };
}

export const sizes = { batch, heads, queryLength: length, keyLength: length };

/** Blocks of a diagonal, of which programs hide some keys; each head has another diagonal. */
const quarter = p.maskMod(({ queryIndex, keyIndex, head }) =>
  p.and(
    p.equal(
      p.floorDivide(queryIndex, 64),
      p.remainder(p.add(p.floorDivide(keyIndex, 64), head), 8),
    ),
    p.notEqual(p.remainder(p.add(keyIndex, queryIndex), 7), 0),
  ),
);

/** Every fifth block of a row, of another start each; each third row has none. */
export function someBlocks(
  [b, h]: readonly [number, number],
  [queryBlock, keyBlock]: readonly [number, number],
): NonNullable<Call["blockMask"]> {
  const [rows, columns] = [Math.ceil(length / queryBlock), Math.ceil(length / keyBlock)];
  const every = Math.max(8, Math.round(128 / keyBlock));
  const blocks = Array.from({ length: b * h * rows * columns }, (_, n) => {
    const row = Math.floor((Math.floor(n / columns) * queryBlock) / 64);
    return row % 3 !== 2 && (n % columns) % every === row % every;
  });
  return { mask: tensor(blocks, [b, h, rows, columns]), queryBlock, keyBlock };
}

const bools = (...shape: number[]): HostTensor =>
  tensor(
    Array.from({ length: shape.reduce((a, b) => a * b) }, (_, n) => n % 5 !== 0),
    shape,
  );

export const numbers = new Numbers(16);
const table = p.table(numbers.tensor(heads, 5) as HostTensor<"float32">);
const bias = numbers.tensor(1, heads, length, length);
(bias.data as Float32Array).fill(Number.NEGATIVE_INFINITY, 3 * length, 4 * length);
const alibiSlopes = [0.5, -0.1];
const queryPositions = tensor(
  Int32Array.from({ length: batch * length }, (_, n) => 2 * (n % length) + Math.floor(n / length)),
  [batch, length],
);
const keyPositions = tensor(
  Int32Array.from({ length: batch * length }, (_, n) => 2 * ((37 * n) % length)),
  [batch, length],
);
const far = tensor(
  Int32Array.from({ length }, (_, n) => n + 1_000_000_000),
  [1, length],
);

/** The rest of a call that has blocks. */
export const rest: Readonly<Record<string, Partial<Call>>> = {
  nothing: {},
  "softcap and scale": { softcap: 4, scale: 0.3 },
  "a mask of keys": { mask: bools(batch, 1, 1, length) },
  "a mask of heads and keys": { mask: bools(1, heads, 1, length) },
  "a mask of all": { mask: bools(1, heads, length, length) },
  "a bias of all": { bias },
  "a bias of keys": { bias: numbers.tensor(batch, 1, 1, length) },
  "a bias of queries": { bias: numbers.tensor(1, 1, length, 1) },
  "a bias of heads": { bias: numbers.tensor(1, heads, 1, 1) },
  ALiBi: { alibiSlopes, queryOffset: 4 },
  sinks: { sinks: [0.5, Number.NEGATIVE_INFINITY] },
  lengths: { kvLengths: [200, 33] },
  "no keys of one": { kvLengths: [0, length] },
  causal: { causal: true, queryOffset: [-5, 9] },
  "a window": { window: { left: 40, right: 9 }, queryOffset: 2 },
  positions: { causal: true, queryPositions, keyPositions },
  "far positions": {
    window: { left: 200, right: 200 },
    alibiSlopes,
    queryPositions: far,
    keyPositions: far,
  },
  "a score program that adds": {
    scoreMod: p.scoreMod(({ score, head, query, key }) =>
      p.add(table.at(head, p.remainder(p.subtract(query, key), 5)), score),
    ),
    queryOffset: 4,
  },
  "a score program of all variables": {
    scoreMod: p.scoreMod(({ score, batch, head, queryIndex, keyIndex, query, key }) =>
      p.multiply(
        score,
        p.add(
          1,
          p.divide(
            p.add(p.add(batch, head), p.subtract(p.add(queryIndex, query), p.add(keyIndex, key))),
            300,
          ),
        ),
      ),
    ),
    queryPositions,
    keyPositions,
  },
  "a score program that hides": {
    scoreMod: p.scoreMod(({ score, key }) =>
      p.where(p.equal(p.remainder(key, 3), 0), Number.NEGATIVE_INFINITY, p.tanh(score)),
    ),
    bias,
  },
  "a score program without the score": {
    scoreMod: p.scoreMod(({ keyIndex }) => p.divide(keyIndex, 100)),
  },
  "everything at once": {
    mask: bools(batch, 1, length, length),
    bias,
    scoreMod: p.scoreMod(({ score, head, key }) =>
      p.multiply(score, p.add(0.5, table.at(head, p.remainder(key, 5)))),
    ),
    window: { left: 300 },
    queryOffset: [3, -7],
    kvLengths: [250, 150],
    sinks: [0.5, -1],
    softcap: 5,
  },
};

/** Block masks; a program's is made for the call's positions, which the programs here do not read. */
export const blocksOf: Readonly<Record<string, () => Partial<Call>>> = {
  "a program's": () => ({
    maskMod: quarter,
    blockMask: p.createBlockMask(quarter, { ...sizes, queryBlock: 32, keyBlock: 32 }),
  }),
  "data, each head's own": () => ({ blockMask: someBlocks([batch, heads], [32, 32]) }),
  "data for all, small, that do not divide": () => ({ blockMask: someBlocks([1, 1], [9, 5]) }),
  "another program's, all of whose keys are asked": () => ({
    maskMod: quarter,
    blockMask: someBlocks([1, 1], [64, 64]),
  }),
};

/** The same call with its keys and values in pages of 16, in some order. */
export function paged(call: Call): Call {
  const [size, each] = [16, length / 16];
  const table = Int32Array.from({ length: batch * each }, (_, n) => (n * 5) % (batch * each));
  const pagesOf = (t: HostTensor): HostTensor => {
    const width = t.shape[3] as number;
    const data = new Float32Array(t.data.length);
    for (let row = 0; row < batch * kvHeads * length; row++) {
      const [j, head] = [row % length, Math.floor(row / length) % kvHeads];
      const b = Math.floor(row / length / kvHeads);
      const page = table[b * each + Math.floor(j / size)] as number;
      const from = (t.data as Float32Array).subarray(row * width, (row + 1) * width);
      data.set(from, ((page * kvHeads + head) * size + (j % size)) * width);
    }
    return tensor(data, [batch * each, kvHeads, size, width]);
  };
  const pageTable = tensor(table, [batch, each]);
  const { kvLengths = [length, length - 3] } = call;
  return { ...call, key: pagesOf(call.key), value: pagesOf(call.value), pageTable, kvLengths };
}

/** The same call with 256 and 150 queries, and 200 and 256 keys, one after another in a ragged batch. */
export function raggedRows(call: Call): Call {
  const [queries, keys] = [
    [length, 150],
    [200, length],
  ] as const;
  const joined = (t: HostTensor, counts: readonly number[]): HostTensor => {
    const [, heads, , width] = t.shape as [number, number, number, number];
    const rows = Array.from({ length: heads }, (_, h) =>
      counts.flatMap((count, s) => {
        const from = (s * heads + h) * length * width;
        return [...(t.data as Float32Array).subarray(from, from + count * width)];
      }),
    );
    const total = counts.reduce((a, b) => a + b, 0);
    return tensor(Float32Array.from(rows.flat()), [1, heads, total, width]);
  };
  return {
    ...call,
    query: joined(call.query, queries),
    key: joined(call.key, keys),
    value: joined(call.value, keys),
    queryStarts: [0, queries[0], queries[0] + queries[1]],
    keyStarts: [0, keys[0], keys[0] + keys[1]],
  };
}

export const halves = (call: Call): Call => ({
  ...withStored(call, "float16"),
  query: stored(call.query, "float16").data,
  ...(call.bias && { bias: stored(call.bias as HostTensor, "float16").data }),
});
