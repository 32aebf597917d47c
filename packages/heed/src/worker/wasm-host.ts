/** The script of a worker that computes with `@heed/backend-wasm`. One file with all it needs, since bundlers may not split it. */
import { wasm } from "@heed/backend-wasm";
import { serve } from "./host.js";

serve((options) => wasm(options));
