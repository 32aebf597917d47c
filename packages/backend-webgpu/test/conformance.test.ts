import { webgpu } from "@heed/backend-webgpu";
import { testBackend } from "@heed/conformance/vitest";

testBackend(webgpu());
