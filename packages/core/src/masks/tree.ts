import { describeValue, InvalidInputError } from "../errors.js";
import { checkNames, isInt32, reading } from "../options.js";
import { and, less, lessEqual, or, subtract } from "../program/functions.js";
import { maskMod } from "../program/program.js";
import type { MaskProgram } from "../program/program-class.js";
import { type Table, table } from "../program/sources.js";
import { readHostTensor } from "../tensor/host-tensor.js";
import { type HostTensor, tensor } from "../tensor/tensor.js";
import { toFloat64 } from "../tensor/values.js";
import { type BatchNumber, ofBatch } from "./arguments.js";

/** A tree of drafts. */
export interface TreeOptions {
  /**
   * The draft before each draft, −1 for those that follow the prefix: int32 `[drafts]`, or `[batch, drafts]`. A
   * draft's parent is one of those before it.
   */
  readonly parents: HostTensor | Int32Array | readonly number[];
  /** Keys before the first draft, which all drafts see: one number or scalar for all, or int32 `[batch]`. */
  readonly prefix: BatchNumber;
}

const names: ReadonlySet<string> = new Set(["parents", "prefix"]);

/**
 * Drafts of tokens that branch: query row i is draft i, key `prefix` + i is its key, and a draft sees the prefix, its
 * ancestors and itself (SpecInfer, Miao et al., 2023, arXiv:2305.09781; Medusa, arXiv:2401.10774).
 *
 * Drafts are numbered depth first, so that the descendants of each are a range of numbers: two small
 * tables instead of a matrix.
 *
 * @throws InvalidInputError naming the option at fault
 */
export function tree(options: TreeOptions): MaskProgram {
  checkNames("options", options, names);
  const { parents, prefix } = reading("options", () => ({ ...options }));
  const { order, end, drafts } = numbered(readParents(parents));
  return maskMod(({ batch, queryIndex, keyIndex }) => {
    const draft = subtract(keyIndex, ofBatch("prefix", prefix, batch));
    const place = order.at(batch, queryIndex);
    return or(
      less(draft, 0),
      and(
        less(draft, drafts),
        lessEqual(order.at(batch, draft), place),
        less(place, end.at(batch, draft)),
      ),
    );
  });
}

function readParents(given: TreeOptions["parents"]): HostTensor {
  if (given instanceof Int32Array) return tensor(given, [1, given.length]);
  if (Array.isArray(given)) return tensor(given, [1, given.length], { dtype: "int32" });
  const t = readHostTensor("parents", given as HostTensor) as HostTensor;
  if (t.dtype === "int32" && (t.shape.length === 1 || t.shape.length === 2)) return t;
  throw new InvalidInputError(
    "parents",
    "int32 of shape [drafts] or [batch, drafts]",
    `${t.dtype} of shape [${t.shape.join(", ")}]`,
  );
}

/** Numbers of drafts in depth-first order, and the number after those of each one's descendants. */
function numbered(parents: HostTensor): {
  readonly order: Table<"int32">;
  readonly end: Table<"int32">;
  readonly drafts: number;
} {
  const drafts = parents.shape.at(-1) as number;
  if (drafts === 0) throw new InvalidInputError("parents", "at least one draft", "none");
  const batch = parents.shape.length === 2 ? (parents.shape[0] as number) : 1;
  const values = toFloat64(parents);
  const order = new Int32Array(values.length);
  const end = new Int32Array(values.length);
  for (let b = 0; b < batch; b++) {
    const start = b * drafts;
    const size = new Int32Array(drafts).fill(1);
    for (let i = drafts - 1; i >= 0; i--) {
      const parent = values[start + i] as number;
      if (!isInt32(parent) || parent < -1 || parent >= i) {
        const expected = `of draft ${i} one of the drafts before it, or −1`;
        throw new InvalidInputError("parents", expected, describeValue(parent));
      }
      if (parent >= 0) (size[parent] as number) += size[i] as number;
    }
    // The place of the next child of each draft, and of the next one that follows the prefix.
    const next = new Int32Array(drafts);
    let root = 0;
    for (let i = 0; i < drafts; i++) {
      const parent = values[start + i] as number;
      const place = parent < 0 ? root : (next[parent] as number);
      const after = place + (size[i] as number);
      if (parent < 0) root = after;
      else next[parent] = after;
      next[i] = place + 1;
      order[start + i] = place;
      end[start + i] = after;
    }
  }
  const shape = [batch, drafts];
  return { order: table(tensor(order, shape)), end: table(tensor(end, shape)), drafts };
}
