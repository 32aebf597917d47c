/** The script of a worker that computes with `@heed/backend-js`; see wasm-host. */
import { js } from "@heed/backend-js";
import { serve } from "./host.js";

serve(() => js());
