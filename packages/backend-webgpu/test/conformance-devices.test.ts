/**
 * The suite on devices as applications have them; beside conformance.test.ts, whose device has the
 * adapter's limits and subgroups.
 */
import { webgpu } from "@heed/backend-webgpu";
import { unrequested } from "./devices.js";
import { everyRule, variation } from "./variation.js";

const atDefaultLimits = unrequested();
variation("default limits", atDefaultLimits, {
  always: [everyRule, "core/returns-all", "decode/gqa"],
});
variation("default limits, subgroups", unrequested("subgroups"), { usual: atDefaultLimits });
variation("no subgroups", webgpu({ allowFallbackAdapter: true, features: { subgroups: false } }));
