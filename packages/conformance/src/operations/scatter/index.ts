import { type BoundScatter, type HostTensor, scatter } from "@heed/core";
import type { OperationSuite } from "../../run/check-call.js";
import type { ScatterCall } from "./build.js";
import { scatterCases } from "./cases.js";
import { scatterWrongCalls } from "./hostile.js";
import { scatterLaws } from "./laws.js";
import { scatterMistakes, scatterWith, store } from "./mistakes.js";
import { scatterVectors } from "./vectors.js";

/** Everything that the suite asks about writing rows into a cache. */
export const scatterSuite: OperationSuite = {
  operation: scatter,
  cases: [...scatterCases, ...scatterLaws, scatterWrongCalls],
  vectors: scatterVectors,
  planted: scatterMistakes.map(({ name, steps }) => ({
    name,
    evaluate: (call: ScatterCall, bound) => {
      const { target, scales, outputs } = bound as BoundScatter<HostTensor>;
      const made = scatterWith(call, steps);
      store(target, made.target);
      if (scales) store(scales, made.scales as HostTensor);
      return outputs;
    },
  })),
};
