import { template } from "@heed/backend-template";
import { testBackend } from "@heed/conformance/vitest";
import declaration from "../conformance.json" with { type: "json" };

// The cases that a first backend must pass. Without `profile`, all cases run.
testBackend(template(), { declaration, profile: "core" });
