import type { OnnxProvider } from "./runtime/options.js";

/**
 * The name of a kernel, in the grammar `<operation>-<kernel>-<variant>` of every backend: the kernel is the
 * kind of graph, and the variant the execution provider that runs it, as in `attention-group-query-cpu`.
 */
export function kernelName(operation: string, graph: string, provider: OnnxProvider): string {
  return `${operation}-${graph}-${provider}`;
}
