import {
  type AttentionInputs,
  createAttention,
  type HostTensor,
  type SupportReason,
  tensor,
  UnsupportedError,
} from "@heed/core";
import {
  abs,
  add,
  and,
  astype,
  type BoolExpression,
  bindProgram,
  createBlockMask,
  type Expression,
  equal,
  floorDivide,
  greaterEqual,
  less,
  lessEqual,
  type MaskProgram,
  maskMod,
  maximum,
  minimum,
  multiply,
  type NumberExpression,
  negative,
  not,
  notEqual,
  or,
  remainder,
  scalar,
  subtract,
  table,
  where,
} from "@heed/core/program";
import fc from "fast-check";
import { Random } from "../../../calls/random.js";
import { borrow } from "../../../run/borrow.js";
import type { ProgramCase, ProgramFinding } from "../../../run/case.js";
import { naiveProgram } from "../judge/programs.js";
import { difference, toleranceOf } from "./compare.js";

/** A random expression as data, so that it shrinks and prints. */
type Tree = readonly [name: string, ...args: (Tree | number)[]];

const node = (names: readonly string[], ...args: fc.Arbitrary<Tree>[]): fc.Arbitrary<Tree> =>
  fc.tuple(fc.constantFrom(...names), ...args) as unknown as fc.Arbitrary<Tree>;

/** Trees of integers and bools: floats near a comparison's edge may go either way. */
const { bool } = fc.letrec<{ int: Tree; bool: Tree }>((tie) => {
  const options = { depthIdentifier: "program", depthSize: "small", maxDepth: 5 } as const;
  const [int, bool] = [() => tie("int"), () => tie("bool")];
  const names = ["batch", "head", "query", "key", "queryIndex", "keyIndex", "scalar"];
  const numbers = [0, 1, -1, 2, 3, -7, 40, 2 ** 31 - 1, -(2 ** 31)];
  return {
    int: fc.oneof(
      options,
      fc.constantFrom<Tree>(...names.map((name): Tree => [name])),
      fc.constantFrom<Tree>(...numbers.map((value): Tree => ["number", value])),
      node(["add", "subtract", "multiply", "minimum", "maximum"], int(), int()),
      node(["floorDivide", "remainder"], int(), int()),
      node(["negative", "abs", "ids"], int()),
      node(["grid"], int(), int()),
      node(["where"], bool(), int(), int()),
      node(["int32"], bool()),
    ),
    bool: fc.oneof(
      options,
      node(["less", "lessEqual", "greaterEqual", "equal", "notEqual"], int(), int()),
      node(["and", "or", "equal"], bool(), bool()),
      node(["not"], bool()),
      node(["where"], bool(), bool(), bool()),
    ),
  };
});

const ids = table(tensor(Int32Array.of(0, 0, 1, 1, 1, 2, 3, 3, 9, 3, 4, -5, 5), [13]));
const grid = table(tensor(Int32Array.of(4, 1, 2, 8, 5, 7, 3, 0), [2, 4]));
const width = scalar(5);

type Make = (...args: readonly Expression[]) => Expression;
const functions = {
  ...{ abs, add, and, equal, floorDivide, greaterEqual, less, lessEqual, maximum, minimum },
  ...{ multiply, negative, not, notEqual, or, remainder, subtract, where },
  ids: (i: NumberExpression) => ids.at(i),
  grid: (i: NumberExpression, j: NumberExpression) => grid.at(i, j),
  int32: (x: BoolExpression) => astype(x, "int32"),
} as unknown as Readonly<Record<string, Make>>;

function build([name, ...args]: Tree, variables: Readonly<Record<string, Expression>>): Expression {
  if (name === "number") return add(args[0] as number, 0);
  if (name === "scalar") return width;
  return (
    variables[name] ??
    (functions[name] as Make)(...args.map((arg) => build(arg as Tree, variables)))
  );
}

