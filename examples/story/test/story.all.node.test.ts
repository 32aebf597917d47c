/** All 256 tokens of the published story, on every backend, with every cache, in every way. */
import type { Attention } from "heed";
import { isHeedError } from "heed";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Checkpoint } from "../src/checkpoint.js";
import { agreement, attentionOn, decode, folder, kinds, published } from "./stories.js";

const ways = ["token by token", "in chunks", "with drafts"] as const;

describe.skipIf(folder === null).each(["js", "wasm", "onnx", "webgpu"] as const)(
  "on %s",
  (backend) => {
    let attention: Attention | null;
    let weights: Checkpoint;
    let ids: readonly number[];
    beforeAll(async () => {
      attention = await attentionOn(backend);
      ({ weights, ids } = await published());
    }, 60_000);
    afterAll(() => attention?.dispose());

    const cases = Object.keys(kinds).flatMap((kind) =>
      (["float32", "float16", "int8"] as const).flatMap((dtype) =>
        ways.map((way) => ({ kind, dtype, way })),
      ),
    );
    test.each(cases)("$kind, $dtype, $way", { timeout: 300_000 }, async ({ kind, dtype, way }) => {
      if (attention === null) return;
      const choice = { ...kinds[kind]?.(weights.length), dtype };
      let tokens: number[];
      try {
        tokens = await decode(attention, weights, choice as never, way, ids);
      } catch (error) {
        if (!isHeedError(error, "unsupported")) throw error;
        console.log(`${backend} ${kind} ${dtype}: refused: ${error.message}`);
        return;
      }
      console.log(`${backend} ${kind} ${dtype} ${way}: ${agreement(tokens, ids)}`);
      if (dtype === "float32") expect(tokens).toEqual(ids);
      else expect(tokens.length).toBe(ids.length);
    });
  },
);
