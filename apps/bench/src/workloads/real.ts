import type { Workload } from "./workload.js";
export const realWorkloads: readonly Workload[] = [];
