import { template } from "@heed/backend-template";
import { testBackend } from "@heed/conformance/vitest";

// The cases that a first backend must pass. Without `profile`, all cases run.
testBackend(template(), { profile: "core" });
