/** The whole published story. */
import { testOverWorkers } from "./over-workers.js";

testOverWorkers(256);
