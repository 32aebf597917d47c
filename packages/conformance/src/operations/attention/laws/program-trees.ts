import fc from "fast-check";
import type { Tree } from "../build/program-trees.js";

const node = (names: readonly string[], ...args: fc.Arbitrary<Tree>[]): fc.Arbitrary<Tree> =>
  fc.tuple(fc.constantFrom(...names), ...args) as unknown as fc.Arbitrary<Tree>;

/**
 * Trees of masks and of scores. Masks are integers and bools: floats near a comparison's edge may go either way. Scores
 * are at most a few times as far off as what they are made of.
 */
const trees = fc.letrec<{ int: Tree; bool: Tree; float: Tree }>((tie) => {
  const options = { depthIdentifier: "program", depthSize: "small", maxDepth: 5 } as const;
  const [int, bool, float] = [() => tie("int"), () => tie("bool"), () => tie("float")];
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
    float: fc.oneof(
      options,
      fc.constant<Tree>(["score"]),
      fc.constantFrom<Tree>(...[-3, 0, 1, 4].map((value): Tree => ["halves", value])),
      node(["add", "subtract", "minimum", "maximum", "quotient"], float(), float()),
      node(["negative", "abs", "tanh", "half", "root", "bell"], float()),
      node(["small", "line"], int()),
      node(["cube"], int(), int(), int()),
      node(["hypercube"], int(), int(), int(), int()),
      node(["where"], bool(), float(), float()),
    ),
  };
});

/** Draws expressions of masks. */
export const maskTrees: fc.Arbitrary<Tree> = trees.bool;

/** Draws expressions of scores. */
export const scoreTrees: fc.Arbitrary<Tree> = trees.float;
