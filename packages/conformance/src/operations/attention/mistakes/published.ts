/** A bug that another project shipped. */
export interface PublishedBug {
  readonly name: string;
  readonly link: string;
  /** The defect, as the thread describes it. */
  readonly what: string;
}

/** A name of {@link published}: the project, and the number of the issue or pull request. */
export type PublishedName =
  | "onnxruntime#26766"
  | "onnxruntime#24017"
  | "onnxruntime#26064"
  | "onnxruntime#28520"
  | "onnxruntime#29020"
  | "burn#4778"
  | "sglang#33915"
  | "flashinfer#1752"
  | "flashinfer#4976";

/**
 * Bugs that mutants are modelled on. Each thread was read, as far as archives have it, but for the one
 * that says so.
 */
export const published: Readonly<Record<PublishedName, PublishedBug>> = {
  "onnxruntime#26766": {
    name: "onnxruntime#26766",
    link: "https://github.com/microsoft/onnxruntime/issues/26766",
    what: "WebGPU's MultiHeadAttention read an `attention_bias` that heads share as if each had its own; fixed by #26769, which made it broadcast.",
  },
  "onnxruntime#24017": {
    name: "onnxruntime#24017",
    link: "https://github.com/microsoft/onnxruntime/pull/24017",
    what: "On CPU and CUDA a bias `[batch, 1, …]` was read at the wrong offset past batch 0.",
  },
  "onnxruntime#26064": {
    name: "onnxruntime#26064",
    link: "https://github.com/microsoft/onnxruntime/issues/26064",
    what: "WebGPU's GroupQueryAttention gives other text once FlashAttention runs, unless past and present share one buffer (an application's way around it: webnn-developer-preview#97): the kernel takes for granted where the cache's rows are.",
  },
  "onnxruntime#28520": {
    name: "onnxruntime#28520",
    link: "https://github.com/microsoft/onnxruntime/pull/28520",
    what: "The loop over keys went on by 32, but subgroups of 32 computed the first 16 of each step: keys 16 to 31 were skipped.",
  },
  "onnxruntime#29020": {
    name: "onnxruntime#29020",
    link: "https://github.com/microsoft/onnxruntime/issues/29020",
    what: "With fewer queries than keys, `is_causal` was aligned to the bottom right on CPU, and to the upper left on CUDA.",
  },
  "burn#4778": {
    name: "burn#4778",
    link: "https://github.com/tracel-ai/burn/issues/4778",
    what: "A boolean mask `[1, 1, …]`, which heads share, was applied to head 0 only; a mask of all heads was right.",
  },
  "sglang#33915": {
    name: "sglang#33915",
    link: "https://github.com/sgl-project/sglang/issues/33915",
    what: "Softcap was handed on where nothing reads it any more, and models ran uncapped.",
  },
  "flashinfer#1752": {
    name: "flashinfer#1752",
    link: "https://github.com/flashinfer-ai/flashinfer/pull/1752",
    what: "Sinks with a sliding window that is not causal: wrong, and marked as expected to fail.",
  },
  "flashinfer#4976": {
    name: "flashinfer#4976",
    link: "https://github.com/flashinfer-ai/flashinfer/issues/4976",
    what: "Pairs of features. This thread was in no archive that could be read: the mutants follow its subject, not its text.",
  },
};
