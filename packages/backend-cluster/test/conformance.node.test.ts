/** The first profile; `conformance.places.node.test.ts` has the rest. */
import { testOverWorkers } from "./over-workers.js";

await testOverWorkers((c) => "profile" in c && c.profile === "core");
