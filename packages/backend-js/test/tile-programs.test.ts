/** Parts of a tile that programs and block masks leave, and how often they are asked. */
import { Random } from "@heed/conformance";
import {
  type AttentionInputs,
  attention,
  type BoundInputs,
  describeProblem,
  type HostTensor,
  referenceAttention,
  tensor,
  toFloat64,
  WorkList,
} from "@heed/core";
import { causal } from "@heed/core/masks";
import {
  add,
  createBlockMask,
  greaterEqual,
  less,
  maskMod,
  multiply,
  remainder,
  scoreMod,
  subtract,
  TileProgram,
} from "@heed/core/program";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Block } from "../src/attention/block.js";
import { forward } from "../src/attention/forward.js";
import { planProblem } from "../src/attention/plan.js";
import { TilePrograms } from "../src/attention/programs.js";
import { makeWorkspace } from "../src/attention/workspace.js";

afterEach(() => vi.restoreAllMocks());

const random = new Random("tile programs");
type Call = AttentionInputs<HostTensor>;

function callOf(queries: number, keys: number, rules: Partial<Call>, heads = 1): Call {
  const of = (...shape: number[]) => random.tensor(shape, "float32");
  return {
    query: of(1, heads, queries, 4),
    key: of(1, 1, keys, 4),
    value: of(1, 1, keys, 4),
    ...rules,
  };
}

/** The programs of a call, at the start of its first block. */
function started(call: Call) {
  const problem = describeProblem(call);
  const bound = attention.bind(problem, call) as BoundInputs;
  const plan = planProblem(problem);
  const space = makeWorkspace(problem, plan);
  const block = new Block(problem, bound, plan, space);
  block.start(new WorkList(plan.grid, bound).item(0));
  const programs = new TilePrograms(problem, bound, plan, block.step);
  programs.startBlock(block.sequenceNumber, block.keyHead, space.rows, block.rows, block.sequence);
  return { programs, block, plan };
}

/** Blocks of 11 queries and 16 keys, seen where the text has an x. */
function blocks(...rows: string[]) {
  const seen = rows.flatMap((row) => [...row].map((letter) => letter === "x"));
  const shape = [1, 1, rows.length, (rows[0] as string).length];
  return { mask: tensor(seen, shape), queryBlock: 11, keyBlock: 16 };
}

describe("a tile", () => {
  test("is computed for the bands of 33 rows that the block mask lets see any of it", () => {
    // Each block of rows has four blocks of queries: a band of three, and one of the last.
    const { programs, block } = started(
      callOf(44, 64, { blockMask: blocks("-x--", "-x--", "-x-x", "--xx") }),
    );
    expect(block.rows).toBe(44);
    const rowsOf = (start: number, end: number, from = 0, to = 44) => {
      const rows = programs.startTile({ start, end }, from, to);
      return [rows.from, rows.to];
    };
    expect(rowsOf(0, 16)).toEqual([44, 44]);
    expect(rowsOf(16, 32)).toEqual([0, 33]);
    expect(rowsOf(32, 48)).toEqual([33, 44]);
    expect(rowsOf(48, 64)).toEqual([0, 44]);
    expect(rowsOf(0, 32)).toEqual([0, 33]);
    expect(rowsOf(31, 33)).toEqual([0, 44]);
    expect(rowsOf(16, 32, 3, 40)).toEqual([3, 33]);
    expect(rowsOf(32, 48, 3, 40)).toEqual([33, 40]);
    // A band of which only rows without a seen block are asked for.
    expect(rowsOf(48, 64, 0, 22)).toEqual([22, 22]);
  });

  test("is computed for the bands that the mask program lets see any of it", () => {
    const { programs } = started(callOf(99, 99, { maskMod: causal() }));
    const rowsOf = (start: number, end: number) => {
      const { from, to } = programs.startTile({ start, end }, 0, 99);
      return [from, to];
    };
    expect([rowsOf(0, 33), rowsOf(33, 66), rowsOf(66, 99), rowsOf(32, 33)]).toEqual([
      [0, 99],
      [33, 99],
      [66, 99],
      [0, 99],
    ]);
  });

  test("is hidden from a band that sees nothing of it, and from it alone", () => {
    const { programs, plan } = started(
      callOf(44, 64, { blockMask: blocks("-x--", "-x--", "-x-x", "--xx") }),
    );
    const tile = { start: 32, end: 48 };
    programs.startTile(tile, 0, 44);
    const hiddenOf = (r: number) => {
      const scores = new Array(plan.keyStride * 3).fill(1.5);
      programs.hide(r, scores, 0);
      const hidden = scores.filter((s) => s === Number.NEGATIVE_INFINITY).length;
      expect(scores.slice(0, hidden).every((s) => s === Number.NEGATIVE_INFINITY)).toBe(true);
      return hidden;
    };
    expect([hiddenOf(0), hiddenOf(30), hiddenOf(33), hiddenOf(42)]).toEqual([48, 48, 0, 0]);
  });
});

