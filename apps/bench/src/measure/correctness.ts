// provisional
import {
  type AttentionInputs,
  bindPositions,
  describeProblem,
  type HostTensor,
  referenceAttention,
  slice,
  toFloat64,
} from "@heed/core";

export interface Verdict {
  readonly errorInBudgets: number | null;
  readonly wrong: string | null;
}
export type Judge = (output: HostTensor) => Verdict;

export function prepareJudge(inputs: AttentionInputs<HostTensor>): Judge {
  const p = describeProblem(inputs);
  const { offsets, kvLengths } = bindPositions(p, inputs);
  const rows: { b: number; h: number; i: number; want: Float64Array }[] = [];
  const all = p.batch * p.queryHeads * p.queryLength;
  const step = Math.max(1, Math.floor(all / 40));
  for (let r = 0; r < all; r += step) {
    const b = Math.floor(r / (p.queryHeads * p.queryLength));
    const h = Math.floor(r / p.queryLength) % p.queryHeads;
    const i = r % p.queryLength;
    const g = Math.floor((h * p.kvHeads) / p.queryHeads);
    const one = (t: HostTensor, head: number) => slice(slice(t, 0, b, b + 1), 1, head, head + 1);
    const out = referenceAttention({
      ...inputs,
      query: slice(one(inputs.query, h), 2, i, i + 1),
      key: one(inputs.key, g),
      value: one(inputs.value, g),
      queryOffset: (offsets[b] as number) + i,
      kvLengths: [kvLengths[b] as number],
    });
    rows.push({ b, h, i, want: toFloat64(out.output) });
  }
  return (output) => {
    let worst = 0;
    for (const { b, h, i, want } of rows) {
      const got = toFloat64(slice(slice(slice(output, 0, b, b + 1), 1, h, h + 1), 2, i, i + 1));
      want.forEach((w, d) => {
        const e = Math.abs((got[d] as number) - w) / 1e-5;
        worst = Number.isNaN(e) ? Infinity : Math.max(worst, e);
      });
    }
    return {
      errorInBudgets: Number.isFinite(worst) ? worst : null,
      wrong: worst <= 1 ? null : "off",
    };
  };
}
