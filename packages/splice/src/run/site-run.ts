import type { RuntimeTensor } from "@heed/backend-onnx/runtime";
import type { SiteResult } from "../site.js";

/** Results that a run wants of a site. */
export interface Wanted {
  readonly weights: boolean;
  readonly inputs: boolean;
}

/** Values that a site made, by name, and what there is to tell. */
export interface SiteRun {
  readonly values: ReadonlyMap<string, RuntimeTensor>;
  readonly result: SiteResult;
}
