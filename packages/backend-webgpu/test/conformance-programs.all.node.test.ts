/** The profile of programs: almost every case has a kernel of its own to compile. */
import { webgpu } from "@heed/backend-webgpu";
import { testBackend } from "@heed/conformance/vitest";

testBackend(webgpu({ allowFallbackAdapter: true }), {
  title: "programs",
  select: (c) => "profile" in c && c.profile === "programs",
});
