import {
  type AttentionBackend,
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionProvider,
  createAttention,
  type FloatDType,
  type HostTensor,
  type MergeOutputs,
  reference,
  slice,
  UnsupportedError,
} from "@heed/core";
import { toHost } from "../../calls/bits.js";
import type { Random } from "../../calls/random.js";
import { unitRoundoff } from "../../judge/roundoff.js";
import { borrow } from "../../run/borrow.js";
import { difference, toleranceOf } from "../attention/laws/compare.js";
import type { MergeCall } from "./build.js";
import { mergeTolerance } from "./judge.js";

type Attend = (inputs: AttentionInputs<HostTensor>) => Promise<AttentionOutputs<HostTensor>>;

const integer = (random: Random, from: number, to: number): number =>
  from + Math.floor(random.uniform() * (to - from + 1));

/**
 * Attention over random ranges of keys, merged, against attention over all keys: by the backend's own
 * attention where it has it, else by the reference's. The mask leaves rows without keys in some
 * ranges, and ranges may be empty.
 *
 * @returns a sentence on what is wrong; or `null`
 */
export async function overKeys(
  backend: AttentionBackend,
  merged: (call: MergeCall) => Promise<MergeOutputs<HostTensor>>,
  random: Random,
  dtype: FloatDType,
): Promise<string | null> {
  const [batch, kvHeads, group] = [
    integer(random, 1, 2),
    integer(random, 1, 2),
    integer(random, 1, 2),
  ];
  const [queries, keys] = [integer(random, 1, 5), integer(random, 1, 40)];
  const [size, valueDim] = [8, 7];
  const mask = random.mask([batch, 1, queries, keys], 0.4);
  const query = random.tensor([batch, kvHeads * group, queries, size], dtype);
  const key = random.tensor([batch, kvHeads, keys, size], dtype);
  const value = random.tensor([batch, kvHeads, keys, valueDim], dtype);
  const call = { query, key, value, mask, returns: { logSumExp: true } };
  const cuts = [
    0,
    ...Array.from({ length: integer(random, 0, 4) }, () => integer(random, 0, keys)),
    keys,
  ];
  cuts.sort((a, b) => a - b);
  return withAttention(backend, async (attend) => {
    const whole = await attend(call);
    const parts: { output: HostTensor; logSumExp: HostTensor }[] = [];
    for (let p = 0; p + 1 < cuts.length; p++) {
      const [from, to] = [cuts[p] as number, cuts[p + 1] as number];
      const { output, logSumExp } = await attend({
        ...call,
        key: slice(key, 2, from, to),
        value: slice(value, 2, from, to),
        mask: slice(mask, 3, from, to),
      });
      parts.push({ output, logSumExp: logSumExp as HostTensor });
    }
    const attended = toleranceOf(call);
    const joined = mergeTolerance({ parts }, 1);
    const wrong = difference((await merged({ parts })) as never, whole, {
      ...attended,
      // Each part's output is stored in its dtype, as the merged one is.
      output: (row) => attended.output(row) + joined.output(row) + unitRoundoff[dtype],
      logSumExp: (row) => attended.logSumExp(row) + joined.logSumExp(row),
    });
    return wrong && `cut at ${cuts.slice(1, -1).join(", ")}: ${wrong}`;
  });
}

/** Runs a law with the backend's attention, and with the reference's where it refuses the call. */
async function withAttention(
  backend: AttentionBackend,
  law: (attend: Attend) => Promise<string | null>,
): Promise<string | null> {
  const own: AttentionProvider = { name: backend.name, load: async () => borrow(backend) };
  try {
    return await withProvider(own, law);
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    return withProvider(reference() as unknown as AttentionProvider, law);
  }
}

async function withProvider(
  provider: AttentionProvider,
  law: (attend: Attend) => Promise<string | null>,
): Promise<string | null> {
  const attention = await createAttention({
    backends: [provider],
    selfTest: false,
    fallback: "silent",
  });
  try {
    return await law(async (inputs) => toHost(await attention.run(inputs)));
  } finally {
    await attention.dispose();
  }
}
