import { webgpu } from "@heed/backend-webgpu";
import { testBackend } from "@heed/conformance/vitest";
import { inBrowser, sharing, wholeIn } from "../../../test/select.js";
import declaration from "../conformance.json" with { type: "json" };
import { everyRule, kernelsOf, smallest, withoutProgramCases } from "./variation.js";

const provider = webgpu({ allowFallbackAdapter: true });
const whole = withoutProgramCases(wholeIn("node"));
// Other kernels take chromium seconds each to compile: conformance-kernels.places.browser.test.ts has them.
const select = inBrowser ? sharing(whole, kernelsOf(provider), [smallest, everyRule]) : whole;

testBackend(provider, { declaration, select });
