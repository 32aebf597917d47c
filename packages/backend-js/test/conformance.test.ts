import { js } from "@heed/backend-js";
import { testBackend } from "@heed/conformance/vitest";

testBackend(js());
