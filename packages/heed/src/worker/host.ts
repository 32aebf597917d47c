import type { AttentionInputs, AttentionPlan, AttentionProvider, Backend } from "@heed/core";
import { describeProblem, isHeedError } from "@heed/core";
import {
  type Port,
  type Request,
  type Response,
  type Start,
  type Started,
  transferable,
} from "./messages.js";

/** Problems whose plans a worker keeps; the least recently used goes first. */
const plansKept = 16;

interface Globals {
  readonly process?: {
    getBuiltinModule?(name: "node:worker_threads"): { parentPort: NodePort | null };
  };
  onmessage?: ((event: { data: unknown }) => void) | null;
  postMessage?: Port["postMessage"];
}

interface NodePort extends Port {
  on(event: "message", listener: (data: unknown) => void): void;
}

/**
 * The worker's side: loads a backend and computes one call after the other.
 *
 * @param provider makes the backend's provider from options that came with the first message
 */
export function serve(provider: (options: object) => AttentionProvider): void {
  const scope = globalThis as Globals;
  const inNode = scope.process?.getBuiltinModule?.("node:worker_threads").parentPort ?? null;
  const port = inNode ?? (scope as Port);
  let backend: Backend | null = null;
  const plans = new Map<string, AttentionPlan>();

  const start = async ({ options }: Start): Promise<void> => {
    let answer: Started;
    try {
      backend = (await provider(options).load()) as Backend;
      answer = { threads: backend.info.threads };
    } catch (thrown) {
      answer = { failure: { message: messageOf(thrown) } };
    }
    port.postMessage(answer, []);
  };

  const compute = async ({ inputs }: Request): Promise<void> => {
    let answer: Response;
    try {
      const call = inputs as AttentionInputs;
      const problem = describeProblem(call);
      let plan = plans.get(problem.key);
      if (plan === undefined) {
        plan = (await (backend as Backend).plan(problem)) as AttentionPlan;
        if (plans.size >= plansKept) {
          const [oldest] = plans.keys();
          plans.get(oldest as string)?.dispose();
          plans.delete(oldest as string);
        }
      }
      plans.delete(problem.key);
      plans.set(problem.key, plan);
      const outputs = await plan.run(call);
      answer = { outputs: outputs as never };
      port.postMessage(answer, transferable(Object.values(outputs)));
      return;
    } catch (thrown) {
      const code = isHeedError(thrown) ? thrown.code : null;
      answer = { failure: { message: messageOf(thrown), code } };
    }
    port.postMessage(answer, []);
  };

  const receive = (data: unknown): void => {
    void ("options" in (data as object) ? start(data as Start) : compute(data as Request));
  };
  if (inNode === null) scope.onmessage = ({ data }) => receive(data);
  else inNode.on("message", receive);
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
