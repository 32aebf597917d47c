/** The suite of attention on a backend that computes small calls alone: core divides all others. */
import { js } from "@heed/backend-js";
import { type CaseSelection, testBackend } from "@heed/conformance/vitest";
import type { AttentionProblem, Backend, Problem, Provider, Support } from "@heed/core";
import { DividingBackend } from "@heed/core/select/parts";
import { problemOf } from "../../../test/select.js";

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

/** Most parts of a call that runs here: each takes as long as a call, and a case makes several calls. */
const mostParts = 2000;

/** Cases of attention; of single calls, those that are not divided into too many parts. */
function divided(most: number): CaseSelection {
  return (c) => {
    if (!("spec" in c)) return !/^(rotary|scatter|projection|merge|rmsNorm)\b/.test(c.id);
    const { batch, queryHeads, queryLength, keyLength } = problemOf(c);
    return batch * queryHeads * queryLength * keyLength <= most * mostParts;
  };
}

for (const most of [64, 12]) {
  testBackend(limited(most), {
    title: `parts of at most ${most} logits`,
    select: divided(most),
  });
}
