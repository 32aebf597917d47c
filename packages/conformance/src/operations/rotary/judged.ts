import { type HostTensor, type RotaryOutputs, rotary } from "@heed/core";
import type { JudgedOperation } from "../../run/check-call.js";
import { knownMistakes } from "../../run/step-mistakes.js";
import type { RotaryCall } from "./build.js";
import { judgeRotary } from "./judge.js";
import { rotaryMistakes, turnWith } from "./mistakes.js";

export type Turned = RotaryOutputs<HostTensor>;

/** Rotary position embedding as the cases see it. */
export const judgedRotary: JudgedOperation<RotaryCall, Turned> = {
  operation: rotary,
  judge: judgeRotary,
  ...knownMistakes(rotaryMistakes, (call: RotaryCall, steps) => ({
    output: turnWith(call, steps),
  })),
};
