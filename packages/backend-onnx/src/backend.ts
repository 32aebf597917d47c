import {
  type AttentionBackend,
  type AttentionPlan,
  type AttentionProblem,
  type BackendInfo,
  type DeviceTensor,
  DisposedError,
  type HostTensor,
  type Support,
  UnsupportedError,
} from "@heed/core";
import { uploadTensor } from "./device/tensor.js";
import { KnownFeeds } from "./feeds.js";
import { OnnxPlan } from "./plan.js";
import { type LoadedRuntime, runtimeInfo } from "./runtime/load.js";
import { Sessions } from "./runtime/sessions.js";
import { supportOf } from "./support.js";

/** Attention as ONNX models, on one execution provider of one copy of ONNX Runtime. */
export class OnnxBackend implements AttentionBackend {
  readonly name = "onnx";
  readonly info: BackendInfo;
  readonly loaded: LoadedRuntime;
  readonly sessions: Sessions;
  readonly knownFeeds: KnownFeeds = new KnownFeeds();
  /** Only where onnxruntime takes tensors that are on its device. */
  readonly upload?: (t: HostTensor) => Promise<DeviceTensor>;
  #disposed = false;

  constructor(loaded: LoadedRuntime) {
    this.loaded = loaded;
    this.info = runtimeInfo(loaded);
    this.sessions = new Sessions(loaded.runtime, loaded.sessionOptions);
    const { device, traits } = loaded;
    if (device) {
      this.upload = async (t) => {
        this.checkAlive("backend");
        const stored = t.dtype === "float16" && !traits.float16 ? "float32" : t.dtype;
        return uploadTensor(device, t, stored);
      };
    }
  }

  supports(problem: AttentionProblem): Support {
    return supportOf(problem, this.loaded.traits);
  }

  async plan(problem: AttentionProblem): Promise<AttentionPlan> {
    this.checkAlive("backend");
    const support = this.supports(problem);
    if (!support.ok) throw new UnsupportedError([{ backend: this.name, reasons: support.reasons }]);
    const plan = new OnnxPlan(this, problem);
    await plan.prepare();
    return plan;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    // Nobody waits for this, so nobody can be told: what onnxruntime does not release, it keeps.
    this.sessions
      .release()
      .then(() => this.loaded.release())
      .catch(() => {});
  }

  checkAlive(argument: string): void {
    if (this.#disposed) throw new DisposedError(argument);
  }
}
