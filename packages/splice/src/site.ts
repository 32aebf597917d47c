import type { AttentionInputs, HostTensor } from "@heed/core";
import type { Capped } from "./match/cap.js";

/** An attention of the model that Heed runs. */
export interface Site extends Capped {
  /** Name of its softmax or its operator in the file; with a number where several have the same. */
  readonly name: string;
  /** `"MatMul–Softmax–MatMul"`, or the operator. */
  readonly operator: string;
  /** How the file writes it: where it is scaled, masked and transposed. */
  readonly spelling: readonly string[];
  /** Query heads; null where only a call knows them. */
  readonly heads: number | null;
  readonly kvHeads: number | null;
  readonly headDim: number | null;
  readonly valueDim: number | null;
  /** Sizes, or the file's names for them; null where the file has none. */
  readonly batch: number | string | null;
  readonly queryLength: number | string | null;
  readonly keyLength: number | string | null;
  /** Factor of the dot products; null where it is a number of the call. */
  readonly scale: number | null;
  /** How the file hides keys: by a tensor that is added, by a condition, or not at all. */
  readonly mask: readonly ("bias" | "condition" | "lengths" | "padding")[];
  /** Whether keys after a query are hidden; null where a mask that a call computes decides it. */
  readonly causal: boolean | null;
  /** Whether queries and keys come from the same tensor; null where that is not seen. */
  readonly kind: "self" | "cross" | null;
}

/** A softmax or an operator that may be attention and stays with the runtime. */
export interface UnsplicedNode {
  readonly name: string;
  readonly operator: string;
  /** Why, in a sentence. */
  readonly reason: string;
}

/** Results of a run for a site. */
export interface SiteResult {
  /** Backend of Heed that ran it; null where the runtime ran the nodes of the file. */
  readonly backend: string | null;
  /** Why the runtime ran it. */
  readonly reason?: string;
  /**
   * Memory that query, key, value and output were in: `"device"` where they stayed on the GPU that onnxruntime and the
   * backend share.
   */
  readonly memory: "device" | "host";
  /** Why tensors were read back that onnxruntime had left on the GPU. */
  readonly readBack?: string;
  /** `[batch, heads, queryLength, keyLength]`, if they were asked for. */
  readonly weights?: HostTensor;
  /** The call that Heed got, if it was asked for. */
  readonly inputs?: AttentionInputs<HostTensor>;
  /** The site's own inputs, by name, for {@link SplicedModel.subgraph}; if they were asked for. */
  readonly feeds?: Readonly<Record<string, unknown>>;
  /**
   * The first output of {@link SplicedModel.subgraph} as `[batch, heads, queryLength, valueDim]`, a view where it can
   * be one; with `inputs`.
   */
  readonly arrange?: (output: {
    readonly type: string;
    readonly dims: readonly number[];
    readonly data: unknown;
  }) => HostTensor;
}
