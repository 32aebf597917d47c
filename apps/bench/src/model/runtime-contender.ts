import { exclusively, type RuntimeTensor } from "@heed/backend-onnx/runtime";
import { type Problem, UnsupportedError } from "@heed/core";
import type { SiteResult } from "@heed/splice";
import type { Contender, ContenderPlan } from "../contenders/contender.js";
import { asOutputs, type ModelTensors } from "../operations/model/operation.js";
import { createSession, type ModelRuntime } from "./runtime.js";
import { runtimeName } from "./runtime-name.js";

/** A site's own nodes as a model of their own, and a call of them. */
export interface OwnSite {
  readonly model: Uint8Array;
  readonly outputs: readonly string[];
  readonly feeds: Readonly<Record<string, RuntimeTensor>>;
  readonly arrange: NonNullable<SiteResult["arrange"]>;
}

export interface OwnNodes {
  /** The nodes that a workload's inputs belong to; null for inputs of no model. */
  site(inputs: object): OwnSite | null;
  runModel(): Promise<ModelTensors>;
}

/** ONNX Runtime, running what the file has where Heed's backends run attention. */
export function runtimeContender(opened: ModelRuntime, own: OwnNodes): Contender {
  return {
    name: runtimeName,
    kind: "peer",
    load: async () => ({
      info: opened.info,
      supports: () => ({ ok: true }),
      plan: (problem, inputs) => planOf(opened, own, problem, inputs as object),
      dispose: () => {},
    }),
  };
}

async function planOf(
  opened: ModelRuntime,
  own: OwnNodes,
  problem: Problem,
  inputs: object,
): Promise<ContenderPlan> {
  if (problem.operation === "model") {
    return planned("the file as it is", async () => asOutputs(await own.runModel()));
  }
  const site = own.site(inputs);
  if (!site) {
    const reasons = [{ code: "feature" as const, message: "it runs nodes of the model alone" }];
    throw new UnsupportedError([{ backend: runtimeName, reasons }]);
  }
  const { runtime } = opened;
  const session = await exclusively(runtime, () => createSession(opened, site.model));
  const output = site.outputs[0] as string;
  return planned(
    "the model's own nodes",
    async () => {
      const made = await exclusively(runtime, () => session.run(site.feeds));
      return { output: site.arrange(made[output] as RuntimeTensor) };
    },
    () => void exclusively(runtime, () => session.release()),
  );
}

function planned(
  kernel: string,
  run: Awaited<ReturnType<ContenderPlan["place"]>>["run"],
  dispose: () => void = () => {},
): ContenderPlan {
  return {
    kernel,
    workspaceBytes: null,
    place: async () => ({ inputs: "host", run, dispose: () => {} }),
    dispose,
  };
}
