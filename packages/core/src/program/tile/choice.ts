import { floatList } from "./float-loops.js";
import type { Instructions } from "./instructions.js";
import { chooseInts, intList } from "./int-loops.js";
import { keyRangeOf } from "./key-sums.js";
import { chooseFloats } from "./select-loops.js";
import type { Value } from "./values.js";

/** Adds the instruction of `where`. If a comparison of keys with numbers says the same of a whole panel, nothing is compared. */
export function compileChoice(program: Instructions, out: Value, args: readonly number[]): void {
  const [condition, first, second] = args as [number, number, number];
  const a = program.value(first);
  const b = program.value(second);
  const choose = chooser(program, out, a, b);
  const decide = panelDecision(program, condition);
  const isAtOnce = decide !== null && out.space === "scores";
  const compiled = isAtOnce ? program.apart("scores", () => program.value(condition)) : null;
  const value = compiled?.value ?? program.value(condition);
  const list = program.listOfInts(value, out.space);
  const compare = compiled?.instructions ?? [];
  program.of[out.space].push((r, n) => {
    const decided = isAtOnce ? decide(r) : undecided;
    if (decided !== undecided) {
      choose.all(decided === 1, n);
      return;
    }
    for (const run of compare) run(r, n);
    choose.each(list, n);
  });
}

function chooser(program: Instructions, { space, type, ints, floats }: Value, a: Value, b: Value) {
  if (type !== "float32") {
    const first = program.listOfInts(a, space);
    const second = program.listOfInts(b, space);
    const copyInts = intList.copy as (typeof intList)[string];
    return {
      each: (condition: Int32Array, n: number) => chooseInts(ints, condition, first, second, n),
      all: (isFirst: boolean, n: number) => {
        copyInts(ints, isFirst ? first : second, n);
      },
    };
  }
  const first = program.listOfFloats(a, space);
  const second = program.listOfFloats(b, space);
  const copy = floatList.copy as (typeof floatList)[string];
  return {
    each: (condition: Int32Array, n: number) =>
      chooseFloats(
        floats.data,
        floats.at,
        condition,
        first.data,
        first.at,
        second.data,
        second.at,
        n,
      ),
    all: (isFirst: boolean, n: number) => {
      const from = isFirst ? first : second;
      if (from.data === floats.data && from.at === floats.at) return;
      copy(floats.data, floats.at, from.data, from.at, n);
    },
  };
}

/** No, yes, or both: the result of a comparison for all rows and keys of a panel. */
type Decision = 0 | 1 | -1;
const undecided = -1;

/** A comparison that waits, of keys' integers with rows' numbers, for a whole panel; null for other conditions. */
function panelDecision(program: Instructions, condition: number): ((r: number) => Decision) | null {
  const node = program.waitingNode(condition);
  if (node === null) return null;
  const [a, b] = node.args as [number, number];
  if (program.isWaiting(a) || program.isWaiting(b)) return null;
  const [left, right] = [program.value(a), program.value(b)];
  if (left.type !== "int32") return null;
  const isSwapped = left.space !== "keys";
  const [list, numbers] = isSwapped ? [right, left] : [left, right];
  if (list.space !== "keys" || program.isList(numbers, "scores")) return null;
  const test = tests[isSwapped ? (mirrored[node.op] ?? node.op) : node.op];
  if (test === undefined) return null;
  const range = keyRangeOf(program, list);
  const { step, lane } = program.stepsOf(numbers);
  const { ints } = numbers;
  return (r) => {
    const k = r * step;
    const [x, y, z] = [ints[k], ints[k + lane], ints[k + 2 * lane]] as [number, number, number];
    return test(range.least, range.most, Math.min(x, y, z), Math.max(x, y, z));
  };
}

type Test = (least: number, most: number, low: number, high: number) => Decision;

const decision = (always: boolean, never: boolean): Decision =>
  always ? 1 : never ? 0 : undecided;

/** Comparisons of all integers from `least` to `most` with all from `low` to `high`. */
const tests: Readonly<Record<string, Test>> = {
  less: (least, most, low, high) => decision(most < low, least >= high),
  lessEqual: (least, most, low, high) => decision(most <= low, least > high),
  greater: (least, most, low, high) => decision(least > high, most <= low),
  greaterEqual: (least, most, low, high) => decision(least >= high, most < low),
  equal: (least, most, low, high) => decision(false, most < low || least > high),
  notEqual: (least, most, low, high) => decision(most < low || least > high, false),
};

const mirrored: Readonly<Record<string, string>> = {
  less: "greater",
  lessEqual: "greaterEqual",
  greater: "less",
  greaterEqual: "lessEqual",
};
