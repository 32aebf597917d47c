import { testBackend } from "@heed/conformance/vitest";
import { reference } from "@heed/core";
import { engineCases, everyPairOfFeatures, inBrowser, scope } from "../../../test/select.js";

// Backends pass the whole suite, which is judged by the reference: here it is a backend like others.
const here = inBrowser || scope === "engine" ? engineCases : everyPairOfFeatures;

testBackend(reference(), { select: scope === "all" ? undefined : here });
