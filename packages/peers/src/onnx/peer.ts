import type { Provider } from "@heed/core";
import type { Tensor } from "onnxruntime-web";
import type { PeerOptions } from "../options.js";
import { peerProvider } from "../peer.js";
import { attentionPeer } from "./attention-peer.js";
import { graphPeer } from "./graph-peer.js";
import { attentionModel } from "./graphs.js";
import { loadRuntime, type OnnxPlace } from "./runtime.js";

/** onnxruntime in one place, with attention written in one way. */
export function onnxPeer(
  place: OnnxPlace,
  kind: "attention" | "fused" | "matmul",
): (options: PeerOptions) => Provider {
  const gpu = place.provider === "webgpu" ? "-webgpu" : "";
  return ({ threads, prepareWebGpu }) =>
    peerProvider<Tensor>(`ort-${place.package}${gpu}/${kind}`, async () => {
      const probe = kind === "attention" ? "matmul" : kind;
      const loaded = await loadRuntime(place, threads, prepareWebGpu, (problem) =>
        attentionModel(probe, problem),
      );
      return kind === "attention" ? attentionPeer(loaded) : graphPeer(loaded, kind);
    });
}