const tries = fc.record({
  tree: bool,
  batch: fc.integer({ min: 1, max: 2 }),
  heads: fc.constantFrom<readonly [number, number]>([1, 1], [2, 2], [4, 2]),
  queryLength: fc.integer({ min: 1, max: 40 }),
  keyLength: fc.integer({ min: 1, max: 75 }),
  queryOffset: fc.constantFrom(0, 3, -4),
  block: fc.option(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 40 })), {
    nil: undefined,
  }),
  numbers: fc.noShrink(fc.nat()),
});
type Try = typeof tries extends fc.Arbitrary<infer T> ? T : never;

/** Random mask programs give what a mask of their values gives, with a block mask or without. */
export const randomPrograms: ProgramCase = {
  id: "programs/law-random-programs",
  profile: "programs",
  statement: "A mask program gives what a mask of its values gives.",
  run: async ({ backend, runs, seed }): Promise<ProgramFinding> => {
    const attention = await createAttention({
      backends: [{ name: backend.name, load: async () => borrow(backend) }],
      selfTest: false,
      fallback: "silent",
    });
    const refusals = new Map<string, SupportReason>();
    let accepted = 0;
    try {
      const found = await fc.check(
        fc.asyncProperty(tries, async (one) => {
          const { program, call, mask } = callOf(one);
          try {
            const given = await attention.run({ ...call, ...program });
            const broken = difference(
              given,
              await attention.run({ ...call, mask }),
              toleranceOf(call),
            );
            accepted += 1;
            if (broken !== null) throw new Error(`${program.maskMod}: ${broken}`);
          } catch (error) {
            if (!(error instanceof UnsupportedError)) throw error;
            for (const { reasons } of error.backends)
              for (const reason of reasons) refusals.set(reason.code, reason);
          }
        }),
        { numRuns: 2 * runs, seed },
      );
      if (!found.failed) {
        const reasons = [...refusals.values()];
        return accepted === 0 && reasons.length > 0 ? { failures: [], reasons } : { failures: [] };
      }
      const { errorInstance } = found;
      const why = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
      const small = JSON.stringify(found.counterexample?.[0]);
      return { failures: [why, `seed ${seed}; the smallest call: ${small}`] };
    } finally {
      await attention.dispose();
    }
  },
};

/** A call, with its program and with the mask of the program's values. */
function callOf({ tree, batch, heads, queryLength, keyLength, queryOffset, block, numbers }: Try): {
  readonly program: { readonly maskMod: MaskProgram } & Pick<AttentionInputs, "blockMask">;
  readonly call: AttentionInputs<HostTensor>;
  readonly mask: HostTensor;
} {
  const random = new Random(numbers);
  const [queryHeads, kvHeads] = heads;
  const program = maskMod((variables) => build(tree, variables as never) as BoolExpression);
  const evaluate = naiveProgram(bindProgram(program), Math.fround, 2 ** -24);
  const mask: boolean[] = [];
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < queryHeads; h++)
      for (let i = 0; i < queryLength; i++)
        for (let j = 0; j < keyLength; j++) {
          const place = { query: i + queryOffset, key: j, queryIndex: i, keyIndex: j };
          mask.push(evaluate({ batch: b, head: h, ...place }).value === 1);
        }
  const sizes = { batch, heads: queryHeads, queryLength, keyLength, queryOffset };
  const [queryBlock, keyBlock] = block ?? [1, 1];
  return {
    program: {
      maskMod: program,
      ...(block && { blockMask: createBlockMask(program, { ...sizes, queryBlock, keyBlock }) }),
    },
    call: {
      query: random.tensor([batch, queryHeads, queryLength, 8], "float32"),
      key: random.tensor([batch, kvHeads, keyLength, 8], "float32"),
      value: random.tensor([batch, kvHeads, keyLength, 8], "float32"),
      queryOffset,
      returns: { logSumExp: true },
    },
    mask: tensor(mask, [batch, queryHeads, queryLength, keyLength]),
  };
}
