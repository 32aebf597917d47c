import {
  bindPositions,
  describeProblem,
  type HostTensor,
  headsPerGroup,
  tensor,
  toFloat64,
} from "@heed/core";
import * as program from "@heed/core/program";
import { withOffsets } from "../laws/transform.js";
import { type Call, callMistake, type Mistake } from "./mistake.js";

type Expressions = Readonly<Partial<Record<program.VariableName, program.Expression>>>;
type Make = (...args: readonly unknown[]) => program.Expression;
type Number = program.NumberExpression;

/** Other rules than those that programs have. */
interface Rules {
  /** Instead of operations, by name. */
  readonly operations?: Readonly<Record<string, (x: Number, y: Number) => program.Expression>>;
  /** Instead of an index of an axis of a table. */
  readonly index?: (at: Number, size: number) => Number;
}

/**
 * A call's programs with other expressions in place of some variables, or by other rules; null if it has no
 * programs.
 */
function replaced(
  call: Call,
  make: (variables: program.ScoreVariables) => Expressions,
  rules: Rules = {},
): Call | null {
  const { maskMod, scoreMod, blockMask } = call;
  const mask = maskMod ?? (blockMask as program.BlockMask | undefined)?.origin?.program;
  if (!mask && !scoreMod) return null;
  const data = blockMask && {
    mask: blockMask.mask,
    queryBlock: blockMask.queryBlock,
    keyBlock: blockMask.keyBlock,
  };
  return {
    ...call,
    ...(mask && {
      maskMod: program.maskMod(() => rebuilt(mask, make, rules) as program.BoolExpression),
    }),
    ...(scoreMod && {
      scoreMod: program.scoreMod(() => rebuilt(scoreMod, make, rules) as program.NumberExpression),
    }),
    ...(data && { blockMask: data }),
  };
}

function rebuilt(
  { form, tables, scalars }: program.Program,
  make: (variables: program.ScoreVariables) => Expressions,
  { operations = {}, index = (at) => at }: Rules,
): program.Expression {
  let variables = {} as program.ScoreVariables;
  program.scoreMod((own) => {
    variables = own;
    return 0;
  });
  const others = make(variables);
  const built: program.Expression[] = [];
  for (const node of form.nodes) {
    const args = node.args.map((arg) => built[arg] as Number);
    switch (node.op) {
      case "constant":
        built.push(
          node.type === "bool"
            ? program.and(node.value !== 0)
            : program.astype(node.value, node.type),
        );
        break;
      case "variable":
        built.push(others[node.name] ?? variables[node.name]);
        break;
      case "scalar":
        built.push(scalars[node.slot] as program.Expression);
        break;
      case "table":
        built.push(elementOf(tables[node.slot] as program.Table, args, index));
        break;
      case "astype":
        built.push(program.astype(args[0] as Number, node.type));
        break;
      default: {
        // biome-ignore lint/performance/noDynamicNamespaceImportAccess: each operation by its name
        const operation = operations[node.op] ?? program[node.op];
        built.push((operation as unknown as Make)(...args));
      }
    }
  }
  return built.at(-1) as program.Expression;
}

function elementOf(
  table: program.Table,
  at: readonly Number[],
  index: NonNullable<Rules["index"]>,
): program.Expression {
  const { shape } = table.tensor;
  return table.at(...at.map((i, axis) => index(i, shape[axis] as number)));
}

const { and, divide, equal, floorDivide, less, minimum, notEqual, remainder, subtract, where } =
  program;

/** A call whose programs have other rules. */
const withRules = (call: Call, rules: Rules): Call | null => replaced(call, () => ({}), rules);

/** The call with its offsets said, which no program asks for any more. */
function atSamePlaces(call: Call): Call {
  return call.queryPositions || call.keyPositions ? call : withOffsets(call);
}

/** A call with another block mask, given as data. */
function blocksOf(call: Call, change: (mask: HostTensor) => HostTensor | null): Call | null {
  const { blockMask } = call;
  if (!blockMask) return null;
  const mask = change(blockMask.mask);
  const { queryBlock, keyBlock } = blockMask;
  return mask && { ...call, blockMask: { mask, queryBlock, keyBlock } };
}

/** A ragged call whose blocks of queries or keys start where all rows start, and not where a sequence does. */
function blocksFrom(call: Call, argument: "queryStarts" | "keyStarts"): Call | null {
  const { blockMask } = call;
  const starts = bindPositions(describeProblem(call), call)[argument];
  if (!blockMask || !starts) return null;
  const { queryBlock, keyBlock } = blockMask;
  const ofQueries = argument === "queryStarts";
  const size = ofQueries ? queryBlock : keyBlock;
  const [batch, heads, queries, keys] = blockMask.mask.shape as [number, number, number, number];
  const sequences = starts.length - 1;
  const lengths = Array.from(starts.slice(1), (end, s) => end - (starts[s] as number));
  const longest = Math.max(...lengths);
  // Blocks of one row, so that they can start anywhere.
  const shape = [sequences, heads, ofQueries ? longest : queries, ofQueries ? keys : longest];
  const [, , rows, columns] = shape as [number, number, number, number];
  const given = toFloat64(blockMask.mask);
  const data = new Uint8Array(sequences * heads * rows * columns);
  for (let at = 0; at < data.length; at++) {
    const column = at % columns;
    const row = Math.floor(at / columns) % rows;
    const head = Math.floor(at / (columns * rows)) % heads;
    const s = Math.floor(at / (columns * rows * heads));
    const moved = (index: number, blocks: number): number =>
      Math.min(blocks - 1, Math.floor(((starts[s] as number) + index) / size));
    const q = ofQueries ? moved(row, queries) : row;
    const k = ofQueries ? column : moved(column, keys);
    data[at] = given[(((batch === 1 ? 0 : s) * heads + head) * queries + q) * keys + k] as number;
  }
  return {
    ...call,
    blockMask: {
      mask: tensor(data, shape, { dtype: "bool" }),
      queryBlock: ofQueries ? 1 : queryBlock,
      keyBlock: ofQueries ? keyBlock : 1,
    },
  };
}

