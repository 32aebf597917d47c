import { type AttentionInputs, type HostTensor, tensor, toFloat64 } from "@heed/core";
import {
  bigBird,
  bigBirdRandomBlocks,
  causal,
  dilated,
  document,
  slidingWindow,
} from "@heed/core/masks";
import {
  add,
  and,
  createBlockMask,
  less,
  lessEqual,
  type MaskProgram,
  maskMod,
  multiply,
  not,
  remainder,
  type ScoreProgram,
  scalar,
  scoreMod,
  subtract,
  table,
  tanh,
  where,
} from "@heed/core/program";
import { expect } from "vitest";

type Call = AttentionInputs<HostTensor>;

const ids = tensor(
  Int32Array.from({ length: 2 * 150 }, (_, i) => Math.floor((i % 150) / 37)),
  [2, 150],
);
const slopes = table(tensor(Float32Array.of(0.5, 0.25, -0.125, 1), [4]));
const cap = scalar(2.5);
/** A scalar of one of the masks; each call gives it another value. */
export const distance = scalar(40);

const masks: Readonly<Record<string, MaskProgram>> = {
  causal: causal(),
  window: slidingWindow({ left: 20, right: 3 }),
  documents: maskMod(and(causal(), document(ids))),
  dilated: dilated({ dilation: 3 }),
  bigBird: bigBird({
    length: 150,
    block: 8,
    random: bigBirdRandomBlocks({ length: 150, block: 8, heads: 4, count: 2, seed: 1 }),
  }),
  "of head and batch": maskMod(({ batch, head, query, key }) =>
    less(remainder(add(query, multiply(key, add(head, 2))), 5), add(batch, 2)),
  ),
  nothing: maskMod(false),
  everything: maskMod(true),
  "by keys alone": maskMod(({ key }) => less(remainder(key, 48), 20)),
  "by index": maskMod(({ queryIndex, keyIndex }) => not(less(queryIndex, keyIndex))),
  "some rows": maskMod(({ queryIndex }) => less(remainder(queryIndex, 64), 40)),
  "as near as a scalar says": maskMod(({ query, key }) => less(subtract(query, key), distance)),
};
const scores: Readonly<Record<string, ScoreProgram>> = {
  slopes: scoreMod(({ score, head, query, key }) =>
    add(score, multiply(slopes.at(head), subtract(key, query))),
  ),
  softcap: scoreMod(({ score }) => multiply(tanh(multiply(score, 1 / 2.5)), cap)),
  hiding: scoreMod(({ score, query, key }) =>
    where(lessEqual(key, query), score, Number.NEGATIVE_INFINITY),
  ),
  "of batch": scoreMod(({ score, batch, query, key }) =>
    add(score, multiply(multiply(batch, subtract(key, query)), 0.03)),
  ),
  "scaled by head and batch": scoreMod(({ score, batch, head }) =>
    multiply(score, add(batch, multiply(head, 0.25))),
  ),
  "of keys alone": scoreMod(({ key }) => multiply(key, 0.01)),
  itself: scoreMod(({ score }) => score),
};

/** Calls of random sizes, programs and rules, the same ones each time. */
export class RandomCalls {
  #state = 1;

  /** Queries, keys and values of random sizes, in a random kind of storage, and sizes of a block mask for it. */
  #storage(): Call & { readonly mayHaveBlocks: boolean } {
    const batch = this.#pick(1, 2);
    const [heads, kvHeads] = this.#pick([1, 1], [2, 2], [4, 2], [3, 1]) as [number, number];
    const queries = this.#pick(1, 3, this.#upTo(120), this.#upTo(300));
    const keys = this.#upTo(300);
    const plain = {
      query: this.values(batch, heads, queries, 8),
      key: this.values(batch, kvHeads, keys, 8),
      value: this.values(batch, kvHeads, keys, 5),
    };
    switch (this.#pick("plain", "plain", "pages", "ragged", "positions")) {
      case "pages":
        return {
          ...plain,
          key: this.values(9, kvHeads, 30, 8),
          value: this.values(9, kvHeads, 30, 5),
          pageTable: tensor(Int32Array.from([7, 1, 4, 0, 8, -1].slice(0, 3 * batch)), [batch, 3]),
          kvLengths: [83, 44].slice(0, batch),
          queryOffset: this.#pick<Call["queryOffset"]>(0, 40, "bottom-right"),
          mayHaveBlocks: false,
        };
      case "ragged": {
        const middle = Math.floor(queries / 3);
        return {
          query: this.values(1, heads, queries, 8),
          key: this.values(1, kvHeads, keys, 8),
          value: this.values(1, kvHeads, keys, 5),
          queryStarts: [0, middle, middle, queries],
          keyStarts: [0, Math.floor(keys / 2), Math.floor(keys / 2), keys],
          queryOffset: this.#pick<Call["queryOffset"]>(0, "bottom-right"),
          mayHaveBlocks: false,
        };
      }
      case "positions":
        return {
          ...plain,
          queryPositions: this.#positions(this.#pick(1, batch), queries),
          keyPositions: this.#positions(this.#pick(1, batch), keys),
          mayHaveBlocks: false,
        };
      default:
        return { ...plain, queryOffset: this.#pick(0, -5, 17), mayHaveBlocks: true };
    }
  }

