/** All that `conformance.node.test.ts` leaves out. */
import { testOverWorkers } from "./over-workers.js";

await testOverWorkers((c) => !("profile" in c && c.profile === "core"));