/** How often methods of tile programs are called while a call is computed, which gives what the reference gives. */
function counts(call: Call) {
  const visible = vi.spyOn(TileProgram.prototype, "visible");
  const setKeys = vi.spyOn(TileProgram.prototype, "setKeys");
  const problem = describeProblem(call);
  const bound = attention.bind(problem, call) as BoundInputs;
  const plan = planProblem(problem);
  const { output } = forward(problem, bound, plan, makeWorkspace(problem, plan));
  const counted = { visible: visible.mock.calls.length, setKeys: setKeys.mock.calls.length };
  vi.restoreAllMocks();
  const expected = toFloat64(referenceAttention(call).output as HostTensor);
  for (const [at, x] of toFloat64(output).entries())
    expect(Math.abs(x - (expected[at] as number))).toBeLessThan(1e-5);
  return { ...counted, blocks: plan.grid.blocks, tiles: Math.ceil(problem.keyLength / plan.keys) };
}

describe("a mask program", () => {
  const sizes = { queryLength: 96, keyLength: 96, queryBlock: 32, keyBlock: 32 };

  test("does not run where its block mask is full, and runs once a panel where it is partial", () => {
    const everything = maskMod(({ query }) => greaterEqual(query, 0));
    const blockMask = createBlockMask(everything, sizes);
    expect(counts(callOf(96, 96, { maskMod: everything, blockMask })).visible).toBe(0);
    const half = causal();
    const diagonal = counts(
      callOf(96, 96, { maskMod: half, blockMask: createBlockMask(half, sizes) }),
    );
    // Three blocks on the diagonal, each of 32 rows in panels of three.
    expect(diagonal.visible).toBe(3 * 11);
    // The block mask of another program says nothing of this one, which hides half of its full blocks.
    expect(counts(callOf(96, 96, { maskMod: half, blockMask })).visible).toBe(3 * 11);
  });

  test("does not run where intervals know that it hides nothing, or everything", () => {
    const everything = maskMod(({ query }) => greaterEqual(query, 0));
    expect(counts(callOf(96, 96, { maskMod: everything })).visible).toBe(0);
    const nothing = maskMod(({ query }) => greaterEqual(query, 1000));
    expect(counts(callOf(96, 96, { maskMod: nothing }))).toMatchObject({ visible: 0, setKeys: 0 });
    const some = maskMod(({ query, key }) => greaterEqual(remainder(multiply(query, key), 7), 3));
    const { visible, setKeys, blocks: parts, tiles } = counts(callOf(96, 96, { maskMod: some }));
    expect(visible).toBeGreaterThan(0);
    expect(setKeys).toBe(parts * tiles);
  });
});

describe("positions of their own", () => {
  const [queries, keys] = [40, 50];
  const positions = (count: number, name: string) => {
    const order = new Random(name);
    const of = toFloat64(order.tensor([count], "float64")).map((x) => Math.round(x * 1000) % 60);
    return tensor(Int32Array.from(of), [1, count]);
  };
  // By differences, which are computed once for many rows where positions ascend.
  const near = maskMod(({ query, key }) => less(subtract(query, key), 17));
  const slope = scoreMod(({ score, query, key }) =>
    add(score, multiply(subtract(key, query), 0.01)),
  );
  const own = {
    queries: { queryPositions: positions(queries, "queries") },
    keys: { keyPositions: positions(keys, "keys") },
  };
  test.each<[string, Partial<Call>]>([
    ["queries", own.queries],
    ["keys", own.keys],
    ["both", { ...own.queries, ...own.keys }],
    ["neither", {}],
  ])("of %s are those that programs see", (_, given) => {
    for (const rows of [queries, 4]) {
      const { queryPositions } = given;
      const few = queryPositions && tensor(queryPositions.data.slice(0, rows), [1, rows]);
      const rules = {
        ...given,
        ...(few && { queryPositions: few }),
        maskMod: near,
        scoreMod: slope,
      };
      const { blocks: parts } = counts(callOf(rows, keys, rules as Partial<Call>));
      expect(parts).toBe(1);
    }
  });
});

test("a score program gets the keys of each tile once for all rows of a block", () => {
  const program = scoreMod(({ score, query, key }) =>
    add(score, remainder(multiply(query, key), 3)),
  );
  for (const [queries, keys] of [
    [96, 200],
    [3, 200],
    [300, 66],
  ] as const) {
    const { setKeys, blocks: parts, tiles } = counts(callOf(queries, keys, { scoreMod: program }));
    expect(setKeys).toBe(parts * tiles);
  }
});

test("rows, keys and columns that are multiplied from arrays of their own give the same bits", () => {
  const mask = tensor(
    Array.from({ length: 200 * 150 }, (_, n) => n % 7 !== 3),
    [200, 150],
  );
  for (const rules of [{}, { mask }, { causal: true, queryOffset: 0 }] as Partial<Call>[]) {
    const call = callOf(200, 150, { ...rules, returns: { logSumExp: true } });
    const problem = describeProblem(call);
    const bound = attention.bind(problem, call) as BoundInputs;
    const plan = planProblem(problem);
    const results = [false, true].map((multipliesRows) => {
      const own = { ...plan, multipliesRows };
      const space = makeWorkspace(problem, own);
      expect(space.rowProducts !== null).toBe(multipliesRows);
      const { output, logSumExp } = forward(problem, bound, own, space);
      return [toFloat64(output), toFloat64(logSumExp as HostTensor)];
    });
    expect(results[1]).toEqual(results[0]);
  }
});
