import { template } from "@heed/backend-template";
import { testBackend } from "@heed/conformance/vitest";

// What a first backend must get right. Without `profile`, everything.
testBackend(template(), { profile: "core" });
