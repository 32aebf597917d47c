import { createAttention, type HostTensor, UnsupportedError } from "@heed/core";
import {
  type OnnxAttentionAttributes,
  type OnnxAttentionInputs,
  onnxAttention,
} from "@heed/core/onnx";
import { differing, outputBits } from "../../../calls/bits.js";
import { Random } from "../../../calls/random.js";
import { borrow } from "../../../run/borrow.js";
import type { ProgramCase } from "../../../run/case.js";
import { buildMask } from "../build/masks.js";

const [B, H, Q, K, D] = [2, 4, 3, 7, 8];

/** Masks of the operator: one that is padded, and some that repeat along other axes than keys. */
const shapes = [[K - 2], [Q, K], [B, 1, Q, K], [1, H, 1, K], [B, H, Q, K]] as const;

const calls: Readonly<
  Record<string, readonly [OnnxAttentionAttributes, Partial<OnnxAttentionInputs>]>
> = {
  "a mask alone": [{}, {}],
  "a causal mask": [{ is_causal: 1 }, {}],
  "a causal mask and padded keys": [{ is_causal: 1 }, { nonpad_kv_seqlen: [5, 7] }],
};

/** Requirements on ONNX's operator Attention over a backend, beside its recorded vectors. */
export const onnxMaskBehaviours: readonly ProgramCase[] = [
  {
    id: "behaviour/onnx-mask-bytes",
    profile: "behaviour",
    statement:
      "In a mask of ONNX's operator Attention, any byte but 0 is true, and gives the bits that 1 gives.",
    run: async ({ backend, seed }) => {
      const attention = await createAttention({
        backends: [{ name: backend.name, load: async () => borrow(backend) }],
        selfTest: false,
        fallback: "silent",
      });
      const random = new Random(seed);
      const failures: string[] = [];
      const [q, k, v] = [
        random.tensor([B, H, Q, D], "float32"),
        random.tensor([B, 2, K, D], "float32"),
        random.tensor([B, 2, K, D], "float32"),
      ] as const;
      try {
        for (const shape of shapes) {
          const mask = buildMask({ shape, anyByte: true }, random);
          const bytes = Uint8Array.from(mask.data as Uint8Array, (byte) => (byte === 0 ? 0 : 1));
          const ones = { ...mask, data: bytes };
          for (const [what, [attributes, more]] of Object.entries(calls)) {
            const run = async (attn_mask: HostTensor) =>
              outputBits({
                ...(await onnxAttention(
                  attention,
                  { Q: q, K: k, V: v, attn_mask, ...more },
                  attributes,
                  { outputs: ["Y"] },
                )),
              });
            if (differing(await run(ones), await run(mask)).length > 0) {
              failures.push(`${what}, of shape [${shape}]: other bytes than 1 give other bits`);
            }
          }
        }
      } catch (error) {
        if (!(error instanceof UnsupportedError)) throw error;
        return { failures, reasons: error.backends.flatMap(({ reasons }) => reasons) };
      } finally {
        await attention.dispose();
      }
      return { failures };
    },
  },
];