  /** A call of random sizes, programs and rules. */
  next(): Call {
    const { mayHaveBlocks, ...call } = this.#storage();
    cap.value = 2 + this.#number();
    distance.value = this.#upTo(200);
    const mask = this.#pick(undefined, ...Object.values(masks));
    const score = this.#pick(undefined, undefined, ...Object.values(scores));
    const [batch, heads, queryLength] = call.query.shape as [number, number, number];
    const keyLength = call.key.shape[2] as number;
    const { queryOffset } = call;
    const blocks = (of = mask ?? causal()) =>
      createBlockMask(of, {
        ...{ batch, heads, queryLength, keyLength, queryOffset },
        ...{
          queryBlock: this.#pick(8, 64, this.#upTo(80)),
          keyBlock: this.#pick(16, 64, this.#upTo(200)),
        },
      });
    const ofData = () => {
      const { queryBlock, keyBlock, mask } = blocks();
      return { queryBlock, keyBlock, mask };
    };
    // It hides beside the call's own program, and what it shows that may hide.
    const ofAnother = () => blocks(this.#pick(causal(), maskMod(true)));
    const ofHeads = () => {
      const { queryBlock, keyBlock, mask } = blocks();
      const shape = [batch, heads, mask.shape[2], mask.shape[3]] as number[];
      const count = shape.reduce((a, b) => a * b, 1);
      const seen = Array.from({ length: count }, () => this.#number() > -0.2);
      return { queryBlock, keyBlock, mask: tensor(seen, shape) };
    };
    // Blocks of sequences in pages, at positions or one after another: enough for the longest.
    const anywhere = () => {
      const [queryBlock, keyBlock] = [this.#pick(8, 64, this.#upTo(80)), this.#pick(16, 64)];
      const sequences = call.kvLengths?.length ?? (call.queryStarts ? 3 : batch);
      const most = call.pageTable ? 90 : keyLength;
      const shape = [
        this.#pick(1, sequences),
        this.#pick(1, heads),
        Math.ceil(queryLength / queryBlock),
        Math.ceil(most / keyBlock),
      ];
      const seen = Array.from(
        { length: shape.reduce((a, b) => a * b, 1) },
        () => this.#number() > 0,
      );
      return { queryBlock, keyBlock, mask: tensor(seen, shape) };
    };
    const blockMask = mayHaveBlocks
      ? this.#pick(undefined, () => blocks(), ofData, ofAnother, ofHeads)?.()
      : this.#pick(undefined, anywhere)?.();
    const single = call.queryStarts === undefined;
    return {
      ...call,
      ...(mask && { maskMod: mask }),
      ...(score && { scoreMod: score }),
      ...(blockMask && { blockMask }),
      ...this.#pick<Partial<Call>>(
        {},
        {},
        { causal: true },
        { window: { left: 9, right: 90 } },
        { softcap: 3 },
      ),
      ...this.#pick<Partial<Call>>(
        {},
        { alibiSlopes: Array.from({ length: heads }, (_, h) => h / 8) },
      ),
      ...(single &&
        this.#pick<Partial<Call>>({}, {}, { bias: this.#sometimesInfinite(queryLength) })),
      returns: this.#pick<Call["returns"]>(
        { logSumExp: true },
        ...(single ? [{ weights: true }, { scores: "biased" as const, logSumExp: true }] : []),
      ),
    };
  }

  /** A bias of one number a query, some of which hide all keys. */
  #sometimesInfinite(queryLength: number): HostTensor<"float32"> {
    const bias = Float32Array.from({ length: queryLength }, () =>
      this.#number() < -0.4 ? Number.NEGATIVE_INFINITY : this.#number(),
    );
    return tensor(bias, [queryLength, 1]);
  }

  values(...shape: readonly number[]): HostTensor<"float32"> {
    const count = shape.reduce((a, b) => a * b, 1);
    return tensor(
      Float32Array.from({ length: count }, () => 4 * this.#number()),
      shape,
    );
  }

  #positions(rows: number, length: number): HostTensor<"int32"> {
    const position = () => Math.floor((this.#number() + 0.5) * 2 * length);
    return tensor(Int32Array.from({ length: rows * length }, position), [rows, length]);
  }

  #pick<T>(...choices: readonly T[]): T {
    return choices[Math.floor((this.#number() + 0.5) * choices.length)] as T;
  }

  #upTo(most: number): number {
    return 1 + Math.floor((this.#number() + 0.5) * most);
  }

  /** From −0.5 to below 0.5. */
  #number(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) | 0;
    return (this.#state >>> 8) / 2 ** 24 - 0.5;
  }
}

/**
 * Fails unless outputs are what is expected of them, up to an error relative to 1 or to the number itself.
 *
 * @param label what was called, for the message
 */
export function expectOutputs(
  label: unknown,
  given: object,
  expected: object,
  within: number,
): void {
  for (const [name, t] of Object.entries(given as Readonly<Record<string, HostTensor>>)) {
    const got = toFloat64(t);
    const right = toFloat64((expected as Readonly<Record<string, HostTensor>>)[name] as HostTensor);
    const wrong = got.findIndex((x, at) => {
      const y = right[at] as number;
      return !Object.is(x, y) && !(Math.abs(x - y) <= within * Math.max(1, Math.abs(y)));
    });
    if (wrong < 0) continue;
    expect([label, name, wrong, got[wrong]]).toEqual([label, name, wrong, right[wrong]]);
  }
}
