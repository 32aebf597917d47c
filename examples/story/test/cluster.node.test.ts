/** The beginning; `cluster.places.node.test.ts` has the whole story. */
import { testOverWorkers } from "./over-workers.js";

testOverWorkers(48);
