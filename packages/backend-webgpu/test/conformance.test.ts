import { webgpu } from "@heed/backend-webgpu";
import { testBackend } from "@heed/conformance/vitest";
import { wholeIn } from "../../../test/select.js";
import declaration from "../conformance.json" with { type: "json" };

testBackend(webgpu({ allowFallbackAdapter: true }), { declaration, select: wholeIn("node") });
