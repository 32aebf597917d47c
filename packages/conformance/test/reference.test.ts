import { testBackend } from "@heed/conformance/vitest";
import { reference } from "@heed/core";

testBackend(reference());
