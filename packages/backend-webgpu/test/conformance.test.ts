import { webgpu } from "@heed/backend-webgpu";
import { testBackend } from "@heed/conformance/vitest";
import { inBrowser, scope, sharing, wholeIn } from "../../../test/select.js";
import declaration from "../conformance.json" with { type: "json" };
import { everyRule, kernelsOf, smallest, withoutProgramCases } from "./variation.js";

const provider = webgpu({ allowFallbackAdapter: true });
const whole = withoutProgramCases(wholeIn("node"));
// Other kernels take seconds each to compile: conformance-kernels.places.browser.test.ts has them in chromium, and
// another version of Node runs the same library.
const few = [smallest, everyRule, ...(inBrowser ? [] : ["numerics/float16-l7", "decode/gqa"])];
const select = inBrowser || scope === "engine" ? sharing(whole, kernelsOf(provider), few) : whole;

testBackend(provider, { declaration, select });
