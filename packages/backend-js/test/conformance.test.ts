import { js } from "@heed/backend-js";
import { testBackend } from "@heed/conformance/vitest";
import declaration from "../conformance.json" with { type: "json" };

testBackend(js(), { declaration });