const use = { mutant: "programs" } as const;

/** Programs and block masks: what their variables are, and what is hidden. */
export const programMistakes: readonly Mistake[] = [
  callMistake(
    "the mask program is ignored",
    (call) => {
      const made = (call.blockMask as program.BlockMask | undefined)?.origin;
      if (!call.maskMod && !made) return null;
      const blockMask = made ? undefined : call.blockMask;
      return { ...atSamePlaces(call), maskMod: undefined, blockMask };
    },
    use,
  ),
  callMistake(
    "the score program is ignored",
    (call) => (call.scoreMod ? { ...atSamePlaces(call), scoreMod: undefined } : null),
    use,
  ),
  callMistake(
    "the block mask is ignored",
    (call) =>
      call.blockMask && !(call.blockMask as program.BlockMask).origin
        ? { ...atSamePlaces(call), blockMask: undefined }
        : null,
    use,
  ),
  callMistake(
    "partial blocks are treated as full",
    (call) =>
      call.blockMask
        ? blocksOf({ ...atSamePlaces(call), maskMod: undefined }, (mask) => mask)
        : null,
    use,
  ),
  callMistake(
    "programs get the index of a query instead of its position",
    (call) => replaced(call, ({ queryIndex }) => ({ query: queryIndex })),
    use,
  ),
  callMistake(
    "programs get the position of a query instead of its index",
    (call) => replaced(call, ({ query }) => ({ queryIndex: query })),
    use,
  ),
  callMistake(
    "programs get the key head instead of the query head",
    (call) => {
      const group = headsPerGroup(describeProblem(call));
      return group === 1
        ? null
        : replaced(call, ({ head }) => ({ head: floorDivide(head, group) }));
    },
    use,
  ),
  callMistake(
    "programs get batch 0 for every batch",
    (call) => replaced(call, ({ batch }) => ({ batch: minimum(batch, 0) })),
    use,
  ),
  callMistake(
    "programs get head 0 for every head",
    (call) => replaced(call, ({ head }) => ({ head: minimum(head, 0) })),
    use,
  ),
  callMistake(
    "programs get the next key",
    (call) => replaced(call, ({ key }) => ({ key: subtract(key, -1) })),
    use,
  ),
  callMistake(
    "remainders have the sign of what is divided",
    (call) =>
      withRules(call, {
        operations: {
          remainder: (x, y) => {
            const own = remainder(x, y);
            const differs = and(notEqual(own, 0), notEqual(less(own, 0), less(x, 0)));
            return where(differs, subtract(own, y), own);
          },
        },
      }),
    use,
  ),
  callMistake(
    "what is divided by 0 stays as it is",
    (call) =>
      withRules(call, {
        operations: {
          divide: (x, y) => where(equal(y, 0), divide(x, 1), divide(x, y)),
          floorDivide: (x, y) => where(equal(y, 0), x, floorDivide(x, y)),
        },
      }),
    use,
  ),
  callMistake(
    "indices outside of a table count from its other end",
    (call) => withRules(call, { index: (at, size) => remainder(at, size) }),
    use,
  ),
  callMistake(
    "blocks of a ragged batch are counted from the first row of all queries",
    (call) => blocksFrom(call, "queryStarts"),
    use,
  ),
  callMistake(
    "blocks of a ragged batch are counted from the first row of all keys",
    (call) => blocksFrom(call, "keyStarts"),
    use,
  ),
  callMistake(
    "the block mask of batch 0 serves all batches",
    (call) =>
      blocksOf(call, (mask) => {
        const [batch, ...matrices] = mask.shape as [number, number, number, number];
        if (batch === 1) return null;
        const size = matrices.reduce((a, b) => a * b, 1);
        return tensor((mask.data as Uint8Array).slice(0, size), [1, ...matrices], {
          dtype: "bool",
        });
      }),
    use,
  ),
  callMistake(
    "the block mask of head 0 serves all heads",
    (call) =>
      blocksOf(call, (mask) => {
        const [batch, heads, queries, keys] = mask.shape as [number, number, number, number];
        if (heads === 1) return null;
        const matrix = queries * keys;
        const data = new Uint8Array(batch * matrix);
        for (let b = 0; b < batch; b++) {
          const start = b * heads * matrix;
          data.set((mask.data as Uint8Array).subarray(start, start + matrix), b * matrix);
        }
        return tensor(data, [batch, 1, queries, keys], { dtype: "bool" });
      }),
    use,
  ),
];
