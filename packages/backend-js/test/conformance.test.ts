import { js } from "@heed/backend-js";
import { testBackend } from "@heed/conformance/vitest";
import { wholeIn } from "../../../test/select.js";
import declaration from "../conformance.json" with { type: "json" };

testBackend(js(), { declaration, select: wholeIn("node") });
