/** The whole suite of attention on a backend that computes small calls alone: core divides all others. */
import { js } from "@heed/backend-js";
import { testBackend } from "@heed/conformance/vitest";
import type { AttentionProblem, Backend, Problem, Provider, Support } from "@heed/core";
import { DividingBackend } from "@heed/core/select/parts";

/** js, which refuses calls whose logits of one part are more than so many. */
function limited(most: number): Provider {
  return {
    name: "js",
    load: async () => {
      const whole = await js().load();
      const supports = (problem: Problem): Support => {
        const support = whole.supports(problem);
        if (!support.ok || problem.operation !== "attention") return support;
        const { batch, queryHeads, queryLength, keyLength } = problem as AttentionProblem;
        const logits = batch * queryHeads * queryLength * keyLength;
        if (logits <= most) return support;
        return { ok: false, reasons: [{ code: "memory", message: `${logits} logits` }] };
      };
      const small: Backend = {
        name: whole.name,
        info: whole.info,
        supports,
        plan: (problem) => whole.plan(problem),
        dispose: () => whole.dispose(),
      };
      return new DividingBackend(small);
    },
  };
}

const ofAttention = ({ id }: { readonly id: string }) =>
  !/^(rotary|scatter|projection|merge)\b/.test(id);

for (const most of [64, 12]) {
  testBackend(limited(most), { title: `parts of at most ${most} logits`, select: ofAttention });
}
